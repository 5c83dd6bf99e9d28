/* SPDX-License-Identifier: MIT */
/*
 * What befalls single procs, and a swarm that no rollout is changing.
 *
 * A lost host makes its procs unknown; a host that is back makes them known again, in a new epoch
 * unless they kept serving. A proc that crashed starts a new life, in which it has not passed its
 * uptests: it leaves its pool by that alone, and returns after a re-test. So does one in bad
 * health, later each time. Users' commands stop, start, restart and remove one proc by the same
 * order of moves as a rollout: un-admit, confirm, drain, signal.
 *
 * At rest, the current rollout's frozen values are the goal. What is missing is healed by a
 * rollout of its own, so that replacements pass the same gate and people see them.
 */
#include "engine/plan_view.h"

#include <stdio.h>

/* --- what happens to a proc without anybody asking --- */

struct proc_rule {
    const char *when;
    bool (*is_met)(struct plan *p, const struct vr_plan_proc *proc);
    void (*act)(struct plan *p, const struct vr_plan_proc *proc);
};

static bool is_newly_lost(struct plan *p, const struct vr_plan_proc *proc)
{
    return proc->actual != VR_UNKNOWN && plan_is_unknown(proc);
}

static void mark_unknown(struct plan *p, const struct vr_plan_proc *proc)
{
    plan_act_on(p, VR_PLAN_UNKNOWN, proc);
}

static bool is_back(struct plan *p, const struct vr_plan_proc *proc)
{
    return proc->actual == VR_UNKNOWN && proc->host->liveness == VR_LIVE && proc->host->synced;
}

/* Who kept serving - only the control path was cut - goes on; all others prove themselves anew. */
static void mark_known(struct plan *p, const struct vr_plan_proc *proc)
{
    bool kept_serving = proc->admitted && proc->passed && plan_holds_on(p->snap, proc);

    plan_act_on(p, VR_PLAN_KNOWN, proc)->new_epoch = proc->desired == VR_RUN && !kept_serving;
}

static bool runs_here(const struct vr_plan_proc *proc)
{
    return proc->desired == VR_RUN && proc->actual == VR_RUNNING && !plan_is_unknown(proc);
}

/* A rollout judges the procs that it placed; they are kept well only when it has ended. */
static bool is_judged_by_rollout(const struct plan *p, const struct vr_plan_proc *proc)
{
    return p->forward && plan_is_new(p, proc);
}

/* Earlier bad health is forgotten after a long time of good health. */
static int32_t recent(struct plan *p, int32_t count, struct vr_wall last)
{
    return p->snap->now.us < plan_after(last, VR_PLAN_WELL_SECS).us ? count : 0;
}

static bool is_in_bad_health(struct plan *p, const struct vr_plan_proc *proc)
{
    return runs_here(proc) && proc->admitted && proc->passed && proc->unhealthy_since.us;
}

static void demote(struct plan *p, const struct vr_plan_proc *proc)
{
    plan_act_on(p, VR_PLAN_DEMOTE, proc)->count = recent(p, proc->flaps, proc->flapped_at) + 1;
}

static bool is_past_bearing(struct plan *p, const struct vr_plan_proc *proc)
{
    struct vr_wall since = proc->unhealthy_since;
    int32_t restarts = proc->unhealthy_restarts;

    if (!runs_here(proc) || proc->passed || is_judged_by_rollout(p, proc) ||
        restarts >= p->snap->policy.max_restarts || !plan_is_unrouted(p, proc))
        return false;
    if (!since.us && proc->tested == VR_TESTED_FAILED)
        since = proc->running_since;
    if (!since.us)
        return false;
    if (since.us < proc->running_since.us)
        since = proc->running_since;
    return plan_is_due(p, plan_after(since, p->snap->policy.unhealthy_restart_secs << restarts));
}

static void restart_for_health(struct plan *p, const struct vr_plan_proc *proc)
{
    struct vr_plan_action *a = plan_act_on(p, VR_PLAN_RESTART, proc);

    a->health = true;
    a->count = proc->unhealthy_restarts + 1;
}

static struct vr_wall flap_over(const struct vr_plan_proc *proc)
{
    int64_t secs = 1;

    if (!proc->flaps)
        return (struct vr_wall){0};
    for (int32_t i = 0; i < proc->flaps && secs < VR_PLAN_FLAP_WAIT_MAX; i++)
        secs *= 2;
    if (secs > VR_PLAN_FLAP_WAIT_MAX)
        secs = VR_PLAN_FLAP_WAIT_MAX;
    return plan_after(proc->flapped_at, secs);
}

