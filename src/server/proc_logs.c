/* SPDX-License-Identifier: MIT */
/*
 * Logs of procs on their way from host to reader.
 *
 * A host sends one piece after the other, each when the one before was answered. So a reader that
 * is behind is kept from being flooded by answering late; looking every few milliseconds whether it
 * caught up is simpler than a way back from each kind of connection, and as fast.
 *
 * Lock order: this lock is held while a reader is written to, which never blocks.
 */
#include "server/proc_logs.h"

#include "core/clock.h"
#include "net/http_resp.h"
#include "net/http_wait.h"
#include "server/reader.h"

#include <inttypes.h>
#include <pthread.h>
#include <string.h>

#define LINE_BYTES (1u << 20) /* kept of an unfinished line, and of a piece */
#define LATE_TEXT  "the log's host does not answer"
#define SLOW_MS    1000

/* One that a host is to answer: with its log, or with what a search found. */
struct entry {
    struct entry *next;
    char *id;
    struct vr_log_wish wish;
    json_t *search;                  /* what the host is told; NULL: the log is read */
    struct vr_http_pending *pending; /* of a search */
    struct vr_reader reader;         /* else */
    struct vr_mono asked;
    bool told; /* its host was sent a state with it */
    bool appeared;
    bool is_over;
    struct vr_buf text;              /* not sent yet: an unfinished line */
    int64_t next_at;                 /* place behind all that came; -1: not known */
    struct vr_http_pending *waiting; /* the host's call, answered when the reader caught up */
};

struct vr_proc_logs {
    struct vr_hub *hub;
    void (*wake_host)(struct vr_hub *hub, int64_t host_id);
    pthread_mutex_t lock;
    struct entry *list;
    size_t count;
};

struct vr_proc_logs *vr_proc_logs_new(struct vr_hub *hub,
                                      void (*wake_host)(struct vr_hub *hub, int64_t host_id))
{
    struct vr_proc_logs *logs = vr_alloc(sizeof(*logs));

    logs->hub = hub;
    logs->wake_host = wake_host;
    pthread_mutex_init(&logs->lock, NULL);
    return logs;
}

static void let_go(struct entry *e, int status)
{
    if (!e->waiting)
        return;
    vr_http_pending_answer(e->waiting, vr_http_resp_new(status));
    e->waiting = vr_http_pending_unref(e->waiting);
}

static void entry_free(struct entry *e)
{
    let_go(e, 410);
    if (vr_reader_is_open(&e->reader))
        vr_reader_close(&e->reader);
    vr_reader_fini(&e->reader);
    vr_http_pending_unref(e->pending);
    json_decref(e->search);
    vr_buf_fini(&e->text);
    free(e->id);
    free(e);
}

struct vr_proc_logs *vr_proc_logs_free(struct vr_proc_logs *logs)
{
    if (!logs)
        return NULL;
    while (logs->list) {
        struct entry *e = logs->list;

        logs->list = e->next;
        entry_free(e);
    }
    pthread_mutex_destroy(&logs->lock);
    free(logs);
    return NULL;
}

/* ------------------------------------------------------------------ who reads */

/* False, and the request is answered, if there are too many. */
static bool take_place(struct vr_proc_logs *logs, struct vr_http_req *req)
{
    bool ok;

    pthread_mutex_lock(&logs->lock);
    ok = logs->count < VR_PROC_LOGS_MAX;
    logs->count += ok;
    pthread_mutex_unlock(&logs->lock);
    if (!ok)
        vr_http_answer_error(req, 503, "more than %d logs are being read", VR_PROC_LOGS_MAX);
    return ok;
}

static void drop(struct vr_proc_logs *logs, struct entry *e)
{
    pthread_mutex_lock(&logs->lock);
    logs->count--;
    pthread_mutex_unlock(&logs->lock);
    entry_free(e);
}

static struct entry *entry_new(const struct vr_log_wish *wish)
{
    struct entry *e = vr_alloc(sizeof(*e));

