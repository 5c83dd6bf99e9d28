/* SPDX-License-Identifier: MIT */
/* Reading an event stream (text/event-stream): a parser, and a call that follows one. */
#ifndef VR_NET_SSE_H
#define VR_NET_SSE_H

#include "net/http_client.h"

#define VR_SSE_EVENT_BYTES (1u << 20) /* of one line, and of one event's data */

struct vr_sse_event {
    const char *id;    /* the last one seen, "" if none; borrowed */
    const char *event; /* "message" if not named; borrowed */
    const char *data;  /* lines joined by \n; borrowed */
};

/** Returns 0 to go on, 1 to stop, or a negative code with `err`. */
typedef int (*vr_sse_fn)(void *user, const struct vr_sse_event *event, struct vr_err *err);

struct vr_sse_parser;

/** @user borrowed */
struct vr_sse_parser *vr_sse_parser_new(vr_sse_fn fn, void *user);
struct vr_sse_parser *vr_sse_parser_free(struct vr_sse_parser *p);
VR_DEFINE_OWNED(struct vr_sse_parser, vr_sse_parser_free)

/** Take the next bytes, in pieces of any size; passes on what fn returns. A vr_http_sink_fn. */
int vr_sse_parser_feed(void *parser, const void *bytes, size_t n, struct vr_err *err);

/** The id to reconnect with (Last-Event-ID), "" if none; borrowed. */
const char *vr_sse_parser_last_id(const struct vr_sse_parser *p);

/**
 * Follow an event stream until fn stops it or the server ends it. Sets Accept and, if last_id is
 * not NULL or empty, Last-Event-ID; `sink` of `call` is not used. A status other than 2xx is no
 * failure of this call: look at *out. Blocks.
 */
VR_MUST_USE
int vr_sse_follow(struct vr_http_client *client, const struct vr_http_call *call,
                  const char *last_id, vr_sse_fn fn, void *user, struct vr_http_result *out,
                  struct vr_err *err);

#endif