static bool is_to_retest(struct plan *p, const struct vr_plan_proc *proc)
{
    int64_t patience = p->snap->policy.test_secs + VR_PLAN_TEST_SLACK_SECS;

    if (!runs_here(proc) || proc->passed || proc->unhealthy_since.us ||
        (!proc->admitted && p->role[proc - p->snap->procs] != ROLE_KEEP) ||
        (is_judged_by_rollout(p, proc) && !proc->admitted) || !plan_is_due(p, flap_over(proc)))
        return false;
    switch (proc->tested) {
    case VR_TESTED_NO:
        return true;
    case VR_TESTED_PENDING:
        return plan_is_due(p, plan_after(proc->tested_at, patience));
    case VR_TESTED_FAILED:
        return !is_judged_by_rollout(p, proc) &&
               plan_is_due(p, plan_after(proc->tested_at, VR_PLAN_RETEST_SECS));
    case VR_TESTED_PASSED:
        return false;
    }
    return false;
}

static void retest(struct plan *p, const struct vr_plan_proc *proc)
{
    plan_act_on(p, VR_PLAN_TEST, proc);
}

static const struct proc_rule proc_rules[] = {
    {"its host is lost", is_newly_lost, mark_unknown},
    {"its host is back", is_back, mark_known},
    {"runs, but does not answer", is_in_bad_health, demote},
    {"has not answered for unhealthy_restart_secs", is_past_bearing, restart_for_health},
    {"crashed, came back or was taken out, and runs", is_to_retest, retest},
};

/* --- what users ask of one proc --- */

static void end_command(struct plan *p, const struct vr_plan_command *c, const char *text)
{
    struct vr_plan_action *a = plan_act(p, VR_PLAN_COMMAND_DONE);

    a->command = c->id;
    a->proc = c->proc;
    a->text = text;
}

static void issue(struct plan *p, const struct vr_plan_command *c, enum vr_plan_kind kind,
                  const struct vr_plan_proc *proc)
{
    struct vr_plan_action *a = plan_act_on(p, kind, proc);

    a->force = c->force;
    a->count = 0;
    a = plan_act(p, VR_PLAN_COMMAND_ISSUED);
    a->command = c->id;
    a->proc = c->proc;
}

/* Take it out of its pool; true when it may be signalled. */
static bool lead_out(struct plan *p, const struct vr_plan_command *c,
                     const struct vr_plan_proc *proc)
{
    if (proc->admitted) {
        plan_act_on(p, VR_PLAN_UNADMIT, proc);
        return c->force;
    }
    return c->force || plan_is_out(p, proc);
}

static void obey_stop(struct plan *p, const struct vr_plan_command *c,
                      const struct vr_plan_proc *proc)
{
    if (proc->desired == VR_STOP)
        end_command(p, c, "it is being removed");
    else if (proc->desired == VR_HELD && plan_is_unknown(proc))
        end_command(p, c, "its host is lost; it stays stopped when the host is back");
    else if (proc->desired == VR_HELD && proc->actual == VR_STOPPED)
        end_command(p, c, NULL);
    else if (proc->desired == VR_RUN && !plan_is_unproved(p, proc) && lead_out(p, c, proc))
        issue(p, c, VR_PLAN_HOLD, proc);
}

/* Issued: wait until it serves again, or cannot. */
static void await_service(struct plan *p, const struct vr_plan_command *c,
                          const struct vr_plan_proc *proc)
{
    if (proc->desired != VR_RUN)
        end_command(p, c, "it is being removed");
    else if (proc->actual == VR_FATAL || proc->actual == VR_EXITED)
        end_command(p, c, proc->fault ? proc->fault : "it gave up");
    else if (proc->actual == VR_UNKNOWN)
        end_command(p, c, "its host is lost");
    else if (proc->actual == VR_RUNNING && proc->passed && proc->admitted)
        end_command(p, c, NULL);
}

static void obey_start(struct plan *p, const struct vr_plan_command *c,
                       const struct vr_plan_proc *proc)
{
    bool has_given_up =
        proc->actual == VR_FATAL || proc->actual == VR_EXITED || proc->actual == VR_BACKOFF;

    if (proc->desired == VR_STOP)
        end_command(p, c, "it is being removed");
    else if (!c->issued && (proc->desired == VR_HELD || has_given_up))
        issue(p, c, proc->desired == VR_HELD ? VR_PLAN_START : VR_PLAN_RESTART, proc);
    else
        await_service(p, c, proc);
}

