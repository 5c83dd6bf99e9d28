/* SPDX-License-Identifier: MIT */
/* The contract's resources over HTTP: what they take, what they refuse, what they show. */
#include "server/server_fixture.h"
#include "store/app.h"
#include "store/image.h"
#include "store/rollout.h"
#include "store/resource.h"

#define RUN(cases) CHECK(rig_run(&r, cases, VR_COUNT(cases)))

TEST(stacks__life__is_the_contracts)
{
    static const struct rig_case cases[] = {
        {"POST", "/api/v1/stacks/", "{\"desc\": \"x\"}", 400,
         "The 'name' field has no data and doesn't allow a default or null value."},
        {"POST", "/api/v1/stacks/", "{\"name\": \"a b\"}", 400, "\"name\""},
        {"POST", "/api/v1/stacks/", "{\"name\": \"s\", \"base_image_url\": \"ftp://x\"}", 400,
         "base_image_url"},
        {"POST", "/api/v1/stacks/",
         "{\"name\": \"trusty\", \"desc\": \"d\", \"base_image_url\": \"http://x/y.tar.gz\"}", 201,
         NULL},
        {"POST", "/api/v1/stacks/", "{\"name\": \"trusty\"}", 409, "exists already"},
        {"GET", "/api/v1/stacks/trusty/", NULL, 200, "\"provisioning_script\":null"},
        {"PATCH", "/api/v1/stacks/trusty/", "{\"base_image_url\": null}", 202, NULL},
        {"GET", "/api/v1/stacks/?name__istartswith=TRU", NULL, 200, "\"base_image_url\":null"},
        {"PUT", "/api/v1/stacks/jammy/", "{\"desc\": \"made by its name\"}", 201, NULL},
        {"POST", "/api/v1/apps/",
         "{\"name\": \"shop\", \"repo_url\": \" https://x/shop.git \", \"stack\": "
         "\"/api/v1/stacks/trusty/\"}",
         201, NULL},
        {"GET", "/api/v1/apps/shop/", NULL, 200, "\"stack\":\"/api/v1/stacks/trusty/\""},
        {"GET", "/api/v1/apps/?stack__name=trusty", NULL, 200, "\"total_count\":1"},
        {"GET", "/api/v1/apps/?stack__name=jammy", NULL, 200, "\"total_count\":0"},
        {"GET", "/api/v1/apps/?stack__images=1", NULL, 400,
         "The 'images' field does not allow filtering."},
        {"GET", "/api/v1/apps/shop/", NULL, 200, "\"repo_url\":\"https://x/shop.git\""},
        {"POST", "/api/v1/builds/", "{\"app\": \"/api/v1/apps/shop/\", \"tag\": \"v1\"}", 201,
         NULL},
        {"POST", "/api/v1/builds/1/build/", NULL, 400, "Stack trusty has no active image."},
        {"DELETE", "/api/v1/stacks/trusty/", NULL, 409, "shop"},
        {"DELETE", "/api/v1/stacks/jammy/", NULL, 204, NULL},
        {"DELETE", "/api/v1/stacks/jammy/", NULL, 404, "jammy"},
        {"POST", "/api/v1/images/", "{}", 405, "GET"},
        {"PATCH", "/api/v1/images/1/", "{\"active\": true}", 404, "image"},
    };
    RIG(r);

    CHECK(rig_start(&r));
    RUN(cases);
}

/* An image of stack 1, as a build of images will leave one. */
static int add_image(struct rig *r, const char *name, bool is_built)
{
    VR_OWNED(vr_tx_free) struct vr_tx *tx = NULL;
    struct vr_image_row image = {.stack_id = 1,
                                 .name = (char *)name,
                                 .file = (char *)(is_built ? "images/i/i.tar.gz" : NULL),
                                 .file_md5 = (char *)"0cc175b9c0f1b6a831c399e269772661",
                                 .created_us = 1};
    int64_t id;
    int s = vr_store_begin(r->server.store, VR_DB_WRITE, &tx, &r->err);

    if (s == 0)
        s = vr_store_image_insert(tx, &image, &id, &r->err);
    return s < 0 ? s : vr_store_commit(tx, NULL, &r->err);
}

