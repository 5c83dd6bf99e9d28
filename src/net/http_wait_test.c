/* SPDX-License-Identifier: MIT */
/* Requests that wait: long polls, streams, the loop that the agent uses. */
#include "core/buf.h"
#include "core/clock.h"
#include "core/tap.h"
#include "net/http_fixture.h"
#include "net/http_loop.h"
#include "net/sse.h"

#include <dirent.h>
#include <poll.h>
#include <string.h>
#include <sys/resource.h>

#define STREAMS 200
#define EVENTS  5
#define WAIT_MS 10000

/* One transfer in the loop, and what became of it. */
struct transfer {
    uv_loop_t *loop;
    struct vr_http_transfer *t;
    int done; /* callbacks; more than one would be wrong */
    int r;
    int status;
    char body[64];
    struct vr_sse_parser *parser;
    int events;
};

static void on_done(void *user, int r, struct vr_http_result *result, const struct vr_err *err)
{
    struct transfer *t = user;

    t->done++;
    t->r = r;
    t->status = result->status;
    if (!r)
        strncpy(t->body, result->body, sizeof(t->body) - 1);
}

static void stop_loop(uv_timer_t *timer)
{
    uv_stop(timer->loop);
}

typedef bool (*until_fn)(void *ctx);

/* Turn the loop until a condition holds; false after WAIT_MS. */
static bool turn_until(uv_loop_t *loop, until_fn fn, void *ctx)
{
    struct vr_mono end = vr_mono_add_ms(vr_mono_now(), WAIT_MS);
    uv_timer_t tick;
    bool held;

    uv_timer_init(loop, &tick);
    uv_timer_start(&tick, stop_loop, 5, 5);
    while (!(held = fn(ctx)) && vr_mono_ms_between(vr_mono_now(), end))
        uv_run(loop, UV_RUN_ONCE);
    uv_close((uv_handle_t *)&tick, NULL);
    uv_run(loop, UV_RUN_NOWAIT);
    return held;
}

static bool is_done(void *ctx)
{
    return ((struct transfer *)ctx)->done > 0;
}

struct held {
    struct fixture *f;
    int waits;
    int streams;
};

static bool is_held(void *ctx)
{
    struct held *h = ctx;
    bool held;

    pthread_mutex_lock(&h->f->lock);
    held = h->f->wait_count >= h->waits && h->f->stream_count >= h->streams;
    pthread_mutex_unlock(&h->f->lock);
    return held;
}

/* Turn the loop until the server holds so many requests. */
static bool turn_until_held(uv_loop_t *loop, struct fixture *f, int waits, int streams)
{
    return turn_until(loop, is_held, &(struct held){f, waits, streams});
}

static bool begin(struct vr_http_loop *http, struct fixture *f, const char *path,
                  struct transfer *t)
{
    vr_auto_free char *url = vr_strf("%s%s", f->base, path);
    struct vr_http_call call = {.url = url, .timeout_ms = WAIT_MS * 3};

    if (t->parser) {
        call.sink = vr_sse_parser_feed;
        call.sink_ctx = t->parser;
    }
    return !vr_http_loop_start(http, &call, on_done, t, &t->t, NULL);
}

static bool loop_open(uv_loop_t *loop, struct vr_http_loop **http)
{
    return !uv_loop_init(loop) && !vr_http_loop_new(loop, http, NULL);
}

/* False if anything is left in the loop. */
static bool loop_close(uv_loop_t *loop, struct vr_http_loop *http)
{
    vr_http_loop_free(http);
    uv_run(loop, UV_RUN_DEFAULT);
    return !uv_loop_close(loop);
}

static bool has_no_waiter(void *ctx)
{
    return vr_http_server_waiting(((struct fixture *)ctx)->server) == 0;
}

/* The server notices things in its own threads. */
static bool await_no_waiter(struct fixture *f)
{
    struct vr_mono end = vr_mono_add_ms(vr_mono_now(), WAIT_MS);

    while (!has_no_waiter(f) && vr_mono_ms_between(vr_mono_now(), end))
        poll(NULL, 0, 2);
    return has_no_waiter(f);
}

