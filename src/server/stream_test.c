/* SPDX-License-Identifier: MIT */
/* Streams of events over HTTP: the contract's two, statement by statement, and what ours keeps. */
#include "net/websocket.h"
#include "net/ws_client.h"
#include "server/stream_fixture.h"
#include "store/event.h"
#include "store/store_fixture.h"

#include <inttypes.h>

#define OTHER_APPS "{\"name\": \"other\", \"repo_url\": \"https://example.com/o.git\"}"

struct scene {
    struct rig rig;
    int64_t app, swarm, proc, host;
};

static void scene_fini(struct scene *s)
{
    rig_fini(&s->rig);
}

#define SCENE(s) __attribute__((cleanup(scene_fini))) struct scene s

/* Rows first, by a store of their own that is closed again. */
static bool begin(struct scene *s)
{
    FIXTURE(f);

    memset(s, 0, sizeof(*s));
    if (!fixture_init(&f) || add_proc(&f, 0, 5000, &s->proc) < 0 ||
        vr_store_commit(f.tx, NULL, NULL) < 0)
        return false;
    s->app = f.app;
    s->swarm = f.swarm;
    s->host = f.host[0];
    return rig_start(&s->rig) && rig_get(&s->rig, "/api/v1/whoami/", "ann") == 200;
}

static bool add_event(struct scene *s, struct vr_event event)
{
    VR_OWNED(vr_tx_free) struct vr_tx *tx = NULL;

    event.time = (struct vr_wall){INT64_C(1436541664840912)};
    if (vr_store_begin(s->rig.server.store, VR_DB_WRITE, &tx, NULL) < 0)
        return false;
    vr_store_event_add(tx, &event);
    return vr_server_commit(&s->rig.server, tx, NULL) == 0;
}

static bool add_numbered(struct scene *s, int first, int last)
{
    for (int i = first; i <= last; i++) {
        vr_auto_free char *title = vr_strf("number %d;", i);

        if (!add_event(s, (struct vr_event){.kind = "event", .title = title}))
            return false;
    }
    return true;
}

/* The text so far; given. */
static char *text_of(struct reader *d)
{
    char *text;

    pthread_mutex_lock(&d->lock);
    text = vr_strdup(d->text.len ? vr_buf_text(&d->text) : "");
    pthread_mutex_unlock(&d->lock);
    return text;
}

/* The first JSON behind `data: ` whose line holds `part`; given. */
static json_t *data_with(struct reader *d, const char *part)
{
    vr_auto_free char *text = text_of(d);

    for (const char *at = text; (at = strstr(at, "data: ")); at += 6) {
        struct vr_str line = {at + 6, strcspn(at + 6, "\n")};
        vr_auto_free char *copy = vr_strndup(line.p, line.n);
        json_t *doc = NULL;

        if (strstr(copy, part) && vr_json_parse(line, VR_JSON_BYTES, &doc, NULL) == 0)
            return doc;
    }
    return NULL;
}

static size_t count_of(const char *text, const char *part)
{
    size_t n = 0;

    for (; (text = strstr(text, part)); text += strlen(part))
        n++;
    return n;
}

static const char *said(const json_t *doc, const char *name)
{
    return json_string_value(json_object_get(doc, name));
}

/* ------------------------------------------------------------------ the contract's events */

TEST(events__the_envelope__is_the_contracts)
{
    SCENE(s);
    struct reader d = {0};
    vr_auto_json json_t *doc = NULL;
    vr_auto_free char *text = NULL;
    bool came;

    CHECK(begin(&s));
    CHECK(add_event(&s, (struct vr_event){.kind = "event",
                                          .title = "hello-v1-prod-web",
                                          .message = "two\nlines",
                                          .tags = "[\"route\"]",
                                          .rollout_id = "0f2d7a3c5e1111e5a3d1080027880ca6"}));
    CHECK(reader_start(&d, &s.rig, "/api/streams/events/", "ann", NULL));
    came = reader_await(&d, "two\\nlines");
    doc = data_with(&d, "two\\nlines");
    text = text_of(&d);
    reader_end(&d);
    CHECK(came);
    CHECK_STR(said(doc, "time"), "2015-07-10T15:21:04.840912");
    CHECK_STR(said(doc, "message"), "two\nlines");
    CHECK_STR(said(doc, "title"), "hello-v1-prod-web");
    CHECK_STR(said(doc, "swarm_id"), "0f2d7a3c5e1111e5a3d1080027880ca6");
    CHECK_STR(said(doc, "swarm_trace_id"), "0f2d7a3c5e1111e5a3d1080027880ca6");
    CHECK_STR(json_string_value(json_array_get(json_object_get(doc, "tags"), 0)), "route");
    CHECK(strstr(text, "event:") == NULL); /* never named */
    CHECK(!strncmp(strstr(text, "id: "), "id: ", 4) && strstr(text, "\ndata: {"));
    CHECK(strstr(text, "}\n\n") != NULL);
}