TEST(images__only_built_ones__are_switched_on)
{
    static const struct rig_case cases[] = {
        {"GET", "/api/v1/images/1/", NULL, 200, "\"stack\":\"/api/v1/stacks/trusty/\""},
        {"PATCH", "/api/v1/images/1/", "{\"active\": true}", 400, "not built"},
        {"PATCH", "/api/v1/images/2/", "{\"active\": \"yes\"}", 400, "active"},
        {"PATCH", "/api/v1/images/2/", "{\"active\": true, \"name\": \"x\"}", 202, NULL},
        {"GET", "/api/v1/images/?active=1&stack__name=trusty", NULL, 200,
         "\"name\":\"trusty_20260101_2\""},
        {"GET", "/api/v1/stacks/trusty/", NULL, 200, "\"active_image\":\"trusty_20260101_2\""},
        {"POST", "/api/v1/apps/",
         "{\"name\": \"shop\", \"repo_url\": \"https://x/shop.git\", \"stack\": {\"id\": 1}}", 201,
         NULL},
        {"POST", "/api/v1/builds/", "{\"app\": \"/api/v1/apps/shop/\", \"tag\": \"v1\"}", 201,
         NULL},
        {"POST", "/api/v1/builds/1/build/", NULL, 400, "hosts cannot run images yet"},
        {"PATCH", "/api/v1/apps/shop/", "{\"stack\": null}", 202, NULL},
        {"POST", "/api/v1/builds/1/build/", NULL, 202, NULL},
        {"DELETE", "/api/v1/stacks/trusty/", NULL, 409, "2 images"},
    };
    RIG(r);

    CHECK(rig_start(&r));
    CHECK(rig_send(&r, "POST", "/api/v1/stacks/", "ann", "{\"name\": \"trusty\"}") == 201);
    CHECK(add_image(&r, "trusty_20260101_1", false) == 0);
    CHECK(add_image(&r, "trusty_20260101_2", true) == 0);
    RUN(cases);
}

TEST(apps__alias_of_the_configuration__is_resolved)
{
    static const struct rig_case cases[] = {
        {"POST", "/api/v1/apps/", "{\"name\": \"a\", \"repo_url\": \"bb://team/a\"}", 201, NULL},
        {"GET", "/api/v1/apps/a/", NULL, 200,
         "\"repo_url\":\"bb://team/a\",\"repo_type\":\"git\",\"buildpack\":null,\"stack\":null,"
         "\"resolved_url\":\"https://example.com/x/team/a\""},
        {"POST", "/api/v1/apps/", "{\"name\": \"b\", \"repo_url\": \"cc://team/a\"}", 400,
         "repo_url"},
    };
    RIG(r);
    VR_OWNED(vr_tx_free) struct vr_tx *tx = NULL;
    vr_auto_json json_t *schemes = json_pack("{s:s}", "bb", "https://example.com/x/");

    CHECK(rig_start(&r));
    CHECK(vr_store_begin(r.server.store, VR_DB_WRITE, &tx, NULL) == 0);
    CHECK(vr_store_app_set_schemes(tx, schemes, NULL) == 0);
    CHECK(vr_store_commit(tx, NULL, NULL) == 0);
    RUN(cases);
}

static int upload(struct rig *r, const char *path, const char *bytes)
{
    const char *headers[] = {"Content-Type: text/x-shellscript", NULL};

    return rig_call(r,
                    (struct vr_http_call){.method = "PUT",
                                          .user = "ann",
                                          .password = RIG_PASSWORD,
                                          .headers = headers,
                                          .body = bytes},
                    path);
}

static int get_range(struct rig *r, const char *path, const char *range)
{
    const char *headers[] = {range, NULL};

    return rig_call(
        r, (struct vr_http_call){.user = "ann", .password = RIG_PASSWORD, .headers = headers},
        path);
}

#define SCRIPT "/files/provisioning_scripts/setup.sh"

