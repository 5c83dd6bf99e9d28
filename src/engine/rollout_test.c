/* SPDX-License-Identifier: MIT */
/* Rollouts from request to end over a real store, with agents that do as they are told. */
#include "engine/world.h"
#include "fmt/json.h"
#include "store/resource.h"
#include "store/retention.h"

TEST(rollout__a_first_dispatch__is_built_placed_tested_routed_and_done)
{
    WORLD(w);
    VR_ROW(rollout) row = {0};
    VR_ROW(swarm) swarm = {0};

    CHECK(world_init(&w));
    CHECK(world_roll(&w, VR_DISPATCH, 20, &row));
    CHECK_STR(row.result, "done");
    CHECK_STR(row.commit_id, COMMIT_1);
    CHECK(row.build_id && row.release_id);
    CHECK(world_running(&w, row.release_id) == 2);
    CHECK(world_members(&w) == 2);
    CHECK(vr_store_swarm_find_id(w.tx, w.swarm, &swarm, &w.err) == 0);
    CHECK_STR(swarm.current_rollout, row.id);
    CHECK_STR(row.leftovers_json, "[]");
}

TEST(rollout__done__tells_the_events_of_the_contract)
{
    WORLD(w);
    VR_ROW(rollout) row = {0};

    CHECK(world_init(&w));
    CHECK(world_roll(&w, VR_DISPATCH, 20, &row));
    CHECK(world_told(&w, "hello-v1", "Completed build hello-v1 in ", "[\"build\", \"success\"]"));
    CHECK(world_told(&w, "hello-v1-prod-web",
                     "Routed swarm hello-v1-prod-web.  Nodes: correct=[127.0.0.1:5",
                     "[\"route\"]"));
    CHECK(world_told(&w, "Swarm hello-v1-prod-web finished", "Swarm hello-v1-prod-web finished",
                     "[\"swarm\", \"deploy\", \"done\"]"));
}

TEST(rollout__an_unknown_tag__fails_with_the_message_and_changes_nothing)
{
    WORLD(w);
    VR_ROW(rollout) good = {0};
    VR_ROW(rollout) bad = {0};

    CHECK(world_init(&w));
    CHECK(world_roll(&w, VR_DISPATCH, 20, &good));
    CHECK(world_change(&w, "v7", 2));
    w.faults.resolve_code = "not_found";
    w.faults.resolve_message = "there is no tag 'v7'";
    CHECK(world_roll(&w, VR_DISPATCH, 20, &bad));
    CHECK_STR(bad.result, "failed");
    CHECK_STR(bad.error_step, "resolve");
    CHECK_STR(bad.error_message, "there is no tag 'v7'");
    CHECK(bad.build_id == 0);
    CHECK(world_running(&w, good.release_id) == 2);
    CHECK(world_procs(&w) == 2);
    CHECK(world_members(&w) == 2);
    CHECK(world_told(&w, "Swarm hello-v7-prod-web aborted", "resolve: there is no tag 'v7'",
                     "[\"swarm\", \"failed\"]"));
}

TEST(rollout__a_build_that_fails__fails_it_with_the_builds_message)
{
    WORLD(w);
    VR_ROW(rollout) row = {0};
    VR_ROW(build) build = {0};

    CHECK(world_init(&w));
    w.faults.build_message = "compile: status 1";
    CHECK(world_roll(&w, VR_DISPATCH, 20, &row));
    CHECK_STR(row.result, "failed");
    CHECK_STR(row.error_step, "build");
    CHECK_STR(row.error_message, "compile: status 1");
    CHECK(vr_store_build_find_id(w.tx, row.build_id, &build, &w.err) == 0);
    CHECK_STR(build.status, "failed");
    CHECK(world_procs(&w) == 0);
    CHECK(world_told(&w, "hello-v1", "compile: status 1", "[\"build\", \"failed\"]"));
}