    e->id = vr_random_hex(16);
    e->wish = *wish;
    e->asked = vr_mono_now();
    e->next_at = -1;
    e->text = VR_BUF(LINE_BYTES);
    return e;
}

static void publish(struct vr_proc_logs *logs, struct entry *e)
{
    int64_t host_id = e->wish.host_id;

    pthread_mutex_lock(&logs->lock);
    e->next = logs->list;
    logs->list = e;
    pthread_mutex_unlock(&logs->lock);
    logs->wake_host(logs->hub, host_id);
}

void vr_proc_logs_read(struct vr_proc_logs *logs, struct vr_http_req *req,
                       const struct vr_log_wish *wish)
{
    struct entry *e;

    if (!take_place(logs, req))
        return;
    e = entry_new(wish);
    if (vr_reader_start(&e->reader, req, wish->as_events ? VR_READER_EVENTS : VR_READER_TEXT)) {
        publish(logs, e);
        return;
    }
    drop(logs, e);
}

static struct vr_http_resp *error_resp(int status, const char *sentence)
{
    struct vr_http_resp *resp = vr_http_resp_new(status);
    vr_auto_json json_t *body = json_pack("{s:s}", "error", sentence);

    vr_http_resp_json(resp, body);
    return resp;
}

void vr_proc_logs_search(struct vr_proc_logs *logs, struct vr_http_req *req, int64_t host_id,
                         int64_t proc_id, const struct vr_log_search_spec *spec)
{
    struct vr_log_wish wish = {.host_id = host_id, .proc_id = proc_id};
    struct entry *e;

    if (!take_place(logs, req))
        return;
    e = entry_new(&wish);
    e->search =
        json_pack("{s:s, s:b, s:b, s:I, s:I, s:I}", "text", spec->text, "regex", spec->regex,
                  "ignore_case", spec->ignore_case, "before", (json_int_t)spec->before, "limit",
                  (json_int_t)spec->limit, "context", (json_int_t)spec->context);
    e->pending = vr_http_suspend(req, VR_PROC_LOGS_APPEAR_SECS * 1000, error_resp(504, LATE_TEXT));
    if (e->pending)
        publish(logs, e);
    else
        drop(logs, e);
}

static bool is_over(const struct entry *e)
{
    if (e->is_over)
        return true;
    return e->search ? vr_http_pending_is_over(e->pending) : !vr_reader_is_open(&e->reader);
}

/* ------------------------------------------------------------------ what hosts are told */

static json_t *describe(const struct entry *e)
{
    json_t *doc = json_pack("{s:s, s:s, s:I, s:I, s:b}", "id", e->id, "kind",
                            e->search ? "search" : "log", "proc", (json_int_t)e->wish.proc_id,
                            "lines", (json_int_t)e->wish.lines, "follow", e->wish.follow);

    if (e->search)
        json_object_update(doc, e->search);
    else if (e->wish.from >= 0)
        vr_json_set(doc, "from", json_integer((json_int_t)e->wish.from));
    return doc;
}

char *vr_proc_logs_json(struct vr_proc_logs *logs, int64_t host_id, bool *out_is_new)
{
    vr_auto_json json_t *list = json_array();

    *out_is_new = false;
    pthread_mutex_lock(&logs->lock);
    for (struct entry *e = logs->list; e; e = e->next) {
        if (e->wish.host_id != host_id || is_over(e))
            continue;
        vr_json_push(list, describe(e));
        *out_is_new = *out_is_new || !e->told;
        e->told = true;
    }
    pthread_mutex_unlock(&logs->lock);
    return vr_json_dump(list);
}

/* ------------------------------------------------------------------ text on its way */

