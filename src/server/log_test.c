/* SPDX-License-Identifier: MIT */
/* Logs of procs and builds: as WebSockets by offsets, and searched; hosts are played by the test.
 */
#include "net/ws_client.h"
#include "server/server_fixture.h"
#include "store/event.h"
#include "store/store_fixture.h"

#include <inttypes.h>
#include <pthread.h>
#include <sched.h>

#define PATIENCE_MS 15000

struct scene {
    struct rig rig;
    int64_t proc, build, host;
    char *token;
};

static void scene_fini(struct scene *s)
{
    free(s->token);
    rig_fini(&s->rig);
}

#define SCENE(s) __attribute__((cleanup(scene_fini))) struct scene s

/* Rows first, by a store of their own that is closed again. */
static bool fill(struct scene *s)
{
    FIXTURE(f);
    struct vr_build_row build = {.tag = (char *)"v2",
                                 .commit_id = (char *)"",
                                 .inputs_json = (char *)"{}",
                                 .created_us = NOW.us};

    if (!fixture_init(&f) || add_proc(&f, 0, 5000, &s->proc) < 0)
        return false;
    build.app_id = f.app;
    s->host = f.host[0];
    return vr_store_build_insert(f.tx, &build, &s->build, NULL) == 0 &&
           vr_store_build_start(f.tx, s->build, NOW, NULL) == 0 &&
           vr_store_commit(f.tx, NULL, NULL) == 0;
}

static bool begin(struct scene *s)
{
    static const char *const headers[] = {"X-Velociraptor-Protocol: 1", NULL};
    vr_auto_json json_t *doc = NULL;

    memset(s, 0, sizeof(*s));
    if (!fill(s) || !rig_start(&s->rig) ||
        rig_call(&s->rig,
                 (struct vr_http_call){.method = "POST",
                                       .headers = headers,
                                       .body = "{\"join_token\": \"" RIG_JOIN_TOKEN
                                               "\", \"name\": \"h1.example.com\","
                                               " \"address\": \"127.0.0.1\", \"roles\": []}"},
                 "/agent/v1/enroll") != 200 ||
        vr_json_parse(vr_str(s->rig.last.body), VR_JSON_BYTES, &doc, NULL) < 0)
        return false;
    s->token = vr_strdup(json_string_value(json_object_get(doc, "host_token")));
    return s->token != NULL;
}

static struct vr_ws_client *join(struct scene *s, const char *path, const char *user)
{
    vr_auto_free char *url = vr_strf("%s%s", s->rig.base, path);
    struct vr_http_call call = {.url = url, .user = user, .password = RIG_PASSWORD};
    struct vr_ws_client *c = NULL;
    struct vr_err err;

    if (vr_ws_connect(&call, &c, NULL, &err) < 0)
        fprintf(stderr, "# %s: %s\n", path, err.msg);
    return c;
}

static struct vr_ws_client *join_log(struct scene *s, const char *noun, int64_t id,
                                     const char *query)
{
    vr_auto_free char *path = vr_strf("/api/v1/%s/%" PRId64 "/log/%s", noun, id, query);

    return join(s, path, "ann");
}

/* The next message is this JSON, whatever the order of its keys. */
static bool hears(struct vr_ws_client *c, const char *wanted)
{
    struct vr_ws_received m = {0};
    vr_auto_json json_t *is = NULL, *want = NULL;
    struct vr_err err = VR_ERR_NULL;
    int r = vr_ws_client_read(c, PATIENCE_MS, &m, &err);
    bool ok = r == 0 && m.kind == VR_WS_TEXT &&
              vr_json_parse(vr_str(m.p), VR_JSON_BYTES, &is, NULL) == 0 &&
              vr_json_parse(vr_str(wanted), VR_JSON_BYTES, &want, NULL) == 0 &&
              json_equal(is, want);

    if (!ok)
        fprintf(stderr, "# wanted %s, got %.500s (%d %s)\n", wanted, m.p ? m.p : "", m.code,
                err.msg);
    vr_ws_received_fini(&m);
    return ok;
}

