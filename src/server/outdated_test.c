/* SPDX-License-Identifier: MIT */
/* Swarms that an ingredient has left behind: how they are found, shown and dispatched again. */
#include "engine/dispatch.h"
#include "server/server_fixture.h"
#include "store/rollout.h"
#include "store/row.h"

#define RUN(cases) CHECK(rig_run(&r, cases, VR_COUNT(cases)))

/* Swarm 1 has ingredient 1 and is dispatched, swarm 2 has it and is not, swarm 3 has none. */
#define SWARM(config, rest)                                                                        \
    "{\"app\": \"/api/v1/apps/shop/\", \"squad\": \"/api/v1/squads/dc/\", \"config_name\": "       \
    "\"" config "\", \"proc_name\": \"web\", \"version\": \"v1\"" rest "}"
#define WITH ", \"config_ingredients\": [\"/api/v1/ingredients/1/\"]"

static const struct rig_case platform[] = {
    {"POST", "/api/v1/buildpacks/", "{\"repo_url\": \"builtin:static\", \"order\": 1}", 201, NULL},
    {"POST", "/api/v1/apps/", "{\"name\": \"shop\", \"repo_url\": \"https://x/shop\"}", 201, NULL},
    {"POST", "/api/v1/squads/", "{\"name\": \"dc\"}", 201, NULL},
    {"POST", "/api/v1/ingredients/", "{\"name\": \"db\", \"env_yaml\": \"DB: one\"}", 201, NULL},
    {"POST", "/api/v1/swarms/", SWARM("a", WITH), 201, NULL},
    {"POST", "/api/v1/swarms/", SWARM("b", WITH), 201, NULL},
    {"POST", "/api/v1/swarms/", SWARM("c", ""), 201, NULL},
    {"POST", "/api/v1/swarms/1/swarm/", "{}", 202, NULL},
    {"GET", "/api/v1/swarms/1/", NULL, 200, "\"outdated\":false"},
};

/* The queued rollout of a swarm ends as if the engine had done it. */
static bool end_rollout(struct rig *r, int64_t swarm)
{
    VR_OWNED(vr_tx_free) struct vr_tx *tx = NULL;
    VR_ROWS(rollout) open = {0};

    return vr_store_begin(r->server.store, VR_DB_WRITE, &tx, &r->err) == 0 &&
           vr_store_rollout_list_open(tx, swarm, &open, &r->err) == 0 && open.n == 1 &&
           vr_store_rollout_end(tx, open.v[0].id, "done", vr_wall_now(), &r->err) == 0 &&
           vr_store_commit(tx, NULL, &r->err) == 0;
}

#define OUTDATED   "/api/v1/swarms/?outdated=true"
#define REDISPATCH "/api/v1/ingredients/1/redispatch/"

TEST(swarm__its_ingredient_changed__is_outdated_until_it_is_dispatched_again)
{
    static const struct rig_case before[] = {
        {"GET", OUTDATED, NULL, 200, "\"total_count\":0"},
        {"POST", REDISPATCH, "{}", 202, "\"rollouts\":[]"},
        {"PATCH", "/api/v1/ingredients/1/", "{\"env_yaml\": \"DB: two\"}", 202, NULL},
        {"GET", OUTDATED "&fields=id,outdated", NULL, 200,
         "\"objects\":[{\"id\":1,\"outdated\":true}]"},
        {"GET", "/api/v1/swarms/?outdated=false", NULL, 200, "\"total_count\":2"},
        {"GET", "/api/v1/ingredients/1/?fields=usage", NULL, 200,
         "{\"usage\":[{\"swarm\":\"/api/v1/swarms/1/\",\"name\":\"shop-a-web\",\"outdated\":true},"
         "{\"swarm\":\"/api/v1/swarms/2/\",\"name\":\"shop-b-web\",\"outdated\":false}]}"},
        {"POST", REDISPATCH "?plan=1", "{}", 200, "\"skipped\":[]"},
        {"POST", REDISPATCH, "{}", 202, "\"group\":"},
        {"GET", OUTDATED, NULL, 200, "\"total_count\":1"}, /* it only was asked for */
    };
    static const struct rig_case after[] = {
        {"GET", OUTDATED, NULL, 200, "\"total_count\":0"},
        {"PATCH", "/api/v1/swarms/1/", "{\"version\": \"v2\", \"size\": 3}", 202, NULL},
        {"GET", OUTDATED, NULL, 200, "\"total_count\":0"},
        {"PATCH", "/api/v1/swarms/1/", "{\"mem_limit\": \"64M\"}", 202, NULL},
        {"GET", OUTDATED, NULL, 200, "\"total_count\":1"},
        {"PATCH", "/api/v1/swarms/1/", "{\"mem_limit\": null}", 202, NULL},
        {"GET", OUTDATED, NULL, 200, "\"total_count\":0"},
    };
    RIG(r);

    CHECK(rig_start(&r));
    RUN(platform);
    CHECK(end_rollout(&r, 1));
    RUN(before);
    CHECK(rig_get(&r, "/api/v1/rollouts/?group__isnull=false&fields=id", "ann") == 200);
    CHECK(strstr(r.last.body, "\"total_count\":1"));
    CHECK(end_rollout(&r, 1));
    RUN(after);
}