TEST(rollout__after_a_failed_build__is_built_anew)
{
    WORLD(w);
    VR_ROW(rollout) bad = {0};
    VR_ROW(rollout) good = {0};

    CHECK(world_init(&w));
    w.faults.build_message = "compile: status 1";
    CHECK(world_roll(&w, VR_DISPATCH, 20, &bad));
    w.faults.build_message = NULL;
    CHECK(world_roll(&w, VR_DISPATCH, 20, &good));
    CHECK_STR(good.result, "done");
    CHECK(good.build_id != bad.build_id);
}

TEST(rollout__a_proc_that_the_procfile_lacks__fails_at_once_with_what_it_has)
{
    WORLD(w);
    VR_ROW(rollout) row = {0};
    VR_ROW(swarm) swarm = {0};

    CHECK(world_init(&w));
    CHECK(vr_store_swarm_find_id(w.tx, w.swarm, &swarm, &w.err) == 0);
    free(swarm.proc_name);
    swarm.proc_name = vr_strdup("worker");
    CHECK(vr_store_swarm_update(w.tx, &swarm, &w.err) == 0);
    CHECK(world_roll(&w, VR_DISPATCH, 10, &row));
    CHECK_STR(row.result, "failed");
    CHECK_STR(row.error_step, "release");
    CHECK_STR(row.error_message, "app 'hello' at 'v1' has no proc 'worker'; its Procfile has: web");
    CHECK(world_procs(&w) == 0);
}

TEST(rollout__a_resolve_without_a_commit__fails)
{
    WORLD(w);
    VR_ROW(rollout) row = {0};

    CHECK(world_init(&w));
    w.faults.result = "{\"commit\": \"\", \"buildpacks\": []}";
    CHECK(world_roll(&w, VR_DISPATCH, 10, &row));
    CHECK_STR(row.result, "failed");
    CHECK_STR(row.error_step, "resolve");
    CHECK(world_jobs(&w, "build", "done") == 0);
}

TEST(rollout__a_resolve_without_buildpacks__fails)
{
    WORLD(w);
    VR_ROW(rollout) row = {0};

    CHECK(world_init(&w));
    w.faults.result = "{\"commit\": \"" COMMIT_1 "\", \"buildpacks\": []}";
    CHECK(world_roll(&w, VR_DISPATCH, 10, &row));
    CHECK_STR(row.result, "failed");
    CHECK_STR(row.error_step, "build");
}

TEST(rollout__a_build_whose_result_says_nothing__fails)
{
    WORLD(w);
    VR_ROW(rollout) row = {0};
    vr_auto_free char *id = NULL;

    CHECK(world_init(&w));
    CHECK(world_ask(&w, VR_DISPATCH, 0, &id) == 0);
    for (int i = 0; i < 10 && world_jobs(&w, "resolve", "done") == 0; i++)
        CHECK(world_step(&w) == 0);
    w.faults.result = "{}";
    CHECK(world_run(&w, 5));
    CHECK(vr_store_rollout_find(w.tx, id, &row, &w.err) == 0);
    CHECK_STR(row.result, "failed");
    CHECK_STR(row.error_step, "build");
}

TEST(rollout__the_whole_commit_of_a_build__asks_no_repository)
{
    WORLD(w);
    VR_ROW(rollout) first = {0};
    VR_ROW(rollout) again = {0};

    CHECK(world_init(&w));
    CHECK(world_change(&w, COMMIT_1, 2));
    CHECK(world_roll(&w, VR_DISPATCH, 20, &first));
    CHECK_STR(first.result, "done");
    CHECK(world_jobs(&w, "resolve", "done") == 1);
    CHECK(world_roll(&w, VR_DISPATCH, 20, &again));
    CHECK_STR(again.result, "done");
    CHECK(again.release_id == first.release_id);
    CHECK(world_jobs(&w, "resolve", "done") == 1);
    CHECK(world_jobs(&w, "build", "done") == 1);
}

TEST(rollout__a_silent_repository_and_the_running_tag__reuses_the_build_with_a_warning)
{
    WORLD(w);
    VR_ROW(rollout) first = {0};
    VR_ROW(rollout) again = {0};

    CHECK(world_init(&w));
    CHECK(world_roll(&w, VR_DISPATCH, 20, &first));
    w.faults.resolve_code = "io";
    w.faults.resolve_message = "connect to example.com: timeout \xc3\xa9";
    CHECK(world_roll(&w, VR_DISPATCH, 20, &again));
    CHECK_STR(again.result, "done");
    CHECK(again.build_id == first.build_id);
    CHECK_STR(again.warnings_json, "[\"the commit that runs as 'v1' is used: connect to "
                                   "example.com: timeout \xc3\xa9\"]");
}

