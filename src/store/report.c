/* SPDX-License-Identifier: MIT */
/* A whole report of an agent, checked and applied row by row. */

/*
 * Applying a report twice changes nothing the second time: rows take the state that is said,
 * build logs know their offset, and a seq that was seen is skipped. Only the session decides
 * whether an agent is listened to at all: after its host was given up and taken back, it must
 * first learn what it is to be now.
 */
#include "store/report.h"

#include "core/str.h"
#include "store/host.h"
#include "store/job.h"
#include "store/pool.h"
#include "store/proc_row.h"

#include <stdio.h>

/* The dump of a member, NULL if it is absent or null; to be freed. */
static char *dump_member(const json_t *object, const char *name)
{
    const json_t *value = json_object_get(object, name);

    return value && !json_is_null(value) ? vr_json_dump(value) : NULL;
}

static int read_test(const json_t *row, struct vr_proc_report *out, struct vr_err *err)
{
    json_t *test;
    int r = vr_json_opt_object(row, "test", &test, err);

    if (r < 0 || !test)
        return r;
    r = vr_json_get_i64(test, "n", 0, INT64_MAX, &out->test_n, err);
    if (r == 0)
        r = vr_json_get_str(test, "state", &out->test_state, err);
    return r;
}

static int read_numbers(const json_t *row, struct vr_proc_report *out, struct vr_err *err)
{
    int r = vr_json_get_i64(row, "id", 1, INT64_MAX, &out->id, err);

    if (r == 0)
        r = vr_json_get_i64(row, "epoch", 0, INT64_MAX, &out->epoch, err);
    if (r == 0)
        r = vr_json_opt_i64(row, "since_us", 0, INT64_MAX, 0, &out->since_us, err);
    if (r == 0)
        r = vr_json_opt_i64(row, "pid", 0, INT64_MAX, 0, &out->pid, err);
    if (r == 0)
        r = vr_json_opt_i64(row, "generation", 0, INT64_MAX, 0, &out->generation, err);
    if (r == 0)
        r = vr_json_opt_i64(row, "restarts", 0, INT64_MAX, 0, &out->restarts, err);
    return r;
}

static int read_texts(const json_t *row, struct vr_proc_report *out, struct vr_err *err)
{
    int r = vr_json_get_str(row, "actual", &out->actual, err);

    if (r == 0 && (!vr_streq(vr_proc_state_of(out->actual)->actual, out->actual) ||
                   vr_streq(out->actual, "unknown")))
        r = vr_fail(err, VR_INVALID, "field 'actual' is '%.40s'", out->actual);
    if (r == 0)
        r = vr_json_opt_str(row, "message", NULL, &out->message, err);
    if (r == 0)
        r = vr_json_opt_str(row, "code", NULL, &out->code, err);
    if (r == 0)
        r = vr_json_opt_str(row, "log_tail", NULL, &out->log_tail, err);
    return r;
}

static char *dump_usage(const json_t *row)
{
    json_t *rss = json_object_get(row, "rss_bytes");
    json_t *cpu = json_object_get(row, "cpu_us");

    if (!json_is_integer(rss) && !json_is_integer(cpu))
        return NULL;
    return vr_strf("{\"rss_bytes\":%" JSON_INTEGER_FORMAT ",\"cpu_us\":%" JSON_INTEGER_FORMAT "}",
                   json_integer_value(rss), json_integer_value(cpu));
}

static int apply_proc(struct vr_tx *tx, int64_t host_id, const json_t *row, struct vr_wall now,
                      struct vr_err *err)
{
    struct vr_proc_report report = {0};
    vr_auto_free char *exit = dump_member(row, "exit");
    vr_auto_free char *results = dump_member(json_object_get(row, "test"), "results");
    vr_auto_free char *usage = dump_usage(row);
    bool stale;
    int r = read_numbers(row, &report, err);

    if (r == 0)
        r = read_texts(row, &report, err);
    if (r == 0)
        r = read_test(row, &report, err);
    if (r < 0)
        return vr_fail_in(err, r, "procs");
    report.exit_json = exit;
    report.test_json = results;
    report.usage_json = usage;
    return vr_store_proc_report(tx, host_id, &report, now, &stale, err);
}

static int read_job(const json_t *row, struct vr_job_report *out, const char **out_log,
                    struct vr_err *err)
{
    int r = vr_json_get_i64(row, "id", 1, INT64_MAX, &out->id, err);

