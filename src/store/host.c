/* SPDX-License-Identifier: MIT */
/* Rows of hosts. */
#include "store/host.h"

#include "core/str.h"
#include "fmt/json.h"
#include "store/proc.h"
#include "store/row.h"

#define SELECT_HOST                                                                                \
    "SELECT id, name, active, squad_id, address, roles, token_sha256, session, state, state_us,"   \
    " last_seen_us, synced, report_seq, boot_id, agent_version, facts_json, usage_json, rev,"      \
    " row_version FROM hosts "

FIELDS(host, "host", I(host, id), T(host, name), B(host, active), I(host, squad_id),
       T(host, address), T(host, roles), T(host, token_sha256), I(host, session), T(host, state),
       I(host, state_us), I(host, last_seen_us), B(host, synced), I(host, report_seq),
       T(host, boot_id), T(host, agent_version), T(host, facts_json), T(host, usage_json),
       I(host, rev), I(host, row_version))

int vr_store_host_find(struct vr_tx *tx, const char *name, struct vr_host_row *out,
                       struct vr_err *err)
{
    return vr_row_find(tx, &host_type, name, out, err, SELECT_HOST "WHERE name = $1", VR_T(name));
}

int vr_store_host_find_id(struct vr_tx *tx, int64_t id, struct vr_host_row *out, struct vr_err *err)
{
    return vr_row_find_id(tx, &host_type, id, out, err, SELECT_HOST "WHERE id = $1", VR_I(id));
}

int vr_store_host_find_token(struct vr_tx *tx, const char *token_sha256, struct vr_host_row *out,
                             struct vr_err *err)
{
    return vr_row_find(tx, &host_type, "with this token", out, err,
                       SELECT_HOST "WHERE token_sha256 = $1", VR_T(token_sha256));
}

int vr_store_host_list(struct vr_tx *tx, int64_t squad_id, struct vr_host_rows *out,
                       struct vr_err *err)
{
    return vr_row_list(tx, &host_type, out, err,
                       SELECT_HOST "WHERE $1 = 0 OR squad_id = $1 ORDER BY name", VR_I(squad_id));
}

/* Memory limits are text such as 256M: they are summed here, not by the database. */
static void add_load(struct vr_host_load *load, struct vr_db_rows *rows)
{
    const char *mem = vr_db_text(rows, 5);
    int64_t count = vr_db_i64(rows, 1);
    int64_t bytes = 0;

    load->procs += count;
    load->ports += vr_db_i64(rows, 2);
    load->of_swarm += vr_db_i64(rows, 3);
    load->of_app += vr_db_i64(rows, 4);
    load->config_bytes += vr_db_i64(rows, 6);
    if (mem && vr_parse_bytes(vr_str(mem), &bytes, NULL) == 0)
        load->mem_bytes += bytes * count;
}

int vr_store_host_loads(struct vr_tx *tx, int64_t swarm_id, struct vr_host_load **out_v,
                        size_t *out_n, struct vr_err *err)
{
    VR_OWNED(vr_db_rows_free) struct vr_db_rows *rows = NULL;
    vr_auto_free struct vr_host_load *v = NULL;
    size_t n = 0;
    int r = vr_db_query(
        tx->db, &rows, err,
        "SELECT p.host_id, count(*), sum(CASE WHEN p.port > 0 THEN 1 ELSE 0 END),"
        " sum(CASE WHEN p.swarm_id = $1 THEN 1 ELSE 0 END),"
        " sum(CASE WHEN b.app_id = (SELECT app_id FROM swarms WHERE id = $1) THEN 1 ELSE 0 END),"
        " r.mem_limit, sum(r.config_bytes) FROM procs p JOIN releases r ON r.id = p.release_id"
        " JOIN builds b ON b.id = r.build_id WHERE " VR_PROC_LIVE(
            "p") " GROUP BY p.host_id, r.mem_limit ORDER BY p.host_id",
        VR_I(swarm_id));

    if (r < 0)
        return r;
    while ((r = vr_db_next(rows, err)) > 0) {
        int64_t host_id = vr_db_i64(rows, 0);

        if (!n || v[n - 1].host_id != host_id) {
            v = vr_realloc_array(v, n + 1, sizeof(*v));
            v[n++] = (struct vr_host_load){.host_id = host_id};
        }
        add_load(&v[n - 1], rows);
    }
    if (r < 0)
        return r;
    *out_v = vr_take(v);
    *out_n = n;
    return 0;
}

