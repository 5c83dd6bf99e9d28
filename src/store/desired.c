/* SPDX-License-Identifier: MIT */
/* The desired state of a host, as docs/protocol.md has it. */

/*
 * Written straight from the rows: a document is made for every change that a host must know, and
 * most of it is text that the database holds in its final form. Only the policy is put together
 * here, since rows keep no more than what differs from the defaults, and so are the documents of
 * a release that hold secrets: this is the one place where their values leave the database.
 */
#include "model/policy.h"
#include "store/host.h"
#include "store/secret.h"
#include "store/shape.h"

#define DESIRED_BYTES  (8u << 20) /* as the agent accepts */
#define BLOBS_KEEP_MAX 2000
#define MISSING_BYTES  1024 /* of the sentence that names a missing secret */

static void add_member(struct vr_buf *out, const char *name)
{
    vr_buf_addf(out, "%s\"%s\":", out->len && out->p[out->len - 1] == '{' ? "" : ",", name);
}

static void add_text(struct vr_buf *out, const char *name, struct vr_db_rows *rows, int column)
{
    add_member(out, name);
    vr_write_text(out, rows, column, (struct vr_wall){0});
}

static void add_int(struct vr_buf *out, const char *name, int64_t value)
{
    add_member(out, name);
    vr_buf_addf(out, "%" PRId64, value);
}

static void add_json(struct vr_buf *out, const char *name, struct vr_db_rows *rows, int column)
{
    add_member(out, name);
    vr_write_json(out, rows, column, (struct vr_wall){0});
}

/* "256M" as bytes; null if there is no limit. */
static void add_bytes(struct vr_buf *out, const char *name, const char *text)
{
    int64_t bytes;

    add_member(out, name);
    if (!vr_str_is_empty(text) && vr_parse_bytes(vr_str(text), &bytes, NULL) == 0)
        vr_buf_addf(out, "%" PRId64, bytes);
    else
        vr_buf_add(out, "null");
}

static struct vr_policy read_policy(struct vr_str text)
{
    struct vr_policy policy = vr_policy_default();
    vr_auto_json json_t *stored = NULL;

    if (text.n > 2 && vr_json_parse(text, VR_JSON_BYTES, &stored, NULL) == 0)
        vr_ignore(vr_policy_merge(&policy, stored, NULL), "what is stored was checked");
    return policy;
}

static void add_policy(struct vr_buf *out, struct vr_str text, bool has_port, bool has_pool)
{
    struct vr_policy p = read_policy(text);
    bool listen =
        has_port && (p.ready == VR_READY_LISTEN || (p.ready == VR_READY_AUTO && has_pool));

    vr_buf_add(out, ",\"policy\":{");
    add_int(out, "fetch_secs", p.fetch_secs);
    add_int(out, "start_timeout_secs", p.start_timeout_secs);
    /* Only the host knows whether there are uptests: null leaves the choice to it. */
    if (p.start_secs == VR_POLICY_START_AUTO)
        vr_buf_add(out, ",\"start_secs\":null");
    else
        add_int(out, "start_secs", p.start_secs);
    add_int(out, "test_secs", p.test_secs);
    add_int(out, "test_retry_secs", p.test_retry_secs);
    add_int(out, "stop_secs", p.stop_secs);
    add_int(out, "max_restarts", p.max_restarts);
    add_int(out, "restart_window_secs", p.restart_window_secs);
    vr_buf_addf(out, ",\"listen\":%s}", listen ? "true" : "false");
}

/* `env_expand` is one of the newer fields of a release; most have none. */
static void add_env_expand(struct vr_buf *out, struct vr_str newer)
{
    vr_auto_json json_t *fields = NULL;
    const char *value = NULL;

    if (newer.n > 2 && vr_json_parse(newer, VR_JSON_BYTES, &fields, NULL) == 0)
        value = json_string_value(json_object_get(fields, "env_expand"));
    add_member(out, "env_expand");
    vr_shape_quote(out, vr_str(value ? value : "none"));
}

/* ------------------------------------------------------------------ secrets */

#define SECRETIVE                                                                                  \
    "SELECT r.env_json, r.config_json FROM releases r WHERE r.id IN (SELECT p.release_id"          \
    " FROM procs p WHERE p.host_id = $1 AND " VR_PROC_LIVE(                                        \
        "p") ")"                                                                                   \
             " AND (r.env_json LIKE $2 OR r.config_json LIKE $2)"

