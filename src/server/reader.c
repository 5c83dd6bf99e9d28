/* SPDX-License-Identifier: MIT */
/* Streams of all forms under one face. */
#include "server/reader.h"

#include "fmt/json.h"
#include "net/http_req.h"

#include <string.h>

bool vr_reader_start(struct vr_reader *r, struct vr_http_req *req, enum vr_reader_form form)
{
    *r = (struct vr_reader){.form = form};
    if (vr_ws_is_asked(req)) {
        r->form = VR_READER_WS;
        r->ws = vr_ws_accept(req, &(struct vr_ws_spec){0});
        return r->ws != NULL;
    }
    r->http = vr_http_stream_start(req, form == VR_READER_EVENTS ? VR_HTTP_STREAM_EVENTS
                                                                 : VR_HTTP_STREAM_TEXT);
    return true;
}

void vr_reader_fini(struct vr_reader *r)
{
    vr_http_stream_unref(r->http);
    vr_ws_unref(r->ws);
    *r = (struct vr_reader){0};
}

bool vr_reader_send(struct vr_reader *r, const char *bytes, size_t n)
{
    return r->ws ? vr_ws_send(r->ws, VR_WS_TEXT, bytes, n) : vr_http_stream_send(r->http, bytes, n);
}

bool vr_reader_send_json(struct vr_reader *r, json_t *message)
{
    vr_auto_free char *text = vr_json_dump(message);

    json_decref(message);
    return vr_reader_send(r, text, strlen(text));
}

/* Without the bytes of a character that is not whole. */
static size_t whole_characters(const char *p, size_t n)
{
    for (size_t back = 1; back <= 3 && back < n; back++) {
        unsigned char c = (unsigned char)p[n - back];

        if ((c & 0xc0) == 0x80)
            continue;
        return c >= 0xc0 && back < (c >= 0xf0 ? 4u : c >= 0xe0 ? 3u : 2u) ? n - back : n;
    }
    return n;
}

/* How much goes into one message: whole lines if there is one. */
static size_t message_bytes(const char *p, size_t n, bool all)
{
    size_t max = n < VR_READER_LOG_BYTES ? n : VR_READER_LOG_BYTES;
    const char *newline = max ? memrchr(p, '\n', max) : NULL;

    if (newline)
        return (size_t)(newline - p) + 1;
    return max == VR_READER_LOG_BYTES || all ? whole_characters(p, max) : 0;
}

static json_t *place(int64_t at)
{
    return at < 0 ? json_null() : json_integer((json_int_t)at);
}

size_t vr_reader_send_log(struct vr_reader *r, struct vr_str text, int64_t at, bool all)
{
    size_t sent = 0, n;

    while ((n = message_bytes(text.p + sent, text.n - sent, all))) {
        int64_t next = at < 0 ? -1 : at + (int64_t)n;

        vr_reader_send_json(r,
                            json_pack("{s:o, s:o, s:o, s:b}", "at", place(at), "next", place(next),
                                      "text", vr_json_text(text.p + sent, n), "end", false));
        at = next;
        sent += n;
    }
    return sent;
}

void vr_reader_close(struct vr_reader *r)
{
    if (r->ws)
        vr_ws_close(r->ws, VR_WS_NORMAL, NULL);
    else
        vr_http_stream_close(r->http);
}

void vr_reader_fail(struct vr_reader *r, int status, const char *sentence)
{
    if (r->ws) {
        vr_reader_send_json(r, json_pack("{s:o, s:i, s:b}", "error",
                                         vr_json_text(sentence, strlen(sentence)), "status", status,
                                         "end", true));
        vr_ws_close(r->ws, VR_WS_STATUS + status, sentence);
        return;
    }
    if (r->form == VR_READER_TEXT) {
        vr_reader_send(r, sentence, strlen(sentence));
        vr_reader_send(r, "\n", 1);
    } else {
        vr_auto_free char *text = vr_strf("data: %s\n\n", sentence);

        vr_reader_send(r, text, strlen(text));
    }
    vr_reader_close(r);
}

bool vr_reader_is_open(const struct vr_reader *r)
{
    return r->ws ? !vr_ws_is_over(r->ws) : r->http && !vr_http_stream_is_over(r->http);
}

void vr_reader_refuse(struct vr_http_req *req, int status, const char *sentence)
{
    struct vr_reader r;

    if (!vr_ws_is_asked(req)) {
        vr_http_answer_error(req, status, "%s", sentence);
        return;
    }
    if (!vr_reader_start(&r, req, VR_READER_WS))
        return;
    vr_reader_fail(&r, status, sentence);
    vr_reader_fini(&r);
}

size_t vr_reader_queued(const struct vr_reader *r)
{
    return r->ws ? vr_ws_queued(r->ws) : vr_http_stream_queued(r->http);
}
