/* SPDX-License-Identifier: MIT */
/*
 * One test per row of the engine's tables: a swarm of two procs at rest, changed by what the row
 * says, and the actions that must follow, written as text.
 */
#include "core/tap.h"
#include "engine/place.h"
#include "engine/plan.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define NOW      INT64_C(1000000000000)
#define SECOND   VR_US_PER_S
#define MAX      8
#define OLD      "00000000000000000000000000000001"
#define ACTIVE   "00000000000000000000000000000002"
#define POOL     7
#define APP_HOST 3 /* hosts 0..2 run apps, 3 and 4 are balancers */

struct fixture {
    struct vr_plan_snapshot snap;
    struct vr_plan_host hosts[5];
    struct vr_plan_proc procs[MAX];
    struct vr_plan_pool pools[2];
    struct vr_plan_pool_host balancers[2];
    int64_t members[MAX];
    struct vr_plan_frozen current;
    struct vr_plan_active active;
    struct vr_plan_command command;
    struct vr_plan_actions actions;
    char text[2000];
};

static struct vr_wall at(int64_t secs_from_now)
{
    return (struct vr_wall){NOW + secs_from_now * SECOND};
}

/* One more proc that serves: release 10 of the current rollout, or 20 of the active one. */
static struct vr_plan_proc *add_proc(struct fixture *f, int host, bool is_new)
{
    struct vr_plan_proc *p = &f->procs[f->snap.proc_count++];

    *p = (struct vr_plan_proc){
        .id = (int64_t)f->snap.proc_count,
        .host = &f->hosts[host],
        .name = "proc",
        .release = is_new ? 20 : 10,
        .pool = POOL,
        .epoch = 1,
        .actual = VR_RUNNING,
        .running_since = at(-100),
        .tested_at = at(-99),
        .test_began = at(-99),
        .tested = VR_TESTED_PASSED,
        .passed = true,
        .admitted = true,
        .check = VR_CHECK_UP,
    };
    memcpy(p->rollout, is_new ? ACTIVE : OLD, VR_ROLLOUT_ID_BYTES);
    return p;
}

/* What is admitted is published and confirmed. */
static void publish(struct fixture *f)
{
    f->pools[0].member_count = vr_plan_members(&f->snap, POOL, f->members);
    f->pools[0].members = f->members;
}

static void init(struct fixture *f)
{
    static const char *const names[] = {"h1", "h2", "h3", "b1", "b2"};

    memset(f, 0, sizeof(*f));
    for (int i = 0; i < 5; i++)
        f->hosts[i] = (struct vr_plan_host){.id = i + 1,
                                            .name = names[i],
                                            .squad = i < APP_HOST ? 1 : 2,
                                            .last_seen = at(0),
                                            .synced = true,
                                            .active = true,
                                            .app_role = i < APP_HOST,
                                            .labels_match = true,
                                            .disk_ok = true,
                                            .ports_left = true,
                                            .mem_capacity = 100 << 20};
    for (int i = 0; i < 2; i++)
        f->balancers[i] = (struct vr_plan_pool_host){&f->hosts[APP_HOST + i], 5, at(-50), NULL};
    f->pools[0] = (struct vr_plan_pool){POOL, "shop", 5, f->members, 0, f->balancers, 2};
    f->current = (struct vr_plan_frozen){OLD, VR_DISPATCH, 10, 1, POOL, 2, 0, 10 << 20};
    f->snap = (struct vr_plan_snapshot){
        .now = at(0),
        .swarm = 1,
        .policy = {.resolve_secs = 60,
                   .build_secs = 3600,
                   .fetch_secs = 600,
                   .start_timeout_secs = 60,
                   .test_secs = 60,
                   .route_secs = 30,
                   .drain_secs = 10,
                   .stop_secs = 10,
                   .max_restarts = 5,
                   .unhealthy_restart_secs = 30},
        .current = &f->current,
        .hosts = f->hosts,
        .host_count = 5,
        .procs = f->procs,
        .pools = f->pools,
        .pool_count = 1,
        .commands = &f->command,
        .wished_pool = POOL,
    };
    add_proc(f, 0, false);
    add_proc(f, 1, false);
    publish(f);
    vr_plan_actions_init(&f->actions);
}

/* A rollout of this kind is active, in this step; dispatches have their release. */
static void activate(struct fixture *f, enum vr_kind kind, enum vr_step step)
{
    f->active = (struct vr_plan_active){.step = step, .started = at(-10), .deadline = at(20)};
    f->active.frozen = f->current;
    f->active.frozen.kind = kind;
    memcpy(f->active.frozen.id, ACTIVE, VR_ROLLOUT_ID_BYTES);
    if (kind == VR_DISPATCH || kind == VR_ROLLBACK)
        f->active.frozen.release = 20;
    f->snap.active = &f->active;
}

