/* SPDX-License-Identifier: MIT */
/* Which pool has which spare backend of HAProxy, and the files that say so at its next start. */
#ifndef VR_BALANCER_HAPROXY_SLOTS_H
#define VR_BALANCER_HAPROXY_SLOTS_H

#include "balancer/balancer_driver.h"
#include "core/buf.h"

#define VR_HAPROXY_SLOTS_STEP 64 /* made at first, and more at a time */
#define VR_HAPROXY_SLOTS_LOW  8  /* more are made when so few are free */
#define VR_HAPROXY_SLOT_BYTES 16 /* of a slot's name */
#define VR_HAPROXY_KEY_BYTES  (VR_BALANCER_NAME_MAX + 2)
#define VR_HAPROXY_ANY_HOST   "*" /* key of the default pool in the map */

struct vr_haproxy_slots {
    char **pools; /* [count]; NULL is free */
    int count;
    char *fallback; /* pool of hosts that name no pool; NULL if none */
};

void vr_haproxy_slots_fini(struct vr_haproxy_slots *slots);

/** Make the table longer, never shorter. */
void vr_haproxy_slots_grow(struct vr_haproxy_slots *slots, int count);

/** Learn from the text of a map file; what cannot be true is passed over. */
void vr_haproxy_slots_learn(struct vr_haproxy_slots *slots, const char *map_text);

/**
 * Give each pool of the view a slot, making the table longer if need be, then free the slots of
 * pools that are gone: in this order, so that no pool gets a slot whose servers still stand.
 * @wanted_fallback  the configured default pool; NULL: the first pool made, for as long as it is
 */
void vr_haproxy_slots_assign(struct vr_haproxy_slots *slots, const struct vr_balancer_view *view,
                             const char *wanted_fallback);

int vr_haproxy_slots_free_count(const struct vr_haproxy_slots *slots);

/** Index of the pool's slot, -1 if it has none. */
int vr_haproxy_slots_find(const struct vr_haproxy_slots *slots, const char *pool);

void vr_haproxy_slot_name(int index, char out[VR_HAPROXY_SLOT_BYTES]);

/** Index of a slot's name, -1 if it is none. */
int vr_haproxy_slot_index(const char *name);

/** The pool's key in the map: lower case, with a dot at its end, as the front end asks for it. */
void vr_haproxy_key(const char *pool, char out[VR_HAPROXY_KEY_BYTES]);

/** Append the map file's lines. */
void vr_haproxy_slots_write_map(const struct vr_haproxy_slots *slots, struct vr_buf *out);

/** Append the backends with the servers that may take requests right from a start. */
void vr_haproxy_slots_write_backends(const struct vr_haproxy_slots *slots,
                                     const struct vr_balancer_view *view, struct vr_buf *out);

/** Append "address:port", with brackets for IPv6. */
void vr_haproxy_write_address(const struct vr_balancer_node_view *node, struct vr_buf *out);

/** Parameters of each server, in the file and in `add server`. */
#define VR_HAPROXY_SERVER_CHECK "check inter 500 fall 2 rise 1"

#endif
