/* SPDX-License-Identifier: MIT */
/* Versions over HTTP: every noun is made, changed, compared and restored; what cannot be is said.
 */
#include "server/server_fixture.h"

#include "fmt/uri.h"
#include "server/api/version.h"
#include "store/app.h"

/* ------------------------------------------------------------------ asking */

static int send_with(struct rig *r, const char *method, const char *path, const char *user,
                     const char *header, const char *body)
{
    const char *headers[] = {"Content-Type: application/json", header, NULL};

    return rig_call(r,
                    (struct vr_http_call){.method = method,
                                          .user = user,
                                          .password = RIG_PASSWORD,
                                          .headers = headers,
                                          .body = body},
                    path);
}

static int send_json(struct rig *r, const char *method, const char *path, const char *body)
{
    return send_with(r, method, path, "ann", NULL, body);
}

/* A value of the newest answer by its path, "objects/0/changes/0/field"; given as compact JSON. */
static char *at(struct rig *r, const char *path)
{
    vr_auto_json json_t *doc = NULL;
    json_t *value;

    if (vr_json_parse(vr_str(r->last.body), VR_JSON_BYTES, &doc, NULL) < 0)
        return vr_strdup("not JSON");
    value = doc;
    while (*path && value) {
        size_t n = strcspn(path, "/");
        vr_auto_free char *name = vr_strndup(path, n);

        value = json_is_array(value) ? json_array_get(value, (size_t)(*name - '0'))
                                     : json_object_get(value, name);
        path += n + (path[n] == '/');
    }
    return value ? json_dumps(value, JSON_ENCODE_ANY | JSON_COMPACT | JSON_SORT_KEYS)
                 : vr_strdup("missing");
}

/* Whether it is this; shows both if not. */
static bool is(struct rig *r, const char *path, const char *want)
{
    vr_auto_free char *got = at(r, path);

    if (vr_streq(got, want))
        return true;
    fprintf(stderr, "# %s: %s instead of %s\n# in %s\n", path, got, want, r->last.body);
    return false;
}

/* The id of the version at a place of an object's list, 0 the newest. */
static char *version_at(struct rig *r, const char *uri, int place)
{
    vr_auto_free char *list = vr_strf("%sversions/", uri);
    vr_auto_free char *path = vr_strf("objects/%d/id", place);

    return rig_get(r, list, "ann") == 200 ? at(r, path) : vr_strdup("?");
}

static bool restore(struct rig *r, const char *uri, const char *version, const char *user,
                    int status)
{
    vr_auto_free char *path = vr_strf("%sversions/%s/restore/", uri, version);
    int got = send_with(r, "POST", path, user, NULL, NULL);

    if (got == status)
        return true;
    fprintf(stderr, "# %s: %d: %s\n", path, got, r->last.body ? r->last.body : "");
    return false;
}

/* The value of a field of an object now. */
static bool has(struct rig *r, const char *uri, const char *field, const char *want)
{
    return rig_get(r, uri, "ann") == 200 && is(r, field, want);
}

/* ------------------------------------------------------------------ every noun */

struct story {
    const char *title;
    const char *collection;
    const char *uri; /* of what is made; the first of its kind */
    const char *create;
    const char *patch;
    const char *field, *before, *after; /* what the patch changes, as JSON */
};

