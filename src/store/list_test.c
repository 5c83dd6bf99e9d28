/* SPDX-License-Identifier: MIT */
/* JSON of the API: shapes of the contract, filters, order, pages, speed. */
#include "fmt/json.h"
#include "store/ingredient.h"
#include "store/log.h"
#include "store/resource.h"
#include "store/store_fixture.h"
#include "store/user.h"

#include <stdio.h>

static json_t *list(struct fixture *f, enum vr_resource resource, const char *query, int64_t *total,
                    struct vr_err *err)
{
    VR_OWNED(vr_query_free) struct vr_query *q = NULL;
    vr_auto_list struct vr_list page = {0};
    json_t *objects = NULL;

    if (vr_query_parse(vr_str(query), &q, NULL) < 0)
        return NULL;
    if (vr_store_list(f->tx,
                      &(struct vr_list_spec){
                          .resource = resource, .query = q, .limit = 100, .now = AT(61000000)},
                      &page, err) < 0)
        return NULL;
    if (vr_json_parse((struct vr_str){page.objects, page.bytes}, VR_LIST_BYTES, &objects, err) < 0)
        return NULL;
    if (total)
        *total = page.total_count;
    return (int64_t)json_array_size(objects) == page.count ? objects : NULL;
}

static const char *text_at(const json_t *objects, size_t i, const char *name)
{
    return json_string_value(json_object_get(json_array_get(objects, i), name));
}

TEST(vr_store_list__every_resource__is_valid_json_with_its_uri)
{
    FIXTURE(f);
    vr_auto_free char *rollout = NULL;
    int64_t proc, pool;

    CHECK(fixture_init(&f));
    CHECK(add_rollout(&f, "active", &rollout) == 0);
    CHECK(vr_store_rollout_step(f.tx, rollout, "place", AT(9), false, NOW, NULL) == 0);
    CHECK(add_proc(&f, 0, 5000, &proc) == 0);
    CHECK(vr_store_proc_set_rollout(f.tx, proc, rollout, NULL) == 0);
    CHECK(vr_store_pool_take(f.tx, f.balancer, "hello", f.swarm, &pool, NULL) == 0);
    CHECK(vr_store_log_add(f.tx, &(struct vr_log_entry){"swarm", 0, "m", NULL}, NOW, NULL) == 0);
    CHECK(fixture_commit(&f, VR_DB_READ) == 0);
    for (int i = 0; i < VR_RES_COUNT; i++) {
        vr_auto_json json_t *objects = list(&f, (enum vr_resource)i, "", NULL, NULL);
        const json_t *first;

        CHECK(objects);
        first = json_array_get(objects, 0);
        if (first && i != VR_RES_PROCS)
            CHECK(vr_str_has_prefix(json_string_value(json_object_get(first, "resource_uri")),
                                    "/api/v1/"));
    }
}

TEST(vr_store_rollout_note__of_the_open_step__is_its_message)
{
    FIXTURE(f);
    vr_auto_free char *rollout = NULL;
    vr_auto_json json_t *objects = NULL;
    const json_t *steps;

    CHECK(fixture_init(&f));
    CHECK(add_rollout(&f, "active", &rollout) == 0);
    CHECK(vr_store_rollout_step(f.tx, rollout, "place", AT(9), false, NOW, NULL) == 0);
    CHECK(vr_store_rollout_note(f.tx, rollout, "place", NULL, NULL, "all", NOW, NULL) == 0);
    CHECK(vr_store_rollout_note(f.tx, rollout, "place", NULL, NULL, "more", NOW, NULL) == 0);
    CHECK(vr_store_rollout_note(f.tx, rollout, "place", "h1", NULL, "one", NOW, NULL) == 0);
    CHECK(fixture_commit(&f, VR_DB_READ) == 0);
    objects = list(&f, VR_RES_ROLLOUTS, "", NULL, NULL);
    steps = json_object_get(json_array_get(objects, 0), "steps");
    CHECK(json_array_size(steps) == 3);
    CHECK_STR(text_at(steps, 0, "message"), "all");
    CHECK(json_is_null(json_object_get(json_array_get(steps, 0), "ended")));
    CHECK_STR(text_at(steps, 1, "message"), "more");
    CHECK_STR(text_at(steps, 2, "host"), "h1");
}