static bool is_closed(struct vr_ws_client *c, int code)
{
    struct vr_ws_received m = {0};
    bool ok =
        vr_ws_client_read(c, PATIENCE_MS, &m, NULL) == 0 && m.kind == VR_WS_CLOSE && m.code == code;

    if (!ok)
        fprintf(stderr, "# wanted close %d, got %d %.500s\n", code, m.code, m.p ? m.p : "");
    vr_ws_received_fini(&m);
    return ok;
}

/* ------------------------------------------------------------------ the host's side */

static int agent_call(struct scene *s, const char *method, const char *path, const char *body)
{
    static const char *const headers[] = {"X-Velociraptor-Protocol: 1", NULL};

    return rig_call(&s->rig,
                    (struct vr_http_call){.method = method,
                                          .headers = headers,
                                          .bearer = s->token,
                                          .body = body,
                                          .timeout_ms = PATIENCE_MS * 3},
                    path);
}

/* What the host is told of its first stream; given. */
static json_t *told(struct scene *s)
{
    struct vr_mono until = vr_mono_add_ms(vr_mono_now(), PATIENCE_MS);

    while (vr_mono_now().ns < until.ns) {
        vr_auto_json json_t *doc = NULL;
        json_t *first;

        if (agent_call(s, "GET", "/agent/v1/desired?rev=-1&session=-1", NULL) == 200 &&
            vr_json_parse(vr_str(s->rig.last.body), VR_JSON_BYTES, &doc, NULL) == 0 &&
            (first = json_array_get(json_object_get(doc, "streams"), 0)))
            return json_incref(first);
        sched_yield();
    }
    return NULL;
}

static int post(struct scene *s, const json_t *stream, const char *query, const char *text)
{
    vr_auto_free char *path =
        vr_strf("/agent/v1/streams/%s%s", json_string_value(json_object_get(stream, "id")), query);

    return agent_call(s, "POST", path, text);
}

TEST(proc_log__websocket__resumes_by_offset_and_says_what_is_not_kept)
{
    SCENE(s);
    VR_OWNED(vr_ws_client_free) struct vr_ws_client *c = NULL;
    vr_auto_json json_t *stream = NULL;

    CHECK(begin(&s));
    c = join_log(&s, "procs", s.proc, "?from=100");
    stream = told(&s);
    CHECK(c && stream);
    CHECK(json_integer_value(json_object_get(stream, "from")) == 100);
    CHECK(json_is_true(json_object_get(stream, "follow")));
    CHECK(post(&s, stream, "?at=150", "line a\nline b\npart") == 204);
    CHECK(hears(c, "{\"gap\": {\"from\": 100, \"to\": 150}, \"end\": false}"));
    CHECK(hears(c, "{\"at\": 150, \"next\": 164, \"text\": \"line a\\nline b\\n\","
                   " \"end\": false}"));
    CHECK(post(&s, stream, "?at=168", "ial\n") == 204);
    CHECK(hears(c, "{\"at\": 164, \"next\": 172, \"text\": \"partial\\n\", \"end\": false}"));
    CHECK(post(&s, stream, "?at=172&end=1", "last") == 204);
    CHECK(hears(c, "{\"at\": 172, \"next\": 176, \"text\": \"last\", \"end\": false}"));
    CHECK(hears(c, "{\"end\": true, \"next\": 176}"));
    CHECK(is_closed(c, VR_WS_NORMAL));
    CHECK(post(&s, stream, "?at=176", "late") == 410);
}

