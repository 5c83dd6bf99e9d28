/* SPDX-License-Identifier: MIT */
/* Those who wait, over real HTTP: long-polls of agents, event streams, logs. */
#include "server/proc_logs.h"
#include "server/stream_fixture.h"
#include "store/event.h"
#include "store/host.h"

#include <inttypes.h>

/* ------------------------------------------------------------------ rows */

static char *enrol_as(struct rig *r, const char *name, const char *token, const char *address)
{
    static const char *const headers[] = {"X-Velociraptor-Protocol: 1",
                                          "Content-Type: application/json", NULL};
    vr_auto_free char *body =
        vr_strf("{\"join_token\": \"%s\", \"name\": \"%s\", \"address\": \"%s\", \"squad\": "
                "\"default\", \"roles\": [\"app\"], \"version\": \"0.1.0\", \"boot\": \"b\"}",
                token, name, address);
    vr_auto_json json_t *doc = NULL;
    const char *found;

    if (rig_call(r, (struct vr_http_call){.method = "POST", .headers = headers, .body = body},
                 "/agent/v1/enroll") != 200 ||
        vr_json_parse(vr_str(r->last.body), VR_JSON_BYTES, &doc, NULL) < 0)
        return NULL;
    found = json_string_value(json_object_get(doc, "host_token"));
    return found ? vr_strdup(found) : NULL;
}

static char *enrol(struct rig *r)
{
    return enrol_as(r, "h1", RIG_JOIN_TOKEN, "127.0.0.1");
}

static bool add_events(struct rig *r, int64_t host, int first, int count)
{
    VR_OWNED(vr_tx_free) struct vr_tx *tx = NULL;

    if (vr_store_begin(r->server.store, VR_DB_WRITE, &tx, &r->err) < 0)
        return false;
    for (int i = first; i < first + count; i++) {
        vr_auto_free char *title = vr_strf("event %d;", i);
        struct vr_event event = {
            .kind = "event", .title = title, .message = "m", .time = vr_wall_now()};

        vr_store_event_add(tx, &event);
    }
    vr_store_touch_host(tx, host);
    return vr_server_commit(&r->server, tx, &r->err) == 0;
}

/* Are the numbers behind `id: ` rising all the way? */
static bool ids_rise(const char *text)
{
    int64_t last = 0, id;

    while ((text = strstr(text, "id: "))) {
        text += 4;
        if (vr_parse_i64((struct vr_str){text, strcspn(text, "\n")}, 1, INT64_MAX, &id, NULL) < 0 ||
            id <= last)
            return false;
        last = id;
    }
    return last > 0;
}

/* ------------------------------------------------------------------ long-polls */

static int desired(struct rig *r, const char *token, const char *query)
{
    static const char *const headers[] = {"X-Velociraptor-Protocol: 1", NULL};
    vr_auto_free char *path = vr_strf("/agent/v1/desired%s", query);

    return rig_call(r, (struct vr_http_call){.bearer = token, .headers = headers}, path);
}

static int64_t number_of(struct rig *r, const char *name)
{
    vr_auto_json json_t *doc = NULL;

    if (vr_json_parse(vr_str(r->last.body), VR_JSON_BYTES, &doc, NULL) < 0)
        return -1;
    return json_integer_value(json_object_get(doc, name));
}

TEST(desired__of_another_rev__is_answered_at_once)
{
    RIG(r);
    vr_auto_free char *token = NULL;

    CHECK(rig_start(&r));
    token = enrol(&r);
    CHECK(token != NULL);
    CHECK(desired(&r, token, "?rev=-1&session=0&wait=20") == 200);
    CHECK(strstr(r.last.body, "\"cluster\"") != NULL);
}

TEST(desired__unchanged__is_204_after_the_wait)
{
    RIG(r);
    vr_auto_free char *token = NULL;
    vr_auto_free char *query = NULL;

    CHECK(rig_start(&r));
    token = enrol(&r);
    CHECK(token && desired(&r, token, "") == 200);
    query = vr_strf("?rev=%" PRId64 "&session=%" PRId64 "&wait=0", number_of(&r, "rev"),
                    number_of(&r, "session"));
    CHECK(desired(&r, token, query) == 204);
}

TEST(desired__changed_while_it_waits__is_answered)
{
    RIG(r);
    struct reader d = {0};
    vr_auto_free char *token = NULL;
    vr_auto_free char *path = NULL;
    bool came;

    CHECK(rig_start(&r));
    token = enrol(&r);
    CHECK(token && desired(&r, token, "") == 200);
    path = vr_strf("/agent/v1/desired?rev=%" PRId64 "&session=%" PRId64 "&wait=55",
                   number_of(&r, "rev"), number_of(&r, "session"));
    CHECK(reader_start(&d, &r, path, NULL, token));
    while (vr_http_server_waiting(r.server.http) == 0)
        sched_yield();
    came = add_events(&r, 1, 0, 1) && reader_await(&d, NULL);
    reader_end(&d);
    CHECK(came);
    CHECK(d.status == 200);
}