TEST(rollout__a_repository_that_hangs_and_the_running_tag__reuses_the_build_too)
{
    WORLD(w);
    VR_ROW(rollout) first = {0};
    VR_ROW(rollout) again = {0};

    CHECK(world_init(&w));
    CHECK(world_roll(&w, VR_DISPATCH, 20, &first));
    w.faults.jobs_hang = true;
    CHECK(world_roll(&w, VR_DISPATCH, 90, &again));
    CHECK_STR(again.result, "done");
    CHECK(again.build_id == first.build_id);
}

TEST(rollout__a_silent_repository_and_another_tag__fails)
{
    WORLD(w);
    VR_ROW(rollout) first = {0};
    VR_ROW(rollout) again = {0};

    CHECK(world_init(&w));
    CHECK(world_roll(&w, VR_DISPATCH, 20, &first));
    CHECK(world_change(&w, "v2", 2));
    w.faults.resolve_code = "io";
    w.faults.resolve_message = "connect to example.com: timeout";
    CHECK(world_roll(&w, VR_DISPATCH, 20, &again));
    CHECK_STR(again.result, "failed");
    CHECK_STR(again.error_message, "connect to example.com: timeout");
    CHECK(world_running(&w, first.release_id) == 2);
}

TEST(rollout__back_to_the_release_before__comes_back_as_it_was_without_a_build)
{
    WORLD(w);
    VR_ROW(rollout) first = {0};
    VR_ROW(rollout) second = {0};
    VR_ROW(rollout) back = {0};

    CHECK(world_init(&w));
    CHECK(world_roll(&w, VR_DISPATCH, 20, &first));
    CHECK(world_change(&w, "v2", 2));
    CHECK(world_roll(&w, VR_DISPATCH, 30, &second));
    CHECK_STR(second.result, "done");
    CHECK(second.release_id != first.release_id);
    CHECK(world_running(&w, first.release_id) == 0);
    CHECK(world_roll(&w, VR_ROLLBACK, 30, &back));
    CHECK_STR(back.result, "done");
    CHECK_STR(back.tag, "v1");
    CHECK(back.release_id == first.release_id);
    CHECK(world_jobs(&w, "build", "done") == 2);
    CHECK(world_jobs(&w, "resolve", "done") == 2);
    CHECK(world_running(&w, first.release_id) == 2);
    CHECK(world_procs(&w) == 2);
}

TEST(rollout__back_to_a_release_whose_build_expired__builds_the_same_commit_again)
{
    WORLD(w);
    VR_ROW(rollout) first = {0};
    VR_ROW(rollout) second = {0};
    VR_ROW(rollout) back = {0};
    bool expired = false;

    CHECK(world_init(&w));
    CHECK(world_roll(&w, VR_DISPATCH, 20, &first));
    CHECK(world_change(&w, "v2", 2));
    CHECK(world_roll(&w, VR_DISPATCH, 20, &second));
    CHECK_STR(second.result, "done");
    CHECK(vr_store_build_drop_file(w.tx, second.build_id, &expired, &w.err) == 0 && !expired);
    CHECK(vr_store_build_drop_file(w.tx, first.build_id, &expired, &w.err) == 0 && expired);
    CHECK(world_roll(&w, VR_ROLLBACK, 20, &back));
    CHECK_STR(back.error_message, "");
    CHECK_STR(back.result, "done");
    CHECK_STR(back.tag, "v1");
    CHECK_STR(back.commit_id, COMMIT_1);
    CHECK(back.build_id != first.build_id && back.release_id != first.release_id);
    CHECK(strstr(back.warnings_json, "the build of 'v1' expired") != NULL);
    CHECK(world_running(&w, back.release_id) == 2 && world_members(&w) == 2);
    CHECK(world_jobs(&w, "build", "done") == 3 && world_jobs(&w, "resolve", "done") == 2);
}

