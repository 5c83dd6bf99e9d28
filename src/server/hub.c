/* SPDX-License-Identifier: MIT */
/*
 * Those who wait for a change.
 *
 * Whoever commits a transaction tells the hub what it touched; the hub's own thread then looks at
 * the requests that wait and reads the new events once for all streams. What a request waits for is
 * looked at again after it was put on the list, so that a change in between is not lost.
 *
 * Lock order: the hub's lock is never held while a transaction is open or an answer is given.
 *
 * Streams are put at the head of their list under the lock, by any thread; all else is done with
 * them by the hub's thread alone. So it walks the list from a head it has seen without the lock,
 * which every committer needs: what is sent to a thousand streams holds up none of them.
 */
#include "server/hub.h"

#include "core/clock.h"
#include "fmt/json.h"
#include "net/http_req.h"
#include "net/http_resp.h"
#include "server/build_logs.h"
#include "server/proc_logs.h"
#include "server/reader.h"
#include "store/event.h"
#include "store/host.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#define BATCH 500 /* events read at once */

struct wait {
    struct wait *next;
    struct vr_http_pending *pending;
    int64_t host_id;
    vr_hub_look_fn look;
    void *data;
    void (*release)(void *data);
    bool due;
};

struct stream {
    struct stream *next;
    struct vr_reader out;
    enum vr_hub_form form;
    int64_t last; /* id of the last event sent */
    int64_t app_id;
    char rollout[VR_HUB_ROLLOUT_BYTES];
    char kinds[VR_HUB_KINDS_BYTES]; /* ",proc,object,"; "" for all */
    struct vr_login login;          /* as long as it is good, the stream goes on */
};

struct vr_hub {
    struct vr_server *server;
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t cond;
    struct wait *waits;
    struct stream *streams;
    struct vr_proc_logs *proc_logs;
    struct vr_build_logs *build_logs;
    size_t wait_count, stream_count;
    int64_t *seen; /* hosts heard of since the last write */
    size_t seen_count, seen_capacity;
    bool woken, all_due, stopping;
};

/* ------------------------------------------------------------------ waking */

static void mark_host(struct vr_hub *hub, int64_t host_id)
{
    for (struct wait *w = hub->waits; w; w = w->next)
        if (w->host_id == host_id)
            w->due = true;
}

void vr_hub_wake(struct vr_hub *hub, const struct vr_touched *touched)
{
    pthread_mutex_lock(&hub->lock);
    for (size_t i = 0; i < touched->host_count; i++)
        mark_host(hub, touched->hosts[i]);
    hub->all_due = true;
    hub->woken = true;
    pthread_cond_signal(&hub->cond);
    pthread_mutex_unlock(&hub->lock);
}

/* One of a host's followed logs is new. */
static void wake_host(struct vr_hub *hub, int64_t host_id)
{
    pthread_mutex_lock(&hub->lock);
    mark_host(hub, host_id);
    hub->woken = true;
    pthread_cond_signal(&hub->cond);
    pthread_mutex_unlock(&hub->lock);
}

void vr_hub_seen(struct vr_hub *hub, int64_t host_id)
{
    pthread_mutex_lock(&hub->lock);
    if (hub->seen_count == hub->seen_capacity) {
        hub->seen_capacity = hub->seen_capacity ? hub->seen_capacity * 2 : 64;
        hub->seen = vr_realloc_array(hub->seen, hub->seen_capacity, sizeof(*hub->seen));
    }
    for (size_t i = 0; i < hub->seen_count; i++) {
        if (hub->seen[i] == host_id) {
            pthread_mutex_unlock(&hub->lock);
            return;
        }
    }
    hub->seen[hub->seen_count++] = host_id;
    pthread_mutex_unlock(&hub->lock);
}

/* ------------------------------------------------------------------ requests that wait */

static void free_wait(struct wait *w)
{
    vr_http_pending_unref(w->pending);
    if (w->release)
        w->release(w->data);
    free(w);
}

/* Take one that is to be looked at off the list; the caller owns it. */
static struct wait *take_due(struct vr_hub *hub, bool all)
{
    for (struct wait **at = &hub->waits; *at; at = &(*at)->next) {
        struct wait *w = *at;

        if (!vr_http_pending_is_over(w->pending) && !w->due && !(all && !w->host_id))
            continue;
        *at = w->next;
        hub->wait_count--;
        return w;
    }
    return NULL;
}