TEST(apps__credentials_of_their_buildpack__are_not_in_their_versions)
{
    static const struct rig_case cases[] = {
        {"POST", "/api/v1/buildpacks/", "{\"repo_url\": \"https://u:hush@x/bp\"}", 201, NULL},
        {"POST", "/api/v1/apps/",
         "{\"name\": \"a\", \"repo_url\": \"https://x/a\","
         " \"buildpack\": \"/api/v1/buildpacks/1/\"}",
         201, NULL},
        {"GET", "/api/v1/apps/a/versions/1/", NULL, 404, NULL},
        {"GET", "/api/v1/apps/a/versions/2/", NULL, 200, "\"state\""},
    };
    RIG(r);

    CHECK(rig_start(&r));
    CHECK(rig_run(&r, cases, VR_COUNT(cases)));
    CHECK(strstr(r.last.body, "@x/bp") && !strstr(r.last.body, "hush"));
    CHECK(rig_get(&r, "/api/v1/apps/a/versions/", "ann") == 200);
    CHECK(strstr(r.last.body, "@x/bp") && !strstr(r.last.body, "hush"));
}

TEST(apps__credentials_of_a_repository__are_not_found_by_its_place_in_a_list)
{
    static const struct rig_case cases[] = {
        {"POST", "/api/v1/apps/", "{\"name\": \"a\", \"repo_url\": \"https://u:pw@x/a\"}", 201,
         NULL},
        {"GET", "/api/v1/apps/?order_by=repo_url", NULL, 200, "\"total_count\":1"},
        {"GET", "/api/v1/apps/?order_by=resolved_url", NULL, 400,
         "The 'resolved_url' field does not allow ordering."},
        {"GET", "/api/v1/apps/?resolved_url__contains=pw", NULL, 400, "does not allow filtering"},
    };
    RIG(r);

    CHECK(rig_start(&r));
    CHECK(rig_run(&r, cases, VR_COUNT(cases)));
}

TEST(stacks__script__is_uploaded_as_bytes_and_served_with_ranges)
{
    RIG(r);

    CHECK(rig_start(&r));
    CHECK(rig_send(&r, "POST", "/api/v1/stacks/", "ann", "{\"name\": \"trusty\"}") == 201);
    CHECK(rig_send(&r, "POST", "/api/v1/stacks/", "ann", "{\"name\": \"other\"}") == 201);
    CHECK(upload(&r, "/api/v1/stacks/trusty/script/", "x") == 400);
    CHECK(upload(&r, "/api/v1/stacks/trusty/script/?name=..%2Fx", "x") == 400);
    CHECK(upload(&r, "/api/v1/stacks/nope/script/?name=x", "x") == 404);
    CHECK(upload(&r, "/api/v1/stacks/trusty/script/?name=setup.sh", "#!/bin/sh\n") == 204);
    CHECK(upload(&r, "/api/v1/stacks/other/script/?name=setup.sh", "y") == 409);
    CHECK(rig_get(&r, "/api/v1/stacks/trusty/", "ann") == 200);
    CHECK(strstr(r.last.body, "\"provisioning_script\":\"" SCRIPT "\""));
    CHECK(rig_get(&r, SCRIPT, "ann") == 200);
    CHECK_STR(r.last.body, "#!/bin/sh\n");
    CHECK(*vr_http_result_header(&r.last, "etag") == '"');
    CHECK(vr_str_has_prefix(vr_http_result_header(&r.last, "content-type"), "text/plain"));
    CHECK(get_range(&r, SCRIPT, "Range: bytes=2-5") == 206);
    CHECK_STR(r.last.body, "/bin");
    CHECK(get_range(&r, SCRIPT, "Range: bytes=100-") == 416);
    CHECK(rig_call(&r,
                   (struct vr_http_call){.method = "HEAD", .user = "ann", .password = RIG_PASSWORD},
                   SCRIPT) == 200);
    CHECK(r.last.body_bytes == 0);
    CHECK(rig_get(&r, SCRIPT, NULL) == 401);
    CHECK(rig_send(&r, "PATCH", "/api/v1/stacks/trusty/", "ann",
                   "{\"provisioning_script\": null}") == 202);
    CHECK(rig_get(&r, SCRIPT, "ann") == 404);
}

