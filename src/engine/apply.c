/* SPDX-License-Identifier: MIT */
/*
 * Carrying out the planner's actions.
 *
 * One function an action, in a table by its kind. Each writes rows and, where people want to know,
 * an event; none decides anything. Publishing a pool adds what the planner does not count as
 * members: nodes that were taken out and may finish what they have begun.
 */
#include "engine/apply.h"

#include "engine/events.h"
#include "engine/work.h"
#include "fmt/json.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

struct apply {
    struct vr_tx *tx;
    const struct vr_snapshot *snap;
    struct vr_err *err;
};

typedef int apply_fn(struct apply *a, const struct vr_plan_action *act);

static const char *const step_words[] = {
    [VR_STEP_NONE] = "",           [VR_STEP_RESOLVE] = "resolve", [VR_STEP_BUILD] = "build",
    [VR_STEP_RELEASE] = "release", [VR_STEP_PLACE] = "place",     [VR_STEP_START] = "start",
    [VR_STEP_TEST] = "test",       [VR_STEP_ROUTE] = "route",     [VR_STEP_DRAIN] = "drain",
    [VR_STEP_STOP] = "stop",
};

static const char *const phase_words[] = {
    [VR_PHASE_NORMAL] = "normal",
    [VR_PHASE_FAILING] = "failing",
    [VR_PHASE_CANCELLING] = "cancelling",
    [VR_PHASE_SUPERSEDING] = "superseding",
};

static const char *proc_name(struct apply *a, int64_t id)
{
    const struct vr_proc_row *row = id ? vr_snapshot_proc(a->snap, id) : NULL;

    return row ? row->name : NULL;
}

static const char *host_name(struct apply *a, int64_t id)
{
    const struct vr_host_row *row = id ? vr_snapshot_host(a->snap, id) : NULL;

    return row ? row->name : NULL;
}

/* ------------------------------------------------------------------ the rollout */

static int activate(struct apply *a, const struct vr_plan_action *act)
{
    int r = vr_store_rollout_activate(a->tx, act->rollout, a->snap->plan.now, a->err);

    if (r == 0)
        vr_events_rollout(a->tx, a->snap, act->rollout, "active", NULL);
    return r;
}

/* A rollout of the platform itself: frozen as the current one. */
static int start_rollout(struct apply *a, const struct vr_plan_action *act)
{
    const struct vr_rollout_row *from = &a->snap->current;
    struct vr_rollout_row row = *from; /* borrows its texts */
    vr_auto_free char *id = NULL;
    int r;

    row.id = NULL;
    row.kind = (char *)vr_kind_name(act->rollout_kind);
    row.state = (char *)"active";
    row.result = NULL;
    row.group_id = row.retry_of = NULL; /* those are of what a user asked for */
    row.user_id = 0;
    row.created_us = row.started_us = a->snap->plan.now.us;
    r = vr_store_rollout_insert(a->tx, &row, &id, a->err);
    return r < 0 ? r : vr_events_begun(a->tx, a->snap, id, row.kind, a->err);
}

static int set_step(struct apply *a, const struct vr_plan_action *act)
{
    int r = vr_store_rollout_step(a->tx, act->rollout, step_words[act->step], act->deadline,
                                  act->past_return, a->snap->plan.now, a->err);

    if (r == 0 && a->snap->active && vr_streq(a->snap->active->step, "test") &&
        act->step > VR_STEP_TEST)
        vr_events_tested(a->tx, a->snap, act->rollout);
    if (r == 0)
        vr_events_rollout(a->tx, a->snap, act->rollout, step_words[act->step], NULL);
    return r;
}

static int set_phase(struct apply *a, const struct vr_plan_action *act)
{
    return vr_store_rollout_set_phase(a->tx, act->rollout, phase_words[act->phase], act->deadline,
                                      a->err);
}

static int refuse_cancel(struct apply *a, const struct vr_plan_action *act)
{
    int r = vr_store_rollout_refuse_cancel(a->tx, act->rollout, a->err);

    if (r == 0 && act->text)
        r = vr_store_rollout_note(a->tx, act->rollout, a->snap->active->step, NULL, NULL, act->text,
                                  a->snap->plan.now, a->err);
    return r;
}