static void put_back(struct vr_hub *hub, struct wait *list)
{
    while (list) {
        struct wait *w = list;

        list = w->next;
        w->due = w->due || hub->woken; /* somebody woke us while it was off the list */
        w->next = hub->waits;
        hub->waits = w;
        hub->wait_count++;
    }
}

static void look_at_waits(struct vr_hub *hub, bool all)
{
    struct wait *kept = NULL, *w;

    pthread_mutex_lock(&hub->lock);
    while ((w = take_due(hub, all))) {
        struct vr_http_resp *resp = NULL;

        w->due = false;
        pthread_mutex_unlock(&hub->lock);
        if (!vr_http_pending_is_over(w->pending))
            resp = w->look(hub->server, w->data);
        if (resp)
            vr_http_pending_answer(w->pending, resp);
        if (resp || vr_http_pending_is_over(w->pending)) {
            free_wait(w);
        } else {
            w->next = kept;
            kept = w;
        }
        pthread_mutex_lock(&hub->lock);
    }
    put_back(hub, kept);
    pthread_mutex_unlock(&hub->lock);
}

void vr_hub_wait(struct vr_hub *hub, struct vr_http_req *req, int64_t host_id, int64_t timeout_ms,
                 struct vr_http_resp *at_timeout, vr_hub_look_fn look, void *data,
                 void (*release)(void *data))
{
    struct vr_http_resp *now = look(hub->server, data);
    struct wait *w;

    if (now) {
        vr_http_answer(req, now);
        vr_http_resp_free(at_timeout);
        if (release)
            release(data);
        return;
    }
    w = vr_alloc(sizeof(*w));
    *w = (struct wait){.host_id = host_id, .look = look, .data = data, .release = release};
    w->pending = vr_http_suspend(req, timeout_ms, at_timeout);
    if (!w->pending) {
        free_wait(w);
        return;
    }
    w->due = true; /* the hub looks again: nothing that came meanwhile is missed */
    pthread_mutex_lock(&hub->lock);
    if (hub->wait_count < VR_HUB_WAITS_MAX) {
        w->next = hub->waits;
        hub->waits = w;
        hub->wait_count++;
        hub->woken = true;
        pthread_cond_signal(&hub->cond);
        w = NULL;
    }
    pthread_mutex_unlock(&hub->lock);
    if (w) { /* too many: it goes on to its timeout alone */
        vr_warn(&hub->server->log, "more than %d requests wait", VR_HUB_WAITS_MAX);
        free_wait(w);
    }
}

/* ------------------------------------------------------------------ events */

static json_t *parsed(const char *text)
{
    json_t *value = NULL;

    if (vr_json_parse(vr_str(text), VR_JSON_BYTES, &value, NULL) < 0)
        return json_object();
    return value;
}

/* The contract's data: time, message, tags, title, and the trace under both of its names. */
static char *old_event_data(const struct vr_event_row *row)
{
    char when[VR_WALL_TEXT_BYTES];
    vr_auto_json json_t *doc = NULL;

    vr_wall_format((struct vr_wall){row->time_us}, true, when);
    doc = json_pack("{s:s, s:s, s:o, s:s}", "time", when, "message", row->message, "tags",
                    parsed(row->tags_json), "title", row->title);
    if (row->rollout_id) {
        vr_json_set(doc, "swarm_id", json_string(row->rollout_id));
        vr_json_set(doc, "swarm_trace_id", json_string(row->rollout_id));
    }
    return vr_json_dump(doc);
}

static char *event_data(const struct vr_event_row *row)
{
    char when[VR_WALL_TEXT_BYTES];
    vr_auto_json json_t *doc = NULL;

    vr_wall_format((struct vr_wall){row->time_us}, false, when);
    doc = json_pack("{s:I, s:s, s:s, s:s, s:s, s:o, s:o, s:s?}", "id", (json_int_t)row->id, "time",
                    when, "kind", row->kind, "title", row->title, "message", row->message, "tags",
                    parsed(row->tags_json), "data", parsed(row->data_json), "rollout",
                    row->rollout_id);
    if (row->swarm_id)
        vr_json_set(doc, "swarm", json_integer(row->swarm_id));
    if (row->proc_id)
        vr_json_set(doc, "proc_id", json_integer(row->proc_id));
    if (row->host_id)
        vr_json_set(doc, "host_id", json_integer(row->host_id));
    return vr_json_dump(doc);
}

