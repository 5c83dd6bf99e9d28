/* SPDX-License-Identifier: MIT */
/*
 * Requests that wait without a thread.
 *
 * A waiting connection is suspended in libmicrohttpd, which then neither polls nor times it out and
 * does not see its client leave. One keeper thread makes up for that: its epoll holds the socket of
 * each suspended connection for hang-ups only, and its timeout is the nearest deadline. Whoever has
 * news for a connection (an answer, bytes, a hang-up, the deadline) puts them into the object and
 * resumes it; all else happens in the connection's own thread, where libmicrohttpd calls the
 * handler or the reader of the stream again.
 *
 * One lock in the hub guards all objects of a server. It is taken before libmicrohttpd's own locks,
 * never while libmicrohttpd holds one: its callbacks run outside of them. Objects may outlive the
 * server, so the hub is counted by them too.
 */
#include "net/http_internal.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>

#define KEEPER_EVENTS 64
#define WAKE_ID       0 /* of the eventfd, in the keeper's epoll */
#define NEVER         ((struct vr_mono){INT64_MAX})

#define BEAT ":\n\n"

struct vr_http_hub {
    pthread_mutex_t lock;
    pthread_t thread;
    int epoll_fd;
    int wake_fd;
    int64_t beat_ms;     /* of event streams */
    int refs;            /* the server's, and one for each object */
    int waiting;         /* objects whose request has not ended */
    uint64_t last_id;    /* of a parking */
    struct vr_mono next; /* what the keeper sleeps for */
    struct parked *first;
    bool finishing; /* nothing may be suspended any more */
    bool stopping;  /* the keeper is to end */
};

enum parked_kind {
    PARKED_PENDING,
    PARKED_STREAM,
};

/* What pending requests and streams have in common; all of it guarded by the hub's lock. */
struct parked {
    enum parked_kind kind;
    struct vr_http_hub *hub;
    int refs;
    struct MHD_Connection *conn; /* NULL once the request has ended */
    int fd;                      /* of conn; borrowed */
    bool suspended;              /* in the hub's list and in the keeper's epoll */
    uint64_t id;                 /* of this parking */
    struct vr_mono deadline;
    struct parked *prev, *next;
};

struct vr_http_pending {
    struct parked parked;
    bool over;
    struct vr_http_resp *answer; /* to be sent at resumption; NULL: close the connection */
    struct vr_http_resp *at_timeout;
};

struct vr_http_stream {
    struct parked parked;
    enum vr_http_stream_kind kind;
    bool closed; /* ends after what is queued */
    bool broken; /* ends now */
    struct vr_buf queue;
    size_t sent; /* of queue */
};

static void hub_unref_unlock(struct vr_http_hub *hub)
{
    bool last = !--hub->refs;

    pthread_mutex_unlock(&hub->lock);
    if (!last)
        return;
    vr_fd_close(hub->epoll_fd);
    vr_fd_close(hub->wake_fd);
    pthread_mutex_destroy(&hub->lock);
    free(hub);
}

static void wake_keeper(struct vr_http_hub *hub)
{
    uint64_t one = 1;

    vr_ignore(write(hub->wake_fd, &one, sizeof(one)) < 0, "a full counter wakes as well");
}

static void park(struct parked *p, struct vr_mono deadline)
{
    struct vr_http_hub *hub = p->hub;
    struct epoll_event ev = {.events = EPOLLRDHUP | EPOLLONESHOT};

    MHD_suspend_connection(p->conn);
    p->suspended = true;
    p->id = ev.data.u64 = ++hub->last_id;
    p->deadline = deadline;
    p->prev = NULL;
    p->next = hub->first;
    if (hub->first)
        hub->first->prev = p;
    hub->first = p;
    vr_ignore(epoll_ctl(hub->epoll_fd, EPOLL_CTL_ADD, p->fd, &ev) < 0,
              "the deadline and the next write find a lost client too");
    if (deadline.ns < hub->next.ns)
        wake_keeper(hub);
}

static void unpark(struct parked *p)
{
    struct vr_http_hub *hub = p->hub;

    if (!p->suspended)
        return;
    p->suspended = false;
    if (p->prev)
        p->prev->next = p->next;
    else
        hub->first = p->next;
    if (p->next)
        p->next->prev = p->prev;
    vr_ignore(epoll_ctl(hub->epoll_fd, EPOLL_CTL_DEL, p->fd, NULL) < 0, "it may not have got in");
    MHD_resume_connection(p->conn);
}

static void parked_init(struct parked *p, enum parked_kind kind, struct vr_http_req *req)
{
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(req->conn, MHD_CONNECTION_INFO_CONNECTION_FD);

    *p = (struct parked){
        .kind = kind,
        .hub = vr_http_server_hub(req->server),
        .refs = 2, /* the request's and the caller's */
        .conn = req->conn,
        .fd = info ? info->connect_fd : -1,
    };
}