static int record_cause(struct apply *a, const struct vr_plan_action *act)
{
    struct vr_rollout_cause cause = {
        .step = step_words[act->step],
        .host = host_name(a, act->host),
        .proc = proc_name(a, act->proc),
        .message = act->text ? act->text : "unknown",
    };
    int r = vr_store_rollout_set_cause(a->tx, act->rollout, &cause, a->err);

    if (r == 0)
        r = vr_store_rollout_note(a->tx, act->rollout, cause.step, cause.host, cause.proc,
                                  cause.message, a->snap->plan.now, a->err);
    return r;
}

static int request_resolve(struct apply *a, const struct vr_plan_action *act)
{
    return vr_work_request_resolve(a->tx, a->snap, a->err);
}

static int take_build(struct apply *a, const struct vr_plan_action *act)
{
    return vr_work_take_build(a->tx, a->snap, a->err);
}

static int create_release(struct apply *a, const struct vr_plan_action *act)
{
    return vr_work_create_release(a->tx, a->snap, a->err);
}

static int set_current(struct apply *a, const struct vr_plan_action *act)
{
    return vr_store_swarm_set_current(a->tx, a->snap->swarm.id, act->rollout, a->err);
}

static int add_leftover(struct apply *a, const struct vr_plan_action *act)
{
    vr_auto_json json_t *doc = json_object();
    vr_auto_free char *text = NULL;

    vr_json_set(doc, "host", vr_json_str_or_null(host_name(a, act->host)));
    vr_json_set(doc, "proc", vr_json_str_or_null(proc_name(a, act->proc)));
    vr_json_set(doc, "message", vr_json_str_or_null(act->text));
    text = vr_json_dump(doc);
    return vr_store_rollout_add_leftover(a->tx, act->rollout, text, a->err);
}

static int end(struct apply *a, const struct vr_plan_action *act)
{
    const char *result = vr_result_name(act->result);
    bool heals = a->snap->plan.active && (a->snap->plan.active->frozen.kind == VR_HEAL ||
                                          a->snap->plan.active->frozen.kind == VR_MOVE);
    int r = vr_store_rollout_end(a->tx, act->rollout, result, a->snap->plan.now, a->err);

    if (r == 0 && heals)
        r = vr_store_swarm_set_heal(a->tx, a->snap->swarm.id, act->heal_failures, act->heal_after,
                                    a->err);
    if (r == 0)
        vr_events_end(a->tx, a->snap, act->rollout, result);
    return r;
}

/* ------------------------------------------------------------------ procs */

static const struct vr_rollout_row *frozen_of(struct apply *a)
{
    return a->snap->active ? a->snap->active : &a->snap->current;
}

static char *command_of_proc(struct apply *a, int64_t build_id, const char *proc, int *out_r)
{
    VR_ROW(build) build = {0};
    vr_auto_json json_t *procfile = NULL;
    const char *command;

    *out_r = vr_store_build_find_id(a->tx, build_id, &build, a->err);
    if (*out_r == 0)
        *out_r = vr_json_parse(vr_str(build.procfile_json), VR_JSON_BYTES, &procfile, a->err);
    command = json_string_value(json_object_get(procfile, proc));
    if (*out_r == 0 && !command)
        *out_r = vr_fail(a->err, VR_INVALID, "the build has no proc '%s'", proc);
    return *out_r < 0 ? NULL : vr_strdup(command);
}

static int place(struct apply *a, const struct vr_plan_action *act)
{
    const struct vr_rollout_row *frozen = frozen_of(a);
    vr_auto_free char *command = NULL;
    struct vr_proc_placement placement = {
        .swarm_id = a->snap->swarm.id,
        .rollout_id = frozen->id,
        .release_id = act->release,
        .host_id = act->host,
        .config_name = frozen->config_name,
        .proc_name = frozen->proc_name,
        .policy_json = frozen->policy_json,
        .pool_id = act->pool,
        .no_port = a->snap->plan.policy.port_none,
        .moved_from = act->retry_of,
    };
    int64_t id;
    int r;

    command = command_of_proc(a, frozen->build_id, frozen->proc_name, &r);
    if (r < 0)
        return r;
    placement.cmd = command;
    return vr_store_proc_insert(a->tx, &placement, a->snap->plan.now, &id, a->err);
}

static int request_test(struct apply *a, const struct vr_plan_action *act)
{
    return vr_store_proc_request_test(a->tx, act->proc, a->snap->plan.now, a->err);
}

