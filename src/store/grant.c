/* SPDX-License-Identifier: MIT */
/* Rows of grants. */
#include "store/grant.h"

#include "store/row.h"

FIELDS(grant, "grant", I(grant, id), I(grant, user_id), I(grant, app_id), T(grant, role),
       T(grant, app_name))

int vr_store_grant_list(struct vr_tx *tx, int64_t user_id, struct vr_grant_rows *out,
                        struct vr_err *err)
{
    return vr_row_list(tx, &grant_type, out, err,
                       "SELECT g.id, g.user_id, g.app_id, g.role, a.name FROM grants g"
                       " JOIN apps a ON a.id = g.app_id WHERE g.user_id = $1 ORDER BY a.name",
                       VR_I(user_id));
}

int vr_store_grant_set(struct vr_tx *tx, int64_t user_id, const int64_t *app_ids, size_t count,
                       struct vr_err *err)
{
    int r = vr_db_exec(tx->db, NULL, err, "DELETE FROM grants WHERE user_id = $1", VR_I(user_id));

    for (size_t i = 0; r == 0 && i < count; i++)
        r = vr_db_exec(tx->db, NULL, err,
                       "INSERT INTO grants (user_id, app_id, role) VALUES ($1, $2, 'deployer')",
                       VR_I(user_id), VR_I(app_ids[i]));
    return r;
}