static bool has_kind(const struct stream *s, const char *kind)
{
    size_t n = strlen(kind);

    for (const char *at = s->kinds; (at = strstr(at, kind)); at++)
        if (at[-1] == ',' && at[n] == ',') /* the list begins and ends with one */
            return true;
    return false;
}

static bool concerns(const struct stream *s, const struct vr_event_row *row)
{
    if (row->id <= s->last || (*s->rollout && !vr_streq(s->rollout, row->rollout_id)) ||
        (s->app_id && row->app_id && row->app_id != s->app_id) ||
        (*s->kinds && !has_kind(s, row->kind)))
        return false;
    switch (s->form) {
    case VR_HUB_EVENTS:
        return vr_streq(row->kind, "event");
    case VR_HUB_PROC_CHANGES:
        return vr_streq(row->kind, "proc");
    case VR_HUB_ALL:
        return true;
    }
    return false;
}

/* An event of our own stream: three lines, or one message. @id 0: none */
static char *named_text(enum vr_reader_form form, int64_t id, const char *name, const char *data)
{
    vr_auto_free char *line = id ? vr_strf("id: %" PRId64 "\n", id) : vr_strdup("");

    return form == VR_READER_WS
               ? vr_strf("{\"id\":%" PRId64 ",\"event\":\"%s\",\"data\":%s}", id, name, data)
               : vr_strf("%sevent: %s\ndata: %s\n\n", line, name, data);
}

static void send_named(struct stream *s, int64_t id, const char *name, const char *data)
{
    vr_auto_free char *text = named_text(s->out.form, id, name, data);

    vr_reader_send(&s->out, text, strlen(text));
}

static char *event_text(const struct vr_event_row *row, enum vr_hub_form form,
                        enum vr_reader_form reader)
{
    vr_auto_free char *data = NULL;

    switch (form) {
    case VR_HUB_EVENTS:
        data = old_event_data(row);
        return vr_strf("id: %" PRId64 "\ndata: %s\n\n", row->id, data);
    case VR_HUB_PROC_CHANGES:
        return vr_strf("retry: 1000\ndata: %s\n\n", row->data_json);
    case VR_HUB_ALL:
        data = event_data(row);
        break;
    }
    return named_text(reader, row->id, row->kind, data);
}

/* One event to all whom it concerns. Its text is made once for all streams that say it alike. */
static void send_event(struct stream *first, const struct vr_event_row *row)
{
    char *texts[VR_HUB_ALL + 1][VR_READER_WS + 1] = {0};

    for (struct stream *s = first; s; s = s->next) {
        char **text = &texts[s->form][s->out.form];

        if (!concerns(s, row))
            continue;
        if (!*text)
            *text = event_text(row, s->form, s->out.form);
        s->last = row->id;
        vr_reader_send(&s->out, *text, strlen(*text));
    }
    for (size_t i = 0; i < VR_COUNT(texts); i++)
        for (size_t k = 0; k < VR_COUNT(texts[i]); k++)
            free(texts[i][k]);
}

/* Events behind `after`, oldest first; the store's limit a call. */
static int read_events(struct vr_hub *hub, int64_t after, struct vr_event_rows *out,
                       struct vr_err *err)
{
    VR_OWNED(vr_tx_free) struct vr_tx *tx = NULL;
    int r = vr_store_begin(hub->server->store, VR_DB_READ, &tx, err);

    return r < 0 ? r : vr_store_event_list(tx, after, NULL, BATCH, out, err);
}

static int64_t oldest_needed(const struct stream *first)
{
    int64_t oldest = INT64_MAX;

    for (const struct stream *s = first; s; s = s->next)
        if (s->last < oldest)
            oldest = s->last;
    return oldest;
}

/* The streams of now, for the hub's thread; those that come meanwhile are before the first. */
static struct stream *streams_of(struct vr_hub *hub)
{
    struct stream *first;

    pthread_mutex_lock(&hub->lock);
    first = hub->streams;
    pthread_mutex_unlock(&hub->lock);
    return first;
}

