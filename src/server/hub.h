/* SPDX-License-Identifier: MIT */
/* Those who wait for a change: long-polls of agents, event streams. */
#ifndef VR_SERVER_HUB_H
#define VR_SERVER_HUB_H

#include "net/http_wait.h"
#include "server/server.h"
#include "store/user.h"

#include <jansson.h>

struct vr_build_logs;
struct vr_hub;
struct vr_proc_logs;

#define VR_HUB_WAITS_MAX     20000
#define VR_HUB_STREAMS_MAX   2000
#define VR_HUB_BEAT_MS       5000
#define VR_HUB_SEEN_MS       1000 /* last_seen of hosts is written at most so often */
#define VR_HUB_REPLAY_MAX    5000 /* events that a stream may be behind */
#define VR_HUB_ROLLOUT_BYTES 40
#define VR_HUB_KINDS_BYTES   128
#define VR_HUB_BUFFER        100 /* events replayed to a stream that names none */

/** Starts its thread. @server borrowed */
VR_MUST_USE
int vr_hub_start(struct vr_server *server, struct vr_hub **out, struct vr_err *err);
struct vr_hub *vr_hub_stop(struct vr_hub *hub);

/** Something was committed. From any thread; never blocks long. */
void vr_hub_wake(struct vr_hub *hub, const struct vr_touched *touched);

/**
 * Look whether a request that waits can be answered. Called in the hub's thread (and once by
 * vr_hub_wait() itself) after changes. Gives the answer, or NULL to go on waiting.
 */
typedef struct vr_http_resp *(*vr_hub_look_fn)(struct vr_server *server, void *data);

/**
 * Put a request aside until `look` gives an answer or the time is over.
 * @host_id     look only when this host's desired state changed; 0: after every change
 * @at_timeout  taken: the answer then
 * @data        taken; released with `release`
 */
void vr_hub_wait(struct vr_hub *hub, struct vr_http_req *req, int64_t host_id, int64_t timeout_ms,
                 struct vr_http_resp *at_timeout, vr_hub_look_fn look, void *data,
                 void (*release)(void *data));

enum vr_hub_form {
    VR_HUB_EVENTS,       /* the contract's stream of events: kind `event` only */
    VR_HUB_PROC_CHANGES, /* the contract's stream of procs: kind `proc`, live only */
    VR_HUB_ALL,          /* ours: every kind, named, with beats */
};

struct vr_hub_stream_spec {
    enum vr_hub_form form;
    int64_t after;       /* replay from the event behind this; -1: none. VR_HUB_EVENTS replays the
                            last VR_HUB_BUFFER unless this is one of them */
    const char *rollout; /* only events of this one; NULL: all. Borrowed for the call */
    int64_t app_id;      /* only events that belong to this one, or to none; 0: all */
    const char *kinds; /* ",proc,object,": only events of these; NULL: all. Borrowed for the call */
    struct vr_login login; /* the stream ends within 10 s after it */
};

/** Answer a request with a stream of events. */
void vr_hub_stream(struct vr_hub *hub, struct vr_http_req *req,
                   const struct vr_hub_stream_spec *spec);

/** A host was heard of; written with others soon. */
void vr_hub_seen(struct vr_hub *hub, int64_t host_id);

/** Logs of procs, and of builds, that are being read; borrowed. */
struct vr_proc_logs *vr_hub_proc_logs(struct vr_hub *hub);
struct vr_build_logs *vr_hub_build_logs(struct vr_hub *hub);

#endif
