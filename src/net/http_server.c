/* SPDX-License-Identifier: MIT */
/*
 * The server: libmicrohttpd's daemon with an epoll loop in each thread of a pool.
 *
 * libmicrohttpd calls on_request() several times for one request: with the headers, with each piece
 * of body, with the end, and again whenever a suspended connection was resumed. It takes an answer
 * at the first or the last of these only. So an answer to a request whose body is small waits until
 * the body has been swallowed, which keeps the connection; before a large body it is sent at once,
 * and the connection ends.
 */
#include "net/http_internal.h"
#include "sys/sock.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#define LISTEN_BACKLOG 511
#define MS_PER_S       1000

struct vr_http_server {
    struct MHD_Daemon *daemon;
    struct vr_http_hub *hub;
    struct vr_ws_loop *ws;
    vr_http_begin_fn begin;
    vr_http_handle_fn handle;
    void *user; /* borrowed */
    uint16_t port;
    _Atomic uint64_t last_number; /* of a request; starts at random, so ids differ between runs */
    atomic_int active;            /* requests that have not ended */
    atomic_bool stopping;
    pthread_mutex_t stop_lock;
    pthread_cond_t stop_cond; /* active became 0 while stopping */
};

struct vr_http_hub *vr_http_server_hub(struct vr_http_server *server)
{
    return server->hub;
}

struct vr_ws_loop *vr_http_server_ws(struct vr_http_server *server)
{
    return server->ws;
}

uint16_t vr_http_server_port(const struct vr_http_server *server)
{
    return server->port;
}

int vr_http_server_waiting(struct vr_http_server *server)
{
    return vr_http_hub_waiting(server->hub);
}

/* The body's declared length; false if it is sent in chunks. */
static bool declared_bytes(const struct vr_http_req *req, uint64_t *out)
{
    const char *length = vr_http_req_header(req, "Content-Length");

    *out = 0;
    if (vr_http_req_header(req, "Transfer-Encoding"))
        return false;
    if (length && vr_parse_u64(vr_str(length), 0, UINT64_MAX, out, NULL) < 0)
        *out = UINT64_MAX;
    return true;
}

static enum MHD_Result send_answer(struct vr_http_req *req)
{
    return vr_http_resp_queue(vr_take(req->answer), req);
}

static void refuse_large(struct vr_http_req *req)
{
    vr_http_answer_error(req, 413, "body is larger than %" PRIu64 " bytes", req->intake.max_bytes);
}

/* The headers are there. */
static enum MHD_Result begin(struct vr_http_req *req, struct MHD_Connection *conn,
                             const char *method)
{
    struct vr_http_server *server = req->server;
    uint64_t bytes;
    bool declared;

    req->begun = true;
    req->intake.max_bytes = VR_HTTP_BODY_BYTES;
    vr_http_req_open(req, conn, method);
    if (!req->answer && server->begin)
        server->begin(server->user, req, &req->intake);
    declared = declared_bytes(req, &bytes);
    if (!req->answer && bytes > req->intake.max_bytes)
        refuse_large(req);
    if (req->answer && (!declared || bytes > VR_HTTP_SWALLOWED_BYTES))
        return send_answer(req);
    if (!req->intake.sink) {
        req->body = VR_BUF(req->intake.max_bytes);
        req->body_end = vr_mono_add_ms(vr_mono_now(), VR_HTTP_BODY_MS);
    }
    return MHD_YES;
}

static int store_body(struct vr_http_req *req, const char *bytes, size_t n, struct vr_err *err)
{
    req->body_bytes += n;
    if (req->intake.sink)
        return req->intake.sink(req->intake.sink_ctx, bytes, n, err);
    if (vr_mono_now().ns > req->body_end.ns)
        return vr_fail(err, VR_TIMEOUT, "body took longer than %d ms", VR_HTTP_BODY_MS);
    vr_buf_add_n(&req->body, bytes, n);
    return 0;
}

static int status_of(int r)
{
    switch (-r) {
    case VR_TIMEOUT:
        return 408;
    case VR_LIMIT:
        return 507;
    case VR_INVALID:
    case VR_PARSE:
        return 400;
    case VR_DENIED:
        return 403;
    default:
        return 500;
    }
}

