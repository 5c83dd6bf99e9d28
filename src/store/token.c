/* SPDX-License-Identifier: MIT */
/* Rows of API tokens. */
#include "store/token.h"

#include "store/row.h"

#define SELECT_TOKEN                                                                               \
    "SELECT id, user_id, name, token_sha256, role, app_id, created_us, expires_us, last_used_us"   \
    " FROM tokens "

FIELDS(token, "token", I(token, id), I(token, user_id), T(token, name), T(token, token_sha256),
       T(token, role), I(token, app_id), I(token, created_us), I(token, expires_us),
       I(token, last_used_us))

int vr_store_token_find(struct vr_tx *tx, const char *token_sha256, struct vr_token_row *out,
                        struct vr_err *err)
{
    return vr_row_find(tx, &token_type, "of this hash", out, err,
                       SELECT_TOKEN "WHERE token_sha256 = $1", VR_T(token_sha256));
}

int vr_store_token_find_id(struct vr_tx *tx, int64_t id, struct vr_token_row *out,
                           struct vr_err *err)
{
    return vr_row_find_id(tx, &token_type, id, out, err, SELECT_TOKEN "WHERE id = $1", VR_I(id));
}

int vr_store_token_insert(struct vr_tx *tx, const struct vr_token_row *row, int64_t *out_id,
                          struct vr_err *err)
{
    int r =
        vr_db_insert(tx->db, out_id, err,
                     "INSERT INTO tokens (user_id, name, token_sha256, role, app_id, created_us,"
                     " expires_us) VALUES ($1, $2, $3, $4, $5, $6, $7) RETURNING id",
                     VR_I(row->user_id), VR_T(row->name), VR_T(row->token_sha256),
                     VR_T(vr_row_or(row->role, "admin")), VR_ID(row->app_id), VR_I(row->created_us),
                     vr_row_time(row->expires_us));

    return r < 0 ? vr_fail_in(err, r, "token '%s'", row->name) : 0;
}

int vr_store_token_update(struct vr_tx *tx, const struct vr_token_row *row, struct vr_err *err)
{
    int r = vr_row_change(tx, "token", row->id, err,
                          "UPDATE tokens SET name = $2, expires_us = $3 WHERE id = $1",
                          VR_I(row->id), VR_T(row->name), vr_row_time(row->expires_us));

    return r < 0 ? vr_fail_in(err, r, "token '%s'", row->name) : 0;
}

int vr_store_token_used(struct vr_tx *tx, int64_t id, struct vr_wall now, struct vr_err *err)
{
    return vr_row_change(tx, "token", id, err, "UPDATE tokens SET last_used_us = $2 WHERE id = $1",
                         VR_I(id), VR_I(now.us));
}

int vr_store_token_delete(struct vr_tx *tx, int64_t id, struct vr_err *err)
{
    return vr_row_change(tx, "token", id, err, "DELETE FROM tokens WHERE id = $1", VR_I(id));
}
