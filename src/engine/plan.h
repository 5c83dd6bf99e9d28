/* SPDX-License-Identifier: MIT */
/*
 * The planner: what one swarm needs done now, computed from a snapshot of its rows.
 *
 * vr_plan() does no I/O and reads no clock but snap->now; equal snapshots give equal actions. The
 * engine loads a snapshot, calls vr_plan(), applies all actions in one transaction, and plans again
 * until nothing is left to do; then it sleeps until a row of the swarm changes or `next_wake`
 * comes. Every action may be applied again after a crash without harm, since it is planned from
 * what the rows say and not from what was planned before.
 *
 * Where to read on: plan_rollout.c has the rules of a rollout as a table, plan_heal.c those of
 * single procs and of a swarm at rest, members.c says who takes traffic, place.h picks hosts.
 */
#ifndef VR_ENGINE_PLAN_H
#define VR_ENGINE_PLAN_H

#include "core/clock.h"
#include "core/own.h"
#include "model/policy.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define VR_ROLLOUT_ID_BYTES 33 /* 32 hexadecimal digits and the end */

enum vr_liveness {
    VR_LIVE,
    VR_SUSPECT, /* silent for VR_HOST_SUSPECT_SECS: shown, nothing new is placed there */
    VR_LOST,    /* silent for VR_HOST_LOST_SECS: what runs there is unknown */
    VR_GONE,    /* silent for VR_HOST_GONE_SECS: replaced even if balancers still see it */
};

enum vr_kind { VR_DISPATCH, VR_ROLLBACK, VR_SCALE, VR_HEAL, VR_MOVE, VR_RESTART };

enum vr_step {
    VR_STEP_NONE, /* activated, nothing done yet */
    VR_STEP_RESOLVE,
    VR_STEP_BUILD,
    VR_STEP_RELEASE,
    VR_STEP_PLACE,
    VR_STEP_START,
    VR_STEP_TEST,
    VR_STEP_ROUTE,
    VR_STEP_DRAIN,
    VR_STEP_STOP,
};

/** Why a rollout goes back; shown instead of the step. */
enum vr_phase { VR_PHASE_NORMAL, VR_PHASE_FAILING, VR_PHASE_CANCELLING, VR_PHASE_SUPERSEDING };

enum vr_result { VR_RESULT_DONE, VR_RESULT_FAILED, VR_RESULT_CANCELLED, VR_RESULT_SUPERSEDED };

/** The state of a job or build that a rollout waits for. */
enum vr_work { VR_WORK_NONE, VR_WORK_PENDING, VR_WORK_SUCCESS, VR_WORK_FAILED, VR_WORK_EXPIRED };

enum vr_desired { VR_RUN, VR_STOP, VR_HELD };

enum vr_actual {
    VR_ASSIGNED,
    VR_FETCHING,
    VR_STARTING,
    VR_RUNNING, /* and ready: listens, where that is asked for */
    VR_BACKOFF,
    VR_STOPPING,
    VR_STOPPED, /* only of a held proc: others leave the snapshot when they are stopped */
    VR_EXITED,
    VR_FATAL,
    VR_UNKNOWN, /* its host is lost */
};

/** The newest run of the uptests in this epoch and life of the proc. */
enum vr_tested { VR_TESTED_NO, VR_TESTED_PENDING, VR_TESTED_PASSED, VR_TESTED_FAILED };

/** What the balancers' own checks say; none also for drivers without checks and non-members. */
enum vr_check { VR_CHECK_NONE, VR_CHECK_UP, VR_CHECK_DOWN };

enum vr_command_kind { VR_CMD_NONE, VR_CMD_STOP, VR_CMD_START, VR_CMD_RESTART, VR_CMD_DESTROY };

/**
 * A host that may get procs of the swarm, carries some, or runs one of its balancers. Everything
 * but the identity is as the last report said.
 */
