/* SPDX-License-Identifier: MIT */
/*
 * Upgraded connections.
 *
 * libmicrohttpd hands over the socket (for TLS one end of a pair) and serves it no more; one thread
 * of ours waits for all of them by epoll. Whoever sends writes to the socket itself, as far as it
 * takes; the rest waits for the thread. Only the thread reads, and only it takes a connection off
 * the list, so that nothing in a batch of events can be gone.
 *
 * Lock order: libmicrohttpd ends a request under a lock of its own and then takes ours, so nothing
 * of libmicrohttpd is called under the loop's lock. Callbacks run without it.
 */
#include "net/http_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>

#define EVENTS     64
#define TICK_MS    250
#define READ_BYTES 16384
#define READ_TURNS 8 /* of one connection before others get theirs */

struct vr_ws_loop {
    pthread_mutex_t lock;
    pthread_t thread;
    int epoll_fd;
    int wake_fd;
    int refs; /* the server's, and one for each object */
    struct vr_ws *first;
    size_t count;   /* accepted and not yet ended */
    bool finishing; /* nothing is accepted any more */
    bool stopping;  /* the thread is to end */
};

/* All but spec is guarded by the loop's lock; `frames` is fed by the thread only. */
struct vr_ws {
    struct vr_ws_loop *loop;
    struct vr_ws_spec spec;
    int refs;
    struct vr_ws_frames *frames;
    struct MHD_UpgradeResponseHandle *handle; /* NULL before the upgrade and after the end */
    int fd;                                   /* borrowed from handle; -1 without one */
    bool writable;  /* the last write was not cut short: nobody waits for EPOLLOUT */
    bool ended;     /* the peer is gone, or was given up */
    bool announced; /* the deadline of a close is set */
    struct vr_mono heard, pinged, deadline;
    struct vr_ws *prev, *next;
};

/* ------------------------------------------------------------------ references */

static void loop_unref_unlock(struct vr_ws_loop *loop)
{
    bool last = !--loop->refs;

    pthread_mutex_unlock(&loop->lock);
    if (!last)
        return;
    vr_fd_close(loop->epoll_fd);
    vr_fd_close(loop->wake_fd);
    pthread_mutex_destroy(&loop->lock);
    free(loop);
}

struct vr_ws *vr_ws_ref(struct vr_ws *ws)
{
    pthread_mutex_lock(&ws->loop->lock);
    ws->refs++;
    pthread_mutex_unlock(&ws->loop->lock);
    return ws;
}

struct vr_ws *vr_ws_unref(struct vr_ws *ws)
{
    struct vr_ws_loop *loop = ws ? ws->loop : NULL;

    if (!ws)
        return NULL;
    pthread_mutex_lock(&loop->lock);
    if (--ws->refs) {
        pthread_mutex_unlock(&loop->lock);
        return NULL;
    }
    pthread_mutex_unlock(&loop->lock);
    if (ws->spec.release)
        ws->spec.release(ws->spec.ctx);
    vr_ws_frames_free(ws->frames);
    free(ws);
    pthread_mutex_lock(&loop->lock);
    loop_unref_unlock(loop);
    return NULL;
}

/* ------------------------------------------------------------------ writing; under the lock */

static void wait_for_room(struct vr_ws *ws, bool wanted)
{
    struct epoll_event ev = {.events = EPOLLIN | EPOLLRDHUP | (wanted ? EPOLLOUT : 0u),
                             .data.ptr = ws};

    if (ws->writable == !wanted)
        return;
    ws->writable = !wanted;
    vr_ignore(epoll_ctl(ws->loop->epoll_fd, EPOLL_CTL_MOD, ws->fd, &ev) < 0,
              "the tick flushes too");
}