TEST(vr_store_object__swarm__has_the_contracts_shape)
{
    FIXTURE(f);
    vr_auto_json json_t *swarm = NULL;
    vr_auto_free char *text = NULL;
    vr_auto_free char *rollout = NULL;
    vr_auto_free char *key = NULL;
    const json_t *proc;
    int64_t id;

    CHECK(fixture_init(&f));
    CHECK(add_rollout(&f, "active", &rollout) == 0);
    CHECK(vr_store_rollout_end(f.tx, rollout, "done", NOW, NULL) == 0);
    CHECK(add_proc(&f, 0, 5003, &id) == 0);
    CHECK(say(&f, id, "running", 1));
    key = vr_strf("%lld", (long long)f.swarm);
    CHECK(vr_store_object(f.tx, VR_RES_SWARMS, key, NULL, AT(3661000000), &text, NULL) == 0);
    CHECK(vr_json_parse(vr_str(text), VR_LIST_BYTES, &swarm, NULL) == 0);
    CHECK_STR(json_string_value(json_object_get(swarm, "app")), "/api/v1/apps/hello/");
    CHECK_STR(json_string_value(json_object_get(swarm, "squad")), "/api/v1/squads/default/");
    CHECK_STR(json_string_value(json_object_get(swarm, "release")), "/api/v1/releases/1/");
    CHECK_STR(json_string_value(json_object_get(swarm, "version")), "v1");
    CHECK_STR(json_string_value(json_object_get(swarm, "shortname")), "hello-v1-prod-web");
    CHECK_STR(json_string_value(json_object_get(swarm, "balancer")), "lb");
    CHECK(json_is_null(json_object_get(swarm, "volumes")));
    CHECK(json_is_object(json_object_get(swarm, "compiled_config")));
    CHECK(json_integer_value(json_object_get(json_object_get(swarm, "policy"), "test_secs")) == 60);
    proc = json_array_get(json_object_get(swarm, "procs"), 0);
    CHECK_STR(json_string_value(json_object_get(proc, "description")), "pid 4711, uptime 1:01:01");
    CHECK_STR(json_string_value(json_object_get(proc, "statename")), "RUNNING");
    CHECK(json_integer_value(json_object_get(proc, "state")) == 20);
    CHECK_STR(json_string_value(json_object_get(proc, "id")),
              "h1.example.com-hello-v1-prod-ab12cd34-web-5003");
    CHECK_STR(json_string_value(json_object_get(proc, "start_time")), "2026-09-21T14:13:20+00:00");
    CHECK(json_is_null(json_object_get(proc, "stop_time")));
    CHECK(json_is_false(json_object_get(proc, "stale")));
}

/* Names and ids over several chunks, in the order of the keys, some twice, some of nothing. */
TEST(vr_store_set__many_keys__are_the_objects_in_their_order)
{
    enum { KEYS = 250 };
    static const enum vr_resource resources[] = {VR_RES_APPS, VR_RES_SWARMS};
    FIXTURE(f);

    CHECK(fixture_init(&f));
    for (size_t k = 0; k < VR_COUNT(resources); k++) {
        bool by_name = resources[k] == VR_RES_APPS;
        vr_auto_free char *id = vr_strf("%lld", (long long)f.swarm);
        vr_auto_free char *object = NULL;
        vr_auto_free char *twice = NULL;
        vr_auto_buf struct vr_buf text = VR_BUF(1 << 20);
        const char *good = by_name ? "hello" : id, *keys[KEYS];
        bool missing[KEYS];

        for (size_t i = 0; i < KEYS; i++)
            keys[i] = i % 200 == 7 ? good : i % 2 ? "99999" : "none";
        CHECK(vr_store_set(f.tx, &(struct vr_object_spec){.resource = resources[k], .now = NOW},
                           keys, KEYS, &text, missing, NULL) == 0);
        for (size_t i = 0; i < KEYS; i++)
            CHECK(missing[i] == (i % 200 != 7));
        CHECK(vr_store_object(f.tx, resources[k], good, NULL, NOW, &object, NULL) == 0);
        twice = vr_strf("%s,%s", object, object);
        CHECK_STR(vr_buf_text(&text), twice);
    }
}

