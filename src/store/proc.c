/* SPDX-License-Identifier: MIT */
/* Rows of procs: finding, placing and what the engine decides about them. */
#include "store/proc.h"

#include "core/str.h"
#include "model/label.h"
#include "store/proc_row.h"

#define SELECT_PROC                                                                                \
    "SELECT p.id, p.name, p.swarm_id, p.rollout_id, p.release_id, p.host_id, p.config_name,"       \
    " p.proc_name, p.cmd, p.policy_json, p.pool_id, p.port, p.epoch, p.session, p.desired,"        \
    " p.actual, p.reported, p.since_us, p.running_us, p.unhealthy_us, p.tested, p.test_n,"         \
    " p.tested_us, p.test_began_us, p.passed, p.test_json, p.restart_n, p.force_stop,"             \
    " p.admitted, p.admitted_us, p.drain_us, p.start_failures, p.flaps, p.flapped_us,"             \
    " p.unhealthy_restarts, p.moved_from, p.pid, p.generation, p.restarts, p.message, p.code,"     \
    " p.log_tail, p.exit_json, p.usage_json, p.created_us, p.stopped_us, h.name"                   \
    " FROM procs p JOIN hosts h ON h.id = p.host_id "

FIELDS(proc, "proc", I(proc, id), T(proc, name), I(proc, swarm_id), T(proc, rollout_id),
       I(proc, release_id), I(proc, host_id), T(proc, config_name), T(proc, proc_name),
       T(proc, cmd), T(proc, policy_json), I(proc, pool_id), I(proc, port), I(proc, epoch),
       I(proc, session), T(proc, desired), T(proc, actual), T(proc, reported), I(proc, since_us),
       I(proc, running_us), I(proc, unhealthy_us), T(proc, tested), I(proc, test_n),
       I(proc, tested_us), I(proc, test_began_us), B(proc, passed), T(proc, test_json),
       I(proc, restart_n), B(proc, force_stop), B(proc, admitted), I(proc, admitted_us),
       I(proc, drain_us), I(proc, start_failures), I(proc, flaps), I(proc, flapped_us),
       I(proc, unhealthy_restarts), I(proc, moved_from), I(proc, pid), I(proc, generation),
       I(proc, restarts), T(proc, message), T(proc, code), T(proc, log_tail), T(proc, exit_json),
       T(proc, usage_json), I(proc, created_us), I(proc, stopped_us), T(proc, host_name))

int vr_store_proc_find_id(struct vr_tx *tx, int64_t id, struct vr_proc_row *out, struct vr_err *err)
{
    return vr_row_find_id(tx, &proc_type, id, out, err, SELECT_PROC "WHERE p.id = $1", VR_I(id));
}

int vr_store_proc_find(struct vr_tx *tx, const char *host, const char *name,
                       struct vr_proc_row *out, struct vr_err *err)
{
    return vr_row_find(tx, &proc_type, name, out, err,
                       SELECT_PROC "WHERE h.name = $1 AND p.name = $2 AND " VR_PROC_LIVE(
                           "p") " ORDER BY p.id DESC LIMIT 1",
                       VR_T(host), VR_T(name));
}

int vr_store_proc_list_of_swarm(struct vr_tx *tx, int64_t swarm_id, struct vr_proc_rows *out,
                                struct vr_err *err)
{
    return vr_row_list(tx, &proc_type, out, err,
                       SELECT_PROC "WHERE p.swarm_id = $1 AND " VR_PROC_LIVE("p") " ORDER BY p.id",
                       VR_I(swarm_id));
}

int vr_store_proc_list_of_host(struct vr_tx *tx, int64_t host_id, struct vr_proc_rows *out,
                               struct vr_err *err)
{
    return vr_row_list(tx, &proc_type, out, err,
                       SELECT_PROC "WHERE p.host_id = $1 AND " VR_PROC_LIVE("p") " ORDER BY p.id",
                       VR_I(host_id));
}

int vr_store_proc_list_by_hand(struct vr_tx *tx, struct vr_proc_rows *out, struct vr_err *err)
{
    return vr_row_list(tx, &proc_type, out, err,
                       SELECT_PROC
                       "WHERE p.swarm_id IS NULL AND " VR_PROC_LIVE("p") " ORDER BY p.id");
}

static int load_used_ports(struct vr_tx *tx, int64_t host_id, bool used[], struct vr_err *err)
{
    VR_OWNED(vr_db_rows_free) struct vr_db_rows *rows = NULL;
    int r = vr_db_query(tx->db, &rows, err,
                        "SELECT p.port FROM procs p WHERE p.host_id = $1 AND p.port > 0"
                        " AND " VR_PROC_LIVE("p"),
                        VR_I(host_id));

    if (r < 0)
        return r;
    while ((r = vr_db_next(rows, err)) > 0) {
        int64_t port = vr_db_i64(rows, 0);

        if (port >= tx->ports.first && port <= tx->ports.last)
            used[port - tx->ports.first] = true;
    }
    return r;
}