static struct vr_plan_command *order(struct fixture *f, enum vr_command_kind kind, int64_t proc)
{
    f->command = (struct vr_plan_command){.id = 1, .proc = proc, .kind = kind};
    f->snap.command_count = 1;
    return &f->command;
}

static void lose(struct fixture *f, int host, enum vr_liveness liveness, enum vr_actual actual)
{
    f->hosts[host].liveness = liveness;
    for (size_t i = 0; i < f->snap.proc_count; i++)
        if (f->procs[i].host == &f->hosts[host])
            f->procs[i].actual = actual;
}

static size_t add_detail(const struct vr_plan_action *a, char *out, size_t bytes)
{
    switch (a->kind) {
    case VR_PLAN_SET_STEP:
        return (size_t)snprintf(out, bytes, " %s%s", vr_step_name(a->step),
                                a->past_return ? "!" : "");
    case VR_PLAN_SET_PHASE:
        return (size_t)snprintf(out, bytes, " %d", a->phase);
    case VR_PLAN_END:
        return (size_t)snprintf(out, bytes, " %s", vr_result_name(a->result));
    case VR_PLAN_START_ROLLOUT:
        return (size_t)snprintf(out, bytes, " %s", vr_kind_name(a->rollout_kind));
    case VR_PLAN_PLACE:
        return (size_t)snprintf(out, bytes, " h%" PRId64, a->host);
    case VR_PLAN_CAUSE:
    case VR_PLAN_REFUSE_CANCEL:
        return (size_t)snprintf(out, bytes, " '%s'", a->text);
    case VR_PLAN_KNOWN:
        return (size_t)snprintf(out, bytes, " %" PRId64 "%s", a->proc, a->new_epoch ? " anew" : "");
    case VR_PLAN_PUBLISH:
    case VR_PLAN_DELETE_POOL:
        return (size_t)snprintf(out, bytes, " %" PRId64, a->pool);
    default:
        return a->proc ? (size_t)snprintf(out, bytes, " %" PRId64, a->proc) : 0;
    }
}

/* The plan as text: "set-step stop!, stop 1, stop 2"; "-" if there is nothing to do. */
static const char *plan(struct fixture *f)
{
    size_t n = 0;

    snprintf(f->text, sizeof(f->text), "-");
    vr_plan(&f->snap, &f->actions);
    for (size_t i = 0; i < f->actions.count; i++) {
        n += (size_t)snprintf(f->text + n, sizeof(f->text) - n, "%s%s", i ? ", " : "",
                              vr_plan_kind_name(f->actions.v[i].kind));
        n += add_detail(&f->actions.v[i], f->text + n, sizeof(f->text) - n);
    }
    return f->text;
}

#define ROW(name, ...)                                                                             \
    TEST(name)                                                                                     \
    {                                                                                              \
        struct fixture *f = vr_alloc(sizeof(*f));                                                  \
        const char *want;                                                                          \
        init(f);                                                                                   \
        __VA_ARGS__                                                                                \
        vr_tap_same(__FILE__, __LINE__, plan(f), want);                                            \
        vr_plan_actions_fini(&f->actions);                                                         \
        free(f);                                                                                   \
    }

/* --- a swarm at rest --- */

ROW(plan__all_well__nothing_to_do, { want = "-"; })

ROW(plan__rollout_queued__activated, {
    f->snap.queued = ACTIVE;
    want = "activate";
})

/* --- cancel, supersede, fail --- */

ROW(plan__cancel_before_admission__turns_back, {
    activate(f, VR_DISPATCH, VR_STEP_START);
    f->active.cancel_requested = true;
    want = "set-phase 2";
})

ROW(plan__cancelling_before_admission__new_procs_stop, {
    activate(f, VR_DISPATCH, VR_STEP_START);
    f->active.phase = VR_PHASE_CANCELLING;
    add_proc(f, 0, true)->admitted = false;
    want = "stop 3, set-step stop";
})

ROW(plan__cancelling_and_new_procs_gone__cancelled, {
    activate(f, VR_DISPATCH, VR_STEP_STOP);
    f->active.phase = VR_PHASE_CANCELLING;
    want = "end cancelled";
})

ROW(plan__cancelling_after_admission__old_ones_admitted_first, {
    activate(f, VR_DISPATCH, VR_STEP_DRAIN);
    f->active.phase = VR_PHASE_CANCELLING;
    add_proc(f, 0, true);
    add_proc(f, 1, true);
    f->procs[0].admitted = f->procs[1].admitted = false;
    f->procs[0].left_at = f->procs[1].left_at = at(-1);
    publish(f);
    want = "set-step route, admit 1, admit 2";
})