static json_t *parse_dict(struct vr_str text)
{
    json_t *dict = NULL;

    return vr_json_parse(text, VR_JSON_BYTES, &dict, NULL) == 0 ? dict : json_object();
}

/* What the releases of a host's procs refer to. */
static int load_secrets(struct vr_tx *tx, int64_t host_id, struct vr_secrets **out,
                        struct vr_err *err)
{
    VR_OWNED(vr_db_rows_free) struct vr_db_rows *rows = NULL;
    vr_auto_json json_t *dicts = json_array();
    vr_auto_free json_t **list = NULL;
    int r =
        vr_db_query(tx->db, &rows, err, SECRETIVE, VR_I(host_id), VR_T("%\"" VR_SECRET_KEY "\"%"));

    while (r >= 0 && (r = vr_db_next(rows, err)) > 0) {
        vr_json_push(dicts, parse_dict(vr_db_str(rows, 0)));
        vr_json_push(dicts, parse_dict(vr_db_str(rows, 1)));
    }
    if (r < 0)
        return r;
    list = vr_alloc_array(json_array_size(dicts) + 1, sizeof(*list));
    for (size_t i = 0; i < json_array_size(dicts); i++)
        list[i] = json_array_get(dicts, i);
    return vr_secrets_load(tx, list, json_array_size(dicts), out, err);
}

/* A document of a release with the plain values; most have none and are written as they are. */
static void add_dict(struct vr_buf *out, const char *name, struct vr_db_rows *rows, int column,
                     const struct vr_secrets *secrets, struct vr_buf *missing)
{
    vr_auto_json json_t *dict = NULL;
    vr_auto_json json_t *plain = NULL;
    const char *text = vr_db_text(rows, column), *key;
    char *written;

    if (!text || !strstr(text, "\"" VR_SECRET_KEY "\"")) {
        add_json(out, name, rows, column);
        return;
    }
    dict = parse_dict(vr_str(text));
    key = vr_secrets_missing(secrets, dict);
    if (key && !missing->len)
        vr_buf_addf(missing, "the value of secret '%s' was deleted: set it again", key);
    plain = vr_secrets_resolve(secrets, dict);
    written = vr_json_dump_sorted(plain);
    add_member(out, name);
    vr_buf_add(out, written);
    vr_keyring_wipe(written);
}

/* ------------------------------------------------------------------ procs */

#define PROCS                                                                                      \
    "SELECT p.id, p.epoch, p.desired, p.name, a.name, b.tag, p.config_name, p.proc_name, r.hash,"  \
    " coalesce(p.swarm_id, 0), p.rollout_id, h.name, h.address, p.port, b.file_sha256,"            \
    " coalesce(b.file_bytes, 0), p.cmd, r.env_json, r.config_json, r.newer_json, r.run_as,"        \
    " r.mem_limit, r.memsw_limit, r.volumes_json, p.policy_json, coalesce(p.pool_id, 0),"          \
    " CASE WHEN p.tested = 'pending' THEN p.test_n ELSE 0 END, p.restart_n, p.force_stop"          \
    " FROM procs p JOIN hosts h ON h.id = p.host_id"                                               \
    " JOIN releases r ON r.id = p.release_id JOIN builds b ON b.id = r.build_id"                   \
    " JOIN apps a ON a.id = b.app_id WHERE p.host_id = $1 AND " VR_PROC_LIVE("p") " ORDER BY p.id"