TEST(vr_store_object__unknown__is_not_found)
{
    FIXTURE(f);
    vr_auto_free char *text = NULL;

    CHECK(fixture_init(&f));
    CHECK(vr_store_object(f.tx, VR_RES_SWARMS, "99", NULL, NOW, &text, NULL) == -VR_NOT_FOUND);
    CHECK(vr_store_object(f.tx, VR_RES_SWARMS, "x", NULL, NOW, &text, NULL) == -VR_NOT_FOUND);
    CHECK(vr_store_object(f.tx, VR_RES_APPS, "x", NULL, NOW, &text, NULL) == -VR_NOT_FOUND);
    CHECK(vr_store_object(f.tx, VR_RES_APPS, "hello", "name,id", NOW, &text, NULL) == 0);
    CHECK_STR(text, "{\"id\":1,\"name\":\"hello\"}");
}

TEST(vr_store_list__squads__nest_hosts_and_their_procs)
{
    FIXTURE(f);
    vr_auto_json json_t *squads = NULL;
    const json_t *hosts;
    int64_t id;

    CHECK(fixture_init(&f));
    CHECK(add_proc(&f, 1, 5001, &id) == 0);
    CHECK(add_proc(&f, 1, 5002, &id) == 0);
    squads = list(&f, VR_RES_SQUADS, "", NULL, NULL);
    hosts = json_object_get(json_array_get(squads, 0), "hosts");
    CHECK(json_array_size(hosts) == 2);
    CHECK(json_array_size(json_object_get(json_array_get(hosts, 0), "procs")) == 0);
    CHECK(json_array_size(json_object_get(json_array_get(hosts, 1), "procs")) == 2);
    CHECK_STR(text_at(hosts, 1, "name"), "h2.example.com");
}

/* Three swarms: prod (with an ingredient), test, stage. */
static bool three_swarms(struct fixture *f)
{
    struct vr_ingredient_row ingredient = {.name = (char *)"db%main"};
    int64_t id, ingredient_id;

    return fixture_init(f) && add_swarm(f, "test", &id) == 0 && add_swarm(f, "stage", &id) == 0 &&
           vr_store_ingredient_insert(f->tx, &ingredient, &ingredient_id, NULL) == 0 &&
           vr_store_swarm_set_ingredients(f->tx, f->swarm, &ingredient_id, 1, NULL) == 0;
}

TEST(vr_store_list__filters__select)
{
    static const struct {
        const char *query;
        int count;
    } cases[] = {
        {"", 3},
        {"app__name=hello&config_name=prod", 1},
        {"app__name=", 3}, /* empty: not given */
        {"config_name__in=prod,test,nope", 2},
        {"config_name__icontains=ST", 2},
        {"config_name__contains=ST", 0},
        {"config_name__startswith=st", 1},
        {"config_name__endswith=d", 1},
        {"config_name__endswith=longer_than_it", 0},
        {"config_name__iexact=PROD", 1},
        {"id__gte=2", 2},
        {"id__range=1,2", 2},
        {"pool__isnull=true", 0},
        {"pool__isnull=0", 3},
        {"squad__hosts__name=h1.example.com", 3},
        {"squad__hosts__name=nope", 0},
        {"squad__hosts__active=1", 3},
        {"config_ingredients__name=db%25main", 1},
        {"config_ingredients__name__startswith=%25", 0},
        {"config_name=' OR 1=1 --", 0},
        {"config_name__regex=%5Ep..d%24", 1},
        {"config_name__regex=%5EP..D%24", 0},
        {"config_name__iregex=%5EP..D%24", 1},
        {"config_name__regex=st%7Cro", 3},
        {"config_name__istartswith=ST", 1},
        {"config_name__iendswith=D", 1},
        {"config_name__contains=%25", 0}, /* no wild cards */
        {"config_name__contains=_", 0},
        {"config_name__gt=prod", 2},
        {"config_name__lte=prod", 1},
        {"config_name__range=p,s", 1},
        {"id__contains=1", 1},
        {"id__in=1,3", 2},
        {"release__isnull=true", 3},
        {"release=None", 3},
        {"pool=none", 0},
        {"squad__hosts__active=true", 3},
        {"squad__hosts__active=False", 0},
        {"app=1", 3},
        {"app=2", 0},
        {"app__buildpack__isnull=1", 3},
        {"app__buildpack__repo_url__contains=x", 0},
        {"app__stack__name=x", 0},
        {"order_by=-app__name,config_name", 3},
        {"no_such_key=1&format=json&limit=9999", 3},
    };
    FIXTURE(f);

    CHECK(three_swarms(&f));
    for (size_t i = 0; i < VR_COUNT(cases); i++) {
        int64_t total = -1;
        vr_auto_json json_t *objects = list(&f, VR_RES_SWARMS, cases[i].query, &total, NULL);
        vr_auto_free char *got = vr_strf("%s: %lld", cases[i].query, (long long)total);
        vr_auto_free char *want = vr_strf("%s: %d", cases[i].query, cases[i].count);

        CHECK(objects);
        CHECK_STR(got, want);
        CHECK((int)json_array_size(objects) == cases[i].count);
    }
}

