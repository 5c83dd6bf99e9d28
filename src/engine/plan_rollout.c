/* SPDX-License-Identifier: MIT */
/*
 * A rollout, step by step, as two tables of rules; in each, the first rule that is met acts.
 *
 * `rollout_rules` below decide where the rollout goes: forward, or back because of a cancel, a
 * newer dispatch or a failure; and they see to build and release. `settle_rules` in plan_settle.c
 * move the procs towards the goal, whatever it is. So the way back needs no code of its own: its
 * goal is the current rollout, whose procs are still there, un-admitted at most; they are admitted,
 * confirmed, and then the new ones leave as old ones do. A swarm at rest is settled by the same
 * rules, which is how strays disappear and procs that come back are taken in again.
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

static void retry_elsewhere(struct plan *p)
{
    const struct vr_plan_proc *proc = find_failed_start(p);

    plan_act_on(p, VR_PLAN_STOP, proc)->force = true;
    plan_place_on(p, p->picks[0])->retry_of = proc->id;
    plan_set_step(p, VR_STEP_START,
                  plan_after(p->snap->now, plan_step_secs(&p->snap->policy, VR_STEP_START)));
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

        if (!p->forward || !plan_is_awaited(p, i) || plan_verdict(p, proc) != TEST_FAILED)
            continue;
        *f = (struct fault){VR_STEP_TEST, proc, text_of(proc->fault, "an uptest failed")};
        return true;
    }
    return false;
}

static bool find_no_room(struct plan *p, struct fault *f)
{
    if (!plan_lacks_room(p) || p->brief)
        return false;
    *f = (struct fault){VR_STEP_PLACE, NULL, plan_explain_no_room(p, p->missing)};
    return true;
}

static const struct vr_plan_proc *find_laggard(struct plan *p)
{
    for (size_t i = 0; i < p->snap->proc_count; i++) {
        const struct vr_plan_proc *proc = &p->snap->procs[i];

        if (p->forward && plan_is_awaited(p, i) &&
            (proc->actual != VR_RUNNING || plan_verdict(p, proc) == TEST_WAIT))
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

    if (plan_lacks_room(p))
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
    /* A cause may be there before we look: what applied the last plan could not do it. */
    bool failed = is_normal(p) && (p->active->has_cause || find_fault(p, &f));

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
    plan_show_step(p, VR_STEP_RESOLVE);
    if (p->active->resolve == VR_WORK_NONE)
        plan_act(p, VR_PLAN_REQUEST_RESOLVE);
}

static bool is_unbuilt(struct plan *p)
{
    return p->building && (!p->active->build || p->active->build_state != VR_WORK_SUCCESS);
}

static void build(struct plan *p)
{
    plan_show_step(p, VR_STEP_BUILD);
    if (!p->active->build || p->active->build_state == VR_WORK_EXPIRED)
        plan_act(p, VR_PLAN_TAKE_BUILD);
}

static bool is_unreleased(struct plan *p)
{
    return p->building;
}

static void make_release(struct plan *p)
{
    plan_show_step(p, VR_STEP_RELEASE);
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

/* Scaling is done when all are placed and proved: sick ones of before are for healing. */
static bool is_complete(const struct plan *p)
{
    return p->ready >= p->size || plan_is_partial_fine(p) ||
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
