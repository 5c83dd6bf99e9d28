/* SPDX-License-Identifier: MIT */
/* Pools as they come over the wire. */
#ifndef VR_BALANCER_POOLS_JSON_H
#define VR_BALANCER_POOLS_JSON_H

#include "balancer/balancer.h"

/** Pools whose texts belong to a JSON value. */
struct vr_pools {
    struct vr_balancer_pool *list;
    size_t count;
};

/**
 * Read [{"name", "generation", "check", "nodes": [{"id", "address", "port", "state"}]}]; "check"
 * is true and "state" "active" where they are absent. Ranges are vr_balancer_apply()'s to check.
 * @array  borrowed; must outlive *out
 * @out    given; release with vr_pools_fini()
 */
VR_MUST_USE
int vr_pools_read(const json_t *array, struct vr_pools *out, struct vr_err *err);

void vr_pools_fini(struct vr_pools *pools);

#endif
