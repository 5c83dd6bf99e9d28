/* SPDX-License-Identifier: MIT */
/* WebSockets over real sockets: messages, limits, closing, and who is refused. */
#include "core/clock.h"
#include "core/tap.h"
#include "net/http_server.h"
#include "net/websocket.h"
#include "net/ws_client.h"
#include "sys/fs.h"
#include "sys/proc.h"

#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#define WAIT_MS 10000

struct site {
    struct vr_http_server *server;
    struct vr_ws *last;
    int released;
    char url[64];
    pthread_mutex_t lock;
};

static void echo(void *ctx, struct vr_ws *ws, const struct vr_ws_message *m)
{
    if (m->n == 3 && !memcmp(m->p, "end", 3))
        vr_ws_close(ws, 4410, "as you wish");
    else
        vr_ws_send(ws, m->kind, m->p, m->n);
}

static void count_release(void *ctx)
{
    struct site *s = ctx;

    pthread_mutex_lock(&s->lock);
    s->released++;
    pthread_mutex_unlock(&s->lock);
}

static int released(struct site *s)
{
    int n;

    pthread_mutex_lock(&s->lock);
    n = s->released;
    pthread_mutex_unlock(&s->lock);
    return n;
}

static void handle(void *user, struct vr_http_req *req)
{
    struct site *s = user;
    struct vr_ws_spec spec = {.on_message = echo, .ctx = s, .release = count_release};
    struct vr_ws *ws = vr_ws_accept(req, &spec), *before;

    if (!ws)
        return;
    vr_ws_send(ws, VR_WS_TEXT, "hello", 5);
    pthread_mutex_lock(&s->lock);
    before = s->last;
    s->last = ws;
    pthread_mutex_unlock(&s->lock);
    vr_ws_unref(before); /* its release takes the lock */
}

static bool start_tls(struct site *s, const char *cert, const char *key)
{
    struct vr_http_server_spec spec = {
        .address = "127.0.0.1", .handle = handle, .user = s, .tls_cert = cert, .tls_key = key};
    struct vr_err err;

    signal(SIGPIPE, SIG_IGN);
    memset(s, 0, sizeof(*s));
    pthread_mutex_init(&s->lock, NULL);
    if (vr_http_server_start(&spec, &s->server, &err) < 0)
        return false;
    snprintf(s->url, sizeof(s->url), "%s://127.0.0.1:%d/x", cert ? "https" : "http",
             vr_http_server_port(s->server));
    return true;
}

static bool start(struct site *s)
{
    return start_tls(s, NULL, NULL);
}

static void stop(struct site *s)
{
    s->last = vr_ws_unref(s->last);
    s->server = vr_http_server_stop(s->server);
    pthread_mutex_destroy(&s->lock);
}

static struct vr_ws_client *join(struct site *s)
{
    struct vr_ws_client *c = NULL;
    struct vr_err err;

    if (vr_ws_connect(&(struct vr_http_call){.url = s->url}, &c, NULL, &err) < 0)
        fprintf(stderr, "# %s\n", err.msg);
    return c;
}

static bool hears(struct vr_ws_client *c, enum vr_ws_kind kind, const char *text, int code)
{
    struct vr_ws_received m = {0};
    struct vr_err err;
    int r = vr_ws_client_read(c, WAIT_MS, &m, &err);
    bool ok = r == 0 && m.kind == kind && m.code == code && (!text || vr_streq(m.p, text));

    if (!ok)
        fprintf(stderr, "# r %d (%s): kind %d, code %d, '%s'\n", r, r < 0 ? err.msg : "", m.kind,
                m.code, m.p ? m.p : "");
    vr_ws_received_fini(&m);
    return ok;
}

TEST(ws_accept_of__example_of_the_rfc__matches)
{
    char out[VR_WS_ACCEPT_BYTES];

    vr_ws_accept_of("dGhlIHNhbXBsZSBub25jZQ==", out);
    CHECK(vr_streq(out, "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="));
}

TEST(websocket__messages__go_both_ways)
{
    struct site s;
    vr_auto_free char *large = vr_alloc(300001);
    struct vr_ws_client *c;

    CHECK(start(&s));
    c = join(&s);
    CHECK(c && hears(c, VR_WS_TEXT, "hello", 0));
    CHECK(vr_ws_client_send(c, VR_WS_TEXT, "gr\xc3\xbc\xc3\x9f", 6, NULL) == 0);
    CHECK(hears(c, VR_WS_TEXT, "gr\xc3\xbc\xc3\x9f", 0));
    memset(large, 'x', 300000);
    CHECK(vr_ws_client_send(c, VR_WS_BINARY, large, 300000, NULL) == 0);
    CHECK(hears(c, VR_WS_BINARY, large, 0));
    CHECK(vr_ws_client_send(c, VR_WS_PING, "are you there", 13, NULL) == 0);
    CHECK(hears(c, VR_WS_PONG, "are you there", 0));
    vr_ws_client_free(c);
    stop(&s);
    CHECK(released(&s) == 1);
}