TEST(proc_log__agent_without_offsets__still_works)
{
    SCENE(s);
    VR_OWNED(vr_ws_client_free) struct vr_ws_client *c = NULL;
    vr_auto_json json_t *stream = NULL;

    CHECK(begin(&s));
    c = join_log(&s, "procs", s.proc, "?lines=5&follow=0");
    stream = told(&s);
    CHECK(c && stream && json_integer_value(json_object_get(stream, "lines")) == 5);
    CHECK(post(&s, stream, "", "gr\xc3\xbc\xc3\x9f \xff\n") == 204);
    CHECK(hears(c,
                "{\"at\": null, \"next\": null, \"text\": \"gr\xc3\xbc\xc3\x9f \xef\xbf\xbd\\n\","
                " \"end\": false}"));
    CHECK(post(&s, stream, "?end=1", "") == 204);
    CHECK(hears(c, "{\"end\": true, \"next\": null}"));
}

TEST(proc_log__gone_away_or_unknown__is_said_at_once)
{
    SCENE(s);
    VR_OWNED(vr_ws_client_free) struct vr_ws_client *gone = NULL, *away = NULL, *unknown = NULL;
    vr_auto_json json_t *stream = NULL;
    VR_OWNED(vr_tx_free) struct vr_tx *tx = NULL;
    vr_auto_free char *path = NULL;

    CHECK(begin(&s));
    gone = join_log(&s, "procs", s.proc, "");
    stream = told(&s);
    CHECK(gone && stream && post(&s, stream, "?at=0&end=1&gone=1", "") == 204);
    CHECK(hears(gone, "{\"error\": \"this log is not kept any more\", \"status\": 410,"
                      " \"end\": true}"));
    CHECK(is_closed(gone, 4410));
    unknown = join_log(&s, "procs", 4711, "");
    CHECK(unknown && hears(unknown, "{\"error\": \"proc '4711' does not exist\", \"status\": 404,"
                                    " \"end\": true}"));
    CHECK(is_closed(unknown, 4404));
    CHECK(vr_store_begin(s.rig.server.store, VR_DB_WRITE, &tx, NULL) == 0);
    CHECK(vr_store_host_set_state(tx, s.host, "lost", vr_wall_now(), NULL) == 0);
    CHECK(vr_server_commit(&s.rig.server, tx, NULL) == 0);
    tx = vr_tx_free(tx);
    path = vr_strf("/api/v1/procs/%" PRId64 "/log/", s.proc);
    CHECK(rig_get(&s.rig, path, "ann") == 503 && rig_says(&s.rig, "was never heard of"));
    away = join_log(&s, "procs", s.proc, "");
    CHECK(away && hears(away, "{\"kept_by\": \"server\", \"text\": \"\", \"end\": false}"));
}

TEST(proc_log__reader_is_behind__its_host_waits)
{
    SCENE(s);
    VR_OWNED(vr_ws_client_free) struct vr_ws_client *c = NULL;
    vr_auto_json json_t *stream = NULL;
    vr_auto_free char *piece = vr_alloc((256 << 10) + 1);
    int64_t bytes = 0, at = 0;
    int sent = 0;

    CHECK(begin(&s));
    c = join_log(&s, "procs", s.proc, "?from=0");
    stream = told(&s);
    memset(piece, 'x', 256 << 10);
    for (int i = 0; i < 256; i++)
        piece[i * 1024 + 1023] = '\n';
    CHECK(c && stream);
    for (; sent < 64; sent++) { /* more than any queue takes: each goes on as the reader reads */
        vr_auto_free char *query = vr_strf("?at=%" PRId64, at);
        struct vr_ws_received m = {0};

        CHECK(post(&s, stream, query, piece) == 204);
        at += 256 << 10;
        while (bytes < at - (512 << 10) && vr_ws_client_read(c, PATIENCE_MS, &m, NULL) == 0) {
            vr_auto_json json_t *doc = NULL;

            CHECK(m.kind == VR_WS_TEXT);
            CHECK(vr_json_parse(vr_str(m.p), VR_JSON_BYTES, &doc, NULL) == 0);
            CHECK(json_integer_value(json_object_get(doc, "at")) == bytes);
            bytes = json_integer_value(json_object_get(doc, "next"));
            vr_ws_received_fini(&m);
        }
    }
    CHECK(bytes >= at - (512 << 10));
}