    if (r == 0)
        r = vr_json_get_str(row, "state", &out->state, err);
    if (r == 0)
        r = vr_json_opt_str(row, "phase", NULL, &out->phase, err);
    if (r == 0)
        r = vr_json_opt_i64(row, "log_at", 0, INT64_MAX, 0, &out->log_at, err);
    if (r == 0)
        r = vr_json_opt_str(row, "log", NULL, out_log, err);
    return r;
}

static int apply_job(struct vr_tx *tx, int64_t host_id, const json_t *row, struct vr_wall now,
                     struct vr_err *err)
{
    struct vr_job_report report = {0};
    vr_auto_free char *result = dump_member(row, "result");
    vr_auto_free char *error = dump_member(row, "error");
    vr_auto_free char *failure = error ? vr_strf("{\"error\":%s}", error) : NULL;
    const char *log = NULL;
    bool stale;
    int r = read_job(row, &report, &log, err);

    if (r < 0)
        return vr_fail_in(err, r, "jobs");
    report.log = vr_str(log);
    if (report.log.n > VR_REPORT_LOG_MAX)
        return vr_fail(err, VR_INVALID, "jobs: log of %zu bytes", report.log.n);
    report.result_json = vr_streq(report.state, "failed") ? failure : result;
    return vr_store_job_report(tx, host_id, &report, now, &stale, err);
}

static int apply_pool(struct vr_tx *tx, int64_t host_id, const json_t *row, struct vr_wall now,
                      struct vr_err *err)
{
    struct vr_pool_report report = {0};
    vr_auto_free char *nodes = dump_member(row, "nodes");
    int r = vr_json_get_str(row, "balancer", &report.balancer, err);

    if (r == 0)
        r = vr_json_get_str(row, "pool", &report.pool, err);
    if (r == 0)
        r = vr_json_opt_i64(row, "applied", 0, INT64_MAX, 0, &report.applied, err);
    if (r == 0)
        r = vr_json_opt_i64(row, "confirmed", 0, INT64_MAX, 0, &report.confirmed, err);
    if (r == 0)
        r = vr_json_opt_str(row, "error", "", &report.error, err);
    if (r < 0)
        return vr_fail_in(err, r, "pools");
    report.nodes_json = nodes;
    return vr_store_pool_report(tx, host_id, &report, now, err);
}

/* What its janitor did: for people. */
static int apply_note(struct vr_tx *tx, int64_t host_id, const json_t *row, struct vr_wall now,
                      struct vr_err *err)
{
    VR_ROW(host) host = {0};
    const char *kind, *message;
    int r = vr_json_get_str(row, "kind", &kind, err);

    if (r == 0)
        r = vr_json_get_str(row, "message", &message, err);
    if (r < 0)
        return vr_fail_in(err, r, "janitor");
    r = vr_store_host_find_id(tx, host_id, &host, err);
    if (r == 0)
        vr_store_event_add(tx, &(struct vr_event){.kind = "event",
                                                  .title = host.name,
                                                  .message = message,
                                                  .tags = vr_streq(kind, "disk")
                                                              ? "[\"janitor\", \"disk\"]"
                                                              : "[\"janitor\"]",
                                                  .host_id = host_id,
                                                  .time = now});
    return r;
}

typedef int apply_fn(struct vr_tx *tx, int64_t host_id, const json_t *row, struct vr_wall now,
                     struct vr_err *err);

/* Where the rows of a report go, and what became of those that are none. */
struct target {
    struct vr_tx *tx;
    int64_t host_id;
    struct vr_wall now;
    struct vr_report_result *result;
};

static void refuse(struct target *t, const struct vr_err *err)
{
    if (!t->result->refused++)
        snprintf(t->result->refusal, sizeof(t->result->refusal), "%s", err->msg);
}

static int apply_rows(struct target *t, const json_t *body, const char *name, apply_fn *apply,
                      struct vr_err *err)
{
    json_t *rows, *row;
    size_t i;
    int r = vr_json_opt_array(body, name, &rows, err);

    if (r < 0)
        return r;
    if (json_array_size(rows) > VR_REPORT_ROWS_MAX)
        return vr_fail(err, VR_INVALID, "%s: %zu rows", name, json_array_size(rows));
    json_array_foreach (rows, i, row) {
        struct vr_err why = VR_ERR_NULL;

        r = json_is_object(row) ? apply(t->tx, t->host_id, row, t->now, &why)
                                : vr_fail(&why, VR_INVALID, "%s: row %zu is no object", name, i);
        if (r == -VR_INVALID)
            refuse(t, &why);
        else if (r < 0)
            return vr_fail(err, why.code, "%s", why.msg);
    }
    return 0;
}

