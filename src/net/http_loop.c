/* SPDX-License-Identifier: MIT */
/*
 * HTTP calls inside a libuv loop.
 *
 * libcurl's multi interface says which sockets it waits for and how long; each socket becomes a
 * uv_poll_t and the wait one uv_timer_t. Completions are collected after libcurl has returned, and
 * a callback may start or cancel transfers, so a finished transfer is taken out of libcurl first.
 */
#include "net/http_loop.h"
#include "net/http_easy.h"

#include <string.h>

struct vr_http_loop {
    uv_loop_t *loop; /* borrowed */
    CURLM *multi;
    uv_timer_t timer;
    struct vr_http_transfer *first;
    bool freed; /* the timer's close callback releases the memory */
};

struct vr_http_transfer {
    struct vr_http_loop *http; /* borrowed */
    struct vr_http_easy easy;
    vr_http_done_fn done;
    void *user; /* borrowed */
    struct vr_http_transfer *prev, *next;
};

/* A socket that libcurl wants to be watched. */
struct watch {
    uv_poll_t poll;
    struct vr_http_loop *http; /* borrowed */
    curl_socket_t fd;
};

static void transfer_free(struct vr_http_transfer *t)
{
    struct vr_http_loop *http = t->http;
    CURL *curl = t->easy.curl;

    if (t->prev)
        t->prev->next = t->next;
    else
        http->first = t->next;
    if (t->next)
        t->next->prev = t->prev;
    curl_multi_remove_handle(http->multi, curl);
    vr_http_easy_fini(&t->easy);
    curl_easy_cleanup(curl);
    free(t);
}

static void finish_transfer(struct vr_http_transfer *t, CURLcode code)
{
    struct vr_http_result result = {0};
    struct vr_err err = VR_ERR_NULL;
    vr_http_done_fn done = t->done;
    void *user = t->user;
    int r = vr_http_easy_finish(&t->easy, code, &result, &err);

    transfer_free(t);
    done(user, r, &result, &err);
    vr_http_result_fini(&result);
}

static void report(struct vr_http_loop *http)
{
    CURLMsg *msg;
    int left;

    while (!http->freed && (msg = curl_multi_info_read(http->multi, &left))) {
        struct vr_http_transfer *t = NULL;

        if (msg->msg != CURLMSG_DONE)
            continue;
        curl_easy_getinfo(msg->easy_handle, CURLINFO_PRIVATE, &t);
        finish_transfer(t, msg->data.result);
    }
}

static void on_poll(uv_poll_t *poll, int status, int events)
{
    struct watch *watch = poll->data;
    struct vr_http_loop *http = watch->http;
    int flags = 0, running;

    if (status < 0)
        flags = CURL_CSELECT_ERR;
    if (events & UV_READABLE)
        flags |= CURL_CSELECT_IN;
    if (events & UV_WRITABLE)
        flags |= CURL_CSELECT_OUT;
    curl_multi_socket_action(http->multi, watch->fd, flags, &running);
    report(http);
}

static void on_timer(uv_timer_t *timer)
{
    struct vr_http_loop *http = timer->data;
    int running;

    curl_multi_socket_action(http->multi, CURL_SOCKET_TIMEOUT, 0, &running);
    report(http);
}

static int on_want_timer(CURLM *multi, long ms, void *ctx)
{
    struct vr_http_loop *http = ctx;

    if (http->freed)
        return 0;
    if (ms < 0)
        return uv_timer_stop(&http->timer) < 0 ? -1 : 0;
    /* Never from inside this call: libcurl must not be re-entered. */
    uv_update_time(http->loop);
    return uv_timer_start(&http->timer, on_timer, (uint64_t)ms, 0) < 0 ? -1 : 0;
}

static void on_watch_closed(uv_handle_t *handle)
{
    free(handle->data);
}

static struct watch *watch_new(struct vr_http_loop *http, curl_socket_t fd)
{
    struct watch *watch = vr_alloc(sizeof(*watch));