ROW(plan__cancelling_and_old_ones_unconfirmed__new_ones_keep_serving, {
    activate(f, VR_DISPATCH, VR_STEP_ROUTE);
    f->active.phase = VR_PHASE_CANCELLING;
    add_proc(f, 0, true);
    publish(f);
    f->balancers[1].confirmed = 4;
    want = "-";
})

ROW(plan__cancelling_and_old_ones_confirmed__new_ones_leave, {
    activate(f, VR_DISPATCH, VR_STEP_ROUTE);
    f->active.phase = VR_PHASE_CANCELLING;
    add_proc(f, 0, true);
    publish(f);
    want = "set-step drain, unadmit 3";
})

ROW(plan__cancel_past_return__refused, {
    activate(f, VR_DISPATCH, VR_STEP_STOP);
    f->active.cancel_requested = f->active.past_return = true;
    want = "refuse-cancel 'past the point of return; use rollback'";
})

ROW(plan__newer_dispatch_waits__superseded, {
    activate(f, VR_DISPATCH, VR_STEP_BUILD);
    f->snap.queued = OLD;
    want = "set-phase 3";
})

ROW(plan__newer_dispatch_waits_past_return__goes_on, {
    activate(f, VR_DISPATCH, VR_STEP_STOP);
    f->active.past_return = true;
    f->snap.queued = "x";
    f->procs[0].desired = VR_STOP;
    f->procs[0].admitted = false;
    f->procs[0].left_at = at(-20);
    f->procs[1] = f->procs[0];
    f->procs[1].id = 2;
    add_proc(f, 0, true);
    add_proc(f, 1, true);
    publish(f);
    want = "-";
})

ROW(plan__deadline_passed__cause_and_back, {
    activate(f, VR_DISPATCH, VR_STEP_START);
    add_proc(f, 0, true)->actual = VR_STARTING;
    add_proc(f, 1, true)->actual = VR_STARTING;
    f->procs[2].admitted = f->procs[2].passed = false;
    f->procs[3].admitted = f->procs[3].passed = false;
    f->active.deadline = at(0);
    want = "cause 'start took too long: the proc is not ready', set-phase 1";
})

ROW(plan__deadline_not_passed__wakes_then, {
    activate(f, VR_DISPATCH, VR_STEP_START);
    add_proc(f, 0, true)->actual = VR_STARTING;
    add_proc(f, 1, true)->actual = VR_STARTING;
    f->procs[2].admitted = f->procs[2].passed = false;
    f->procs[3].admitted = f->procs[3].passed = false;
    plan(f);
    CHECK(f->actions.next_wake.us == at(20).us);
    want = "-";
})

ROW(plan__new_proc_fatal__cause_and_back, {
    struct vr_plan_proc *p;

    activate(f, VR_DISPATCH, VR_STEP_START);
    p = add_proc(f, 0, true);
    p->actual = VR_FATAL;
    p->admitted = p->passed = false;
    p->fault = "exit code 1";
    want = "cause 'exit code 1', set-phase 1";
})

ROW(plan__test_failed__cause_and_back, {
    activate(f, VR_DISPATCH, VR_STEP_TEST);
    for (int i = 0; i < 2; i++) {
        struct vr_plan_proc *p = add_proc(f, i, true);

        p->admitted = p->passed = false;
        p->tested = VR_TESTED_FAILED;
        p->fault = "GET / answered 500";
    }
    want = "cause 'GET / answered 500', set-phase 1";
})

ROW(plan__test_failed_in_retry_window__tested_again, {
    activate(f, VR_DISPATCH, VR_STEP_TEST);
    f->snap.policy.test_retry_secs = 20;
    for (int i = 0; i < 2; i++) {
        struct vr_plan_proc *p = add_proc(f, i, true);

        p->admitted = p->passed = false;
        p->tested = VR_TESTED_FAILED;
        p->test_began = at(-10);
        p->tested_at = at(-2);
    }
    want = "test 3, test 4";
})

ROW(plan__start_failed_once__tried_elsewhere, {
    struct vr_plan_proc *p;

    activate(f, VR_DISPATCH, VR_STEP_START);
    p = add_proc(f, 0, true);
    p->actual = VR_FATAL;
    p->start_failed = true;
    p->admitted = p->passed = false;
    want = "stop 3, place h2, set-step start";
})

ROW(plan__start_failed_twice__back, {
    struct vr_plan_proc *p;

    activate(f, VR_DISPATCH, VR_STEP_START);
    p = add_proc(f, 0, true);
    p->actual = VR_FATAL;
    p->start_failed = p->retried = true;
    p->admitted = p->passed = false;
    p->fault = "port taken";
    want = "cause 'port taken', set-phase 1";
})

