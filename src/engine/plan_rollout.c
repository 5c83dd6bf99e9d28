/* SPDX-License-Identifier: MIT */
/*
 * A rollout, step by step, as two tables of rules; in each, the first rule that is met acts.
 *
 * `rollout_rules` decide where the rollout goes: forward, or back because of a cancel, a newer
 * dispatch or a failure; and they see to build and release. `settle_rules` move the procs towards
 * the goal, whatever it is. So the way back needs no code of its own: its goal is the current
 * rollout, whose procs are still there, un-admitted at most; they are admitted, confirmed, and
 * then the new ones leave as old ones do. A swarm at rest is settled by the same rules, which is
 * how strays disappear and procs that come back are taken in again.
 *
 * The stored step and its deadline are for people and for giving up. They never say what to do
 * next: that follows from the procs alone.
 */
#include "engine/plan_view.h"

#include <inttypes.h>

struct fault {
    enum vr_step step;
    const struct vr_plan_proc *proc; /* or NULL */
    const char *text;
};

bool plan_first_match(struct plan *p, const struct plan_rule *rules, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (rules[i].is_met(p)) {
            rules[i].act(p);
            return true;
        }
    }
    return false;
}

/* --- steps and their deadlines --- */

static int64_t step_secs(const struct vr_policy *pol, enum vr_step step)
{
    switch (step) {
    case VR_STEP_NONE:
        return 0;
    case VR_STEP_RESOLVE:
        return pol->resolve_secs;
    case VR_STEP_BUILD:
        return pol->build_secs;
    case VR_STEP_RELEASE:
        return VR_PLAN_RELEASE_SECS;
    case VR_STEP_PLACE:
        return VR_PLAN_PLACE_SECS;
    case VR_STEP_START:
        return pol->fetch_secs + pol->start_timeout_secs + pol->start_secs;
    case VR_STEP_TEST:
        return pol->test_secs + pol->test_retry_secs + VR_PLAN_TEST_SLACK_SECS;
    case VR_STEP_ROUTE:
        return pol->route_secs;
    case VR_STEP_DRAIN:
        return pol->route_secs + pol->drain_secs;
    case VR_STEP_STOP:
        return pol->stop_secs + VR_PLAN_STOP_SLACK_SECS;
    }
    return 0;
}

static struct vr_plan_action *set_step(struct plan *p, enum vr_step step, struct vr_wall deadline)
{
    struct vr_plan_action *a = plan_act(p, VR_PLAN_SET_STEP);

    a->step = step;
    a->deadline = deadline;
    a->past_return = p->active->past_return;
    return a;
}

/* Show a step, with a deadline of its own; the way back has one for all its steps. */
static void show_step(struct plan *p, enum vr_step step)
{
    struct vr_wall deadline = plan_after(p->snap->now, step_secs(&p->snap->policy, step));

    if (p->active->step == step)
        return;
    if (p->active->phase != VR_PHASE_NORMAL)
        deadline = p->active->deadline;
    set_step(p, step, deadline);
}

/* The same for rules that also serve a swarm at rest. */
static void enter(struct plan *p, enum vr_step step)
{
    if (p->active && !p->building)
        show_step(p, step);
}

/* --- where the rollout goes --- */

static bool is_normal(const struct plan *p)
{
    return p->active->phase == VR_PHASE_NORMAL;
}

static bool is_cancelled_too_late(struct plan *p)
{
    return p->active->cancel_requested && is_normal(p) && p->active->past_return;
}

static void refuse_cancel(struct plan *p)
{
    plan_act(p, VR_PLAN_REFUSE_CANCEL)->text = "past the point of return; use rollback";
}

static void turn_back(struct plan *p, enum vr_phase phase)
{
    struct vr_plan_action *a = plan_act(p, VR_PLAN_SET_PHASE);

    a->phase = phase;
    a->deadline = plan_after(p->snap->now, plan_back_secs(p));
}

static bool is_cancelled(struct plan *p)
{
    return p->active->cancel_requested && is_normal(p);
}