TEST(dashboards__apps_in_every_form__slugs_made_and_unique)
{
    static const struct rig_case cases[] = {
        {"POST", "/api/v1/apps/", "{\"name\": \"a\", \"repo_url\": \"https://x/a\"}", 201, NULL},
        {"POST", "/api/v1/apps/", "{\"name\": \"b\", \"repo_url\": \"https://x/b\"}", 201, NULL},
        {"POST", "/api/v1/dashboard/", "{}", 400, "'name'"},
        {"POST", "/api/v1/dashboard/",
         "{\"name\": \"Team One\", \"apps\": [\"/api/v1/apps/a/\", {\"id\": \"2\", \"name\": "
         "\"b\"}]}",
         201, NULL},
        {"GET", "/api/v1/dashboard/1/", NULL, 200, "\"slug\":\"team-one\""},
        {"GET", "/api/v1/dashboard/1/", NULL, 200, "\"repo_url\":\"https://x/b\""},
        {"POST", "/api/v1/dashboard/", "{\"name\": \"team one\", \"apps\": [{\"id\": 1}]}", 201,
         NULL},
        {"GET", "/api/v1/dashboard/2/", NULL, 200, "\"slug\":\"team-one-2\""},
        {"POST", "/api/v1/dashboard/", "{\"name\": \"x\", \"slug\": \"team-one\"}", 409,
         "team-one"},
        {"POST", "/api/v1/dashboard/", "{\"name\": \"x\", \"slug\": \"a/b\"}", 400, "slug"},
        {"POST", "/api/v1/dashboard/", "{\"name\": \"x\", \"apps\": [{\"id\": 99}]}", 400, "apps"},
        {"POST", "/api/v1/dashboard/", "{\"name\": \"x\", \"apps\": \"a\"}", 400, "apps"},
        {"PUT", "/api/v1/dashboard/2/", "{\"name\": \"Two\"}", 204, NULL},
        {"GET", "/api/v1/dashboard/2/", NULL, 200, "\"name\":\"a\""},
        {"PATCH", "/api/v1/dashboard/2/", "{\"apps\": [{\"resource_uri\": \"/api/v1/apps/b/\"}]}",
         202, NULL},
        {"GET", "/api/v1/dashboard/?apps__name=b", NULL, 200, "\"total_count\":2"},
        {"GET", "/api/v1/dashboard/?apps__name=a", NULL, 200, "\"total_count\":1"},
        {"DELETE", "/api/v1/apps/a/", NULL, 204, NULL},
        {"DELETE", "/api/v1/dashboard/2/", NULL, 204, NULL},
        {"GET", "/api/v1/dashboard/2/", NULL, 404, NULL},
    };
    RIG(r);

    CHECK(rig_start(&r));
    RUN(cases);
}