TEST(events__without_an_id__are_the_last_hundred_oldest_first)
{
    SCENE(s);
    struct reader d = {0};
    vr_auto_free char *text = NULL;
    bool came;

    CHECK(begin(&s) && add_numbered(&s, 1, 120));
    CHECK(add_event(&s, (struct vr_event){.kind = "host", .title = "of another kind"}));
    CHECK(reader_start(&d, &s.rig, "/api/streams/events/", "ann", NULL));
    came = reader_await(&d, "number 120;") && add_numbered(&s, 121, 121) &&
           reader_await(&d, "number 121;");
    text = text_of(&d);
    reader_end(&d);
    CHECK(came);
    CHECK(strstr(text, "number 20;") == NULL && strstr(text, "number 21;") != NULL);
    CHECK(strstr(text, "number 21;") < strstr(text, "number 22;"));
    CHECK(count_of(text, "number ") == VR_HUB_BUFFER + 1);
    CHECK(strstr(text, "of another kind") == NULL);
}

/* What a client that was here before gets; given. */
static char *replay_behind(struct scene *s, const char *last_id)
{
    struct reader d = {0};
    vr_auto_free char *header = vr_strf("Last-Event-ID: %s", last_id);
    char *text = NULL;

    if (reader_start_with(&d, &s->rig, "/api/streams/events/", "ann", NULL, header) &&
        reader_await(&d, "number 5;"))
        text = text_of(&d);
    reader_end(&d);
    return text;
}

TEST(events__behind_an_id__are_those_that_are_newer_and_all_behind_one_that_is_unknown)
{
    static const char *const unknown[] = {"0f2d7a3c5e1111e5a3d1080027880ca6", "4711000", "0", "x"};
    SCENE(s);
    VR_OWNED(vr_tx_free) struct vr_tx *tx = NULL;
    VR_ROWS(event) rows = {0};
    vr_auto_free char *third = NULL;
    vr_auto_free char *newer = NULL;

    CHECK(begin(&s) && add_numbered(&s, 1, 5));
    CHECK(vr_store_begin(s.rig.server.store, VR_DB_READ, &tx, NULL) == 0);
    CHECK(vr_store_event_tail(tx, "event", 5, &rows, NULL) == 0 && rows.n == 5);
    tx = vr_tx_free(tx);
    third = vr_strf("%" PRId64, rows.v[2].id);
    newer = replay_behind(&s, third);
    CHECK(newer && strstr(newer, "number 4;") && !strstr(newer, "number 3;"));
    for (size_t i = 0; i < VR_COUNT(unknown); i++) {
        vr_auto_free char *all = replay_behind(&s, unknown[i]);

        CHECK(all && count_of(all, "number ") == 5);
    }
}

/* ------------------------------------------------------------------ the contract's procs */

static bool change_proc(struct scene *s, const char *actual)
{
    VR_OWNED(vr_tx_free) struct vr_tx *tx = NULL;
    struct vr_proc_report report = {
        .id = s->proc, .epoch = 1, .actual = actual, .pid = 4711, .generation = 1};
    bool stale = true;

    return vr_store_begin(s->rig.server.store, VR_DB_WRITE, &tx, NULL) == 0 &&
           vr_store_proc_report(tx, s->host, &report, NOW, &stale, NULL) == 0 && !stale &&
           vr_server_commit(&s->rig.server, tx, NULL) == 0;
}

