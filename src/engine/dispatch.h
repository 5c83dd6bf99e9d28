/* SPDX-License-Identifier: MIT */
/* Asking for a rollout: freezes what a swarm wishes now into a row of its own. */
#ifndef VR_ENGINE_DISPATCH_H
#define VR_ENGINE_DISPATCH_H

#include "engine/plan.h"
#include "store/store.h"

#include <jansson.h>

struct vr_dispatch_spec {
    int64_t swarm_id;
    enum vr_kind kind;  /* dispatch, rollback, scale, restart */
    int64_t release_id; /* rollback: the release to go back to; 0: of the rollout before */
    int64_t user_id;
    const char *group_id; /* common to those of one action on many swarms; NULL: none */
    struct vr_wall now;
};

/**
 * Queue a rollout; an older queued one of the swarm ends as superseded. The engine acts once the
 * transaction is committed.
 * @out_id  given; 32 hex digits
 *
 * Returns -VR_INVALID (no tag to dispatch, size and policy out of range), -VR_NOT_FOUND (nothing to
 * roll back to, nothing runs that could be restarted), -VR_EXISTS (the pool belongs to another
 * swarm; the release to go back to is of the app that the swarm had before it was moved).
 */
VR_MUST_USE
int vr_dispatch(struct vr_tx *tx, const struct vr_dispatch_spec *spec, char **out_id,
                struct vr_err *err);

/**
 * Queue a rollout with the inputs of one that has ended: its wish, size, squad and policy, and its
 * commit if that was resolved. What was built or released is looked up again.
 * @out_id  given
 *
 * Returns -VR_NOT_FOUND, -VR_EXISTS (it has not ended, the platform made it, or it was of another
 * app than the swarm is now), and the codes of vr_dispatch().
 */
VR_MUST_USE
int vr_dispatch_retry(struct vr_tx *tx, const char *rollout_id, int64_t user_id, struct vr_wall now,
                      char **out_id, struct vr_err *err);

/** The frozen wish as it would be now: what vr_dispatch() writes to wish_json. Given. */
VR_MUST_USE
int vr_dispatch_wish(struct vr_tx *tx, int64_t swarm_id, json_t **out, struct vr_err *err);

/**
 * Merge a swarm's ingredients and its own config and env anew; store them masked, for display, and
 * the sum of what a dispatch would freeze now, by which a swarm is seen to be outdated.
 *
 * Returns -VR_INVALID, with all of that done, if it is more than a host is sent of one proc.
 */
VR_MUST_USE
int vr_dispatch_refresh_merged(struct vr_tx *tx, int64_t swarm_id, struct vr_err *err);

/** The sums that rows of an older schema lack; for the start of a server. */
VR_MUST_USE
int vr_dispatch_fill_sums(struct vr_tx *tx, struct vr_err *err);

#endif