struct vr_plan_host {
    int64_t id;
    const char *name; /* borrowed, as all texts here */
    int64_t squad;
    enum vr_liveness liveness; /* by vr_plan_liveness() */
    struct vr_wall changes_at; /* when liveness gets worse if nothing is heard; 0 never */
    struct vr_wall last_seen;
    bool synced;       /* live and has sent a full report since it was last lost */
    bool active;       /* false while an operator drains it */
    bool app_role;     /* may run procs */
    bool labels_match; /* what the swarm asks of labels, as the loader saw it */
    bool disk_ok;
    bool ports_left;
    int64_t mem_capacity;  /* bytes, overcommit already in it */
    int64_t mem_committed; /* sum of limits of everything not stopped on it */
    int64_t config_bytes;  /* sum of config and environment of the same */
    int32_t procs_of_app;  /* not stopped, of this swarm's app, of any swarm */
};

struct vr_plan_proc {
    int64_t id;
    struct vr_plan_host *host; /* borrowed: one of snapshot->hosts */
    const char *name;
    char rollout[VR_ROLLOUT_ID_BYTES]; /* that placed it */
    int64_t release;
    int64_t pool; /* frozen in its rollout; 0 none */
    int64_t epoch;
    enum vr_desired desired;
    enum vr_actual actual;          /* of this epoch, else what the assignment implies */
    struct vr_wall running_since;   /* of this life */
    struct vr_wall unhealthy_since; /* runs, but does not answer (probe or check); 0 it does */
    struct vr_wall tested_at;       /* when the newest run was asked for, or its result came */
    struct vr_wall test_began;      /* first run asked for in this epoch and life */
    enum vr_tested tested;
    bool passed;   /* the uptests passed in this epoch and this life (a restart is a new life) */
    bool admitted; /* may take traffic */
    struct vr_wall left_at; /* when admitted last became false; 0 if it never was true */
    int32_t connections;    /* sum over balancers, not older than their confirmation; -1 unknown */
    enum vr_check check;    /* up if any live balancer host sees it up */
    bool start_failed;      /* fatal because the host could not start it: port, fetch, runtime */
    bool retried;           /* was placed in the stead of one that failed so */
    const char *fault;      /* text of its failure, or NULL */
    int32_t flaps;          /* times it was taken out for bad health lately */
    struct vr_wall flapped_at;
    int32_t unhealthy_restarts; /* restarts for bad health since it was last well for long */
};

/** A user's command on one proc, not finished. */
struct vr_plan_command {
    int64_t id;
    int64_t proc;
    enum vr_command_kind kind;
    bool force;  /* do not wait for balancers and drain */
    bool issued; /* the proc was told; only the effect is awaited */
};

struct vr_plan_pool_host {
    const struct vr_plan_host *host; /* borrowed: one of snapshot->hosts */
    int64_t confirmed;               /* newest generation known to serve; 0 after it was lost */
    struct vr_wall confirmed_at;
    const char *error; /* or NULL */
};

/** A pool that a proc of the swarm, its current or active rollout names, or that it still owns. */
struct vr_plan_pool {
    int64_t id;
    const char *name;
    int64_t generation;
    const int64_t *members; /* proc ids published as `generation`, ascending */
    size_t member_count;
    const struct vr_plan_pool_host *hosts; /* of its balancer; none for driver `none` */
    size_t host_count;
};

/** What a rollout froze when it was asked for. */
struct vr_plan_frozen {
    char id[VR_ROLLOUT_ID_BYTES];
    enum vr_kind kind;
    int64_t release; /* 0 not known yet */
    int64_t squad;
    int64_t pool; /* 0 none */
    int32_t size;
    int32_t batch;        /* 0: everything at once behind the gate */
    int64_t mem_bytes;    /* limit of one proc */
    int64_t config_bytes; /* of config and environment of one proc */
};

struct vr_plan_active {
    struct vr_plan_frozen frozen;
    enum vr_step step;
    enum vr_phase phase;
    struct vr_wall started, deadline; /* deadline of the step, or of the whole way back */
    bool cancel_requested;
    bool past_return; /* procs of the old generation were told to stop */
    bool has_cause;
    bool needs_resolve;   /* kind dispatch, until the resolve job is done */
    enum vr_work resolve; /* the resolve job */
    const char *resolve_fault;
    int64_t build; /* 0 none taken yet */
    enum vr_work build_state;
    const char *build_fault;
};