TEST(retry__of_a_rollout_whose_build_expired__builds_it_again_or_is_refused)
{
    WORLD(w);
    VR_ROW(rollout) first = {0};
    VR_ROW(rollout) again = {0};
    VR_ROW(rollout) second = {0};
    VR_ROW(rollout) back = {0};
    VR_ROW(rollout) last = {0};
    VR_ROW(rollout) retried = {0};
    vr_auto_free char *none = NULL;
    vr_auto_free char *id = NULL;
    bool expired = false;

    CHECK(world_init(&w));
    CHECK(world_roll(&w, VR_DISPATCH, 20, &first));
    CHECK(world_roll(&w, VR_RESTART, 40, &again));
    CHECK(world_change(&w, "v2", 2));
    CHECK(world_roll(&w, VR_DISPATCH, 30, &second));
    CHECK(world_roll(&w, VR_ROLLBACK, 30, &back));
    CHECK(world_roll(&w, VR_DISPATCH, 30, &last));
    CHECK_STR(last.result, "done");
    CHECK(vr_store_build_drop_file(w.tx, first.build_id, &expired, &w.err) == 0 && expired);
    CHECK(vr_dispatch_retry(w.tx, again.id, 0, w.now, &none, &w.err) == -VR_EXISTS);
    CHECK(strstr(w.err.msg, "expired") != NULL);
    CHECK(vr_dispatch_retry(w.tx, back.id, 0, w.now, &id, &w.err) == 0);
    CHECK(vr_store_rollout_find(w.tx, id, &retried, &w.err) == 0);
    CHECK(retried.build_id == 0 && retried.release_id == 0);
    CHECK(strstr(retried.warnings_json, "is built again") != NULL);
}

/* Move the swarm to another app of the same repository. */
static bool move_swarm(struct world *w, const char *app_name)
{
    VR_ROW(swarm) swarm = {0};
    struct vr_app_row app = {.name = (char *)app_name,
                             .repo_url = (char *)"https://example.com/hello.git",
                             .repo_type = (char *)"git"};

    if (vr_store_swarm_find_id(w->tx, w->swarm, &swarm, &w->err) < 0 ||
        vr_store_app_insert(w->tx, &app, &swarm.app_id, &w->err) < 0)
        return false;
    return vr_store_swarm_update(w->tx, &swarm, &w->err) == 0;
}

TEST(rollout__of_the_app_that_a_swarm_was_moved_from__is_neither_gone_back_to_nor_retried)
{
    WORLD(w);
    VR_ROW(rollout) first = {0};
    VR_ROW(rollout) second = {0};
    VR_ROW(rollout) failed = {0};
    VR_ROW(rollout) moved = {0};
    vr_auto_free char *id = NULL;

    CHECK(world_init(&w));
    CHECK(world_roll(&w, VR_DISPATCH, 20, &first));
    CHECK(world_change(&w, "v2", 2));
    CHECK(world_roll(&w, VR_DISPATCH, 30, &second));
    CHECK_STR(second.result, "done");
    w.faults.resolve_code = "not_found";
    w.faults.resolve_message = "no such tag";
    CHECK(world_change(&w, "v3", 2) && world_roll(&w, VR_DISPATCH, 30, &failed));
    CHECK_STR(failed.result, "failed");
    w.faults.resolve_message = NULL;
    CHECK(failed.build_id == 0 && move_swarm(&w, "other"));
    CHECK(world_ask(&w, VR_ROLLBACK, 0, &id) == -VR_EXISTS);
    CHECK(strstr(w.err.msg, "was of app 'hello', and its swarm is of app 'other' now") != NULL);
    CHECK(world_ask(&w, VR_ROLLBACK, first.release_id, &id) == -VR_EXISTS);
    CHECK(vr_dispatch_retry(w.tx, first.id, 0, w.now, &id, &w.err) == -VR_EXISTS);
    CHECK(vr_dispatch_retry(w.tx, failed.id, 0, w.now, &id, &w.err) == -VR_EXISTS);
    CHECK(!id && world_change(&w, "v1", 2) && world_roll(&w, VR_DISPATCH, 30, &moved));
    CHECK_STR(moved.result, "done");
}