static struct vr_http_pending *as_pending(struct parked *p)
{
    return (struct vr_http_pending *)p;
}

static struct vr_http_stream *as_stream(struct parked *p)
{
    return (struct vr_http_stream *)p;
}

static struct parked *parked_ref(struct parked *p)
{
    pthread_mutex_lock(&p->hub->lock);
    p->refs++;
    pthread_mutex_unlock(&p->hub->lock);
    return p;
}

static void parked_unref(struct parked *p)
{
    struct vr_http_hub *hub = p->hub;

    pthread_mutex_lock(&hub->lock);
    if (--p->refs) {
        pthread_mutex_unlock(&hub->lock);
        return;
    }
    if (p->kind == PARKED_PENDING) {
        vr_http_resp_free(as_pending(p)->answer);
        vr_http_resp_free(as_pending(p)->at_timeout);
    } else {
        vr_buf_fini(&as_stream(p)->queue);
    }
    free(p);
    hub_unref_unlock(hub);
}

/* The deadline of a pending request, or the silence of a stream. */
static void expire(struct parked *p)
{
    if (p->kind == PARKED_PENDING) {
        struct vr_http_pending *pending = as_pending(p);

        pending->over = true;
        pending->answer = vr_take(pending->at_timeout);
    } else if (as_stream(p)->kind == VR_HTTP_STREAM_EVENTS) {
        vr_buf_add(&as_stream(p)->queue, BEAT);
    }
    unpark(p);
}

static void lose(struct parked *p)
{
    if (p->kind == PARKED_PENDING)
        as_pending(p)->over = true;
    else
        as_stream(p)->broken = true;
    unpark(p);
}

static void expire_due(struct vr_http_hub *hub)
{
    struct vr_mono now = vr_mono_now();
    struct parked *next;

    hub->next = NEVER;
    for (struct parked *p = hub->first; p; p = next) {
        next = p->next;
        if (p->deadline.ns <= now.ns)
            expire(p);
        else if (p->deadline.ns < hub->next.ns)
            hub->next = p->deadline;
    }
}

static void lose_id(struct vr_http_hub *hub, uint64_t id)
{
    for (struct parked *p = hub->first; p; p = p->next) {
        if (p->id != id)
            continue;
        lose(p);
        return;
    }
}

static void drain_wake(struct vr_http_hub *hub)
{
    uint64_t count;

    vr_ignore(read(hub->wake_fd, &count, sizeof(count)) < 0, "somebody else's wake-up");
}

static void *keep(void *arg)
{
    struct vr_http_hub *hub = arg;
    struct epoll_event events[KEEPER_EVENTS];
    bool stopping = false;

    while (!stopping) {
        int64_t ms = -1;
        int n;

        pthread_mutex_lock(&hub->lock);
        expire_due(hub);
        if (hub->next.ns != NEVER.ns)
            ms = vr_mono_ms_between(vr_mono_now(), hub->next);
        pthread_mutex_unlock(&hub->lock);
        n = epoll_wait(hub->epoll_fd, events, KEEPER_EVENTS, ms > INT32_MAX ? INT32_MAX : (int)ms);
        pthread_mutex_lock(&hub->lock);
        for (int i = 0; i < n; i++) {
            if (events[i].data.u64 == WAKE_ID)
                drain_wake(hub);
            else
                lose_id(hub, events[i].data.u64);
        }
        stopping = hub->stopping;
        pthread_mutex_unlock(&hub->lock);
    }
    return NULL;
}

static int open_hub(struct vr_http_hub *hub, struct vr_err *err)
{
    struct epoll_event ev = {.events = EPOLLIN, .data.u64 = WAKE_ID};
    int e;

    hub->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    hub->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (hub->epoll_fd < 0 || hub->wake_fd < 0 ||
        epoll_ctl(hub->epoll_fd, EPOLL_CTL_ADD, hub->wake_fd, &ev) < 0)
        return vr_fail_sys(err, "epoll");
    e = pthread_create(&hub->thread, NULL, keep, hub);
    if (!e)
        return 0;
    errno = e;
    return vr_fail_sys(err, "start thread");
}

int vr_http_hub_start(int64_t beat_ms, struct vr_http_hub **out, struct vr_err *err)
{
    struct vr_http_hub *hub = vr_alloc(sizeof(*hub));
    int r;

    hub->beat_ms = beat_ms;
    hub->refs = 1;
    hub->epoll_fd = hub->wake_fd = -1;
    hub->next = NEVER;
    pthread_mutex_init(&hub->lock, NULL);
    r = open_hub(hub, err);
    if (r < 0) {
        pthread_mutex_lock(&hub->lock);
        hub_unref_unlock(hub);
        return r;
    }
    *out = hub;
    return 0;
}

