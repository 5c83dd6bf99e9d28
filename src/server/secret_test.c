/* SPDX-License-Identifier: MIT */
/* Secrets over the API: what can be done with them, and that no answer shows one. */
#include "server/server_fixture.h"

#include "core/clock.h"
#include "store/app.h"
#include "store/build.h"
#include "store/host.h"
#include "store/ingredient.h"
#include "store/proc.h"
#include "store/release.h"
#include "store/swarm.h"
#include "sys/fs.h"

#include <inttypes.h>

#define VALUE  "hunter2-very-secret"
#define VALUE2 "another-very-secret"

static int send_json(struct rig *r, const char *method, const char *path, const char *user,
                     const char *body)
{
    const char *headers[] = {"Content-Type: application/json", NULL};

    return rig_call(r,
                    (struct vr_http_call){.method = method,
                                          .user = user,
                                          .password = RIG_PASSWORD,
                                          .headers = headers,
                                          .body = body},
                    path);
}

/* An app, a squad, an ingredient 1 with a secret, and a swarm 1 of them. */
static bool furnish(struct rig *r)
{
    static const struct {
        const char *path, *body;
    } things[] = {
        {"/api/v1/apps/", "{\"name\":\"shop\",\"repo_url\":\"https://example.com/shop.git\"}"},
        {"/api/v1/squads/", "{\"name\":\"dc1\"}"},
        {"/api/v1/ingredients/", "{\"name\":\"db\",\"env_yaml\":\"A: one\\n\","
                                 "\"secrets\":{\"env\":{\"DB_PASSWORD\":\"" VALUE "\"}}}"},
        {"/api/v1/swarms/", "{\"app\":\"/api/v1/apps/shop/\",\"squad\":\"/api/v1/squads/dc1/\","
                            "\"config_name\":\"prod\",\"proc_name\":\"web\",\"version\":\"v1\","
                            "\"env_yaml\":\"B: two\\n\","
                            "\"config_ingredients\":[\"/api/v1/ingredients/1/\"]}"},
    };

    if (!rig_start(r))
        return false;
    for (size_t i = 0; i < VR_COUNT(things); i++)
        if (send_json(r, "POST", things[i].path, "ann", things[i].body) != 201) {
            fprintf(stderr, "# %s: %s\n", things[i].path, r->last.body);
            return false;
        }
    return true;
}

static json_t *get(struct rig *r, const char *path)
{
    json_t *doc = NULL;

    if (rig_get(r, path, "ann") != 200 ||
        vr_json_parse(vr_str(r->last.body), VR_JSON_BYTES, &doc, NULL) < 0)
        return NULL;
    return doc;
}

static const json_t *at(const json_t *doc, const char *a, const char *b)
{
    return json_object_get(json_object_get(doc, a), b);
}

TEST(secrets__set__are_masked_in_what_is_merged)
{
    RIG(r);
    vr_auto_json json_t *ingredient = NULL;
    vr_auto_json json_t *swarm = NULL;
    const json_t *entry;

    CHECK(furnish(&r));
    ingredient = get(&r, "/api/v1/ingredients/1/");
    entry = json_object_get(at(ingredient, "secrets", "env"), "DB_PASSWORD");
    CHECK(json_object_size(entry) == 2);
    CHECK_STR(json_string_value(json_object_get(entry, "by")), "ann");
    CHECK_STR(json_string_value(json_object_get(ingredient, "env_yaml")), "A: one\n");
    swarm = get(&r, "/api/v1/swarms/1/");
    CHECK_STR(json_string_value(at(swarm, "compiled_env", "DB_PASSWORD")), VR_SECRET_MASK);
    CHECK_STR(json_string_value(at(swarm, "compiled_env", "B")), "two");
}

