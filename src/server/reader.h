/* SPDX-License-Identifier: MIT */
/* Whoever reads what does not end: over HTTP as events or plain text, or over a WebSocket. */
#ifndef VR_SERVER_READER_H
#define VR_SERVER_READER_H

#include "net/http_wait.h"
#include "net/websocket.h"

#include <jansson.h>

#define VR_READER_LOG_BYTES (32u << 10) /* of a log in one message of a WebSocket */

enum vr_reader_form {
    VR_READER_TEXT,
    VR_READER_EVENTS,
    VR_READER_WS, /* each message is a JSON object */
};

/** Plain value; what is in it is counted elsewhere. */
struct vr_reader {
    enum vr_reader_form form;
    struct vr_http_stream *http; /* NULL for a WebSocket */
    struct vr_ws *ws;
};

/**
 * Answer the request with a stream: by an upgrade if it asks for one, else as `form`. False if it
 * was refused, and answered.
 */
bool vr_reader_start(struct vr_reader *r, struct vr_http_req *req, enum vr_reader_form form);
/** Lets go of it; the stream goes on unless it was closed. */
void vr_reader_fini(struct vr_reader *r);

/** False if it is over. A reader that is too slow is cut off. */
bool vr_reader_send(struct vr_reader *r, const char *bytes, size_t n);
/** A message of a WebSocket. @message taken */
bool vr_reader_send_json(struct vr_reader *r, json_t *message);
/**
 * Send text of a log as messages {"at", "next", "text", "end": false} of whole lines.
 * @at   place of its first byte; -1: not known, null in the messages
 * @all  also what has no end of line yet, but for the begin of a character
 *
 * Returns how many bytes were sent.
 */
size_t vr_reader_send_log(struct vr_reader *r, struct vr_str text, int64_t at, bool all);
/** End after what is queued. */
void vr_reader_close(struct vr_reader *r);
/**
 * End because of something: the sentence as text, or {"error", "status", "end": true} and the close
 * code VR_WS_STATUS + status.
 */
void vr_reader_fail(struct vr_reader *r, int status, const char *sentence);
/**
 * A request for a stream cannot be served: for a WebSocket said as vr_reader_fail() does, since
 * browsers hide the status of a refused upgrade; else as {"error"} with the status.
 */
void vr_reader_refuse(struct vr_http_req *req, int status, const char *sentence);
/** Whether it was started and goes on. */
bool vr_reader_is_open(const struct vr_reader *r);
/** Bytes that it has not taken yet. */
size_t vr_reader_queued(const struct vr_reader *r);

#endif