TEST(vr_store_list__filters_that_are_none__say_so)
{
    static const char *const cases[][2] = {
        {"size=1", "The 'size' field does not allow filtering."},
        {"app__secret=1", "The 'secret' field does not allow filtering."},
        {"app__buildpack__desc=1", "The 'desc' field does not allow filtering."},
        {"pool__swarm=x", "The 'pool' field does not support relations."},
        {"release__build__tag=x",
         "Lookups are not allowed more than one level deep on the 'release' field."},
        {"pool__regex=(", "pattern '(' is no regular expression: Unmatched ( or \\("},
        {"pool__regex=(a)%5C1", "pattern '(a)\\1' has a back-reference"},
        {"pool__regex=((a%7B99%7D)%7B99%7D)%7B99%7D",
         "pattern '((a{99}){99}){99}' repeats more than 1000 times"},
        {"pool__year=2026", "'year' is not an allowed filter on the 'pool' field."},
        {"id=true", "Invalid value 'true' for filter 'id': not a number."},
        {"id=x", "Invalid value 'x' for filter 'id': not a number."},
        {"order_by=procs", "The 'procs' field does not allow ordering."},
        {"order_by=nope", "No matching 'nope' field for ordering on."},
    };
    FIXTURE(f);

    CHECK(three_swarms(&f));
    for (size_t i = 0; i < VR_COUNT(cases); i++) {
        struct vr_err err = VR_ERR_NULL;

        CHECK(!list(&f, VR_RES_SWARMS, cases[i][0], NULL, &err));
        CHECK(err.code == VR_INVALID);
        CHECK_STR(err.msg, cases[i][1]);
    }
}

TEST(vr_store_list__order_and_pages)
{
    FIXTURE(f);
    vr_auto_json json_t *up = NULL;
    vr_auto_json json_t *down = NULL;
    vr_auto_list struct vr_list page = {0};

    CHECK(three_swarms(&f));
    up = list(&f, VR_RES_SWARMS, "fields=config_name", NULL, NULL);
    down = list(&f, VR_RES_SWARMS, "fields=config_name&order_by=-config_name", NULL, NULL);
    CHECK_STR(text_at(up, 0, "config_name"), "prod");
    CHECK_STR(text_at(down, 0, "config_name"), "test");
    CHECK(json_object_size(json_array_get(up, 0)) == 1);
    CHECK(vr_store_list(f.tx,
                        &(struct vr_list_spec){
                            .resource = VR_RES_SWARMS, .limit = 1, .offset = 2, .now = NOW},
                        &page, NULL) == 0);
    CHECK(page.count == 1 && page.total_count == 3);
    CHECK(strstr(page.objects, "\"hello-v1-test-web\""));
}

TEST(vr_store_list__logs__embed_the_user_and_naive_times)
{
    FIXTURE(f);
    struct vr_user_row user = {.username = (char *)"a\"nn\n", .password = (char *)"x"};
    vr_auto_json json_t *logs = NULL;
    int64_t id;

    CHECK(fixture_init(&f));
    user.joined_us = NOW.us;
    CHECK(vr_store_user_insert(f.tx, &user, &id, NULL) == 0);
    CHECK(vr_store_log_add(f.tx, &(struct vr_log_entry){"swarm", id, "m\x01", NULL}, AT(250000),
                           NULL) == 0);
    logs = list(&f, VR_RES_LOGS, "time__gt=2026-01-01T00:00:00&user__username__contains=nn", NULL,
                NULL);
    CHECK(json_array_size(logs) == 1);
    CHECK_STR(text_at(logs, 0, "time"), "2026-09-21T14:13:20.250000");
    CHECK_STR(text_at(logs, 0, "time_utc"), "2026-09-21T14:13:20.250000Z");
    CHECK_STR(json_string_value(
                  json_object_get(json_object_get(json_array_get(logs, 0), "user"), "username")),
              "a\"nn\n");
}