struct vr_plan_snapshot {
    struct vr_wall now;
    int64_t swarm;
    bool paused;             /* no healing and no moving */
    struct vr_policy policy; /* of the swarm; start_secs resolved by vr_policy_start_secs() */
    const struct vr_plan_frozen *current; /* last rollout that ended done, or NULL */
    const struct vr_plan_active *active;  /* or NULL */
    const char *queued;                   /* id of the newest waiting rollout, or NULL */
    int64_t queued_pool, wished_pool;     /* named by it and by the swarm row: kept if empty */
    struct vr_plan_host *hosts;
    size_t host_count;
    const struct vr_plan_proc *procs; /* every proc of the swarm that is not stopped, by id */
    size_t proc_count;
    const struct vr_plan_pool *pools;
    size_t pool_count;
    const struct vr_plan_command *commands;
    size_t command_count;
    bool mass_loss; /* by vr_plan_mass_loss() over the squads it uses */
    struct vr_wall mass_loss_until;
    int32_t heal_failures;     /* heal and move rollouts that failed since one was done */
    struct vr_wall heal_after; /* no healing before */
};

enum vr_plan_kind {
    VR_PLAN_ACTIVATE,      /* rollout: queued → active, started = now */
    VR_PLAN_START_ROLLOUT, /* rollout_kind: heal or move; a new active row, frozen as current */
    VR_PLAN_SET_STEP,      /* step, deadline; past_return is set and never cleared */
    VR_PLAN_SET_PHASE,     /* phase, deadline; the step stays */
    VR_PLAN_REFUSE_CANCEL, /* clear cancel_requested, tell text */
    VR_PLAN_CAUSE,         /* step, host, proc, text; the first one is kept */
    VR_PLAN_REQUEST_RESOLVE,
    VR_PLAN_TAKE_BUILD,     /* usable or pending one, else create; never a failed or expired one */
    VR_PLAN_CREATE_RELEASE, /* of build × config; the same content is the same release */
    VR_PLAN_PLACE,          /* host, release, pool; new proc, epoch 1, port chosen by the applier;
                               retry_of (or 0) is the proc whose failed start it makes good */
    VR_PLAN_TEST,           /* proc, epoch: tested = pending, tested_at = now */
    VR_PLAN_ADMIT,          /* proc, epoch: only if epoch is still the proc's */
    VR_PLAN_UNADMIT,        /* proc: admitted = false, left_at = now (as always when it becomes
                               false) */
    VR_PLAN_STOP,           /* proc: desired = stop; force kills at once */
    VR_PLAN_HOLD,           /* proc: desired = held */
    VR_PLAN_START,          /* proc: desired = run, epoch + 1, not tested, not admitted */
    VR_PLAN_RESTART,        /* proc: epoch + 1 and a new process; `admitted` stays. With `health`
                               unhealthy_restarts = count */
    VR_PLAN_UNKNOWN,        /* proc: actual = unknown, whatever is reported until KNOWN */
    VR_PLAN_KNOWN,          /* proc: actual = as reported; with new_epoch: epoch + 1, not tested,
                               not admitted, actual = starting until reported in that epoch */
    VR_PLAN_DEMOTE,         /* proc: passed = false, tested = no, flaps = count, flapped_at = now */
    VR_PLAN_PUBLISH,        /* pool: generation + 1 with the members of vr_plan_members() */
    VR_PLAN_DELETE_POOL,    /* pool: no proc and no rollout of the swarm uses it any more */
    VR_PLAN_COMMAND_ISSUED, /* command */
    VR_PLAN_COMMAND_DONE,   /* command; text NULL or why it could not be done */
    VR_PLAN_SET_CURRENT,    /* current_rollout := the active one */
    VR_PLAN_LEFTOVER,       /* host, proc (or 0), text: before END, for its leftovers[] */
    VR_PLAN_END,            /* result; for heal and move heal_failures and heal_after too */
};