TEST(secrets__get_modify_put__keeps_them)
{
    RIG(r);
    vr_auto_json json_t *first = NULL;
    vr_auto_json json_t *second = NULL;
    vr_auto_free char *body = NULL;

    CHECK(furnish(&r));
    first = get(&r, "/api/v1/ingredients/1/");
    body = vr_json_dump(first);
    CHECK(send_json(&r, "PUT", "/api/v1/ingredients/1/", "ann", body) == 204);
    CHECK(send_json(&r, "PUT", "/api/v1/ingredients/1/", "ann", "{\"env_yaml\":\"A: 2\"}") == 204);
    second = get(&r, "/api/v1/ingredients/1/");
    CHECK(json_equal(json_object_get(first, "secrets"), json_object_get(second, "secrets")));
}

TEST(secrets__null__removes_one)
{
    RIG(r);
    vr_auto_json json_t *doc = NULL;

    CHECK(furnish(&r));
    CHECK(send_json(&r, "PATCH", "/api/v1/ingredients/1/", "ann",
                    "{\"secrets\":{\"env\":{\"DB_PASSWORD\":null,\"NONE\":null}}}") == 202);
    doc = get(&r, "/api/v1/ingredients/1/");
    CHECK(json_object_size(at(doc, "secrets", "env")) == 0);
}

TEST(secrets__a_plain_key__becomes_one_in_one_request)
{
    RIG(r);
    vr_auto_json json_t *doc = NULL;

    CHECK(furnish(&r));
    CHECK(send_json(&r, "PATCH", "/api/v1/swarms/1/", "ann",
                    "{\"secrets\":{\"env\":{\"B\":\"" VALUE2 "\"}}}") == 400);
    CHECK(rig_says(&r, "'B' stands in env_yaml and is a secret"));
    CHECK(send_json(&r, "PATCH", "/api/v1/swarms/1/", "ann",
                    "{\"env_yaml\":\"\",\"secrets\":{\"env\":{\"B\":\"" VALUE2 "\"},"
                    "\"config\":{\"smtp.password\":\"" VALUE "\"}}}") == 202);
    doc = get(&r, "/api/v1/swarms/1/");
    CHECK_STR(json_string_value(at(doc, "compiled_env", "B")), VR_SECRET_MASK);
    CHECK_STR(json_string_value(at(doc, "compiled_config", "smtp.password")), VR_SECRET_MASK);
}

TEST(secrets__the_later_layer_wins__plain_or_secret)
{
    RIG(r);
    vr_auto_json json_t *doc = NULL;
    vr_auto_json json_t *merged = NULL;
    const json_t *row;

    CHECK(furnish(&r));
    CHECK(send_json(&r, "PATCH", "/api/v1/swarms/1/", "ann",
                    "{\"env_yaml\":\"DB_PASSWORD: plain\\n\","
                    "\"secrets\":{\"env\":{\"A\":\"" VALUE2 "\"}}}") == 202);
    doc = get(&r, "/api/v1/swarms/1/");
    CHECK_STR(json_string_value(at(doc, "compiled_env", "DB_PASSWORD")), "plain");
    CHECK_STR(json_string_value(at(doc, "compiled_env", "A")), VR_SECRET_MASK);
    merged = get(&r, "/api/v1/swarms/1/merged/");
    row = json_array_get(json_object_get(merged, "env"), 1);
    CHECK_STR(json_string_value(json_object_get(row, "key")), "DB_PASSWORD");
    CHECK_STR(json_string_value(json_object_get(row, "by")), "swarm");
    row = json_array_get(json_object_get(row, "overrides"), 0);
    CHECK_STR(json_string_value(json_object_get(row, "by")), "ingredient db");
    CHECK_STR(json_string_value(json_object_get(row, "value")), VR_SECRET_MASK);
    CHECK_STR(json_string_value(at(row, "secret", "by")), "ann");
}