static void flush(struct vr_ws *ws)
{
    while (ws->fd >= 0 && !ws->ended) {
        struct vr_str queued = vr_ws_frames_queued(ws->frames);
        ssize_t n;

        if (!queued.n) {
            wait_for_room(ws, false);
            return;
        }
        n = send(ws->fd, queued.p, queued.n, MSG_DONTWAIT | MSG_NOSIGNAL);
        if (n >= 0) {
            vr_ws_frames_sent(ws->frames, (size_t)n);
            continue;
        }
        if (errno == EINTR)
            continue;
        if (errno == EAGAIN || errno == EWOULDBLOCK)
            wait_for_room(ws, true);
        else
            ws->ended = true;
        return;
    }
}

static void wake(struct vr_ws_loop *loop)
{
    uint64_t one = 1;

    vr_ignore(write(loop->wake_fd, &one, sizeof(one)) < 0, "a full counter wakes as well");
}

static void close_in(struct vr_ws *ws, int code, const char *reason, int64_t ms)
{
    vr_ws_frames_close(ws->frames, code, reason);
    ws->announced = true;
    ws->deadline = vr_mono_add_ms(vr_mono_now(), ms);
    flush(ws);
    wake(ws->loop);
}

bool vr_ws_send(struct vr_ws *ws, enum vr_ws_kind kind, const char *bytes, size_t n)
{
    int r = -VR_BUSY;

    pthread_mutex_lock(&ws->loop->lock);
    if (!ws->ended)
        r = vr_ws_frames_put(ws->frames, kind, bytes, n, NULL);
    if (r == 0)
        flush(ws);
    if (r == -VR_LIMIT)
        close_in(ws, VR_WS_TOO_SLOW, "the reader is too slow", VR_WS_CLOSE_MS);
    pthread_mutex_unlock(&ws->loop->lock);
    return r == 0;
}

void vr_ws_close(struct vr_ws *ws, int code, const char *reason)
{
    pthread_mutex_lock(&ws->loop->lock);
    if (!ws->ended && !vr_ws_frames_is_closing(ws->frames))
        close_in(ws, code, reason, VR_WS_CLOSE_MS);
    pthread_mutex_unlock(&ws->loop->lock);
}

bool vr_ws_is_over(struct vr_ws *ws)
{
    bool over;

    pthread_mutex_lock(&ws->loop->lock);
    over = ws->ended || vr_ws_frames_is_closing(ws->frames);
    pthread_mutex_unlock(&ws->loop->lock);
    return over;
}

size_t vr_ws_queued(struct vr_ws *ws)
{
    size_t n;

    pthread_mutex_lock(&ws->loop->lock);
    n = vr_ws_frames_queued(ws->frames).n;
    pthread_mutex_unlock(&ws->loop->lock);
    return n;
}

/* ------------------------------------------------------------------ the thread */

/* Messages of one piece, kept until the lock is released. */
struct heard {
    struct vr_ws_message *v;
    size_t n, cap;
};

static void keep_message(void *ctx, const struct vr_ws_message *m)
{
    struct heard *heard = ctx;

    if (m->kind != VR_WS_TEXT && m->kind != VR_WS_BINARY)
        return;
    if (heard->n == heard->cap) {
        heard->cap = heard->cap ? heard->cap * 2 : 4;
        heard->v = vr_realloc_array(heard->v, heard->cap, sizeof(*heard->v));
    }
    heard->v[heard->n] = *m;
    heard->v[heard->n++].p = vr_strndup(m->p, m->n);
}

static void deliver(struct vr_ws *ws, struct heard *heard)
{
    for (size_t i = 0; i < heard->n; i++) {
        if (ws->spec.on_message)
            ws->spec.on_message(ws->spec.ctx, ws, &heard->v[i]);
        free((char *)heard->v[i].p);
    }
    free(heard->v);
}

/* Bytes of the peer; under the lock. */
static void take(struct vr_ws *ws, const char *bytes, size_t n, struct heard *heard)
{
    ws->heard = vr_mono_now();
    if (!vr_ws_frames_take(ws->frames, bytes, n, keep_message, heard))
        ws->ended = true;
    flush(ws);
}