/* A piece of body. No answer can be sent here: a refused body is swallowed up to a limit. */
static enum MHD_Result take_body(struct vr_http_req *req, const char *bytes, size_t n)
{
    struct vr_err err = VR_ERR_NULL;
    int r;

    if (!req->answer && n > req->intake.max_bytes - req->body_bytes)
        refuse_large(req);
    if (req->answer) {
        req->swallowed_bytes += n;
        return req->swallowed_bytes > VR_HTTP_SWALLOWED_BYTES + VR_HTTP_BODY_BYTES ? MHD_NO
                                                                                   : MHD_YES;
    }
    r = store_body(req, bytes, n, &err);
    if (r < 0)
        vr_http_answer_error(req, status_of(r), "%s", err.msg);
    return MHD_YES;
}

static enum MHD_Result complete(struct vr_http_req *req)
{
    if (!req->answer)
        req->server->handle(req->server->user, req);
    if (req->wait)
        return MHD_YES;
    if (req->stream)
        return vr_http_stream_queue(req);
    if (req->ws)
        return vr_ws_queue(req);
    if (!req->answer)
        vr_http_answer_error(req, 500, "no answer");
    return send_answer(req);
}

static enum MHD_Result on_request(void *cls, struct MHD_Connection *conn, const char *url,
                                  const char *method, const char *version, const char *bytes,
                                  size_t *n, void **ctx)
{
    struct vr_http_req *req = *ctx;
    enum MHD_Result result;

    if (!req->begun)
        return begin(req, conn, method);
    if (*n) {
        result = take_body(req, bytes, *n);
        *n = 0;
        return result;
    }
    return req->wait ? vr_http_wait_resumed(req) : complete(req);
}

/* First word of a request: libmicrohttpd keeps what this returns with it until on_ended(). */
static void *on_uri(void *cls, const char *uri, struct MHD_Connection *conn)
{
    struct vr_http_server *server = cls;

    atomic_fetch_add(&server->active, 1);
    return vr_http_req_new(server, uri, atomic_fetch_add(&server->last_number, 1) + 1);
}

static void on_ended(void *cls, struct MHD_Connection *conn, void **ctx,
                     enum MHD_RequestTerminationCode how)
{
    struct vr_http_server *server = cls;

    if (!*ctx)
        return;
    *ctx = vr_http_req_free(*ctx);
    if (atomic_fetch_sub(&server->active, 1) > 1 || !atomic_load(&server->stopping))
        return;
    pthread_mutex_lock(&server->stop_lock);
    pthread_cond_signal(&server->stop_cond);
    pthread_mutex_unlock(&server->stop_lock);
}

/* Paths are decoded by us, part by part, so that an encoded slash stays inside its part. */
static size_t keep_escaped(void *cls, struct MHD_Connection *conn, char *text)
{
    return strlen(text);
}

/* libmicrohttpd's and our threads leave signals to the program's signalfd. */
static int start_daemon(struct vr_http_server *server, const struct vr_http_server_spec *spec,
                        int listen_fd, struct vr_err *err)
{
    int64_t idle_ms = spec->idle_ms ? spec->idle_ms : VR_HTTP_IDLE_MS;
    int threads = spec->threads ? spec->threads : VR_HTTP_THREADS;
    struct MHD_OptionItem options[] = {
        {MHD_OPTION_THREAD_POOL_SIZE, threads > 1 ? threads : 0, NULL},
        {spec->tls_cert ? MHD_OPTION_HTTPS_MEM_CERT : MHD_OPTION_END, 0, (void *)spec->tls_cert},
        {MHD_OPTION_HTTPS_MEM_KEY, 0, (void *)spec->tls_key},
        {MHD_OPTION_END, 0, NULL},
    };
    unsigned int flags =
        MHD_USE_EPOLL_INTERNAL_THREAD | MHD_ALLOW_SUSPEND_RESUME | MHD_ALLOW_UPGRADE;

    if (spec->tls_cert)
        flags |= MHD_USE_TLS;
    server->daemon = MHD_start_daemon(
        flags, 0, NULL, NULL, on_request, server, MHD_OPTION_LISTEN_SOCKET, listen_fd,
        MHD_OPTION_CONNECTION_LIMIT,
        (unsigned int)(spec->max_connections ? spec->max_connections : VR_HTTP_CONNECTIONS),
        MHD_OPTION_CONNECTION_TIMEOUT, (unsigned int)((idle_ms + MS_PER_S - 1) / MS_PER_S),
        MHD_OPTION_NOTIFY_COMPLETED, on_ended, server, MHD_OPTION_URI_LOG_CALLBACK, on_uri, server,
        MHD_OPTION_UNESCAPE_CALLBACK, keep_escaped, server, MHD_OPTION_ARRAY,
        threads > 1 || spec->tls_cert ? options + (threads > 1 ? 0 : 1) : options + 3,
        MHD_OPTION_END);
    if (!server->daemon)
        return vr_fail(err, VR_IO, "start HTTP server on %s:%d%s", spec->address, server->port,
                       spec->tls_cert ? " (are certificate and key valid?)" : "");
    return 0;
}

