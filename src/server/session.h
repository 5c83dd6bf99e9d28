/* SPDX-License-Identifier: MIT */
/* Sessions of browsers: their cookies, how long they last, and what keeps other sites out. */
#ifndef VR_SERVER_SESSION_H
#define VR_SERVER_SESSION_H

#include "net/http_req.h"
#include "net/http_resp.h"
#include "server/access.h"
#include "store/store.h"

#define VR_SESSION_COOKIE "vr_session" /* the session; scripts of a page do not see it */
#define VR_SESSION_CSRF   "csrftoken"  /* what such scripts repeat in X-CSRFToken */
#define VR_SESSION_IDLE_S (12 * 3600)  /* without a request */
#define VR_SESSION_MAX_S  (7 * 86400)  /* since the log-in, whatever happens */
#define VR_SESSION_SEEN_S 300          /* how exactly it is known when it was used last */
#define VR_SESSION_BYTES  24           /* random ones of each cookie */
#define VR_SESSION_HEX    (VR_SESSION_BYTES * 2 + 1)

/** The two cookies of a new session. */
struct vr_session_keys {
    char session[VR_SESSION_HEX];
    char csrf[VR_SESSION_HEX];
};

/** Begin a session. @remote  where from; borrowed */
VR_MUST_USE
int vr_session_start(struct vr_tx *tx, int64_t user_id, const char *remote, struct vr_wall now,
                     struct vr_session_keys *out, struct vr_err *err);

/** The session that a request's cookie names, if that can be one at all. */
bool vr_session_cookie(const struct vr_http_req *req, char out[VR_SESSION_HEX]);

/** What is stored of a cookie; given. */
char *vr_session_sha256(const char *session);

/** When a session ends if it is used now. */
int64_t vr_session_expiry_us(int64_t created_us, struct vr_wall now);

/** Set both cookies. @keys  NULL: remove them. @is_tls  they are sent over TLS only */
void vr_session_set_cookies(struct vr_http_resp *resp, const struct vr_session_keys *keys,
                            bool is_tls);

/** Whether the request repeats the session's CSRF token in X-CSRFToken. */
bool vr_session_has_csrf(const struct vr_http_req *req, const struct vr_who *who);

/**
 * Whether a browser says that a page of another site made this request. Programs say nothing.
 * Behind a proxy that changes Host, X-Forwarded-Host counts as well.
 */
bool vr_session_is_foreign(const struct vr_http_req *req);

#endif
