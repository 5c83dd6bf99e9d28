/* SPDX-License-Identifier: MIT */
/* The rows of one swarm, loaded and put into the planner's terms. */
#ifndef VR_ENGINE_SNAPSHOT_H
#define VR_ENGINE_SNAPSHOT_H

#include "engine/plan.h"
#include "store/balancer.h"
#include "store/build.h"
#include "store/command.h"
#include "store/host.h"
#include "store/job.h"
#include "store/pool.h"
#include "store/proc.h"
#include "store/rollout.h"
#include "store/squad.h"
#include "store/swarm.h"

/** What the snapshot was made of is kept beside it: the actions are applied with it. */
struct vr_snapshot {
    struct vr_plan_snapshot plan;
    struct vr_wall engine_started; /* as it was loaded with */

    struct vr_swarm_row swarm;
    struct vr_rollout_row current; /* id NULL: none */
    struct vr_rollout_rows open;
    const struct vr_rollout_row *active; /* in `open`, or NULL */
    struct vr_job_row resolve;           /* of the active rollout; id 0: none */
    struct vr_build_row build;           /* the same */
    struct vr_host_rows hosts;
    struct vr_proc_rows procs;
    struct vr_pool_rows pools;
    struct vr_pool_host_rows *pool_hosts; /* one list a pool */
    struct vr_command_rows commands;

    struct vr_plan_frozen plan_current;
    struct vr_plan_active plan_active;
    struct vr_plan_host *plan_hosts;
    struct vr_plan_proc *plan_procs;
    struct vr_plan_pool *plan_pools;
    struct vr_plan_command *plan_commands;
    char *resolve_fault, *build_fault;
};

struct vr_snapshot_spec {
    int64_t swarm_id;
    struct vr_wall now;
    struct vr_wall engine_started;
};

/**
 * Load a swarm within a transaction.
 * @out  filled; release with vr_snapshot_fini() in any case
 * Returns -VR_NOT_FOUND if the swarm was deleted.
 */
VR_MUST_USE
int vr_snapshot_load(struct vr_tx *tx, const struct vr_snapshot_spec *spec, struct vr_snapshot *out,
                     struct vr_err *err);
void vr_snapshot_fini(struct vr_snapshot *s);

/** The row of a proc of the snapshot; NULL if it has none. */
const struct vr_proc_row *vr_snapshot_proc(const struct vr_snapshot *s, int64_t id);
const struct vr_host_row *vr_snapshot_host(const struct vr_snapshot *s, int64_t id);

#endif
