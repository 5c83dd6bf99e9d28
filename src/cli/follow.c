/* SPDX-License-Identifier: MIT */
/* Reading streams of the server until something ends it.
 *
 * One libuv loop holds the transfers, a timer for the caller's tick, one timer a stream for trying
 * again, and the signal descriptor. A callback that wants to end sets `end` or `failed` and stops
 * the loop; everything is closed in one place afterwards. Callbacks may block for a request.
 */
#include "cli/follow.h"

#include "core/str.h"
#include "net/http_loop.h"
#include "net/sse.h"
#include "sys/signals.h"

#include <signal.h>
#include <string.h>

struct stream {
    struct vr_follow *f; /* borrowed */
    struct vr_follow_stream spec;
    struct vr_http_transfer *transfer; /* borrowed from the loop; NULL: none runs */
    struct vr_sse_parser *parser;      /* NULL for text */
    uv_timer_t retry;
    char *last_id;
};

struct vr_follow {
    struct vr_api *api;
    uv_loop_t loop;
    struct vr_http_loop *http;
    uv_timer_t ticker;
    uv_poll_t signals;
    int signal_fd;
    vr_follow_tick_fn tick;
    void *tick_user;
    struct stream **streams; /* owned */
    size_t count;
    size_t open; /* streams that have not ended */
    int result;  /* enum vr_follow_end or -code */
    bool over;   /* the first end counts; callbacks of the same turn may follow it */
    struct vr_err err;
};

static void finish(struct vr_follow *f, int result)
{
    if (f->over)
        return;
    f->over = true;
    f->result = result;
    uv_stop(&f->loop);
}

/* What a callback of the caller returned; true if following goes on. */
static bool goes_on(struct vr_follow *f, int r)
{
    if (!r)
        return !f->over;
    finish(f, r < 0 ? r : VR_FOLLOW_STOPPED);
    return false;
}

static int on_event(void *user, const struct vr_sse_event *event, struct vr_err *err)
{
    struct stream *s = user;
    int r =
        s->spec.on_data(s->spec.user, event->event, event->data, strlen(event->data), &s->f->err);

    return goes_on(s->f, r) ? 0 : 1;
}

static int on_bytes(void *user, const void *bytes, size_t n, struct vr_err *err)
{
    struct stream *s = user;

    if (s->parser)
        return vr_sse_parser_feed(s->parser, bytes, n, err);
    return goes_on(s->f, s->spec.on_data(s->spec.user, NULL, bytes, n, &s->f->err)) ? 0 : 1;
}

static int start(struct stream *s);

static void on_retry(uv_timer_t *timer)
{
    struct stream *s = timer->data;
    int r;

    if (!s->spec.events && !goes_on(s->f, s->spec.on_data(s->spec.user, NULL, "", 0, &s->f->err)))
        return;
    r = start(s);
    if (r < 0)
        finish(s->f, r);
}

static void on_done(void *user, int r, struct vr_http_result *answer, const struct vr_err *err)
{
    struct stream *s = user;
    struct vr_follow *f = s->f;

    s->transfer = NULL;
    if (r >= 0)
        r = vr_api_check(f->api, answer, &f->err);
    else if (err)
        f->err = *err;
    if (r < 0 && !s->spec.optional && (!s->spec.events || f->err.code == VR_DENIED)) {
        finish(f, r);
    } else if (s->spec.events ||
               (r < 0 && f->err.code != VR_NOT_FOUND && f->err.code != VR_DENIED)) {
        uv_timer_start(&s->retry, on_retry, VR_FOLLOW_RETRY_MS, 0);
    } else if (!--f->open) {
        finish(f, VR_FOLLOW_ENDED);
    }
}

static int start(struct stream *s)
{
    struct vr_follow *f = s->f;
    vr_auto_free char *url = vr_api_address(f->api, s->spec.path);
    vr_auto_free char *since = NULL;
    const char *headers[3] = {s->spec.events ? "Accept: text/event-stream" : "Accept: text/plain"};
    struct vr_http_call call = {.url = url, .headers = headers, .sink = on_bytes, .sink_ctx = s};

    if (s->spec.events) {
        if (s->parser && *vr_sse_parser_last_id(s->parser)) {
            free(s->last_id);
            s->last_id = vr_strdup(vr_sse_parser_last_id(s->parser));
        }
        vr_sse_parser_free(s->parser);
        s->parser = vr_sse_parser_new(on_event, s);
    }
    if (s->last_id) {
        since = vr_strf("Last-Event-ID: %s", s->last_id);
        headers[1] = since;
    }
    vr_api_prepare(f->api, &call);
    call.timeout_ms = -1;
    return vr_http_loop_start(f->http, &call, on_done, s, &s->transfer, &f->err);
}