TEST(secrets__bad_input__is_one_sentence_and_changes_nothing)
{
    RIG(r);
    static const struct {
        const char *body, *says;
        int status;
    } bad[] = {
        {"{\"secrets\":3}", "'secrets' is not an object", 400},
        {"{\"secrets\":{\"files\":{}}}", "has 'config' and 'env', and not 'files'", 400},
        {"{\"secrets\":{\"env\":[]}}", "'env' of 'secrets' is not an object", 400},
        {"{\"secrets\":{\"env\":{\"X\":3}}}", "secret 'X' is not a text", 400},
        {"{\"secrets\":{\"env\":{\"X\":{\"$secret\":1}}}}", "secret 'X' is not a text", 400},
        {"{\"secrets\":{\"env\":{\"X\":{\"$secret\":1,\"set\":\"\"}}}}", "is not a text", 400},
        {"{\"secrets\":{\"env\":{\"X\":{\"set\":\"2026\"}}}}", "'X' has no value yet", 400},
        {"{\"secrets\":{\"env\":{\"1 2\":\"x\"}}}", "1 2", 400},
        {"{\"secrets\":{\"env\":{\"X\":\"" VR_SECRET_MASK "\"}}}", "its mask", 400},
        {"{\"secrets\":{\"config\":{\"\":\"x\"}}}", "no name of a secret", 400},
        {"{\"env_yaml\":{\"X\":{\"$secret\":1}}}", "'$secret' is no key", 400},
        {"{\"config_yaml\":\"a: [{$secret: 1}]\"}", "'$secret' is no key", 400},
        {"{\"env_yaml\":\"X: \\\"" VR_SECRET_MASK "\\\"\"}", "mask of a secret", 400},
    };

    CHECK(furnish(&r));
    for (size_t i = 0; i < VR_COUNT(bad); i++) {
        vr_auto_json json_t *doc = NULL;

        CHECK(send_json(&r, "PATCH", "/api/v1/swarms/1/", "ann", bad[i].body) == bad[i].status);
        CHECK(rig_says(&r, bad[i].says));
        doc = get(&r, "/api/v1/swarms/1/");
        CHECK(json_object_size(at(doc, "secrets", "env")) == 0);
        CHECK(json_integer_value(json_object_get(doc, "row_version")) <= 2);
    }
}

TEST(secrets__too_long_or_too_many__are_refused)
{
    RIG(r);
    vr_auto_json json_t *env = json_object();
    vr_auto_json json_t *body = json_pack("{s:{s:O}}", "secrets", "env", env);
    vr_auto_free char *long_value = vr_alloc(VR_SECRET_BYTES_MAX + 2);
    vr_auto_free char *text = NULL;

    CHECK(furnish(&r));
    memset(long_value, 'x', VR_SECRET_BYTES_MAX + 1);
    vr_json_set(env, "X", json_string(long_value));
    text = vr_json_dump(body);
    CHECK(send_json(&r, "PATCH", "/api/v1/swarms/1/", "ann", text) == 400);
    CHECK(rig_says(&r, "secret 'X': a secret value has at most 65536 bytes"));
    for (int i = 0; i < VR_SECRET_COUNT_MAX + 1; i++) {
        vr_auto_free char *name = vr_strf("X%d", i);

        vr_json_set(env, i ? name : "X", json_string("v"));
    }
    free(vr_take(text));
    text = vr_json_dump(body);
    CHECK(send_json(&r, "PATCH", "/api/v1/swarms/1/", "ann", text) == 400);
    CHECK(rig_says(&r, "more than 100 names"));
}