/* --- build and release --- */

ROW(plan__tag_unresolved__resolve_job, {
    activate(f, VR_DISPATCH, VR_STEP_NONE);
    f->active.frozen.release = 0;
    f->active.needs_resolve = true;
    want = "set-step resolve, resolve";
})

ROW(plan__no_build__taken, {
    activate(f, VR_DISPATCH, VR_STEP_RESOLVE);
    f->active.frozen.release = 0;
    want = "set-step build, take-build";
})

ROW(plan__build_runs__waits, {
    activate(f, VR_DISPATCH, VR_STEP_BUILD);
    f->active.frozen.release = 0;
    f->active.build = 3;
    f->active.build_state = VR_WORK_PENDING;
    want = "-";
})

ROW(plan__build_failed__fails_with_its_text, {
    activate(f, VR_DISPATCH, VR_STEP_BUILD);
    f->active.frozen.release = 0;
    f->active.build = 3;
    f->active.build_state = VR_WORK_FAILED;
    f->active.build_fault = "buildpack: exit 1";
    want = "cause 'buildpack: exit 1', set-phase 1";
})

ROW(plan__built_and_no_release__made, {
    activate(f, VR_DISPATCH, VR_STEP_BUILD);
    f->active.frozen.release = 0;
    f->active.build = 3;
    f->active.build_state = VR_WORK_SUCCESS;
    want = "set-step release, make-release";
})

/* --- place, start, test --- */

ROW(plan__no_procs_of_target__all_placed, {
    activate(f, VR_DISPATCH, VR_STEP_RELEASE);
    want = "set-step place, place h1, place h2";
})

ROW(plan__batch__one_batch_placed, {
    activate(f, VR_DISPATCH, VR_STEP_RELEASE);
    f->active.frozen.batch = 1;
    want = "set-step place, place h1";
})

ROW(plan__no_room__says_why, {
    activate(f, VR_DISPATCH, VR_STEP_RELEASE);
    f->hosts[0].active = false;
    f->hosts[1].mem_committed = f->hosts[1].mem_capacity;
    f->hosts[2].disk_ok = false;
    want = "cause '0 of 2 procs placed: no host has room: h1: is drained; h2: 0 of 10 MiB free; "
           "h3: has no disk space', set-phase 1";
})

ROW(plan__no_room_but_a_host_is_silent__waits, {
    activate(f, VR_DISPATCH, VR_STEP_RELEASE);
    f->hosts[0].active = f->hosts[1].active = false;
    f->hosts[2].liveness = VR_SUSPECT;
    want = "set-step place";
})

ROW(plan__placed_and_running__tested, {
    activate(f, VR_DISPATCH, VR_STEP_START);
    for (int i = 0; i < 2; i++) {
        struct vr_plan_proc *p = add_proc(f, i, true);

        p->admitted = p->passed = false;
        p->tested = VR_TESTED_NO;
    }
    want = "set-step test, test 3, test 4";
})

ROW(plan__not_running_for_start_secs__waits_and_wakes, {
    activate(f, VR_DISPATCH, VR_STEP_START);
    f->snap.policy.start_secs = 3;
    for (int i = 0; i < 2; i++) {
        struct vr_plan_proc *p = add_proc(f, i, true);

        p->admitted = p->passed = false;
        p->running_since = at(-1);
    }
    plan(f);
    CHECK(f->actions.next_wake.us == at(2).us);
    want = "-";
})

/* --- route, drain, stop, done --- */

ROW(plan__all_tested__admitted, {
    activate(f, VR_DISPATCH, VR_STEP_TEST);
    add_proc(f, 0, true)->admitted = false;
    add_proc(f, 1, true)->admitted = false;
    want = "set-step route, admit 3, admit 4";
})

ROW(plan__admitted__published, {
    activate(f, VR_DISPATCH, VR_STEP_ROUTE);
    add_proc(f, 0, true);
    add_proc(f, 1, true);
    want = "publish 7";
})

ROW(plan__one_balancer_host_not_confirmed__waits, {
    activate(f, VR_DISPATCH, VR_STEP_ROUTE);
    add_proc(f, 0, true);
    add_proc(f, 1, true);
    publish(f);
    f->balancers[0].confirmed = 4;
    want = "-";
})

ROW(plan__dead_balancer_host_and_another_live__skipped, {
    activate(f, VR_DISPATCH, VR_STEP_ROUTE);
    add_proc(f, 0, true);
    add_proc(f, 1, true);
    publish(f);
    f->balancers[0].confirmed = 0;
    f->hosts[APP_HOST].liveness = VR_LOST;
    want = "set-step drain, unadmit 2, unadmit 1";
})

