/* SPDX-License-Identifier: MIT */
/* What the parts of the HTTP server know of each other; for src/net only. */
#ifndef VR_NET_HTTP_INTERNAL_H
#define VR_NET_HTTP_INTERNAL_H

#include "core/buf.h"
#include "core/clock.h"
#include "net/http_server.h"
#include "net/websocket.h"

#include <inttypes.h>
#include <microhttpd.h>
#include <netinet/in.h>

#define VR_HTTP_RESP_HEADERS 32
#define VR_HTTP_ID_BYTES     40

struct vr_http_hub;

struct vr_http_req {
    struct vr_http_server *server; /* borrowed */
    struct MHD_Connection *conn;   /* borrowed */
    const char *method;            /* borrowed from conn */
    bool is_head;
    bool begun; /* begin() was called */
    char *path; /* owns the text of query_text too */
    const char *query_text;
    struct vr_query *query;
    char *segments[VR_HTTP_SEGMENTS];
    size_t segment_count;
    char id[VR_HTTP_ID_BYTES];
    char remote[INET6_ADDRSTRLEN];
    struct vr_http_intake intake;
    struct vr_mono body_end; /* when a buffered body must be there */
    struct vr_buf body;
    uint64_t body_bytes;
    uint64_t swallowed_bytes;      /* of a body that was refused */
    struct vr_http_resp *answer;   /* NULL until somebody answered */
    struct vr_http_pending *wait;  /* a reference; NULL unless suspended */
    struct vr_http_stream *stream; /* a reference; NULL unless it streams */
    struct vr_ws *ws;              /* a reference; NULL unless it becomes a WebSocket */
    void *attached;
    void (*release)(void *attached);
};

struct vr_http_resp {
    int status;
    char *names[VR_HTTP_RESP_HEADERS];
    char *values[VR_HTTP_RESP_HEADERS];
    size_t header_count;
    char *etag; /* unquoted, NULL if none */
    char *type; /* NULL without a body */
    char *bytes;
    size_t n;
    int fd; /* -1: the body is `bytes` */
    uint64_t size;
};

/* http_req.c */
struct vr_http_req *vr_http_req_new(struct vr_http_server *server, const char *uri,
                                    uint64_t number);
struct vr_http_req *vr_http_req_free(struct vr_http_req *req);
/** Fill in what needs the headers; a request that is refused has got its answer. */
void vr_http_req_open(struct vr_http_req *req, struct MHD_Connection *conn, const char *method);

/* http_resp.c */
/** Hand the answer to the connection. @resp taken */
enum MHD_Result vr_http_resp_queue(struct vr_http_resp *resp, struct vr_http_req *req);

/* http_wait.c */
/** Starts the thread that watches suspended requests. */
VR_MUST_USE
int vr_http_hub_start(int64_t beat_ms, struct vr_http_hub **out, struct vr_err *err);
/** End all that waits; nothing is suspended afterwards. */
void vr_http_hub_finish(struct vr_http_hub *hub);
/** Stop the thread; the memory stays until the last object is released. */
void vr_http_hub_stop(struct vr_http_hub *hub);
int vr_http_hub_waiting(struct vr_http_hub *hub);
struct vr_http_hub *vr_http_server_hub(struct vr_http_server *server);

/** The request has ended: void what waits for it and drop the request's reference. */
void vr_http_wait_ended(struct vr_http_req *req);
/** The connection runs again: the answer if there is one, else it is to be closed. */
enum MHD_Result vr_http_wait_resumed(struct vr_http_req *req);
/** Hand the stream to the connection as its answer. */
enum MHD_Result vr_http_stream_queue(struct vr_http_req *req);

/* websocket.c */
struct vr_ws_loop;
/** Starts the thread of all WebSockets. */
VR_MUST_USE
int vr_ws_loop_start(struct vr_ws_loop **out, struct vr_err *err);
/** Accept no more and close those that are open, within VR_WS_STOP_MS. */
void vr_ws_loop_finish(struct vr_ws_loop *loop);
/** Give up the rest and stop the thread; the memory stays until the last object is released. */
void vr_ws_loop_stop(struct vr_ws_loop *loop);
struct vr_ws_loop *vr_http_server_ws(struct vr_http_server *server);
/** Hand the upgrade to the connection as its answer. */
enum MHD_Result vr_ws_queue(struct vr_http_req *req);
/** The request has ended: so has its WebSocket. */
void vr_ws_ended(struct vr_http_req *req);

#endif
