/* SPDX-License-Identifier: MIT */
/* An answer under construction: status, headers and one of several kinds of body. */
#ifndef VR_NET_HTTP_RESP_H
#define VR_NET_HTTP_RESP_H

#include "fmt/json.h"

struct vr_http_resp;

/** An answer without a body; release with vr_http_resp_free() unless it is handed to an answer. */
struct vr_http_resp *vr_http_resp_new(int status);
struct vr_http_resp *vr_http_resp_free(struct vr_http_resp *resp);
VR_DEFINE_OWNED(struct vr_http_resp, vr_http_resp_free)

/** Add a header (copied), up to 28 of them. Control characters in the value become spaces. */
void vr_http_resp_header(struct vr_http_resp *resp, const char *name, const char *value);

/**
 * Set `ETag: "etag"`. A GET whose If-None-Match holds it is answered 304 instead.
 * @etag  copied; without quotes
 */
void vr_http_resp_etag(struct vr_http_resp *resp, const char *etag);

/* One body; a second call replaces the first. */

/** @text copied, @type copied */
void vr_http_resp_text(struct vr_http_resp *resp, const char *type, const char *text);
/** @bytes taken, released with free() */
void vr_http_resp_bytes(struct vr_http_resp *resp, const char *type, char *bytes, size_t n);
/** Compact, keys sorted. @value borrowed */
void vr_http_resp_json(struct vr_http_resp *resp, const json_t *value);

/**
 * Send a regular file, with `Range` and `If-Range` honoured (206, 416).
 * @fd  taken, even on failure
 */
VR_MUST_USE
int vr_http_resp_file(struct vr_http_resp *resp, const char *type, int fd, struct vr_err *err);

#endif