static void on_tick(uv_timer_t *timer)
{
    struct vr_follow *f = timer->data;

    goes_on(f, f->tick(f, f->tick_user, &f->err));
}

static void on_signal(uv_poll_t *poll, int status, int events)
{
    struct vr_follow *f = poll->data;

    for (;;) {
        int sig = vr_signals_next(f->signal_fd);

        if (!sig)
            return;
        if (sig == SIGINT || sig == SIGTERM || sig == SIGHUP)
            finish(f, VR_FOLLOW_INTERRUPTED);
    }
}

static void close_handle(uv_handle_t *handle, void *arg)
{
    if (!uv_is_closing(handle))
        uv_close(handle, NULL);
}

int vr_follow_add(struct vr_follow *f, const struct vr_follow_stream *spec, struct vr_err *err)
{
    struct stream *s;
    int r;

    if (f->open >= VR_FOLLOW_STREAMS_MAX)
        return vr_fail(err, VR_LIMIT, "more than %u streams at once", VR_FOLLOW_STREAMS_MAX);
    s = vr_alloc(sizeof(*s));
    s->f = f;
    s->spec = *spec;
    uv_timer_init(&f->loop, &s->retry);
    s->retry.data = s;
    f->streams = vr_realloc_array(f->streams, f->count + 1, sizeof(f->streams[0]));
    f->streams[f->count++] = s;
    r = start(s);
    if (r < 0) {
        if (err != &f->err && err)
            *err = f->err;
        return r;
    }
    f->open++;
    return 0;
}

/* Everything that start_all() made, whatever of it there is. */
static void close_all(struct vr_follow *f)
{
    vr_http_loop_free(f->http);
    uv_run(&f->loop, UV_RUN_NOWAIT);
    uv_walk(&f->loop, close_handle, NULL);
    uv_run(&f->loop, UV_RUN_DEFAULT);
    uv_loop_close(&f->loop);
    for (size_t i = 0; i < f->count; i++) {
        vr_sse_parser_free(f->streams[i]->parser);
        free(f->streams[i]->last_id);
        free(f->streams[i]);
    }
    free(f->streams);
    vr_fd_close(f->signal_fd);
}

static int start_all(struct vr_follow *f, const struct vr_follow_stream *specs, size_t count,
                     int64_t tick_ms)
{
    int r = vr_http_loop_new(&f->loop, &f->http, &f->err);

    if (r < 0)
        return r;
    f->signal_fd = vr_signals_open(&f->err);
    if (f->signal_fd < 0)
        return f->signal_fd;
    uv_poll_init(&f->loop, &f->signals, f->signal_fd);
    f->signals.data = f;
    uv_poll_start(&f->signals, UV_READABLE, on_signal);
    if (f->tick) {
        uv_timer_init(&f->loop, &f->ticker);
        f->ticker.data = f;
        uv_timer_start(&f->ticker, on_tick, 0, (uint64_t)tick_ms);
    }
    for (size_t i = 0; i < count && r >= 0; i++)
        r = vr_follow_add(f, &specs[i], &f->err);
    return r;
}

int vr_follow(struct vr_api *api, const struct vr_follow_stream *streams, size_t count,
              int64_t tick_ms, vr_follow_tick_fn tick, void *tick_user, struct vr_err *err)
{
    struct vr_follow f = {
        .api = api, .tick = tick, .tick_user = tick_user, .signal_fd = -1, .result = -VR_BUG};
    sigset_t before;
    int r;

    if (uv_loop_init(&f.loop))
        return vr_fail(err, VR_IO, "event loop: cannot be made");
    sigprocmask(SIG_SETMASK, NULL, &before);
    r = start_all(&f, streams, count, tick_ms);
    if (r >= 0) {
        uv_run(&f.loop, UV_RUN_DEFAULT);
        r = f.result;
    }
    close_all(&f);
    sigprocmask(SIG_SETMASK, &before, NULL);
    if (r < 0 && err)
        *err = f.err;
    return r;
}
