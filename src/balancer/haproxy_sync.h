/* SPDX-License-Identifier: MIT */
/* Make one HAProxy worker what the view says. */
#ifndef VR_BALANCER_HAPROXY_SYNC_H
#define VR_BALANCER_HAPROXY_SYNC_H

#include "balancer/haproxy_slots.h"

#include <sys/types.h>

struct vr_haproxy_sync {
    const char *state_dir;                /* borrowed */
    const struct vr_haproxy_slots *slots; /* borrowed; each pool of the view has a slot in it */
    const struct vr_log *log;             /* borrowed */
    pid_t worker;
};

/**
 * One pass: read what the worker has, change what differs, and lower `confirmed` to 0 in each pool
 * that differed, so that a pass which changes nothing confirms. Adds the worker's connections to
 * the nodes'. Errors of single pools are left in them; removals that have to wait for connections
 * to end are tried again in the next pass and do not count.
 * @out_changes  number of commands that changed something
 *
 * Returns 0, or a negative code if the worker does not answer.
 */
VR_MUST_USE
int vr_haproxy_sync_worker(const struct vr_haproxy_sync *sync, struct vr_balancer_view *view,
                           int64_t *out_changes, struct vr_err *err);

#define VR_HAPROXY_HANDOVER "handover" /* backend that leads to the current worker's front end */

/**
 * The same for an old worker, which a reload left with its clients' connections: HAProxy refuses
 * to change its servers ("Proxy is disabled"), but not its map. So whatever its clients still ask
 * for is led to the current worker. Its connections are added to the nodes' as well.
 */
VR_MUST_USE
int vr_haproxy_sync_old_worker(const struct vr_haproxy_sync *sync, struct vr_balancer_view *view,
                               int64_t *out_changes, struct vr_err *err);

#endif