static const struct story stories[] = {
    {"app", "apps", "/api/v1/apps/shop/",
     "{\"name\":\"shop\",\"repo_url\":\"https://a.example/s\"}",
     "{\"repo_url\":\"https://b.example/s\"}", "repo_url", "\"https://a.example/s\"",
     "\"https://b.example/s\""},
    {"buildpack", "buildpacks", "/api/v1/buildpacks/1/",
     "{\"repo_url\":\"https://a.example/b\",\"order\":3}", "{\"order\":4}", "order", "3", "4"},
    {"ingredient", "ingredients", "/api/v1/ingredients/1/",
     "{\"name\":\"db\",\"config_yaml\":\"a: 1\\nb: 2\\n\"}", "{\"config_yaml\":\"a: 1\\nb: 3\\n\"}",
     "config_yaml", "\"a: 1\\nb: 2\\n\"", "\"a: 1\\nb: 3\\n\""},
    {"host", "hosts", "/api/v1/hosts/h1/", "{\"name\":\"h1\"}", "{\"active\":false}", "active",
     "true", "false"},
    {"user", "user", "/api/v1/user/2/",
     "{\"username\":\"raj\",\"password\":\"correct horse\",\"email\":\"a@b\"}",
     "{\"email\":\"c@d\"}", "email", "\"a@b\"", "\"c@d\""},
};

static bool make(struct rig *r, const struct story *s)
{
    vr_auto_free char *path = vr_strf("/api/v1/%s/", s->collection);
    int status = send_json(r, "POST", path, s->create);

    if (status != 201)
        fprintf(stderr, "# %s: %d: %s\n", s->title, status, r->last.body ? r->last.body : "");
    return status == 201;
}

static void change_and_go_back(const struct story *s)
{
    vr_auto_free char *list = vr_strf("%sversions/", s->uri);
    vr_auto_free char *field = vr_strf("\"%s\"", s->field);
    vr_auto_free char *first = NULL;
    RIG(r);

    CHECK(rig_start(&r));
    CHECK(make(&r, s));
    CHECK(send_json(&r, "PATCH", s->uri, s->patch) == 202);
    CHECK(rig_get(&r, list, "ann") == 200);
    CHECK(is(&r, "meta/total_count", "2"));
    CHECK(is(&r, "objects/0/action", "\"update\"") && is(&r, "objects/0/user", "\"ann\""));
    CHECK(is(&r, "objects/0/comment", "\"Updated from the API.\""));
    CHECK(is(&r, "objects/0/changes/0/field", field));
    CHECK(is(&r, "objects/1/action", "\"create\""));
    CHECK(is(&r, "objects/1/comment", "\"Created from the API.\""));
    first = version_at(&r, s->uri, 1);
    CHECK(has(&r, s->uri, s->field, s->after));
    CHECK(restore(&r, s->uri, first, "ann", 200));
    CHECK(is(&r, "created", "false") && is(&r, "changes/0/field", field));
    CHECK(has(&r, s->uri, s->field, s->before));
    CHECK(is(&r, "changed/user", "\"ann\""));
    CHECK(rig_get(&r, list, "ann") == 200 && is(&r, "objects/0/action", "\"restore\""));
    /* Once more: nothing is different, nothing is kept. */
    CHECK(restore(&r, s->uri, first, "ann", 200));
    CHECK(is(&r, "version", "null") && is(&r, "changes", "[]"));
    CHECK(rig_get(&r, list, "ann") == 200 && is(&r, "meta/total_count", "3"));
}

static void delete_and_bring_back(const struct story *s)
{
    vr_auto_free char *all = vr_strf("/api/v1/%s/", s->collection);
    vr_auto_free char *newest = NULL;
    vr_auto_free char *again = NULL;
    RIG(r);

    CHECK(rig_start(&r));
    CHECK(make(&r, s));
    CHECK(send_json(&r, "DELETE", s->uri, NULL) == 204);
    CHECK(rig_get(&r, s->uri, "ann") == 404);
    newest = version_at(&r, s->uri, 0);
    CHECK(is(&r, "objects/0/action", "\"delete\""));
    CHECK(restore(&r, s->uri, newest, "ann", 201));
    CHECK(is(&r, "created", "true") && is(&r, "id", "2"));
    again = at(&r, "resource_uri");
    again[strlen(again) - 1] = '\0'; /* without its quotes */
    CHECK(has(&r, again + 1, s->field, s->before));
    CHECK(send_json(&r, "DELETE", again + 1, NULL) == 204);
    CHECK(restore(&r, all, newest, "ann", 201) && is(&r, "id", "3"));
}

