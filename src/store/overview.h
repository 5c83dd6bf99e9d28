/* SPDX-License-Identifier: MIT */
/*
 * The snapshot that pages live on, and the events that keep it current.
 *
 * An object of the snapshot is made by the same SQL and writers as the event that tells of its
 * change, so a client replaces one by the other and never computes.
 */
#ifndef VR_STORE_OVERVIEW_H
#define VR_STORE_OVERVIEW_H

#include "store/store.h"

#define VR_OVERVIEW_BYTES       (16u << 20)
#define VR_OVERVIEW_RECENT_SECS 600    /* rollouts and builds that ended are in it so long */
#define VR_OVERVIEW_TOLD_MAX    200000 /* objects whose last event is remembered */

/** What of it is wanted; both NULL: all. Borrowed. */
struct vr_overview_spec {
    const char *app;       /* only what belongs to this app */
    const char *dashboard; /* only what belongs to the apps of the dashboard with this slug */
    struct vr_wall now;
};

/**
 * The snapshot as JSON text: {"now", "as_of", "apps", "squads", "hosts", "swarms", "procs",
 * "pools", "rollouts", "builds"}; given. `as_of` is the id of the last event in it. A fixed number
 * of queries.
 *
 * Returns -VR_NOT_FOUND for an app or dashboard that does not exist.
 */
VR_MUST_USE
int vr_store_overview(struct vr_tx *tx, const struct vr_overview_spec *spec, char **out,
                      struct vr_err *err);

#endif