/* ------------------------------------------------------------------ search */

struct asker {
    struct scene *s;
    const char *query;
    struct vr_http_result result;
    pthread_t thread;
};

static void *ask(void *arg)
{
    struct asker *a = arg;
    VR_OWNED(vr_http_client_free) struct vr_http_client *client = vr_http_client_new();
    vr_auto_free char *url =
        vr_strf("%s/api/v1/procs/%" PRId64 "/log/%s", a->s->rig.base, a->s->proc, a->query);
    struct vr_http_call call = {.url = url, .user = "ann", .password = RIG_PASSWORD};

    vr_ignore(vr_http_call(client, &call, &a->result, NULL), "its status tells");
    return NULL;
}

/* What a client gets when the host posts this; the status. */
static int search(struct scene *s, const char *query, const char *posted, char **out_body)
{
    struct asker a = {.s = s, .query = query};
    vr_auto_json json_t *stream = NULL;

    if (pthread_create(&a.thread, NULL, ask, &a) != 0)
        return -1;
    stream = told(s);
    if (stream && vr_streq(json_string_value(json_object_get(stream, "kind")), "search"))
        vr_ignore(post(s, stream, "?at=0&end=1", posted) < 0, "the answer tells");
    pthread_join(a.thread, NULL);
    *out_body = vr_strdup(a.result.body ? a.result.body : "");
    vr_http_result_fini(&a.result);
    return a.result.status ? a.result.status : stream ? 0 : -1;
}

TEST(proc_log__search__is_answered_by_the_host)
{
    SCENE(s);
    vr_auto_free char *old = NULL, *path = NULL;
    struct asker a = {.s = &s, .query = "?search=x%5B1&regex=1&before=500&limit=7"};
    vr_auto_json json_t *stream = NULL;

    CHECK(begin(&s));
    path = vr_strf("/api/v1/procs/%" PRId64 "/log/?search=%%28&regex=1", s.proc);
    CHECK(rig_get(&s.rig, path, "ann") == 400 && rig_says(&s.rig, "'(' without ')'"));
    a.query = "?search=x%5B1%5D&regex=1&before=500&limit=7&context=2";
    CHECK(pthread_create(&a.thread, NULL, ask, &a) == 0);
    stream = told(&s);
    CHECK(vr_streq(json_string_value(json_object_get(stream, "text")), "x[1]"));
    CHECK(json_integer_value(json_object_get(stream, "before")) == 500);
    CHECK(json_integer_value(json_object_get(stream, "limit")) == 7);
    CHECK(json_integer_value(json_object_get(stream, "context")) == 2);
    CHECK(post(&s, stream, "?at=0&end=1", "{\"matches\": [{\"at\": 3, \"line\": \"x1\"}]}") == 204);
    pthread_join(a.thread, NULL);
    CHECK(a.result.status == 200 && strstr(a.result.body, "\"line\":\"x1\""));
    vr_http_result_fini(&a.result);
    vr_ignore(search(&s, "?search=x", "2026 out a line of an old agent\n", &old), "its body tells");
    CHECK(strstr(old, "too old to search"));
}

/* ------------------------------------------------------------------ builds */

static bool add_build_log(struct scene *s, const char *text, bool ends)
{
    VR_OWNED(vr_tx_free) struct vr_tx *tx = NULL;
    VR_ROW(build) build = {0};

    return vr_store_begin(s->rig.server.store, VR_DB_WRITE, &tx, NULL) == 0 &&
           vr_store_build_find_id(tx, s->build, &build, NULL) == 0 &&
           vr_store_build_log_add(tx, s->build, build.log_bytes, vr_str(text), NULL, NULL) == 0 &&
           (!ends || vr_store_build_fail(tx, s->build, "no luck", vr_wall_now(), NULL) == 0) &&
           vr_server_commit(&s->rig.server, tx, NULL) == 0;
}