TEST(rollout__a_tag_whose_build_expired__is_built_anew_and_runs)
{
    WORLD(w);
    VR_ROW(rollout) first = {0};
    VR_ROW(rollout) second = {0};
    VR_ROW(rollout) again = {0};
    bool expired = false;

    CHECK(world_init(&w));
    CHECK(world_roll(&w, VR_DISPATCH, 20, &first));
    CHECK(world_change(&w, "v2", 2));
    CHECK(world_roll(&w, VR_DISPATCH, 20, &second));
    CHECK(vr_store_build_drop_file(w.tx, first.build_id, &expired, &w.err) == 0 && expired);
    CHECK(world_change(&w, "v1", 2));
    CHECK(world_roll(&w, VR_DISPATCH, 20, &again));
    CHECK_STR(again.result, "done");
    CHECK(again.build_id != first.build_id);
    CHECK(world_running(&w, again.release_id) == 2);
}

TEST(rollout__back_after_the_proc_was_renamed__runs_the_proc_of_then)
{
    WORLD(w);
    VR_ROW(rollout) first = {0};
    VR_ROW(rollout) again = {0};
    VR_ROW(swarm) swarm = {0};

    CHECK(world_init(&w));
    CHECK(world_roll(&w, VR_DISPATCH, 20, &first));
    CHECK(vr_store_swarm_find_id(w.tx, w.swarm, &swarm, &w.err) == 0);
    free(swarm.proc_name);
    swarm.proc_name = vr_strdup("worker");
    CHECK(vr_store_swarm_update(w.tx, &swarm, &w.err) == 0);
    CHECK(world_roll(&w, VR_RESTART, 30, &again));
    CHECK_STR(again.result, "done");
    CHECK_STR(again.proc_name, "web");
    CHECK(world_running(&w, first.release_id) == 2);
}

TEST(rollout__nothing_to_go_back_to__is_refused)
{
    WORLD(w);
    VR_ROW(rollout) first = {0};
    vr_auto_free char *id = NULL;

    CHECK(world_init(&w));
    CHECK(world_ask(&w, VR_ROLLBACK, 0, &id) == -VR_NOT_FOUND);
    CHECK(world_ask(&w, VR_RESTART, 0, &id) == -VR_NOT_FOUND);
    CHECK(world_ask(&w, VR_SCALE, 0, &id) == -VR_NOT_FOUND);
    CHECK(world_roll(&w, VR_DISPATCH, 20, &first));
    CHECK(world_ask(&w, VR_ROLLBACK, 0, &id) == -VR_NOT_FOUND);
    CHECK(world_ask(&w, VR_ROLLBACK, first.release_id + 99, &id) == -VR_NOT_FOUND);
}

TEST(rollout__scaling__places_and_removes_what_differs)
{
    WORLD(w);
    VR_ROW(rollout) first = {0};
    VR_ROW(rollout) up = {0};
    VR_ROW(rollout) down = {0};
    VR_ROW(rollout) none = {0};

    CHECK(world_init(&w));
    CHECK(world_roll(&w, VR_DISPATCH, 20, &first));
    CHECK(world_change(&w, NULL, 4));
    CHECK(world_roll(&w, VR_SCALE, 20, &up));
    CHECK_STR(up.result, "done");
    CHECK(world_running(&w, first.release_id) == 4 && world_members(&w) == 4);
    CHECK(world_change(&w, NULL, 1));
    CHECK(world_roll(&w, VR_SCALE, 30, &down));
    CHECK_STR(down.result, "done");
    CHECK(world_procs(&w) == 1 && world_members(&w) == 1);
    CHECK(world_change(&w, NULL, 0));
    CHECK(world_roll(&w, VR_SCALE, 30, &none));
    CHECK_STR(none.result, "done");
    CHECK(world_procs(&w) == 0 && world_members(&w) == 0);
    CHECK(world_jobs(&w, "build", "done") == 1);
}