static void add_proc(struct vr_buf *out, struct vr_db_rows *rows, const struct vr_secrets *secrets)
{
    static const char *const names[] = {"desired",     "name",      "app", "version",
                                        "config_name", "proc_name", "hash"};

    vr_auto_buf struct vr_buf missing = VR_BUF(MISSING_BYTES);

    vr_buf_addc(out, '{');
    add_int(out, "id", vr_db_i64(rows, 0));
    add_int(out, "epoch", vr_db_i64(rows, 1));
    for (int i = 0; i < (int)VR_COUNT(names); i++)
        add_text(out, names[i], rows, 2 + i);
    add_int(out, "swarm", vr_db_i64(rows, 9));
    add_text(out, "rollout", rows, 10);
    add_text(out, "host", rows, 11);
    add_text(out, "address", rows, 12);
    add_int(out, "port", vr_db_i64(rows, 13));
    vr_buf_add(out, ",\"slug\":{");
    add_text(out, "sha256", rows, 14);
    add_int(out, "bytes", vr_db_i64(rows, 15));
    vr_buf_add(out, "},\"image\":null");
    add_text(out, "cmd", rows, 16);
    add_dict(out, "env", rows, 17, secrets, &missing);
    add_dict(out, "settings", rows, 18, secrets, &missing);
    if (missing.len) { /* the others of the host go on; this one must not start without it */
        add_member(out, "not_startable");
        vr_shape_quote(out, vr_str(vr_buf_text(&missing)));
    }
    add_env_expand(out, vr_db_str(rows, 19));
    add_text(out, "run_as", rows, 20);
    add_bytes(out, "mem_limit", vr_db_text(rows, 21));
    add_bytes(out, "memsw_limit", vr_db_text(rows, 22));
    add_json(out, "volumes", rows, 23);
    add_policy(out, vr_db_str(rows, 24), vr_db_i64(rows, 13) > 0, vr_db_i64(rows, 25) > 0);
    add_int(out, "test_n", vr_db_i64(rows, 26));
    add_int(out, "restart_n", vr_db_i64(rows, 27));
    vr_buf_addf(out, ",\"force\":%s}", vr_db_bool(rows, 28) ? "true" : "false");
}

#define JOBS                                                                                       \
    "SELECT id, kind, deadline_us, spec_json FROM jobs WHERE host_id = $1 AND state = 'leased'"    \
    " ORDER BY id"

static void add_job(struct vr_buf *out, struct vr_db_rows *rows)
{
    vr_buf_addc(out, '{');
    add_int(out, "id", vr_db_i64(rows, 0));
    add_text(out, "kind", rows, 1);
    add_int(out, "deadline_us", vr_db_i64(rows, 2));
    add_json(out, "spec", rows, 3);
    vr_buf_addc(out, '}');
}

#define BLOBS                                                                                      \
    "SELECT b.file_sha256 FROM procs p JOIN releases r ON r.id = p.release_id"                     \
    " JOIN builds b ON b.id = r.build_id WHERE p.host_id = $1 AND b.file_sha256 IS NOT NULL"       \
    " UNION SELECT b.file_sha256 FROM rollouts o JOIN hosts h ON h.squad_id = o.squad_id"          \
    " JOIN releases r ON r.id = o.release_id JOIN builds b ON b.id = r.build_id"                   \
    " WHERE h.id = $1 AND b.file_sha256 IS NOT NULL AND (o.state <> 'ended' OR o.seq IN"           \
    " (SELECT k.seq FROM " VR_RECENT_RELEASES " AS k WHERE k.nth <= $2)) ORDER BY 1 LIMIT $3"

static void add_blob(struct vr_buf *out, struct vr_db_rows *rows)
{
    vr_write_text(out, rows, 0, (struct vr_wall){0});
}

/* `,"name":[…]` of the rows of a query. */
static int add_array(struct vr_db_rows *rows, const char *name,
                     void (*add)(struct vr_buf *, struct vr_db_rows *), struct vr_buf *out,
                     struct vr_err *err)
{
    const char *comma = "";
    int r;

    vr_buf_addf(out, ",\"%s\":[", name);
    while ((r = vr_db_next(rows, err)) > 0) {
        vr_buf_add(out, comma);
        add(out, rows);
        comma = ",";
    }
    vr_buf_addc(out, ']');
    return r;
}

static int add_procs(struct vr_tx *tx, int64_t host_id, struct vr_buf *out, struct vr_err *err)
{
    VR_OWNED(vr_secrets_free) struct vr_secrets *secrets = NULL;
    VR_OWNED(vr_db_rows_free) struct vr_db_rows *rows = NULL;
    const char *comma = "";
    int r = load_secrets(tx, host_id, &secrets, err);

    if (r == 0)
        r = vr_db_query(tx->db, &rows, err, PROCS, VR_I(host_id));
    if (r < 0)
        return r;
    vr_buf_add(out, ",\"procs\":[");
    while (r >= 0 && (r = vr_db_next(rows, err)) > 0) {
        vr_buf_add(out, comma);
        add_proc(out, rows, secrets);
        comma = ",";
    }
    vr_buf_addc(out, ']');
    return r;
}

static int add_jobs(struct vr_tx *tx, int64_t host_id, struct vr_buf *out, struct vr_err *err)
{
    VR_OWNED(vr_db_rows_free) struct vr_db_rows *rows = NULL;
    int r = vr_db_query(tx->db, &rows, err, JOBS, VR_I(host_id));

    return r < 0 ? r : add_array(rows, "jobs", add_job, out, err);
}