TEST(profiles__made_on_demand__belong_to_their_users)
{
    static const struct rig_case cases[] = {
        {"POST", "/api/v1/dashboard/", "{\"name\": \"one\"}", 201, NULL},
        {"POST", "/api/v1/dashboard/", "{\"name\": \"two\"}", 201, NULL},
        {"GET", "/api/v1/user/1/", NULL, 200, "\"profile\":null"},
        {"GET", "/api/v1/profile/", NULL, 200, "\"total_count\":1"},
        {"PUT", "/api/v1/profile/1/", "{\"quick_dashboards\": [\"/api/v1/dashboard/2/\"]}", 204,
         NULL},
        {"PUT", "/api/v1/profile/1/", "{\"default_dashboard\": \"/api/v1/dashboard/1/\"}", 204,
         NULL},
        {"GET", "/api/v1/profile/1/", NULL, 200,
         "\"default_dashboard\":\"/api/v1/dashboard/1/\",\"quick_dashboards\":"
         "[\"/api/v1/dashboard/2/\"]"},
        {"GET", "/api/v1/user/1/", NULL, 200, "\"profile\":{\"id\":1,"},
        {"GET", "/api/v1/logs/?user__username=ann", NULL, 200, "\"profile\":{\"id\":1,"},
        {"PATCH", "/api/v1/profile/1/", "{\"default_dashboard\": \"/api/v1/dashboard/9/\"}", 400,
         "default_dashboard"},
        {"PATCH", "/api/v1/profile/9/", "{}", 404, NULL},
        {"DELETE", "/api/v1/dashboard/1/", NULL, 204, NULL},
        {"GET", "/api/v1/profile/1/", NULL, 200, "\"default_dashboard\":null"},
    };
    RIG(r);
    int64_t id;

    CHECK(rig_start(&r));
    CHECK(rig_add_user(&r, "vic", "viewer", &id) == 0);
    RUN(cases);
    CHECK(rig_get(&r, "/api/v1/profile/1/", "vic") == 404);
    CHECK(rig_send(&r, "PUT", "/api/v1/profile/1/", "vic", "{}") == 404);
    CHECK(rig_get(&r, "/api/v1/profile/", "vic") == 200);
    CHECK(strstr(r.last.body, "/api/v1/profile/2/") && !strstr(r.last.body, "/api/v1/profile/1/"));
    CHECK(rig_send(&r, "PUT", "/api/v1/profile/2/", "vic",
                   "{\"default_dashboard\": \"/api/v1/dashboard/2/\"}") == 204);
    CHECK(rig_get(&r, "/api/v1/profile/2/", "ann") == 200);
}

TEST(testruns__latest__is_a_redirect_with_the_query)
{
    RIG(r);

    CHECK(rig_start(&r));
    CHECK(rig_get(&r, "/api/v1/testruns/latest/", "ann") == 404);
    CHECK(rig_says(&r, "no run"));
}

TEST(lists__patched_as_a_whole__all_or_nothing)
{
    static const struct rig_case cases[] = {
        {"PATCH", "/api/v1/apps/", "{}", 400, "'objects'"},
        {"PATCH", "/api/v1/apps/", "{\"objects\": 1}", 400, "not a list"},
        {"PATCH", "/api/v1/apps/",
         "{\"objects\": [{\"name\": \"a\", \"repo_url\": \"https://x/a\"},"
         " {\"name\": \"b\", \"repo_url\": \"https://x/b\"}]}",
         202, NULL},
        {"GET", "/api/v1/apps/", NULL, 200, "\"total_count\":2"},
        {"PATCH", "/api/v1/apps/",
         "{\"objects\": [{\"name\": \"c\", \"repo_url\": \"https://x/c\"}, {\"name\": \"a-b\","
         " \"repo_url\": \"https://x/d\"}]}",
         400, "objects[1]: app name 'a-b'"},
        {"PATCH", "/api/v1/apps/",
         "{\"objects\": [{\"name\": \"c\", \"repo_url\": \"https://x/c\"}],"
         " \"deleted_objects\": [\"/api/v1/apps/nope/\"]}",
         404, "deleted_objects[0]"},
        {"PATCH", "/api/v1/apps/", "{\"deleted_objects\": [\"/api/v1/squads/a/\"]}", 400,
         "not a URI of apps"},
        {"GET", "/api/v1/apps/", NULL, 200, "\"total_count\":2"},
        {"PATCH", "/api/v1/apps/",
         "{\"objects\": [{\"resource_uri\": \"/api/v1/apps/a/\", \"repo_type\": \"hg\"}],"
         " \"deleted_objects\": [\"/api/v1/apps/b/\"]}",
         202, NULL},
        {"GET", "/api/v1/apps/", NULL, 200, "\"repo_type\":\"hg\""},
        {"GET", "/api/v1/apps/", NULL, 200, "\"total_count\":1"},
        {"PUT", "/api/v1/apps/", "{\"objects\": []}", 405, NULL},
        {"DELETE", "/api/v1/apps/", NULL, 405, NULL},
        {"POST", "/api/v1/apps/a/", "{}", 405, NULL},
        {"OPTIONS", "/api/v1/apps/", NULL, 200, NULL},
        {"GET", "/api/v1/apps/?format=xml", NULL, 200, "\"objects\""},
    };
    RIG(r);

    CHECK(rig_start(&r));
    RUN(cases);
}

