/* SPDX-License-Identifier: MIT */
/* The audit log: one entry a change, whoever asks and whatever for; refusals within their limit. */
#include "server/server_fixture.h"

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

/* Entries that a filter finds, the newest of them in *out (borrowed by the caller: given). */
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

/* Changes in an order in which each can be made; together they use every route of nouns. */
static const struct {
    const char *method, *path, *body;
    const char *type;
} changes[] = {
    {"POST", "apps/", "{\"name\":\"shop\",\"repo_url\":\"https://a.example/s\"}", "create"},
    {"PATCH", "apps/shop/", "{\"repo_url\":\"https://b.example/s\"}", "change"},
    {"PUT", "apps/shop/", "{\"repo_url\":\"https://c.example/s\"}", "change"},
    {"POST", "apps/shop/versions/1/restore/", NULL, "restore"},
    {"POST", "apps/versions/2/restore/", NULL, "restore"},
    {"POST", "buildpacks/", "{\"repo_url\":\"https://a.example/b\"}", "create"},
    {"PATCH", "buildpacks/1/", "{\"order\":2}", "change"},
    {"PUT", "buildpacks/1/", "{\"order\":3}", "change"},
    {"POST", "ingredients/", "{\"name\":\"db\"}", "create"},
    {"PATCH", "ingredients/1/", "{\"env_yaml\":\"A: b\"}", "change"},
    {"PUT", "ingredients/1/", "{\"env_yaml\":\"A: c\"}", "change"},
    {"POST", "squads/", "{\"name\":\"dc1\"}", "create"},
    {"POST", "hosts/", "{\"name\":\"h1\"}", "create"},
    {"PATCH", "hosts/h1/", "{\"active\":false}", "change"},
    {"PUT", "hosts/h1/", "{\"active\":true}", "change"},
    {"PATCH", "squads/dc1/", "{\"hosts\":[\"/api/v1/hosts/h1/\"]}", "change"},
    {"PUT", "squads/dc1/", "{\"hosts\":[]}", "change"},
    {"POST", "squads/dc1/accept-loss/", NULL, "accept loss"},
    {"POST", "swarms/",
     "{\"app\":\"/api/v1/apps/shop/\",\"squad\":\"/api/v1/squads/dc1/\",\"config_name\":\"prod\","
     "\"proc_name\":\"web\",\"version\":\"v1\"}",
     "create"},
    {"PATCH", "swarms/1/", "{\"size\":2}", "change"},
    {"PUT", "swarms/1/", "{\"size\":3}", "change"},
    {"POST", "swarms/1/swarm/", "{}", "swarm"},
    {"POST", "builds/", "{\"app\":\"/api/v1/apps/shop/\",\"tag\":\"v9\"}", "create"},
    {"POST", "builds/1/build/", NULL, "build"},
    {"POST", "user/", "{\"username\":\"raj\",\"password\":\"correct horse\"}", "create"},
    {"PATCH", "user/2/", "{\"email\":\"a@b\"}", "change"},
    {"PUT", "user/2/", "{\"email\":\"c@d\"}", "change"},
    {"POST", "user/2/password/", "{\"new\":\"correct horses\"}", "change password of"},
    {"POST", "tokens/", "{\"name\":\"ci\"}", "create token"},
    {"DELETE", "tokens/1/", NULL, "delete token"},
    {"DELETE", "user/2/", NULL, "delete"},
    {"DELETE", "ingredients/1/", NULL, "delete"},
    {"DELETE", "hosts/h1/", NULL, "delete"},
    {"DELETE", "buildpacks/1/", NULL, "delete"},
};

TEST(audit__every_change__leaves_one_entry)
{
    RIG(r);
    int64_t before = 0;

    CHECK(rig_start(&r));
    for (size_t i = 0; i < VR_COUNT(changes); i++) {
        vr_auto_free char *path = vr_strf("/api/v1/%s", changes[i].path);
        int status =
            ask(&r, changes[i].method, path, "ann", "X-Forwarded-For: 1.2.3.4", changes[i].body);
        vr_auto_json json_t *entry = NULL;
        vr_auto_free char *text = NULL;
        int64_t now;

        if (status >= 300)
            fprintf(stderr, "# %s %s: %d %s\n", changes[i].method, path, status, r.last.body);
        CHECK(status >= 200 && status < 300);
        now = count(&r, "", &entry);
        if (now != before + 1)
            fprintf(stderr, "# %s %s: %d entries\n", changes[i].method, path, (int)(now - before));
        CHECK(now == before + 1);
        before = now;
        CHECK(has(entry, "type", changes[i].type) && has(entry, "username", "ann"));
        CHECK(has(entry, "remote", "127.0.0.1")); /* no proxy is trusted here */
        CHECK(vr_str_has_prefix(json_string_value(json_object_get(entry, "message")),
                                changes[i].type));
        CHECK(*json_string_value(json_object_get(entry, "resource")));
        CHECK(json_integer_value(json_object_get(entry, "object_id")) > 0);
        text = vr_json_dump(entry);
        CHECK(!strstr(text, "horse") && !strstr(text, "argon2"));
    }
    CHECK(count(&r, "app=shop", NULL) >= 8);
    CHECK(count(&r, "resource=swarms&object=1", NULL) == 4);
    CHECK(count(&r, "type=swarm", NULL) == 1 && count(&r, "username=ann", NULL) == before);
    CHECK(count(&r, "detail__contains=active", NULL) == 2);
}

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