static void read_some(struct vr_ws *ws)
{
    char chunk[READ_BYTES];

    for (int i = 0; i < READ_TURNS; i++) {
        struct heard heard = {0};
        ssize_t n = recv(ws->fd, chunk, sizeof(chunk), MSG_DONTWAIT);

        if (n < 0 && errno == EINTR)
            continue;
        pthread_mutex_lock(&ws->loop->lock);
        if (n > 0)
            take(ws, chunk, (size_t)n, &heard);
        else if (n == 0 || (errno != EAGAIN && errno != EWOULDBLOCK))
            ws->ended = true;
        pthread_mutex_unlock(&ws->loop->lock);
        deliver(ws, &heard);
        if (n < (ssize_t)sizeof(chunk))
            return;
    }
}

static void serve(struct vr_ws *ws, uint32_t events)
{
    if (events & EPOLLOUT) {
        pthread_mutex_lock(&ws->loop->lock);
        flush(ws);
        pthread_mutex_unlock(&ws->loop->lock);
    }
    if (events & ~(uint32_t)EPOLLOUT)
        read_some(ws);
}

/* Whether its time is over; pings it on the way. Under the lock. */
static bool is_due(struct vr_ws *ws, struct vr_mono now)
{
    bool closing = vr_ws_frames_is_closing(ws->frames);
    int64_t silent_ms = vr_mono_ms_between(ws->heard, now);

    if (ws->ended || vr_ws_frames_is_over(ws->frames))
        return true;
    if (closing && !ws->announced) { /* the peer began it, or spoke no WebSocket */
        ws->announced = true;
        ws->deadline = vr_mono_add_ms(now, VR_WS_CLOSE_MS);
    }
    if (closing)
        return now.ns >= ws->deadline.ns;
    if (silent_ms > VR_WS_PING_MS && vr_mono_ms_between(ws->pinged, now) > VR_WS_PING_MS) {
        ws->pinged = now;
        vr_ignore(vr_ws_frames_put(ws->frames, VR_WS_PING, "", 0, NULL), "silence ends it then");
        flush(ws);
    }
    return silent_ms > VR_WS_SILENCE_MS;
}

/* Off the list, and the connection closed. Called with the lock, which is released meanwhile. */
static void end(struct vr_ws *ws)
{
    struct vr_ws_loop *loop = ws->loop;
    struct MHD_UpgradeResponseHandle *handle = vr_take(ws->handle);

    ws->ended = true;
    if (ws->prev)
        ws->prev->next = ws->next;
    else
        loop->first = ws->next;
    if (ws->next)
        ws->next->prev = ws->prev;
    vr_ignore(epoll_ctl(loop->epoll_fd, EPOLL_CTL_DEL, ws->fd, NULL) < 0, "it goes with its fd");
    ws->fd = -1;
    pthread_mutex_unlock(&loop->lock);
    MHD_upgrade_action(handle, MHD_UPGRADE_ACTION_CLOSE);
    vr_ws_unref(ws);
    pthread_mutex_lock(&loop->lock);
}

static void tick(struct vr_ws_loop *loop, bool all)
{
    struct vr_mono now = vr_mono_now();
    struct vr_ws *next;

    pthread_mutex_lock(&loop->lock);
    for (struct vr_ws *ws = loop->first; ws; ws = next) {
        next = ws->next; /* only this thread takes any off; new ones come first */
        if (all || is_due(ws, now))
            end(ws);
    }
    pthread_mutex_unlock(&loop->lock);
}

