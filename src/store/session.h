/* SPDX-License-Identifier: MIT */
/* Sessions of browsers; only the hash of the cookie is kept. */
#ifndef VR_STORE_SESSION_H
#define VR_STORE_SESSION_H

#include "store/store.h"

#define VR_SESSIONS_MAX 50 /* of one user; the oldest ends when there is one more */

struct vr_session_row {
    int64_t id;
    int64_t user_id;
    char *session_sha256;
    char *csrf;
    char *remote;
    int64_t created_us;
    int64_t seen_us;
    int64_t expires_us;
};

VR_DECLARE_ROW(session);

/** One that has expired is not found. */
VR_MUST_USE
int vr_store_session_find(struct vr_tx *tx, const char *session_sha256, struct vr_wall now,
                          struct vr_session_row *out, struct vr_err *err);
/** Also removes what has expired by row->created_us. */
VR_MUST_USE
int vr_store_session_insert(struct vr_tx *tx, const struct vr_session_row *row, int64_t *out_id,
                            struct vr_err *err);
VR_MUST_USE
int vr_store_session_seen(struct vr_tx *tx, int64_t id, struct vr_wall now, int64_t expires_us,
                          struct vr_err *err);
VR_MUST_USE
int vr_store_session_delete(struct vr_tx *tx, int64_t id, struct vr_err *err);
/** All of a user but one; 0: all. */
VR_MUST_USE
int vr_store_session_delete_others(struct vr_tx *tx, int64_t user_id, int64_t keep_id,
                                   struct vr_err *err);

#endif