TEST(secrets__no_answer_and_no_file__holds_the_value)
{
    RIG(r);
    static const char *const paths[] = {
        "/api/v1/ingredients/",
        "/api/v1/ingredients/1/",
        "/api/v1/ingredients/set/1/",
        "/api/v1/swarms/",
        "/api/v1/swarms/1/",
        "/api/v1/swarms/1/merged/",
        "/api/v1/events/",
        "/api/v1/logs/",
        "/api/v1/keys/",
        "/api/v1/ingredients/?name=db",
        "/api/v1/",
    };
    static const char *const files[] = {"store.db", "store.db-wal", "secret-keys"};
    const char *headers[] = {"Content-Type: application/json", "Idempotency-Key: k1", NULL};
    struct vr_http_call again = {
        .method = "POST",
        .user = "ann",
        .password = RIG_PASSWORD,
        .headers = headers,
        .body = "{\"name\":\"mail\",\"secrets\":{\"config\":{\"p\":\"" VALUE "\"}}}"};

    CHECK(furnish(&r));
    CHECK(rig_call(&r, again, "/api/v1/ingredients/") == 201);
    CHECK(rig_call(&r, again, "/api/v1/ingredients/") == 201);
    again.body = "{\"name\":\"mail\",\"secrets\":{\"config\":{\"p\":\"x\"}}}";
    CHECK(rig_call(&r, again, "/api/v1/ingredients/") == 409);
    for (size_t i = 0; i < VR_COUNT(paths); i++) {
        CHECK(rig_get(&r, paths[i], "ann") == 200);
        CHECK(!strstr(r.last.body, VALUE) && !strstr(r.last.body, VR_SECRET_KEY));
    }
    CHECK(rig_get(&r, "/api/v1/secrets/", "ann") == 404);
    for (size_t i = 0; i < VR_COUNT(files); i++) {
        vr_auto_free char *path = vr_strf("%s/%s", vr_tap_dir(), files[i]);
        vr_auto_free char *raw = NULL;
        size_t n;

        CHECK(vr_fs_read(path, 64 << 20, &raw, &n, &r.err) == 0);
        CHECK(!memmem(raw, n, VALUE, strlen(VALUE)));
    }
}

/* The id of the value of DB_PASSWORD of ingredient 1. */
static int64_t secret_of(struct rig *r)
{
    VR_OWNED(vr_tx_free) struct vr_tx *tx = NULL;
    VR_ROW(ingredient) row = {0};
    vr_auto_json json_t *entries = NULL;

    if (vr_store_begin(r->server.store, VR_DB_READ, &tx, &r->err) < 0 ||
        vr_store_ingredient_find_id(tx, 1, &row, &r->err) < 0 ||
        vr_json_parse(vr_str(row.secret_env_json), VR_JSON_BYTES, &entries, &r->err) < 0)
        return -1;
    return vr_secret_id(json_object_get(entries, "DB_PASSWORD"));
}

TEST(secrets__a_version_restored__brings_the_old_value_back_and_shows_none)
{
    RIG(r);
    vr_auto_json json_t *versions = NULL;
    vr_auto_free char *path = NULL;
    const json_t *first;
    int64_t before, changed;

    CHECK(furnish(&r));
    before = secret_of(&r);
    CHECK(send_json(&r, "PATCH", "/api/v1/ingredients/1/", "ann",
                    "{\"secrets\":{\"env\":{\"DB_PASSWORD\":\"" VALUE2
                    "\",\"NEW\":\"x\"}}}") == 202);
    changed = secret_of(&r);
    CHECK(before > 0 && changed > 0 && changed != before);
    versions = get(&r, "/api/v1/ingredients/1/versions/");
    CHECK(!strstr(r.last.body, VALUE) && !strstr(r.last.body, VR_SECRET_KEY));
    first = json_array_get(json_object_get(versions, "objects"), 1);
    path = vr_strf("/api/v1/ingredients/1/versions/%" JSON_INTEGER_FORMAT "/",
                   json_integer_value(json_object_get(first, "id")));
    CHECK(rig_get(&r, path, "ann") == 200);
    CHECK(!strstr(r.last.body, VALUE) && !strstr(r.last.body, VR_SECRET_KEY));
    free(vr_take(path));
    path = vr_strf("/api/v1/ingredients/1/versions/%" JSON_INTEGER_FORMAT "/restore/",
                   json_integer_value(json_object_get(first, "id")));
    CHECK(send_json(&r, "POST", path, "ann", "{}") < 300);
    CHECK(secret_of(&r) == before);
    CHECK(rig_get(&r, "/api/v1/ingredients/1/", "ann") == 200);
    CHECK(!strstr(r.last.body, "NEW"));
}

#define SWARM "/api/v1/swarms/1/"