/* One line of a log as an event. Neither CR, which ends a field, nor NUL may come from an app. */
static void send_line(struct entry *e, const char *line, size_t n)
{
    static const char head[] = "data: ", tail[] = "\n\n";
    size_t total = sizeof(head) - 1 + n + sizeof(tail) - 1;
    vr_auto_free char *event = vr_alloc(total);
    char *at = event + sizeof(head) - 1;

    memcpy(event, head, sizeof(head) - 1);
    memcpy(at, line, n);
    for (size_t i = 0; i < n; i++)
        if (at[i] == '\r' || at[i] == '\0')
            at[i] = ' ';
    memcpy(at + n, tail, sizeof(tail) - 1);
    vr_reader_send(&e->reader, event, total);
}

/* Whole lines as events; the rest stays for the next piece, unless there is none. */
static void send_lines(struct entry *e, bool all)
{
    const char *end;
    size_t sent = 0;

    while (sent < e->text.len && (end = memchr(e->text.p + sent, '\n', e->text.len - sent))) {
        size_t n = (size_t)(end - e->text.p) - sent;

        send_line(e, e->text.p + sent, n);
        sent += n + 1;
    }
    if (all && sent < e->text.len) {
        send_line(e, e->text.p + sent, e->text.len - sent);
        sent = e->text.len;
    }
    vr_buf_drop(&e->text, sent);
}

static json_t *place(int64_t at)
{
    return at < 0 ? json_null() : json_integer((json_int_t)at);
}

static void send_messages(struct entry *e, bool all)
{
    int64_t at = e->next_at < 0 ? -1 : e->next_at - (int64_t)e->text.len;
    struct vr_str text = {vr_buf_text(&e->text), e->text.len};

    vr_buf_drop(&e->text, vr_reader_send_log(&e->reader, text, at, all));
}

static void send_text(struct entry *e, bool all)
{
    switch (e->reader.form) {
    case VR_READER_TEXT:
        vr_reader_send(&e->reader, vr_buf_text(&e->text), e->text.len);
        vr_buf_clear(&e->text);
        break;
    case VR_READER_EVENTS:
        send_lines(e, all);
        break;
    case VR_READER_WS:
        send_messages(e, all);
        break;
    }
    if (e->text.over)
        vr_buf_clear(&e->text);
}

/* Something between what came before, or was asked for, and this piece is not kept any more. */
static void note_gap(struct entry *e, int64_t at)
{
    int64_t expected = e->next_at >= 0 ? e->next_at : e->wish.from;

    if (at < 0 || expected < 0 || at == expected)
        return;
    send_text(e, true);
    if (e->reader.form == VR_READER_WS && at > expected)
        vr_reader_send_json(&e->reader,
                            json_pack("{s:{s:I, s:I}, s:b}", "gap", "from", (json_int_t)expected,
                                      "to", (json_int_t)at, "end", false));
}

static void take_text(struct entry *e, const struct vr_log_piece *piece)
{
    if (piece->is_gone) {
        vr_reader_fail(&e->reader, 410, "this log is not kept any more");
        return;
    }
    if (piece->text.n || e->next_at < 0)
        note_gap(e, piece->at);
    vr_buf_add_n(&e->text, piece->text.p, piece->text.n);
    if (piece->text.n || e->next_at < 0)
        e->next_at = piece->at < 0 ? -1 : piece->at + (int64_t)piece->text.n;
    send_text(e, piece->is_last);
    if (!piece->is_last)
        return;
    if (e->reader.form == VR_READER_WS)
        vr_reader_send_json(&e->reader,
                            json_pack("{s:b, s:o}", "end", true, "next", place(e->next_at)));
    vr_reader_close(&e->reader);
}

/* An agent that knows no searches sends a log instead. */
static void take_found(struct entry *e, const struct vr_log_piece *piece)
{
    vr_auto_json json_t *doc = NULL;
    struct vr_http_resp *resp;

    e->is_over = true;
    if (piece->is_gone) {
        resp = error_resp(410, "this log is not kept any more");
    } else if (vr_json_parse_object(piece->text, VR_JSON_BYTES * 2, &doc, NULL) < 0 ||
               !json_is_array(json_object_get(doc, "matches"))) {
        resp = error_resp(501, "the agent of the log's host is too old to search");
    } else {
        resp = vr_http_resp_new(200);
        vr_http_resp_json(resp, doc);
    }
    vr_http_pending_answer(e->pending, resp);
}

