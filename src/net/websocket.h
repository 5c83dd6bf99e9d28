/* SPDX-License-Identifier: MIT */
/*
 * WebSockets of the server: connections that were upgraded, served by one thread for all.
 *
 * An object is counted: the server holds a reference while it is open, the caller another, and all
 * functions may be called from any thread, also after the peer or the server is gone.
 */
#ifndef VR_NET_WEBSOCKET_H
#define VR_NET_WEBSOCKET_H

#include "net/ws_frames.h"

struct vr_http_req;
struct vr_ws;

#define VR_WS_MAX         1000       /* open at once; more are answered 503 */
#define VR_WS_QUEUE_BYTES (1u << 20) /* sent to a peer that does not read; then it is closed */
#define VR_WS_PING_MS     20000      /* silence after which the peer is pinged */
#define VR_WS_SILENCE_MS  60000      /* silence after which it is given up */
#define VR_WS_CLOSE_MS    5000       /* for the peer's answer to a close, and for what is queued */
#define VR_WS_STOP_MS     500        /* the same when the server stops */

struct vr_ws_spec {
    /* Gets whole text and binary messages, one after the other, in the thread of all WebSockets:
     * must not block. NULL: the peer's messages are ignored. */
    void (*on_message)(void *ctx, struct vr_ws *ws, const struct vr_ws_message *message);
    void *ctx;
    void (*release)(void *ctx); /* called with ctx when the last reference goes; may be NULL */
};

/** Whether the request wants to become a WebSocket. */
bool vr_ws_is_asked(const struct vr_http_req *req);

/**
 * Answer the request (in handle(), instead of vr_http_answer()) by an upgrade. A request with an
 * Origin that is not this server is refused: browsers send cookies and logins along wherever the
 * page comes from, and always say where that is.
 * @spec  borrowed for the call
 *
 * Returns a reference; release with vr_ws_unref(), which does not close it. NULL if the request
 * was refused: it is answered then, and ctx is released. What is sent before the peer has got the
 * answer is kept.
 */
struct vr_ws *vr_ws_accept(struct vr_http_req *req, const struct vr_ws_spec *spec);

/**
 * Send a message. A peer whose queue would exceed VR_WS_QUEUE_BYTES is closed with VR_WS_TOO_SLOW.
 * False if it is closing or over. Never blocks.
 */
bool vr_ws_send(struct vr_ws *ws, enum vr_ws_kind kind, const char *bytes, size_t n);
/** Close with a code after what is queued. @reason may be NULL */
void vr_ws_close(struct vr_ws *ws, int code, const char *reason);
/** Whether it is closing, or closed. */
bool vr_ws_is_over(struct vr_ws *ws);
/** Bytes that wait for the peer to read. */
size_t vr_ws_queued(struct vr_ws *ws);

struct vr_ws *vr_ws_ref(struct vr_ws *ws);
/** Returns NULL; accepts NULL. */
struct vr_ws *vr_ws_unref(struct vr_ws *ws);
VR_DEFINE_OWNED(struct vr_ws, vr_ws_unref)

#endif
