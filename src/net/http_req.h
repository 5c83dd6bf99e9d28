/* SPDX-License-Identifier: MIT */
/* One request, as a handler sees it. Valid until the request has been answered. */
#ifndef VR_NET_HTTP_REQ_H
#define VR_NET_HTTP_REQ_H

#include "fmt/query.h"

#include <stdbool.h>
#include <stdint.h>

struct vr_http_req;
struct vr_http_resp;

/**
 * Receives bytes in order. Returns 0 to go on, a negative code with `err` to fail, or (for
 * downloads only) 1 to stop without an error.
 */
typedef int (*vr_http_sink_fn)(void *ctx, const void *bytes, size_t n, struct vr_err *err);

/* All texts are borrowed. */

/** "GET" for HEAD too, whose body is left out by the server. */
const char *vr_http_req_method(const struct vr_http_req *req);
bool vr_http_req_is_head(const struct vr_http_req *req);

/** The path as it came, without the query: "/api/v1/apps/a%20b/". */
const char *vr_http_req_path(const struct vr_http_req *req);

/** Decoded parts of the path between slashes, empty ones skipped: "api", "v1", "apps", "a b". */
size_t vr_http_req_segment_count(const struct vr_http_req *req);
/** NULL beyond the count. A part may hold a decoded slash. */
const char *vr_http_req_segment(const struct vr_http_req *req, size_t i);

/** The text after `?`, "" if none, and the same parsed. */
const char *vr_http_req_query_text(const struct vr_http_req *req);
const struct vr_query *vr_http_req_query(const struct vr_http_req *req);

/** By name in any case; NULL if absent. */
const char *vr_http_req_header(const struct vr_http_req *req, const char *name);

/** The buffered body, NUL-terminated behind its n bytes; "" before handle() and for a sink. */
struct vr_str vr_http_req_body(const struct vr_http_req *req);
/** Overwrite it: it held a secret. What was parsed of it stays. */
void vr_http_req_wipe_body(struct vr_http_req *req);

/** Bytes of body that arrived, into a buffer or a sink. */
uint64_t vr_http_req_body_bytes(const struct vr_http_req *req);

/** The peer's address as text, without its port. */
const char *vr_http_req_remote(const struct vr_http_req *req);

/** A text unique to this request, also sent as X-Request-Id. */
const char *vr_http_req_id(const struct vr_http_req *req);

/**
 * Whether the page that asks is one of ours, by Origin; also true for programs that are no browser
 * and name none. X-Forwarded-Host counts as Host does: no page can set it.
 */
bool vr_http_req_is_own_origin(const struct vr_http_req *req);

/** Whether If-None-Match holds this entity tag (unquoted), so that 304 is the answer. */
bool vr_http_req_has_etag(const struct vr_http_req *req, const char *etag);

/**
 * Keep something with the request; `release` (may be NULL) is called with it when the request has
 * ended in whatever way, in a thread of the server. Replaces what was attached before.
 */
void vr_http_req_attach(struct vr_http_req *req, void *data, void (*release)(void *data));
void *vr_http_req_attached(const struct vr_http_req *req);

/** Answer the request; only the first answer counts. @resp  taken */
void vr_http_answer(struct vr_http_req *req, struct vr_http_resp *resp);

/** Answer `{"error": text}`. */
void vr_http_answer_error(struct vr_http_req *req, int status, const char *fmt, ...)
    VR_PRINTF(3, 4);

/** Answer without a body. */
void vr_http_answer_status(struct vr_http_req *req, int status);

#endif
