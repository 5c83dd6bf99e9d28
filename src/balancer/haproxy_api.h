/* SPDX-License-Identifier: MIT */
/* HAProxy's Runtime API, spoken through the socket of its master process. */
#ifndef VR_BALANCER_HAPROXY_API_H
#define VR_BALANCER_HAPROXY_API_H

#include "balancer/balancer_driver.h"

#include <sys/types.h>

#define VR_HAPROXY_MASTER_SOCKET "master.sock" /* in the state folder */
#define VR_HAPROXY_MAP_FILE      "hosts.map"
#define VR_HAPROXY_WORKERS_MAX   32 /* the current one and old ones that still have clients */

/**
 * Send one command to a worker, or to the master itself if `worker` is 0, and give its answer.
 * -VR_NOT_FOUND or -VR_BUSY: no master listens. Blocks up to 2 s.
 * @out  given; release with free()
 */
VR_MUST_USE
int vr_haproxy_ask(const char *state_dir, pid_t worker, const char *command, char **out,
                   struct vr_err *err);

/** As vr_haproxy_ask(), for a command whose answer must be empty or start with `expected`. */
VR_MUST_USE
int vr_haproxy_order(const char *state_dir, pid_t worker, const char *command, const char *expected,
                     struct vr_err *err);

/** The running workers: out[0] takes new connections, the others finish old ones. Gives their
 * number (0: the master has none), at most VR_HAPROXY_WORKERS_MAX. */
VR_MUST_USE
int vr_haproxy_workers(const char *state_dir, pid_t out[VR_HAPROXY_WORKERS_MAX],
                       struct vr_err *err);

struct vr_haproxy_server {
    char *slot; /* name of its backend */
    char *id;
    char *address;
    uint16_t port;
    bool maint;
    bool drain;
    bool is_checked; /* checks are on */
    enum vr_balancer_check check;
    int64_t connections;
};

struct vr_haproxy_route {
    char *key;
    char *slot;
};

/** All that a worker has in memory and we care for. */
struct vr_haproxy_state {
    struct vr_haproxy_server *servers;
    size_t server_count;
    struct vr_haproxy_route *routes;
    size_t route_count;
    int slot_count;
};

/** @out  given; release with vr_haproxy_state_fini() */
VR_MUST_USE
int vr_haproxy_state_read(const char *state_dir, pid_t worker, struct vr_haproxy_state *out,
                          struct vr_err *err);

void vr_haproxy_state_fini(struct vr_haproxy_state *state);

/** The server of that slot and id, NULL if there is none. */
const struct vr_haproxy_server *vr_haproxy_server_find(const struct vr_haproxy_state *state,
                                                       const char *slot, const char *id);

/** The slot a key leads to, NULL if there is none or its entries disagree. */
const char *vr_haproxy_route_find(const struct vr_haproxy_state *state, const char *key);

#endif
