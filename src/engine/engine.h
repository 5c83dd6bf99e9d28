/* SPDX-License-Identifier: MIT */
/* The engine: removes the difference between what the rows wish and what hosts report. */
#ifndef VR_ENGINE_ENGINE_H
#define VR_ENGINE_ENGINE_H

#include "core/log.h"
#include "store/store.h"

struct vr_engine;

#define VR_ENGINE_ROUNDS_MAX 32   /* plans of one swarm in one transaction; the rest comes next */
#define VR_ENGINE_HOSTS_MS   1000 /* how often the liveness of hosts is looked at */
#define VR_ENGINE_RETRY_MS   1000 /* after a transaction that failed */

/** A transaction of the engine was committed: wake who waits for these. In the engine's thread. */
typedef void (*vr_engine_woke_fn)(void *user, const struct vr_touched *touched);

struct vr_engine_spec {
    struct vr_store *store; /* borrowed */
    const struct vr_log *log;
    vr_engine_woke_fn woke;
    void *user;
};

/** Start the engine's thread; it looks at every swarm first. @out given */
VR_MUST_USE
int vr_engine_start(const struct vr_engine_spec *spec, struct vr_engine **out, struct vr_err *err);

/** End the thread after what it is doing, and release it. */
struct vr_engine *vr_engine_stop(struct vr_engine *engine);

/** Rows changed: look at these swarms, and at jobs and hosts. From any thread; never blocks long.
 */
void vr_engine_wake(struct vr_engine *engine, const struct vr_touched *touched);

#endif