/* What runs, or may run, there: its swarms are looked at again. */
static int touch(struct vr_tx *tx, int64_t id, struct vr_err *err)
{
    vr_store_touch_host(tx, id);
    return vr_row_touch_swarms(
        tx, err,
        "SELECT p.swarm_id FROM procs p WHERE p.host_id = $1 AND " VR_PROC_LIVE(
            "p") " AND p.swarm_id IS NOT NULL UNION SELECT s.id FROM swarms s"
                 " JOIN hosts h ON h.squad_id = s.squad_id WHERE h.id = $1"
                 " UNION SELECT p.swarm_id FROM pools p JOIN balancer_hosts b"
                 " ON b.balancer_id = p.balancer_id WHERE b.host_id = $1",
        VR_I(id));
}

int vr_store_host_insert(struct vr_tx *tx, const struct vr_host_row *row, int64_t *out_id,
                         struct vr_err *err)
{
    int64_t id;
    int r = vr_db_insert(tx->db, &id, err,
                         "INSERT INTO hosts (name, active, squad_id, address, roles, token_sha256)"
                         " VALUES ($1, $2, $3, $4, $5, $6) RETURNING id",
                         VR_T(row->name), VR_B(row->active), VR_ID(row->squad_id),
                         VR_T(vr_row_or(row->address, "")),
                         VR_T(vr_row_or(row->roles, "[\"app\"]")), VR_T(row->token_sha256));

    if (r < 0)
        return vr_fail_in(err, r, "host '%s'", row->name);
    r = touch(tx, id, err);
    vr_store_changed(tx, VR_OBJECT_HOST, id);
    if (r == 0)
        *out_id = id;
    return r;
}

int vr_store_host_update(struct vr_tx *tx, const struct vr_host_row *row, struct vr_err *err)
{
    int r =
        vr_row_change(tx, "host", row->id, err,
                      "UPDATE hosts SET name = $2, active = $3, squad_id = $4, address = $5,"
                      " roles = $6, row_version = row_version + 1 WHERE id = $1",
                      VR_I(row->id), VR_T(row->name), VR_B(row->active), VR_ID(row->squad_id),
                      VR_T(vr_row_or(row->address, "")), VR_T(vr_row_or(row->roles, "[\"app\"]")));

    return r < 0 ? r : touch(tx, row->id, err);
}

static const struct vr_row_use uses[] = {
    {"procs",
     "SELECT p.name FROM procs p WHERE p.host_id = $1 AND " VR_PROC_LIVE("p") " ORDER BY p.name"},
    {"leased jobs", "SELECT kind FROM jobs WHERE host_id = $1 AND state = 'leased'"},
};

static const char *const deletes[] = {
    "DELETE FROM pool_hosts WHERE host_id = $1",
    "DELETE FROM balancer_hosts WHERE host_id = $1",
    "UPDATE jobs SET host_id = NULL WHERE host_id = $1",
    "DELETE FROM commands WHERE proc_id IN (SELECT id FROM procs WHERE host_id = $1)",
    "DELETE FROM procs WHERE host_id = $1",
    "DELETE FROM hosts WHERE id = $1",
};

int vr_store_host_delete(struct vr_tx *tx, int64_t id, struct vr_err *err)
{
    VR_ROW(host) row = {0};
    int r = vr_store_host_find_id(tx, id, &row, err);

    if (r == 0)
        r = vr_row_refuse_used(tx, "host", row.name, id, uses, VR_COUNT(uses), err);
    if (r == 0)
        r = touch(tx, id, err);
    for (size_t i = 0; r == 0 && i < VR_COUNT(deletes); i++)
        r = vr_db_exec(tx->db, NULL, err, deletes[i], VR_I(id));
    vr_store_changed(tx, VR_OBJECT_HOST, id);
    return r;
}

int vr_store_host_hello(struct vr_tx *tx, int64_t id, const struct vr_host_hello *hello,
                        struct vr_err *err)
{
    int r = vr_row_change(
        tx, "host", id, err,
        "UPDATE hosts SET token_sha256 = coalesce($2, token_sha256),"
        " address = coalesce($3, address), roles = coalesce($4, roles),"
        " boot_id = coalesce($5, boot_id), agent_version = coalesce($6, agent_version),"
        " facts_json = coalesce($7, facts_json) WHERE id = $1",
        VR_I(id), VR_T(hello->token_sha256), VR_T(hello->address), VR_T(hello->roles),
        VR_T(hello->boot_id), VR_T(hello->agent_version), VR_T(hello->facts_json));

    return r < 0 ? r : touch(tx, id, err);
}