TEST(build_log__websocket__follows_to_the_end_and_resumes)
{
    SCENE(s);
    VR_OWNED(vr_ws_client_free) struct vr_ws_client *c = NULL, *later = NULL, *none = NULL;

    CHECK(begin(&s) && add_build_log(&s, "one\n", false));
    c = join_log(&s, "builds", s.build, "");
    CHECK(c && hears(c, "{\"at\": 0, \"next\": 4, \"text\": \"one\\n\", \"end\": false}"));
    CHECK(add_build_log(&s, "two\n", false));
    CHECK(hears(c, "{\"at\": 4, \"next\": 8, \"text\": \"two\\n\", \"end\": false}"));
    CHECK(add_build_log(&s, "three", true));
    CHECK(hears(c, "{\"at\": 8, \"next\": 13, \"text\": \"three\", \"end\": false}"));
    CHECK(hears(c, "{\"end\": true, \"next\": 13, \"status\": \"failed\"}"));
    CHECK(is_closed(c, VR_WS_NORMAL));
    later = join_log(&s, "builds", s.build, "?from=8");
    CHECK(later && hears(later, "{\"at\": 8, \"next\": 13, \"text\": \"three\", \"end\": false}"));
    none = join_log(&s, "builds", 4711, "");
    CHECK(none && hears(none, "{\"error\": \"build '4711' does not exist\", \"status\": 404,"
                              " \"end\": true}"));
}

TEST(build_log__search__is_answered_from_the_database)
{
    SCENE(s);
    vr_auto_free char *path = NULL;

    CHECK(begin(&s));
    for (int i = 0; i < 30; i++) {
        vr_auto_free char *line = vr_strf("step %d of 30\n", i);

        CHECK(add_build_log(&s, line, false));
    }
    path = vr_strf("/api/v1/builds/%" PRId64 "/log/?search=step+2%%5Cd&regex=1&limit=4", s.build);
    CHECK(rig_get(&s.rig, path, "ann") == 200);
    CHECK(strstr(s.rig.last.body, "step 26 of 30") && strstr(s.rig.last.body, "step 29 of 30"));
    CHECK(!strstr(s.rig.last.body, "step 25 of 30"));
    CHECK(strstr(s.rig.last.body, "\"complete\":false"));
}

/* ------------------------------------------------------------------ events */

static bool add_object_event(struct scene *s, const char *kind)
{
    VR_OWNED(vr_tx_free) struct vr_tx *tx = NULL;

    if (vr_store_begin(s->rig.server.store, VR_DB_WRITE, &tx, NULL) < 0)
        return false;
    vr_store_event_add(tx, &(struct vr_event){.kind = kind, .title = kind, .time = NOW});
    return vr_server_commit(&s->rig.server, tx, NULL) == 0;
}

TEST(stream__many_websockets__get_events_of_their_kinds_without_a_thread_each)
{
    SCENE(s);
    struct vr_ws_client *c[200];
    bool ok = true;

    CHECK(begin(&s));
    for (size_t i = 0; i < VR_COUNT(c); i++) {
        c[i] = join(&s, "/api/v1/stream/?kinds=wanted,beats", "ann");
        ok = ok && c[i];
    }
    CHECK(ok && add_object_event(&s, "other") && add_object_event(&s, "wanted"));
    for (size_t i = 0; i < VR_COUNT(c) && ok; i++) {
        struct vr_ws_received m = {0};

        do { /* beats come in between */
            vr_ws_received_fini(&m);
            ok = vr_ws_client_read(c[i], PATIENCE_MS, &m, NULL) == 0 && m.kind == VR_WS_TEXT;
        } while (ok && strstr(m.p, "\"event\":\"beat\""));
        ok = ok && strstr(m.p, "\"event\":\"wanted\"");
        vr_ws_received_fini(&m);
    }
    for (size_t i = 0; i < VR_COUNT(c); i++)
        vr_ws_client_free(c[i]);
    CHECK(ok);
}
