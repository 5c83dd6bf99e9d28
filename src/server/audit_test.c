/* SPDX-License-Identifier: MIT */
/* The audit log: one entry a change, whoever asks and whatever for; refusals within their limit. */
#include "server/server_fixture.h"
#include "server/session.h"
#include "model/log_csv.h"
#include "store/image.h"
#include "store/log.h"
#include "store/stack.h"
#include "store/store_fixture.h"

#include <inttypes.h>

static int ask(struct rig *r, const char *method, const char *path, const char *user,
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

/* Entries that a filter finds, the newest of them in *out (given). */
static int64_t count(struct rig *r, const char *filter, json_t **out)
{
    vr_auto_free char *path = vr_strf("/api/v1/logs/?limit=1&%s", filter);
    vr_auto_json json_t *doc = NULL;
    int64_t n = -1;

    if (rig_get(r, path, "ann") == 200 &&
        vr_json_parse(vr_str(r->last.body), VR_JSON_BYTES, &doc, NULL) == 0)
        n = json_integer_value(json_object_get(json_object_get(doc, "meta"), "total_count"));
    if (out)
        *out = json_incref(json_array_get(json_object_get(doc, "objects"), 0));
    return n;
}

static bool has(const json_t *entry, const char *field, const char *want)
{
    const char *got = json_string_value(json_object_get(entry, field));

    if (vr_streq(got, want))
        return true;
    fprintf(stderr, "# %s: '%s' instead of '%s'\n", field, got ? got : "", want);
    return false;
}

/* ------------------------------------------------------------------ every route that writes */

#define RELEASED  "00000000000000000000000000000001" /* ids of rollouts */
#define NEWER     "00000000000000000000000000000002"
#define FAILED    "00000000000000000000000000000003"
#define UNDER_WAY "00000000000000000000000000000004"

static int add_ended(struct fixture *f, const char *id, int64_t release, const char *result)
{
    struct vr_rollout_row row = {.id = (char *)id,
                                 .swarm_id = f->swarm,
                                 .kind = (char *)"dispatch",
                                 .wish_json = (char *)"{\"app\":\"hello\"}",
                                 .state = (char *)"active",
                                 .tag = (char *)"v1",
                                 .commit_id = (char *)"c0ffee",
                                 .build_id = f->build,
                                 .release_id = release,
                                 .proc_name = (char *)"web",
                                 .config_name = (char *)"prod",
                                 .size = 2,
                                 .squad_id = f->squad,
                                 .policy_json = (char *)"{}",
                                 .resolve_json = (char *)"{}",
                                 .created_us = NOW.us};
    int r = vr_store_rollout_insert(f->tx, &row, NULL, NULL);

    return r == 0 && result ? vr_store_rollout_end(f->tx, id, result, NOW, NULL) : r;
}

/* A second release, so that there is one to go back to; and rollouts in every state. */
static int add_rollouts(struct fixture *f)
{
    struct vr_release_row release = {.build_id = f->build,
                                     .env_json = (char *)"{\"A\":\"2\"}",
                                     .config_json = (char *)"{}",
                                     .hash = (char *)"ef56ab78",
                                     .content_sha256 = (char *)"content2",
                                     .created_us = NOW.us};
    int64_t newer = 0;
    bool made;
    int r = vr_store_release_take(f->tx, &release, &newer, &made, NULL);

    if (r == 0)
        r = add_ended(f, RELEASED, f->release, "done");
    if (r == 0)
        r = add_ended(f, NEWER, newer, "done");
    if (r == 0)
        r = add_ended(f, FAILED, newer, "failed");
    return r < 0 ? r : add_ended(f, UNDER_WAY, newer, NULL);
}

/* The build has a Procfile, and a stack has a built image. */
static int add_files(struct fixture *f)
{
    VR_ROW(build) build = {0};
    struct vr_stack_row stack = {.name = (char *)"jammy"};
    struct vr_image_row image = {.name = (char *)"jammy_1",
                                 .file = (char *)"images/jammy_1/jammy_1.tar.gz",
                                 .file_md5 = (char *)"0cc175b9c0f1b6a831c399e269772661",
                                 .created_us = 1};
    int64_t id;
    int r = vr_store_build_find_id(f->tx, f->build, &build, NULL);

    if (r == 0) {
        free(build.procfile_json);
        build.procfile_json = vr_strdup("{\"web\":\"python3 app.py\"}");
        r = vr_store_build_succeed(f->tx, &build, NOW, NULL);
    }
    if (r == 0)
        r = vr_store_stack_insert(f->tx, &stack, &image.stack_id, NULL);
    return r < 0 ? r : vr_store_image_insert(f->tx, &image, &id, NULL);
}

/* What no request makes without a host that runs, by a store of its own that is closed again. */
static bool fill(void)
{
    FIXTURE(f);
    int64_t proc;

    return fixture_init(&f) && add_proc(&f, 0, 5000, &proc) == 0 &&
           add_proc(&f, 0, 5001, &proc) == 0 && add_proc(&f, 1, 5002, &proc) == 0 &&
           add_rollouts(&f) == 0 && add_files(&f) == 0 && vr_store_commit(f.tx, NULL, NULL) == 0;
}

/*
 * Changes in an order in which each can be made; together they use every route that changes
 * something. `@` in a path is a version: the newest of the object before it, or else the one of the
 * case before.
 */
static const struct change {
    const char *method, *path, *body;
    const char *type, *resource;
} changes[] = {
    {"POST", "apps/", "{\"name\":\"shop\",\"repo_url\":\"https://a.example/s\"}", "create", "apps"},
    {"PATCH", "apps/shop/", "{\"repo_url\":\"https://b.example/s\"}", "change", "apps"},
    {"PUT", "apps/shop/", "{\"repo_url\":\"https://c.example/s\"}", "change", "apps"},
    {"PATCH", "apps/",
     "{\"objects\":[{\"resource_uri\":\"/api/v1/apps/shop/\",\"repo_url\":\"https://d.example/"
     "s\"}]}",
     "change", "apps"},
    {"POST", "apps/shop/versions/@/restore/", NULL, "restore", "apps"},
    {"POST", "apps/versions/@/restore/", NULL, "restore", "apps"},
    {"POST", "buildpacks/", "{\"repo_url\":\"https://a.example/b\"}", "create", "buildpacks"},
    {"PATCH", "buildpacks/1/", "{\"order\":2}", "change", "buildpacks"},
    {"PUT", "buildpacks/1/", "{\"order\":3}", "change", "buildpacks"},
    {"PATCH", "buildpacks/",
     "{\"objects\":[{\"resource_uri\":\"/api/v1/buildpacks/1/\",\"order\":4}]}", "change",
     "buildpacks"},
    {"POST", "buildpacks/1/versions/@/restore/", NULL, "restore", "buildpacks"},
    {"POST", "buildpacks/versions/@/restore/", NULL, "restore", "buildpacks"},
    {"POST", "ingredients/", "{\"name\":\"db\"}", "create", "ingredients"},
    {"PATCH", "ingredients/1/", "{\"env_yaml\":\"A: b\"}", "change", "ingredients"},
    {"PUT", "ingredients/1/", "{\"env_yaml\":\"A: c\"}", "change", "ingredients"},
    {"PATCH", "swarms/1/", "{\"config_ingredients\":[\"/api/v1/ingredients/1/\"]}", "change",
     "swarms"},
    {"POST", "ingredients/1/redispatch/", "{\"swarms\":[\"/api/v1/swarms/1/\"]}", "swarm",
     "swarms"},
    {"PATCH", "swarms/1/", "{\"config_ingredients\":[]}", "change", "swarms"},
    {"PATCH", "ingredients/",
     "{\"objects\":[{\"resource_uri\":\"/api/v1/ingredients/1/\",\"env_yaml\":\"\"}]}", "change",
     "ingredients"},
    {"POST", "ingredients/1/versions/@/restore/", NULL, "restore", "ingredients"},
    {"POST", "ingredients/versions/@/restore/", NULL, "restore", "ingredients"},
    {"DELETE", "ingredients/1/", NULL, "delete", "ingredients"},
    {"POST", "keys/rotate/", NULL, "rotate", "keys"},
    {"POST", "squads/", "{\"name\":\"dc1\"}", "create", "squads"},
    {"POST", "hosts/", "{\"name\":\"h1\"}", "create", "hosts"},
    {"PATCH", "hosts/h1/", "{\"active\":false}", "change", "hosts"},
    {"PUT", "hosts/h1/", "{\"active\":true}", "change", "hosts"},
    {"PATCH", "hosts/", "{\"objects\":[{\"resource_uri\":\"/api/v1/hosts/h1/\",\"active\":false}]}",
     "change", "hosts"},
    {"POST", "hosts/h1/versions/@/restore/", NULL, "restore", "hosts"},
    {"POST", "hosts/versions/@/restore/", NULL, "restore", "hosts"},
    {"PATCH", "squads/dc1/", "{\"hosts\":[\"/api/v1/hosts/h1/\"]}", "change", "squads"},
    {"PUT", "squads/dc1/", "{\"hosts\":[]}", "change", "squads"},
    {"PATCH", "squads/", "{\"objects\":[{\"resource_uri\":\"/api/v1/squads/dc1/\",\"hosts\":[]}]}",
     "change", "squads"},
    {"POST", "squads/dc1/versions/@/restore/", NULL, "restore", "squads"},
    {"POST", "squads/versions/@/restore/", NULL, "restore", "squads"},
    {"POST", "squads/dc1/accept-loss/", NULL, "accept loss", "squads"},
    {"DELETE", "squads/dc1/", NULL, "delete", "squads"},
    {"DELETE", "hosts/h1/", NULL, "delete", "hosts"},
    {"POST", "swarms/",
     "{\"app\":\"/api/v1/apps/shop/\",\"squad\":\"/api/v1/squads/default/"
     "\",\"config_name\":\"prod\","
     "\"proc_name\":\"web\",\"version\":\"v1\"}",
     "create", "swarms"},
    {"PATCH", "swarms/2/", "{\"size\":2}", "change", "swarms"},
    {"PUT", "swarms/2/", "{\"size\":3}", "change", "swarms"},
    {"PATCH", "swarms/", "{\"objects\":[{\"resource_uri\":\"/api/v1/swarms/2/\",\"size\":4}]}",
     "change", "swarms"},
    {"POST", "swarms/2/versions/@/restore/", NULL, "restore", "swarms"},
    {"POST", "swarms/versions/@/restore/", NULL, "restore", "swarms"},
    {"DELETE", "swarms/2/", NULL, "delete", "swarms"},
    {"POST", "swarms/1/swarm/", "{}", "swarm", "swarms"},
    {"POST", "swarms/1/rollback/", "{}", "rollback", "swarms"},
    {"POST", "rollouts/" FAILED "/retry/", NULL, "retry", "swarms"},
    {"POST", "rollouts/" UNDER_WAY "/cancel/", NULL, "cancel", "swarms"},
    {"POST", "squads/default/redispatch/", NULL, "swarm", "swarms"},
    {"POST", "procs/1/", "{\"action\":\"restart\"}", "restart", "procs"},
    {"POST", "hosts/h1.example.com/procs/hello-v1-prod-ab12cd34-web-5001/", "{\"action\":\"stop\"}",
     "stop", "procs"},
    {"POST", "swarms/1/procs/", "{\"action\":\"start\"}", "start", "swarms"},
    {"DELETE", "procs/1/", NULL, "destroy", "procs"},
    {"DELETE", "hosts/h1.example.com/procs/hello-v1-prod-ab12cd34-web-5001/", NULL, "destroy",
     "procs"},
    {"PATCH", "releases/1/", "{\"pinned\":true}", "pin", "releases"},
    {"POST", "releases/1/deploy/",
     "{\"config_name\":\"prod\",\"host\":\"h1.example.com\",\"proc\":\"web\",\"port\":5100}",
     "deploy", "procs"},
    {"POST", "testruns/", "{\"swarm\":\"/api/v1/swarms/1/\"}", "uptest", "testruns"},
    {"POST", "schedules/retention/run/", NULL, "run", "schedules"},
    {"POST", "builds/", "{\"app\":\"/api/v1/apps/hello/\",\"tag\":\"v9\"}", "create", "builds"},
    {"POST", "builds/2/build/", NULL, "build", "builds"},
    {"POST", "builds/", "{\"app\":\"/api/v1/apps/shop/\",\"tag\":\"v10\"}", "create", "builds"},
    {"DELETE", "builds/3/", NULL, "delete", "builds"},
    {"POST", "stacks/", "{\"name\":\"trusty\"}", "create", "stacks"},
    {"PATCH", "stacks/trusty/", "{\"desc\":\"a\"}", "change", "stacks"},
    {"PUT", "stacks/trusty/", "{\"desc\":\"b\"}", "change", "stacks"},
    {"PATCH", "stacks/",
     "{\"objects\":[{\"resource_uri\":\"/api/v1/stacks/trusty/\",\"desc\":\"c\"}]}", "change",
     "stacks"},
    {"POST", "stacks/trusty/versions/@/restore/", NULL, "restore", "stacks"},
    {"POST", "stacks/versions/@/restore/", NULL, "restore", "stacks"},
    {"PUT", "stacks/trusty/script/?name=setup.sh", "#!/bin/sh", "upload", "stacks"},
    {"DELETE", "stacks/trusty/", NULL, "delete", "stacks"},
    {"PATCH", "images/1/", "{\"active\":true}", "change", "images"},
    {"POST", "dashboard/", "{\"name\":\"one\"}", "create", "dashboard"},
    {"PATCH", "dashboard/1/", "{\"name\":\"two\"}", "change", "dashboard"},
    {"PUT", "dashboard/1/", "{\"name\":\"three\"}", "change", "dashboard"},
    {"PATCH", "dashboard/",
     "{\"objects\":[{\"resource_uri\":\"/api/v1/dashboard/1/\",\"name\":\"four\"}]}", "change",
     "dashboard"},
    {"POST", "dashboard/1/versions/@/restore/", NULL, "restore", "dashboard"},
    {"POST", "dashboard/versions/@/restore/", NULL, "restore", "dashboard"},
    {"PATCH", "profile/1/", "{\"default_dashboard\":\"/api/v1/dashboard/1/\"}", "change",
     "profile"},
    {"PUT", "profile/1/", "{\"default_dashboard\":null}", "change", "profile"},
    {"DELETE", "dashboard/1/", NULL, "delete", "dashboard"},
    {"POST", "user/", "{\"username\":\"raj\",\"password\":\"correct horse\"}", "create", "user"},
    {"PATCH", "user/2/", "{\"email\":\"a@b\"}", "change", "user"},
    {"PUT", "user/2/", "{\"email\":\"c@d\"}", "change", "user"},
    {"POST", "user/2/versions/@/restore/", NULL, "restore", "user"},
    {"POST", "user/versions/@/restore/", NULL, "restore", "user"},
    {"POST", "user/2/password/", "{\"new\":\"correct horses\"}", "change password of", "user"},
    {"DELETE", "user/2/sessions/", NULL, "end sessions of", "user"},
    {"POST", "tokens/", "{\"name\":\"ci\"}", "create token", "tokens"},
    {"PATCH", "tokens/1/", "{\"name\":\"ci2\"}", "change token", "tokens"},
    {"DELETE", "tokens/1/", NULL, "delete token", "tokens"},
    {"DELETE", "user/2/", NULL, "delete", "user"},
    {"DELETE", "apps/shop/", NULL, "delete", "apps"},
    {"DELETE", "buildpacks/1/", NULL, "delete", "buildpacks"},
};

/* Routes that a test of their own uses: they want a cookie, or a form. */
static const struct {
    const char *method, *path;
} elsewhere[] = {
    {"POST", "api/v1/session"},
    {"DELETE", "api/v1/session"},
    {"POST", "login/"},
    {"POST", "logout/"},
};

/* The path of a case; given. *version goes on from case to case. */
static char *path_of(struct rig *r, const struct change *c, int64_t *version)
{
    const char *at = strchr(c->path, '@');
    const char *versions = strstr(c->path, "/versions/");
    vr_auto_free char *list = NULL;
    vr_auto_json json_t *doc = NULL;

    if (!at)
        return vr_strf("/api/v1/%s", c->path);
    list = vr_strf("/api/v1/%.*s/versions/?limit=1", (int)(versions - c->path), c->path);
    if (rig_get(r, list, "ann") == 200 &&
        vr_json_parse(vr_str(r->last.body), VR_JSON_BYTES, &doc, NULL) == 0)
        *version = json_integer_value(
            json_object_get(json_array_get(json_object_get(doc, "objects"), 0), "id"));
    return vr_strf("/api/v1/%.*s%" PRId64 "%s", (int)(at - c->path), c->path, *version, at + 1);
}

/* One entry, and what it says. */
static bool is_told(struct rig *r, const struct change *c, const char *path, int64_t *entries)
{
    static const char *const nameless[] = {"keys", "schedules"}; /* have no ids */
    vr_auto_json json_t *entry = NULL;
    vr_auto_free char *text = NULL;
    int64_t before = *entries;
    bool has_id = true;

    *entries = count(r, "", &entry);
    text = vr_json_dump(entry);
    for (size_t i = 0; i < VR_COUNT(nameless); i++)
        has_id = has_id && !vr_streq(c->resource, nameless[i]);
    if (*entries != before + 1)
        fprintf(stderr, "# %s %s: %d entries\n", c->method, path, (int)(*entries - before));
    else if (has(entry, "type", c->type) && has(entry, "resource", c->resource) &&
             has(entry, "username", "ann") && has(entry, "via", "basic") &&
             has(entry, "remote", "127.0.0.1") && /* no proxy is trusted here */
             json_integer_value(json_object_get(json_object_get(entry, "user"), "id")) == 1 &&
             vr_str_has_prefix(json_string_value(json_object_get(entry, "message")), c->type) &&
             *json_string_value(json_object_get(entry, "object_name")) &&
             (json_integer_value(json_object_get(entry, "object_id")) > 0) == has_id &&
             !strstr(text, "horse") && !strstr(text, "argon2") && !strstr(text, "pbkdf2"))
        return true;
    fprintf(stderr, "# %s %s: %s\n", c->method, path, text);
    return false;
}

TEST(audit__every_change__leaves_one_entry)
{
    RIG(r);
    int64_t entries = 0, version = 0;

    CHECK(fill() && rig_start(&r));
    CHECK(rig_get(&r, "/api/v1/profile/", "ann") == 200); /* which makes it */
    for (size_t i = 0; i < VR_COUNT(changes); i++) {
        vr_auto_free char *path = path_of(&r, &changes[i], &version);
        int status =
            ask(&r, changes[i].method, path, "ann", "X-Forwarded-For: 1.2.3.4", changes[i].body);

        if (status >= 300)
            fprintf(stderr, "# %s %s: %d %s\n", changes[i].method, path, status, r.last.body);
        CHECK(status >= 200 && status < 300);
        CHECK(is_told(&r, &changes[i], path, &entries));
    }
    CHECK(count(&r, "app=shop", NULL) >= 8);
    CHECK(count(&r, "resource=swarms&object=2", NULL) == 7);
    CHECK(count(&r, "type=rollback", NULL) == 1 && count(&r, "username=ann", NULL) == entries);
    CHECK(count(&r, "detail__contains=active", NULL) >= 2);
}

/* Does a path, without its query, fit the pattern of a route? */
static bool fits(const char *pattern, const char *path)
{
    while (*pattern && *path && *path != '?') {
        size_t n = strcspn(pattern, "/"), m = strcspn(path, "/?");

        if (!(n == 1 && *pattern == '*') && (n != m || strncmp(pattern, path, n) != 0))
            return false;
        pattern += n + (pattern[n] == '/');
        path += m + (path[m] == '/');
    }
    return !*pattern && (!*path || *path == '?');
}

static bool has_case(const char *base, const struct vr_route *route)
{
    vr_auto_free char *whole = vr_strf("%s%s%s", base, *base ? "/" : "", route->path);

    for (size_t i = 0; i < VR_COUNT(elsewhere); i++)
        if (vr_streq(elsewhere[i].method, route->method) && vr_streq(elsewhere[i].path, whole))
            return true;
    for (size_t i = 0; i < VR_COUNT(changes); i++)
        if (vr_streq(changes[i].method, route->method) && vr_streq(base, VR_ROUTE_API) &&
            fits(route->path, changes[i].path))
            return true;
    fprintf(stderr, "# no case of %s %s\n", route->method, whole);
    return false;
}

TEST(audit__every_route_that_writes__has_a_case)
{
    size_t writes = 0;

    for (size_t i = 0; i < vr_route_table_count; i++)
        for (const struct vr_route *row = vr_route_tables[i].rows; row->method; row++)
            if (!vr_streq(row->method, "GET")) {
                writes++;
                CHECK(has_case(vr_route_tables[i].base, row));
            }
    CHECK(writes > 80);
}

/* The value of a cookie that the newest answer sets; given, "" if it sets none. */
static char *cookie_of(struct rig *r, const char *name)
{
    vr_auto_free char *prefix = vr_strf("set-cookie: %s=", name);

    for (size_t i = 0; i < r->last.header_count; i++) {
        const char *line = r->last.headers[i];

        if (vr_str_has_prefix(line, prefix))
            return vr_strndup(line + strlen(prefix), strcspn(line + strlen(prefix), ";"));
    }
    return vr_strdup("");
}

/* Log in and out again, each as JSON or as a form. */
static bool come_and_go(struct rig *r, bool is_form, const char *credentials)
{
    const char *type = is_form ? "Content-Type: application/x-www-form-urlencoded"
                               : "Content-Type: application/json";
    const char *in[] = {type, NULL};
    int status =
        rig_call(r, (struct vr_http_call){.method = "POST", .headers = in, .body = credentials},
                 is_form ? "/login/" : "/api/v1/session/");
    vr_auto_free char *session = cookie_of(r, VR_SESSION_COOKIE);
    vr_auto_free char *token = cookie_of(r, VR_SESSION_CSRF);
    vr_auto_free char *cookie = vr_strf("Cookie: " VR_SESSION_COOKIE "=%s", session);
    vr_auto_free char *csrf = vr_strf("X-CSRFToken: %s", token);
    const char *out[] = {type, cookie, csrf, NULL};

    if (status != (is_form ? 302 : 201))
        return false;
    status =
        rig_call(r, (struct vr_http_call){.method = is_form ? "POST" : "DELETE", .headers = out},
                 is_form ? "/logout/" : "/api/v1/session/");
    return status == (is_form ? 302 : 204);
}

TEST(audit__a_session__begins_and_ends_in_the_log)
{
    vr_auto_json json_t *login = NULL;
    vr_auto_json json_t *logout = NULL;
    vr_auto_json json_t *failed = NULL;
    const char *form[] = {"Content-Type: application/x-www-form-urlencoded", NULL};
    RIG(r);

    CHECK(rig_start(&r));
    CHECK(come_and_go(&r, false, "{\"username\":\"ann\",\"password\":\"" RIG_PASSWORD "\"}"));
    CHECK(count(&r, "", NULL) == 2);
    CHECK(count(&r, "type=login", &login) == 1 && count(&r, "type=logout", &logout) == 1);
    CHECK(has(login, "message", "login ann") && has(login, "username", "ann"));
    CHECK(has(login, "via", "session") && has(login, "remote", "127.0.0.1"));
    CHECK(has(login, "resource", "user") && has(login, "object_name", "ann"));
    CHECK(has(logout, "message", "logout ann") && has(logout, "via", "session"));
    CHECK(come_and_go(&r, true, "username=ann&password=correct+horse"));
    CHECK(count(&r, "type=login", NULL) == 2 && count(&r, "type=logout", NULL) == 2);
    CHECK(rig_call(&r,
                   (struct vr_http_call){
                       .method = "POST", .headers = form, .body = "username=ann&password=wrong"},
                   "/login/") == 302);
    CHECK(count(&r, "type=login%20failed", &failed) == 1);
    CHECK(has(failed, "message", "login failed ann") && count(&r, "", NULL) == 5);
}

/* ------------------------------------------------------------------ what is no change */

TEST(audit__a_plan_and_a_refusal__leave_none)
{
    RIG(r);

    CHECK(rig_start(&r));
    CHECK(ask(&r, "POST", "/api/v1/apps/", "ann", NULL, changes[0].body) == 201);
    CHECK(ask(&r, "POST", "/api/v1/apps/shop/versions/1/restore/?plan=1", "ann", NULL, NULL) ==
          200);
    CHECK(ask(&r, "POST", "/api/v1/apps/", "ann", NULL, changes[0].body) == 409);
    CHECK(ask(&r, "POST", "/api/v1/apps/", "ann", NULL, "{}") == 400);
    CHECK(count(&r, "", NULL) == 1);
}

TEST(audit__behind_a_trusted_proxy__the_client_is_who_asks)
{
    vr_auto_json json_t *entry = NULL;
    RIG(r);

    CHECK(rig_start(&r));
    CHECK(vr_cidr_parse("127.0.0.0/8", &r.server.config.trusted, NULL) == 0);
    CHECK(ask(&r, "POST", "/api/v1/apps/", "ann", "X-Forwarded-For: 6.6.6.6, 1.2.3.4",
              changes[0].body) == 201);
    CHECK(count(&r, "", &entry) == 1 && has(entry, "remote", "1.2.3.4"));
}

TEST(audit__who_may_not__is_written_down)
{
    vr_auto_json json_t *refused = NULL;
    vr_auto_json json_t *failed = NULL;
    RIG(r);
    int64_t id;

    CHECK(rig_start(&r));
    CHECK(rig_add_user(&r, "vic", "viewer", &id) == 0);
    CHECK(ask(&r, "POST", "/api/v1/apps/", "vic", NULL, "{}") == 403);
    CHECK(count(&r, "type=refused", &refused) == 1);
    CHECK(has(refused, "message", "refused POST /api/v1/apps/") && has(refused, "username", "vic"));
    CHECK(has(refused, "detail", "user 'vic' is a viewer; this needs a deployer"));
    CHECK(rig_call(&r, (struct vr_http_call){.user = "vic", .password = "wrong password"},
                   "/api/v1/apps/") == 401);
    CHECK(rig_call(&r, (struct vr_http_call){.user = "my secret", .password = "wrong password"},
                   "/api/v1/apps/") == 401);
    CHECK(count(&r, "type=login%20failed", &failed) == 2);
    CHECK(has(failed, "message", "login failed (no such user)"));
    CHECK(count(&r, "message=login%20failed%20vic", NULL) == 1);
    CHECK(rig_get(&r, "/api/v1/apps/", NULL) == 401); /* nobody tried to be anybody */
    CHECK(count(&r, "type=login%20failed", NULL) == 2);
}

TEST(audit__many_refusals__are_counted_and_not_written)
{
    RIG(r);
    int64_t id, n;

    CHECK(rig_start(&r));
    CHECK(rig_add_user(&r, "vic", "viewer", &id) == 0);
    for (int i = 0; i < 2 * VR_AUDIT_PER_MINUTE + 20; i++)
        CHECK(ask(&r, "POST", "/api/v1/apps/", "vic", NULL, "{}") == 403);
    n = count(&r, "type=refused", NULL);
    /* The minute may have changed once meanwhile. */
    CHECK(n >= VR_AUDIT_PER_MINUTE && n <= 2 * VR_AUDIT_PER_MINUTE);
}

/* ------------------------------------------------------------------ as a file */

#define CSV      "/api/v1/logs/?format=csv"
#define CSV_HEAD "time,user,type,message,object_kind,object_name,app,rollout,via,remote,detail\r\n"

static size_t lines_of(const char *text)
{
    size_t n = 0;

    while ((text = strstr(text, "\r\n")) != NULL) {
        text += 2;
        n++;
    }
    return n;
}

/* Entries beside those that requests leave. */
static int add_entries(struct rig *r, int n, const char *message, const char *detail)
{
    VR_OWNED(vr_tx_free) struct vr_tx *tx = NULL;
    int s = vr_store_begin(r->server.store, VR_DB_WRITE, &tx, &r->err);

    for (int i = 0; i < n && s == 0; i++)
        s = vr_store_log_add(
            tx, &(struct vr_log_entry){.type = "swarm", .message = message, .detail = detail}, NOW,
            &r->err);
    return s < 0 ? s : vr_store_commit(tx, NULL, &r->err);
}

TEST(audit__as_csv__has_the_lists_entries_filters_and_order)
{
    RIG(r);

    CHECK(rig_start(&r));
    CHECK(rig_get(&r, CSV, "ann") == 200);
    CHECK_STR(r.last.body, CSV_HEAD);
    CHECK(ask(&r, "POST", "/api/v1/apps/", "ann", NULL, changes[0].body) == 201);
    CHECK(add_entries(&r, 2, "swarm, \"now\"", "=1+1\nx") == 0);
    CHECK(rig_get(&r, CSV "&type=swarm", "ann") == 200);
    CHECK_STR(r.last.body,
              CSV_HEAD "2026-09-21T14:13:20Z,,swarm,\"swarm, \"\"now\"\"\",,,,,,,\"'=1+1\nx\"\r\n"
                       "2026-09-21T14:13:20Z,,swarm,\"swarm, \"\"now\"\"\",,,,,,,\"'=1+1\nx\"\r\n");
    CHECK_STR(vr_http_result_header(&r.last, "x-total-count"), "2");
    CHECK(!vr_http_result_header(&r.last, "x-truncated"));
    CHECK(vr_str_has_prefix(vr_http_result_header(&r.last, "content-type"), "text/csv"));
    CHECK(vr_str_has_prefix(vr_http_result_header(&r.last, "content-disposition"),
                            "attachment; filename=\"log-"));
    CHECK(rig_get(&r, CSV "&limit=1&order_by=id", "ann") == 200 && lines_of(r.last.body) == 2);
    CHECK(strstr(r.last.body, "Z,ann,create,create app shop,apps,shop,shop,,basic,127.0.0.1,"));
    CHECK(rig_get(&r, CSV "&limit=1&order_by=id&offset=1", "ann") == 200);
    CHECK(strstr(r.last.body, ",,swarm,") && lines_of(r.last.body) == 2);
    CHECK(rig_get(&r, CSV "&limit=x", "ann") == 400 && rig_says(&r, "limit"));
    CHECK(rig_get(&r, CSV "&id__nope=1", "ann") == 400);
    CHECK(rig_get(&r, "/api/v1/logs/?format=xml", "ann") == 400 && rig_says(&r, "'xml'"));
    CHECK(rig_get(&r, "/api/v1/logs/?format=json", "ann") == 200 && *r.last.body == '{');
    CHECK(rig_get(&r, CSV, NULL) == 401);
}

TEST(audit__as_csv_over_many_pages__is_whole_and_cut_at_its_limit)
{
    RIG(r);

    CHECK(rig_start(&r));
    CHECK(add_entries(&r, VR_LIST_LIMIT_MAX * 2 + 1, "m", NULL) == 0);
    CHECK(rig_get(&r, CSV, "ann") == 200);
    CHECK(lines_of(r.last.body) == VR_LIST_LIMIT_MAX * 2 + 2);
    CHECK(rig_get(&r, CSV "&limit=1500", "ann") == 200 && lines_of(r.last.body) == 1501);
    CHECK(add_entries(&r, VR_LOG_CSV_ROWS, "m", NULL) == 0);
    CHECK(rig_get(&r, CSV, "ann") == 200);
    CHECK(lines_of(r.last.body) == VR_LOG_CSV_ROWS + 1);
    CHECK_STR(vr_http_result_header(&r.last, "x-truncated"), "100000");
    CHECK_STR(vr_http_result_header(&r.last, "x-total-count"), "102001");
}
