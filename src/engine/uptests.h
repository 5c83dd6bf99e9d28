/* SPDX-License-Identifier: MIT */
/* Test runs: the uptests of what runs already, to be told of, never acted on. */
#ifndef VR_ENGINE_UPTESTS_H
#define VR_ENGINE_UPTESTS_H

#include "store/store.h"

#define VR_UPTESTS_PER_HOST    4    /* procs of one host that are tested at the same time */
#define VR_UPTESTS_MARGIN_SECS 60   /* beyond the time of the tests, for an answer */
#define VR_UPTESTS_RUN_SECS    3600 /* of a whole run; what is not in by then has failed */
#define VR_UPTESTS_TOLD_MAX    200  /* failures in the event's message */

/**
 * Go on with the run that is under way, if there is one: take answers, ask further procs, end it.
 * Everything is in rows, so any process may go on. `tx` is a write transaction.
 * @out_open  whether a run is still under way
 *
 * A proc keeps its place whatever its tests say: only what the rules of a rollout and of health say
 * moves it.
 */
VR_MUST_USE
int vr_uptests_tend(struct vr_tx *tx, struct vr_wall now, bool *out_open, struct vr_err *err);

#endif