ROW(plan__all_balancer_hosts_dead__waits, {
    activate(f, VR_DISPATCH, VR_STEP_ROUTE);
    add_proc(f, 0, true);
    add_proc(f, 1, true);
    publish(f);
    f->balancers[0].confirmed = f->balancers[1].confirmed = 0;
    f->hosts[APP_HOST].liveness = f->hosts[APP_HOST + 1].liveness = VR_LOST;
    want = "-";
})

static void retire_old(struct fixture *f, int32_t connections)
{
    add_proc(f, 0, true);
    add_proc(f, 1, true);
    for (int i = 0; i < 2; i++) {
        f->procs[i].admitted = false;
        f->procs[i].left_at = at(-5);
        f->procs[i].connections = connections;
    }
    f->balancers[0].confirmed_at = at(-4);
    publish(f);
}

ROW(plan__connections_open__drains_until_drain_secs, {
    activate(f, VR_DISPATCH, VR_STEP_DRAIN);
    retire_old(f, 3);
    plan(f);
    CHECK(f->actions.next_wake.us == at(6).us);
    want = "-";
})

ROW(plan__connections_unknown__drains_until_drain_secs, {
    activate(f, VR_DISPATCH, VR_STEP_DRAIN);
    retire_old(f, -1);
    want = "-";
})

ROW(plan__connections_gone__stopped, {
    activate(f, VR_DISPATCH, VR_STEP_DRAIN);
    retire_old(f, 0);
    want = "stop 1, stop 2, set-step stop!";
})

ROW(plan__drain_secs_over__stopped, {
    activate(f, VR_DISPATCH, VR_STEP_DRAIN);
    retire_old(f, 3);
    f->procs[0].left_at = f->procs[1].left_at = at(-12);
    f->balancers[0].confirmed_at = at(-10);
    want = "stop 1, stop 2, set-step stop!";
})

ROW(plan__old_ones_gone__done, {
    activate(f, VR_DISPATCH, VR_STEP_STOP);
    f->snap.proc_count = 0;
    add_proc(f, 0, true);
    add_proc(f, 1, true);
    publish(f);
    want = "set-current, end done";
})

ROW(plan__old_one_on_lost_host__left_over_and_done, {
    activate(f, VR_DISPATCH, VR_STEP_STOP);
    retire_old(f, 0);
    f->procs[0].desired = f->procs[1].desired = VR_STOP;
    f->procs[0].host = f->procs[1].host = &f->hosts[2];
    lose(f, 2, VR_LOST, VR_UNKNOWN);
    want = "leftover 1, leftover 2, set-current, end done";
})

ROW(plan__old_one_does_not_stop_in_time__left_over_and_done, {
    activate(f, VR_DISPATCH, VR_STEP_STOP);
    retire_old(f, 0);
    f->procs[0].desired = f->procs[1].desired = VR_STOP;
    f->active.deadline = at(0);
    want = "leftover 1, leftover 2, set-current, end done";
})

ROW(plan__batches_left__next_batch, {
    activate(f, VR_DISPATCH, VR_STEP_STOP);
    f->active.frozen.batch = 1;
    f->active.past_return = true;
    f->snap.proc_count = 1;
    add_proc(f, 1, true);
    publish(f);
    want = "set-step place!, place h1";
})

ROW(plan__first_batch_serves__one_old_leaves, {
    activate(f, VR_DISPATCH, VR_STEP_ROUTE);
    f->active.frozen.batch = 1;
    add_proc(f, 1, true);
    publish(f);
    want = "set-step drain, unadmit 2";
})

ROW(plan__no_pool__routing_and_draining_skipped, {
    activate(f, VR_DISPATCH, VR_STEP_TEST);
    f->current.pool = f->active.frozen.pool = 0;
    f->snap.pool_count = 0;
    add_proc(f, 0, true)->admitted = false;
    add_proc(f, 1, true)->admitted = false;
    for (int i = 0; i < 4; i++)
        f->procs[i].pool = 0;
    want = "admit 3, admit 4";
})

ROW(plan__redispatch_of_what_runs__tested_again, {
    activate(f, VR_DISPATCH, VR_STEP_NONE);
    f->active.frozen.release = 10;
    want = "set-step test, test 1, test 2";
})

ROW(plan__scale_down__most_loaded_host_first, {
    activate(f, VR_SCALE, VR_STEP_NONE);
    add_proc(f, 1, false);
    f->current.size = 3;
    f->active.frozen.size = 2;
    publish(f);
    want = "set-step drain, unadmit 3";
})

ROW(plan__scale_to_zero__all_leave, {
    activate(f, VR_SCALE, VR_STEP_NONE);
    f->active.frozen.size = 0;
    want = "set-step drain, unadmit 2, unadmit 1";
})