    watch->http = http;
    watch->fd = fd;
    if (uv_poll_init_socket(http->loop, &watch->poll, fd) < 0) {
        free(watch);
        return NULL;
    }
    watch->poll.data = watch;
    return watch;
}

static int on_want_socket(CURL *curl, curl_socket_t fd, int what, void *ctx, void *socket_ctx)
{
    struct vr_http_loop *http = ctx;
    struct watch *watch = socket_ctx;
    int events = 0;

    if (what == CURL_POLL_REMOVE) {
        if (watch) {
            uv_poll_stop(&watch->poll);
            uv_close((uv_handle_t *)&watch->poll, on_watch_closed);
            curl_multi_assign(http->multi, fd, NULL);
        }
        return 0;
    }
    if (!watch) {
        watch = watch_new(http, fd);
        if (!watch)
            return -1;
        curl_multi_assign(http->multi, fd, watch);
    }
    if (what & CURL_POLL_IN)
        events |= UV_READABLE;
    if (what & CURL_POLL_OUT)
        events |= UV_WRITABLE;
    return uv_poll_start(&watch->poll, events, on_poll) < 0 ? -1 : 0;
}

int vr_http_loop_new(uv_loop_t *loop, struct vr_http_loop **out, struct vr_err *err)
{
    struct vr_http_loop *http = vr_alloc(sizeof(*http));

    curl_global_init(CURL_GLOBAL_DEFAULT);
    http->loop = loop;
    http->multi = curl_multi_init();
    if (!http->multi || uv_timer_init(loop, &http->timer) < 0) {
        if (http->multi)
            curl_multi_cleanup(http->multi);
        curl_global_cleanup();
        free(http);
        return vr_fail(err, VR_LIMIT, "HTTP loop: out of memory");
    }
    http->timer.data = http;
    curl_multi_setopt(http->multi, CURLMOPT_SOCKETFUNCTION, on_want_socket);
    curl_multi_setopt(http->multi, CURLMOPT_SOCKETDATA, http);
    curl_multi_setopt(http->multi, CURLMOPT_TIMERFUNCTION, on_want_timer);
    curl_multi_setopt(http->multi, CURLMOPT_TIMERDATA, http);
    *out = http;
    return 0;
}

static void on_timer_closed(uv_handle_t *handle)
{
    free(handle->data);
}

struct vr_http_loop *vr_http_loop_free(struct vr_http_loop *http)
{
    if (!http)
        return NULL;
    for (struct vr_http_transfer *t = http->first, *next; t; t = next) {
        next = t->next;
        transfer_free(t);
    }
    /* libcurl still asks to forget the sockets of idle connections in here. */
    http->freed = true;
    curl_multi_cleanup(http->multi);
    curl_global_cleanup();
    uv_timer_stop(&http->timer);
    uv_close((uv_handle_t *)&http->timer, on_timer_closed);
    return NULL;
}

int vr_http_loop_start(struct vr_http_loop *http, const struct vr_http_call *call,
                       vr_http_done_fn done, void *user, struct vr_http_transfer **out,
                       struct vr_err *err)
{
    CURL *curl = curl_easy_init();
    struct vr_http_transfer *t;
    int r;

    if (!curl)
        return vr_fail(err, VR_LIMIT, "HTTP call: out of memory");
    t = vr_alloc(sizeof(*t));
    t->http = http;
    t->done = done;
    t->user = user;
    r = vr_http_easy_init(&t->easy, curl, call, err);
    curl_easy_setopt(curl, CURLOPT_PRIVATE, t);
    t->next = http->first;
    if (http->first)
        http->first->prev = t;
    http->first = t;
    if (!r && curl_multi_add_handle(http->multi, curl) != CURLM_OK)
        r = vr_fail(err, VR_BUG, "%s: cannot be started", call->url);
    if (r < 0) {
        transfer_free(t);
        return r;
    }
    if (out)
        *out = t;
    return 0;
}

void vr_http_transfer_cancel(struct vr_http_transfer *t)
{
    transfer_free(t);
}
