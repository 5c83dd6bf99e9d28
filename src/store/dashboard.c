/* SPDX-License-Identifier: MIT */
/* Rows of dashboards and which apps they show. */
#include "store/dashboard.h"

#include "store/row.h"

#define SELECT_DASHBOARD "SELECT id, name, slug, row_version FROM dashboards "

FIELDS(dashboard, "dashboard", I(dashboard, id), T(dashboard, name), T(dashboard, slug),
       I(dashboard, row_version))

int vr_store_dashboard_find_id(struct vr_tx *tx, int64_t id, struct vr_dashboard_row *out,
                               struct vr_err *err)
{
    return vr_row_find_id(tx, &dashboard_type, id, out, err, SELECT_DASHBOARD "WHERE id = $1",
                          VR_I(id));
}

int vr_store_dashboard_find_slug(struct vr_tx *tx, const char *slug, int64_t id,
                                 struct vr_dashboard_row *out, struct vr_err *err)
{
    return vr_row_find(tx, &dashboard_type, slug, out, err,
                       SELECT_DASHBOARD "WHERE slug = $1 AND id <> $2", VR_T(slug), VR_I(id));
}

int vr_store_dashboard_insert(struct vr_tx *tx, const struct vr_dashboard_row *row, int64_t *out_id,
                              struct vr_err *err)
{
    int r = vr_db_insert(tx->db, out_id, err,
                         "INSERT INTO dashboards (name, slug) VALUES ($1, $2) RETURNING id",
                         VR_T(row->name), VR_T(row->slug));

    return r < 0 ? vr_fail_in(err, r, "dashboard '%s'", row->slug) : 0;
}

int vr_store_dashboard_update(struct vr_tx *tx, const struct vr_dashboard_row *row,
                              struct vr_err *err)
{
    return vr_row_change(tx, "dashboard", row->id, err,
                         "UPDATE dashboards SET name = $2, slug = $3,"
                         " row_version = row_version + 1 WHERE id = $1",
                         VR_I(row->id), VR_T(row->name), VR_T(row->slug));
}

int vr_store_dashboard_set_apps(struct vr_tx *tx, int64_t id, const int64_t *app_ids, size_t count,
                                struct vr_err *err)
{
    vr_auto_free char *ids = vr_row_ids_text(app_ids, count);
    int r = vr_db_exec(tx->db, NULL, err, "DELETE FROM dashboard_apps WHERE dashboard_id = $1",
                       VR_I(id));

    if (r == 0)
        r = vr_db_exec(tx->db, NULL, err,
                       "INSERT INTO dashboard_apps (dashboard_id, app_id)"
                       " SELECT $1, id FROM apps WHERE id IN @IDS($2)@",
                       VR_I(id), VR_T(ids));
    return r;
}

/* What points to it first. */
static const char *const deletes[] = {
    ("UPDATE profiles SET default_dashboard_id = NULL, row_version = row_version + 1"
     " WHERE default_dashboard_id = $1"),
    "DELETE FROM profile_dashboards WHERE dashboard_id = $1",
    "DELETE FROM dashboard_apps WHERE dashboard_id = $1",
    "DELETE FROM dashboards WHERE id = $1",
};

int vr_store_dashboard_delete(struct vr_tx *tx, int64_t id, struct vr_err *err)
{
    int r = 0;

    for (size_t i = 0; r == 0 && i < VR_COUNT(deletes); i++)
        r = vr_db_exec(tx->db, NULL, err, deletes[i], VR_I(id));
    return r;
}