static void cancel(struct plan *p)
{
    turn_back(p, VR_PHASE_CANCELLING);
}

static bool is_superseded(struct plan *p)
{
    return p->snap->queued && is_normal(p) && !p->active->past_return;
}

static void supersede(struct plan *p)
{
    turn_back(p, VR_PHASE_SUPERSEDING);
}

static bool is_overdue(struct plan *p)
{
    return p->active->deadline.us && plan_is_due(p, p->active->deadline);
}

/* --- the end --- */

static void tell_leftovers(struct plan *p)
{
    const struct vr_plan_snapshot *s = p->snap;
    const struct vr_plan_pool *pool = plan_pool(p, p->goal ? p->goal->pool : 0);

    for (size_t i = 0; i < s->proc_count; i++)
        if (p->role[i] == ROLE_OLD)
            plan_act_on(p, VR_PLAN_LEFTOVER, &s->procs[i])->text =
                plan_is_unknown(&s->procs[i]) ? "its host is lost" : "does not stop";
    for (size_t i = 0; pool && i < pool->host_count; i++) {
        if (pool->hosts[i].confirmed < pool->generation) {
            struct vr_plan_action *a = plan_act(p, VR_PLAN_LEFTOVER);

            a->host = pool->hosts[i].host->id;
            a->text = "the balancer on it did not confirm";
        }
    }
}

static enum vr_result result_of(enum vr_phase phase)
{
    switch (phase) {
    case VR_PHASE_NORMAL:
        return VR_RESULT_DONE;
    case VR_PHASE_FAILING:
        return VR_RESULT_FAILED;
    case VR_PHASE_CANCELLING:
        return VR_RESULT_CANCELLED;
    case VR_PHASE_SUPERSEDING:
        return VR_RESULT_SUPERSEDED;
    }
    return VR_RESULT_FAILED;
}

static int64_t heal_wait_secs(int32_t failures)
{
    int64_t secs = VR_PLAN_HEAL_WAIT_SECS;

    for (int32_t i = 0; i < failures && secs < VR_PLAN_HEAL_WAIT_MAX; i++)
        secs *= 2;
    return secs < VR_PLAN_HEAL_WAIT_MAX ? secs : VR_PLAN_HEAL_WAIT_MAX;
}

static void finish(struct plan *p)
{
    enum vr_kind kind = p->active->frozen.kind;
    struct vr_plan_action *a;

    tell_leftovers(p);
    if (is_normal(p))
        plan_act(p, VR_PLAN_SET_CURRENT);
    a = plan_act(p, VR_PLAN_END);
    a->result = result_of(p->active->phase);
    a->rollout_kind = kind;
    /* What reached its goal only in part waits too, lest it be tried again at once. */
    if ((kind == VR_HEAL || kind == VR_MOVE) &&
        (a->result != VR_RESULT_DONE || p->ready < p->size || p->old_admitted)) {
        a->heal_failures = p->snap->heal_failures + 1;
        a->heal_after = plan_after(p->snap->now, heal_wait_secs(p->snap->heal_failures));
    }
}

/* What does not die in time cannot be helped by going back: the new generation serves. */
static bool is_stop_overdue(struct plan *p)
{
    return p->forward && p->active->step == VR_STEP_STOP && p->ready >= p->size && is_overdue(p);
}

static bool is_way_back_overdue(struct plan *p)
{
    return !is_normal(p) && is_overdue(p);
}

/* A proc placed on the way back failed as well: healing, which waits between tries, goes on. */
static bool is_way_back_barred(struct plan *p)
{
    if (is_normal(p) || !p->active->past_return)
        return false;
    for (size_t i = 0; i < p->snap->proc_count; i++) {
        const struct vr_plan_proc *proc = &p->snap->procs[i];

        if (plan_is_new(p, proc) && proc->desired == VR_RUN && p->goal &&
            proc->release == p->goal->release &&
            (proc->actual == VR_FATAL || proc->actual == VR_EXITED))
            return true;
    }
    return false;
}