static int admit(struct apply *a, const struct vr_plan_action *act)
{
    const struct vr_proc_row *row = vr_snapshot_proc(a->snap, act->proc);

    if (!row || row->epoch != act->epoch)
        return 0;
    return vr_store_proc_set_admitted(a->tx, act->proc, true, a->snap->plan.now, a->err);
}

static int unadmit(struct apply *a, const struct vr_plan_action *act)
{
    return vr_store_proc_set_admitted(a->tx, act->proc, false, a->snap->plan.now, a->err);
}

static int stop(struct apply *a, const struct vr_plan_action *act)
{
    return vr_store_proc_set_desired(a->tx, act->proc, "stop", act->force, a->err);
}

static int hold(struct apply *a, const struct vr_plan_action *act)
{
    return vr_store_proc_set_desired(a->tx, act->proc, "held", act->force, a->err);
}

static int start(struct apply *a, const struct vr_plan_action *act)
{
    return vr_store_proc_start(a->tx, act->proc, a->snap->plan.now, a->err);
}

static int restart(struct apply *a, const struct vr_plan_action *act)
{
    return vr_store_proc_restart(a->tx, act->proc, act->health ? act->count : -1, a->snap->plan.now,
                                 a->err);
}

static int set_unknown(struct apply *a, const struct vr_plan_action *act)
{
    return vr_store_proc_set_unknown(a->tx, act->proc, a->snap->plan.now, a->err);
}

static int set_known(struct apply *a, const struct vr_plan_action *act)
{
    return vr_store_proc_set_known(a->tx, act->proc, act->new_epoch, a->snap->plan.now, a->err);
}

static int demote(struct apply *a, const struct vr_plan_action *act)
{
    return vr_store_proc_demote(a->tx, act->proc, act->count, a->snap->plan.now, a->err);
}

/* ------------------------------------------------------------------ pools */

static void add_node(struct apply *a, json_t *nodes, const struct vr_proc_row *row,
                     const char *state)
{
    const struct vr_host_row *host = vr_snapshot_host(a->snap, row->host_id);
    char id[24];

    snprintf(id, sizeof(id), "p%" PRId64, row->id);
    vr_json_push(nodes,
                 json_pack("{s:s, s:s, s:I, s:s}", "id", id, "address", host ? host->address : "",
                           "port", (json_int_t)row->port, "state", state));
}

static bool contains(const int64_t *ids, size_t count, int64_t id)
{
    for (size_t i = 0; i < count; i++)
        if (ids[i] == id)
            return true;
    return false;
}

/* Taken out of the pool, still running, and not yet told to stop: it may end what it has begun. */
static bool drains(const struct vr_proc_row *row, int64_t pool)
{
    return row->pool_id == pool && row->drain_us && !row->admitted &&
           vr_streq(row->actual, "running") && vr_streq(row->desired, "run");
}

/*
 * The rows may have changed since the snapshot by actions before this one in the same list
 * (admit, un-admit), so they are read again for the one place that writes members.
 */
static int publish(struct apply *a, const struct vr_plan_action *act)
{
    struct vr_snapshot_spec spec = {.swarm_id = a->snap->swarm.id,
                                    .now = a->snap->plan.now,
                                    .engine_started = a->snap->engine_started};
    struct vr_snapshot fresh = {0};
    vr_auto_free int64_t *members = NULL;
    vr_auto_json json_t *nodes = json_array();
    vr_auto_free char *text = NULL;
    size_t count;
    int r;

    r = vr_snapshot_load(a->tx, &spec, &fresh, a->err);
    if (r < 0) {
        vr_snapshot_fini(&fresh);
        return r;
    }
    members = vr_alloc_array(fresh.procs.n, sizeof(*members));
    count = vr_plan_members(&fresh.plan, act->pool, members);
    for (size_t i = 0; i < fresh.procs.n; i++) {
        const struct vr_proc_row *row = &fresh.procs.v[i];

        if (contains(members, count, row->id))
            add_node(a, nodes, row, "active");
        else if (drains(row, act->pool))
            add_node(a, nodes, row, "drain");
    }
    vr_snapshot_fini(&fresh);
    text = vr_json_dump(nodes);
    r = vr_store_pool_set_members(a->tx, act->pool, text, NULL, a->err);
    if (r == 0)
        vr_events_routed(a->tx, a->snap, act->pool, nodes);
    return r;
}

static int delete_pool(struct apply *a, const struct vr_plan_action *act)
{
    return vr_store_pool_delete(a->tx, act->pool, a->err);
}

