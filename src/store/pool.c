/* SPDX-License-Identifier: MIT */
/* Rows of pools and what balancer hosts say of them. */
#include "store/pool.h"

#include "store/row.h"

#define SELECT_POOL "SELECT id, name, balancer_id, swarm_id, generation, members_json FROM pools "

FIELDS(pool, "pool", I(pool, id), T(pool, name), I(pool, balancer_id), I(pool, swarm_id),
       I(pool, generation), T(pool, members_json))

FIELDS(pool_host, "pool", I(pool_host, pool_id), I(pool_host, host_id), T(pool_host, host_name),
       T(pool_host, host_state), I(pool_host, applied), I(pool_host, confirmed),
       I(pool_host, confirmed_us), T(pool_host, error), T(pool_host, nodes_json),
       I(pool_host, reported_us))

int vr_store_pool_find_id(struct vr_tx *tx, int64_t id, struct vr_pool_row *out, struct vr_err *err)
{
    return vr_row_find_id(tx, &pool_type, id, out, err, SELECT_POOL "WHERE id = $1", VR_I(id));
}

int vr_store_pool_list_of_swarm(struct vr_tx *tx, int64_t swarm_id, struct vr_pool_rows *out,
                                struct vr_err *err)
{
    return vr_row_list(tx, &pool_type, out, err, SELECT_POOL "WHERE swarm_id = $1 ORDER BY id",
                       VR_I(swarm_id));
}

static int refuse_foreign(struct vr_tx *tx, const struct vr_pool_row *pool, struct vr_err *err)
{
    VR_OWNED(vr_db_rows_free) struct vr_db_rows *rows = NULL;
    int r = vr_db_query(tx->db, &rows, err,
                        "SELECT a.name || '-' || s.config_name || '-' || s.proc_name"
                        " FROM swarms s JOIN apps a ON a.id = s.app_id WHERE s.id = $1",
                        VR_I(pool->swarm_id));

    if (r == 0)
        r = vr_db_next(rows, err);
    if (r < 0)
        return r;
    return vr_fail(err, VR_EXISTS, "pool '%s' belongs to swarm '%s'", pool->name,
                   r ? vr_db_text(rows, 0) : "?");
}

/* The hosts of its balancer get another desired state, its swarm another count. */
static int touch(struct vr_tx *tx, int64_t id, struct vr_err *err)
{
    int r = vr_row_touch_hosts(tx, err,
                               "SELECT b.host_id FROM pools p JOIN balancer_hosts b"
                               " ON b.balancer_id = p.balancer_id WHERE p.id = $1",
                               VR_I(id));

    if (r == 0)
        r = vr_row_touch_swarms(tx, err, "SELECT swarm_id FROM pools WHERE id = $1", VR_I(id));
    return r;
}

int vr_store_pool_take(struct vr_tx *tx, int64_t balancer_id, const char *name, int64_t swarm_id,
                       int64_t *out_id, struct vr_err *err)
{
    VR_ROW(pool) pool = {0};
    int64_t id;
    int r = vr_row_find(tx, &pool_type, name, &pool, err,
                        SELECT_POOL "WHERE balancer_id = $1 AND name = $2", VR_I(balancer_id),
                        VR_T(name));

    if (r == 0 && pool.swarm_id != swarm_id)
        return refuse_foreign(tx, &pool, err);
    if (r == 0) {
        *out_id = pool.id;
        return 0;
    }
    if (r != -VR_NOT_FOUND)
        return r;
    r = vr_db_insert(tx->db, &id, err,
                     "INSERT INTO pools (balancer_id, name, swarm_id) VALUES ($1, $2, $3)"
                     " RETURNING id",
                     VR_I(balancer_id), VR_T(name), VR_I(swarm_id));
    if (r == 0)
        r = touch(tx, id, err);
    vr_store_changed(tx, VR_OBJECT_POOL, r == 0 ? id : 0);
    if (r == 0)
        *out_id = id;
    return r;
}

int vr_store_pool_set_members(struct vr_tx *tx, int64_t id, const char *members_json,
                              int64_t *out_generation, struct vr_err *err)
{
    int64_t generation;
    int r = vr_db_get_i64(tx->db, &generation, err,
                          "UPDATE pools SET members_json = $2, generation = generation + 1"
                          " WHERE id = $1 RETURNING generation",
                          VR_I(id), VR_T(members_json));

    if (r < 0)
        return vr_fail_in(err, r, "pool %" PRId64, id);
    if (out_generation)
        *out_generation = generation;
    return touch(tx, id, err);
}