/* --- a failed start is tried once elsewhere --- */

static const struct vr_plan_proc *find_failed_start(const struct plan *p)
{
    for (size_t i = 0; i < p->snap->proc_count; i++) {
        const struct vr_plan_proc *proc = &p->snap->procs[i];

        if (plan_is_new(p, proc) && proc->desired == VR_RUN && proc->actual == VR_FATAL &&
            proc->start_failed && !proc->retried && !plan_command_of(p, proc))
            return proc;
    }
    return NULL;
}

static bool is_retried_elsewhere(struct plan *p)
{
    const struct vr_plan_proc *proc = p->forward ? find_failed_start(p) : NULL;

    if (!proc || is_overdue(p))
        return false;
    plan_pick_hosts(p, 1, proc->host->id);
    return p->pick_count == 1;
}

static struct vr_plan_action *place_on(struct plan *p, size_t host)
{
    struct vr_plan_action *a = plan_act(p, VR_PLAN_PLACE);

    a->host = p->snap->hosts[host].id;
    a->release = p->goal->release;
    a->pool = p->goal->pool;
    return a;
}

static void retry_elsewhere(struct plan *p)
{
    const struct vr_plan_proc *proc = find_failed_start(p);

    plan_act_on(p, VR_PLAN_STOP, proc)->force = true;
    place_on(p, p->picks[0])->retry_of = proc->id;
    set_step(p, VR_STEP_START,
             plan_after(p->snap->now, step_secs(&p->snap->policy, VR_STEP_START)));
}

/* --- uptests --- */

enum verdict { TEST_OK, TEST_ASK, TEST_WAIT, TEST_FAILED };

/* Does the rollout wait for this proc? On the way back and at rest: only before old ones leave. */
static bool is_awaited(const struct plan *p, size_t i)
{
    const struct vr_plan_proc *proc = &p->snap->procs[i];
    const struct vr_plan_command *c = plan_command_of(p, proc);

    if (p->role[i] != ROLE_KEEP || proc->desired == VR_HELD || (c && c->kind == VR_CMD_STOP))
        return false;
    if (plan_is_unknown(proc) && plan_serves(p->snap, proc))
        return false;
    if (!p->forward)
        return p->old_serving > 0;
    return plan_is_new(p, proc) || plan_is_retest(p) || p->goal->kind == VR_RESTART;
}

static enum verdict verdict_of_failure(struct plan *p, const struct vr_plan_proc *proc)
{
    int64_t retry = p->snap->policy.test_retry_secs;

    if (!retry || plan_is_due(p, plan_after(proc->test_began, retry)))
        return TEST_FAILED;
    return plan_is_due(p, plan_after(proc->tested_at, 1)) ? TEST_ASK : TEST_WAIT;
}

/* A new proc that was taken out for bad health is not tested before it answers again. */
static bool is_sick(const struct vr_plan_proc *proc)
{
    return proc->unhealthy_since.us != 0;
}

static enum verdict verdict(struct plan *p, const struct vr_plan_proc *proc)
{
    /* What ran before is tested anew, without losing its place until it fails. */
    bool anew = plan_is_retest(p) && !plan_is_new(p, proc);
    bool is_stale = anew && proc->tested_at.us < p->active->started.us;

    if (proc->passed && !anew)
        return TEST_OK;
    if (proc->actual != VR_RUNNING || is_sick(proc))
        return TEST_WAIT;
    if (is_stale || proc->tested == VR_TESTED_NO)
        return TEST_ASK;
    switch (proc->tested) {
    case VR_TESTED_NO:
    case VR_TESTED_PENDING:
        return TEST_WAIT;
    case VR_TESTED_PASSED:
        return TEST_OK;
    case VR_TESTED_FAILED:
        return verdict_of_failure(p, proc);
    }
    return TEST_WAIT;
}