static struct vr_http_resp *text_resp(const char *text)
{
    struct vr_http_resp *resp = vr_http_resp_new(200);

    vr_http_resp_text(resp, "text/plain", text);
    return resp;
}

TEST(long_poll__answered_by_another_thread__arrives_once)
{
    struct fixture f;
    uv_loop_t loop;
    struct vr_http_loop *http;
    struct transfer t = {0};

    CHECK(fixture_start(&f, 0, NULL, NULL) && loop_open(&loop, &http));
    CHECK(begin(http, &f, "/wait", &t));
    CHECK(turn_until_held(&loop, &f, 1, 0));
    CHECK(vr_http_server_waiting(f.server) == 1);
    CHECK(vr_http_pending_answer(f.waits[0], text_resp("news")));
    CHECK(!vr_http_pending_answer(f.waits[0], text_resp("again")));
    CHECK(turn_until(&loop, is_done, &t));
    CHECK(t.r == 0 && t.status == 200 && t.done == 1);
    CHECK_STR(t.body, "news");
    CHECK(await_no_waiter(&f) && vr_http_pending_is_over(f.waits[0]));
    /* The connection is still good for another request. */
    t = (struct transfer){0};
    CHECK(begin(http, &f, "/echo", &t) && turn_until(&loop, is_done, &t));
    CHECK(t.status == 200);
    CHECK(loop_close(&loop, http));
    fixture_stop(&f);
}

TEST(long_poll__nobody_answers__204_at_the_deadline_without_work_meanwhile)
{
    struct fixture f;
    VR_OWNED(vr_http_client_free) struct vr_http_client *client = vr_http_client_new();
    struct vr_http_result result = {0};
    struct rusage a, b;
    struct vr_mono begun = vr_mono_now();
    int64_t cpu_us;

    CHECK(fixture_start(&f, 0, NULL, NULL));
    f.wait_ms = 700;
    getrusage(RUSAGE_SELF, &a);
    CHECK(!fixture_get(&f, client, "/wait", &result));
    getrusage(RUSAGE_SELF, &b);
    CHECK(result.status == 204 && !result.body_bytes);
    CHECK(vr_mono_ms_between(begun, vr_mono_now()) >= 700);
    cpu_us = (b.ru_utime.tv_sec - a.ru_utime.tv_sec + b.ru_stime.tv_sec - a.ru_stime.tv_sec) *
                 VR_US_PER_S +
             b.ru_utime.tv_usec - a.ru_utime.tv_usec + b.ru_stime.tv_usec - a.ru_stime.tv_usec;
    CHECK(cpu_us < 300000); /* a busy loop would have burnt 700,000 */
    vr_http_result_fini(&result);
    fixture_stop(&f);
}

TEST(long_poll__client_leaves__pending_is_void_at_once)
{
    struct fixture f;
    uv_loop_t loop;
    struct vr_http_loop *http;
    struct transfer t = {0};

    CHECK(fixture_start(&f, 0, NULL, NULL) && loop_open(&loop, &http));
    CHECK(begin(http, &f, "/wait", &t));
    CHECK(turn_until_held(&loop, &f, 1, 0));
    vr_http_transfer_cancel(t.t);
    CHECK(t.done == 0);
    CHECK(await_no_waiter(&f));
    CHECK(!vr_http_pending_answer(f.waits[0], text_resp("late")));
    CHECK(loop_close(&loop, http));
    fixture_stop(&f);
    CHECK(f.released == 1);
}

