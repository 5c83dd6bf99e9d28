/* SPDX-License-Identifier: MIT */
/* Logs of builds over WebSockets: what is in the database, then what comes, until the end. */
#ifndef VR_SERVER_BUILD_LOGS_H
#define VR_SERVER_BUILD_LOGS_H

#include "net/http_req.h"
#include "server/server.h"
#include "store/user.h"

struct vr_build_logs;

#define VR_BUILD_LOGS_MAX     500
#define VR_BUILD_LOGS_LOOK_MS 100          /* the database is looked at no more often */
#define VR_BUILD_LOGS_READ    (128u << 10) /* bytes a look, of each */
#define VR_BUILD_LOGS_AHEAD   (256u << 10) /* queued for a reader before it gets no more */

/** @wake  called, with a host of 0, when the hub's thread is to look; @hub goes with it, borrowed
 */
struct vr_build_logs *vr_build_logs_new(struct vr_server *server, struct vr_hub *hub,
                                        void (*wake)(struct vr_hub *hub, int64_t host_id));
struct vr_build_logs *vr_build_logs_free(struct vr_build_logs *logs);

/**
 * Answer a request for a WebSocket with a build's log from a byte on; the build exists. The
 * messages are {"at", "next", "text", "end": false}, at last {"end": true, "next", "status"}.
 */
void vr_build_logs_read(struct vr_build_logs *logs, struct vr_http_req *req, int64_t build_id,
                        int64_t from, const struct vr_login *login);

/**
 * Send what is new. In the hub's thread only; blocks on the database.
 * @changed  something was committed since
 * Returns when to be called again, in ms.
 */
int64_t vr_build_logs_look(struct vr_build_logs *logs, bool changed);

/** End what a login reads that is not good any more. */
void vr_build_logs_end_login(struct vr_build_logs *logs, const struct vr_login *login);
/** Append the logins of those who read; @v has room for them all, n are in it. Returns the new n.
 */
size_t vr_build_logs_logins(struct vr_build_logs *logs, struct vr_login *v, size_t n, size_t max);

#endif
