/* SPDX-License-Identifier: MIT */
/*
 * Moving the procs of a swarm towards its goal, by one step at a time.
 *
 * Whatever the goal is - a rollout that goes forward, the generation before it on the way back, or
 * the current one of a swarm at rest - the same rules apply in the same order, and the first that
 * is met acts. They follow from the procs alone, so that after a crash, or when hosts and procs
 * change under a rollout, the next call finds the right place in the table by itself.
 */
#include "engine/plan_view.h"

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

int64_t plan_step_secs(const struct vr_policy *pol, enum vr_step step)
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
        return pol->fetch_secs + pol->start_timeout_secs + pol->start_secs +
               VR_PLAN_START_SLACK_SECS;
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

struct vr_plan_action *plan_set_step(struct plan *p, enum vr_step step, struct vr_wall deadline)
{
    struct vr_plan_action *a = plan_act(p, VR_PLAN_SET_STEP);

    a->step = step;
    a->deadline = deadline;
    a->past_return = p->active->past_return;
    return a;
}

/* Show a step, with a deadline of its own; the way back has one for all its steps. */
void plan_show_step(struct plan *p, enum vr_step step)
{
    struct vr_wall deadline = plan_after(p->snap->now, plan_step_secs(&p->snap->policy, step));

    if (p->active->step == step)
        return;
    if (p->active->phase != VR_PHASE_NORMAL)
        deadline = p->active->deadline;
    plan_set_step(p, step, deadline);
}

/* The same for rules that also serve a swarm at rest. */
static void enter(struct plan *p, enum vr_step step)
{
    if (p->active && !p->building)
        plan_show_step(p, step);
}

struct vr_plan_action *plan_place_on(struct plan *p, size_t host)
{
    struct vr_plan_action *a = plan_act(p, VR_PLAN_PLACE);

    a->host = p->snap->hosts[host].id;
    a->release = p->goal->release;
    a->pool = p->goal->pool;
    return a;
}

/* --- uptests --- */

/* Does the rollout wait for this proc? On the way back and at rest: only before old ones leave. */
bool plan_is_awaited(const struct plan *p, size_t i)
{
    const struct vr_plan_proc *proc = &p->snap->procs[i];

    if (p->role[i] != ROLE_KEEP || proc->desired == VR_HELD || plan_is_leaving_by_stop(p, proc))
        return false;
    if (plan_is_unknown(proc) && plan_serves(p->snap, proc))
        return false;
    if (!p->forward)
        return p->old_serving > 0;
    return plan_is_new(p, proc) || plan_is_retest(p) || p->goal->kind == VR_RESTART;
}

static enum plan_verdict verdict_of_failure(struct plan *p, const struct vr_plan_proc *proc)
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

enum plan_verdict plan_verdict(struct plan *p, const struct vr_plan_proc *proc)
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

static bool has_verdict(struct plan *p, enum plan_verdict which)
{
    for (size_t i = 0; i < p->snap->proc_count; i++)
        if (plan_is_awaited(p, i) && plan_verdict(p, &p->snap->procs[i]) == which)
            return true;
    return false;
}

/* Healing and moving do what they can; a user's wish is met as a whole or not at all. */
bool plan_is_partial_fine(const struct plan *p)
{
    return !p->forward || p->goal->kind == VR_HEAL || p->goal->kind == VR_MOVE;
}

bool plan_lacks_room(const struct plan *p)
{
    return p->forward && p->pick_count < p->missing && !plan_is_partial_fine(p);
}

/* --- towards the goal --- */

static bool can_place(struct plan *p)
{
    return p->missing && p->pick_count && !plan_lacks_room(p);
}

static void place(struct plan *p)
{
    enter(p, VR_STEP_PLACE);
    for (size_t i = 0; i < p->pick_count; i++)
        plan_place_on(p, p->picks[i]);
}

static void wait_for_room(struct plan *p)
{
    enter(p, VR_STEP_PLACE);
}

static bool waits_for_room(struct plan *p)
{
    return plan_lacks_room(p);
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
        if (plan_is_awaited(p, i) && !runs_long_enough(p, &p->snap->procs[i]))
            all = false;
    return !all;
}

static bool is_any_fetching(const struct plan *p)
{
    for (size_t i = 0; i < p->snap->proc_count; i++)
        if (plan_is_awaited(p, i) && p->snap->procs[i].actual <= VR_FETCHING)
            return true;
    return false;
}

/* start_timeout_secs count from the end of the fetch. */
static void wait_for_start(struct plan *p)
{
    const struct vr_policy *pol = &p->snap->policy;
    struct vr_wall sooner = plan_after(p->snap->now, pol->start_timeout_secs + pol->start_secs +
                                                         VR_PLAN_START_SLACK_SECS);

    enter(p, VR_STEP_START);
    if (p->forward && p->active->step == VR_STEP_START && !is_any_fetching(p) &&
        sooner.us < p->active->deadline.us)
        plan_set_step(p, VR_STEP_START, sooner);
}

static bool are_tests_to_ask(struct plan *p)
{
    return p->forward && has_verdict(p, TEST_ASK);
}

static void ask_tests(struct plan *p)
{
    enter(p, VR_STEP_TEST);
    for (size_t i = 0; i < p->snap->proc_count; i++)
        if (plan_is_awaited(p, i) && plan_verdict(p, &p->snap->procs[i]) == TEST_ASK)
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

    if (plan_is_leaving_by_stop(p, proc) || (c && c->kind == VR_CMD_RESTART && !c->issued))
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
        plan_set_step(p, VR_STEP_STOP,
                      plan_after(p->snap->now, plan_step_secs(&p->snap->policy, VR_STEP_STOP)))
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