static void drop_streams_over(struct vr_hub *hub)
{
    pthread_mutex_lock(&hub->lock);
    for (struct stream **at = &hub->streams; *at;) {
        struct stream *s = *at;

        if (vr_reader_is_open(&s->out)) {
            at = &s->next;
            continue;
        }
        *at = s->next;
        hub->stream_count--;
        vr_reader_fini(&s->out);
        free(s);
    }
    pthread_mutex_unlock(&hub->lock);
}

/*
 * Only the hub's thread writes to streams, so their order is that of the ids. Who comes meanwhile
 * wakes it again.
 */
static void distribute(struct vr_hub *hub)
{
    for (;;) {
        VR_ROWS(event) rows = {0};
        struct vr_err err;
        struct stream *first;
        int64_t after;

        drop_streams_over(hub);
        first = streams_of(hub);
        after = oldest_needed(first);
        if (after == INT64_MAX)
            return;
        if (read_events(hub, after, &rows, &err) < 0) {
            vr_warn(&hub->server->log, "read events: %s", err.msg);
            return;
        }
        for (size_t i = 0; i < rows.n; i++)
            send_event(first, &rows.v[i]);
        for (struct stream *s = first; s; s = s->next)
            if (rows.n && s->last < rows.v[rows.n - 1].id)
                s->last = rows.v[rows.n - 1].id;
        if (rows.n < BATCH)
            return;
    }
}

static void beat(struct vr_hub *hub)
{
    char when[VR_WALL_TEXT_BYTES];

    vr_wall_format(vr_wall_now(), false, when);
    for (struct stream *s = streams_of(hub); s; s = s->next) {
        vr_auto_free char *data =
            vr_strf("{\"now\": \"%s\", \"id\": %" PRId64 ", \"ui_build\": \"%s\"}", when, s->last,
                    VR_VERSION);

        if (s->form == VR_HUB_ALL)
            send_named(s, 0, "beat", data);
    }
}

/* The logins of all who read; given. Taken out so that no transaction is open under a lock. */
static struct vr_login *logins_of(struct vr_hub *hub, size_t *out_n)
{
    struct vr_login *v;
    size_t n = 0;

    const size_t max = VR_HUB_STREAMS_MAX + VR_PROC_LOGS_MAX + VR_BUILD_LOGS_MAX;

    v = vr_alloc_array(max, sizeof(*v));
    for (struct stream *s = streams_of(hub); s && n < max; s = s->next)
        v[n++] = s->login;
    n = vr_proc_logs_logins(hub->proc_logs, v, n, max);
    n = vr_build_logs_logins(hub->build_logs, v, n, max);
    *out_n = n;
    return v;
}

static void end_login(struct vr_hub *hub, const struct vr_login *login)
{
    for (struct stream *s = streams_of(hub); s; s = s->next) {
        if (memcmp(&s->login, login, sizeof(*login)) != 0)
            continue;
        if (s->out.form == VR_READER_WS)
            vr_reader_fail(&s->out, 401, "the login of this stream has ended");
        else
            vr_reader_close(&s->out); /* a client that comes back is told 401 */
    }
    vr_proc_logs_end_login(hub->proc_logs, login);
    vr_build_logs_end_login(hub->build_logs, login);
}

/* Streams outlive the check of their login: whose token or session is gone is ended. */
static void check_logins(struct vr_hub *hub)
{
    VR_OWNED(vr_tx_free) struct vr_tx *tx = NULL;
    size_t n = 0;
    vr_auto_free struct vr_login *v = logins_of(hub, &n);

    if (!n || vr_store_begin(hub->server->store, VR_DB_READ, &tx, NULL) < 0)
        return;
    for (size_t i = 0; i < n; i++) {
        bool good = true;

        if (i && memcmp(&v[i], &v[i - 1], sizeof(*v)) == 0)
            continue; /* many streams of one login mostly stand together */
        if (vr_store_login_is_good(tx, &v[i], vr_wall_now(), &good, NULL) == 0 && !good)
            end_login(hub, &v[i]);
    }
}

/* The contract's replay: what the buffer has behind an id that is in it, else all of it. */
static int begin_in_buffer(struct vr_tx *tx, int64_t seen, int64_t last, int64_t *out,
                           struct vr_err *err)
{
    VR_ROWS(event) tail = {0};
    int r = vr_store_event_tail(tx, "event", VR_HUB_BUFFER, &tail, err);

