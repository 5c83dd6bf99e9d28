/* SPDX-License-Identifier: MIT */
/* What agents say of procs, and the events that follow. */

/*
 * A report is believed only in the epoch that the row is in: whatever an agent did before it was
 * told of a new assignment cannot change what the engine decided since. A proc that was restarted
 * by its shim (another generation, or one more restart) begins a new life: what its uptests proved
 * of the one before is void, and a test asked for in it does not count any more.
 */
#include "core/str.h"
#include "store/proc_row.h"
#include "store/resource.h"
#include "store/shape.h"

#define PROC_EVENT_BYTES 16384 /* of one that is gone: names and numbers, all limited */

static const struct vr_proc_state states[] = {
    {"assigned", "STARTING", 10}, {"fetching", "STARTING", 10}, {"starting", "STARTING", 10},
    {"running", "RUNNING", 20},   {"backoff", "BACKOFF", 30},   {"stopping", "STOPPING", 40},
    {"stopped", "STOPPED", 0},    {"exited", "EXITED", 100},    {"fatal", "FATAL", 200},
    {"unknown", "UNKNOWN", 1000},
};

const struct vr_proc_state *vr_proc_state_of(const char *actual)
{
    for (size_t i = 0; i < VR_COUNT(states); i++) {
        if (vr_streq(states[i].actual, actual))
            return &states[i];
    }
    return &states[VR_COUNT(states) - 1];
}

/* What the contract tells of a proc that is gone, and our own keys of it. */
#define REMOVED        "PROCESS_GROUP_REMOVED"
#define REMOVED_FIELDS "app_name,config_name,hash,host,id,name,port,proc_id,proc_name,swarm,version"

/* The contract's: beside the proc's keys those of supervisord's own event. */
static char *removed_data(const char *object, const char *name, struct vr_wall now)
{
    vr_auto_buf struct vr_buf b = VR_BUF(PROC_EVENT_BYTES);
    char when[VR_WALL_TEXT_BYTES];
    char *out = NULL;

    vr_wall_format((struct vr_wall){now.us - now.us % VR_US_PER_S}, true, when);
    vr_buf_addf(&b, "{\"event\":\"" REMOVED "\",\"payload_data\":\"\",\"time\":\"%s\"", when);
    vr_buf_add(&b, ",\"payload_headers\":{\"groupname\":");
    vr_shape_quote(&b, vr_str(name));
    vr_buf_addf(&b, "},%s", object + 1);
    vr_ignore(vr_buf_finish(&b, &out, NULL), "names and numbers fit");
    return out;
}

int vr_proc_event(struct vr_tx *tx, int64_t id, const char *event, struct vr_wall now,
                  struct vr_err *err)
{
    bool removed = vr_streq(event, REMOVED);
    VR_ROW(proc) row = {0};
    vr_auto_free char *key = vr_strf("%" PRId64, id);
    vr_auto_free char *object = NULL;
    vr_auto_free char *data = NULL;
    int r = vr_store_proc_find_id(tx, id, &row, err);

    if (r == 0)
        r = vr_store_object(tx, VR_RES_PROCS, key, removed ? REMOVED_FIELDS : NULL, now, &object,
                            err);
    if (r < 0)
        return r;
    vr_store_changed(tx, VR_OBJECT_PROC, id);
    data = removed ? removed_data(object, row.name, now)
                   : vr_strf("{\"event\":\"%s\",%s", event, object + 1);
    vr_store_event_add(tx, &(struct vr_event){.kind = "proc",
                                              .title = row.name,
                                              .message = row.message,
                                              .rollout_id = row.rollout_id,
                                              .swarm_id = row.swarm_id,
                                              .proc_id = id,
                                              .host_id = row.host_id,
                                              .data = data,
                                              .time = now});
    return 0;
}

/* What becomes of the test columns. */
struct test_change {
    bool new_life;
    bool result; /* of the test that was asked for */
    bool passed;
};

static struct test_change judge_test(const struct vr_proc_row *row,
                                     const struct vr_proc_report *report)
{
    /* After a reboot the generations count from one again: the pid tells then. */
    bool other_pid = report->pid && row->pid && report->pid != row->pid;
    struct test_change change = {.new_life = report->generation != row->generation ||
                                             report->restarts != row->restarts || other_pid};

    if (change.new_life || !vr_streq(row->tested, "pending") || report->test_n != row->test_n ||
        !report->test_n)
        return change;
    change.passed = vr_streq(report->test_state, "passed");
    change.result = change.passed || vr_streq(report->test_state, "failed");
    return change;
}