TEST(history__an_app__goes_back)
{
    change_and_go_back(&stories[0]);
}

TEST(history__an_app__comes_back)
{
    delete_and_bring_back(&stories[0]);
}

TEST(history__a_buildpack__goes_back)
{
    change_and_go_back(&stories[1]);
}

TEST(history__a_buildpack__comes_back)
{
    delete_and_bring_back(&stories[1]);
}

TEST(history__an_ingredient__goes_back)
{
    change_and_go_back(&stories[2]);
}

TEST(history__an_ingredient__comes_back)
{
    delete_and_bring_back(&stories[2]);
}

TEST(history__a_host__goes_back)
{
    change_and_go_back(&stories[3]);
}

TEST(history__a_host__comes_back)
{
    delete_and_bring_back(&stories[3]);
}

TEST(history__a_user__goes_back)
{
    change_and_go_back(&stories[4]);
}

TEST(history__a_deleted_user__is_not_made_without_a_password)
{
    vr_auto_free char *newest = NULL;
    RIG(r);

    CHECK(rig_start(&r));
    CHECK(make(&r, &stories[VR_COUNT(stories) - 1]));
    CHECK(rig_get(&r, "/api/v1/user/2/versions/", "ann") == 200);
    CHECK(!strstr(r.last.body, "argon2") && !strstr(r.last.body, "correct horse"));
    CHECK(!strstr(r.last.body, "\"field\":\"password\""));
    CHECK(send_json(&r, "DELETE", "/api/v1/user/2/", NULL) == 204);
    newest = version_at(&r, "/api/v1/user/2/", 0);
    CHECK(restore(&r, "/api/v1/user/2/", newest, "ann", 409));
    CHECK(rig_says(&r, "password"));
}

/* ------------------------------------------------------------------ swarms */

#define SWARM "/api/v1/swarms/1/"

/* An app, two squads, two ingredients and a swarm. */
static bool start_swarm(struct rig *r)
{
    return rig_start(r) &&
           send_json(r, "POST", "/api/v1/apps/",
                     "{\"name\":\"shop\",\"repo_url\":\"https://a.example/s\"}") == 201 &&
           send_json(r, "POST", "/api/v1/squads/", "{\"name\":\"dc1\"}") == 201 &&
           send_json(r, "POST", "/api/v1/squads/", "{\"name\":\"dc2\"}") == 201 &&
           send_json(r, "POST", "/api/v1/ingredients/", "{\"name\":\"db\"}") == 201 &&
           send_json(r, "POST", "/api/v1/ingredients/", "{\"name\":\"mail\"}") == 201 &&
           send_json(r, "POST", "/api/v1/swarms/",
                     "{\"app\":\"/api/v1/apps/shop/\",\"squad\":\"/api/v1/squads/dc1/\","
                     "\"config_name\":\"prod\",\"proc_name\":\"web\",\"version\":\"v1\","
                     "\"config_yaml\":\"a: 1\\nb: 2\\nc: 3\\nd: 4\\ne: 5\\nf: 6\\ng: 7\\n\","
                     "\"volumes\":[[\"/var/x\",\"/x\"]],"
                     "\"config_ingredients\":[\"/api/v1/ingredients/1/\"]}") == 201;
}