TEST(server_stop__long_polls_and_streams_open__all_are_finished)
{
    struct fixture f;
    uv_loop_t loop;
    struct vr_http_loop *http;
    struct transfer t[3] = {{0}, {0}, {0}};
    int fds = fixture_fds();

    CHECK(fixture_start(&f, 0, NULL, NULL) && loop_open(&loop, &http));
    CHECK(begin(http, &f, "/wait", &t[0]) && begin(http, &f, "/events", &t[1]) &&
          begin(http, &f, "/log", &t[2]));
    CHECK(turn_until_held(&loop, &f, 1, 2));
    vr_http_server_stop(f.server);
    f.server = NULL;
    for (size_t i = 0; i < VR_COUNT(t); i++)
        CHECK(turn_until(&loop, is_done, &t[i]));
    CHECK(t[0].status == 204 && t[1].status == 200 && t[2].status == 200);
    CHECK(!vr_http_stream_send(f.streams[0], "x", 1)); /* late, but safe */
    CHECK(!vr_http_pending_answer(f.waits[0], text_resp("late")));
    CHECK(loop_close(&loop, http));
    fixture_stop(&f);
    CHECK(fixture_fds() == fds);
}

static int on_event(void *user, const struct vr_sse_event *event, struct vr_err *err)
{
    struct transfer *t = user;

    t->events++;
    return vr_streq(event->data, "{\"n\":1}") ? 0 : vr_fail(err, VR_BUG, "%s", event->data);
}

struct crowd {
    struct transfer t[STREAMS];
    int want; /* events each */
};

static bool all_have_events(void *ctx)
{
    struct crowd *crowd = ctx;

    for (int i = 0; i < STREAMS; i++)
        if (crowd->t[i].events < crowd->want)
            return false;
    return true;
}

static int count_threads(void)
{
    DIR *dir = opendir("/proc/self/task");
    int n = -2;

    while (dir && readdir(dir))
        n++;
    if (dir)
        closedir(dir);
    return n;
}

TEST(events__200_clients__each_gets_each_event_without_a_thread_each)
{
    struct fixture f;
    uv_loop_t loop;
    struct vr_http_loop *http;
    struct crowd *crowd = vr_alloc(sizeof(*crowd));
    static const char event[] = "id: 7\ndata: {\"n\":1}\n\n";
    int fds = fixture_fds();

    CHECK(fixture_start(&f, 0, NULL, NULL) && loop_open(&loop, &http));
    for (int i = 0; i < STREAMS; i++) {
        crowd->t[i].parser = vr_sse_parser_new(on_event, &crowd->t[i]);
        CHECK(begin(http, &f, "/events", &crowd->t[i]));
    }
    CHECK(turn_until_held(&loop, &f, 0, STREAMS));
    CHECK(count_threads() < 10);
    for (int n = 0; n < EVENTS; n++) {
        for (int i = 0; i < STREAMS; i++)
            CHECK(vr_http_stream_send(f.streams[i], event, sizeof(event) - 1));
        crowd->want = n + 1;
        CHECK(turn_until(&loop, all_have_events, crowd));
    }
    /* Half leave, the others are told to go. */
    for (int i = 0; i < STREAMS; i++) {
        CHECK(crowd->t[i].events == EVENTS);
        CHECK_STR(vr_sse_parser_last_id(crowd->t[i].parser), "7");
        if (i % 2)
            vr_http_transfer_cancel(crowd->t[i].t);
    }
    for (int i = 0; i < STREAMS; i++)
        vr_http_stream_close(f.streams[i]);
    for (int i = 0; i < STREAMS; i += 2)
        CHECK(is_done(&crowd->t[i]) || turn_until(&loop, is_done, &crowd->t[i]));
    CHECK(await_no_waiter(&f));
    for (int i = 0; i < STREAMS; i++) {
        CHECK(vr_http_stream_is_over(f.streams[i]));
        vr_sse_parser_free(crowd->t[i].parser);
    }
    CHECK(loop_close(&loop, http));
    fixture_stop(&f);
    CHECK(fixture_fds() == fds);
    free(crowd);
}

/* A client that never reads is cut off, and costs no more than its queue. */
TEST(stream__client_does_not_read__is_cut_off_at_the_limit)
{
    struct fixture f;
    uv_loop_t loop;
    struct vr_http_loop *http;
    struct transfer t = {0};
    char chunk[4096];
    uint64_t sent = 0;

    memset(chunk, 'x', sizeof(chunk));
    CHECK(fixture_start(&f, 0, NULL, NULL) && loop_open(&loop, &http));
    CHECK(begin(http, &f, "/log", &t));
    CHECK(turn_until_held(&loop, &f, 0, 1));
    while (vr_http_stream_send(f.streams[0], chunk, sizeof(chunk)) && sent < (1 << 30))
        sent += sizeof(chunk);
    CHECK(sent < (1 << 30));
    CHECK(vr_http_stream_is_over(f.streams[0]));
    CHECK(await_no_waiter(&f));
    CHECK(loop_close(&loop, http));
    fixture_stop(&f);
}

