/* SPDX-License-Identifier: MIT */
/* The framing of a WebSocket (RFC 6455), for both ends: bytes in, messages out, and back. */
#ifndef VR_NET_WS_FRAMES_H
#define VR_NET_WS_FRAMES_H

#include "core/own.h"
#include "core/str.h"

#include <stdbool.h>
#include <stdint.h>

#define VR_WS_MESSAGE_BYTES (1u << 20)  /* of a message that is received */
#define VR_WS_REASON_BYTES  123         /* of the text that goes with a close code */
#define VR_WS_SPARE_BYTES   (16u << 10) /* for answers to pings and the close, beyond the queue */

enum vr_ws_kind {
    VR_WS_TEXT, /* UTF-8; checked on arrival */
    VR_WS_BINARY,
    VR_WS_PING, /* answered already */
    VR_WS_PONG,
    VR_WS_CLOSE, /* answered already; `code` is set, the bytes are the reason */
};

/* Codes of a close. From 4000 on they are ours: 4000 and the status that an answer would have. */
enum {
    VR_WS_NORMAL = 1000,
    VR_WS_GOING_AWAY = 1001,
    VR_WS_PROTOCOL = 1002,
    VR_WS_NO_CODE = 1005,  /* the peer named none; never sent */
    VR_WS_TOO_SLOW = 1008, /* the reader does not keep up */
    VR_WS_TOO_BIG = 1009,
    VR_WS_STATUS = 4000,
};

struct vr_ws_message {
    enum vr_ws_kind kind;
    const char *p; /* borrowed for the call */
    size_t n;
    int code;
};

typedef void vr_ws_message_fn(void *ctx, const struct vr_ws_message *message);

/** One end of a connection. No sockets, no locks. */
struct vr_ws_frames;

/** @queue_bytes  how much may wait to be sent; more is refused by vr_ws_frames_put() */
struct vr_ws_frames *vr_ws_frames_new(bool is_client, size_t queue_bytes);
struct vr_ws_frames *vr_ws_frames_free(struct vr_ws_frames *f);
VR_DEFINE_OWNED(struct vr_ws_frames, vr_ws_frames_free)

/**
 * Take bytes from the peer, in pieces of any size; `fn` gets each whole message. Bytes that are no
 * WebSocket, and messages over VR_WS_MESSAGE_BYTES, make it close with a code: what follows is
 * ignored. False when the connection cannot go on even to say so.
 */
bool vr_ws_frames_take(struct vr_ws_frames *f, const void *bytes, size_t n, vr_ws_message_fn *fn,
                       void *ctx);

/** Queue a message (not a close); -VR_LIMIT if the queue is full, -VR_BUSY if it is closing. */
VR_MUST_USE
int vr_ws_frames_put(struct vr_ws_frames *f, enum vr_ws_kind kind, const void *bytes, size_t n,
                     struct vr_err *err);
/** Queue the close; nothing can be queued afterwards. @reason cut to VR_WS_REASON_BYTES */
void vr_ws_frames_close(struct vr_ws_frames *f, int code, const char *reason);

/** What is to be sent, and that the first n bytes of it were. */
struct vr_str vr_ws_frames_queued(const struct vr_ws_frames *f);
void vr_ws_frames_sent(struct vr_ws_frames *f, size_t n);

/** Whether a close was queued, by us or as the answer to the peer's. */
bool vr_ws_frames_is_closing(const struct vr_ws_frames *f);
/** Whether both ends have closed and nothing is left to be sent. */
bool vr_ws_frames_is_over(const struct vr_ws_frames *f);

#define VR_WS_KEY_BYTES    16
#define VR_WS_ACCEPT_BYTES 29 /* the text and its NUL */

/** Sec-WebSocket-Accept of a Sec-WebSocket-Key. */
void vr_ws_accept_of(const char *key, char out[VR_WS_ACCEPT_BYTES]);

#endif