    if (r < 0)
        return r;
    *out = tail.n ? tail.v[0].id - 1 : last;
    for (size_t i = 0; i < tail.n; i++)
        if (tail.v[i].id == seen)
            *out = seen;
    return 0;
}

/* Where a stream begins: behind an id, or some events back. */
static int begin_after(struct vr_hub *hub, const struct vr_hub_stream_spec *spec, int64_t *out,
                       bool *reset, struct vr_err *err)
{
    VR_OWNED(vr_tx_free) struct vr_tx *tx = NULL;
    int64_t last = 0;
    int r = vr_store_begin(hub->server->store, VR_DB_READ, &tx, err);

    *reset = false;
    if (r == 0)
        r = vr_store_event_last(tx, &last, err);
    if (r == 0 && spec->form == VR_HUB_EVENTS)
        return begin_in_buffer(tx, spec->after, last, out, err);
    if (r < 0)
        return r;
    *out = last;
    if (spec->after >= 0) {
        *reset = last - spec->after > VR_HUB_REPLAY_MAX || spec->after > last;
        *out = *reset ? last : spec->after;
    }
    return 0;
}

/* Take one of `max` places of a kind; false if there is none. */
static bool take_place(struct vr_hub *hub, size_t *count, size_t max)
{
    bool ok;

    pthread_mutex_lock(&hub->lock);
    ok = *count < max;
    *count += ok;
    pthread_mutex_unlock(&hub->lock);
    return ok;
}

static void leave_place(struct vr_hub *hub, size_t *count)
{
    pthread_mutex_lock(&hub->lock);
    (*count)--;
    pthread_mutex_unlock(&hub->lock);
}

void vr_hub_stream(struct vr_hub *hub, struct vr_http_req *req,
                   const struct vr_hub_stream_spec *spec)
{
    struct stream *s;
    int64_t after = 0;
    bool reset;
    struct vr_err err;

    if (!take_place(hub, &hub->stream_count, VR_HUB_STREAMS_MAX)) {
        vr_http_answer_error(req, 503, "more than %d streams are open", VR_HUB_STREAMS_MAX);
        return;
    }
    if (begin_after(hub, spec, &after, &reset, &err) < 0) {
        leave_place(hub, &hub->stream_count);
        vr_http_answer_error(req, 503, "read events: %s", err.msg);
        return;
    }
    s = vr_alloc(sizeof(*s));
    s->form = spec->form;
    s->last = after;
    s->app_id = spec->app_id;
    snprintf(s->rollout, sizeof(s->rollout), "%s", spec->rollout ? spec->rollout : "");
    snprintf(s->kinds, sizeof(s->kinds), "%s", spec->kinds ? spec->kinds : "");
    s->login = spec->login;
    if (!vr_reader_start(&s->out, req, VR_READER_EVENTS)) {
        leave_place(hub, &hub->stream_count);
        free(s);
        return;
    }
    if (spec->form == VR_HUB_PROC_CHANGES)
        vr_reader_send(&s->out, ":\n\n", 3);
    if (reset && spec->form == VR_HUB_ALL) {
        vr_auto_free char *data = vr_strf("{\"id\": %" PRId64 "}", s->last);

        send_named(s, s->last, "reset", data);
    }
    pthread_mutex_lock(&hub->lock);
    s->next = hub->streams;
    hub->streams = s;
    hub->woken = true;
    pthread_cond_signal(&hub->cond);
    pthread_mutex_unlock(&hub->lock);
}

/* ------------------------------------------------------------------ the thread */

static void write_seen(struct vr_hub *hub)
{
    VR_OWNED(vr_tx_free) struct vr_tx *tx = NULL;
    vr_auto_touched struct vr_touched touched = {0};
    vr_auto_free int64_t *ids = NULL;
    size_t n;
    struct vr_err err;
    int r;

    pthread_mutex_lock(&hub->lock);
    ids = vr_take(hub->seen);
    n = hub->seen_count;
    hub->seen_count = hub->seen_capacity = 0;
    pthread_mutex_unlock(&hub->lock);
    if (!n)
        return;
    r = vr_store_begin(hub->server->store, VR_DB_WRITE, &tx, &err);
    if (r == 0)
        r = vr_store_host_seen(tx, ids, n, vr_wall_now(), &err);
    if (r == 0)
        r = vr_store_commit(tx, &touched, &err);
    if (r < 0)
        vr_warn(&hub->server->log, "write when hosts were heard of: %s", err.msg);
}