TEST(rollout__a_restart__replaces_every_proc_by_one_of_the_same_release)
{
    WORLD(w);
    VR_ROW(rollout) first = {0};
    VR_ROW(rollout) again = {0};
    VR_ROWS(proc) before = {0};
    VR_ROWS(proc) after = {0};

    CHECK(world_init(&w));
    CHECK(world_roll(&w, VR_DISPATCH, 20, &first));
    CHECK(vr_store_proc_list_of_swarm(w.tx, w.swarm, &before, &w.err) == 0);
    CHECK(world_roll(&w, VR_RESTART, 30, &again));
    CHECK_STR(again.result, "done");
    CHECK(again.release_id == first.release_id);
    CHECK(vr_store_proc_list_of_swarm(w.tx, w.swarm, &after, &w.err) == 0);
    CHECK(before.n == 2 && after.n == 2);
    CHECK(after.v[0].id > before.v[1].id);
    CHECK(world_members(&w) == 2);
}

/* A key of the rollout's failure as the API shows it; given, "" if there is none. */
static char *failure_of(struct world *w, const char *rollout, const char *key)
{
    vr_auto_free char *text = NULL;
    vr_auto_json json_t *doc = NULL;
    const char *said;

    if (vr_store_object(w->tx, VR_RES_ROLLOUTS, rollout, NULL, w->now, &text, &w->err) < 0 ||
        vr_json_parse(vr_str(text), VR_JSON_BYTES, &doc, &w->err) < 0)
        return vr_strdup(w->err.msg);
    said = json_string_value(json_object_get(json_object_get(doc, "error"), key));
    return vr_strdup(said ? said : "");
}

TEST(rollout__failed_uptests__leave_the_old_release_serving)
{
    WORLD(w);
    VR_ROW(rollout) first = {0};
    VR_ROW(rollout) bad = {0};
    vr_auto_free char *left = NULL, *object = NULL, *next = NULL, *command = NULL;

    CHECK(world_init(&w));
    CHECK(world_roll(&w, VR_DISPATCH, 20, &first));
    CHECK(world_change(&w, "v2", 2));
    w.faults.tests_fail = true;
    CHECK(world_roll(&w, VR_DISPATCH, 30, &bad));
    CHECK_STR(bad.result, "failed");
    CHECK_STR(bad.error_step, "test");
    CHECK(world_running(&w, first.release_id) == 2);
    CHECK(world_procs(&w) == 2);
    CHECK(world_members(&w) == 2);
    left = failure_of(&w, bad.id, "left");
    CHECK_STR(left, "v1 keeps serving with 2 of 2 procs. The 2 new procs were stopped;"
                    " their logs are kept.");
    object = failure_of(&w, bad.id, "object");
    CHECK_STR(object, bad.error_proc);
    next = failure_of(&w, bad.id, "next");
    CHECK(strstr(next, "read the log of proc ") == next);
    command = failure_of(&w, bad.id, "command");
    CHECK(strstr(command, "vr logs ") == command);
}

TEST(rollout__a_start_that_fails_everywhere__is_tried_elsewhere_once_then_fails)
{
    WORLD(w);
    VR_ROW(rollout) row = {0};
    vr_auto_free char *left = NULL;

    CHECK(world_init(&w));
    w.faults.fatal_code = "port_taken";
    CHECK(world_roll(&w, VR_DISPATCH, 30, &row));
    CHECK_STR(row.result, "failed");
    CHECK_STR(row.error_step, "start");
    CHECK_STR(row.error_message, "it could not start");
    CHECK(world_procs(&w) == 0);
    left = failure_of(&w, row.id, "left");
    CHECK(strstr(left, "Nothing of the swarm serves. ") == left);
}

