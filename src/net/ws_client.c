/* SPDX-License-Identifier: MIT */
/*
 * libcurl connects (and does TLS), the upgrade and the frames are ours: Debian 12's libcurl has no
 * WebSockets of its own.
 */
#include "net/ws_client.h"

#include "core/buf.h"
#include "core/clock.h"
#include "fmt/base64.h"

#include <curl/curl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#define READ_BYTES 16384

struct vr_ws_client {
    CURL *curl;
    struct vr_ws_frames *frames;
    struct vr_mono deadline;  /* of the call under way */
    struct vr_ws_received *v; /* messages not yet read */
    size_t n, cap;
    bool ended;
};

int vr_ws_client_fd(const struct vr_ws_client *c)
{
    curl_socket_t fd = -1;

    curl_easy_getinfo(c->curl, CURLINFO_ACTIVESOCKET, &fd);
    return (int)fd;
}

static int wait_for(struct vr_ws_client *c, short events, struct vr_err *err)
{
    struct pollfd p = {.fd = vr_ws_client_fd(c), .events = events};
    int64_t ms = vr_mono_ms_between(vr_mono_now(), c->deadline);
    int n = poll(&p, 1, ms > INT32_MAX ? INT32_MAX : (int)ms);

    if (n < 0)
        return vr_fail_sys(err, "wait for the WebSocket");
    return n ? 0 : vr_fail(err, VR_TIMEOUT, "nothing came in time");
}

static int write_all(struct vr_ws_client *c, const char *bytes, size_t n, struct vr_err *err)
{
    while (n) {
        size_t done = 0;
        CURLcode code = curl_easy_send(c->curl, bytes, n, &done);
        int r = 0;

        if (code == CURLE_AGAIN)
            r = wait_for(c, POLLOUT, err);
        else if (code != CURLE_OK)
            r = vr_fail(err, VR_IO, "write to the WebSocket: %s", curl_easy_strerror(code));
        if (r < 0)
            return r;
        bytes += done;
        n -= done;
    }
    return 0;
}

/* At least one byte, or 0 at the end. */
static int read_some(struct vr_ws_client *c, char *out, size_t max, size_t *got, struct vr_err *err)
{
    for (;;) {
        CURLcode code = curl_easy_recv(c->curl, out, max, got);
        int r;

        if (code == CURLE_OK)
            return 0;
        if (code != CURLE_AGAIN)
            return vr_fail(err, VR_IO, "read from the WebSocket: %s", curl_easy_strerror(code));
        r = wait_for(c, POLLIN, err);
        if (r < 0)
            return r;
    }
}

/* ------------------------------------------------------------------ the upgrade */

static void add_login(const struct vr_http_call *call, struct vr_buf *out)
{
    if (call->bearer) {
        vr_buf_addf(out, "Authorization: Bearer %s\r\n", call->bearer);
    } else if (call->user) {
        vr_auto_free char *pair =
            vr_strf("%s:%s", call->user, call->password ? call->password : "");
        vr_auto_free char *encoded = vr_base64_encode(pair, strlen(pair));

        vr_buf_addf(out, "Authorization: Basic %s\r\n", encoded);
    }
}

static int ask(struct vr_ws_client *c, const struct vr_http_call *call, const char *key,
               struct vr_err *err)
{
    vr_auto_buf struct vr_buf text = VR_BUF(VR_WS_CLIENT_HEAD_BYTES);
    const char *host = strstr(call->url, "://") + 3;
    size_t host_n = strcspn(host, "/");

    vr_buf_addf(&text, "GET %s HTTP/1.1\r\nHost: %.*s\r\n", host[host_n] ? host + host_n : "/",
                (int)host_n, host);
    vr_buf_addf(&text,
                "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
                "Sec-WebSocket-Key: %s\r\n",
                key);
    add_login(call, &text);
    for (const char *const *h = call->headers; h && *h; h++)
        vr_buf_addf(&text, "%s\r\n", *h);
    vr_buf_add(&text, "\r\n");
    if (text.over)
        return vr_fail(err, VR_LIMIT, "the request is longer than %zu bytes", text.max);
    return write_all(c, text.p, text.len, err);
}

/* Reads up to the end of the answer's head, byte by byte: what follows are frames. */
static int read_head(struct vr_ws_client *c, struct vr_buf *out, struct vr_err *err)
{
    while (out->len < 4 || memcmp(out->p + out->len - 4, "\r\n\r\n", 4) != 0) {
        char byte;
        size_t n = 0;
        int r = read_some(c, &byte, 1, &n, err);

        if (r < 0)
            return r;
        if (!n)
            return vr_fail(err, VR_IO, "the server closed the connection");
        vr_buf_addc(out, byte);
        if (out->over)
            return vr_fail(err, VR_LIMIT, "the answer's head is longer than %zu bytes", out->max);
    }
    return 0;
}

static int check_head(const struct vr_buf *head, const char *key, int *status, struct vr_err *err)
{
    char accept[VR_WS_ACCEPT_BYTES];
    uint64_t code = 0;

    if (head->len < 12 || strncmp(head->p, "HTTP/1.1 ", 9) != 0 ||
        vr_parse_u64((struct vr_str){head->p + 9, 3}, 100, 599, &code, NULL) < 0)
        return vr_fail(err, VR_PARSE, "the answer is not HTTP/1.1");
    *status = (int)code;
    if (code != 101)
        return vr_fail(err, VR_DENIED, "the server answered %d instead of an upgrade", *status);
    vr_ws_accept_of(key, accept);
    if (!strstr(head->p, accept))
        return vr_fail(err, VR_PARSE, "Sec-WebSocket-Accept is wrong");
    return 0;
}

