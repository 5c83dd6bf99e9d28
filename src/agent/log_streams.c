/* SPDX-License-Identifier: MIT */
/*
 * Logs that somebody follows.
 *
 * Each stream is a place in a proc's log. Pieces go to the server one POST after the other; 410
 * says that nobody reads any more. A log that was rotated meanwhile is read to the end of the old
 * file first (the descriptor stays on it), then from the start of the new one.
 */
#include "agent/log_streams.h"

#include "agent/link.h"
#include "agent/proc_log.h"
#include "agent/watch.h"
#include "agent/wish.h"
#include "core/buf.h"
#include "fmt/json.h"
#include "net/http_loop.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

struct stream {
    struct vr_log_streams *all;
    char *id, *path;
    int fd;
    off_t at;
    bool follow, over, appeared;
    struct vr_timer *timer;
    struct vr_http_transfer *transfer;
};

struct vr_log_streams {
    struct vr_agent *agent;
    struct stream *list[VR_LOG_STREAMS_MAX];
    size_t count;
};

static void look(void *arg);

static void open_log(struct stream *s)
{
    s->fd = open(s->path, O_RDONLY | O_CLOEXEC);
    s->at = 0;
}

/* The offset where the last `lines` lines of the file begin. */
static off_t tail_offset(int fd, int64_t lines)
{
    off_t end = lseek(fd, 0, SEEK_END), at = end;
    char chunk[8192];

    while (at > 0) {
        size_t n = at < (off_t)sizeof(chunk) ? (size_t)at : sizeof(chunk);

        at -= (off_t)n;
        if (pread(fd, chunk, n, at) != (ssize_t)n)
            return end;
        for (size_t i = n; i-- > 0;) {
            if (chunk[i] != '\n' || at + (off_t)i == end - 1)
                continue;
            if (--lines <= 0)
                return at + (off_t)i + 1;
        }
    }
    return 0;
}

/* Whether the log was rotated: its name leads to another file than we hold. */
static bool was_rotated(struct stream *s)
{
    struct stat held, named;

    if (stat(s->path, &named) < 0)
        return false;
    return s->fd < 0 || fstat(s->fd, &held) < 0 || held.st_ino != named.st_ino;
}

static void sent(void *arg, int r, struct vr_http_result *result, const struct vr_err *err)
{
    struct stream *s = arg;

    s->transfer = NULL;
    if (r < 0 || result->status >= 400)
        s->over = true; /* nobody reads, or the server is gone: the reader asks again */
    if (!s->over)
        vr_timer_arm(s->timer, 0);
}

static void post(struct stream *s, const char *bytes, size_t n, bool is_last)
{
    struct vr_agent *agent = s->all->agent;
    vr_auto_free char *path = vr_strf("streams/%s%s", s->id, is_last ? "?end=1" : "");
    vr_auto_free char *url = vr_link_url(agent->link, path);
    static const char *const headers[] = {"Content-Type: text/plain",
                                          "X-Velociraptor-Protocol: " VR_LINK_PROTOCOL, NULL};
    struct vr_http_call call = {.method = "POST",
                                .url = url,
                                .headers = headers,
                                .body = bytes,
                                .body_bytes = n,
                                .bearer = vr_link_token(agent->link),
                                .ca_file = agent->config.ca_file,
                                .timeout_ms = 60000};

    if (is_last)
        s->over = true;
    s->appeared = true;
    if (vr_http_loop_start(agent->http, &call, sent, s, &s->transfer, NULL) < 0)
        s->over = true;
}

static void look(void *arg)
{
    struct stream *s = arg;
    vr_auto_free char *chunk = NULL;
    ssize_t n = 0;

    if (s->over || s->transfer)
        return;
    if (s->fd >= 0) {
        chunk = vr_alloc(VR_LOG_STREAM_BYTES);
        n = pread(s->fd, chunk, VR_LOG_STREAM_BYTES, s->at);
    }
    if (n > 0) {
        s->at += n;
        post(s, chunk, (size_t)n, false);
        return;
    }
    if (was_rotated(s)) {
        vr_fd_close(vr_take_fd(s->fd));
        open_log(s);
        vr_timer_arm(s->timer, 0);
        return;
    }
    if (!s->follow)
        post(s, "", 0, true);
    else if (!s->appeared) /* of a silent proc: the server must know that we are there */
        post(s, "", 0, false);
    else
        vr_timer_arm(s->timer, VR_LOG_STREAM_LOOK_MS);
}

static void forget(struct stream *s)
{
    if (s->transfer)
        vr_http_transfer_cancel(s->transfer);
    s->timer = vr_timer_free(s->timer);
    vr_fd_close(s->fd);
    free(s->id);
    free(s->path);
    free(s);
}

static void start(struct vr_log_streams *all, const json_t *desired, const char *id)
{
    struct stream *s = vr_alloc(sizeof(*s));
    int64_t lines = json_integer_value(json_object_get(desired, "lines"));

    s->all = all;
    s->id = vr_strdup(id);
    s->path =
        vr_proc_log_path(&all->agent->config, json_integer_value(json_object_get(desired, "proc")));
    s->follow = json_is_true(json_object_get(desired, "follow"));
    s->timer = vr_timer_new(&all->agent->loop, look, s);
    open_log(s);
    if (s->fd >= 0)
        s->at = tail_offset(s->fd, lines < VR_LOG_STREAM_LINES ? lines : VR_LOG_STREAM_LINES);
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