TEST(swarm__its_secret_changed__is_outdated_and_the_same_value_again_is_not)
{
    static const struct rig_case one[] = {
        {"PATCH", "/api/v1/ingredients/1/", "{\"secrets\": {\"env\": {\"KEY\": \"s3cret\"}}}", 202,
         NULL},
        {"GET", OUTDATED, NULL, 200, "\"total_count\":1"},
        {"POST", REDISPATCH, "{}", 202, NULL},
    };
    static const struct rig_case two[] = {
        {"PATCH", "/api/v1/ingredients/1/", "{\"secrets\": {\"env\": {\"KEY\": \"s3cret\"}}}", 202,
         NULL},
        {"GET", OUTDATED, NULL, 200, "\"total_count\":0"},
        {"PATCH", "/api/v1/ingredients/1/", "{\"secrets\": {\"env\": {\"KEY\": \"other\"}}}", 202,
         NULL},
        {"GET", OUTDATED, NULL, 200, "\"total_count\":1"},
    };
    RIG(r);

    CHECK(rig_start(&r));
    RUN(platform);
    CHECK(end_rollout(&r, 1));
    RUN(one);
    CHECK(end_rollout(&r, 1));
    RUN(two);
}

TEST(redispatch__of_named_swarms__takes_only_those_of_the_ingredient)
{
    static const struct rig_case cases[] = {
        {"POST", "/api/v1/ingredients/7/redispatch/", "{}", 404, "ingredient '7'"},
        {"POST", REDISPATCH, "{\"swarms\": 1}", 400, "\"swarms\""},
        {"POST", REDISPATCH, "{\"swarms\": [\"/api/v1/swarms/9/\"]}", 400, "\"swarms\""},
        {"POST", REDISPATCH, "{\"swarms\": [\"/api/v1/swarms/2/\", {\"id\": 3}]}", 400,
         "not all of these swarms use ingredient 'db'"},
        {"POST", REDISPATCH, "{\"swarms\": []}", 202, "\"rollouts\":[]"},
        {"GET", "/api/v1/rollouts/?state=queued", NULL, 200, "\"total_count\":0"},
        {"POST", REDISPATCH, "{\"swarms\": [\"/api/v1/swarms/2/\"]}", 202, "\"group\":"},
        {"GET", "/api/v1/rollouts/?state=queued", NULL, 200, "\"total_count\":1"},
        {"GET", "/api/v1/rollouts/?swarm=2", NULL, 200, "\"total_count\":1"},
    };
    RIG(r);

    CHECK(rig_start(&r));
    RUN(platform);
    CHECK(end_rollout(&r, 1));
    RUN(cases);
}

/* What a database has that was made before the sums were. */
static bool forget_sums(struct rig *r)
{
    VR_OWNED(vr_tx_free) struct vr_tx *tx = NULL;

    return vr_store_begin(r->server.store, VR_DB_WRITE, &tx, &r->err) == 0 &&
           vr_db_script(tx->db,
                        "UPDATE swarms SET config_sha256 = '';"
                        " UPDATE rollouts SET config_sha256 = ''",
                        &r->err) == 0 &&
           vr_store_commit(tx, NULL, &r->err) == 0;
}

static bool fill_sums(struct rig *r)
{
    VR_OWNED(vr_tx_free) struct vr_tx *tx = NULL;

    return vr_store_begin(r->server.store, VR_DB_WRITE, &tx, &r->err) == 0 &&
           vr_dispatch_fill_sums(tx, &r->err) == 0 && vr_store_commit(tx, NULL, &r->err) == 0;
}

TEST(sums__of_an_older_database__are_filled_at_start_and_nothing_is_outdated_meanwhile)
{
    static const struct rig_case change[] = {
        {"GET", OUTDATED, NULL, 200, "\"total_count\":0"},
        {"PATCH", "/api/v1/ingredients/1/", "{\"env_yaml\": \"DB: two\"}", 202, NULL},
        {"GET", OUTDATED, NULL, 200, "\"total_count\":1"},
    };
    static const struct rig_case none[] = {{"GET", OUTDATED, NULL, 200, "\"total_count\":0"}};
    static const struct rig_case one[] = {{"GET", OUTDATED, NULL, 200, "\"total_count\":1"}};
    RIG(r);

    CHECK(rig_start(&r));
    RUN(platform);
    CHECK(end_rollout(&r, 1) && forget_sums(&r));
    RUN(none);
    CHECK(fill_sums(&r));
    RUN(change);
    CHECK(forget_sums(&r));
    RUN(none);
    CHECK(fill_sums(&r));
    RUN(one);
}