ROW(plan__restart__new_procs_of_the_same_release, {
    activate(f, VR_RESTART, VR_STEP_NONE);
    want = "set-step place, place h1, place h2";
})

ROW(plan__pool_edited_and_new_one_serves__old_pool_emptied, {
    activate(f, VR_DISPATCH, VR_STEP_ROUTE);
    f->active.frozen.pool = 8;
    f->active.frozen.release = 10;
    f->pools[1] = f->pools[0];
    f->pools[1].id = 8;
    f->snap.pool_count = 2;
    add_proc(f, 0, true);
    add_proc(f, 1, true);
    f->procs[2].pool = f->procs[3].pool = 8;
    f->procs[2].release = f->procs[3].release = 10;
    static const int64_t members[] = {3, 4};
    f->pools[1].members = members;
    f->pools[1].member_count = 2;
    want = "set-step drain, unadmit 2, unadmit 1";
})

ROW(plan__pool_empty_and_named_by_nobody__deleted, {
    f->pools[1] = (struct vr_plan_pool){.id = 9, .name = "old", .generation = 2};
    f->snap.pool_count = 2;
    want = "delete-pool 9";
})

/* --- failures of hosts --- */

ROW(plan__host_suspect__nothing_but_no_placement, {
    f->hosts[0].liveness = VR_SUSPECT;
    want = "-";
})

ROW(plan__host_lost__procs_unknown, {
    lose(f, 0, VR_LOST, VR_RUNNING);
    want = "unknown 1";
})

ROW(plan__lost_and_seen_up__keeps_serving, {
    lose(f, 0, VR_LOST, VR_UNKNOWN);
    want = "-";
})

ROW(plan__lost_and_seen_down__leaves_the_pool, {
    lose(f, 0, VR_LOST, VR_UNKNOWN);
    f->procs[0].check = VR_CHECK_DOWN;
    want = "publish 7";
})

ROW(plan__lost_and_out_of_the_pool__healed, {
    lose(f, 0, VR_LOST, VR_UNKNOWN);
    f->procs[0].check = VR_CHECK_NONE;
    publish(f);
    want = "start-rollout heal";
})

ROW(plan__gone_though_seen_up__healed, {
    lose(f, 0, VR_GONE, VR_UNKNOWN);
    want = "start-rollout heal";
})

ROW(plan__heal_failed_lately__waits, {
    lose(f, 0, VR_GONE, VR_UNKNOWN);
    f->snap.heal_after = at(5);
    want = "-";
})

ROW(plan__heal__only_the_missing_one_placed, {
    activate(f, VR_HEAL, VR_STEP_NONE);
    lose(f, 0, VR_GONE, VR_UNKNOWN);
    want = "set-step place, place h3";
})

ROW(plan__mass_loss__nothing_evicted_nor_replaced, {
    lose(f, 0, VR_LOST, VR_UNKNOWN);
    lose(f, 1, VR_LOST, VR_UNKNOWN);
    f->procs[0].check = f->procs[1].check = VR_CHECK_DOWN;
    f->snap.mass_loss = true;
    f->snap.mass_loss_until = at(60);
    want = "-";
})

ROW(plan__host_back_and_still_serving__same_epoch, {
    f->procs[0].actual = VR_UNKNOWN;
    want = "known 1";
})

ROW(plan__host_back_and_evicted__new_epoch, {
    lose(f, 0, VR_LOST, VR_UNKNOWN);
    f->procs[0].check = VR_CHECK_NONE;
    publish(f);
    f->hosts[0].liveness = VR_LIVE;
    want = "known 1 anew";
})

ROW(plan__host_back_before_replacement_serves__replacement_stops, {
    activate(f, VR_HEAL, VR_STEP_TEST);
    add_proc(f, 2, true)->admitted = false;
    f->procs[2].release = 10;
    want = "stop 3, set-step stop";
})

ROW(plan__replaced_and_host_lost__stale_one_stops, {
    activate(f, VR_HEAL, VR_STEP_ROUTE);
    lose(f, 0, VR_GONE, VR_UNKNOWN);
    f->procs[0].admitted = false;
    add_proc(f, 2, true)->release = 10;
    publish(f);
    want = "stop 1, set-step stop!";
})

ROW(plan__stale_proc_comes_back__known_and_still_to_stop, {
    struct vr_plan_proc *p = add_proc(f, 2, false);

    p->desired = VR_STOP;
    p->actual = VR_UNKNOWN;
    p->admitted = false;
    want = "known 3";
})

ROW(plan__host_drained__procs_move, {
    f->hosts[0].active = false;
    want = "start-rollout move";
})

/* --- failures of procs --- */

ROW(plan__crashed_and_in_backoff__leaves_the_pool, {
    f->procs[0].actual = VR_BACKOFF;
    want = "publish 7";
})

