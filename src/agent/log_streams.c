/* SPDX-License-Identifier: MIT */
/*
 * Logs that somebody follows, or searches.
 *
 * Each stream is a place in a proc's log (log_file.h). Pieces go to the server one POST after the
 * other, each with the place of its first byte; 410 says that nobody reads any more. The server
 * answers late when its reader is behind, so nothing is read ahead. A search is one answer; it
 * gets a piece of the log in each turn of the loop, so that it holds nothing up.
 */
#include "agent/log_streams.h"

#include "agent/link.h"
#include "agent/log_file.h"
#include "agent/proc_log.h"
#include "agent/procs.h"
#include "agent/watch.h"
#include "agent/wish.h"
#include "fmt/json.h"
#include "fmt/log_search.h"
#include "net/http_loop.h"

#include <inttypes.h>
#include <string.h>

struct stream {
    struct vr_log_streams *all;
    char *id;
    int64_t proc_id;
    struct vr_log_file log;
    int64_t at;
    bool follow, over, appeared;
    struct vr_log_search *search; /* NULL: the log itself is sent */
    struct vr_timer *timer;
    struct vr_http_transfer *transfer;
};

struct vr_log_streams {
    struct vr_agent *agent;
    struct stream *list[VR_LOG_STREAMS_MAX];
    size_t count;
};

static void sent(void *arg, int r, struct vr_http_result *result, const struct vr_err *err)
{
    struct stream *s = arg;

    s->transfer = NULL;
    if (r < 0 || result->status >= 400)
        s->over = true; /* nobody reads, or the server is gone: the reader asks again */
    if (!s->over)
        vr_timer_arm(s->timer, 0);
}

/* @query  "" or more parameters: "&end=1" says that it was the last piece */
static void post(struct stream *s, const char *type, const char *bytes, size_t n, const char *query)
{
    struct vr_agent *agent = s->all->agent;
    vr_auto_free char *path = vr_strf("streams/%s?at=%" PRId64 "%s", s->id, s->at, query);
    vr_auto_free char *url = vr_link_url(agent->link, path);
    const char *headers[] = {type, "X-Velociraptor-Protocol: " VR_LINK_PROTOCOL, NULL};
    struct vr_http_call call = {.method = "POST",
                                .url = url,
                                .headers = headers,
                                .body = bytes,
                                .body_bytes = n,
                                .bearer = vr_link_token(agent->link),
                                .ca_file = agent->config.ca_file,
                                .timeout_ms = VR_LOG_STREAM_POST_MS};

    s->over = *query != '\0';
    s->appeared = true;
    if (vr_http_loop_start(agent->http, &call, sent, s, &s->transfer, NULL) < 0)
        s->over = true;
}

static void post_text(struct stream *s, const char *bytes, size_t n, const char *query)
{
    post(s, "Content-Type: text/plain", bytes, n, query);
}

static void search_on(struct stream *s)
{
    vr_auto_json json_t *doc = NULL;
    vr_auto_free char *text = NULL;
    int64_t from, to;

    if (vr_log_search_wants(s->search, &from, &to)) {
        vr_auto_free char *piece = vr_alloc(VR_LOG_SEARCH_PIECE);
        int64_t at = from;
        size_t n = 0, got = 1;

        while (at + (int64_t)n < to && got) {
            int64_t next = at + (int64_t)n;

            got = vr_log_file_read(&s->log, &next, piece + n, (size_t)(to - next));
            if (next != at + (int64_t)n)
                got = n = 0; /* it was rotated away meanwhile */
            n += got;
        }
        vr_log_search_piece(s->search, (struct vr_str){piece, n});
        vr_timer_arm(s->timer, 0);
        return;
    }
    doc = vr_log_search_result(s->search);
    text = vr_json_dump(doc);
    post(s, "Content-Type: application/json", text, strlen(text), "&end=1");
}

/* A log that is not there yet will come if its proc is ours. */
static bool is_gone(const struct stream *s)
{
    return !vr_log_file_exists(&s->log) && !vr_procs_has(s->all->agent->procs, s->proc_id);
}

