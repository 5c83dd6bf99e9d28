/* SPDX-License-Identifier: MIT */
/* Scheduled tasks, what retention would delete, and beginning a test run by hand. */
#include "engine/janitor.h"
#include "server/access.h"
#include "server/api/number.h"
#include "server/api/ref.h"
#include "server/api/write.h"
#include "store/schedule.h"
#include "store/swarm.h"
#include "store/testrun.h"

#include <inttypes.h>

/* ------------------------------------------------------------------ showing */

static json_t *time_or_null(int64_t us)
{
    char text[VR_WALL_TEXT_BYTES];

    if (!us)
        return json_null();
    vr_wall_format((struct vr_wall){us}, false, text);
    return json_string(text);
}

static json_t *describe(const struct vr_schedule *s, const struct vr_schedule_row *row,
                        struct vr_wall now)
{
    char schedule[VR_SCHEDULE_TEXT_BYTES];
    json_t *out;

    vr_schedule_format(s, schedule);
    out = json_pack("{s:s, s:s, s:I, s:b, s:s}", "task", row->task, "schedule", schedule, "runs",
                    (json_int_t)row->runs, "running", row->started_us && !row->ended_us, "result",
                    row->result);
    vr_json_set(out, "last_run", time_or_null(row->started_us));
    vr_json_set(out, "seconds",
                row->ended_us && row->ended_us >= row->started_us
                    ? json_real((double)(row->ended_us - row->started_us) / VR_US_PER_S)
                    : json_null());
    vr_json_set(out, "next",
                time_or_null(row->asked ? now.us : vr_schedule_due(s, row->planned_us, now)));
    return out;
}

static int list(struct vr_call *call, struct vr_err *err)
{
    VR_OWNED(vr_tx_free) struct vr_tx *tx = NULL;
    vr_auto_json json_t *objects = json_array();
    int r = vr_store_begin(call->server->store, VR_DB_READ, &tx, err);

    for (int t = 0; t < VR_TASK_COUNT && r == 0; t++) {
        VR_ROW(schedule) row = {0};

        r = vr_store_schedule_find(tx, vr_task_name((enum vr_task)t), &row, err);
        if (r == 0)
            vr_json_push(objects, describe(&call->server->config.schedules[t], &row, call->now));
    }
    if (r == 0)
        vr_reply_json(call, 200,
                      json_pack("{s:{s:i, s:i, s:n, s:n, s:i}, s:O}", "meta", "limit",
                                VR_TASK_COUNT, "offset", 0, "next", "previous", "total_count",
                                VR_TASK_COUNT, "objects", objects));
    return r;
}

/* ------------------------------------------------------------------ running now */

static int ask(struct vr_write *w, struct vr_err *err)
{
    enum vr_task task;
    int r = vr_task_parse(w->call->args[0], &task, err);

    if (r == 0)
        r = vr_store_schedule_ask(w->tx, vr_task_name(task), err);
    if (r == 0)
        r = vr_write_tell(w,
                          &(struct vr_told){.action = "run",
                                            .object = vr_task_name(task),
                                            .detail = "a scheduled task, now",
                                            .resource = "schedules"},
                          err);
    return r < 0 ? r : vr_write_answer(w, 202, NULL, NULL);
}

static int run(struct vr_call *call, struct vr_err *err)
{
    int r = vr_write_run(call, ask, NULL, err);

    vr_janitor_wake(call->server->janitor);
    return r;
}

/* ------------------------------------------------------------------ retention */

static int show_retention(struct vr_call *call, struct vr_err *err)
{
    const struct vr_retention *limits = &call->server->config.retention;
    VR_OWNED(vr_tx_free) struct vr_tx *tx = NULL;
    json_t *doc = NULL;
    int64_t plan = 0;
    int r = vr_query_number(call, "plan", 0, 1, 0, &plan, err);

    if (r < 0)
        return r;
    if (!plan) {
        vr_reply_json(call, 200, json_pack("{s:o}", "limits", vr_retention_limits(limits)));
        return 0;
    }
    r = vr_store_begin(call->server->store, VR_DB_READ, &tx, err);
    if (r == 0)
        r = vr_retention_plan(tx, call->server->blobs, limits, call->now, &doc, err);
    if (r == 0)
        vr_reply_json(call, 200, doc);
    return r;
}

/* ------------------------------------------------------------------ test runs */

/* Which swarm, if one: its id, name and app. */
static int read_swarm(struct vr_write *w, struct vr_swarm_row *out, struct vr_err *err)
{
    const json_t *value = json_object_get(w->call->body, "swarm");
    int64_t id;
    int r;

    if (!value || json_is_null(value))
        return 0;
    w->field = "swarm";
    r = vr_ref_find(w->tx, VR_RES_SWARMS, value, &id, err);
    if (r == 0)
        r = vr_store_swarm_find_id(w->tx, id, out, err);
    if (r == 0)
        w->field = NULL;
    return r;
}

static int begin_testrun(struct vr_write *w, struct vr_err *err)
{
    VR_ROW(swarm) swarm = {0};
    vr_auto_free char *object = NULL;
    char *path;
    int64_t id = 0, procs = 0;
    int r = read_swarm(w, &swarm, err);

    if (r == 0)
        r = vr_access_app(w->call, swarm.app_id, err);
    if (r == 0)
        r = vr_store_testrun_start(w->tx, swarm.id, w->call->who.id, w->call->now, &id, &procs,
                                   err);
    if (r < 0)
        return r;
    object = swarm.id ? vr_strf("%s-%s-%s", swarm.app_name, swarm.config_name, swarm.proc_name)
                      : vr_strdup("all procs");
    r = vr_write_tell(w,
                      &(struct vr_told){.action = "uptest",
                                        .object = object,
                                        .swarm_id = swarm.id,
                                        .resource = "testruns",
                                        .object_id = id,
                                        .app_id = swarm.app_id},
                      err);
    if (r < 0)
        return r;
    path = vr_strf("/api/v1/testruns/%" PRId64 "/", id);
    return vr_write_answer_json(w, 201, path,
                                json_pack("{s:I, s:s, s:I}", "id", (json_int_t)id, "resource_uri",
                                          path, "procs", (json_int_t)procs));
}

static int start_testrun(struct vr_call *call, struct vr_err *err)
{
    int r = vr_write_run(call, begin_testrun, NULL, err);

    vr_janitor_wake(call->server->janitor);
    return r;
}

const struct vr_route vr_routes_schedule[] = {
    {"GET", "schedules", VR_ROLE_ADMIN, list, VR_SCOPE_PLATFORM},
    {"POST", "schedules/*/run", VR_ROLE_ADMIN, run, VR_SCOPE_PLATFORM},
    {"GET", "retention", VR_ROLE_ADMIN, show_retention, VR_SCOPE_PLATFORM},
    {"POST", "testruns", VR_ROLE_DEPLOYER, start_testrun, VR_SCOPE_APP},
    {NULL},
};