/* Sends three events, then ends the stream, from a thread of its own. */
static void *send_three(void *arg)
{
    struct fixture *f = arg;

    if (fixture_await(f, 0, 1)) {
        for (int i = 0; i < 3; i++)
            vr_http_stream_send(f->streams[0], "data: {\"n\":1}\n\n", 15);
        vr_http_stream_close(f->streams[0]);
    }
    return NULL;
}

TEST(sse_follow__three_events_then_the_end__returns_the_headers)
{
    struct fixture f;
    VR_OWNED(vr_http_client_free) struct vr_http_client *client = vr_http_client_new();
    vr_auto_free char *url = NULL;
    struct vr_http_call call = {.timeout_ms = -1, .stall_ms = WAIT_MS};
    struct vr_http_result result = {0};
    struct transfer t = {0};
    pthread_t thread;

    CHECK(fixture_start(&f, 0, NULL, NULL));
    url = vr_strf("%s/events", f.base);
    call.url = url;
    CHECK(!pthread_create(&thread, NULL, send_three, &f));
    CHECK(!vr_sse_follow(client, &call, "4", on_event, &t, &result, NULL));
    pthread_join(thread, NULL);
    CHECK(t.events == 3);
    CHECK_STR(vr_http_result_header(&result, "content-type"), "text/event-stream");
    CHECK_STR(vr_http_result_header(&result, "cache-control"), "no-cache");
    CHECK_STR(vr_http_result_header(&result, "x-accel-buffering"), "no");
    vr_http_result_fini(&result);
    fixture_stop(&f);
}

static int gather(void *ctx, const void *bytes, size_t n, struct vr_err *err)
{
    struct vr_buf *b = ctx;

    vr_buf_add_n(b, bytes, n);
    return b->len >= 6; /* two beats */
}

TEST(events__silence__is_filled_with_comments)
{
    struct fixture f;
    VR_OWNED(vr_http_client_free) struct vr_http_client *client = vr_http_client_new();
    vr_auto_buf struct vr_buf got = VR_BUF(64);
    vr_auto_free char *url = NULL;
    struct vr_http_call call = {.sink = gather, .sink_ctx = &got};
    struct vr_http_result result = {0};
    struct vr_mono begun = vr_mono_now();

    CHECK(fixture_start(&f, 0, NULL, NULL));
    url = vr_strf("%s/events", f.base);
    call.url = url;
    CHECK(!vr_http_call(client, &call, &result, NULL));
    CHECK(vr_mono_ms_between(begun, vr_mono_now()) >= 600);
    CHECK_STR(vr_buf_text(&got), ":\n\n:\n\n");
    vr_http_result_fini(&result);
    fixture_stop(&f);
}

TEST(loop__nobody_listens_and_free_with_transfers__no_callback_too_many)
{
    struct fixture f;
    uv_loop_t loop;
    struct vr_http_loop *http;
    struct transfer bad = {0}, open = {0};
    struct vr_http_call call = {.url = "http://127.0.0.1:1/"};

    CHECK(fixture_start(&f, 0, NULL, NULL) && loop_open(&loop, &http));
    CHECK(!vr_http_loop_start(http, &call, on_done, &bad, NULL, NULL));
    CHECK(bad.done == 0);
    CHECK(turn_until(&loop, is_done, &bad));
    CHECK(bad.r == -VR_IO);
    CHECK(begin(http, &f, "/wait", &open));
    CHECK(turn_until_held(&loop, &f, 1, 0));
    CHECK(loop_close(&loop, http));
    CHECK(open.done == 0);
    CHECK(await_no_waiter(&f));
    fixture_stop(&f);
}