static bool remove_proc(struct scene *s)
{
    VR_OWNED(vr_tx_free) struct vr_tx *tx = NULL;

    return vr_store_begin(s->rig.server.store, VR_DB_WRITE, &tx, NULL) == 0 &&
           vr_store_proc_set_actual(tx, s->proc, "stopped", "", NOW, NULL) == 0 &&
           vr_store_proc_delete(tx, s->proc, (struct vr_wall){INT64_C(1356028501500000)}, NULL) ==
               0 &&
           vr_server_commit(&s->rig.server, tx, NULL) == 0;
}

/* Both have these keys with the same values. */
static bool agree(const json_t *a, const json_t *b, const char *const *keys, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (json_object_get(a, keys[i]) &&
            json_equal(json_object_get(a, keys[i]), json_object_get(b, keys[i])))
            continue;
        fprintf(stderr, "# '%s' differs\n", keys[i]);
        return false;
    }
    return true;
}

TEST(proc_changes__of_a_state__are_the_full_proc_with_the_event)
{
    static const char *const keys[] = {
        "app_name", "config_name", "exitstatus", "group",          "hash",      "host",
        "id",       "jsname",      "logfile",    "name",           "pid",       "port",
        "spawnerr", "proc_name",   "statename",  "stderr_logfile", "stop_time", "stdout_logfile",
        "state",    "start_time",  "version"};
    SCENE(s);
    struct reader d = {0};
    vr_auto_json json_t *change = NULL, *proc = NULL;
    vr_auto_free char *path = NULL;
    vr_auto_free char *text = NULL;
    bool came;

    CHECK(begin(&s));
    CHECK(reader_start(&d, &s.rig, "/api/streams/proc_changes/", "ann", NULL));
    came = reader_await(&d, ":\n\n") && change_proc(&s, "running") &&
           reader_await(&d, "PROCESS_STATE_RUNNING");
    change = data_with(&d, "PROCESS_STATE_RUNNING");
    text = text_of(&d);
    reader_end(&d);
    CHECK(came);
    CHECK(!strncmp(text, ":\n\nretry: 1000\ndata: {", 22)); /* a comment; live only; no id */
    path = vr_strf("/api/v1/procs/%" PRId64 "/", s.proc);
    CHECK(rig_get(&s.rig, path, "ann") == 200);
    CHECK(vr_json_parse(vr_str(s.rig.last.body), VR_JSON_BYTES, &proc, NULL) == 0);
    CHECK(agree(proc, change, keys, VR_COUNT(keys)));
    CHECK(said(change, "now") && said(change, "description"));
}

TEST(proc_changes__of_a_removal__is_the_contracts_object)
{
    static const char *const keys[] = {"host",        "id",   "name",      "app_name", "version",
                                       "config_name", "hash", "proc_name", "port"};
    SCENE(s);
    struct reader d = {0};
    vr_auto_json json_t *change = NULL, *proc = NULL;
    vr_auto_free char *path = NULL;
    bool came;

    CHECK(begin(&s));
    path = vr_strf("/api/v1/procs/%" PRId64 "/", s.proc);
    CHECK(rig_get(&s.rig, path, "ann") == 200);
    CHECK(vr_json_parse(vr_str(s.rig.last.body), VR_JSON_BYTES, &proc, NULL) == 0);
    CHECK(reader_start(&d, &s.rig, "/api/streams/proc_changes/", "ann", NULL));
    came = reader_await(&d, ":\n\n") && remove_proc(&s) && reader_await(&d, "GROUP_REMOVED");
    change = data_with(&d, "GROUP_REMOVED");
    reader_end(&d);
    CHECK(came);
    CHECK_STR(said(change, "event"), "PROCESS_GROUP_REMOVED");
    CHECK_STR(said(change, "payload_data"), "");
    CHECK_STR(said(json_object_get(change, "payload_headers"), "groupname"), said(proc, "name"));
    CHECK_STR(said(change, "time"), "2012-12-20T18:35:01");
    CHECK(agree(proc, change, keys, VR_COUNT(keys)));
    CHECK(!json_object_get(change, "statename")); /* it has no state any more */
}