static int write_test(struct vr_tx *tx, const struct vr_proc_report *report,
                      const struct test_change *change, struct vr_wall now, struct vr_err *err)
{
    if (change->new_life)
        return vr_row_change(tx, "proc", report->id, err,
                             "UPDATE procs SET tested = 'no', passed = 0, test_began_us = 0"
                             " WHERE id = $1",
                             VR_I(report->id));
    if (!change->result)
        return 0;
    return vr_row_change(tx, "proc", report->id, err,
                         "UPDATE procs SET tested = $2,"
                         " passed = CASE WHEN $3 = 1 THEN 1 ELSE passed END, tested_us = $4,"
                         " test_json = $5 WHERE id = $1",
                         VR_I(report->id), VR_T(report->test_state), VR_B(change->passed),
                         VR_I(now.us), VR_T(vr_row_or(report->test_json, "[]")));
}

static int write_state(struct vr_tx *tx, const struct vr_proc_report *report, const char *actual,
                       struct vr_wall now, struct vr_err *err)
{
    int64_t since = report->since_us ? report->since_us : now.us;

    return vr_row_change(
        tx, "proc", report->id, err,
        "UPDATE procs SET reported = $2, actual = $3,"
        " since_us = CASE WHEN $3 = 'unknown' THEN since_us ELSE $4 END,"
        " running_us = CASE WHEN $2 <> 'running' THEN NULL"
        " WHEN reported = 'running' AND generation = $7 THEN coalesce(running_us, $5)"
        " ELSE $5 END,"
        " stopped_us = CASE WHEN $2 = 'stopped' THEN coalesce(stopped_us, $5) ELSE NULL END,"
        " unhealthy_us = CASE WHEN $2 = 'running' THEN unhealthy_us ELSE 0 END,"
        " pid = $6, generation = $7, restarts = $8, message = coalesce($9, message),"
        " code = coalesce($10, code), exit_json = coalesce($11, exit_json),"
        " log_tail = coalesce($12, log_tail), usage_json = coalesce($13, usage_json)"
        " WHERE id = $1",
        VR_I(report->id), VR_T(report->actual), VR_T(actual), VR_I(since), VR_I(now.us),
        VR_I(report->pid), VR_I(report->generation), VR_I(report->restarts), VR_T(report->message),
        VR_T(report->code), VR_T(report->exit_json), VR_T(report->log_tail),
        VR_T(report->usage_json));
}

static bool is_stale(const struct vr_proc_row *row, int64_t host_id,
                     const struct vr_proc_report *report)
{
    return row->host_id != host_id || row->epoch != report->epoch ||
           (vr_streq(row->actual, "stopped") && vr_streq(row->desired, "stop"));
}

/* Those who wait for the news: the engine, and the host, once it need not keep the proc. */
static void touch(struct vr_tx *tx, const struct vr_proc_row *row,
                  const struct vr_proc_report *report, const struct test_change *test)
{
    bool state_changed = !vr_streq(row->reported, report->actual);

    if (state_changed || test->new_life || test->result)
        vr_store_touch_swarm(tx, row->swarm_id);
    if (state_changed && vr_streq(report->actual, "stopped"))
        vr_store_touch_host(tx, row->host_id);
}

int vr_store_proc_report(struct vr_tx *tx, int64_t host_id, const struct vr_proc_report *report,
                         struct vr_wall now, bool *out_stale, struct vr_err *err)
{
    VR_ROW(proc) row = {0};
    vr_auto_free char *event = NULL;
    struct test_change test;
    const char *actual;
    int r = vr_store_proc_find_id(tx, report->id, &row, err);

    if (r < 0 && r != -VR_NOT_FOUND)
        return r;
    *out_stale = r < 0 || is_stale(&row, host_id, report);
    if (*out_stale)
        return 0;
    actual = vr_streq(row.actual, "unknown") ? row.actual : report->actual;
    test = judge_test(&row, report);
    r = write_state(tx, report, actual, now, err);
    if (r == 0)
        r = write_test(tx, report, &test, now, err);
    if (r < 0)
        return r;
    touch(tx, &row, report, &test);
    if (vr_proc_state_of(row.actual) == vr_proc_state_of(actual) && !test.new_life && !test.result)
        return 0;
    event = vr_strf("PROCESS_STATE_%s", vr_proc_state_of(actual)->name);
    return vr_proc_event(tx, report->id, event, now, err);
}