/* Does the newest answer show a value, or where one is kept? */
static bool is_clean(struct rig *r, const char *path)
{
    static const char *const never[] = {VALUE, VALUE2, VR_SECRET_KEY};

    for (size_t i = 0; i < VR_COUNT(never); i++)
        if (!r->last.body || strstr(r->last.body, never[i])) {
            fprintf(stderr, "# %s: %s\n", path, r->last.body ? r->last.body : "nothing");
            return false;
        }
    return true;
}

static bool is_clean_at(struct rig *r, const char *path)
{
    return rig_get(r, path, "ann") == 200 && is_clean(r, path);
}

/* The id of a version of an object, 0 the newest. */
static int64_t version_at(struct rig *r, const char *uri, size_t place)
{
    vr_auto_free char *path = vr_strf("%sversions/", uri);
    vr_auto_json json_t *doc = get(r, path);

    return json_integer_value(
        json_object_get(json_array_get(json_object_get(doc, "objects"), place), "id"));
}

/* All versions of an object, each against each and against what it is now. */
static bool are_versions_clean(struct rig *r, const char *uri, size_t count)
{
    vr_auto_free char *list = vr_strf("%sversions/", uri);

    if (!is_clean_at(r, list))
        return false;
    for (size_t i = 0; i < count; i++) {
        int64_t id = version_at(r, uri, i);
        vr_auto_free char *now = vr_strf("%s%" PRId64 "/?against=current", list, id);
        vr_auto_free char *plan = vr_strf("%s%" PRId64 "/restore/?plan=1", list, id);

        if (!is_clean_at(r, now) || send_json(r, "POST", plan, "ann", NULL) != 200 ||
            !is_clean(r, plan))
            return false;
        for (size_t k = 0; k < count; k++) {
            vr_auto_free char *path =
                vr_strf("%s%" PRId64 "/?against=%" PRId64, list, id, version_at(r, uri, k));

            if (!is_clean_at(r, path))
                return false;
        }
    }
    return true;
}

static bool restore(struct rig *r, const char *uri, size_t place)
{
    vr_auto_free char *path =
        vr_strf("%sversions/%" PRId64 "/restore/", uri, version_at(r, uri, place));

    return send_json(r, "POST", path, "ann", NULL) == 200 && is_clean(r, path);
}

TEST(secrets__set_changed_removed_and_restored__are_in_no_history)
{
    static const char *const told[] = {"/api/v1/logs/", "/api/v1/logs/?format=csv",
                                       "/api/v1/events/"};
    static const char *const bodies[] = {
        "{\"secrets\":{\"env\":{\"DB_PASSWORD\":\"" VALUE "\"},\"config\":{\"p\":\"" VALUE2 "\"}}}",
        "{\"secrets\":{\"env\":{\"DB_PASSWORD\":\"" VALUE2 "\"}}}",
        "{\"secrets\":{\"env\":{\"DB_PASSWORD\":null},\"config\":{\"p\":null}}}",
    };
    static const char *const uris[] = {SWARM, "/api/v1/ingredients/1/"};
    RIG(r);

    CHECK(furnish(&r));
    for (size_t u = 0; u < VR_COUNT(uris); u++) {
        size_t versions;

        for (size_t i = 0; i < VR_COUNT(bodies); i++)
            CHECK(send_json(&r, "PATCH", uris[u], "ann", bodies[i]) == 202);
        /* The first body only adds `p` to the ingredient, which has the other value already. */
        versions = VR_COUNT(bodies) + 1;
        CHECK(version_at(&r, uris[u], versions - 1) && !version_at(&r, uris[u], versions));
        CHECK(are_versions_clean(&r, uris[u], versions));
        CHECK(rig_get(&r, uris[u], "ann") == 200 && !strstr(r.last.body, "DB_PASSWORD\":{\"by"));
        CHECK(restore(&r, uris[u], 2)); /* changed and not removed */
        CHECK(strstr(r.last.body, "\"kind\":\"secret\"") && strstr(r.last.body, "DB_PASSWORD"));
        CHECK(is_clean_at(&r, uris[u]) && strstr(r.last.body, "DB_PASSWORD"));
        CHECK(are_versions_clean(&r, uris[u], versions + 1));
    }
    for (size_t i = 0; i < VR_COUNT(told); i++)
        CHECK(is_clean_at(&r, told[i]));
}