TEST(history__a_swarm__shows_lines_names_and_lists)
{
    RIG(r);

    CHECK(start_swarm(&r));
    CHECK(send_json(&r, "PATCH", SWARM,
                    "{\"squad\":\"/api/v1/squads/dc2/\",\"version\":\"v2\",\"size\":3,"
                    "\"config_yaml\":\"a: 1\\nb: 2\\nc: 3\\nd: 4\\ne: 5\\nf: 9\\ng: 7\\n\","
                    "\"config_ingredients\":[{\"name\":\"mail\"}],\"drain_secs\":99}") == 202);
    CHECK(rig_get(&r, SWARM "versions/?limit=1", "ann") == 200);
    CHECK(is(&r, "meta/total_count", "2") && is(&r, "objects/1", "missing"));
    CHECK(is(&r, "objects/0/changes/0",
             "{\"diff\":[\"- dc1\",\"+ dc2\"],\"field\":\"squad\",\"kind\":\"text\","
             "\"new\":\"dc2\",\"old\":\"dc1\"}"));
    CHECK(is(&r, "objects/0/changes/1/field", "\"version\""));
    CHECK(is(&r, "objects/0/changes/2",
             "{\"diff\":[\"- 1\",\"+ 3\"],\"field\":\"size\",\"kind\":\"text\",\"new\":3,"
             "\"old\":1}"));
    CHECK(is(&r, "objects/0/changes/3",
             "{\"diff\":[\" …\",\"  c: 3\",\"  d: 4\",\"  e: 5\",\"- f: 6\",\"+ f: 9\","
             "\"  g: 7\"],\"field\":\"config_yaml\",\"kind\":\"yaml\",\"new\":null,\"old\":null}"));
    CHECK(is(&r, "objects/0/changes/4/field", "\"policy\""));
    CHECK(is(&r, "objects/0/changes/5",
             "{\"diff\":[\"- db\",\"+ mail\"],\"field\":\"config_ingredients\",\"kind\":\"list\","
             "\"new\":[\"mail\"],\"old\":[\"db\"]}"));
    CHECK(is(&r, "objects/0/changes/6", "missing"));
}

TEST(history__a_swarm__goes_back_whole)
{
    vr_auto_free char *first = NULL;
    vr_auto_free char *plan = NULL;
    RIG(r);

    CHECK(start_swarm(&r));
    CHECK(send_json(&r, "PATCH", SWARM,
                    "{\"squad\":\"/api/v1/squads/dc2/\",\"version\":\"v2\",\"volumes\":[],"
                    "\"config_yaml\":\"\",\"config_ingredients\":[],\"drain_secs\":99}") == 202);
    first = version_at(&r, SWARM, 1);
    plan = vr_strf(SWARM "versions/%s/restore/?plan=1", first);
    CHECK(send_json(&r, "POST", plan, NULL) == 200);
    CHECK(is(&r, "plan/changes/0/field", "\"squad\"") && is(&r, "plan/created", "false"));
    CHECK(has(&r, SWARM, "version", "\"v2\""));
    CHECK(rig_get(&r, SWARM "versions/", "ann") == 200 && is(&r, "meta/total_count", "2"));

    CHECK(restore(&r, SWARM, first, "ann", 200));
    CHECK(has(&r, SWARM, "version", "\"v1\""));
    CHECK(is(&r, "squad", "\"/api/v1/squads/dc1/\"") && is(&r, "policy/drain_secs", "10"));
    CHECK(is(&r, "volumes", "[[\"/var/x\",\"/x\"]]"));
    CHECK(is(&r, "config_ingredients", "[\"/api/v1/ingredients/1/\"]"));
    CHECK(rig_get(&r, "/api/v1/logs/?limit=1", "ann") == 200);
    CHECK(is(&r, "objects/0/type", "\"restore\""));
    CHECK(is(&r, "objects/0/message", "\"restore swarm shop-v1-prod-web\""));
    CHECK(is(&r, "objects/0/app", "\"shop\"") && is(&r, "objects/0/resource", "\"swarms\""));
}