/* A random one, so that a port is not used again at once by somebody else's clients. */
static int pick_port(struct vr_tx *tx, int64_t host_id, const char *host, int64_t *out,
                     struct vr_err *err)
{
    size_t count = (size_t)(tx->ports.last - tx->ports.first + 1);
    vr_auto_free bool *used = vr_alloc_array(count, sizeof(*used));
    uint32_t at;
    int r = load_used_ports(tx, host_id, used, err);

    if (r < 0)
        return r;
    vr_random(&at, sizeof(at));
    for (size_t i = 0; i < count; i++) {
        size_t k = (at + i) % count;

        if (!used[k]) {
            *out = tx->ports.first + (int64_t)k;
            return 0;
        }
    }
    return vr_fail(err, VR_LIMIT, "host '%s' has no free port in %" PRId64 "-%" PRId64, host,
                   tx->ports.first, tx->ports.last);
}

static int check_port(struct vr_tx *tx, int64_t host_id, const char *host, int64_t port,
                      struct vr_err *err)
{
    int64_t used;
    int r = vr_db_get_i64(tx->db, &used, err,
                          "SELECT count(*) FROM procs p WHERE p.host_id = $1 AND p.port = $2"
                          " AND " VR_PROC_LIVE("p"),
                          VR_I(host_id), VR_I(port));

    if (r == 0 && used)
        return vr_fail(err, VR_EXISTS, "port %" PRId64 " of host '%s' is in use", port, host);
    return r;
}

/* What the row takes over from its release and host. */
struct base {
    char *app;
    char *tag;
    char *hash;
    char *host;
    int64_t session;
};

static void base_fini(struct base *base)
{
    free(base->app);
    free(base->tag);
    free(base->hash);
    free(base->host);
}

static int load_base(struct vr_tx *tx, const struct vr_proc_placement *placement, struct base *out,
                     struct vr_err *err)
{
    VR_OWNED(vr_db_rows_free) struct vr_db_rows *rows = NULL;
    int r = vr_db_query(tx->db, &rows, err,
                        "SELECT a.name, b.tag, r.hash, h.name, h.session FROM releases r"
                        " JOIN builds b ON b.id = r.build_id JOIN apps a ON a.id = b.app_id"
                        " JOIN hosts h ON h.id = $2 WHERE r.id = $1",
                        VR_I(placement->release_id), VR_I(placement->host_id));

    if (r == 0)
        r = vr_db_next(rows, err);
    if (r < 0)
        return r;
    if (r == 0)
        return vr_fail(err, VR_NOT_FOUND, "release %" PRId64 " or host %" PRId64 " does not exist",
                       placement->release_id, placement->host_id);
    out->app = vr_db_text_dup(rows, 0);
    out->tag = vr_db_text_dup(rows, 1);
    out->hash = vr_db_text_dup(rows, 2);
    out->host = vr_db_text_dup(rows, 3);
    out->session = vr_db_i64(rows, 4);
    return 0;
}

static int insert(struct vr_tx *tx, const struct vr_proc_placement *p, const struct base *base,
                  int64_t port, struct vr_wall now, int64_t *out_id, struct vr_err *err)
{
    vr_auto_free char *name =
        vr_label_proc(base->app, base->tag, p->config_name, base->hash, p->proc_name, (int)port);

    return vr_db_insert(tx->db, out_id, err,
                        "INSERT INTO procs (name, swarm_id, rollout_id, release_id, host_id,"
                        " config_name, proc_name, cmd, policy_json, pool_id, port, session,"
                        " since_us, moved_from, start_failures, created_us)"
                        " VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14,"
                        " $15, $13) RETURNING id",
                        VR_T(name), VR_ID(p->swarm_id), VR_T(p->rollout_id), VR_I(p->release_id),
                        VR_I(p->host_id), VR_T(p->config_name), VR_T(p->proc_name), VR_T(p->cmd),
                        VR_T(vr_row_or(p->policy_json, "{}")), VR_ID(p->pool_id), VR_I(port),
                        VR_I(base->session), VR_I(now.us), VR_ID(p->moved_from),
                        VR_I(p->start_failures));
}

int vr_store_proc_insert(struct vr_tx *tx, const struct vr_proc_placement *placement,
                         struct vr_wall now, int64_t *out_id, struct vr_err *err)
{
    __attribute__((cleanup(base_fini))) struct base base = {0};
    int64_t port = placement->no_port ? 0 : placement->port;
    int64_t id;
    int r = load_base(tx, placement, &base, err);