/* What a host is told that runs a release of the environment that swarm 1 has now; given. */
static char *desired(struct rig *r)
{
    VR_OWNED(vr_tx_free) struct vr_tx *tx = NULL;
    VR_ROW(swarm) swarm = {0};
    struct vr_host_row host = {.name = (char *)"h1",
                               .active = true,
                               .address = (char *)"127.0.0.1",
                               .roles = (char *)"[\"app\"]"};
    struct vr_build_row build = {.app_id = 1,
                                 .tag = (char *)"v1",
                                 .commit_id = (char *)"c0ffee",
                                 .inputs_sha256 = (char *)"in1",
                                 .created_us = 1};
    struct vr_release_row release = {.config_json = (char *)"{}",
                                     .hash = (char *)"ab12cd34",
                                     .content_sha256 = (char *)"content1",
                                     .created_us = 1};
    struct vr_proc_placement placement = {
        .config_name = "prod", .proc_name = "web", .cmd = "x", .port = 5000};
    int64_t id;
    bool made;
    char *text = NULL;

    if (vr_store_begin(r->server.store, VR_DB_WRITE, &tx, &r->err) < 0 ||
        vr_store_swarm_find_id(tx, 1, &swarm, &r->err) < 0 ||
        vr_store_host_insert(tx, &host, &placement.host_id, &r->err) < 0 ||
        vr_store_build_take(tx, &build, &release.build_id, &made, &r->err) < 0)
        return vr_strdup(r->err.msg);
    release.env_json = swarm.secret_env_json;
    if (vr_store_release_take(tx, &release, &placement.release_id, &made, &r->err) < 0 ||
        vr_store_proc_insert(tx, &placement, vr_wall_now(), &id, &r->err) < 0 ||
        vr_store_host_desired_json(tx, placement.host_id, "c1", NULL, &text, &r->err) < 0)
        return vr_strdup(r->err.msg);
    return text; /* and nothing is committed */
}

TEST(secrets__an_older_version_restored__is_what_hosts_are_told_again)
{
    vr_auto_free char *changed = NULL;
    vr_auto_free char *restored = NULL;
    RIG(r);

    CHECK(furnish(&r));
    CHECK(send_json(&r, "PATCH", SWARM, "ann",
                    "{\"secrets\":{\"env\":{\"TOKEN\":\"" VALUE "\"}}}") == 202);
    CHECK(send_json(&r, "PATCH", SWARM, "ann",
                    "{\"secrets\":{\"env\":{\"TOKEN\":\"" VALUE2 "\"}}}") == 202);
    changed = desired(&r);
    CHECK(strstr(changed, "\"TOKEN\":\"" VALUE2 "\"") && !strstr(changed, VALUE));
    CHECK(restore(&r, SWARM, 1));
    restored = desired(&r);
    CHECK(strstr(restored, "\"TOKEN\":\"" VALUE "\"") && !strstr(restored, VALUE2));
}

TEST(keys__rotated__seal_all_values_anew_and_the_old_one_goes)
{
    RIG(r);
    vr_auto_json json_t *before = NULL;
    vr_auto_json json_t *answer = NULL;
    vr_auto_json json_t *after = NULL;
    const json_t *key;
    int64_t id;

    CHECK(furnish(&r) && rig_add_user(&r, "dee", "deployer", &id) == 0);
    CHECK(send_json(&r, "POST", "/api/v1/keys/rotate/", "dee", "{}") == 403);
    before = get(&r, "/api/v1/keys/");
    key = json_array_get(json_object_get(before, "objects"), 0);
    CHECK(json_integer_value(json_object_get(key, "values")) == 1);
    CHECK(send_json(&r, "POST", "/api/v1/keys/rotate/", "ann", "{}") == 200);
    CHECK(vr_json_parse(vr_str(r.last.body), VR_JSON_BYTES, &answer, NULL) == 0);
    CHECK(json_integer_value(json_object_get(answer, "sealed")) == 1);
    CHECK_STR(json_string_value(json_array_get(json_object_get(answer, "dropped"), 0)),
              json_string_value(json_object_get(key, "id")));
    after = get(&r, "/api/v1/keys/");
    CHECK(json_array_size(json_object_get(after, "objects")) == 1);
    key = json_array_get(json_object_get(after, "objects"), 0);
    CHECK(json_integer_value(json_object_get(key, "values")) == 1);
    CHECK(json_is_true(json_object_get(key, "seals")));
    CHECK(rig_get(&r, "/api/v1/logs/?type=rotate", "ann") == 200);
    CHECK(strstr(r.last.body, "rotate keys of secret values"));
}

