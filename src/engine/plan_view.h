/* SPDX-License-Identifier: MIT */
/*
 * What the planner's parts share: the view of a snapshot that one call of vr_plan() works on.
 *
 * Whatever happens to a swarm, one thing is done: its procs are moved towards a *goal*. Going
 * forward the goal is the active rollout; at rest, and on the way back of a rollout that fails, is
 * cancelled or superseded, it is the current one (or nothing at all, if there never was one). The
 * view says of each proc what it is to that goal.
 */
#ifndef VR_ENGINE_PLAN_VIEW_H
#define VR_ENGINE_PLAN_VIEW_H

#include "engine/plan.h"

#define VR_PLAN_START_SLACK_SECS 3  /* beyond start_timeout_secs: the host knows why */
#define VR_PLAN_TEST_SLACK_SECS  10 /* beyond test_secs, until an answer is given up */
#define VR_PLAN_STOP_SLACK_SECS  10 /* beyond stop_secs, for killing and reporting */
#define VR_PLAN_PLACE_SECS       10 /* wait for a host that is silent just now */
#define VR_PLAN_RELEASE_SECS     30
#define VR_PLAN_RETEST_SECS      5   /* between failed uptests of a proc that has served before */
#define VR_PLAN_WELL_SECS        300 /* after which earlier bad health is forgotten */
#define VR_PLAN_HEAL_WAIT_SECS   5   /* after a heal that failed; doubles up to the next */
#define VR_PLAN_HEAL_WAIT_MAX    300
#define VR_PLAN_FLAP_WAIT_MAX    60

enum plan_role {
    ROLE_KEEP,       /* belongs to the goal */
    ROLE_OLD,        /* does not, or not any more: leaves when the goal can do without it */
    ROLE_LOST,       /* would belong, but its host is lost; becomes old when it has been replaced */
    ROLE_DEALT_WITH, /* in this call */
};

struct plan {
    const struct vr_plan_snapshot *snap;
    const struct vr_plan_active *active; /* snap->active */
    const struct vr_plan_frozen *goal;   /* NULL: nothing of the swarm should run */
    bool forward;                        /* towards the active rollout */
    bool building; /* its release is not known yet: meanwhile the current one is the goal */
    struct vr_plan_actions *out;

    enum plan_role *role; /* one per proc */
    int32_t *load;        /* procs of the swarm per host, as the goal counts them */
    size_t size;          /* procs that the goal wants */
    size_t keep;          /* procs of role keep, at most `size` */
    size_t ready;         /* of these, those that serve (or were stopped by a user) */
    size_t old;           /* of role old, on hosts that can be reached */
    size_t old_admitted;  /* of role old and admitted */
    size_t old_serving;   /* of these, those that do serve */
    size_t missing;       /* to be placed now */
    size_t *picks;        /* hosts for them */
    size_t pick_count;
    bool brief; /* a host was passed over that may be back in a moment */
};

/* --- plan.c: actions and time --- */

/** A new action of this kind at the end of the list, or a scratch one if the list is full. */
struct vr_plan_action *plan_act(struct plan *p, enum vr_plan_kind kind);
/** The same about a proc: its id, epoch and host. */
struct vr_plan_action *plan_act_on(struct plan *p, enum vr_plan_kind kind,
                                   const struct vr_plan_proc *proc);
/** A text that lives as long as the actions; NULL when there is no more room. */
const char *plan_text(struct plan *p, const char *fmt, ...) VR_PRINTF(2, 3);
/** Has this time come? If not, the plan wakes then: no other comparison with the clock exists. */
bool plan_is_due(struct plan *p, struct vr_wall at);
struct vr_wall plan_after(struct vr_wall from, int64_t secs);
/** The longest that the way back of the active rollout may take. */
int64_t plan_back_secs(const struct plan *p);
/** The sum of all steps' limits of the active rollout. */
int64_t plan_forward_secs(const struct plan *p);

/* --- plan_view.c: what each proc is to the goal --- */

void plan_view_init(struct plan *p, const struct vr_plan_snapshot *snap,
                    struct vr_plan_actions *out);