ROW(plan__came_back_after_a_crash__tested_again, {
    f->procs[0].passed = false;
    f->procs[0].tested = VR_TESTED_NO;
    publish(f);
    want = "test 1";
})

ROW(plan__fatal__healed, {
    f->procs[0].actual = VR_FATAL;
    publish(f);
    want = "start-rollout heal";
})

ROW(plan__does_not_answer__leaves_the_pool, {
    f->procs[0].unhealthy_since = at(-1);
    want = "demote 1";
})

ROW(plan__has_not_answered_for_long__restarted, {
    f->procs[0].unhealthy_since = at(-31);
    f->procs[0].passed = false;
    publish(f);
    want = "restart 1";
})

ROW(plan__restarted_for_health_before__waits_twice_as_long, {
    f->procs[0].unhealthy_since = at(-31);
    f->procs[0].passed = false;
    f->procs[0].unhealthy_restarts = 1;
    publish(f);
    want = "-";
})

ROW(plan__flaps__damped, {
    f->procs[0].passed = false;
    f->procs[0].tested = VR_TESTED_NO;
    f->procs[0].flaps = 3;
    f->procs[0].flapped_at = at(-7);
    publish(f);
    plan(f);
    CHECK(f->actions.next_wake.us == at(1).us);
    want = "-";
})

/* --- commands --- */

ROW(plan__stop_asked__taken_out_first, {
    order(f, VR_CMD_STOP, 1);
    want = "unadmit 1";
})

ROW(plan__stop_asked_of_a_proc_not_proved__waits_for_the_rollout, {
    activate(f, VR_DISPATCH, VR_STEP_TEST);
    add_proc(f, 0, true)->admitted = false;
    add_proc(f, 1, true)->admitted = false;
    f->procs[2].passed = f->procs[3].passed = false;
    f->procs[2].tested = f->procs[3].tested = VR_TESTED_PENDING;
    order(f, VR_CMD_STOP, 3);
    want = "-";
})

ROW(plan__stop_asked_and_out__held, {
    order(f, VR_CMD_STOP, 1);
    f->procs[0].admitted = false;
    f->procs[0].left_at = at(-1);
    publish(f);
    want = "hold 1, command-issued 1";
})

ROW(plan__held_and_stopped__counts_and_is_not_healed, {
    f->procs[0].desired = VR_HELD;
    f->procs[0].actual = VR_STOPPED;
    f->procs[0].admitted = false;
    publish(f);
    want = "-";
})

ROW(plan__start_asked__runs_in_a_new_epoch, {
    order(f, VR_CMD_START, 1);
    f->procs[0].desired = VR_HELD;
    f->procs[0].actual = VR_STOPPED;
    f->procs[0].admitted = false;
    publish(f);
    want = "start 1, command-issued 1";
})

ROW(plan__restart_asked_and_out__restarted, {
    order(f, VR_CMD_RESTART, 1);
    f->procs[0].admitted = false;
    f->procs[0].left_at = at(-1);
    publish(f);
    want = "restart 1, command-issued 1";
})

ROW(plan__destroy_asked_by_force__stopped_at_once, {
    order(f, VR_CMD_DESTROY, 1)->force = true;
    want = "unadmit 1, stop 1, command-issued 1";
})

ROW(plan__destroyed__command_done_and_healed_next, {
    order(f, VR_CMD_DESTROY, 1);
    f->snap.procs = &f->procs[1];
    f->snap.proc_count = 1;
    publish(f);
    want = "command-done 1";
})

ROW(plan__held_and_dispatch__replaced, {
    activate(f, VR_DISPATCH, VR_STEP_NONE);
    f->active.frozen.release = 10;
    f->procs[0].desired = VR_HELD;
    f->procs[0].actual = VR_STOPPED;
    f->procs[0].admitted = false;
    publish(f);
    want = "set-step place, place h1";
})

/* --- helpers --- */

TEST(liveness__by_silence__live_suspect_lost_gone)
{
    struct vr_wall changes, lost, long_ago = at(-1000);

    CHECK(vr_plan_liveness(at(0), at(-4), long_ago, &changes, &lost) == VR_LIVE);
    CHECK(changes.us == at(1).us && !lost.us);
    CHECK(vr_plan_liveness(at(0), at(-5), long_ago, &changes, &lost) == VR_SUSPECT);
    CHECK(vr_plan_liveness(at(0), at(-15), long_ago, &changes, &lost) == VR_LOST);
    CHECK(lost.us == at(0).us);
    CHECK(vr_plan_liveness(at(0), at(-120), long_ago, &changes, &lost) == VR_GONE);
    CHECK(!changes.us);
}