TEST(history__what_is_gone__is_named_and_nothing_is_done)
{
    vr_auto_free char *first = NULL;
    vr_auto_free char *again = NULL;
    vr_auto_free char *row_version = NULL;
    RIG(r);

    CHECK(start_swarm(&r));
    CHECK(send_json(&r, "PATCH", SWARM, "{\"config_ingredients\":[],\"version\":\"v2\"}") == 202);
    CHECK(rig_get(&r, SWARM, "ann") == 200);
    row_version = at(&r, "row_version");
    CHECK(send_json(&r, "DELETE", "/api/v1/ingredients/1/", NULL) == 204);
    first = version_at(&r, SWARM, 1);
    CHECK(restore(&r, SWARM, first, "ann", 409));
    CHECK(rig_says(&r, "cannot be restored: ingredients 'db' does not exist"));
    CHECK(has(&r, SWARM, "version", "\"v2\"") && is(&r, "row_version", row_version));
    CHECK(rig_get(&r, SWARM "versions/", "ann") == 200 && is(&r, "meta/total_count", "2"));
    /* One that is called so again is as good. */
    CHECK(send_json(&r, "POST", "/api/v1/ingredients/", "{\"name\":\"db\"}") == 201);
    CHECK(restore(&r, SWARM, first, "ann", 200));
    CHECK(has(&r, SWARM, "config_ingredients", "[\"/api/v1/ingredients/3/\"]"));
    /* And a deleted swarm whose app is gone. */
    again = version_at(&r, SWARM, 0);
    CHECK(send_json(&r, "DELETE", SWARM, NULL) == 204);
    CHECK(send_json(&r, "DELETE", "/api/v1/apps/shop/", NULL) == 204);
    CHECK(restore(&r, "/api/v1/swarms/", again, "ann", 409) && rig_says(&r, "apps 'shop'"));
}

TEST(history__versions__are_compared_with_any_other)
{
    vr_auto_free char *first = NULL;
    vr_auto_free char *third = NULL;
    vr_auto_free char *show = NULL;
    vr_auto_free char *other = NULL;
    vr_auto_free char *current = NULL;
    RIG(r);

    CHECK(start_swarm(&r));
    CHECK(send_json(&r, "PATCH", SWARM, "{\"size\":2}") == 202);
    CHECK(send_json(&r, "PATCH", SWARM, "{\"size\":3}") == 202);
    CHECK(send_json(&r, "PATCH", SWARM, "{\"size\":4}") == 202);
    first = version_at(&r, SWARM, 3);
    third = version_at(&r, SWARM, 1);
    show = vr_strf(SWARM "versions/%s/", third);
    other = vr_strf("%s?against=%s", show, first);
    current = vr_strf("%s?against=current", show);
    CHECK(rig_get(&r, show, "ann") == 200);
    CHECK(is(&r, "state/size", "3") && is(&r, "state/app/name", "\"shop\""));
    CHECK(is(&r, "changes/0/diff", "[\"- 2\",\"+ 3\"]"));
    CHECK(rig_get(&r, other, "ann") == 200 && is(&r, "changes/0/diff", "[\"- 1\",\"+ 3\"]"));
    CHECK(rig_get(&r, current, "ann") == 200 && is(&r, "changes/0/diff", "[\"- 4\",\"+ 3\"]"));
}

/* ------------------------------------------------------------------ what came before */

TEST(history__what_is_older_than_its_history__is_found_first)
{
    VR_OWNED(vr_tx_free) struct vr_tx *tx = NULL;
    struct vr_app_row app = {.name = (char *)"old",
                             .repo_url = (char *)"https://a.example/o",
                             .repo_type = (char *)"git"};
    RIG(r);

    CHECK(rig_start(&r));
    CHECK(vr_store_begin(r.server.store, VR_DB_WRITE, &tx, &r.err) == 0);
    CHECK(vr_store_app_insert(tx, &app, &app.id, &r.err) == 0);
    CHECK(vr_store_commit(tx, NULL, &r.err) == 0);
    tx = vr_tx_free(tx);
    CHECK(send_json(&r, "PATCH", "/api/v1/apps/old/", "{\"repo_url\":\"https://b.example/o\"}") ==
          202);
    CHECK(rig_get(&r, "/api/v1/apps/old/versions/", "ann") == 200);
    CHECK(is(&r, "meta/total_count", "2") && is(&r, "objects/1/action", "\"found\""));
    CHECK(is(&r, "objects/1/user", "null") && is(&r, "objects/1/changes", "[]"));
    CHECK(is(&r, "objects/0/changes/0/old", "\"https://a.example/o\""));

    /* And what the platform itself changed is not the next user's. */
    CHECK(vr_store_begin(r.server.store, VR_DB_WRITE, &tx, &r.err) == 0);
    app.repo_url = (char *)"https://c.example/o";
    CHECK(vr_store_app_update(tx, &app, &r.err) == 0);
    CHECK(vr_store_commit(tx, NULL, &r.err) == 0);
    CHECK(send_json(&r, "PATCH", "/api/v1/apps/old/", "{\"repo_url\":\"https://d.example/o\"}") ==
          202);
    CHECK(rig_get(&r, "/api/v1/apps/old/versions/", "ann") == 200);
    CHECK(is(&r, "objects/1/action", "\"found\""));
    CHECK(is(&r, "objects/1/changes/0/new", "\"https://c.example/o\""));
    CHECK(is(&r, "objects/0/changes/0/old", "\"https://c.example/o\""));
}

