/* SPDX-License-Identifier: MIT */
/* Pools: the members of one generation, and what each balancer host made of it. */
#ifndef VR_STORE_POOL_H
#define VR_STORE_POOL_H

#include "store/store.h"

struct vr_pool_row {
    int64_t id;
    char *name;
    int64_t balancer_id;
    int64_t swarm_id; /* its owner */
    int64_t generation;
    char *members_json; /* [{"id": "p12", "address", "port", "state": "active" | "drain"}] */
};

VR_DECLARE_ROW(pool);

VR_MUST_USE
int vr_store_pool_find_id(struct vr_tx *tx, int64_t id, struct vr_pool_row *out,
                          struct vr_err *err);
/** Those that the swarm owns; after its pool was renamed there may be an old one too. */
VR_MUST_USE
int vr_store_pool_list_of_swarm(struct vr_tx *tx, int64_t swarm_id, struct vr_pool_rows *out,
                                struct vr_err *err);
/**
 * The swarm's pool of that name, made if nobody has it.
 * Returns -VR_EXISTS naming the owner when it belongs to another swarm.
 */
VR_MUST_USE
int vr_store_pool_take(struct vr_tx *tx, int64_t balancer_id, const char *name, int64_t swarm_id,
                       int64_t *out_id, struct vr_err *err);
/** Set the members: generation + 1, all hosts of the balancer and the swarm are touched. */
VR_MUST_USE
int vr_store_pool_set_members(struct vr_tx *tx, int64_t id, const char *members_json,
                              int64_t *out_generation, struct vr_err *err);
VR_MUST_USE
int vr_store_pool_delete(struct vr_tx *tx, int64_t id, struct vr_err *err);

/** A host of the pool's balancer, with its report; applied 0 if it has not reported. */
struct vr_pool_host_row {
    int64_t pool_id;
    int64_t host_id;
    char *host_name;
    char *host_state; /* new, live, … */
    int64_t applied;
    int64_t confirmed;
    int64_t confirmed_us; /* since when it is this generation */
    char *error;
    char *nodes_json; /* [{"id", "state", "check", "connections"}] */
    int64_t reported_us;
};

VR_DECLARE_ROW(pool_host);

/** Every host of the pool's balancer. */
VR_MUST_USE
int vr_store_pool_hosts(struct vr_tx *tx, int64_t pool_id, struct vr_pool_host_rows *out,
                        struct vr_err *err);

struct vr_pool_report {
    const char *balancer;
    const char *pool;
    int64_t applied;
    int64_t confirmed;
    const char *error;
    const char *nodes_json;
};

/** Store what a host says; touches the swarm when it differs. Unknown pools are ignored. */
VR_MUST_USE
int vr_store_pool_report(struct vr_tx *tx, int64_t host_id, const struct vr_pool_report *report,
                         struct vr_wall now, struct vr_err *err);

/** Forget what a host confirmed, as when it is lost: it is rebuilt before it counts again. */
VR_MUST_USE
int vr_store_pool_forget_host(struct vr_tx *tx, int64_t host_id, struct vr_err *err);

#endif