/* ------------------------------------------------------------------ commands */

static int command_issued(struct apply *a, const struct vr_plan_action *act)
{
    return vr_store_command_step(a->tx, act->command, "told", a->err);
}

static int command_done(struct apply *a, const struct vr_plan_action *act)
{
    return vr_store_command_end(a->tx, act->command, act->text ? "failed" : "done",
                                act->text ? act->text : "", a->snap->plan.now, a->err);
}

static apply_fn *const table[] = {
    [VR_PLAN_ACTIVATE] = activate,
    [VR_PLAN_START_ROLLOUT] = start_rollout,
    [VR_PLAN_SET_STEP] = set_step,
    [VR_PLAN_SET_PHASE] = set_phase,
    [VR_PLAN_REFUSE_CANCEL] = refuse_cancel,
    [VR_PLAN_CAUSE] = record_cause,
    [VR_PLAN_REQUEST_RESOLVE] = request_resolve,
    [VR_PLAN_TAKE_BUILD] = take_build,
    [VR_PLAN_CREATE_RELEASE] = create_release,
    [VR_PLAN_PLACE] = place,
    [VR_PLAN_TEST] = request_test,
    [VR_PLAN_ADMIT] = admit,
    [VR_PLAN_UNADMIT] = unadmit,
    [VR_PLAN_STOP] = stop,
    [VR_PLAN_HOLD] = hold,
    [VR_PLAN_START] = start,
    [VR_PLAN_RESTART] = restart,
    [VR_PLAN_UNKNOWN] = set_unknown,
    [VR_PLAN_KNOWN] = set_known,
    [VR_PLAN_DEMOTE] = demote,
    [VR_PLAN_PUBLISH] = publish,
    [VR_PLAN_DELETE_POOL] = delete_pool,
    [VR_PLAN_COMMAND_ISSUED] = command_issued,
    [VR_PLAN_COMMAND_DONE] = command_done,
    [VR_PLAN_SET_CURRENT] = set_current,
    [VR_PLAN_LEFTOVER] = add_leftover,
    [VR_PLAN_END] = end,
};

int vr_apply(struct vr_tx *tx, const struct vr_snapshot *snap,
             const struct vr_plan_actions *actions, struct vr_err *err)
{
    struct apply a = {.tx = tx, .snap = snap, .err = err};

    for (size_t i = 0; i < actions->count; i++) {
        int r = table[actions->v[i].kind](&a, &actions->v[i]);

        if (r < 0)
            return vr_fail_in(err, r, "%s", vr_plan_kind_name(actions->v[i].kind));
    }
    return 0;
}

/* ------------------------------------------------------------------ at rest */

static bool is_gone(const struct vr_snapshot *snap, const json_t *node)
{
    const char *id = json_string_value(json_object_get(node, "id"));
    const struct vr_proc_row *row;
    int64_t proc;

    if (vr_streq(json_string_value(json_object_get(node, "state")), "active"))
        return false;
    if (!id || vr_parse_i64(vr_str(id + 1), 1, INT64_MAX, &proc, NULL) < 0)
        return true;
    row = vr_snapshot_proc(snap, proc);
    return !row || !vr_streq(row->desired, "run");
}

static int tidy_pool(struct vr_tx *tx, const struct vr_snapshot *snap,
                     const struct vr_pool_row *pool, struct vr_err *err)
{
    vr_auto_json json_t *nodes = NULL;
    vr_auto_json json_t *kept = json_array();
    vr_auto_free char *text = NULL;
    size_t i;
    json_t *node;
    int r = vr_json_parse(vr_str(pool->members_json), VR_JSON_BYTES, &nodes, err);

    if (r < 0)
        return r;
    json_array_foreach (nodes, i, node)
        if (!is_gone(snap, node))
            vr_json_push(kept, json_incref(node));
    if (json_array_size(kept) == json_array_size(nodes))
        return 0;
    text = vr_json_dump(kept);
    return vr_store_pool_set_members(tx, pool->id, text, NULL, err);
}

int vr_apply_tidy(struct vr_tx *tx, const struct vr_snapshot *snap, struct vr_err *err)
{
    int r = 0;

    for (size_t i = 0; i < snap->pools.n && r == 0 && !snap->active; i++)
        r = tidy_pool(tx, snap, &snap->pools.v[i], err);
    return r;
}