/* ------------------------------------------------------------------ two at once, rights, nonsense
 */

TEST(history__a_second_editor__is_told_who_was_first)
{
    RIG(r);
    int64_t id;
    vr_auto_free char *first = NULL;
    vr_auto_free char *path = NULL;

    CHECK(start_swarm(&r));
    CHECK(rig_add_user(&r, "raj", "deployer", &id) == 0);
    CHECK(send_with(&r, "PATCH", SWARM, "raj", "If-Match: \"2\"", "{\"size\":2}") == 202);
    CHECK(send_with(&r, "PATCH", SWARM, "ann", "If-Match: \"2\"", "{\"size\":3}") == 412);
    CHECK(rig_says(&r, "it was changed meanwhile"));
    CHECK(is(&r, "current/row_version", "3") && is(&r, "current/changed_by", "\"raj\""));
    CHECK(strstr(r.last.body, "\"changed_at\":\"20"));
    first = version_at(&r, SWARM, 1);
    path = vr_strf(SWARM "versions/%s/restore/", first);
    CHECK(send_with(&r, "POST", path, "ann", "If-Match: \"2\"", NULL) == 412);
    CHECK(is(&r, "current/changed_by", "\"raj\""));
    CHECK(send_with(&r, "DELETE", SWARM, "ann", "If-Match: \"2\"", NULL) == 412);
    CHECK(send_with(&r, "POST", path, "ann", "If-Match: \"3\"", NULL) == 200);
}

TEST(history__a_viewer__reads_and_cannot_restore)
{
    vr_auto_free char *first = NULL;
    RIG(r);
    int64_t id;

    CHECK(start_swarm(&r));
    CHECK(rig_add_user(&r, "vic", "viewer", &id) == 0);
    first = version_at(&r, SWARM, 0);
    CHECK(rig_get(&r, SWARM "versions/", "vic") == 200);
    CHECK(restore(&r, SWARM, first, "vic", 403));
    CHECK(restore(&r, "/api/v1/swarms/", first, "vic", 403));
}

TEST(history__hostile_ids__are_404_and_of_others_too)
{
    static const char *const ids[] = {
        "0", "-1", "x", "99999999999999999999", "4711", "%00", "1e3", "' OR 1=1", "1;2"};
    vr_auto_free char *of_squad = NULL;
    RIG(r);

    CHECK(start_swarm(&r));
    for (size_t i = 0; i < VR_COUNT(ids); i++) {
        vr_auto_free char *encoded = vr_uri_encode(ids[i]);
        vr_auto_free char *show = vr_strf(SWARM "versions/%s/", encoded);
        vr_auto_free char *list = vr_strf("/api/v1/swarms/%s/versions/", encoded);
        vr_auto_free char *named = vr_strf("/api/v1/apps/%s/versions/", encoded);

        CHECK(rig_get(&r, show, "ann") == 404);
        CHECK(restore(&r, SWARM, encoded, "ann", 404));
        CHECK(restore(&r, "/api/v1/swarms/", encoded, "ann", 404));
        CHECK(rig_get(&r, list, "ann") == 404);
        CHECK(rig_get(&r, named, "ann") == 404);
    }
    of_squad = version_at(&r, "/api/v1/squads/dc1/", 0);
    CHECK(restore(&r, SWARM, of_squad, "ann", 404));
    CHECK(restore(&r, "/api/v1/squads/dc2/", of_squad, "ann", 404));
    CHECK(rig_get(&r, SWARM "versions/?limit=x", "ann") == 400);
}