static void *run(void *arg)
{
    struct vr_ws_loop *loop = arg;
    struct epoll_event events[EVENTS];
    bool stopping = false;

    while (!stopping) {
        uint64_t count;
        int n, ms;

        pthread_mutex_lock(&loop->lock);
        ms = loop->first ? TICK_MS : -1;
        pthread_mutex_unlock(&loop->lock);
        n = epoll_wait(loop->epoll_fd, events, EVENTS, ms);
        for (int i = 0; i < n; i++) {
            if (events[i].data.ptr)
                serve(events[i].data.ptr, events[i].events);
            else
                vr_ignore(read(loop->wake_fd, &count, sizeof(count)) < 0, "it was read already");
        }
        tick(loop, false);
        pthread_mutex_lock(&loop->lock);
        stopping = loop->stopping;
        pthread_mutex_unlock(&loop->lock);
    }
    tick(loop, true);
    return NULL;
}

/* ------------------------------------------------------------------ life of the loop */

int vr_ws_loop_start(struct vr_ws_loop **out, struct vr_err *err)
{
    struct vr_ws_loop *loop = vr_alloc(sizeof(*loop));
    struct epoll_event ev = {.events = EPOLLIN, .data.ptr = NULL};
    int r = 0;

    loop->refs = 1;
    pthread_mutex_init(&loop->lock, NULL);
    loop->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    loop->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (loop->epoll_fd < 0 || loop->wake_fd < 0 ||
        epoll_ctl(loop->epoll_fd, EPOLL_CTL_ADD, loop->wake_fd, &ev) < 0)
        r = vr_fail_sys(err, "epoll");
    if (r == 0 && (errno = pthread_create(&loop->thread, NULL, run, loop)))
        r = vr_fail_sys(err, "start thread");
    if (r < 0) {
        pthread_mutex_lock(&loop->lock);
        loop_unref_unlock(loop);
        return r;
    }
    *out = loop;
    return 0;
}

void vr_ws_loop_finish(struct vr_ws_loop *loop)
{
    pthread_mutex_lock(&loop->lock);
    loop->finishing = true;
    for (struct vr_ws *ws = loop->first; ws; ws = ws->next)
        close_in(ws, VR_WS_GOING_AWAY, "the server stops", VR_WS_STOP_MS);
    pthread_mutex_unlock(&loop->lock);
}

void vr_ws_loop_stop(struct vr_ws_loop *loop)
{
    pthread_mutex_lock(&loop->lock);
    loop->finishing = loop->stopping = true;
    wake(loop);
    pthread_mutex_unlock(&loop->lock);
    pthread_join(loop->thread, NULL);
    pthread_mutex_lock(&loop->lock);
    loop_unref_unlock(loop);
}

/* ------------------------------------------------------------------ the upgrade */

static bool has_word(const char *list, const char *word)
{
    size_t n = strlen(word);

    for (; list && *list; list += strcspn(list, ","), list += *list == ',') {
        list += strspn(list, " \t,");
        if (!strncasecmp(list, word, n) && strchr(", \t", list[n]))
            return true;
    }
    return false;
}

bool vr_ws_is_asked(const struct vr_http_req *req)
{
    return has_word(vr_http_req_header(req, "upgrade"), "websocket") &&
           has_word(vr_http_req_header(req, "connection"), "upgrade");
}

/* NULL, or why the request cannot be upgraded and the status that says so. */
static const char *refusal(struct vr_http_req *req, int *status)
{
    const char *key = vr_http_req_header(req, "sec-websocket-key");
    const char *version = vr_http_req_header(req, "sec-websocket-version");

    *status = 400;
    if (!vr_ws_is_asked(req) || !vr_streq(vr_http_req_method(req), "GET"))
        return "this is no request for a WebSocket";
    if (!vr_streq(version, "13")) {
        *status = 426;
        return "this server speaks version 13 of WebSocket";
    }
    if (!key || strlen(key) != (VR_WS_KEY_BYTES + 2) / 3 * 4)
        return "Sec-WebSocket-Key is missing or not 16 bytes in base64";
    *status = 403;
    return vr_http_req_is_own_origin(req) ? NULL : "a page of another site asks for a WebSocket";
}