static void server_free(struct vr_http_server *server)
{
    pthread_mutex_destroy(&server->stop_lock);
    pthread_cond_destroy(&server->stop_cond);
    free(server);
}

static struct vr_http_server *server_new(const struct vr_http_server_spec *spec)
{
    struct vr_http_server *server = vr_alloc(sizeof(*server));
    uint32_t start;
    pthread_condattr_t attr;

    server->begin = spec->begin;
    server->handle = spec->handle;
    server->user = spec->user;
    vr_random(&start, sizeof(start));
    server->last_number = (uint64_t)start << 28;
    pthread_mutex_init(&server->stop_lock, NULL);
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&server->stop_cond, &attr);
    pthread_condattr_destroy(&attr);
    return server;
}

/* All threads are made with signals blocked. */
static int start_threads(struct vr_http_server *server, const struct vr_http_server_spec *spec,
                         int listen_fd, struct vr_err *err)
{
    sigset_t all, before;
    int r;

    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    r = vr_http_hub_start(spec->beat_ms ? spec->beat_ms : VR_HTTP_BEAT_MS, &server->hub, err);
    if (!r) {
        r = vr_ws_loop_start(&server->ws, err);
        if (!r) {
            r = start_daemon(server, spec, listen_fd, err);
            if (r < 0)
                vr_ws_loop_stop(server->ws);
        }
        if (r < 0)
            vr_http_hub_stop(server->hub);
    }
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return r;
}

int vr_http_server_start(const struct vr_http_server_spec *spec, struct vr_http_server **out,
                         struct vr_err *err)
{
    int fd = vr_tcp_listen(spec->address, spec->port, LISTEN_BACKLOG, err);
    struct vr_http_server *server;
    int r;

    if (fd < 0)
        return fd;
    server = server_new(spec);
    server->port = vr_tcp_port(fd);
    r = start_threads(server, spec, fd, err);
    if (r < 0) {
        vr_fd_close(fd);
        server_free(server);
        return r;
    }
    *out = server;
    return 0;
}

static void wait_for_answers(struct vr_http_server *server)
{
    struct timespec at;
    int e = 0;

    clock_gettime(CLOCK_MONOTONIC, &at); /* a condition cannot wait for the clock of vr_mono */
    at.tv_sec += VR_HTTP_STOP_MS / MS_PER_S;
    pthread_mutex_lock(&server->stop_lock);
    while (atomic_load(&server->active) > 0 && !e)
        e = pthread_cond_timedwait(&server->stop_cond, &server->stop_lock, &at);
    pthread_mutex_unlock(&server->stop_lock);
}

struct vr_http_server *vr_http_server_stop(struct vr_http_server *server)
{
    if (!server)
        return NULL;
    atomic_store(&server->stopping, true);
    vr_fd_close(MHD_quiesce_daemon(server->daemon));
    vr_http_hub_finish(server->hub);
    vr_ws_loop_finish(server->ws);
    wait_for_answers(server);
    vr_ws_loop_stop(server->ws); /* libmicrohttpd wants them closed before it stops */
    MHD_stop_daemon(server->daemon);
    vr_http_hub_stop(server->hub);
    server_free(server);
    return NULL;
}