static bool has_proc(const json_t *body, int64_t id)
{
    const json_t *rows = json_object_get(body, "procs");
    json_t *row;
    size_t i;

    json_array_foreach (rows, i, row) {
        if (json_integer_value(json_object_get(row, "id")) == id)
            return true;
    }
    return false;
}

/* What was to stop and is not in a full report is gone. */
static int stop_missing(struct vr_tx *tx, int64_t host_id, const json_t *body, struct vr_wall now,
                        struct vr_err *err)
{
    VR_ROWS(proc) procs = {0};
    int r = vr_store_proc_list_of_host(tx, host_id, &procs, err);

    for (size_t i = 0; r == 0 && i < procs.n; i++) {
        const struct vr_proc_row *proc = &procs.v[i];

        if (vr_streq(proc->desired, "run") || vr_streq(proc->actual, "stopped") ||
            has_proc(body, proc->id))
            continue;
        r = vr_store_proc_set_actual(tx, proc->id, "stopped", "its host does not have it", now,
                                     err);
    }
    return r;
}

struct head {
    int64_t seq;
    int64_t session;
    bool full;
    const char *boot;
};

static int read_head(const json_t *body, struct head *out, struct vr_err *err)
{
    int r = vr_json_get_i64(body, "session", 0, INT64_MAX, &out->session, err);

    if (r == 0)
        r = vr_json_get_i64(body, "seq", 0, INT64_MAX, &out->seq, err);
    if (r == 0)
        r = vr_json_opt_bool(body, "full", false, &out->full, err);
    if (r == 0)
        r = vr_json_opt_str(body, "boot", NULL, &out->boot, err);
    return r;
}

static int write_host(struct vr_tx *tx, int64_t id, const json_t *body, const struct head *head,
                      struct vr_wall now, struct vr_err *err)
{
    vr_auto_free char *usage = dump_member(body, "usage");

    return vr_row_change(tx, "host", id, err,
                         "UPDATE hosts SET report_seq = $2, boot_id = coalesce($3, boot_id),"
                         " usage_json = coalesce($4, usage_json),"
                         " synced = CASE WHEN $5 = 1 THEN 1 ELSE synced END,"
                         " last_seen_us = CASE WHEN last_seen_us < $6 THEN $6"
                         " ELSE last_seen_us END WHERE id = $1",
                         VR_I(id), VR_I(head->seq), VR_T(head->boot), VR_T(usage), VR_B(head->full),
                         VR_I(now.us));
}

static int apply_all(struct target *t, const struct vr_host_row *host, const json_t *body,
                     const struct head *head, struct vr_err *err)
{
    int r = apply_rows(t, body, "procs", apply_proc, err);

    if (r == 0)
        r = apply_rows(t, body, "jobs", apply_job, err);
    if (r == 0)
        r = apply_rows(t, body, "pools", apply_pool, err);
    if (r == 0)
        r = apply_rows(t, body, "janitor", apply_note, err);
    if (r == 0 && head->full)
        r = stop_missing(t->tx, host->id, body, t->now, err);
    if (r == 0)
        r = write_host(t->tx, host->id, body, head, t->now, err);
    if (r == 0 && (vr_streq(host->state, "new") || vr_streq(host->state, "suspect")))
        r = vr_store_host_set_state(t->tx, host->id, "live", t->now, err);
    return r;
}

int vr_store_report_apply(struct vr_tx *tx, int64_t host_id, const json_t *body, struct vr_wall now,
                          struct vr_report_result *out, struct vr_err *err)
{
    VR_ROW(host) host = {0};
    struct head head = {0};
    struct vr_report_result result = {0};
    struct target target = {.tx = tx, .host_id = host_id, .now = now, .result = &result};
    int r = vr_store_host_find_id(tx, host_id, &host, err);

    if (r == 0)
        r = read_head(body, &head, err);
    if (r < 0)
        return vr_fail_in(err, r, "report");
    result.ack = head.seq;
    result.rev = host.rev;
    result.session = host.session;
    result.old_session = head.session != host.session;
    result.repeated = !result.old_session && !head.full && head.seq == host.report_seq;
    result.woke_host = !result.old_session && !vr_streq(host.state, "live");
    if (!result.old_session && !result.repeated)
        r = apply_all(&target, &host, body, &head, err);
    if (r < 0)
        return vr_fail_in(err, r, "report of host '%s'", host.name);
    *out = result;
    return 0;
}
