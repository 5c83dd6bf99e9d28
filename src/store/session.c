/* SPDX-License-Identifier: MIT */
/* Rows of sessions. */
#include "store/session.h"

#include "store/row.h"

FIELDS(session, "session", I(session, id), I(session, user_id), T(session, session_sha256),
       T(session, csrf), T(session, remote), I(session, created_us), I(session, seen_us),
       I(session, expires_us))

int vr_store_session_find(struct vr_tx *tx, const char *session_sha256, struct vr_wall now,
                          struct vr_session_row *out, struct vr_err *err)
{
    return vr_row_find(tx, &session_type, "of this hash", out, err,
                       "SELECT id, user_id, session_sha256, csrf, remote, created_us, seen_us,"
                       " expires_us FROM sessions WHERE session_sha256 = $1 AND expires_us > $2",
                       VR_T(session_sha256), VR_I(now.us));
}

/* Makes room for one more: what has expired goes, then the oldest. */
static int make_room(struct vr_tx *tx, const struct vr_session_row *row, struct vr_err *err)
{
    int r = vr_db_exec(tx->db, NULL, err, "DELETE FROM sessions WHERE expires_us <= $1",
                       VR_I(row->created_us));

    if (r == 0)
        r = vr_db_exec(tx->db, NULL, err,
                       "DELETE FROM sessions WHERE user_id = $1 AND id NOT IN"
                       " (SELECT id FROM sessions WHERE user_id = $1 ORDER BY id DESC LIMIT $2)",
                       VR_I(row->user_id), VR_I(VR_SESSIONS_MAX - 1));
    return r;
}

int vr_store_session_insert(struct vr_tx *tx, const struct vr_session_row *row, int64_t *out_id,
                            struct vr_err *err)
{
    int r = make_room(tx, row, err);

    return r < 0 ? r
                 : vr_db_insert(tx->db, out_id, err,
                                "INSERT INTO sessions (user_id, session_sha256, csrf, remote,"
                                " created_us, seen_us, expires_us)"
                                " VALUES ($1, $2, $3, $4, $5, $6, $7) RETURNING id",
                                VR_I(row->user_id), VR_T(row->session_sha256), VR_T(row->csrf),
                                VR_T(vr_row_or(row->remote, "")), VR_I(row->created_us),
                                VR_I(row->seen_us), VR_I(row->expires_us));
}

int vr_store_session_seen(struct vr_tx *tx, int64_t id, struct vr_wall now, int64_t expires_us,
                          struct vr_err *err)
{
    return vr_row_change(tx, "session", id, err,
                         "UPDATE sessions SET seen_us = $2, expires_us = $3 WHERE id = $1",
                         VR_I(id), VR_I(now.us), VR_I(expires_us));
}

int vr_store_session_delete(struct vr_tx *tx, int64_t id, struct vr_err *err)
{
    return vr_row_change(tx, "session", id, err, "DELETE FROM sessions WHERE id = $1", VR_I(id));
}

int vr_store_session_delete_others(struct vr_tx *tx, int64_t user_id, int64_t keep_id,
                                   struct vr_err *err)
{
    return vr_db_exec(tx->db, NULL, err, "DELETE FROM sessions WHERE user_id = $1 AND id <> $2",
                      VR_I(user_id), VR_I(keep_id));
}