TEST(websocket__server_closes__with_code_and_reason)
{
    struct site s;
    struct vr_ws_client *c;

    CHECK(start(&s));
    c = join(&s);
    CHECK(c && hears(c, VR_WS_TEXT, "hello", 0));
    CHECK(vr_ws_client_send(c, VR_WS_TEXT, "end", 3, NULL) == 0);
    CHECK(hears(c, VR_WS_CLOSE, "as you wish", 4410));
    vr_ws_client_free(c);
    stop(&s);
}

TEST(websocket__client_closes_or_vanishes__object_is_over)
{
    struct site s;
    struct vr_ws_client *c;
    struct vr_mono end;

    CHECK(start(&s));
    c = join(&s);
    CHECK(c && hears(c, VR_WS_TEXT, "hello", 0));
    CHECK(vr_ws_client_close(c, VR_WS_NORMAL, NULL) == 0);
    CHECK(hears(c, VR_WS_CLOSE, NULL, VR_WS_NORMAL));
    c = vr_ws_client_free(c);
    c = join(&s); /* replaces the first, whose last reference is the server's then */
    CHECK(c && hears(c, VR_WS_TEXT, "hello", 0));
    vr_ws_client_free(c);
    end = vr_mono_add_ms(vr_mono_now(), WAIT_MS);
    while (!vr_ws_is_over(s.last) && vr_mono_now().ns < end.ns)
        nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
    CHECK(vr_ws_is_over(s.last));
    CHECK(!vr_ws_send(s.last, VR_WS_TEXT, "x", 1));
    stop(&s);
    CHECK(released(&s) == 2);
}

TEST(websocket__reader_too_slow__is_closed_with_a_code_and_memory_stays_bounded)
{
    struct site s;
    vr_auto_free char *piece = vr_alloc(65536);
    struct vr_ws_client *c;
    struct vr_ws_received m = {0};
    bool sent = true;
    int code = 0;

    CHECK(start(&s));
    c = join(&s);
    CHECK(c && hears(c, VR_WS_TEXT, "hello", 0));
    memset(piece, 'x', 65536);
    for (int i = 0; i < 1000 && sent; i++) /* 64 MB fit no socket */
        sent = vr_ws_send(s.last, VR_WS_TEXT, piece, 65536);
    CHECK(!sent && vr_ws_is_over(s.last));
    CHECK(vr_ws_queued(s.last) <= VR_WS_QUEUE_BYTES + VR_WS_SPARE_BYTES);
    while (!code && vr_ws_client_read(c, WAIT_MS, &m, NULL) == 0) {
        code = m.code; /* what was queued comes first */
        vr_ws_received_fini(&m);
    }
    CHECK(code == VR_WS_TOO_SLOW);
    vr_ws_client_free(c);
    stop(&s);
}

TEST(websocket__message_over_the_limit__is_closed_with_1009)
{
    struct site s;
    vr_auto_free char *large = vr_alloc(VR_WS_MESSAGE_BYTES + 1);
    struct vr_ws_client *c;

    CHECK(start(&s));
    c = join(&s);
    CHECK(c && hears(c, VR_WS_TEXT, "hello", 0));
    memset(large, 'x', VR_WS_MESSAGE_BYTES + 1);
    vr_ignore(vr_ws_client_send(c, VR_WS_TEXT, large, VR_WS_MESSAGE_BYTES + 1, NULL),
              "the server may close before all is written");
    CHECK(hears(c, VR_WS_CLOSE, NULL, VR_WS_TOO_BIG));
    vr_ws_client_free(c);
    stop(&s);
}

static int status_with(struct site *s, const char *header)
{
    const char *headers[] = {header, NULL};
    struct vr_ws_client *c = NULL;
    int status = 0;

    vr_ignore(
        vr_ws_connect(&(struct vr_http_call){.url = s->url, .headers = headers}, &c, &status, NULL),
        "the status tells");
    vr_ws_client_free(c);
    return status;
}

TEST(websocket__origin__must_be_our_own)
{
    struct site s;
    vr_auto_free char *own = NULL;
    struct vr_http_result plain = {0};
    struct vr_http_client *client = vr_http_client_new();

    CHECK(start(&s));
    own = vr_strf("Origin: http://127.0.0.1:%d", vr_http_server_port(s.server));
    CHECK(status_with(&s, own) == 101);
    CHECK(status_with(&s, "Origin: https://evil.example") == 403);
    CHECK(status_with(&s, "Origin: null") == 403);
    CHECK(status_with(&s, "X-Nothing: 1") == 101);
    CHECK(vr_http_call(client, &(struct vr_http_call){.url = s.url}, &plain, NULL) == 0);
    CHECK(plain.status == 400);
    vr_http_result_fini(&plain);
    vr_http_client_free(client);
    stop(&s);
}

