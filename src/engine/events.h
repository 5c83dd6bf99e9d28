/* SPDX-License-Identifier: MIT */
/* What a rollout tells the world: events of the contract's stream and of our own, and entries of
 * the audit log. */
#ifndef VR_ENGINE_EVENTS_H
#define VR_ENGINE_EVENTS_H

#include "engine/snapshot.h"

#include <jansson.h>

/** The platform began one itself, a heal or a move: written to the audit log. @kind  its action */
VR_MUST_USE
int vr_events_begun(struct vr_tx *tx, const struct vr_snapshot *snap, const char *rollout,
                    const char *kind, struct vr_err *err);

/** A rollout came to a step (kind `rollout`). @message may be NULL */
void vr_events_rollout(struct vr_tx *tx, const struct vr_snapshot *snap, const char *rollout,
                       const char *step, const char *message);

/** It ended: the contract's "finished" or failure event, and one of kind `rollout`. */
void vr_events_end(struct vr_tx *tx, const struct vr_snapshot *snap, const char *rollout,
                   const char *result);

/** The uptests of the procs that the rollout placed are over: how many there were. */
void vr_events_tested(struct vr_tx *tx, const struct vr_snapshot *snap, const char *rollout);

/** A pool was published with these nodes. */
void vr_events_routed(struct vr_tx *tx, const struct vr_snapshot *snap, int64_t pool,
                      const json_t *nodes);

#endif
