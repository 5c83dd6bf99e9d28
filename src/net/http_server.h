/* SPDX-License-Identifier: MIT */
/* An HTTP/1.1 server on a small pool of threads, for many idle connections and few busy ones. */
#ifndef VR_NET_HTTP_SERVER_H
#define VR_NET_HTTP_SERVER_H

#include "core/log.h"
#include "net/http_req.h"
#include "net/http_resp.h"
#include "net/http_wait.h"

#define VR_HTTP_THREADS         2
#define VR_HTTP_CONNECTIONS     4096
#define VR_HTTP_IDLE_MS         60000
#define VR_HTTP_BODY_BYTES      (1u << 20) /* of a buffered body, unless begin() says otherwise */
#define VR_HTTP_BODY_MS         60000      /* for a buffered body to arrive */
#define VR_HTTP_STOP_MS         2000       /* for answers under way when the server stops */
#define VR_HTTP_SEGMENTS        32         /* of a path */
#define VR_HTTP_SWALLOWED_BYTES 65536      /* read of a refused body to keep the connection */

/** What begin() decides about the body; preset to a buffered one of VR_HTTP_BODY_BYTES. */
struct vr_http_intake {
    uint64_t max_bytes;
    vr_http_sink_fn sink; /* gets the body piece by piece instead of a buffer; may be NULL */
    void *sink_ctx;       /* borrowed until the request ends (see vr_http_req_attach()) */
};

/**
 * Called once the headers are there, before the body. It may answer, which refuses the request:
 * the body is not read then, and handle() is not called. A declared body over max_bytes is
 * refused with 413 after begin(), a longer undeclared one as soon as it is longer.
 */
typedef void (*vr_http_begin_fn)(void *user, struct vr_http_req *req,
                                 struct vr_http_intake *intake);

/**
 * Called once the request is complete. It must vr_http_answer(), vr_http_suspend() or start a
 * stream before it returns; else the client gets 500. Runs in a thread of the pool and holds up
 * the other connections of that thread meanwhile.
 */
typedef void (*vr_http_handle_fn)(void *user, struct vr_http_req *req);

struct vr_http_server_spec {
    const char *address;    /* an IPv4 or IPv6 address */
    uint16_t port;          /* 0: the kernel picks one */
    int threads;            /* 0: VR_HTTP_THREADS */
    int max_connections;    /* 0: VR_HTTP_CONNECTIONS */
    int64_t idle_ms;        /* 0: VR_HTTP_IDLE_MS; silence after which a connection is closed */
    int64_t beat_ms;        /* 0: VR_HTTP_BEAT_MS; silence of an event stream before a comment */
    const char *tls_cert;   /* PEM text; NULL: plain HTTP */
    const char *tls_key;    /* PEM text */
    vr_http_begin_fn begin; /* may be NULL */
    vr_http_handle_fn handle;
    void *user; /* borrowed; given to the callbacks */
};

struct vr_http_server;

/**
 * Bind, listen and serve. All of `spec` is borrowed for this call, `user` until stop.
 * @out  given; release with vr_http_server_stop()
 *
 * Returns -VR_INVALID for a bad address, -VR_BUSY if the port is taken.
 */
VR_MUST_USE
int vr_http_server_start(const struct vr_http_server_spec *spec, struct vr_http_server **out,
                         struct vr_err *err);

/**
 * Accept no more, end every stream, give suspended requests their answer of the timeout, wait up
 * to VR_HTTP_STOP_MS for answers under way, close the rest. Pending and stream objects that are
 * still held stay valid (and over). Returns NULL; accepts NULL. Blocks.
 */
struct vr_http_server *vr_http_server_stop(struct vr_http_server *server);
VR_DEFINE_OWNED(struct vr_http_server, vr_http_server_stop)

uint16_t vr_http_server_port(const struct vr_http_server *server);

/** Requests that are suspended or stream now. */
int vr_http_server_waiting(struct vr_http_server *server);

#endif