void vr_http_hub_finish(struct vr_http_hub *hub)
{
    pthread_mutex_lock(&hub->lock);
    hub->finishing = true; /* seen by the readers of streams, suspended or not */
    while (hub->first) {
        if (hub->first->kind == PARKED_STREAM)
            as_stream(hub->first)->closed = true;
        expire(hub->first);
    }
    pthread_mutex_unlock(&hub->lock);
}

void vr_http_hub_stop(struct vr_http_hub *hub)
{
    pthread_mutex_lock(&hub->lock);
    hub->stopping = true;
    wake_keeper(hub);
    pthread_mutex_unlock(&hub->lock);
    pthread_join(hub->thread, NULL);
    pthread_mutex_lock(&hub->lock);
    hub_unref_unlock(hub);
}

int vr_http_hub_waiting(struct vr_http_hub *hub)
{
    int n;

    pthread_mutex_lock(&hub->lock);
    n = hub->waiting;
    pthread_mutex_unlock(&hub->lock);
    return n;
}

static void end_parked(struct parked *p)
{
    pthread_mutex_lock(&p->hub->lock);
    p->conn = NULL;
    p->fd = -1;
    p->hub->waiting--;
    if (p->kind == PARKED_PENDING)
        as_pending(p)->over = true;
    else
        as_stream(p)->broken = true;
    pthread_mutex_unlock(&p->hub->lock);
    parked_unref(p);
}

void vr_http_wait_ended(struct vr_http_req *req)
{
    if (req->wait)
        end_parked(&req->wait->parked);
    if (req->stream)
        end_parked(&req->stream->parked);
    req->wait = NULL;
    req->stream = NULL;
}

enum MHD_Result vr_http_wait_resumed(struct vr_http_req *req)
{
    struct vr_http_pending *p = req->wait;
    struct vr_http_resp *answer;

    pthread_mutex_lock(&p->parked.hub->lock);
    answer = vr_take(p->answer);
    pthread_mutex_unlock(&p->parked.hub->lock);
    return answer ? vr_http_resp_queue(answer, req) : MHD_NO;
}

struct vr_http_pending *vr_http_suspend(struct vr_http_req *req, int64_t timeout_ms,
                                        struct vr_http_resp *at_timeout)
{
    struct vr_http_hub *hub = vr_http_server_hub(req->server);
    struct vr_http_pending *p = vr_alloc(sizeof(*p));

    parked_init(&p->parked, PARKED_PENDING, req);
    pthread_mutex_lock(&hub->lock);
    if (hub->finishing) {
        pthread_mutex_unlock(&hub->lock);
        free(p);
        vr_http_answer(req, at_timeout);
        return NULL;
    }
    hub->refs++;
    hub->waiting++;
    p->at_timeout = at_timeout;
    req->wait = p;
    park(&p->parked, vr_mono_add_ms(vr_mono_now(), timeout_ms));
    pthread_mutex_unlock(&hub->lock);
    return p;
}

bool vr_http_pending_answer(struct vr_http_pending *p, struct vr_http_resp *resp)
{
    bool first;

    pthread_mutex_lock(&p->parked.hub->lock);
    first = !p->over;
    if (first) {
        p->over = true;
        p->answer = resp;
        unpark(&p->parked);
    }
    pthread_mutex_unlock(&p->parked.hub->lock);
    if (!first)
        vr_http_resp_free(resp);
    return first;
}

bool vr_http_pending_is_over(struct vr_http_pending *p)
{
    bool over;

    pthread_mutex_lock(&p->parked.hub->lock);
    over = p->over;
    pthread_mutex_unlock(&p->parked.hub->lock);
    return over;
}

struct vr_http_pending *vr_http_pending_ref(struct vr_http_pending *p)
{
    return as_pending(parked_ref(&p->parked));
}

struct vr_http_pending *vr_http_pending_unref(struct vr_http_pending *p)
{
    if (p)
        parked_unref(&p->parked);
    return NULL;
}

struct vr_http_stream *vr_http_stream_start(struct vr_http_req *req, enum vr_http_stream_kind kind)
{
    struct vr_http_stream *s = vr_alloc(sizeof(*s));
    struct vr_http_hub *hub = vr_http_server_hub(req->server);

    parked_init(&s->parked, PARKED_STREAM, req);
    s->kind = kind;
    s->queue = VR_BUF(VR_HTTP_STREAM_BYTES);
    pthread_mutex_lock(&hub->lock);
    hub->refs++;
    hub->waiting++;
    pthread_mutex_unlock(&hub->lock);
    req->stream = s;
    return s;
}