static int add_blobs(struct vr_tx *tx, int64_t host_id, struct vr_buf *out, struct vr_err *err)
{
    VR_OWNED(vr_db_rows_free) struct vr_db_rows *rows = NULL;
    int r = vr_db_query(tx->db, &rows, err, BLOBS, VR_I(host_id), VR_I(tx->keep_releases),
                        VR_I(BLOBS_KEEP_MAX));

    return r < 0 ? r : add_array(rows, "blobs_keep", add_blob, out, err);
}

/* One row a pool, those of a balancer together; a balancer without pools has one of nulls. */
#define BALANCERS                                                                                  \
    "SELECT b.id, b.name, b.driver, b.options_json, l.name, l.generation, l.members_json"          \
    " FROM balancer_hosts x JOIN balancers b ON b.id = x.balancer_id"                              \
    " LEFT JOIN pools l ON l.balancer_id = b.id AND l.generation > 0"                              \
    " WHERE x.host_id = $1 ORDER BY b.id, l.id"

static void add_pool(struct vr_buf *out, struct vr_db_rows *rows)
{
    if (out->p[out->len - 1] != '[')
        vr_buf_addc(out, ',');
    vr_buf_addc(out, '{');
    add_text(out, "name", rows, 4);
    add_int(out, "generation", vr_db_i64(rows, 5));
    vr_buf_add(out, ",\"check\":true");
    add_json(out, "nodes", rows, 6);
    vr_buf_addc(out, '}');
}

static int add_balancers(struct vr_tx *tx, int64_t host_id, struct vr_buf *out, struct vr_err *err)
{
    VR_OWNED(vr_db_rows_free) struct vr_db_rows *rows = NULL;
    int64_t last = 0;
    int r = vr_db_query(tx->db, &rows, err, BALANCERS, VR_I(host_id));

    if (r < 0)
        return r;
    vr_buf_add(out, ",\"balancers\":[");
    while ((r = vr_db_next(rows, err)) > 0) {
        if (vr_db_i64(rows, 0) != last) {
            vr_buf_add(out, last ? "]},{" : "{");
            last = vr_db_i64(rows, 0);
            add_text(out, "name", rows, 1);
            add_text(out, "driver", rows, 2);
            add_json(out, "options", rows, 3);
            vr_buf_add(out, ",\"pools\":[");
        }
        if (!vr_db_is_null(rows, 4))
            add_pool(out, rows);
    }
    vr_buf_add(out, last ? "]}]" : "]");
    return r;
}

/* Hosts clean up when it is another number than before. */
static int add_janitor(struct vr_tx *tx, struct vr_buf *out, struct vr_err *err)
{
    int64_t n = 0;
    int r = vr_db_get_i64(tx->db, &n, err,
                          "SELECT coalesce(max(runs), 0) FROM schedules WHERE task = 'hosts'");

    if (r == 0)
        add_int(out, "janitor_n", n);
    return r;
}

int vr_store_host_desired_json(struct vr_tx *tx, int64_t host_id, const char *cluster,
                               const char *streams, char **out, struct vr_err *err)
{
    VR_ROW(host) host = {0};
    vr_auto_buf struct vr_buf b = VR_BUF(DESIRED_BYTES);
    int r = vr_store_host_find_id(tx, host_id, &host, err);

    if (r < 0)
        return r;
    vr_buf_add(&b, "{\"cluster\":");
    vr_shape_quote(&b, vr_str(cluster));
    add_int(&b, "rev", host.rev);
    add_int(&b, "session", host.session);
    r = add_procs(tx, host_id, &b, err);
    if (r == 0)
        r = add_jobs(tx, host_id, &b, err);
    if (r == 0)
        r = add_balancers(tx, host_id, &b, err);
    if (r == 0)
        r = add_blobs(tx, host_id, &b, err);
    if (r < 0)
        return vr_fail_in(err, r, "desired state of host '%s'", host.name);
    if (r == 0)
        r = add_janitor(tx, &b, err);
    if (r < 0)
        return vr_fail_in(err, r, "desired state of host '%s'", host.name);
    vr_buf_addf(&b, ",\"streams\":");
    vr_buf_add(&b, streams ? streams : "[]");
    vr_buf_addc(&b, '}');
    r = vr_buf_finish(&b, out, err);
    return r < 0 ? vr_fail_in(err, r, "desired state of host '%s'", host.name) : 0;
}