static void sleep_until_woken(struct vr_hub *hub, int64_t ms)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t); /* a condition cannot wait for the clock of vr_mono */
    t.tv_nsec += ms * VR_NS_PER_MS;
    t.tv_sec += t.tv_nsec / VR_NS_PER_S;
    t.tv_nsec %= VR_NS_PER_S;
    while (!hub->woken && !hub->stopping)
        if (pthread_cond_timedwait(&hub->cond, &hub->lock, &t) != 0)
            break;
}

static void *run(void *arg)
{
    struct vr_hub *hub = arg;
    struct vr_mono beat_at = vr_mono_now(), seen_at = beat_at;
    int64_t sleep_ms = VR_HUB_SEEN_MS;

    pthread_mutex_lock(&hub->lock);
    while (!hub->stopping) {
        bool all;

        sleep_until_woken(hub, sleep_ms);
        all = hub->all_due;
        hub->woken = hub->all_due = false;
        pthread_mutex_unlock(&hub->lock);
        look_at_waits(hub, all);
        distribute(hub);
        if (vr_mono_ms_between(seen_at, vr_mono_now()) >= VR_HUB_SEEN_MS) {
            seen_at = vr_mono_now();
            write_seen(hub);
        }
        sleep_ms = vr_proc_logs_tick(hub->proc_logs);
        if (vr_build_logs_look(hub->build_logs, all) < sleep_ms)
            sleep_ms = VR_BUILD_LOGS_LOOK_MS;
        if (vr_mono_ms_between(beat_at, vr_mono_now()) >= VR_HUB_BEAT_MS) {
            beat_at = vr_mono_now();
            beat(hub);
            check_logins(hub);
        }
        pthread_mutex_lock(&hub->lock);
    }
    pthread_mutex_unlock(&hub->lock);
    return NULL;
}

struct vr_proc_logs *vr_hub_proc_logs(struct vr_hub *hub)
{
    return hub->proc_logs;
}

struct vr_build_logs *vr_hub_build_logs(struct vr_hub *hub)
{
    return hub->build_logs;
}

int vr_hub_start(struct vr_server *server, struct vr_hub **out, struct vr_err *err)
{
    struct vr_hub *hub = vr_alloc(sizeof(*hub));
    pthread_condattr_t clock;

    hub->server = server;
    hub->proc_logs = vr_proc_logs_new(hub, wake_host);
    hub->build_logs = vr_build_logs_new(server, hub, wake_host);
    pthread_mutex_init(&hub->lock, NULL);
    pthread_condattr_init(&clock);
    pthread_condattr_setclock(&clock, CLOCK_MONOTONIC);
    pthread_cond_init(&hub->cond, &clock);
    pthread_condattr_destroy(&clock);
    if (pthread_create(&hub->thread, NULL, run, hub) != 0) {
        free(hub);
        return vr_fail(err, VR_LIMIT, "start the hub's thread");
    }
    *out = hub;
    return 0;
}

struct vr_hub *vr_hub_stop(struct vr_hub *hub)
{
    if (!hub)
        return NULL;
    pthread_mutex_lock(&hub->lock);
    hub->stopping = true;
    pthread_cond_signal(&hub->cond);
    pthread_mutex_unlock(&hub->lock);
    pthread_join(hub->thread, NULL);
    while (hub->waits) {
        struct wait *w = hub->waits;

        hub->waits = w->next;
        free_wait(w);
    }
    while (hub->streams) {
        struct stream *s = hub->streams;

        hub->streams = s->next;
        vr_reader_close(&s->out);
        vr_reader_fini(&s->out);
        free(s);
    }
    vr_proc_logs_free(hub->proc_logs);
    vr_build_logs_free(hub->build_logs);
    pthread_mutex_destroy(&hub->lock);
    pthread_cond_destroy(&hub->cond);
    free(hub->seen);
    free(hub);
    return NULL;
}