static void obey_restart(struct plan *p, const struct vr_plan_command *c,
                         const struct vr_plan_proc *proc)
{
    if (c->issued)
        await_service(p, c, proc);
    else if (proc->desired == VR_HELD)
        issue(p, c, VR_PLAN_START, proc);
    else if (proc->desired == VR_STOP)
        end_command(p, c, "it is being removed");
    else if (plan_is_unknown(proc))
        end_command(p, c, "its host is lost");
    else if (!plan_is_unproved(p, proc) && lead_out(p, c, proc))
        issue(p, c, VR_PLAN_RESTART, proc);
}

static void obey_destroy(struct plan *p, const struct vr_plan_command *c,
                         const struct vr_plan_proc *proc)
{
    if (proc->desired == VR_STOP) {
        if (plan_is_unknown(proc))
            end_command(p, c, "its host is lost; it is removed when the host is back");
    } else if (lead_out(p, c, proc)) {
        issue(p, c, VR_PLAN_STOP, proc);
    }
}

static void obey(struct plan *p, const struct vr_plan_command *c, const struct vr_plan_proc *proc)
{
    switch (c->kind) {
    case VR_CMD_NONE:
        break;
    case VR_CMD_STOP:
        obey_stop(p, c, proc);
        break;
    case VR_CMD_START:
        obey_start(p, c, proc);
        break;
    case VR_CMD_RESTART:
        obey_restart(p, c, proc);
        break;
    case VR_CMD_DESTROY:
        obey_destroy(p, c, proc);
        break;
    }
}

static bool is_here(const struct plan *p, int64_t proc)
{
    for (size_t i = 0; i < p->snap->proc_count; i++)
        if (p->snap->procs[i].id == proc)
            return true;
    return false;
}

void plan_procs(struct plan *p)
{
    const struct vr_plan_snapshot *s = p->snap;

    for (size_t i = 0; i < s->command_count; i++)
        if (!is_here(p, s->commands[i].proc))
            end_command(p, &s->commands[i],
                        s->commands[i].kind == VR_CMD_DESTROY ? NULL : "it is gone");

    for (size_t i = 0; i < s->proc_count; i++) {
        const struct vr_plan_command *c = plan_command_of(p, &s->procs[i]);
        size_t before = p->out->count;

        if (c)
            obey(p, c, &s->procs[i]);
        for (size_t j = 0; j < VR_COUNT(proc_rules) && p->out->count == before; j++)
            if (proc_rules[j].is_met(p, &s->procs[i]))
                proc_rules[j].act(p, &s->procs[i]);
    }
}

/* --- a swarm at rest --- */

static bool is_anything_queued(struct plan *p)
{
    return p->snap->queued != NULL;
}

static void activate(struct plan *p)
{
    struct vr_plan_action *a = plan_act(p, VR_PLAN_ACTIVATE);

    snprintf(a->rollout, sizeof(a->rollout), "%s", p->snap->queued);
}

/* May procs be replaced without a user's word, and is there room for any of `count`? */
static bool may_replace(struct plan *p, size_t count)
{
    if (!count || !p->goal || p->snap->paused || p->snap->mass_loss ||
        !plan_is_due(p, p->snap->heal_after))
        return false;
    plan_pick_hosts(p, count, 0);
    return p->pick_count > 0;
}

static bool are_procs_missing(struct plan *p)
{
    return may_replace(p, p->size - p->keep);
}

static void start_rollout(struct plan *p, enum vr_kind kind)
{
    plan_act(p, VR_PLAN_START_ROLLOUT)->rollout_kind = kind;
}

static void heal(struct plan *p)
{
    start_rollout(p, VR_HEAL);
}

/* Procs on hosts that are being drained, or that left the squad. */
static bool are_procs_to_move(struct plan *p)
{
    size_t n = 0;

    for (size_t i = 0; i < p->snap->proc_count; i++) {
        const struct vr_plan_proc *proc = &p->snap->procs[i];

        n += p->role[i] == ROLE_KEEP && proc->desired == VR_RUN && !plan_is_unknown(proc) &&
             (!proc->host->active || proc->host->squad != p->goal->squad);
    }
    return may_replace(p, n);
}

static void move(struct plan *p)
{
    start_rollout(p, VR_MOVE);
}

static const struct plan_rule rest_rules[] = {
    {"a rollout waits", is_anything_queued, activate},
    {"procs are missing, and there is room", are_procs_missing, heal},
    {"procs stand on hosts that are drained", are_procs_to_move, move},
};

void plan_rest(struct plan *p)
{
    if (!plan_first_match(p, rest_rules, VR_COUNT(rest_rules)))
        plan_settle(p);
}