/* ------------------------------------------------------------------ ours */

TEST(stream__of_an_app__leaves_out_what_belongs_to_others)
{
    SCENE(s);
    struct reader d = {0};
    vr_auto_free char *text = NULL;
    bool came;

    CHECK(begin(&s));
    CHECK(rig_get(&s.rig, "/api/v1/stream/?app=nothing", "ann") == 404);
    CHECK(reader_start(&d, &s.rig, "/api/v1/stream/?after=0&app=hello", "ann", NULL));
    came = change_proc(&s, "running") &&
           rig_send(&s.rig, "POST", "/api/v1/apps/", "ann", OTHER_APPS) == 201 &&
           add_event(&s, (struct vr_event){.kind = "event", .title = "of h1", .host_id = s.host}) &&
           add_event(
               &s,
               (struct vr_event){.kind = "event", .title = "of the swarm;", .swarm_id = s.swarm}) &&
           reader_await(&d, "of the swarm;");
    text = text_of(&d);
    reader_end(&d);
    CHECK(came);
    CHECK(strstr(text, "of h1") != NULL); /* it belongs to no app */
    CHECK(strstr(text, "PROCESS_STATE_RUNNING") && strstr(text, "\"procs\""));
    CHECK(strstr(text, "other") == NULL);
}

/* A token of ann's: its value, given, and its path. */
static char *make_token(struct scene *s, char **out_path)
{
    vr_auto_json json_t *doc = NULL;

    if (rig_send(&s->rig, "POST", "/api/v1/tokens/", "ann", "{\"name\": \"t\"}") != 201 ||
        vr_json_parse(vr_str(s->rig.last.body), VR_JSON_BYTES, &doc, NULL) < 0)
        return NULL;
    *out_path = vr_strf("/api/v1/tokens/%" JSON_INTEGER_FORMAT "/",
                        json_integer_value(json_object_get(doc, "id")));
    return vr_strdup(said(doc, "token"));
}

/* Reads on until the server closes it; the code, or -1. */
static int close_code(struct vr_ws_client *c)
{
    for (;;) {
        struct vr_ws_received m = {0};
        int code = vr_ws_client_read(c, PATIENCE_MS, &m, NULL) < 0 ? -1
                   : m.kind == VR_WS_CLOSE                         ? m.code
                                                                   : 0;

        vr_ws_received_fini(&m);
        if (code)
            return code;
    }
}

TEST(streams__of_a_token_that_is_revoked__end)
{
    SCENE(s);
    struct reader ours = {0}, events = {0}, other = {0};
    VR_OWNED(vr_ws_client_free) struct vr_ws_client *ws = NULL;
    vr_auto_free char *path = NULL;
    vr_auto_free char *token = NULL;
    vr_auto_free char *url = NULL;
    bool ended, goes_on;

    CHECK(begin(&s));
    token = make_token(&s, &path);
    CHECK(token != NULL);
    url = vr_strf("%s/api/v1/stream/", s.rig.base);
    CHECK(vr_ws_connect(&(struct vr_http_call){.url = url, .bearer = token}, &ws, NULL, NULL) == 0);
    CHECK(reader_start(&ours, &s.rig, "/api/v1/stream/?after=0", NULL, token));
    CHECK(reader_start(&events, &s.rig, "/api/streams/events/", NULL, token));
    CHECK(reader_start(&other, &s.rig, "/api/v1/stream/?after=0", "ann", NULL));
    ended = add_numbered(&s, 1, 1) && reader_await(&ours, "number 1;") &&
            reader_await(&events, "number 1;") && reader_await(&other, "number 1;") &&
            rig_send(&s.rig, "DELETE", path, "ann", NULL) == 204 && reader_await(&ours, NULL) &&
            reader_await(&events, NULL);
    goes_on = add_numbered(&s, 2, 2) && reader_await(&other, "number 2;");
    reader_end(&ours);
    reader_end(&events);
    reader_end(&other);
    CHECK(ended);
    CHECK(close_code(ws) == VR_WS_STATUS + 401);
    CHECK(goes_on);
}