/* A build and two releases of it, 1 and 2, that differ in a secret. */
static bool add_releases(struct rig *r)
{
    VR_OWNED(vr_tx_free) struct vr_tx *tx = NULL;
    struct vr_build_row build = {.app_id = 1,
                                 .tag = (char *)"v1",
                                 .commit_id = (char *)"c0ffee",
                                 .inputs_sha256 = (char *)"in1",
                                 .created_us = 1};
    int64_t id, secret[2];
    bool made;
    int s = vr_store_begin(r->server.store, VR_DB_WRITE, &tx, &r->err);

    if (s == 0)
        s = vr_store_build_take(tx, &build, &build.id, &made, &r->err);
    for (int i = 0; i < 2 && s == 0; i++) {
        vr_auto_free char *env = NULL;
        vr_auto_free char *hash = vr_strf("ab12cd3%d", i);
        struct vr_release_row release = {
            .build_id = build.id, .hash = hash, .content_sha256 = hash, .created_us = 1};

        s = vr_store_secret_take(tx, i ? VALUE2 : VALUE, 1, (struct vr_wall){1}, &secret[i],
                                 &r->err);
        env = vr_strf("{\"A\":\"1\",\"P\":{\"$secret\":%" PRId64 "}}", secret[i]);
        release.env_json = env;
        if (s == 0)
            s = vr_store_release_take(tx, &release, &id, &made, &r->err);
    }
    return s == 0 && vr_store_commit(tx, NULL, &r->err) == 0;
}

TEST(releases__compared__tell_that_a_secret_differs_and_not_how)
{
    RIG(r);

    CHECK(furnish(&r) && add_releases(&r));
    CHECK(rig_get(&r, "/api/v1/releases/1/compare/2/", "ann") == 200);
    CHECK_STR(r.last.body, "{\"config\":[],\"env\":[\"~ P: secret, changed\"],\"same\":false}");
    CHECK(rig_get(&r, "/api/v1/releases/1/compare/1/", "ann") == 200);
    CHECK(strstr(r.last.body, "\"same\":true"));
    CHECK(rig_get(&r, "/api/v1/releases/1/compare/9/", "ann") == 404);
}

TEST(repositories__credentials_in_their_urls__are_masked_and_stay)
{
    RIG(r);
    static const char *const paths[] = {
        "/api/v1/apps/",   "/api/v1/apps/till/", "/api/v1/buildpacks/",
        "/api/v1/events/", "/api/v1/logs/",
    };
    vr_auto_json json_t *app = NULL;
    vr_auto_free char *body = NULL;
    VR_OWNED(vr_tx_free) struct vr_tx *tx = NULL;
    VR_ROW(app) row = {0};

    CHECK(furnish(&r));
    CHECK(send_json(&r, "POST", "/api/v1/apps/", "ann",
                    "{\"name\":\"till\",\"repo_url\":\"https://bot:tok3n@example.com/a.git\"}") ==
          201);
    CHECK(send_json(&r, "POST", "/api/v1/buildpacks/", "ann",
                    "{\"repo_url\":\"https://bot:tok3n@example.com/pack.git\"}") == 201);
    app = get(&r, "/api/v1/apps/till/");
    CHECK_STR(json_string_value(json_object_get(app, "repo_url")),
              "https://" VR_SECRET_MASK "@example.com/a.git");
    body = vr_json_dump(app);
    CHECK(send_json(&r, "PUT", "/api/v1/apps/till/", "ann", body) == 204);
    CHECK(send_json(&r, "PATCH", "/api/v1/apps/till/", "ann",
                    "{\"repo_url\":\"https://" VR_SECRET_MASK "@evil.example.com/a.git\"}") == 400);
    CHECK(rig_says(&r, "masked: send them"));
    for (size_t i = 0; i < VR_COUNT(paths); i++) {
        CHECK(rig_get(&r, paths[i], "ann") == 200);
        CHECK(!strstr(r.last.body, "tok3n"));
    }
    CHECK(rig_get(&r, "/api/v1/apps/?repo_url__contains=tok3n", "ann") == 200);
    CHECK(strstr(r.last.body, "\"total_count\":0"));
    CHECK(vr_store_begin(r.server.store, VR_DB_READ, &tx, &r.err) == 0);
    CHECK(vr_store_app_find(tx, "till", &row, &r.err) == 0);
    CHECK_STR(row.repo_url, "https://bot:tok3n@example.com/a.git");
}