TEST(pages__links__keep_filters_and_bad_numbers_are_told)
{
    static const struct rig_case cases[] = {
        {"GET", "/api/v1/apps/?limit=x", NULL, 400,
         "Invalid limit 'x' provided. Please provide a positive integer."},
        {"GET", "/api/v1/apps/?offset=-1", NULL, 400,
         "Invalid offset '-1' provided. Please provide a positive integer."},
        {"GET", "/api/v1/apps/?limit=9999", NULL, 200, "\"limit\":1000"},
        {"GET", "/api/v1/apps/?limit=0", NULL, 200, "\"limit\":1000"},
        {"POST", "/api/v1/squads/", "{\"name\": \"a\"}", 201, NULL},
        {"POST", "/api/v1/squads/", "{\"name\": \"a.b\"}", 201, NULL},
        {"GET", "/api/v1/squads/?limit=1&name__regex=a.%2A%26%7Ca", NULL, 200,
         "\"next\":\"/api/v1/squads/?name__regex=a.%2A%26%7Ca&limit=1&offset=1\""},
        {"GET", "/api/v1/squads/?limit=1&offset=1", NULL, 200,
         "\"previous\":\"/api/v1/squads/?limit=1&offset=0\""},
        {"GET", "/api/v1/squads/set/a;nope/", NULL, 200, "\"not_found\":[\"nope\"]"},
        {"GET", "/api/v1/swarms/?app__name=", NULL, 200, "\"total_count\":0"},
    };
    RIG(r);

    CHECK(rig_start(&r));
    RUN(cases);
}

/* Every key that the store renders is in the schema and the other way round. */
static bool has_same_fields(struct rig *r, enum vr_resource resource)
{
    vr_auto_free char *path = vr_strf("/api/v1/%s/schema/", vr_resource_name(resource));
    vr_auto_json json_t *doc = NULL;
    const json_t *fields;
    const char *name;
    size_t n = 0;

    if (rig_get(r, path, "ann") != 200 ||
        vr_json_parse(vr_str(r->last.body), VR_JSON_BYTES, &doc, NULL) < 0 ||
        !json_is_object(json_object_get(doc, "filtering")))
        return false;
    fields = json_object_get(doc, "fields");
    for (; (name = vr_resource_field(resource, n)); n++) {
        if (!json_object_get(fields, name)) {
            fprintf(stderr, "# schema of %s has no '%s'\n", vr_resource_name(resource), name);
            return false;
        }
    }
    n += json_object_get(fields, "can") != NULL; /* which the server adds, so the next */
    n += json_object_get(fields, "changed") != NULL;
    if (json_object_size(fields) != n)
        fprintf(stderr, "# schema of %s has too many fields\n", vr_resource_name(resource));
    return json_object_size(fields) == n;
}

TEST(schemas__of_every_resource__list_exactly_its_fields)
{
    RIG(r);
    bool all = true;

    CHECK(rig_start(&r));
    for (int i = 0; i < VR_RES_COUNT; i++)
        all = has_same_fields(&r, (enum vr_resource)i) && all;
    CHECK(all);
}

TEST(index__lists_every_resource_of_the_contract_without_a_login)
{
    static const char *const names[] = {"apps",        "buildpacks",  "builds", "dashboard",
                                        "hosts",       "ingredients", "logs",   "profile",
                                        "releases",    "squads",      "stacks", "swarms",
                                        "testresults", "testruns",    "user"};
    RIG(r);

    CHECK(rig_start(&r));
    CHECK(rig_get(&r, "/api/v1/", NULL) == 200);
    for (size_t i = 0; i < VR_COUNT(names); i++) {
        vr_auto_free char *part = vr_strf("\"schema\":\"/api/v1/%s/schema/\"", names[i]);

        CHECK(strstr(r.last.body, part));
    }
}

