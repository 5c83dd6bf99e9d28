/* SPDX-License-Identifier: MIT */
/* Idempotency keys: the answer to a request that may be sent again. */
#ifndef VR_STORE_IDEMPOTENCY_H
#define VR_STORE_IDEMPOTENCY_H

#include "store/store.h"

#define VR_IDEMPOTENCY_SECS 86400

struct vr_idempotency_row {
    int64_t user_id;
    char *key;
    char *request_sha256; /* keyed sum of path and body: the same key for another one is wrong */
    int64_t status;
    char *location;
    char *body;
    int64_t created_us;
};

VR_DECLARE_ROW(idempotency);

/** The answer kept for a key; older ones than VR_IDEMPOTENCY_SECS are not found. */
VR_MUST_USE
int vr_store_idempotency_find(struct vr_tx *tx, int64_t user_id, const char *key,
                              struct vr_wall now, struct vr_idempotency_row *out,
                              struct vr_err *err);
/** Keep an answer, in the transaction that did what it says. Expired ones are removed. */
VR_MUST_USE
int vr_store_idempotency_add(struct vr_tx *tx, const struct vr_idempotency_row *row,
                             struct vr_err *err);

#endif