struct vr_plan_action {
    enum vr_plan_kind kind;
    char rollout[VR_ROLLOUT_ID_BYTES]; /* ACTIVATE; else the active one if there is one */
    int64_t proc, epoch, host, release, pool, command, retry_of;
    struct vr_wall deadline;   /* SET_STEP, SET_PHASE */
    struct vr_wall heal_after; /* END of kind heal or move */
    int32_t heal_failures;     /* the same */
    int32_t count;             /* DEMOTE, RESTART */
    enum vr_step step;
    enum vr_phase phase;
    enum vr_result result;
    enum vr_kind rollout_kind;
    bool past_return, force, new_epoch, health;
    const char *text; /* static, of the snapshot, or of the actions object; or NULL */
};

#define VR_PLAN_ACTIONS_MAX 8192 /* more wait for the next call */
#define VR_PLAN_TEXTS_MAX   16   /* more are left out: action.text is NULL */
#define VR_PLAN_TEXT_BYTES  1024

/** Filled by vr_plan(), which empties it first; may be used again and again. */
struct vr_plan_actions {
    struct vr_plan_action *v;
    size_t count, capacity;
    struct vr_wall next_wake; /* earliest time at which time alone changes the plan; 0 never */
    int text_count;
    char text[VR_PLAN_TEXTS_MAX][VR_PLAN_TEXT_BYTES];
};

/** Empty value; release with vr_plan_actions_fini(). */
void vr_plan_actions_init(struct vr_plan_actions *out);
void vr_plan_actions_fini(struct vr_plan_actions *out);

/**
 * Fill `out` with what to do now, in the order to apply it.
 *
 * Returns the number of actions; 0 means that the swarm is as it should be, or that something is
 * awaited: a report, a job, or next_wake. Never fails; `snap` is borrowed for the call, texts of
 * actions may point into it.
 */
size_t vr_plan(const struct vr_plan_snapshot *snap, struct vr_plan_actions *out);

/**
 * The procs that shall take traffic in a pool, as ids in ascending order: admitted, run, passed in
 * this epoch and life, not out for bad health, on a host that is not lost - or that is, while a
 * balancer still sees them up, or while the loss is a mass loss. The only place that knows.
 *
 * @out  room for snap->proc_count ids. Returns how many.
 */
size_t vr_plan_members(const struct vr_plan_snapshot *snap, int64_t pool, int64_t *out);

/**
 * How a host stands at `now`, when it was heard last at `last_seen` by any server and the engine
 * took its lease at `engine_started`: silence counts from the later of last_seen and
 * VR_HOST_LOST_SECS after that start, since agents need time to find us again. *out_changes is when
 * it gets worse by silence alone, or 0; *out_lost_at, since when it is lost, or 0.
 */
enum vr_liveness vr_plan_liveness(struct vr_wall now, struct vr_wall last_seen,
                                  struct vr_wall engine_started, struct vr_wall *out_changes,
                                  struct vr_wall *out_lost_at);

#define VR_PLAN_MASS_LOSS_WINDOW_SECS 30

/**
 * Is so much of a squad lost at once that we suspect ourselves: more than half of its `hosts`, and
 * at least 2, lost within the window, not longer than
 * VR_HOST_MASS_LOSS_SECS ago, and not yet acknowledged
 * by an operator since? @lost_at: of the `lost` hosts that are lost now; sorted by the call.
 * Writes *out_until if so.
 */
bool vr_plan_mass_loss(struct vr_wall now, size_t hosts, struct vr_wall *lost_at, size_t lost,
                       struct vr_wall acknowledged, struct vr_wall *out_until);

/** The longest that a rollout may take from its start to its end, in seconds, the way back too. */
int64_t vr_plan_bound_secs(const struct vr_policy *policy, int32_t size, int32_t old_size,
                           int32_t batch);

const char *vr_kind_name(enum vr_kind kind);
const char *vr_step_name(enum vr_step step);
const char *vr_result_name(enum vr_result result);
const char *vr_plan_kind_name(enum vr_plan_kind kind);

#endif