TEST(rollout__a_second_dispatch_in_the_queue__ends_the_first_in_it_as_superseded)
{
    WORLD(w);
    VR_ROW(rollout) first = {0};
    VR_ROW(rollout) second = {0};
    VR_ROW(rollout) third = {0};
    vr_auto_free char *id1 = NULL;
    vr_auto_free char *id2 = NULL;

    CHECK(world_init(&w));
    w.faults.jobs_hang = true;
    CHECK(world_ask(&w, VR_DISPATCH, 0, &id1) == 0);
    CHECK(world_step(&w) == 0);
    CHECK(world_ask(&w, VR_DISPATCH, 0, &id2) == 0);
    w.faults.jobs_hang = false;
    CHECK(world_roll(&w, VR_DISPATCH, 30, &third));
    CHECK_STR(third.result, "done");
    CHECK(vr_store_rollout_find(w.tx, id1, &first, &w.err) == 0);
    CHECK(vr_store_rollout_find(w.tx, id2, &second, &w.err) == 0);
    CHECK_STR(second.result, "superseded");
    CHECK_STR(first.result, "superseded");
    CHECK(world_procs(&w) == 2);
}

TEST(rollout__a_cancel__brings_back_what_was)
{
    WORLD(w);
    VR_ROW(rollout) first = {0};
    VR_ROW(rollout) row = {0};
    vr_auto_free char *id = NULL;

    CHECK(world_init(&w));
    CHECK(world_roll(&w, VR_DISPATCH, 20, &first));
    CHECK(world_change(&w, "v2", 2));
    w.faults.jobs_hang = true;
    CHECK(world_ask(&w, VR_DISPATCH, 0, &id) == 0);
    CHECK(world_step(&w) == 0);
    CHECK(vr_store_rollout_request_cancel(w.tx, id, &w.err) == 0);
    CHECK(world_run(&w, 2));
    CHECK(vr_store_rollout_find(w.tx, id, &row, &w.err) == 0);
    CHECK_STR(row.result, "cancelled");
    CHECK(world_running(&w, first.release_id) == 2);
}

TEST(rollout__procs_that_do_not_stop__are_left_over_and_named)
{
    WORLD(w);
    VR_ROW(rollout) first = {0};
    VR_ROW(rollout) second = {0};

    CHECK(world_init(&w));
    CHECK(world_roll(&w, VR_DISPATCH, 20, &first));
    CHECK(world_change(&w, "v2", 2));
    w.faults.never_stop = true;
    CHECK(world_roll(&w, VR_DISPATCH, 120, &second));
    CHECK_STR(second.result, "done");
    CHECK(strstr(second.leftovers_json, "\"message\"") != NULL);
    CHECK(strstr(second.leftovers_json, "does not stop") != NULL);
    CHECK(world_members(&w) == 2);
}

TEST(dispatch__a_pool_of_another_swarm__is_refused_and_names_it)
{
    WORLD(w);
    VR_ROW(rollout) row = {0};
    vr_auto_free char *id = NULL;
    struct vr_dispatch_spec spec = {.kind = VR_DISPATCH};

    CHECK(world_init(&w));
    CHECK(world_roll(&w, VR_DISPATCH, 20, &row));
    spec.swarm_id = world_add_swarm(&w, "other", "hello");
    spec.now = w.now;
    CHECK(spec.swarm_id > 0);
    CHECK(vr_dispatch(w.tx, &spec, &id, &w.err) == -VR_EXISTS);
    CHECK(id == NULL);
    CHECK(strstr(w.err.msg, "hello") != NULL);
}

TEST(dispatch__names_that_only_an_import_may_have__are_refused)
{
    WORLD(w);
    VR_ROW(swarm) swarm = {0};
    vr_auto_free char *id = NULL;

    CHECK(world_init(&w));
    CHECK(vr_store_swarm_find_id(w.tx, w.swarm, &swarm, &w.err) == 0);
    free(swarm.config_name);
    swarm.config_name = vr_strdup("prod eu");
    CHECK(vr_store_swarm_update(w.tx, &swarm, &w.err) == 0);
    CHECK(world_ask(&w, VR_DISPATCH, 0, &id) == -VR_INVALID);
}

TEST(dispatch__a_swarm_without_a_tag__is_refused)
{
    WORLD(w);
    vr_auto_free char *id = NULL;

    CHECK(world_init(&w));
    CHECK(world_change(&w, "", 2));
    CHECK(world_ask(&w, VR_DISPATCH, 0, &id) == -VR_INVALID);
}
