/* SPDX-License-Identifier: MIT */
/* The routes of schedules, retention and beginning test runs. */
#include "engine/retention.h"
#include "engine/schedules.h"
#include "server/server_fixture.h"

static bool start(struct rig *r)
{
    int64_t id;

    if (!rig_start(r))
        return false;
    vr_schedules_default(r->server.config.schedules);
    vr_retention_default(&r->server.config.retention);
    return rig_add_user(r, "vic", "viewer", &id) == 0 &&
           rig_add_user(r, "dan", "deployer", &id) == 0;
}

static int post(struct rig *r, const char *path, const char *user, const char *body)
{
    static const char *const headers[] = {"Content-Type: application/json", NULL};

    return rig_call(r,
                    (struct vr_http_call){.method = "POST",
                                          .headers = headers,
                                          .body = body,
                                          .user = user,
                                          .password = RIG_PASSWORD},
                    path);
}

static json_t *answer(struct rig *r)
{
    json_t *doc = NULL;

    vr_ignore(vr_json_parse(vr_str(r->last.body), VR_JSON_BYTES, &doc, NULL), "then it is NULL");
    return doc;
}

TEST(schedules__list__every_task_with_its_schedule_and_next_run)
{
    RIG(r);
    vr_auto_json json_t *doc = NULL;
    json_t *objects;

    CHECK(start(&r));
    CHECK(rig_get(&r, "/api/v1/schedules/", "ann") == 200);
    doc = answer(&r);
    objects = json_object_get(doc, "objects");
    CHECK(json_array_size(objects) == 4);
    CHECK_STR(json_string_value(json_object_get(json_array_get(objects, 0), "task")), "uptests");
    CHECK_STR(json_string_value(json_object_get(json_array_get(objects, 0), "schedule")),
              "every 1h");
    CHECK_STR(json_string_value(json_object_get(json_array_get(objects, 1), "schedule")),
              "at 12:15");
    CHECK(json_is_null(json_object_get(json_array_get(objects, 0), "last_run")));
    CHECK(json_is_string(json_object_get(json_array_get(objects, 0), "next")));
}

TEST(schedules__run__is_for_admins_audited_and_of_known_tasks)
{
    RIG(r);

    CHECK(start(&r));
    CHECK(post(&r, "/api/v1/schedules/builds/run/", "dan", "{}") == 403);
    CHECK(post(&r, "/api/v1/schedules/nothing/run/", "ann", "{}") == 404);
    CHECK(rig_says(&r, "there is no task 'nothing'"));
    CHECK(post(&r, "/api/v1/schedules/builds/run/", "ann", "{}") == 202);
    CHECK(rig_get(&r, "/api/v1/logs/?format=json", "ann") == 200);
    CHECK(strstr(r.last.body, "run builds") != NULL);
    CHECK(rig_get(&r, "/api/v1/schedules/", "vic") == 403);
}

TEST(testruns__begin__one_at_a_time_with_a_swarm_that_exists)
{
    RIG(r);

    CHECK(start(&r));
    CHECK(post(&r, "/api/v1/testruns/", "vic", "{}") == 403);
    CHECK(post(&r, "/api/v1/testruns/", "dan", "{\"swarm\": \"/api/v1/swarms/77/\"}") == 400);
    CHECK(strstr(r.last.body, "swarm") != NULL);
    CHECK(post(&r, "/api/v1/testruns/", "dan", "{\"swarm\": 12}") == 400);
    CHECK(post(&r, "/api/v1/testruns/", "dan", "{\"swarm\": null}") == 201);
    CHECK(strstr(r.last.body, "\"resource_uri\":\"/api/v1/testruns/1/\"") ||
          strstr(r.last.body, "\"resource_uri\": \"/api/v1/testruns/1/\""));
    CHECK(post(&r, "/api/v1/testruns/", "dan", "{}") == 409);
    CHECK(rig_says(&r, "test run 1 is under way"));
}

TEST(retention__shown__limits_and_what_would_go)
{
    RIG(r);
    vr_auto_json json_t *doc = NULL;

    CHECK(start(&r));
    CHECK(rig_get(&r, "/api/v1/retention/", "dan") == 403);
    CHECK(rig_get(&r, "/api/v1/retention/?plan=2", "ann") == 400);
    CHECK(rig_get(&r, "/api/v1/retention/", "ann") == 200);
    CHECK(strstr(r.last.body, "keep_releases") != NULL);
    CHECK(rig_get(&r, "/api/v1/retention/?plan=1", "ann") == 200);
    doc = answer(&r);
    CHECK(json_integer_value(json_object_get(json_object_get(doc, "builds"), "go_count")) == 0);
    CHECK(json_is_integer(json_object_get(json_object_get(doc, "rows"), "events")));
}