int vr_store_pool_delete(struct vr_tx *tx, int64_t id, struct vr_err *err)
{
    int r = touch(tx, id, err);

    if (r == 0)
        r = vr_db_exec(tx->db, NULL, err, "DELETE FROM pool_hosts WHERE pool_id = $1", VR_I(id));
    if (r == 0)
        r = vr_row_change(tx, "pool", id, err, "DELETE FROM pools WHERE id = $1", VR_I(id));
    return r;
}

int vr_store_pool_hosts(struct vr_tx *tx, int64_t pool_id, struct vr_pool_host_rows *out,
                        struct vr_err *err)
{
    return vr_row_list(tx, &pool_host_type, out, err,
                       "SELECT p.id, h.id, h.name, h.state, coalesce(x.applied, 0),"
                       " coalesce(x.confirmed, 0), coalesce(x.confirmed_us, 0),"
                       " coalesce(x.error, ''), coalesce(x.nodes_json, '[]'),"
                       " coalesce(x.reported_us, 0) FROM pools p"
                       " JOIN balancer_hosts b ON b.balancer_id = p.balancer_id"
                       " JOIN hosts h ON h.id = b.host_id"
                       " LEFT JOIN pool_hosts x ON x.pool_id = p.id AND x.host_id = h.id"
                       " WHERE p.id = $1 ORDER BY h.id",
                       VR_I(pool_id));
}

static int find_reported(struct vr_tx *tx, int64_t host_id, const struct vr_pool_report *report,
                         int64_t *out_pool_id, struct vr_err *err)
{
    return vr_db_get_i64(tx->db, out_pool_id, err,
                         "SELECT p.id FROM pools p JOIN balancers b ON b.id = p.balancer_id"
                         " JOIN balancer_hosts x ON x.balancer_id = b.id AND x.host_id = $1"
                         " WHERE b.name = $2 AND p.name = $3",
                         VR_I(host_id), VR_T(report->balancer), VR_T(report->pool));
}

int vr_store_pool_report(struct vr_tx *tx, int64_t host_id, const struct vr_pool_report *report,
                         struct vr_wall now, struct vr_err *err)
{
    int64_t pool_id, same = 0;
    const char *error = vr_row_or(report->error, "");
    const char *nodes = vr_row_or(report->nodes_json, "[]");
    int r = find_reported(tx, host_id, report, &pool_id, err);

    if (r == -VR_NOT_FOUND)
        return 0;
    if (r == 0)
        r = vr_db_get_i64(tx->db, &same, err,
                          "SELECT count(*) FROM pool_hosts WHERE pool_id = $1 AND host_id = $2"
                          " AND applied = $3 AND confirmed = $4 AND error = $5 AND nodes_json = $6",
                          VR_I(pool_id), VR_I(host_id), VR_I(report->applied),
                          VR_I(report->confirmed), VR_T(error), VR_T(nodes));
    if (r == 0 && !same)
        r = vr_row_touch_swarms(tx, err, "SELECT swarm_id FROM pools WHERE id = $1", VR_I(pool_id));
    if (r < 0)
        return r;
    return vr_db_exec(
        tx->db, NULL, err,
        "INSERT INTO pool_hosts (pool_id, host_id, applied, confirmed, confirmed_us, error,"
        " nodes_json, reported_us) VALUES ($1, $2, $3, $4, $7, $5, $6, $7)"
        " ON CONFLICT (pool_id, host_id) DO UPDATE SET applied = excluded.applied,"
        " confirmed_us = CASE WHEN pool_hosts.confirmed = excluded.confirmed"
        " THEN pool_hosts.confirmed_us ELSE excluded.confirmed_us END,"
        " confirmed = excluded.confirmed, error = excluded.error,"
        " nodes_json = excluded.nodes_json, reported_us = excluded.reported_us",
        VR_I(pool_id), VR_I(host_id), VR_I(report->applied), VR_I(report->confirmed), VR_T(error),
        VR_T(nodes), VR_I(now.us));
}

int vr_store_pool_forget_host(struct vr_tx *tx, int64_t host_id, struct vr_err *err)
{
    int r = vr_row_touch_swarms(tx, err,
                                "SELECT p.swarm_id FROM pools p JOIN pool_hosts x"
                                " ON x.pool_id = p.id WHERE x.host_id = $1",
                                VR_I(host_id));

    if (r == 0)
        r = vr_db_exec(tx->db, NULL, err, "DELETE FROM pool_hosts WHERE host_id = $1",
                       VR_I(host_id));
    return r;
}
