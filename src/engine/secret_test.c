/* SPDX-License-Identifier: MIT */
/* Secrets through a rollout: what is frozen holds references, and only a host gets values. */
#include "db/db.h"
#include "engine/world.h"

#include "store/host.h"
#include "store/secret.h"

#define VALUE  "hunter2-very-secret"
#define VALUE2 "another-very-secret"

/* Give the swarm's environment the secret DB_PASSWORD. */
static bool set_secret(struct world *w, const char *value)
{
    VR_ROW(swarm) swarm = {0};
    int64_t id;

    if (vr_store_secret_take(w->tx, value, 1, w->now, &id, &w->err) < 0 ||
        vr_store_swarm_find_id(w->tx, w->swarm, &swarm, &w->err) < 0)
        return false;
    free(swarm.secret_env_json);
    swarm.secret_env_json = vr_strf("{\"DB_PASSWORD\":{\"$secret\":%" PRId64 "}}", id);
    return vr_store_swarm_update(w->tx, &swarm, &w->err) == 0;
}

/* Does what a host is told hold the value? */
static bool is_told(struct world *w, int host, const char *value)
{
    vr_auto_free char *text = NULL;

    return vr_store_host_desired_json(w->tx, w->host[host], WORLD_CLUSTER, NULL, &text, &w->err) ==
               0 &&
           strstr(text, value);
}

TEST(secret__dispatched__is_in_the_desired_state_and_in_nothing_that_was_frozen)
{
    WORLD(w);
    VR_ROW(rollout) row = {0};
    VR_ROW(release) release = {0};
    int told = 0;

    CHECK(world_init(&w) && set_secret(&w, VALUE));
    CHECK(world_roll(&w, VR_DISPATCH, 20, &row));
    CHECK_STR(row.result, "done");
    CHECK(!strstr(row.wish_json, VALUE) && strstr(row.wish_json, "{\"$secret\":"));
    CHECK(vr_store_release_find_id(w.tx, row.release_id, &release, &w.err) == 0);
    CHECK(!strstr(release.env_json, VALUE) && strstr(release.env_json, "{\"$secret\":"));
    CHECK(strstr(release.env_yaml, "DB_PASSWORD: \"" VR_SECRET_MASK "\"\n"));
    for (int i = 0; i < WORLD_HOSTS; i++)
        told += is_told(&w, i, "\"DB_PASSWORD\":\"" VALUE "\"");
    CHECK(told == 2);
}

TEST(secret__the_same_value_again__is_the_same_release_and_another_one_is_not)
{
    WORLD(w);
    VR_ROW(rollout) first = {0};
    VR_ROW(rollout) same = {0};
    VR_ROW(rollout) other = {0};

    CHECK(world_init(&w) && set_secret(&w, VALUE));
    CHECK(world_roll(&w, VR_DISPATCH, 20, &first));
    CHECK(set_secret(&w, VALUE));
    CHECK(world_roll(&w, VR_DISPATCH, 20, &same));
    CHECK(first.release_id && same.release_id == first.release_id);
    CHECK(set_secret(&w, VALUE2));
    CHECK(world_roll(&w, VR_DISPATCH, 20, &other));
    CHECK(other.release_id && other.release_id != first.release_id);
}

TEST(secret__changed_and_swept__a_rollback_still_has_the_old_value)
{
    WORLD(w);
    VR_ROW(rollout) first = {0};
    VR_ROW(rollout) second = {0};
    VR_ROW(rollout) back = {0};
    struct vr_secret_unused found = {0};
    int64_t unused, deleted;
    int told = 0;

    CHECK(world_init(&w) && set_secret(&w, VALUE));
    CHECK(world_roll(&w, VR_DISPATCH, 20, &first));
    CHECK(set_secret(&w, VALUE2));
    CHECK(world_roll(&w, VR_DISPATCH, 40, &second));
    CHECK_STR(second.result, "done");
    CHECK(vr_store_secret_take(w.tx, "nobody's", 1, w.now, &unused, &w.err) == 0);
    CHECK(vr_store_secret_find_unused(w.tx, &found, &w.err) == 0 && found.n == 1);
    CHECK(vr_store_secret_delete_unused(w.tx, &found, &deleted, &w.err) == 0 && deleted == 1);
    free(found.ids);
    CHECK(world_roll(&w, VR_ROLLBACK, 40, &back));
    CHECK_STR(back.result, "done");
    CHECK(back.release_id == first.release_id);
    for (int i = 0; i < WORLD_HOSTS; i++)
        told += is_told(&w, i, "\"DB_PASSWORD\":\"" VALUE "\"");
    CHECK(told > 0);
}

