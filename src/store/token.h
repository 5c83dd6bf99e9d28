/* SPDX-License-Identifier: MIT */
/* API tokens of users; only their hash is kept. */
#ifndef VR_STORE_TOKEN_H
#define VR_STORE_TOKEN_H

#include "store/store.h"

struct vr_token_row {
    int64_t id;
    int64_t user_id;
    char *name;
    char *token_sha256;
    char *role;     /* it may no more than this, whatever its user may */
    int64_t app_id; /* and only for this app; 0: for all */
    int64_t created_us;
    int64_t expires_us;   /* 0: never */
    int64_t last_used_us; /* 0: never */
};

VR_DECLARE_ROW(token);

VR_MUST_USE
int vr_store_token_find(struct vr_tx *tx, const char *token_sha256, struct vr_token_row *out,
                        struct vr_err *err);
VR_MUST_USE
int vr_store_token_find_id(struct vr_tx *tx, int64_t id, struct vr_token_row *out,
                           struct vr_err *err);
VR_MUST_USE
int vr_store_token_insert(struct vr_tx *tx, const struct vr_token_row *row, int64_t *out_id,
                          struct vr_err *err);
/** Name and time of expiry. */
VR_MUST_USE
int vr_store_token_update(struct vr_tx *tx, const struct vr_token_row *row, struct vr_err *err);
VR_MUST_USE
int vr_store_token_used(struct vr_tx *tx, int64_t id, struct vr_wall now, struct vr_err *err);
VR_MUST_USE
int vr_store_token_delete(struct vr_tx *tx, int64_t id, struct vr_err *err);

#endif