TEST(liveness__engine_just_started__nobody_is_lost)
{
    struct vr_wall changes, lost;

    CHECK(vr_plan_liveness(at(0), at(-500), at(-29), &changes, &lost) == VR_SUSPECT);
    CHECK(vr_plan_liveness(at(0), at(-500), at(-30), &changes, &lost) == VR_LOST);
}

TEST(mass_loss__more_than_half_within_the_window)
{
    struct vr_wall close[] = {at(-1), at(-20)}, apart[] = {at(-1), at(-40)}, until;

    CHECK(vr_plan_mass_loss(at(0), 3, close, 2, at(-500), &until));
    CHECK(until.us == at(119).us);
    CHECK(!vr_plan_mass_loss(at(0), 4, close, 2, at(-500), &until));
    CHECK(!vr_plan_mass_loss(at(0), 3, apart, 2, at(-500), &until));
    CHECK(!vr_plan_mass_loss(at(0), 3, close, 2, at(0), &until));
    CHECK(!vr_plan_mass_loss(at(120), 3, close, 2, at(-500), &until));
    CHECK(!vr_plan_mass_loss(at(0), 1, close, 1, at(-500), &until));
}

TEST(place__order__fewest_of_swarm_then_app_then_memory_then_name)
{
    struct fixture *f = vr_alloc(sizeof(*f));
    int32_t counts[5] = {1, 0, 0, 0, 0};
    struct vr_place_wish wish = {.squad = 1, .mem_bytes = 1, .count = 4, .counts = counts};
    size_t hosts[4];
    bool brief;

    init(f);
    f->hosts[1].procs_of_app = 5;
    CHECK(vr_place(f->hosts, 5, &wish, hosts, &brief) == 4);
    CHECK(hosts[0] == 2 && hosts[1] == 1 && hosts[2] == 0 && hosts[3] == 2);
    counts[0] = 0;
    f->hosts[1].procs_of_app = 0;
    f->hosts[0].mem_committed = 50 << 20;
    wish.count = 1;
    CHECK(vr_place(f->hosts, 5, &wish, hosts, &brief) == 1 && hosts[0] == 1);
    wish.avoid = f->hosts[1].id;
    CHECK(vr_place(f->hosts, 5, &wish, hosts, &brief) == 1 && hosts[0] == 2);
    CHECK(!brief);
    free(f);
}

TEST(place__config_of_a_host__is_bounded_as_its_memory_is)
{
    struct fixture *f = vr_alloc(sizeof(*f));
    int32_t counts[5] = {0};
    struct vr_place_wish wish = {
        .squad = 1, .config_bytes = VR_PLACE_CONFIG_BYTES / 2, .count = 2, .counts = counts};
    size_t hosts[2];
    char why[400];
    bool brief;

    init(f);
    for (size_t i = 0; i < 5; i++)
        f->hosts[i].config_bytes = i == 1 ? VR_PLACE_CONFIG_BYTES / 2 : VR_PLACE_CONFIG_BYTES;
    CHECK(vr_place(f->hosts, 5, &wish, hosts, &brief) == 1 && hosts[0] == 1);
    vr_place_explain(f->hosts, 5, &wish, hosts, 1, why, sizeof(why));
    CHECK(strstr(why, "no room for 3072 more KiB of config: at most 6144"));
    free(f);
}

#define MANY 1000

TEST(plan__a_thousand_procs_and_hosts__well_below_a_second)
{
    struct fixture *f = vr_alloc(sizeof(*f));
    vr_auto_free struct vr_plan_host *hosts = vr_alloc_array(MANY, sizeof(*hosts));
    vr_auto_free struct vr_plan_proc *procs = vr_alloc_array(MANY, sizeof(*procs));
    struct vr_mono began;

    init(f);
    for (int i = 0; i < MANY; i++) {
        hosts[i] = f->hosts[0];
        hosts[i].id = i + 1;
        procs[i] = f->procs[0];
        procs[i].id = i + 1;
        procs[i].host = &hosts[i];
    }
    f->snap.hosts = hosts;
    f->snap.host_count = MANY;
    f->current.size = MANY;
    activate(f, VR_DISPATCH, VR_STEP_RELEASE);
    f->snap.pool_count = 0;
    f->snap.proc_count = 0;
    began = vr_mono_now();
    CHECK(vr_plan(&f->snap, &f->actions) == MANY + 1);
    f->snap.procs = procs;
    f->snap.proc_count = MANY;
    f->active.frozen.size = 0;
    f->active.step = VR_STEP_ROUTE;
    CHECK(vr_plan(&f->snap, &f->actions) == MANY + 1);
    CHECK(vr_mono_ms_between(began, vr_mono_now()) < 1000);
    vr_plan_actions_fini(&f->actions);
    free(f);
}
