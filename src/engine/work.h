/* SPDX-License-Identifier: MIT */
/* Work for builder hosts: resolving tags, builds, and what becomes of their results. */
#ifndef VR_ENGINE_WORK_H
#define VR_ENGINE_WORK_H

#include "engine/snapshot.h"
#include "store/app.h"

#define VR_WORK_ATTEMPTS 2 /* hosts that may lose a job before it fails */

/** Give the active rollout of a snapshot a job that resolves its tag, unless it has one. */
VR_MUST_USE
int vr_work_request_resolve(struct vr_tx *tx, const struct vr_snapshot *snap, struct vr_err *err);

/** Store what a finished resolve job found in its rollout; nothing if there is none. */
VR_MUST_USE
int vr_work_take_resolved(struct vr_tx *tx, struct vr_snapshot *snap, bool *out_changed,
                          struct vr_err *err);

/** Give the active rollout the one build of its inputs, made with a job if there is none. */
VR_MUST_USE
int vr_work_take_build(struct vr_tx *tx, const struct vr_snapshot *snap, struct vr_err *err);

/** Make (or find) the release of the active rollout's build and wish. */
VR_MUST_USE
int vr_work_create_release(struct vr_tx *tx, const struct vr_snapshot *snap, struct vr_err *err);

/**
 * Can an app be built and run as its stack wants? -VR_INVALID with "Stack x has no active image.",
 * or that hosts cannot run its image.
 */
VR_MUST_USE
int vr_work_check_stack(struct vr_tx *tx, const struct vr_app_row *app, struct vr_err *err);

/** Build outside any rollout: a user asked for it. Starts with a resolve inside the build job. */
VR_MUST_USE
int vr_work_start_build(struct vr_tx *tx, int64_t build_id, struct vr_wall now, struct vr_err *err);

/**
 * Lease waiting jobs to live builders, finish builds whose job has ended, take back jobs of lost
 * hosts, and end those past their deadline.
 */
VR_MUST_USE
int vr_work_tick(struct vr_tx *tx, struct vr_wall now, struct vr_err *err);

#endif