/* Move queued bytes out; 0 if there are none. */
static size_t take_queued(struct vr_http_stream *s, char *out, size_t max)
{
    size_t n = s->queue.len - s->sent;

    if (n > max)
        n = max;
    if (!n)
        return 0;
    memcpy(out, s->queue.p + s->sent, n);
    s->sent += n;
    if (s->sent == s->queue.len) {
        vr_buf_clear(&s->queue);
        s->sent = 0;
    }
    return n;
}

/* libmicrohttpd wants bytes; runs in the connection's thread. */
static ssize_t read_stream(void *cls, uint64_t pos, char *out, size_t max)
{
    struct vr_http_stream *s = cls;
    struct vr_http_hub *hub = s->parked.hub;
    struct vr_mono beat = NEVER;
    ssize_t n;

    pthread_mutex_lock(&hub->lock);
    n = s->broken ? MHD_CONTENT_READER_END_WITH_ERROR : (ssize_t)take_queued(s, out, max);
    if (!n && (s->closed || hub->finishing))
        n = MHD_CONTENT_READER_END_OF_STREAM;
    if (!n) {
        if (s->kind == VR_HTTP_STREAM_EVENTS)
            beat = vr_mono_add_ms(vr_mono_now(), hub->beat_ms);
        park(&s->parked, beat);
    }
    pthread_mutex_unlock(&hub->lock);
    return n;
}

static void release_reader(void *cls)
{
    parked_unref(&((struct vr_http_stream *)cls)->parked);
}

enum MHD_Result vr_http_stream_queue(struct vr_http_req *req)
{
    struct vr_http_stream *s = req->stream;
    bool events = s->kind == VR_HTTP_STREAM_EVENTS;
    struct MHD_Response *out;
    enum MHD_Result done;

    parked_ref(&s->parked); /* the reader's */
    out =
        MHD_create_response_from_callback(MHD_SIZE_UNKNOWN, 16384, read_stream, s, release_reader);
    if (!out) {
        release_reader(s);
        return MHD_NO;
    }
    MHD_add_response_header(out, "Content-Type",
                            events ? "text/event-stream" : "text/plain; charset=utf-8");
    MHD_add_response_header(out, "Cache-Control", "no-cache");
    MHD_add_response_header(out, "Content-Encoding", "identity");
    MHD_add_response_header(out, "X-Accel-Buffering", "no");
    MHD_add_response_header(out, "X-Request-Id", req->id);
    done = MHD_queue_response(req->conn, 200, out);
    MHD_destroy_response(out);
    return done;
}

bool vr_http_stream_send(struct vr_http_stream *s, const char *bytes, size_t n)
{
    bool fits;

    pthread_mutex_lock(&s->parked.hub->lock);
    if (s->broken || s->closed) {
        pthread_mutex_unlock(&s->parked.hub->lock);
        return false;
    }
    if (s->sent) { /* rarely much: a client that reads has emptied the queue */
        vr_buf_drop(&s->queue, s->sent);
        s->sent = 0;
    }
    vr_buf_add_n(&s->queue, bytes, n);
    fits = !s->queue.over;
    if (!fits) {
        /* The connection may sit in a full send buffer for long; this gets it out. */
        s->broken = true;
        vr_ignore(shutdown(s->parked.fd, SHUT_RDWR) < 0, "it is gone already");
    }
    unpark(&s->parked);
    pthread_mutex_unlock(&s->parked.hub->lock);
    return fits;
}

void vr_http_stream_close(struct vr_http_stream *s)
{
    pthread_mutex_lock(&s->parked.hub->lock);
    s->closed = true;
    unpark(&s->parked);
    pthread_mutex_unlock(&s->parked.hub->lock);
}

bool vr_http_stream_is_over(struct vr_http_stream *s)
{
    bool over;

    pthread_mutex_lock(&s->parked.hub->lock);
    over = s->broken || s->closed || s->parked.hub->finishing;
    pthread_mutex_unlock(&s->parked.hub->lock);
    return over;
}

size_t vr_http_stream_queued(struct vr_http_stream *s)
{
    size_t n;

    pthread_mutex_lock(&s->parked.hub->lock);
    n = s->queue.len - s->sent;
    pthread_mutex_unlock(&s->parked.hub->lock);
    return n;
}

struct vr_http_stream *vr_http_stream_ref(struct vr_http_stream *s)
{
    return as_stream(parked_ref(&s->parked));
}

struct vr_http_stream *vr_http_stream_unref(struct vr_http_stream *s)
{
    if (s)
        parked_unref(&s->parked);
    return NULL;
}