TEST(vr_store_list__times__are_compared_by_their_parts)
{
    static const struct {
        const char *query;
        int count;
    } cases[] = {
        {"time__year=2026", 2},
        {"time__year=2025", 0},
        {"time__month=9&time__day=21", 1},
        {"time__day=22", 1},
        {"time__startswith=2026-09-21T14:13", 1},
        {"time__range=2026-09-21T00:00:00,2026-09-21T23:59:59", 1},
        {"time__lt=2026-09-22", 1},
        {"time__gt=2026-09-21%2023:59:59", 1},
        {"user__isnull=true", 2},
        {"type__in=swarm,build&message__iregex=%5EM", 2},
    };
    FIXTURE(f);

    CHECK(fixture_init(&f));
    CHECK(vr_store_log_add(f.tx, &(struct vr_log_entry){"swarm", 0, "m1", NULL}, NOW, NULL) == 0);
    CHECK(vr_store_log_add(f.tx, &(struct vr_log_entry){"build", 0, "m2", NULL},
                           AT(INT64_C(86400) * VR_US_PER_S), NULL) == 0);
    for (size_t i = 0; i < VR_COUNT(cases); i++) {
        vr_auto_json json_t *objects = list(&f, VR_RES_LOGS, cases[i].query, NULL, NULL);
        vr_auto_free char *got =
            vr_strf("%s: %zu", cases[i].query, objects ? json_array_size(objects) : 99);
        vr_auto_free char *want = vr_strf("%s: %d", cases[i].query, cases[i].count);

        CHECK_STR(got, want);
    }
}

TEST(vr_resource_parse_uri__forms)
{
    vr_auto_free char *a = NULL;
    vr_auto_free char *b = NULL;
    char *none = NULL;

    CHECK(vr_resource_parse_uri(VR_RES_APPS, "/api/v1/apps/x.y/", &a, NULL) == 0);
    CHECK_STR(a, "x.y");
    CHECK(vr_resource_parse_uri(VR_RES_SWARMS, "http://h:8000/api/v1/swarms/5", &b, NULL) == 0);
    CHECK_STR(b, "5");
    CHECK(vr_resource_parse_uri(VR_RES_APPS, "/api/v1/squads/x/", &none, NULL) == -VR_INVALID);
    CHECK(vr_resource_parse_uri(VR_RES_APPS, "/api/v1/apps/", &none, NULL) == -VR_INVALID);
    CHECK(vr_resource_parse_uri(VR_RES_APPS, "/api/v1/apps/x/procs/", &none, NULL) == -VR_INVALID);
    CHECK(vr_resource_parse_uri(VR_RES_APPS, "http://h", &none, NULL) == -VR_INVALID);
}

#define MANY_SWARMS     100
#define PROCS_PER_SWARM 100
#define LIST_MS_AT_MOST 10000 /* a sanity bound that sanitizers meet too */

static bool many_procs(struct fixture *f)
{
    int64_t hosts[MANY_SWARMS];
    char config[16];

    if (!fixture_init(f))
        return false;
    for (int i = 0; i < MANY_SWARMS; i++) {
        snprintf(config, sizeof(config), "h%03d", i);
        hosts[i] = add_host(f->tx, config, f->squad);
        snprintf(config, sizeof(config), "c%03d", i);
        if (!hosts[i] || add_swarm(f, config, &f->swarm) < 0)
            return false;
        for (int k = 0; k < PROCS_PER_SWARM; k++) {
            int64_t id;

            f->host[0] = hosts[k % (i + 1)];
            if (add_proc(f, 0, 0, &id) < 0)
                return false;
        }
    }
    return true;
}

TEST(vr_store_list__ten_thousand_procs__are_listed_in_time)
{
    FIXTURE(f);
    vr_auto_list struct vr_list page = {0};
    struct vr_mono begin;
    int64_t ms;

    CHECK(many_procs(&f));
    begin = vr_mono_now();
    CHECK(vr_store_list(
              f.tx, &(struct vr_list_spec){.resource = VR_RES_SWARMS, .limit = 1000, .now = NOW},
              &page, NULL) == 0);
    ms = vr_mono_ms_between(begin, vr_mono_now());
    fprintf(stderr, "# %lld swarms with 10,000 procs: %zu kB in %lld ms\n", (long long)page.count,
            page.bytes / 1024, (long long)ms);
    CHECK(page.count == MANY_SWARMS + 1);
    CHECK(ms < LIST_MS_AT_MOST);
}