TEST(websocket__server_stops__with_connections_open)
{
    struct site s;
    struct vr_ws_client *c[20];

    CHECK(start(&s));
    for (size_t i = 0; i < VR_COUNT(c); i++) {
        c[i] = join(&s);
        CHECK(c[i] && hears(c[i], VR_WS_TEXT, "hello", 0));
    }
    s.last = vr_ws_unref(s.last);
    s.server = vr_http_server_stop(s.server);
    CHECK(released(&s) == 20);
    for (size_t i = 0; i < VR_COUNT(c); i++) {
        CHECK(hears(c[i], VR_WS_CLOSE, NULL, VR_WS_GOING_AWAY));
        vr_ws_client_free(c[i]);
    }
    stop(&s);
}

TEST(websocket__over_tls__messages_go_both_ways)
{
    vr_auto_free char *cert_path = vr_strf("%s/cert", vr_tap_dir());
    vr_auto_free char *key_path = vr_strf("%s/key", vr_tap_dir());
    const char *argv[] = {"openssl",
                          "req",
                          "-x509",
                          "-newkey",
                          "ec",
                          "-pkeyopt",
                          "ec_paramgen_curve:prime256v1",
                          "-nodes",
                          "-days",
                          "2",
                          "-subj",
                          "/CN=127.0.0.1",
                          "-addext",
                          "subjectAltName=IP:127.0.0.1",
                          "-out",
                          cert_path,
                          "-keyout",
                          key_path,
                          NULL};
    struct vr_spawn_spec openssl = {.argv = argv};
    vr_auto_free char *cert = NULL, *key = NULL, *large = vr_alloc(300001);
    struct vr_ws_client *c = NULL;
    struct site s;
    size_t len;

    CHECK(!vr_run_ok(&openssl, 20000, NULL));
    CHECK(!vr_fs_read(cert_path, 65536, &cert, &len, NULL));
    CHECK(!vr_fs_read(key_path, 65536, &key, &len, NULL));
    CHECK(start_tls(&s, cert, key));
    CHECK(vr_ws_connect(&(struct vr_http_call){.url = s.url, .ca_file = cert_path}, &c, NULL,
                        NULL) == 0);
    CHECK(c && hears(c, VR_WS_TEXT, "hello", 0));
    memset(large, 'x', 300000);
    CHECK(vr_ws_client_send(c, VR_WS_TEXT, large, 300000, NULL) == 0);
    CHECK(hears(c, VR_WS_TEXT, large, 0));
    s.last = vr_ws_unref(s.last);
    s.server = vr_http_server_stop(s.server);
    CHECK(hears(c, VR_WS_CLOSE, NULL, VR_WS_GOING_AWAY));
    vr_ws_client_free(c);
    stop(&s);
}

static void count_messages(void *ctx, const struct vr_ws_message *m)
{
    ++*(int *)ctx;
}

TEST(ws_frames__bytes_one_by_one__give_the_same_messages)
{
    VR_OWNED(vr_ws_frames_free) struct vr_ws_frames *a = vr_ws_frames_new(true, 4096);
    VR_OWNED(vr_ws_frames_free) struct vr_ws_frames *b = vr_ws_frames_new(false, 4096);
    struct vr_str queued;
    int count = 0;

    CHECK(vr_ws_frames_put(a, VR_WS_TEXT, "one", 3, NULL) == 0);
    CHECK(vr_ws_frames_put(a, VR_WS_BINARY, "two", 3, NULL) == 0);
    vr_ws_frames_close(a, VR_WS_NORMAL, "done");
    CHECK(vr_ws_frames_put(a, VR_WS_TEXT, "late", 4, NULL) == -VR_BUSY);
    queued = vr_ws_frames_queued(a);
    for (size_t i = 0; i < queued.n; i++)
        CHECK(vr_ws_frames_take(b, queued.p + i, 1, count_messages, &count));
    CHECK(count == 3 && vr_ws_frames_is_closing(b));
}

TEST(ws_frames_put__full_queue__is_refused)
{
    VR_OWNED(vr_ws_frames_free) struct vr_ws_frames *f = vr_ws_frames_new(false, 4096);
    char bytes[1024] = {0};
    int r = 0;

    for (int i = 0; i < 8 && r == 0; i++)
        r = vr_ws_frames_put(f, VR_WS_BINARY, bytes, sizeof(bytes), NULL);
    CHECK(r == -VR_LIMIT);
    CHECK(vr_ws_frames_queued(f).n <= 4096);
}
