/* SPDX-License-Identifier: MIT */
/* What a balancer driver implements; for drivers and balancer.c only. */
#ifndef VR_BALANCER_BALANCER_DRIVER_H
#define VR_BALANCER_BALANCER_DRIVER_H

#include "balancer/balancer.h"

enum vr_balancer_check {
    VR_BALANCER_CHECK_NONE, /* not checked, or no result yet */
    VR_BALANCER_CHECK_UP,
    VR_BALANCER_CHECK_DOWN,
};

#define VR_BALANCER_CONNECTIONS_UNKNOWN INT64_C(-1)

/** A node as wanted, and what the driver saw of it. */
struct vr_balancer_node_view {
    char *id;
    char *address;
    uint16_t port;
    bool drain;
    enum vr_balancer_check check; /* out */
    int64_t connections;          /* out */
};

/** A pool as wanted, and what the driver made of it. */
struct vr_balancer_pool_view {
    char *name;
    int64_t generation;
    bool check;
    struct vr_balancer_node_view *nodes;
    size_t node_count;
    int64_t applied;              /* out: last generation that was written */
    int64_t confirmed;            /* out: generation that new connections were seen to use, or 0 */
    char error[VR_ERR_MSG_BYTES]; /* out: "" if none */
};

/** All pools of a balancer; owned by balancer.c, passed to each sync. */
struct vr_balancer_view {
    struct vr_balancer_pool_view *pools;
    size_t pool_count;
    int64_t changes; /* out: add one for each command or reload that changes something */
};

struct vr_balancer_driver_spec {
    const char *name;         /* borrowed for the driver's life, as is all of this */
    const char *state_dir;    /* exists, absolute */
    const json_t *options;    /* object; only borrowed for open() */
    const struct vr_log *log; /* may be NULL */
};

/**
 * A driver is a table of functions over its own `self`.
 * @open      read the options; start nothing. *out_self is given, released by close()
 * @sync      make the balancer what the view says, changing differences only, and fill in the
 *            view's out fields; called for each apply and for each poll. A negative return is a
 *            failure of the whole balancer; confirmed must then be 0 in pools it may concern
 * @shutdown  end the program if it is ours
 */
struct vr_balancer_driver {
    const char *name;
    int (*open)(const struct vr_balancer_driver_spec *spec, void **out_self, struct vr_err *err);
    void (*close)(void *self);
    int (*sync)(void *self, struct vr_balancer_view *view, struct vr_err *err);
    int (*shutdown)(void *self, struct vr_err *err);
};

extern const struct vr_balancer_driver vr_balancer_haproxy;
extern const struct vr_balancer_driver vr_balancer_nginx;
extern const struct vr_balancer_driver vr_balancer_none;

/** The node of that id, NULL if there is none. */
struct vr_balancer_node_view *vr_balancer_node_find(const struct vr_balancer_pool_view *pool,
                                                    const char *id);

/** The pool of that name, NULL if there is none. */
struct vr_balancer_pool_view *vr_balancer_pool_find(const struct vr_balancer_view *view,
                                                    const char *name);

#endif
