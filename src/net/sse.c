/* SPDX-License-Identifier: MIT */
/*
 * Reading an event stream. Lines end with CR, LF or CRLF, may be cut anywhere between two pieces,
 * and gather in one buffer; an empty line ends an event. An event without data is none.
 */
#include "net/sse.h"
#include "core/buf.h"

#include <string.h>

struct vr_sse_parser {
    vr_sse_fn fn;
    void *user; /* borrowed */
    struct vr_buf line;
    struct vr_buf data;
    bool has_data;
    bool after_cr; /* a LF that follows belongs to that line's end */
    bool begun;    /* the byte order mark, if any, is behind us */
    char *event;
    char *id;
};

struct vr_sse_parser *vr_sse_parser_new(vr_sse_fn fn, void *user)
{
    struct vr_sse_parser *p = vr_alloc(sizeof(*p));

    p->fn = fn;
    p->user = user;
    p->line = VR_BUF(VR_SSE_EVENT_BYTES);
    p->data = VR_BUF(VR_SSE_EVENT_BYTES);
    p->id = vr_strdup("");
    return p;
}

struct vr_sse_parser *vr_sse_parser_free(struct vr_sse_parser *p)
{
    if (!p)
        return NULL;
    vr_buf_fini(&p->line);
    vr_buf_fini(&p->data);
    free(p->event);
    free(p->id);
    free(p);
    return NULL;
}

const char *vr_sse_parser_last_id(const struct vr_sse_parser *p)
{
    return p->id;
}

static int end_event(struct vr_sse_parser *p, struct vr_err *err)
{
    struct vr_sse_event event = {
        .id = p->id,
        .event = vr_str_is_empty(p->event) ? "message" : p->event,
        .data = vr_buf_text(&p->data),
    };
    int r = 0;

    if (p->has_data)
        r = p->fn(p->user, &event, err);
    vr_buf_clear(&p->data);
    p->has_data = false;
    free(vr_take(p->event));
    return r;
}

static void replace(char **slot, const char *value)
{
    free(*slot);
    *slot = vr_strdup(value);
}

static int end_line(struct vr_sse_parser *p, struct vr_err *err)
{
    vr_auto_free char *line = NULL;
    char *value;
    int r;

    r = vr_buf_finish(&p->line, &line, err);
    if (r < 0)
        return vr_fail_in(err, r, "line of the event stream");
    if (!*line)
        return end_event(p, err);
    value = line + strcspn(line, ":");
    if (*value)
        *value++ = '\0';
    if (*value == ' ')
        value++;
    if (!strcmp(line, "data")) {
        if (p->has_data)
            vr_buf_addc(&p->data, '\n');
        vr_buf_add(&p->data, value);
        p->has_data = true;
        if (p->data.over)
            return vr_fail(err, VR_LIMIT, "event is longer than %u bytes", VR_SSE_EVENT_BYTES);
    } else if (!strcmp(line, "event")) {
        replace(&p->event, value);
    } else if (!strcmp(line, "id")) {
        replace(&p->id, value);
    } /* comments (empty name), retry and unknown names count for nothing */
    return 0;
}

/* Leave out the byte order mark that a stream may begin with. */
static void skip_mark(struct vr_sse_parser *p)
{
    if (!p->begun && p->line.len == 3) {
        p->begun = true;
        if (!memcmp(p->line.p, "\xef\xbb\xbf", 3))
            vr_buf_clear(&p->line);
    }
}

int vr_sse_parser_feed(void *parser, const void *bytes, size_t n, struct vr_err *err)
{
    struct vr_sse_parser *p = parser;
    const char *at = bytes, *end = at + n;

    while (at < end) {
        size_t part;
        int r;

        if (p->after_cr && *at == '\n')
            at++;
        p->after_cr = false;
        for (part = 0; at + part < end && at[part] != '\n' && at[part] != '\r'; part++)
            if (!p->begun && p->line.len + part == 3)
                break;
        vr_buf_add_n(&p->line, at, part);
        skip_mark(p);
        at += part;
        if (at == end || (*at != '\n' && *at != '\r'))
            continue;
        p->begun = true;
        p->after_cr = *at++ == '\r';
        r = end_line(p, err);
        if (r)
            return r;
    }
    if (p->line.over)
        return vr_fail(err, VR_LIMIT, "line of more than %u bytes", VR_SSE_EVENT_BYTES);
    return 0;
}

int vr_sse_follow(struct vr_http_client *client, const struct vr_http_call *call,
                  const char *last_id, vr_sse_fn fn, void *user, struct vr_http_result *out,
                  struct vr_err *err)
{
    VR_OWNED(vr_sse_parser_free) struct vr_sse_parser *parser = vr_sse_parser_new(fn, user);
    vr_auto_free char *from = vr_strf("Last-Event-ID: %s", last_id ? last_id : "");
    vr_auto_free const char **headers = NULL;
    struct vr_http_call c = *call;
    size_t n = 0;

    while (call->headers && call->headers[n])
        n++;
    headers = vr_alloc_array(n + 3, sizeof(*headers));
    if (n)
        memcpy(headers, call->headers, n * sizeof(*headers));
    headers[n++] = "Accept: text/event-stream";
    if (!vr_str_is_empty(last_id))
        headers[n++] = from;
    c.headers = headers;
    c.sink = vr_sse_parser_feed;
    c.sink_ctx = parser;
    return vr_http_call(client, &c, out, err);
}