static bool has_verdict(struct plan *p, enum verdict which)
{
    for (size_t i = 0; i < p->snap->proc_count; i++)
        if (is_awaited(p, i) && verdict(p, &p->snap->procs[i]) == which)
            return true;
    return false;
}

/* --- what makes a rollout fail --- */

static const char *text_of(const char *fault, const char *otherwise)
{
    return fault ? fault : otherwise;
}

static bool find_work_fault(struct plan *p, struct fault *f)
{
    const struct vr_plan_active *a = p->active;

    if (a->needs_resolve && a->resolve == VR_WORK_FAILED)
        *f = (struct fault){VR_STEP_RESOLVE, NULL, text_of(a->resolve_fault, "resolve failed")};
    else if (p->building && !a->needs_resolve && a->build && a->build_state == VR_WORK_FAILED)
        *f = (struct fault){VR_STEP_BUILD, NULL, text_of(a->build_fault, "the build failed")};
    else
        return false;
    return true;
}

static bool find_fatal_proc(struct plan *p, struct fault *f)
{
    for (size_t i = 0; i < p->snap->proc_count; i++) {
        const struct vr_plan_proc *proc = &p->snap->procs[i];

        if (!plan_is_new(p, proc) || proc->desired != VR_RUN || plan_command_of(p, proc) ||
            (proc->actual != VR_FATAL && proc->actual != VR_EXITED))
            continue;
        *f = (struct fault){proc->start_failed ? VR_STEP_START : p->active->step, proc,
                            text_of(proc->fault, "gave up")};
        return true;
    }
    return false;
}

static bool find_failed_test(struct plan *p, struct fault *f)
{
    for (size_t i = 0; i < p->snap->proc_count; i++) {
        const struct vr_plan_proc *proc = &p->snap->procs[i];

        if (!p->forward || !is_awaited(p, i) || verdict(p, proc) != TEST_FAILED)
            continue;
        *f = (struct fault){VR_STEP_TEST, proc, text_of(proc->fault, "an uptest failed")};
        return true;
    }
    return false;
}

/* Healing and moving do what they can; a user's wish is met as a whole or not at all. */
static bool is_partial_fine(const struct plan *p)
{
    return !p->forward || p->goal->kind == VR_HEAL || p->goal->kind == VR_MOVE;
}

static bool lacks_room(const struct plan *p)
{
    return p->forward && p->pick_count < p->missing && !is_partial_fine(p);
}

static bool find_no_room(struct plan *p, struct fault *f)
{
    if (!lacks_room(p) || p->brief)
        return false;
    *f = (struct fault){VR_STEP_PLACE, NULL, plan_explain_no_room(p, p->missing)};
    return true;
}

static const struct vr_plan_proc *find_laggard(struct plan *p)
{
    for (size_t i = 0; i < p->snap->proc_count; i++) {
        const struct vr_plan_proc *proc = &p->snap->procs[i];

        if (p->forward && is_awaited(p, i) &&
            (proc->actual != VR_RUNNING || verdict(p, proc) == TEST_WAIT))
            return proc;
    }
    return NULL;
}

/* The balancer host that a step in `route` or `drain` waits for. */
static const struct vr_plan_pool_host *find_unconfirmed(const struct plan *p)
{
    for (size_t i = 0; i < p->snap->pool_count; i++) {
        const struct vr_plan_pool *pool = &p->snap->pools[i];

        for (size_t j = 0; j < pool->host_count; j++)
            if (pool->hosts[j].confirmed < pool->generation)
                return &pool->hosts[j];
    }
    return NULL;
}

static const char *explain_delay(struct plan *p, const struct vr_plan_proc *laggard)
{
    const struct vr_plan_pool_host *h = find_unconfirmed(p);
    const char *step = vr_step_name(p->active->step);

    if (lacks_room(p))
        return plan_explain_no_room(p, p->missing);
    if (laggard)
        return plan_text(p, "%s took too long: %s", step,
                         text_of(laggard->fault, "the proc is not ready"));
    if (h && (p->active->step == VR_STEP_ROUTE || p->active->step == VR_STEP_DRAIN))
        return plan_text(p, "%s took too long: balancer host '%s': %s", step, h->host->name,
                         text_of(h->error, "did not confirm"));
    return plan_text(p, "%s took too long", step);
}