TEST(secret__a_build_that_names_one__fails_and_gets_nothing)
{
    WORLD(w);
    VR_ROW(rollout) row = {0};

    CHECK(world_init(&w) && set_secret(&w, VALUE));
    w.faults.result = "{\"file_md5\":\"m\",\"file_sha256\":\"s\",\"commit\":\"" COMMIT_1 "\","
                      "\"procfile\":{\"web\":\"x\"},\"config_vars\":{\"X\":{\"$secret\":1}},"
                      "\"buildpacks\":[{\"url\":\"builtin:python\",\"commit\":\"1\"}]}";
    CHECK(world_roll(&w, VR_DISPATCH, 20, &row));
    CHECK_STR(row.result, "failed");
    CHECK(strstr(row.error_message, "has a key '$secret'"));
}

TEST(secret__deleted_by_hand__fails_the_rollout_with_its_name)
{
    WORLD(w);
    VR_ROW(rollout) row = {0};
    VR_ROW(swarm) swarm = {0};

    CHECK(world_init(&w));
    CHECK(vr_store_swarm_find_id(w.tx, w.swarm, &swarm, &w.err) == 0);
    free(swarm.secret_env_json);
    swarm.secret_env_json = vr_strdup("{\"DB_PASSWORD\":{\"$secret\":4711}}");
    CHECK(vr_store_swarm_update(w.tx, &swarm, &w.err) == 0);
    CHECK(world_roll(&w, VR_DISPATCH, 20, &row));
    CHECK_STR(row.result, "failed");
    CHECK_STR(row.error_message, "the value of secret 'DB_PASSWORD' was deleted: set it again");
}

/* Behind the store's back: it deletes nothing that a release refers to. */
static bool delete_secrets(struct world *w)
{
    vr_auto_free char *url = vr_strf("sqlite:%s/store.db", vr_tap_dir());
    VR_OWNED(vr_db_free) struct vr_db *db = NULL;
    VR_OWNED(vr_db_tx_free) struct vr_db_tx *tx = NULL;

    if (vr_store_commit(w->tx, NULL, &w->err) < 0)
        return false;
    w->tx = vr_tx_free(w->tx);
    if (vr_db_open(url, NULL, &db, &w->err) < 0 || vr_db_begin(db, VR_DB_WRITE, &tx, &w->err) < 0 ||
        vr_db_exec(tx, NULL, &w->err, "DELETE FROM secrets") < 0 || vr_db_commit(tx, &w->err) < 0)
        return false;
    return vr_store_begin(w->store, VR_DB_WRITE, &w->tx, &w->err) == 0;
}

TEST(secret__gone_from_under_a_release__keeps_its_procs_from_starting_and_says_which)
{
    WORLD(w);
    VR_ROW(rollout) row = {0};
    int told = 0;

    CHECK(world_init(&w) && set_secret(&w, VALUE));
    CHECK(world_roll(&w, VR_DISPATCH, 20, &row));
    CHECK(!is_told(&w, 0, "not_startable") && !is_told(&w, 1, "not_startable"));
    CHECK(delete_secrets(&w));
    for (int i = 0; i < WORLD_HOSTS; i++)
        told += is_told(&w, i, "\"not_startable\":\"the value of secret 'DB_PASSWORD' was deleted");
    CHECK(told == 2);
}

TEST(secret__an_ingredients__is_masked_in_what_is_merged)
{
    WORLD(w);
    VR_ROW(swarm) swarm = {0};

    CHECK(world_init(&w) && set_secret(&w, VALUE));
    CHECK(vr_dispatch_refresh_merged(w.tx, w.swarm, &w.err) == 0);
    CHECK(vr_store_swarm_find_id(w.tx, w.swarm, &swarm, &w.err) == 0);
    CHECK_STR(swarm.merged_env_json, "{\"A\":\"1\",\"DB_PASSWORD\":\"" VR_SECRET_MASK "\"}");
}