#define BIG_SECRETS 20 /* of an ingredient, each as long as one may be */

/* A host is told of all its procs in one message: nobody may make that too long for it. */
TEST(swarm__more_config_than_a_host_is_sent__is_refused_by_name)
{
    RIG(r);
    vr_auto_free char *value = vr_alloc(VR_SECRET_BYTES_MAX + 1);
    static const char *const swarm =
        "{\"app\": \"/api/v1/apps/big/\", \"squad\": \"/api/v1/squads/big/\","
        " \"config_name\": \"prod\", \"proc_name\": \"web\","
        " \"config_ingredients\": [\"/api/v1/ingredients/1/\"]}";

    CHECK(rig_start(&r));
    memset(value, 's', VR_SECRET_BYTES_MAX);
    CHECK(rig_send(&r, "POST", "/api/v1/apps/", "ann",
                   "{\"name\": \"big\", \"repo_url\": \"https://git.example.com/big.git\"}") ==
          201);
    CHECK(rig_send(&r, "POST", "/api/v1/squads/", "ann", "{\"name\": \"big\"}") == 201);
    CHECK(rig_send(&r, "POST", "/api/v1/ingredients/", "ann", "{\"name\": \"big\"}") == 201);
    for (int i = 0; i < BIG_SECRETS; i++) {
        vr_auto_free char *body = vr_strf("{\"secrets\": {\"env\": {\"S%d\": \"%s\"}}}", i, value);

        CHECK(rig_send(&r, "PATCH", "/api/v1/ingredients/1/", "ann", body) == 202);
    }
    CHECK(rig_send(&r, "POST", "/api/v1/swarms/", "ann", swarm) == 400);
    CHECK(rig_says(&r, "config and environment of swarm 'big-prod-web' would be 13") &&
          rig_says(&r, "at most 1048576"));
}

/* The method that counts is a part of the request: else a deletion would be answered as done. */
TEST(idempotency__another_method_by_override__is_another_request)
{
    RIG(r);
    const char *patch[] = {"Content-Type: application/json", "Idempotency-Key: k1",
                           "X-HTTP-Method-Override: PATCH", NULL};
    const char *remove[] = {"Content-Type: application/json", "Idempotency-Key: k1",
                            "X-HTTP-Method-Override: DELETE", NULL};
    struct vr_http_call call = {
        .method = "POST", .user = "ann", .password = RIG_PASSWORD, .headers = patch, .body = "{}"};

    CHECK(rig_start(&r));
    CHECK(rig_send(&r, "POST", "/api/v1/ingredients/", "ann", "{\"name\": \"db\"}") == 201);
    CHECK(rig_call(&r, call, "/api/v1/ingredients/1/") == 202);
    call.headers = remove;
    CHECK(rig_call(&r, call, "/api/v1/ingredients/1/") == 409);
    CHECK(rig_says(&r, "Idempotency-Key 'k1' was used for another request"));
    CHECK(rig_get(&r, "/api/v1/ingredients/1/", "ann") == 200);
}