static bool find_delay(struct plan *p, struct fault *f)
{
    bool is_out_of_time = plan_is_due(p, plan_after(p->active->started, plan_forward_secs(p)));

    if (!is_overdue(p) && !is_out_of_time)
        return false;
    f->step = p->active->step;
    f->proc = find_laggard(p);
    f->text = explain_delay(p, f->proc);
    return true;
}

static bool find_fault(struct plan *p, struct fault *f)
{
    return find_work_fault(p, f) || find_fatal_proc(p, f) || find_failed_test(p, f) ||
           find_no_room(p, f) || find_delay(p, f);
}

static bool has_failed(struct plan *p)
{
    struct fault f = {0};
    int texts = p->out->text_count;
    bool failed = is_normal(p) && find_fault(p, &f);

    p->out->text_count = texts; /* only asked, not told */
    return failed;
}

static void fail(struct plan *p)
{
    struct fault f = {0};
    struct vr_plan_action *a;

    if (find_fault(p, &f) && !p->active->has_cause) {
        a = f.proc ? plan_act_on(p, VR_PLAN_CAUSE, f.proc) : plan_act(p, VR_PLAN_CAUSE);
        a->step = f.step;
        a->text = f.text;
    }
    turn_back(p, VR_PHASE_FAILING);
}

/* --- resolve, build, release --- */

static bool is_unresolved(struct plan *p)
{
    return p->building && p->active->needs_resolve;
}

static void resolve(struct plan *p)
{
    show_step(p, VR_STEP_RESOLVE);
    if (p->active->resolve == VR_WORK_NONE)
        plan_act(p, VR_PLAN_REQUEST_RESOLVE);
}

static bool is_unbuilt(struct plan *p)
{
    return p->building && (!p->active->build || p->active->build_state != VR_WORK_SUCCESS);
}

static void build(struct plan *p)
{
    show_step(p, VR_STEP_BUILD);
    if (!p->active->build || p->active->build_state == VR_WORK_EXPIRED)
        plan_act(p, VR_PLAN_TAKE_BUILD);
}

static bool is_unreleased(struct plan *p)
{
    return p->building;
}

static void make_release(struct plan *p)
{
    show_step(p, VR_STEP_RELEASE);
    plan_act(p, VR_PLAN_CREATE_RELEASE);
}

static const struct plan_rule rollout_rules[] = {
    {"cancel requested, old procs already stopping", is_cancelled_too_late, refuse_cancel},
    {"cancel requested", is_cancelled, cancel},
    {"a newer dispatch waits", is_superseded, supersede},
    {"the way back took too long", is_way_back_overdue, finish},
    {"the way back fails too", is_way_back_barred, finish},
    {"old procs do not stop in time", is_stop_overdue, finish},
    {"a host could not start a proc", is_retried_elsewhere, retry_elsewhere},
    {"deadline passed, proc fatal, test failed, no room", has_failed, fail},
    {"the tag is not resolved", is_unresolved, resolve},
    {"no usable build", is_unbuilt, build},
    {"no release", is_unreleased, make_release},
};

/* --- towards the goal --- */

static bool can_place(struct plan *p)
{
    return p->missing && p->pick_count && !lacks_room(p);
}

static void place(struct plan *p)
{
    enter(p, VR_STEP_PLACE);
    for (size_t i = 0; i < p->pick_count; i++)
        place_on(p, p->picks[i]);
}

static void wait_for_room(struct plan *p)
{
    enter(p, VR_STEP_PLACE);
}

static bool waits_for_room(struct plan *p)
{
    return lacks_room(p);
}

static bool runs_long_enough(struct plan *p, const struct vr_plan_proc *proc)
{
    return proc->actual == VR_RUNNING &&
           plan_is_due(p, plan_after(proc->running_since, p->snap->policy.start_secs));
}