TEST(agents__wrong_join_token_address_protocol_or_host_token__are_refused)
{
    static const char *const headers[] = {"X-Velociraptor-Protocol: 9", NULL};
    RIG(r);
    vr_auto_free char *a = NULL;
    vr_auto_free char *b = NULL;

    CHECK(rig_start(&r));
    a = enrol_as(&r, "h1", "guess", "127.0.0.1");
    CHECK(!a && r.last.status == 403);
    b = enrol_as(&r, "h1", RIG_JOIN_TOKEN, "evil; host");
    CHECK(!b && r.last.status == 400);
    CHECK(desired(&r, "vr_unknown", "") == 401);
    CHECK(rig_call(&r, (struct vr_http_call){.headers = headers}, "/agent/v1/desired") == 426);
}

TEST(agents__a_report_of_an_old_session__is_409_with_the_session_of_now)
{
    static const char *const headers[] = {"X-Velociraptor-Protocol: 1", NULL};
    RIG(r);
    vr_auto_free char *token = NULL;

    CHECK(rig_start(&r));
    token = enrol(&r);
    CHECK(token != NULL);
    CHECK(rig_call(&r,
                   (struct vr_http_call){.method = "POST",
                                         .bearer = token,
                                         .headers = headers,
                                         .body = "{\"session\": 4711, \"seq\": 1, \"full\": true}"},
                   "/agent/v1/report") == 409);
    CHECK(strstr(r.last.body, "\"session\"") != NULL && number_of(&r, "session") != 4711);
    CHECK(rig_call(&r,
                   (struct vr_http_call){.method = "POST",
                                         .bearer = token,
                                         .headers = headers,
                                         .body = "{\"seq\": \"x\"}"},
                   "/agent/v1/report") == 400);
}

TEST(blobs__uploaded_and_fetched__are_the_same_bytes)
{
    static const char *const headers[] = {"X-Velociraptor-Protocol: 1", NULL};
    struct vr_http_call put = {.method = "PUT", .headers = headers, .body = "slug"};
    RIG(r);
    vr_auto_free char *token = NULL;
    char hex[VR_SHA256_HEX];
    vr_auto_free char *path = NULL;

    CHECK(rig_start(&r));
    token = enrol(&r);
    CHECK(token != NULL);
    put.bearer = token;
    vr_sha256_hex("slug", 4, hex);
    path = vr_strf("/agent/v1/blobs/%s", hex);
    CHECK(rig_call(&r, put, path) == 201);
    CHECK(rig_call(&r, put, path) == 200);
    CHECK(rig_call(&r, (struct vr_http_call){.bearer = token, .headers = headers}, path) == 200);
    CHECK_STR(r.last.body, "slug");
    put.body = "other bytes";
    CHECK(rig_call(&r, put, path) == 422);
    CHECK(rig_call(&r, put, "/agent/v1/blobs/nonsense") == 400);
}

/* ------------------------------------------------------------------ events */

TEST(stream__of_events__gets_those_behind_its_id_and_new_ones_in_order)
{
    RIG(r);
    struct reader d = {0};
    bool came;

    CHECK(rig_start(&r));
    CHECK(add_events(&r, 0, 0, 20));
    CHECK(reader_start(&d, &r, "/api/v1/stream/?after=0", "ann", NULL));
    came = reader_await(&d, "event 19;");
    for (int i = 0; i < 50 && came; i++)
        came = add_events(&r, 0, 20 + i * 10, 10);
    came = came && reader_await(&d, "event 519;");
    reader_end(&d);
    CHECK(came);
}

TEST(stream__many_that_begin_at_different_ids__miss_nothing)
{
    RIG(r);
    struct reader d[8] = {0};
    bool ok;

    CHECK(rig_start(&r));
    CHECK(rig_get(&r, "/api/v1/whoami/", "ann") == 200); /* few may log in at once anew */
    ok = add_events(&r, 0, 0, 1200);                     /* more than is read at once */
    for (size_t i = 0; i < VR_COUNT(d) && ok; i++) {
        vr_auto_free char *path = vr_strf("/api/v1/stream/?after=%d", i % 2 ? 0 : 1100);

        ok = reader_start(&d[i], &r, path, "ann", NULL) && add_events(&r, 0, 1200 + (int)i, 1);
    }
    for (size_t i = 0; i < VR_COUNT(d) && ok; i++) {
        const char *text;

        ok = reader_await(&d[i], "event 1207;");
        pthread_mutex_lock(&d[i].lock);
        text = d[i].text.len ? vr_buf_text(&d[i].text) : "";
        ok = ok && ids_rise(text);
        for (int k = i % 2 ? 0 : 1100; k < 1208 && ok; k++) {
            vr_auto_free char *title = vr_strf("event %d;", k);

            ok = strstr(text, title) != NULL;
            if (!ok)
                fprintf(stderr, "# stream %zu misses %s\n", i, title);
        }
        pthread_mutex_unlock(&d[i].lock);
    }
    for (size_t i = 0; i < VR_COUNT(d); i++)
        reader_end(&d[i]);
    CHECK(ok);
}

