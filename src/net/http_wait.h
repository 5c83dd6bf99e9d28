/* SPDX-License-Identifier: MIT */
/*
 * Requests that wait without a thread: answers given later, and streams.
 *
 * Both objects are counted: the server holds one reference, the caller another, and all functions
 * may be called from any thread, also after the client or the server is gone.
 */
#ifndef VR_NET_HTTP_WAIT_H
#define VR_NET_HTTP_WAIT_H

#include "core/own.h"

#include <stdbool.h>
#include <stdint.h>

struct vr_http_req;
struct vr_http_resp;

/** A request that is answered later. */
struct vr_http_pending;

/**
 * Put the request aside; call it in handle(), which then returns without an answer. The request
 * must not be used afterwards (what is needed of it is to be copied before).
 * @timeout_ms  when `at_timeout` is sent
 * @at_timeout  taken
 * Returns a reference; release with vr_http_pending_unref(). NULL if the server is stopping:
 * `at_timeout` is the answer then.
 */
struct vr_http_pending *vr_http_suspend(struct vr_http_req *req, int64_t timeout_ms,
                                        struct vr_http_resp *at_timeout);

/** Answer once. @resp taken. False if it was over: answered, timed out or disconnected. */
bool vr_http_pending_answer(struct vr_http_pending *p, struct vr_http_resp *resp);
bool vr_http_pending_is_over(struct vr_http_pending *p);
struct vr_http_pending *vr_http_pending_ref(struct vr_http_pending *p);
/** Returns NULL; accepts NULL. A request that nobody answers goes on to its timeout. */
struct vr_http_pending *vr_http_pending_unref(struct vr_http_pending *p);
VR_DEFINE_OWNED(struct vr_http_pending, vr_http_pending_unref)

/** A body without an end, written by any thread. */
struct vr_http_stream;

#define VR_HTTP_STREAM_BYTES (1u << 20) /* queued for a client that does not read */
#define VR_HTTP_BEAT_MS      15000      /* a comment is sent on a silent event stream */

enum vr_http_stream_kind {
    VR_HTTP_STREAM_EVENTS, /* text/event-stream with heartbeats */
    VR_HTTP_STREAM_TEXT,   /* text/plain; charset=utf-8 */
};

/**
 * Answer the request (in handle(), instead of vr_http_answer()) with a stream.
 * Returns a reference; release with vr_http_stream_unref(), which does not end the stream.
 */
struct vr_http_stream *vr_http_stream_start(struct vr_http_req *req, enum vr_http_stream_kind kind);

/**
 * Queue bytes; for an event stream whole events, each with its empty line. A client whose queue
 * would exceed VR_HTTP_STREAM_BYTES is cut off. False if the stream is over. Never blocks.
 */
bool vr_http_stream_send(struct vr_http_stream *s, const char *bytes, size_t n);
/** End it after what is queued. */
void vr_http_stream_close(struct vr_http_stream *s);
bool vr_http_stream_is_over(struct vr_http_stream *s);
/** Bytes that the client has not taken yet. */
size_t vr_http_stream_queued(struct vr_http_stream *s);
struct vr_http_stream *vr_http_stream_ref(struct vr_http_stream *s);
/** Returns NULL; accepts NULL. */
struct vr_http_stream *vr_http_stream_unref(struct vr_http_stream *s);
VR_DEFINE_OWNED(struct vr_http_stream, vr_http_stream_unref)

#endif