static void refuse(struct vr_http_req *req, const struct vr_ws_spec *spec, int status,
                   const char *why)
{
    vr_http_answer_error(req, status, "%s", why);
    if (spec->release)
        spec->release(spec->ctx);
}

struct vr_ws *vr_ws_accept(struct vr_http_req *req, const struct vr_ws_spec *spec)
{
    struct vr_ws_loop *loop = vr_http_server_ws(req->server);
    struct vr_ws *ws;
    int status;
    const char *why = refusal(req, &status);

    if (why) {
        refuse(req, spec, status, why);
        return NULL;
    }
    pthread_mutex_lock(&loop->lock);
    if (loop->finishing || loop->count >= VR_WS_MAX) {
        pthread_mutex_unlock(&loop->lock);
        refuse(req, spec, 503, "too many WebSockets are open, or the server stops");
        return NULL;
    }
    loop->refs++;
    loop->count++;
    pthread_mutex_unlock(&loop->lock);
    ws = vr_alloc(sizeof(*ws));
    *ws = (struct vr_ws){.loop = loop, .spec = *spec, .refs = 2, .fd = -1, .writable = true};
    ws->frames = vr_ws_frames_new(false, VR_WS_QUEUE_BYTES);
    ws->heard = ws->pinged = vr_mono_now();
    req->ws = ws;
    return ws;
}

/* The answer is out and the socket ours. Called by libmicrohttpd without a lock. */
static void upgraded(void *cls, struct MHD_Connection *conn, void *con_cls, const char *extra,
                     size_t n, MHD_socket fd, struct MHD_UpgradeResponseHandle *handle)
{
    struct vr_ws *ws = cls;
    struct vr_ws_loop *loop = ws->loop;
    struct epoll_event ev = {.events = EPOLLIN | EPOLLRDHUP, .data.ptr = ws};
    struct heard heard = {0};
    int on = 1;

    vr_ignore(setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on)) < 0, "no TCP with TLS");
    pthread_mutex_lock(&loop->lock);
    if (loop->stopping || epoll_ctl(loop->epoll_fd, EPOLL_CTL_ADD, fd, &ev) < 0) {
        ws->ended = true;
        pthread_mutex_unlock(&loop->lock);
        MHD_upgrade_action(handle, MHD_UPGRADE_ACTION_CLOSE);
        return;
    }
    ws->fd = fd;
    ws->handle = handle;
    ws->refs++; /* the list's */
    ws->next = loop->first;
    if (ws->next)
        ws->next->prev = ws;
    loop->first = ws;
    if (n)
        take(ws, extra, n, &heard);
    if (loop->finishing)
        close_in(ws, VR_WS_GOING_AWAY, "the server stops", VR_WS_STOP_MS);
    flush(ws);
    wake(loop); /* it may sleep without a tick */
    pthread_mutex_unlock(&loop->lock);
    deliver(ws, &heard);
}

enum MHD_Result vr_ws_queue(struct vr_http_req *req)
{
    char accept[VR_WS_ACCEPT_BYTES];
    struct MHD_Response *out = MHD_create_response_for_upgrade(upgraded, req->ws);
    enum MHD_Result done;

    if (!out)
        return MHD_NO;
    vr_ws_accept_of(vr_http_req_header(req, "sec-websocket-key"), accept);
    MHD_add_response_header(out, "Upgrade", "websocket");
    MHD_add_response_header(out, "Sec-WebSocket-Accept", accept);
    MHD_add_response_header(out, "X-Request-Id", req->id);
    done = MHD_queue_response(req->conn, MHD_HTTP_SWITCHING_PROTOCOLS, out);
    MHD_destroy_response(out);
    return done;
}

void vr_ws_ended(struct vr_http_req *req)
{
    struct vr_ws *ws = vr_take(req->ws);

    if (!ws)
        return;
    pthread_mutex_lock(&ws->loop->lock);
    ws->ended = true;
    ws->loop->count--;
    pthread_mutex_unlock(&ws->loop->lock);
    vr_ws_unref(ws);
}