/* A squad with one host, an app, a buildpack, and swarms "a" with a version, "b" without. */
static const struct rig_case platform[] = {
    {"POST", "/api/v1/buildpacks/", "{\"repo_url\": \"builtin:static\", \"order\": 1}", 201, NULL},
    {"POST", "/api/v1/apps/", "{\"name\": \"shop\", \"repo_url\": \"https://x/shop\"}", 201, NULL},
    {"POST", "/api/v1/squads/", "{\"name\": \"dc\"}", 201, NULL},
    {"POST", "/api/v1/swarms/",
     "{\"app\": \"/api/v1/apps/shop/\", \"squad\": \"/api/v1/squads/dc/\", \"config_name\": \"a\","
     " \"proc_name\": \"web\", \"version\": \"v1\"}",
     201, NULL},
    {"POST", "/api/v1/swarms/",
     "{\"app\": \"/api/v1/apps/shop/\", \"squad\": \"/api/v1/squads/dc/\", \"config_name\": \"b\","
     " \"proc_name\": \"web\"}",
     201, NULL},
};

TEST(hosts__status__says_how_it_is_and_what_it_has_to_do)
{
    static const struct rig_case cases[] = {
        {"POST", "/api/v1/hosts/", "{\"name\": \"h1\"}", 201, NULL},
        {"GET", "/api/v1/hosts/h1/status/", NULL, 200,
         "\"ports\":[],\"procs\":{},\"roles\":[\"app\"]"},
        {"GET", "/api/v1/hosts/h1/status/", NULL, 200, "\"state\":\"new\""},
        {"GET", "/api/v1/hosts/h2/status/", NULL, 404, "host 'h2' does not exist"},
    };
    RIG(r);

    CHECK(rig_start(&r));
    RUN(cases);
}

TEST(squads__redispatched__are_a_group_of_rollouts)
{
    static const struct rig_case cases[] = {
        {"POST", "/api/v1/squads/nope/redispatch/", "{}", 404, NULL},
        {"POST", "/api/v1/squads/dc/redispatch/?plan=1", "{}", 200, "\"plans\":[{"},
        {"GET", "/api/v1/rollouts/", NULL, 200, "\"total_count\":0"},
        {"POST", "/api/v1/squads/dc/redispatch/", "{}", 202, "has no version to dispatch"},
        {"GET", "/api/v1/rollouts/?group__isnull=false", NULL, 200, "\"total_count\":1"},
        {"POST", "/api/v1/rollouts/none/retry/", "{}", 404, NULL},
    };
    RIG(r);

    CHECK(rig_start(&r));
    RUN(platform);
    RUN(cases);
}

static bool end_rollouts(struct rig *r, char **out_id)
{
    VR_OWNED(vr_tx_free) struct vr_tx *tx = NULL;
    VR_ROWS(rollout) open = {0};

    if (vr_store_begin(r->server.store, VR_DB_WRITE, &tx, &r->err) < 0 ||
        vr_store_rollout_list_open(tx, 1, &open, &r->err) < 0 || open.n != 1 ||
        vr_store_rollout_end(tx, open.v[0].id, "failed", vr_wall_now(), &r->err) < 0)
        return false;
    *out_id = vr_strdup(open.v[0].id);
    return vr_store_commit(tx, NULL, &r->err) == 0;
}

TEST(rollouts__retried__are_linked_both_ways)
{
    RIG(r);
    vr_auto_free char *id = NULL;
    vr_auto_free char *path = NULL;
    vr_auto_free char *retry = NULL;
    vr_auto_free char *filter = NULL;

    CHECK(rig_start(&r));
    RUN(platform);
    CHECK(rig_send(&r, "POST", "/api/v1/swarms/1/swarm/", "ann", "{}") == 202);
    CHECK(end_rollouts(&r, &id));
    path = vr_strf("/api/v1/rollouts/%s/", id);
    retry = vr_strf("%sretry/", path);
    filter = vr_strf("/api/v1/rollouts/?retry_of=%s", id);
    CHECK(rig_send(&r, "POST", retry, "ann", "{}") == 202);
    CHECK(rig_get(&r, filter, "ann") == 200);
    CHECK(strstr(r.last.body, "\"total_count\":1") && strstr(r.last.body, "\"tag\":\"v1\""));
    CHECK(rig_get(&r, path, "ann") == 200);
    CHECK(!strstr(r.last.body, "\"retried_by\":null"));
}

