/* SPDX-License-Identifier: MIT */
/* A load balancer on this host, driven by the full desired state of its pools. */
#ifndef VR_BALANCER_BALANCER_H
#define VR_BALANCER_BALANCER_H

#include "core/err.h"
#include "core/log.h"

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

struct vr_balancer;

#define VR_BALANCER_POOLS_MAX 1000 /* pools of one balancer */
#define VR_BALANCER_NODES_MAX 1000 /* nodes of one pool */
#define VR_BALANCER_NAME_MAX  100  /* bytes of a pool's name or a node's id */

/** One process that a pool sends requests to. All pointers are borrowed. */
struct vr_balancer_node {
    const char *id;      /* "p<proc_id>", unique in its pool, never reused for another process */
    const char *address; /* IPv4 or IPv6 literal; balancers do not resolve names */
    uint16_t port;
    bool drain; /* keeps the connections it has, takes no new requests */
};

/** What one pool should be, whole. All pointers are borrowed. */
struct vr_balancer_pool {
    const char *name;   /* [A-Za-z0-9_][A-Za-z0-9_.-]* */
    int64_t generation; /* >= 1, given by the engine, named back in the report */
    bool check;         /* check the nodes by TCP and skip those that do not answer */
    const struct vr_balancer_node *nodes;
    size_t node_count;
};

/**
 * Open a balancer. Nothing is started or changed before the first vr_balancer_apply().
 *
 * @config     borrowed: {"name": …, "driver": "haproxy"|"nginx"|"none", "options": {…}}. `driver`
 *             may be a class path of the original, such as
 * "vr.common.balancer.nginx.NginxBalancer". Unknown options are refused by name. The options:
 *             haproxy  bind "0.0.0.0:8080", default_pool (else the first pool made), slots 64,
 *                      user (as root: "haproxy" if there is such an account), program "haproxy",
 *                      maxconn 4000, threads 2
 *             nginx    private true (run our own) | false (join the host's), program "nginx",
 *                      worker_shutdown_timeout 10 (seconds);
 *                      private: bind, default_pool, user, workers 2 as above;
 *                      not private: include_dir "/etc/nginx/sites-enabled", config_file (nginx -c),
 *                      pid_file "/run/nginx.pid"
 *             none     no options
 * @state_dir  borrowed; made if missing. Configuration, sockets and pid file live there; two
 *             balancers must not share it, and it must stay the same over restarts
 * @log        borrowed for the balancer's life; may be NULL
 * @out        given; release with vr_balancer_close()
 *
 * Returns 0, or -VR_INVALID for a bad configuration, -VR_NOT_FOUND for a driver not built in.
 */
VR_MUST_USE
int vr_balancer_open(const json_t *config, const char *state_dir, const struct vr_log *log,
                     struct vr_balancer **out, struct vr_err *err);

/** Forget the balancer; its program goes on and is adopted by the next open. Returns NULL. */
struct vr_balancer *vr_balancer_close(struct vr_balancer *b);
VR_DEFINE_OWNED(struct vr_balancer, vr_balancer_close)

/**
 * Make the balancer's pools exactly these: start the program if it does not run, compare what it
 * has with what it should have, and change only the differences. A pool or node not named is
 * removed; whatever connections such a node still has are shut, because the engine names a node as
 * `drain` for as long as it may keep them.
 *
 * Returns 0 if every pool was dealt with, each with its own error in the report if it has one, or a
 * negative code if the balancer as a whole failed (not startable, configuration refused). The
 * pools are remembered in either case and vr_balancer_poll() tries again. -VR_INVALID means that
 * the pools break a rule above: nothing was remembered or changed.
 * Blocks: haproxy up to 5 s when it starts or gets more slots, else milliseconds; nginx up to 4 s.
 */
VR_MUST_USE
int vr_balancer_apply(struct vr_balancer *b, const struct vr_balancer_pool *pools, size_t count,
                      struct vr_err *err);

/**
 * Look again: read checks, connections and membership, repair whatever differs from the last
 * apply (a program that died is started again), and raise `confirmed` where it is now true.
 * Before the first apply it does nothing. Returns and blocks as vr_balancer_apply().
 */
VR_MUST_USE
int vr_balancer_poll(struct vr_balancer *b, struct vr_err *err);

/**
 * What was found by the last apply or poll:
 * {"name", "driver", "error": null|text, "changes": n, "pools": [{"name", "generation": wanted,
 *  "applied": g, "confirmed": g, "error": null|text, "nodes": [{"id", "state": "active"|"drain",
 *  "check": "up"|"down"|"none", "connections": n|null}]}]}
 * `confirmed` is the generation of which the balancer was seen to use exactly the members for new
 * connections, 0 if none. "none": not checked, or no check has ended yet. `connections` null: the
 * driver cannot know. `changes` counts the commands and reloads that changed something.
 * @out  given; a new reference
 */
VR_MUST_USE
int vr_balancer_report(const struct vr_balancer *b, json_t **out, struct vr_err *err);

/**
 * End the balancer's program, connections included. Only `vr down` wants this. One that does not
 * run, or is not ours (nginx with private false), is left alone. Blocks up to 5 s.
 */
VR_MUST_USE
int vr_balancer_shutdown(struct vr_balancer *b, struct vr_err *err);

#endif