int vr_store_host_set_state(struct vr_tx *tx, int64_t id, const char *state, struct vr_wall now,
                            struct vr_err *err)
{
    int64_t changed = 0;
    int r = vr_db_exec(tx->db, &changed, err,
                       "UPDATE hosts SET state = $2, state_us = $3,"
                       " synced = CASE WHEN $2 IN ('lost', 'gone') THEN 0 ELSE synced END"
                       " WHERE id = $1 AND state <> $2",
                       VR_I(id), VR_T(state), VR_I(now.us));

    if (r < 0 || !changed)
        return r;
    vr_store_changed(tx, VR_OBJECT_HOST, id);
    tx->hosts_moved = true;
    return touch(tx, id, err);
}

int vr_store_host_new_session(struct vr_tx *tx, int64_t id, struct vr_err *err)
{
    int r = vr_row_change(tx, "host", id, err,
                          "UPDATE hosts SET session = session + 1, report_seq = 0, synced = 0"
                          " WHERE id = $1",
                          VR_I(id));

    return r < 0 ? r : touch(tx, id, err);
}

int vr_store_host_seen(struct vr_tx *tx, const int64_t *ids, size_t count, struct vr_wall now,
                       struct vr_err *err)
{
    vr_auto_free char *text = vr_row_ids_text(ids, count);

    return vr_db_exec(tx->db, NULL, err,
                      "UPDATE hosts SET last_seen_us = $2"
                      " WHERE id IN @IDS($1)@ AND last_seen_us < $2",
                      VR_T(text), VR_I(now.us));
}

/* One row of a query as a part of what a host has to do. */
typedef void add_fn(json_t *into, struct vr_db_rows *rows);

static void add_count(json_t *into, struct vr_db_rows *rows)
{
    vr_json_set(into, vr_db_text(rows, 0), json_integer(vr_db_i64(rows, 1)));
}

static void add_port(json_t *into, struct vr_db_rows *rows)
{
    vr_json_push(into, json_integer(vr_db_i64(rows, 0)));
}

static void add_name(json_t *into, struct vr_db_rows *rows)
{
    vr_json_push(into, json_string(vr_db_text(rows, 0)));
}

static void add_job(json_t *into, struct vr_db_rows *rows)
{
    json_t *build = vr_db_is_null(rows, 2)
                        ? json_null()
                        : json_sprintf("/api/v1/builds/%" PRId64 "/", vr_db_i64(rows, 2));

    vr_json_push(into, json_pack("{s:I, s:s, s:o, s:s}", "id", (json_int_t)vr_db_i64(rows, 0),
                                 "kind", vr_db_text(rows, 1), "build", build, "phase",
                                 vr_row_or(vr_db_text(rows, 3), "")));
}

/* @value  taken: an empty object or array, which becomes `name` of `doc` */
static int add_part(struct vr_tx *tx, int64_t id, json_t *doc, const char *name, json_t *value,
                    add_fn *add, const char *sql, struct vr_err *err)
{
    VR_OWNED(vr_db_rows_free) struct vr_db_rows *rows = NULL;
    int r;

    vr_json_set(doc, name, value);
    r = vr_db_query(tx->db, &rows, err, sql, VR_I(id));
    while (r >= 0 && (r = vr_db_next(rows, err)) > 0)
        add(value, rows);
    return r;
}

int vr_store_host_load_json(struct vr_tx *tx, int64_t id, json_t **out, struct vr_err *err)
{
    vr_auto_json json_t *doc = json_object();
    int r = add_part(tx, id, doc, "procs", json_object(), add_count,
                     "SELECT p.actual, count(*) FROM procs p WHERE p.host_id = $1"
                     " AND " VR_PROC_LIVE("p") " GROUP BY p.actual ORDER BY p.actual",
                     err);

    if (r == 0)
        r = add_part(tx, id, doc, "ports", json_array(), add_port,
                     "SELECT p.port FROM procs p WHERE p.host_id = $1 AND p.port > 0"
                     " AND " VR_PROC_LIVE("p") " ORDER BY p.port",
                     err);
    if (r == 0)
        r = add_part(tx, id, doc, "jobs", json_array(), add_job,
                     "SELECT id, kind, build_id, phase FROM jobs WHERE host_id = $1"
                     " AND state = 'leased' ORDER BY id",
                     err);
    if (r == 0)
        r = add_part(tx, id, doc, "balancers", json_array(), add_name,
                     "SELECT b.name FROM balancer_hosts x JOIN balancers b ON b.id = x.balancer_id"
                     " WHERE x.host_id = $1 ORDER BY b.name",
                     err);
    if (r == 0)
        *out = vr_take(doc);
    return r;
}