TEST(swarms__all_procs__take_one_action)
{
    static const struct rig_case cases[] = {
        {"POST", "/api/v1/swarms/1/procs/", "{}", 400, "'action'"},
        {"POST", "/api/v1/swarms/1/procs/", "{\"action\": \"jump\"}", 400, "start, stop, restart"},
        {"POST", "/api/v1/swarms/9/procs/", "{\"action\": \"stop\"}", 404, NULL},
        {"POST", "/api/v1/swarms/1/procs/", "{\"action\": \"stop\"}", 202, "\"commands\":[]"},
    };
    RIG(r);

    CHECK(rig_start(&r));
    RUN(platform);
    RUN(cases);
}

TEST(search__by_any_part__and_its_callback_is_a_name)
{
    static const struct rig_case cases[] = {
        {"GET", "/swarmsearch/?query=SHO", NULL, 200, "\"shortname\":\"shop-v1-a-web\""},
        {"GET", "/swarmsearch/?query=%25", NULL, 200, "[]"},
        {"GET", "/swarmsearch/", NULL, 200, "\"app_name\":\"shop\""},
        {"GET", "/swarmsearch/?query=v1&callback=jQuery1.cb", NULL, 200, "/**/jQuery1.cb([{"},
        {"GET", "/swarmsearch/?callback=alert(1)", NULL, 400, "no name of a function"},
        {"GET", "/log/rss/", NULL, 200, "<rss version=\"2.0\">"},
        {"GET", "/log/rss/", NULL, 200, "<title>activity by ann at "},
    };
    RIG(r);

    CHECK(rig_start(&r));
    RUN(platform);
    RUN(cases);
    CHECK(rig_get(&r, "/swarmsearch/", NULL) == 401);
    CHECK(rig_get(&r, "/log/rss/", NULL) == 401);
}

TEST(search__by_a_script_of_another_site__is_refused)
{
    const char *foreign[] = {"Sec-Fetch-Site: cross-site", NULL};
    struct vr_http_call call = {.user = "ann", .password = RIG_PASSWORD, .headers = foreign};
    RIG(r);

    CHECK(rig_start(&r));
    CHECK(rig_call(&r, call, "/swarmsearch/?query=&callback=f") == 403);
    CHECK(rig_says(&r, "another site"));
    CHECK(rig_call(&r, call, "/swarmsearch/?query=") == 200);
}

TEST(cursors__go_on_behind_a_row__whatever_is_added)
{
    static const struct rig_case cases[] = {
        {"GET", "/api/v1/logs/?limit=2", NULL, 200, "\"next_cursor\":\"0000000000000004\""},
        {"GET", "/api/v1/logs/?limit=2&cursor=", NULL, 200,
         "\"next\":\"/api/v1/logs/?limit=2&cursor=0000000000000004\""},
        {"POST", "/api/v1/squads/", "{\"name\": \"new\"}", 201, NULL},
        {"GET", "/api/v1/logs/?limit=2&fields=id&cursor=0000000000000004", NULL, 200,
         "\"objects\":[{\"id\":3},{\"id\":2}]"},
        {"GET", "/api/v1/logs/?limit=2&fields=id&cursor=0000000000000002", NULL, 200,
         "\"next_cursor\":null},\"objects\":[{\"id\":1}]"},
        {"GET", "/api/v1/logs/?cursor=x", NULL, 400, "Invalid cursor 'x' provided."},
        {"GET", "/api/v1/apps/?cursor=", NULL, 400, "no cursors"},
        {"GET", "/api/v1/logs/?cursor=&order_by=type", NULL, 400, "no cursors"},
    };
    RIG(r);

    CHECK(rig_start(&r));
    RUN(platform);
    RUN(cases);
}