static int connect_to(struct vr_ws_client *c, const struct vr_http_call *call, struct vr_err *err)
{
    int64_t ms = call->timeout_ms > 0 ? call->timeout_ms : VR_HTTP_CALL_MS;
    CURLcode code;

    if (!strstr(call->url, "://"))
        return vr_fail(err, VR_INVALID, "'%.100s' is no URL", call->url);
    c->deadline = vr_mono_add_ms(vr_mono_now(), ms);
    curl_easy_setopt(c->curl, CURLOPT_URL, call->url);
    curl_easy_setopt(c->curl, CURLOPT_CONNECT_ONLY, 1L);
    curl_easy_setopt(c->curl, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
    curl_easy_setopt(c->curl, CURLOPT_SSL_ENABLE_ALPN, 0L);
    curl_easy_setopt(c->curl, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(c->curl, CURLOPT_PROXY, "");
    curl_easy_setopt(c->curl, CURLOPT_TIMEOUT_MS, (long)ms);
    if (call->ca_file)
        curl_easy_setopt(c->curl, CURLOPT_CAINFO, call->ca_file);
    if (call->insecure) {
        curl_easy_setopt(c->curl, CURLOPT_SSL_VERIFYPEER, 0L);
        curl_easy_setopt(c->curl, CURLOPT_SSL_VERIFYHOST, 0L);
    }
    code = curl_easy_perform(c->curl);
    if (code != CURLE_OK)
        return vr_fail(err, code == CURLE_OPERATION_TIMEDOUT ? VR_TIMEOUT : VR_IO, "%s: %s",
                       call->url, curl_easy_strerror(code));
    return 0;
}

int vr_ws_connect(const struct vr_http_call *call, struct vr_ws_client **out, int *out_status,
                  struct vr_err *err)
{
    VR_OWNED(vr_ws_client_free) struct vr_ws_client *c = vr_alloc(sizeof(*c));
    vr_auto_buf struct vr_buf head = VR_BUF(VR_WS_CLIENT_HEAD_BYTES);
    vr_auto_free char *key = NULL;
    unsigned char raw[VR_WS_KEY_BYTES];
    int status = 0, r;

    vr_random(raw, sizeof(raw));
    key = vr_base64_encode(raw, sizeof(raw));
    c->curl = curl_easy_init();
    c->frames = vr_ws_frames_new(true, VR_WS_CLIENT_QUEUE_BYTES);
    r = connect_to(c, call, err);
    if (r == 0)
        r = ask(c, call, key, err);
    if (r == 0)
        r = read_head(c, &head, err);
    if (r == 0)
        r = check_head(&head, key, &status, err);
    if (out_status)
        *out_status = status;
    if (r == 0)
        *out = vr_take(c);
    return r;
}

/* ------------------------------------------------------------------ messages */

void vr_ws_received_fini(struct vr_ws_received *m)
{
    free(m->p);
    *m = (struct vr_ws_received){0};
}

struct vr_ws_client *vr_ws_client_free(struct vr_ws_client *c)
{
    if (!c)
        return NULL;
    for (size_t i = 0; i < c->n; i++)
        vr_ws_received_fini(&c->v[i]);
    free(c->v);
    vr_ws_frames_free(c->frames);
    curl_easy_cleanup(c->curl);
    free(c);
    return NULL;
}

static void keep(void *ctx, const struct vr_ws_message *m)
{
    struct vr_ws_client *c = ctx;

    if (m->kind == VR_WS_PING)
        return;
    if (c->n == c->cap) {
        c->cap = c->cap ? c->cap * 2 : 4;
        c->v = vr_realloc_array(c->v, c->cap, sizeof(*c->v));
    }
    c->v[c->n++] = (struct vr_ws_received){
        .kind = m->kind, .p = vr_strndup(m->n ? m->p : "", m->n), .n = m->n, .code = m->code};
}

static int flush(struct vr_ws_client *c, struct vr_err *err)
{
    struct vr_str queued = vr_ws_frames_queued(c->frames);
    int r = write_all(c, queued.p, queued.n, err);

    if (r == 0)
        vr_ws_frames_sent(c->frames, queued.n);
    return r;
}

int vr_ws_client_read(struct vr_ws_client *c, int64_t timeout_ms, struct vr_ws_received *out,
                      struct vr_err *err)
{
    char bytes[READ_BYTES];

    c->deadline = vr_mono_add_ms(vr_mono_now(), timeout_ms);
    while (!c->n) {
        size_t n = 0;
        int r = c->ended ? 0 : read_some(c, bytes, sizeof(bytes), &n, err);

        if (r < 0)
            return r;
        if (!n)
            return vr_fail(err, VR_IO, "the WebSocket was closed without a word");
        c->ended = !vr_ws_frames_take(c->frames, bytes, n, keep, c);
        vr_ignore(flush(c, NULL), "what came is more important");
    }
    *out = c->v[0];
    memmove(c->v, c->v + 1, --c->n * sizeof(*c->v));
    return 0;
}

int vr_ws_client_send(struct vr_ws_client *c, enum vr_ws_kind kind, const char *bytes, size_t n,
                      struct vr_err *err)
{
    int r = vr_ws_frames_put(c->frames, kind, bytes, n, err);

    c->deadline = vr_mono_add_ms(vr_mono_now(), VR_HTTP_CALL_MS);
    return r < 0 ? r : flush(c, err);
}

int vr_ws_client_close(struct vr_ws_client *c, int code, struct vr_err *err)
{
    vr_ws_frames_close(c->frames, code, NULL);
    c->deadline = vr_mono_add_ms(vr_mono_now(), VR_HTTP_CALL_MS);
    return flush(c, err);
}
