/* SPDX-License-Identifier: MIT */
/* A server with a few routes, for the tests of this folder. */
#include "net/http_fixture.h"
#include "core/clock.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <time.h>

#define AWAIT_SECS 10

static void count_release(void *ctx)
{
    struct fixture *f = ctx;

    pthread_mutex_lock(&f->lock);
    f->released++;
    pthread_cond_broadcast(&f->changed);
    pthread_mutex_unlock(&f->lock);
}

static int sink(void *ctx, const void *bytes, size_t n, struct vr_err *err)
{
    struct fixture *f = ctx;

    f->sunk_bytes += n;
    return 0;
}

static int full_sink(void *ctx, const void *bytes, size_t n, struct vr_err *err)
{
    return vr_fail(err, VR_LIMIT, "disk full");
}

static void begin(void *user, struct vr_http_req *req, struct vr_http_intake *intake)
{
    struct fixture *f = user;
    const char *first = vr_http_req_segment(req, 0);

    vr_http_req_attach(req, f, count_release);
    if (vr_streq(first, "secret")) {
        vr_http_answer_error(req, 401, "who are you");
    } else if (vr_streq(first, "upload")) {
        intake->max_bytes = f->upload_bytes;
        intake->sink = sink;
        intake->sink_ctx = f;
    } else if (vr_streq(first, "full")) {
        intake->max_bytes = 1 << 20;
        intake->sink = full_sink;
    } else if (vr_streq(first, "small")) {
        intake->max_bytes = 10;
    }
}

static void answer_echo(struct vr_http_req *req)
{
    const char *query = vr_query_find(vr_http_req_query(req), "q");
    struct vr_http_resp *resp = vr_http_resp_new(200);
    json_t *body = json_object();
    struct vr_str text = vr_http_req_body(req);

    vr_json_set(body, "method", vr_json_str_or_null(vr_http_req_method(req)));
    vr_json_set(body, "path", vr_json_str_or_null(vr_http_req_path(req)));
    vr_json_set(body, "part", vr_json_str_or_null(vr_http_req_segment(req, 1)));
    vr_json_set(body, "q", vr_json_str_or_null(query));
    vr_json_set(body, "auth", vr_json_str_or_null(vr_http_req_header(req, "authorization")));
    vr_json_set(body, "remote", vr_json_str_or_null(vr_http_req_remote(req)));
    vr_json_set(body, "body", vr_json_text(text.p, text.n));
    vr_json_set(body, "bytes", json_integer((json_int_t)vr_http_req_body_bytes(req)));
    vr_http_resp_json(resp, body);
    json_decref(body);
    vr_http_resp_header(resp, "X-Odd", "a\r\nSet-Cookie: b");
    vr_http_answer(req, resp);
}

static void answer_file(struct fixture *f, struct vr_http_req *req)
{
    struct vr_http_resp *resp = vr_http_resp_new(200);

    vr_http_resp_etag(resp, "tag1");
    if (vr_http_resp_file(resp, "application/octet-stream", open(f->file, O_RDONLY | O_CLOEXEC),
                          NULL) < 0) {
        vr_http_resp_free(resp);
        resp = vr_http_resp_new(404);
    }
    vr_http_answer(req, resp);
}

static void handle(void *user, struct vr_http_req *req)
{
    struct fixture *f = user;
    const char *first = vr_http_req_segment(req, 0);

    pthread_mutex_lock(&f->lock);
    if (vr_streq(first, "wait") && f->wait_count < FIXTURE_WAITS) {
        struct vr_http_pending *p = vr_http_suspend(req, f->wait_ms, vr_http_resp_new(204));

        if (p)
            f->waits[f->wait_count++] = p;
    } else if (vr_streq(first, "events") && f->stream_count < FIXTURE_STREAMS) {
        f->streams[f->stream_count++] = vr_http_stream_start(req, VR_HTTP_STREAM_EVENTS);
    } else if (vr_streq(first, "log") && f->stream_count < FIXTURE_STREAMS) {
        f->streams[f->stream_count++] = vr_http_stream_start(req, VR_HTTP_STREAM_TEXT);
    } else if (vr_streq(first, "file")) {
        answer_file(f, req);
    } else if (vr_streq(first, "go")) {
        struct vr_http_resp *resp = vr_http_resp_new(302);

        vr_http_resp_header(resp, "Location", "/echo/there");
        vr_http_answer(req, resp);
    } else if (!vr_streq(first, "silent")) {
        answer_echo(req);
    }
    pthread_cond_broadcast(&f->changed);
    pthread_mutex_unlock(&f->lock);
}

bool fixture_start(struct fixture *f, int64_t idle_ms, const char *cert, const char *key)
{
    struct vr_http_server_spec spec = {
        .address = "127.0.0.1",
        .idle_ms = idle_ms,
        .beat_ms = 300,
        .begin = begin,
        .handle = handle,
        .tls_cert = cert,
        .tls_key = key,
        .user = f,
    };

    *f = (struct fixture){.wait_ms = 60000, .upload_bytes = 1 << 20};
    pthread_mutex_init(&f->lock, NULL);
    pthread_cond_init(&f->changed, NULL);
    if (vr_http_server_start(&spec, &f->server, NULL) < 0)
        return false;
    snprintf(f->base, sizeof(f->base), "%s://127.0.0.1:%d", cert ? "https" : "http",
             vr_http_server_port(f->server));
    return true;
}

void fixture_stop(struct fixture *f)
{
    f->server = vr_http_server_stop(f->server);
    for (int i = 0; i < f->wait_count; i++)
        vr_http_pending_unref(f->waits[i]);
    for (int i = 0; i < f->stream_count; i++)
        vr_http_stream_unref(f->streams[i]);
    pthread_cond_destroy(&f->changed);
    pthread_mutex_destroy(&f->lock);
}

bool fixture_await(struct fixture *f, int waits, int streams)
{
    struct timespec at;
    bool enough;
    int e = 0;

    clock_gettime(CLOCK_REALTIME, &at);
    at.tv_sec += AWAIT_SECS;
    pthread_mutex_lock(&f->lock);
    while (!e && (f->wait_count < waits || f->stream_count < streams))
        e = pthread_cond_timedwait(&f->changed, &f->lock, &at);
    enough = f->wait_count >= waits && f->stream_count >= streams;
    pthread_mutex_unlock(&f->lock);
    return enough;
}

int fixture_fds(void)
{
    DIR *dir = opendir("/proc/self/fd");
    int n = 0;

    while (dir && readdir(dir))
        n++;
    if (dir)
        closedir(dir);
    return n;
}

int fixture_get(struct fixture *f, struct vr_http_client *client, const char *path,
                struct vr_http_result *out)
{
    vr_auto_free char *url = vr_strf("%s%s", f->base, path);
    struct vr_http_call call = {.url = url};

    return vr_http_call(client, &call, out, NULL);
}