TEST(history__a_comment__is_the_users)
{
    char header[VR_VERSION_COMMENT_MAX + 32] = "X-Comment: ";
    RIG(r);

    CHECK(start_swarm(&r));
    CHECK(send_with(&r, "PATCH", SWARM, "ann", "X-Comment: for black friday", "{\"size\":9}") ==
          202);
    CHECK(rig_get(&r, SWARM "versions/", "ann") == 200);
    CHECK(is(&r, "objects/0/comment", "\"for black friday\""));
    CHECK(send_json(&r, "PATCH", SWARM "?comment=too%20many", "{\"size\":1}") == 202);
    CHECK(rig_get(&r, SWARM "versions/", "ann") == 200);
    CHECK(is(&r, "objects/0/comment", "\"too many\""));
    memset(header + strlen(header), 'x', VR_VERSION_COMMENT_MAX + 1);
    CHECK(send_with(&r, "PATCH", SWARM, "ann", header, "{\"size\":2}") == 400);
    CHECK(rig_says(&r, "comment is longer"));
    CHECK(has(&r, SWARM, "size", "1"));
}

TEST(history__a_users_grants__are_a_list)
{
    vr_auto_free char *before = NULL;
    RIG(r);
    int64_t id;

    CHECK(rig_start(&r));
    CHECK(make(&r, &stories[0]));
    CHECK(rig_add_user(&r, "raj", "viewer", &id) == 0 && id == 2);
    CHECK(send_json(&r, "PATCH", "/api/v1/user/2/",
                    "{\"grants\":[{\"app\":\"/api/v1/apps/shop/\",\"role\":\"deployer\"}]}") ==
          202);
    CHECK(send_json(&r, "PATCH", "/api/v1/user/2/", "{\"grants\":[]}") == 202);
    CHECK(rig_get(&r, "/api/v1/user/2/versions/", "ann") == 200);
    CHECK(is(&r, "objects/0/changes/0/diff", "[\"- shop\"]"));
    CHECK(is(&r, "objects/1/changes/0/diff", "[\"+ shop\"]"));
    before = at(&r, "objects/1/id");
    CHECK(restore(&r, "/api/v1/user/2/", before, "ann", 200));
    CHECK(is(&r, "changes/0/diff", "[\"+ shop\"]"));
}

TEST(history__a_squads_hosts__are_a_list)
{
    vr_auto_free char *before = NULL;
    RIG(r);

    CHECK(rig_start(&r));
    CHECK(send_json(&r, "POST", "/api/v1/squads/", "{\"name\":\"dc1\"}") == 201);
    CHECK(send_json(&r, "POST", "/api/v1/hosts/", "{\"name\":\"h1\"}") == 201);
    CHECK(send_json(&r, "PATCH", "/api/v1/squads/dc1/", "{\"hosts\":[\"/api/v1/hosts/h1/\"]}") ==
          202);
    CHECK(rig_get(&r, "/api/v1/squads/dc1/versions/", "ann") == 200);
    CHECK(is(&r, "objects/0/changes/0/diff", "[\"+ h1\"]"));
    before = at(&r, "objects/1/id");
    CHECK(restore(&r, "/api/v1/squads/dc1/", before, "ann", 200));
    CHECK(has(&r, "/api/v1/hosts/h1/", "squad", "null"));
}