    if (r == 0 && port)
        r = check_port(tx, placement->host_id, base.host, port, err);
    else if (r == 0 && !placement->no_port)
        r = pick_port(tx, placement->host_id, base.host, &port, err);
    if (r == 0)
        r = insert(tx, placement, &base, port, now, &id, err);
    if (r < 0)
        return vr_fail_in(err, r, "place proc '%s'", placement->proc_name);
    vr_store_touch_host(tx, placement->host_id);
    vr_store_touch_swarm(tx, placement->swarm_id);
    r = vr_proc_event(tx, id, "PROCESS_STATE_STARTING", now, err);
    if (r == 0)
        *out_id = id;
    return r;
}

int vr_proc_touch(struct vr_tx *tx, int64_t id, struct vr_err *err)
{
    VR_OWNED(vr_db_rows_free) struct vr_db_rows *rows = NULL;
    int r = vr_db_query(tx->db, &rows, err, "SELECT host_id, swarm_id FROM procs WHERE id = $1",
                        VR_I(id));

    if (r == 0)
        r = vr_db_next(rows, err);
    if (r <= 0)
        return r;
    vr_store_touch_host(tx, vr_db_i64(rows, 0));
    vr_store_touch_swarm(tx, vr_db_i64(rows, 1));
    return 0;
}