static bool do_not_all_run(struct plan *p)
{
    bool all = true;

    for (size_t i = 0; i < p->snap->proc_count; i++)
        if (is_awaited(p, i) && !runs_long_enough(p, &p->snap->procs[i]))
            all = false;
    return !all;
}

static bool is_any_fetching(const struct plan *p)
{
    for (size_t i = 0; i < p->snap->proc_count; i++)
        if (is_awaited(p, i) && p->snap->procs[i].actual <= VR_FETCHING)
            return true;
    return false;
}

/* start_timeout_secs count from the end of the fetch. */
static void wait_for_start(struct plan *p)
{
    const struct vr_policy *pol = &p->snap->policy;
    struct vr_wall sooner = plan_after(p->snap->now, pol->start_timeout_secs + pol->start_secs);

    enter(p, VR_STEP_START);
    if (p->forward && p->active->step == VR_STEP_START && !is_any_fetching(p) &&
        sooner.us < p->active->deadline.us)
        set_step(p, VR_STEP_START, sooner);
}

static bool are_tests_to_ask(struct plan *p)
{
    return p->forward && has_verdict(p, TEST_ASK);
}

static void ask_tests(struct plan *p)
{
    enter(p, VR_STEP_TEST);
    for (size_t i = 0; i < p->snap->proc_count; i++)
        if (is_awaited(p, i) && verdict(p, &p->snap->procs[i]) == TEST_ASK)
            plan_act_on(p, VR_PLAN_TEST, &p->snap->procs[i]);
}

static bool are_not_all_tested(struct plan *p)
{
    return has_verdict(p, TEST_WAIT) || has_verdict(p, TEST_FAILED) ||
           (!p->forward && has_verdict(p, TEST_ASK)); /* plan_heal.c asks */
}

static void wait_for_tests(struct plan *p)
{
    enter(p, VR_STEP_TEST);
}

static bool is_to_admit(const struct plan *p, size_t i)
{
    const struct vr_plan_proc *proc = &p->snap->procs[i];
    const struct vr_plan_command *c = plan_command_of(p, proc);

    if (c && (c->kind == VR_CMD_STOP || (c->kind == VR_CMD_RESTART && !c->issued)))
        return false;
    return p->role[i] == ROLE_KEEP && proc->passed && !proc->admitted && proc->desired == VR_RUN &&
           proc->actual == VR_RUNNING && !plan_is_unknown(proc);
}

static bool are_any_to_admit(struct plan *p)
{
    for (size_t i = 0; i < p->snap->proc_count; i++)
        if (is_to_admit(p, i))
            return true;
    return false;
}

static void admit(struct plan *p)
{
    if (p->goal->pool)
        enter(p, VR_STEP_ROUTE);
    for (size_t i = 0; i < p->snap->proc_count; i++)
        if (is_to_admit(p, i))
            plan_act_on(p, VR_PLAN_ADMIT, &p->snap->procs[i]);
}

static bool is_not_routed(struct plan *p)
{
    if (!p->goal || (!p->forward && !p->old_serving))
        return false;
    return !plan_is_confirmed(p, p->goal->pool);
}

/* In step drain it is the generation without the old procs that is awaited. */
static void wait_for_route(struct plan *p)
{
    if (!p->active || p->active->step != VR_STEP_DRAIN)
        enter(p, VR_STEP_ROUTE);
}

/*
 * All, once the goal serves; before that, those that do not serve anyway, and what exceeds the
 * larger of the generations.
 */
static size_t count_leaving(const struct plan *p)
{
    size_t larger = p->size, all = p->ready + p->old_serving;

    if (p->ready >= p->size)
        return p->old_admitted;
    if (p->snap->current && (size_t)p->snap->current->size > larger)
        larger = (size_t)p->snap->current->size;
    return p->old_admitted - p->old_serving + (all > larger ? all - larger : 0);
}