static void look(void *arg)
{
    struct stream *s = arg;
    vr_auto_free char *chunk = NULL;
    size_t n;

    if (s->over || s->transfer)
        return;
    if (is_gone(s)) {
        post_text(s, "", 0, "&end=1&gone=1");
        return;
    }
    if (s->search) {
        search_on(s);
        return;
    }
    chunk = vr_alloc(VR_LOG_STREAM_BYTES);
    n = vr_log_file_read(&s->log, &s->at, chunk, VR_LOG_STREAM_BYTES);
    if (n > 0) {
        post_text(s, chunk, n, "");
        s->at += (int64_t)n;
    } else if (!s->follow) {
        post_text(s, "", 0, "&end=1");
    } else if (!s->appeared) { /* of a silent proc: the server must know that we are there */
        post_text(s, "", 0, "");
    } else {
        vr_timer_arm(s->timer, VR_LOG_STREAM_LOOK_MS);
    }
}

static void forget(struct stream *s)
{
    if (s->transfer)
        vr_http_transfer_cancel(s->transfer);
    s->timer = vr_timer_free(s->timer);
    vr_log_file_fini(&s->log);
    vr_log_search_free(s->search);
    free(s->id);
    free(s);
}

static int64_t number_of(const json_t *desired, const char *name, int64_t fallback)
{
    const json_t *value = json_object_get(desired, name);

    return json_is_integer(value) ? json_integer_value(value) : fallback;
}

/* Where the reader begins: at a place it knows, or so many lines before the end. */
static int64_t place_of(const struct stream *s, const json_t *desired)
{
    int64_t from = number_of(desired, "from", -1), lines = number_of(desired, "lines", 0);

    if (from >= 0)
        return from;
    return vr_log_file_tail(&s->log, lines < VR_LOG_STREAM_LINES ? lines : VR_LOG_STREAM_LINES);
}

static int begin_search(struct stream *s, const json_t *desired, struct vr_err *err)
{
    const char *text = json_string_value(json_object_get(desired, "text"));
    struct vr_log_search_spec spec = {.text = text ? text : "",
                                      .regex = json_is_true(json_object_get(desired, "regex")),
                                      .ignore_case =
                                          json_is_true(json_object_get(desired, "ignore_case")),
                                      .before = number_of(desired, "before", -1),
                                      .limit = number_of(desired, "limit", VR_LOG_SEARCH_LIMIT),
                                      .context = number_of(desired, "context", 0)};
    int64_t first, end;
    int r = vr_log_search_new(&spec, &s->search, err);

    if (r < 0)
        return r;
    vr_log_file_range(&s->log, &first, &end);
    vr_log_search_begin(s->search, first, end);
    return 0;
}

static void start(struct vr_log_streams *all, const json_t *desired, const char *id)
{
    struct stream *s = vr_alloc(sizeof(*s));
    const char *kind = json_string_value(json_object_get(desired, "kind"));
    vr_auto_free char *path = NULL;

    s->all = all;
    s->id = vr_strdup(id);
    s->proc_id = number_of(desired, "proc", 0);
    path = vr_proc_log_path(&all->agent->config, s->proc_id);
    vr_log_file_init(&s->log, path);
    s->follow = json_is_true(json_object_get(desired, "follow"));
    s->timer = vr_timer_new(&all->agent->loop, look, s);
    if (vr_streq(kind, "search"))
        s->over =
            begin_search(s, desired, NULL) < 0; /* the server checked it: not of our version */
    else if (vr_streq(kind, "log"))
        s->at = place_of(s, desired);
    else
        s->over = true;
    all->list[all->count++] = s;
    vr_timer_arm(s->timer, 0);
}

struct vr_log_streams *vr_log_streams_new(struct vr_agent *agent)
{
    struct vr_log_streams *all = vr_alloc(sizeof(*all));

    all->agent = agent;
    return all;
}

struct vr_log_streams *vr_log_streams_free(struct vr_log_streams *all)
{
    if (!all)
        return NULL;
    for (size_t i = 0; i < all->count; i++)
        forget(all->list[i]);
    free(all);
    return NULL;
}

static bool has(const struct vr_log_streams *all, const char *id)
{
    for (size_t i = 0; i < all->count; i++)
        if (vr_streq(all->list[i]->id, id))
            return true;
    return false;
}

void vr_log_streams_apply(struct vr_log_streams *all, const json_t *list)
{
    size_t kept = 0, i;
    json_t *desired;

    for (size_t k = 0; k < all->count; k++) {
        if (vr_wish_lists_text(list, "id", all->list[k]->id))
            all->list[kept++] = all->list[k];
        else
            forget(all->list[k]);
    }
    all->count = kept;
    json_array_foreach (list, i, desired) {
        const char *id = json_string_value(json_object_get(desired, "id"));

        if (id && !has(all, id) && all->count < VR_LOG_STREAMS_MAX)
            start(all, desired, id);
    }
}