static struct entry *find(struct vr_proc_logs *logs, const struct vr_log_piece *piece)
{
    for (struct entry *e = logs->list; e; e = e->next)
        if (e->wish.host_id == piece->host_id && vr_streq(e->id, piece->id) && !is_over(e))
            return e;
    return NULL;
}

static struct entry *take_piece(struct vr_proc_logs *logs, const struct vr_log_piece *piece)
{
    struct entry *e = find(logs, piece);

    if (!e)
        return NULL;
    e->appeared = true;
    if (e->search)
        take_found(e, piece);
    else
        take_text(e, piece);
    return e;
}

bool vr_proc_logs_piece(struct vr_proc_logs *logs, const struct vr_log_piece *piece)
{
    bool wanted;

    pthread_mutex_lock(&logs->lock);
    wanted = take_piece(logs, piece) != NULL;
    pthread_mutex_unlock(&logs->lock);
    return wanted;
}

void vr_proc_logs_post(struct vr_proc_logs *logs, struct vr_http_req *req,
                       const struct vr_log_piece *piece)
{
    struct entry *e;

    pthread_mutex_lock(&logs->lock);
    e = take_piece(logs, piece);
    if (e && !e->search && !e->waiting && !is_over(e) &&
        vr_reader_queued(&e->reader) > VR_PROC_LOGS_AHEAD) {
        e->waiting = vr_http_suspend(req, VR_PROC_LOGS_HOLD_MS, vr_http_resp_new(204));
        pthread_mutex_unlock(&logs->lock);
        logs->wake_host(logs->hub, 0);
        return;
    }
    pthread_mutex_unlock(&logs->lock);
    vr_http_answer_status(req, e ? 204 : 410);
}

/* ------------------------------------------------------------------ the tick */

static bool is_late(const struct entry *e, struct vr_mono now)
{
    return !e->appeared && vr_mono_ms_between(e->asked, now) > VR_PROC_LOGS_APPEAR_SECS * 1000;
}

int64_t vr_proc_logs_tick(struct vr_proc_logs *logs)
{
    struct vr_mono now = vr_mono_now();
    int64_t next_ms = SLOW_MS;

    pthread_mutex_lock(&logs->lock);
    for (struct entry **at = &logs->list; *at;) {
        struct entry *e = *at;

        if (!is_over(e) && !is_late(e, now)) {
            if (e->waiting && vr_reader_queued(&e->reader) < VR_PROC_LOGS_AHEAD / 4)
                let_go(e, 204);
            if (e->waiting)
                next_ms = VR_PROC_LOGS_TICK_MS;
            at = &e->next;
            continue;
        }
        *at = e->next;
        logs->count--;
        if (vr_reader_is_open(&e->reader))
            vr_reader_fail(&e->reader, 504, LATE_TEXT);
        entry_free(e);
    }
    pthread_mutex_unlock(&logs->lock);
    return next_ms;
}

void vr_proc_logs_end_login(struct vr_proc_logs *logs, const struct vr_login *login)
{
    pthread_mutex_lock(&logs->lock);
    for (struct entry *e = logs->list; e; e = e->next)
        if (vr_reader_is_open(&e->reader) && memcmp(&e->wish.login, login, sizeof(*login)) == 0)
            vr_reader_fail(&e->reader, 401, "the login of this stream has ended");
    pthread_mutex_unlock(&logs->lock);
}

size_t vr_proc_logs_logins(struct vr_proc_logs *logs, struct vr_login *v, size_t n, size_t max)
{
    pthread_mutex_lock(&logs->lock);
    for (struct entry *e = logs->list; e && n < max; e = e->next)
        if (vr_reader_is_open(&e->reader))
            v[n++] = e->wish.login;
    pthread_mutex_unlock(&logs->lock);
    return n;
}
