/* SPDX-License-Identifier: MIT */
/* The janitor: runs the scheduled tasks, each when it is due or asked for. */
#ifndef VR_ENGINE_JANITOR_H
#define VR_ENGINE_JANITOR_H

#include "engine/retention.h"
#include "engine/schedules.h"

#define VR_JANITOR_LOOK_MS  30000 /* longest time between two looks at the clock */
#define VR_JANITOR_RUN_MS   250   /* between looks at a test run that is under way */
#define VR_JANITOR_RETRY_MS 2000  /* after a look that failed */

struct vr_janitor;

struct vr_janitor_spec {
    struct vr_store *store; /* borrowed, as all here */
    struct vr_blobs *blobs;
    const struct vr_log *log;
    const struct vr_schedule *schedules; /* VR_TASK_COUNT of them; copied */
    const struct vr_retention *limits;   /* copied */
    /** Commit a transaction and wake who waits for what it changed. In the janitor's thread. */
    int (*commit)(void *user, struct vr_tx *tx, struct vr_err *err);
    void *user;
};

/** Start the janitor's thread. @out given */
VR_MUST_USE
int vr_janitor_start(const struct vr_janitor_spec *spec, struct vr_janitor **out,
                     struct vr_err *err);
/** End the thread after the transaction it is in, and release it. A pass that is cut short goes on
 * when it is due next; a test run goes on at the next start. */
struct vr_janitor *vr_janitor_stop(struct vr_janitor *janitor);

/** A task was asked for, or a test run was begun: look now. From any thread; NULL is fine. */
void vr_janitor_wake(struct vr_janitor *janitor);

#endif
