/* SPDX-License-Identifier: MIT */
/* Rows of profiles and their quick dashboards. */
#include "store/profile.h"

#include "store/row.h"

#define SELECT_PROFILE "SELECT id, user_id, default_dashboard_id, row_version FROM profiles "

FIELDS(profile, "profile", I(profile, id), I(profile, user_id), I(profile, default_dashboard_id),
       I(profile, row_version))

int vr_store_profile_find_id(struct vr_tx *tx, int64_t id, struct vr_profile_row *out,
                             struct vr_err *err)
{
    return vr_row_find_id(tx, &profile_type, id, out, err, SELECT_PROFILE "WHERE id = $1",
                          VR_I(id));
}

int vr_store_profile_find_user(struct vr_tx *tx, int64_t user_id, struct vr_profile_row *out,
                               struct vr_err *err)
{
    return vr_row_find_id(tx, &profile_type, user_id, out, err, SELECT_PROFILE "WHERE user_id = $1",
                          VR_I(user_id));
}

int vr_store_profile_insert(struct vr_tx *tx, int64_t user_id, struct vr_err *err)
{
    return vr_db_exec(tx->db, NULL, err, "INSERT INTO profiles (user_id) VALUES ($1)",
                      VR_I(user_id));
}

int vr_store_profile_update(struct vr_tx *tx, const struct vr_profile_row *row, struct vr_err *err)
{
    return vr_row_change(tx, "profile", row->id, err,
                         "UPDATE profiles SET default_dashboard_id = $2,"
                         " row_version = row_version + 1 WHERE id = $1",
                         VR_I(row->id), VR_ID(row->default_dashboard_id));
}

int vr_store_profile_set_quick(struct vr_tx *tx, int64_t id, const int64_t *dashboard_ids,
                               size_t count, struct vr_err *err)
{
    vr_auto_free char *ids = vr_row_ids_text(dashboard_ids, count);
    int r = vr_db_exec(tx->db, NULL, err, "DELETE FROM profile_dashboards WHERE profile_id = $1",
                       VR_I(id));

    if (r == 0)
        r = vr_db_exec(tx->db, NULL, err,
                       "INSERT INTO profile_dashboards (profile_id, dashboard_id)"
                       " SELECT $1, id FROM dashboards WHERE id IN @IDS($2)@",
                       VR_I(id), VR_T(ids));
    return r;
}