/* Change one proc, $1 its id, and touch its host and swarm. */
#define change(tx, id, err, sql, ...)                                                              \
    change_values(tx, id, err, sql, VR_DB_VALUES(VR_I(id), ##__VA_ARGS__))

static int change_values(struct vr_tx *tx, int64_t id, struct vr_err *err, const char *sql,
                         const struct vr_db_value *values, size_t count)
{
    int r = vr_row_change_values(tx, "proc", id, err, sql, values, count);

    return r < 0 ? r : vr_proc_touch(tx, id, err);
}

/* Tell those who watch that something of it changed, under the state that it is in. */
static int tell(struct vr_tx *tx, int64_t id, struct vr_wall now, struct vr_err *err)
{
    VR_ROW(proc) row = {0};
    vr_auto_free char *event = NULL;
    int r = vr_store_proc_find_id(tx, id, &row, err);

    if (r < 0)
        return r;
    event = vr_strf("PROCESS_STATE_%s", vr_proc_state_of(row.actual)->name);
    return vr_proc_event(tx, id, event, now, err);
}

int vr_store_proc_set_desired(struct vr_tx *tx, int64_t id, const char *desired, bool force,
                              struct vr_err *err)
{
    return change(tx, id, err, "UPDATE procs SET desired = $2, force_stop = $3 WHERE id = $1",
                  VR_T(desired), VR_B(force));
}

int vr_store_proc_set_admitted(struct vr_tx *tx, int64_t id, bool admitted, struct vr_wall now,
                               struct vr_err *err)
{
    int64_t changed = 0;
    int r = vr_db_exec(tx->db, &changed, err,
                       "UPDATE procs SET admitted = $2,"
                       " admitted_us = CASE WHEN $2 = 1 THEN $3 ELSE admitted_us END,"
                       " drain_us = CASE WHEN $2 = 0 THEN $3 ELSE drain_us END"
                       " WHERE id = $1 AND admitted <> $2",
                       VR_I(id), VR_B(admitted), VR_I(now.us));

    if (r < 0 || !changed)
        return r;
    vr_store_changed(tx, VR_OBJECT_PROC, id);
    r = vr_proc_touch(tx, id, err);
    return r < 0 ? r : tell(tx, id, now, err);
}

int vr_store_proc_request_test(struct vr_tx *tx, int64_t id, struct vr_wall now, struct vr_err *err)
{
    int r = change(tx, id, err,
                   "UPDATE procs SET test_n = test_n + 1, tested = 'pending', tested_us = $2,"
                   " test_began_us = CASE WHEN test_began_us = 0 THEN $2 ELSE test_began_us END"
                   " WHERE id = $1",
                   VR_I(now.us));

    return r < 0 ? r : tell(tx, id, now, err);
}

int vr_store_proc_demote(struct vr_tx *tx, int64_t id, int64_t flaps, struct vr_wall now,
                         struct vr_err *err)
{
    int r = change(tx, id, err,
                   "UPDATE procs SET passed = 0, tested = 'no', test_began_us = 0,"
                   " flaps = $3, flapped_us = $2 WHERE id = $1",
                   VR_I(now.us), VR_I(flaps));

    return r < 0 ? r : tell(tx, id, now, err);
}

/* What a new epoch means for any proc; the session is that of its host now. */
#define NEW_EPOCH                                                                                  \
    " epoch = epoch + 1, session = (SELECT h.session FROM hosts h WHERE h.id = procs.host_id),"    \
    " tested = 'no', passed = 0, test_began_us = 0, unhealthy_us = 0, force_stop = 0 "
/* And for one that must not take traffic until it passed again. */
#define UNADMIT ", drain_us = CASE WHEN admitted = 1 THEN $2 ELSE drain_us END, admitted = 0 "

int vr_store_proc_start(struct vr_tx *tx, int64_t id, struct vr_wall now, struct vr_err *err)
{
    int r = change(tx, id, err,
                   "UPDATE procs SET desired = 'run', actual = 'assigned', reported = 'assigned',"
                   " since_us = $2, running_us = NULL, stopped_us = NULL," NEW_EPOCH UNADMIT
                   "WHERE id = $1",
                   VR_I(now.us));

    return r < 0 ? r : tell(tx, id, now, err);
}

int vr_store_proc_restart(struct vr_tx *tx, int64_t id, int64_t unhealthy_restarts,
                          struct vr_wall now, struct vr_err *err)
{
    int r = change(
        tx, id, err,
        "UPDATE procs SET desired = 'run', restart_n = restart_n + 1, actual = 'starting',"
        " reported = 'starting', since_us = $2, running_us = NULL,"
        " unhealthy_restarts = CASE WHEN $3 >= 0 THEN $3 ELSE unhealthy_restarts END," NEW_EPOCH
        "WHERE id = $1",
        VR_I(now.us), VR_I(unhealthy_restarts));

    return r < 0 ? r : tell(tx, id, now, err);
}

int vr_store_proc_set_unknown(struct vr_tx *tx, int64_t id, struct vr_wall now, struct vr_err *err)
{
    int r = change(tx, id, err, "UPDATE procs SET actual = 'unknown', since_us = $2 WHERE id = $1",
                   VR_I(now.us));

    return r < 0 ? r : tell(tx, id, now, err);
}

int vr_store_proc_set_known(struct vr_tx *tx, int64_t id, bool new_epoch, struct vr_wall now,
                            struct vr_err *err)
{
    int r;

    if (new_epoch)
        r = change(tx, id, err,
                   "UPDATE procs SET actual = 'starting', since_us = $2," NEW_EPOCH UNADMIT
                   "WHERE id = $1",
                   VR_I(now.us));
    else
        r = change(tx, id, err, "UPDATE procs SET actual = reported, since_us = $2 WHERE id = $1",
                   VR_I(now.us));
    return r < 0 ? r : tell(tx, id, now, err);
}

int vr_store_proc_set_unhealthy(struct vr_tx *tx, int64_t id, struct vr_wall since,
                                struct vr_err *err)
{
    return change(tx, id, err, "UPDATE procs SET unhealthy_us = $2 WHERE id = $1", VR_I(since.us));
}

int vr_store_proc_set_rollout(struct vr_tx *tx, int64_t id, const char *rollout_id,
                              struct vr_err *err)
{
    return change(tx, id, err, "UPDATE procs SET rollout_id = $2 WHERE id = $1", VR_T(rollout_id));
}

int vr_store_proc_set_actual(struct vr_tx *tx, int64_t id, const char *actual, const char *message,
                             struct vr_wall now, struct vr_err *err)
{
    int r = change(tx, id, err,
                   "UPDATE procs SET actual = $2, reported = $2, message = $3, since_us = $4,"
                   " stopped_us = CASE WHEN $2 = 'stopped' THEN $4 ELSE stopped_us END"
                   " WHERE id = $1",
                   VR_T(actual), VR_T(message), VR_I(now.us));

    return r < 0 ? r : tell(tx, id, now, err);
}

int vr_store_proc_delete(struct vr_tx *tx, int64_t id, struct vr_wall now, struct vr_err *err)
{
    VR_ROW(proc) row = {0};
    int r = vr_store_proc_find_id(tx, id, &row, err);

    if (r < 0)
        return r;
    if (!vr_streq(row.actual, "stopped"))
        return vr_fail(err, VR_EXISTS, "proc '%s' is not stopped, but %s", row.name, row.actual);
    r = vr_proc_event(tx, id, "PROCESS_GROUP_REMOVED", now, err);
    if (r == 0)
        r = vr_proc_touch(tx, id, err);
    if (r == 0)
        r = vr_db_exec(tx->db, NULL, err, "DELETE FROM commands WHERE proc_id = $1", VR_I(id));
    if (r == 0)
        r = vr_db_exec(tx->db, NULL, err, "DELETE FROM procs WHERE id = $1", VR_I(id));
    vr_store_changed(tx, VR_OBJECT_PROC, id);
    return r;
}