void plan_view_fini(struct plan *p);
/** Placed by the active rollout. */
bool plan_is_new(const struct plan *p, const struct vr_plan_proc *proc);
/** Its host is lost, or was and has not synced: nothing is known of it. */
bool plan_is_unknown(const struct vr_plan_proc *proc);
/** The pending command on a proc, or NULL. */
const struct vr_plan_command *plan_command_of(const struct plan *p,
                                              const struct vr_plan_proc *proc);
/** Was it placed by the active rollout, and has not served yet? */
bool plan_is_unproved(const struct plan *p, const struct vr_plan_proc *proc);
/** Does a user have it stopped just now? It counts as one that is stopped. */
bool plan_is_leaving_by_stop(const struct plan *p, const struct vr_plan_proc *proc);
/** Does the active rollout prove everything anew, also what it finds running? */
bool plan_is_retest(const struct plan *p);
/** Choose hosts for `count` procs of the goal into p->picks. */
void plan_pick_hosts(struct plan *p, size_t count, int64_t avoid);
/** Why fewer than `wanted` hosts could be picked. */
const char *plan_explain_no_room(struct plan *p, size_t wanted);
/** The worst proc of a role: first to go; NULL if there is none. @serving: only admitted ones. */
const struct vr_plan_proc *plan_worst(const struct plan *p, enum plan_role role, bool serving);

/* --- members.c: pools --- */

/** Shall it take traffic, if it has a pool: the rule of vr_plan_members(). */
bool plan_serves(const struct vr_plan_snapshot *snap, const struct vr_plan_proc *proc);
/** Is an unknown proc believed to serve: a balancer sees it, or the loss is a mass loss? */
bool plan_holds_on(const struct vr_plan_snapshot *snap, const struct vr_plan_proc *proc);
const struct vr_plan_pool *plan_pool(const struct plan *p, int64_t id);
/** Has every balancer host of the pool confirmed its generation? 0 and `none` have. */
bool plan_is_confirmed(const struct plan *p, int64_t pool);
/** Does no live balancer host send to it any more? */
bool plan_is_unrouted(const struct plan *p, const struct vr_plan_proc *proc);
/** May it be signalled: no live balancer host sends to it, and its requests had time to end. */
bool plan_is_out(struct plan *p, const struct vr_plan_proc *proc);
void plan_pools(struct plan *p);

/* --- plan_heal.c: single procs, and a swarm at rest --- */

void plan_procs(struct plan *p);
void plan_rest(struct plan *p);

/* --- plan_settle.c: towards the goal --- */

struct plan_rule {
    const char *when;
    bool (*is_met)(struct plan *p);
    void (*act)(struct plan *p);
};

/** Act by the first rule that is met; false if none is. */
bool plan_first_match(struct plan *p, const struct plan_rule *rules, size_t count);
/** Move the procs by one step; false if there is nothing to do or to wait for. */
bool plan_settle(struct plan *p);

int64_t plan_step_secs(const struct vr_policy *pol, enum vr_step step);
struct vr_plan_action *plan_set_step(struct plan *p, enum vr_step step, struct vr_wall deadline);
/** Show a step, with a deadline of its own; the way back has one for all its steps. */
void plan_show_step(struct plan *p, enum vr_step step);
struct vr_plan_action *plan_place_on(struct plan *p, size_t host);

enum plan_verdict { TEST_OK, TEST_ASK, TEST_WAIT, TEST_FAILED };

/** Does the goal wait for proc `i`? On the way back and at rest: only before old ones leave. */
bool plan_is_awaited(const struct plan *p, size_t i);
/** How its uptests stand, and what to do about them. */
enum plan_verdict plan_verdict(struct plan *p, const struct vr_plan_proc *proc);
/** Is a wish met as a whole or not at all, and there is no room for the whole? */
bool plan_lacks_room(const struct plan *p);
/** Healing and moving do what they can. */
bool plan_is_partial_fine(const struct plan *p);

/* --- plan_rollout.c: where the active rollout goes --- */

void plan_rollout(struct plan *p);

#endif
