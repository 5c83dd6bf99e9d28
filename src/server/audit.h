/* SPDX-License-Identifier: MIT */
/* The audit log's entries of who came in and of what was refused, the latter few enough that nobody
 * fills it from outside. */
#ifndef VR_SERVER_AUDIT_H
#define VR_SERVER_AUDIT_H

#include "server/access.h"

#include <stdatomic.h>

#define VR_AUDIT_PER_MINUTE 60 /* entries; what is beyond is counted in the next one */

struct vr_http_req;
struct vr_server;
struct vr_tx;

/** How many there were in this minute. Zeroed: none. */
struct vr_audit {
    _Atomic int64_t minute;
    atomic_int written;
    atomic_int left_out;
};

/**
 * Write "login <name>" or "logout <name>": a session began or ended. In the transaction of that.
 * @action  login, logout
 */
VR_MUST_USE
int vr_audit_session(struct vr_server *server, struct vr_http_req *req, struct vr_tx *tx,
                     const struct vr_who *who, const char *action, struct vr_err *err);

/*
 * Both of these block on the database and never fail: what cannot be written is left out.
 */

/**
 * Write "login failed <name>". A name that no user has is not written: it may be a password in the
 * wrong place.
 * @username  NULL: what Basic authentication says
 * @why       the sentence of the answer
 */
void vr_audit_login_failed(struct vr_server *server, struct vr_http_req *req, const char *username,
                           const char *why);

/** Write "refused <method> <path>": a user who may not. */
void vr_audit_refused(struct vr_server *server, struct vr_http_req *req, const struct vr_who *who,
                      const char *why);

#endif
