/* SPDX-License-Identifier: MIT */
/* Rows of balancers and which hosts they run on. */
#include "store/balancer.h"

#include "store/row.h"

#define SELECT_BALANCER "SELECT id, name, driver, options_json, row_version FROM balancers "

FIELDS(balancer, "balancer", I(balancer, id), T(balancer, name), T(balancer, driver),
       T(balancer, options_json), I(balancer, row_version))

int vr_store_balancer_find(struct vr_tx *tx, const char *name, struct vr_balancer_row *out,
                           struct vr_err *err)
{
    return vr_row_find(tx, &balancer_type, name, out, err, SELECT_BALANCER "WHERE name = $1",
                       VR_T(name));
}

int vr_store_balancer_find_id(struct vr_tx *tx, int64_t id, struct vr_balancer_row *out,
                              struct vr_err *err)
{
    return vr_row_find_id(tx, &balancer_type, id, out, err, SELECT_BALANCER "WHERE id = $1",
                          VR_I(id));
}

int vr_store_balancer_insert(struct vr_tx *tx, const struct vr_balancer_row *row, int64_t *out_id,
                             struct vr_err *err)
{
    int r =
        vr_db_insert(tx->db, out_id, err,
                     "INSERT INTO balancers (name, driver, options_json)"
                     " VALUES ($1, $2, $3) RETURNING id",
                     VR_T(row->name), VR_T(row->driver), VR_T(vr_row_or(row->options_json, "{}")));

    return r < 0 ? vr_fail_in(err, r, "balancer '%s'", row->name) : 0;
}

/* Its hosts get another desired state, its swarms another count of confirmations. */
static int touch(struct vr_tx *tx, int64_t id, struct vr_err *err)
{
    int r = vr_row_touch_hosts(tx, err, "SELECT host_id FROM balancer_hosts WHERE balancer_id = $1",
                               VR_I(id));

    if (r == 0)
        r = vr_row_touch_swarms(tx, err, "SELECT swarm_id FROM pools WHERE balancer_id = $1",
                                VR_I(id));
    return r;
}

int vr_store_balancer_update(struct vr_tx *tx, const struct vr_balancer_row *row,
                             struct vr_err *err)
{
    int r = vr_row_change(tx, "balancer", row->id, err,
                          "UPDATE balancers SET name = $2, driver = $3, options_json = $4,"
                          " row_version = row_version + 1 WHERE id = $1",
                          VR_I(row->id), VR_T(row->name), VR_T(row->driver),
                          VR_T(vr_row_or(row->options_json, "{}")));

    return r < 0 ? r : touch(tx, row->id, err);
}

int vr_store_balancer_set_hosts(struct vr_tx *tx, int64_t id, const int64_t *host_ids, size_t count,
                                struct vr_err *err)
{
    vr_auto_free char *ids = vr_row_ids_text(host_ids, count);
    int r =
        vr_row_change(tx, "balancer", id, err,
                      "UPDATE balancers SET row_version = row_version + 1 WHERE id = $1", VR_I(id));

    if (r == 0)
        r = touch(tx, id, err); /* those that leave */
    if (r == 0)
        r = vr_db_exec(tx->db, NULL, err,
                       "DELETE FROM pool_hosts WHERE host_id NOT IN @IDS($2)@ AND pool_id IN"
                       " (SELECT id FROM pools WHERE balancer_id = $1)",
                       VR_I(id), VR_T(ids));
    if (r == 0)
        r = vr_db_exec(tx->db, NULL, err, "DELETE FROM balancer_hosts WHERE balancer_id = $1",
                       VR_I(id));
    if (r == 0)
        r = vr_db_exec(tx->db, NULL, err,
                       "INSERT INTO balancer_hosts (balancer_id, host_id)"
                       " SELECT $1, id FROM hosts WHERE id IN @IDS($2)@",
                       VR_I(id), VR_T(ids));
    return r < 0 ? r : touch(tx, id, err);
}

int vr_store_balancer_hosts(struct vr_tx *tx, int64_t id, int64_t **out_ids, size_t *out_n,
                            struct vr_err *err)
{
    return vr_row_ids(tx, out_ids, out_n, err,
                      "SELECT host_id FROM balancer_hosts WHERE balancer_id = $1 ORDER BY host_id",
                      VR_I(id));
}

static const struct vr_row_use uses[] = {
    {"swarms", "SELECT a.name || '-' || s.config_name || '-' || s.proc_name"
               " FROM swarms s JOIN apps a ON a.id = s.app_id WHERE s.balancer_id = $1 ORDER BY 1"},
    {"pools", "SELECT name FROM pools WHERE balancer_id = $1 ORDER BY name"},
};

int vr_store_balancer_delete(struct vr_tx *tx, int64_t id, struct vr_err *err)
{
    VR_ROW(balancer) row = {0};
    int r = vr_store_balancer_find_id(tx, id, &row, err);

    if (r == 0)
        r = vr_row_refuse_used(tx, "balancer", row.name, id, uses, VR_COUNT(uses), err);
    if (r == 0)
        r = touch(tx, id, err);
    if (r == 0)
        r = vr_db_exec(tx->db, NULL, err, "DELETE FROM balancer_hosts WHERE balancer_id = $1",
                       VR_I(id));
    if (r == 0)
        r = vr_db_exec(tx->db, NULL, err, "DELETE FROM balancers WHERE id = $1", VR_I(id));
    return r;
}
