/* SPDX-License-Identifier: MIT */
/* Carrying out the planner's actions as writes of one transaction. */
#ifndef VR_ENGINE_APPLY_H
#define VR_ENGINE_APPLY_H

#include "engine/snapshot.h"

/**
 * Apply all actions of a plan to the rows its snapshot was loaded from, in their order, within the
 * same transaction. On failure the transaction must be dropped.
 */
VR_MUST_USE
int vr_apply(struct vr_tx *tx, const struct vr_snapshot *snap,
             const struct vr_plan_actions *actions, struct vr_err *err);

/**
 * At rest, take nodes out of the swarm's pools that only finished what they had begun and whose
 * procs are gone since.
 */
VR_MUST_USE
int vr_apply_tidy(struct vr_tx *tx, const struct vr_snapshot *snap, struct vr_err *err);

#endif