TEST(stream__behind_an_id_of_the_future__is_reset)
{
    RIG(r);
    struct reader d = {0};
    bool came;

    CHECK(rig_start(&r));
    CHECK(add_events(&r, 0, 0, 1));
    CHECK(reader_start(&d, &r, "/api/v1/stream/?after=4711", "ann", NULL));
    came = reader_await(&d, "event: reset");
    reader_end(&d);
    CHECK(came);
}

/* ------------------------------------------------------------------ logs */

/* Put aside in a handler of its own: the API's needs a proc. */
struct log_rig {
    struct vr_server server;
    struct vr_http_server *http;
    bool as_events;
    int64_t from;
};

static bool piece(struct log_rig *l, const char *id, int64_t host_id, const char *text,
                  bool is_last)
{
    return vr_proc_logs_piece(
        vr_hub_proc_logs(l->server.hub),
        &(struct vr_log_piece){
            .id = id, .host_id = host_id, .text = vr_str(text), .at = -1, .is_last = is_last});
}

static void serve_log(void *user, struct vr_http_req *req)
{
    struct log_rig *l = user;

    struct vr_log_wish wish = {.host_id = 7,
                               .proc_id = 12,
                               .from = l->from,
                               .lines = 20,
                               .follow = true,
                               .as_events = l->as_events};

    vr_proc_logs_read(vr_hub_proc_logs(l->server.hub), req, &wish);
}

static char *stream_id(struct vr_hub *hub)
{
    struct vr_mono until = vr_mono_add_ms(vr_mono_now(), PATIENCE_MS);
    bool is_new;

    while (vr_mono_now().ns < until.ns) {
        vr_auto_free char *text = vr_proc_logs_json(vr_hub_proc_logs(hub), 7, &is_new);
        vr_auto_json json_t *list = NULL;
        const char *id;

        if (vr_json_parse(vr_str(text), VR_JSON_BYTES, &list, NULL) == 0 &&
            (id = json_string_value(json_object_get(json_array_get(list, 0), "id"))))
            return vr_strdup(id);
        sched_yield();
    }
    return NULL;
}

/* What a client reads of a log of these pieces, the last one ended; given. */
static char *read_log(bool as_events, const char *const *pieces)
{
    struct log_rig l = {.as_events = as_events, .from = -1};
    struct vr_http_server_spec spec = {.address = "127.0.0.1", .handle = serve_log, .user = &l};
    struct rig base = {0};
    struct reader d = {0};
    vr_auto_free char *url = vr_strf("sqlite:%s/log%d.db", vr_tap_dir(), as_events);
    vr_auto_free char *id = NULL;
    char *text = NULL;
    bool ok;

    vr_log_init(&l.server.log, NULL, "part", "test");
    if (vr_store_open(url, NULL, &l.server.store, NULL) < 0 ||
        vr_hub_start(&l.server, &l.server.hub, NULL) < 0 ||
        vr_http_server_start(&spec, &l.http, NULL) < 0)
        return NULL;
    snprintf(base.base, sizeof(base.base), "http://127.0.0.1:%d", (int)vr_http_server_port(l.http));
    ok = reader_start(&d, &base, "/", NULL, NULL) && (id = stream_id(l.server.hub));
    ok = ok && !piece(&l, id, 8, "of another host", false);
    for (; ok && *pieces; pieces++)
        ok = piece(&l, id, 7, *pieces, !pieces[1]);
    ok = ok && reader_await(&d, NULL);
    if (ok && !piece(&l, id, 7, "too late", false))
        text = vr_strdup(d.text.len ? vr_buf_text(&d.text) : "");
    reader_end(&d);
    vr_http_server_stop(l.http);
    vr_hub_stop(l.server.hub);
    vr_store_free(l.server.store);
    return text;
}

TEST(log__as_text__is_what_the_host_sent)
{
    static const char *const pieces[] = {"one\ntw", "o\n", "three", NULL};
    vr_auto_free char *text = read_log(false, pieces);

    CHECK_STR(text, "one\ntwo\nthree");
}

TEST(log__as_events__is_one_a_line_with_the_unfinished_last)
{
    static const char *const pieces[] = {"one\ntw", "o\n", "three", NULL};
    vr_auto_free char *text = read_log(true, pieces);

    CHECK_STR(text, "data: one\n\ndata: two\n\ndata: three\n\n");
}

TEST(log__as_events__a_line_cannot_forge_an_event)
{
    static const char *const pieces[] = {"a\r\rid: 5\rdata: forged\n", NULL};
    vr_auto_free char *text = read_log(true, pieces);

    CHECK_STR(text, "data: a  id: 5 data: forged\n\n");
}