static bool are_old_to_unadmit(struct plan *p)
{
    return count_leaving(p) > 0;
}

static void unadmit(struct plan *p)
{
    size_t n = count_leaving(p);

    if (p->goal && p->goal->pool)
        enter(p, VR_STEP_DRAIN);
    for (; n > 0; n--) {
        const struct vr_plan_proc *worst = plan_worst(p, ROLE_OLD, true);

        plan_act_on(p, VR_PLAN_UNADMIT, worst);
        p->role[worst - p->snap->procs] = ROLE_DEALT_WITH;
    }
}

static bool is_leaving(const struct plan *p, size_t i)
{
    return p->role[i] == ROLE_OLD && !p->snap->procs[i].admitted &&
           p->snap->procs[i].desired != VR_STOP;
}

static bool are_not_drained(struct plan *p)
{
    bool drained = true;

    for (size_t i = 0; i < p->snap->proc_count; i++)
        if (is_leaving(p, i) && !plan_is_out(p, &p->snap->procs[i]))
            drained = false;
    return !drained;
}

static void wait_for_drain(struct plan *p)
{
    enter(p, VR_STEP_DRAIN);
}

static bool are_old_to_stop(struct plan *p)
{
    for (size_t i = 0; i < p->snap->proc_count; i++)
        if (is_leaving(p, i))
            return true;
    return false;
}

static void stop(struct plan *p)
{
    bool past_return = false;

    for (size_t i = 0; i < p->snap->proc_count; i++) {
        if (!is_leaving(p, i))
            continue;
        plan_act_on(p, VR_PLAN_STOP, &p->snap->procs[i]);
        past_return |= !plan_is_new(p, &p->snap->procs[i]);
    }
    if (p->forward && past_return && !p->active->past_return)
        set_step(p, VR_STEP_STOP,
                 plan_after(p->snap->now, step_secs(&p->snap->policy, VR_STEP_STOP)))
            ->past_return = true;
    else
        enter(p, VR_STEP_STOP);
}

static bool are_still_stopping(struct plan *p)
{
    for (size_t i = 0; i < p->snap->proc_count; i++)
        if (p->role[i] == ROLE_OLD && p->snap->procs[i].desired == VR_STOP &&
            !plan_is_unknown(&p->snap->procs[i]))
            return true;
    return false;
}

static void wait_for_stop(struct plan *p)
{
    enter(p, VR_STEP_STOP);
}

static const struct plan_rule settle_rules[] = {
    {"fewer assigned procs than wanted now", can_place, place},
    {"no host has room just now", waits_for_room, wait_for_room},
    {"not all of them running for start_secs", do_not_all_run, wait_for_start},
    {"not all of them tested: ask", are_tests_to_ask, ask_tests},
    {"not all of them tested: wait", are_not_all_tested, wait_for_tests},
    {"all tested, not admitted", are_any_to_admit, admit},
    {"generation not confirmed by every live balancer host", is_not_routed, wait_for_route},
    {"old procs still admitted", are_old_to_unadmit, unadmit},
    {"drain not over", are_not_drained, wait_for_drain},
    {"old procs not stopped", are_old_to_stop, stop},
    {"old procs still stopping", are_still_stopping, wait_for_stop},
};

bool plan_settle(struct plan *p)
{
    return plan_first_match(p, settle_rules, VR_COUNT(settle_rules));
}

/* Scaling is done when all are placed and proved: sick ones of before are for healing. */
static bool is_complete(const struct plan *p)
{
    return p->ready >= p->size || is_partial_fine(p) ||
           (p->goal->kind == VR_SCALE && p->keep >= p->size);
}

void plan_rollout(struct plan *p)
{
    size_t before = p->out->count;

    if (plan_first_match(p, rollout_rules, VR_COUNT(rollout_rules))) {
        /* While the release is being made, the current generation is kept well. */
        if (p->building && p->out->count == before)
            plan_settle(p);
        return;
    }
    if (!plan_settle(p) && is_complete(p))
        finish(p);
}
