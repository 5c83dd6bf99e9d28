/* SPDX-License-Identifier: MIT */
/* Test runs over procs that serve: what is told, and that nothing is moved by it. */
#include "engine/schedules.h"
#include "engine/uptests.h"
#include "engine/world.h"
#include "store/schedule.h"
#include "store/testrun.h"

#define RUN_SECS 400 /* more than a deadline of tests of the default policy */

/* A swarm of two procs that serve. */
static bool make_served(struct world *w)
{
    VR_ROW(rollout) row = {0};

    return world_init(w) && world_roll(w, VR_DISPATCH, 20, &row) && vr_streq(row.result, "done");
}

static int64_t begin(struct world *w)
{
    int64_t id = 0, procs = 0;

    if (vr_store_schedule_start(w->tx, "uptests", 0, w->now, &w->err) < 0 ||
        vr_store_testrun_start(w->tx, 0, 0, w->now, &id, &procs, &w->err) < 0)
        return 0;
    return id;
}

static bool tend(struct world *w)
{
    bool open = false;

    if (vr_uptests_tend(w->tx, w->now, &open, &w->err) < 0)
        fprintf(stderr, "# %s\n", w->err.msg);
    return open;
}

/* Until the run has ended, at most RUN_SECS; false if it has not. */
static bool run_to_end(struct world *w)
{
    struct vr_wall until = {w->now.us + RUN_SECS * VR_US_PER_S};

    while (w->now.us < until.us) {
        if (!tend(w))
            return true;
        if (world_step(w) != 0)
            return false;
    }
    return false;
}

static void count(struct world *w, int64_t run, int64_t *done, int64_t *passed)
{
    if (vr_store_testresult_count(w->tx, run, done, passed, &w->err) < 0)
        fprintf(stderr, "# %s\n", w->err.msg);
}

/* The text of the only result that did not pass; given. */
static char *only_failure(struct world *w, int64_t run)
{
    VR_ROWS(testresult) rows = {0};

    if (vr_store_testresult_list_failed(w->tx, run, 10, &rows, &w->err) < 0 || rows.n != 1)
        return vr_strf("%zu failures", rows.n);
    return vr_strdup(rows.v[0].results_json);
}

/* Nothing of the swarm was moved: one rollout ever, two members, both admitted and passed. */
static bool is_untouched(struct world *w)
{
    VR_ROWS(rollout) done = {0};
    VR_ROWS(rollout) open = {0};
    VR_ROWS(proc) procs = {0};

    if (vr_store_rollout_list_done(w->tx, w->swarm, 10, &done, &w->err) < 0 ||
        vr_store_rollout_list_open(w->tx, w->swarm, &open, &w->err) < 0 ||
        vr_store_proc_list_of_swarm(w->tx, w->swarm, &procs, &w->err) < 0)
        return false;
    for (size_t i = 0; i < procs.n; i++)
        if (!procs.v[i].admitted || !procs.v[i].passed || procs.v[i].epoch != 1)
            return false;
    return done.n == 1 && open.n == 0 && procs.n == 2 && world_members(w) == 2;
}

TEST(uptests__all_pass__a_result_a_proc_and_no_event)
{
    WORLD(w);
    VR_ROW(testrun) run = {0};
    VR_ROW(schedule) task = {0};
    int64_t id, done = 0, passed = 0;

    CHECK(make_served(&w));
    id = begin(&w);
    CHECK(id > 0);
    CHECK(run_to_end(&w));
    count(&w, id, &done, &passed);
    CHECK(done == 2 && passed == 2);
    CHECK(vr_store_testrun_find_id(w.tx, id, &run, &w.err) == 0);
    CHECK(run.end_us >= run.start_us && run.end_us - run.start_us < 10 * VR_US_PER_S);
    CHECK(vr_store_schedule_find(w.tx, "uptests", &task, &w.err) == 0);
    CHECK_STR(task.result, "run 1: 2 of 2 procs passed");
    CHECK(task.ended_us == run.end_us);
    CHECK(is_untouched(&w));
}

TEST(uptests__a_failure__is_told_and_moves_nothing)
{
    WORLD(w);
    int64_t id, done = 0, passed = 0;

    CHECK(make_served(&w));
    w.faults.tests_fail = true;
    id = begin(&w);
    CHECK(run_to_end(&w));
    count(&w, id, &done, &passed);
    CHECK(done == 2 && passed == 0);
    CHECK(world_told(&w, "scheduled uptest failures", "hello-v1-prod-",
                     "[\"scheduled\", \"failed\"]"));
    CHECK(world_run(&w, 120));
    CHECK(is_untouched(&w));
    w.faults.tests_fail = false;
    id = begin(&w);
    CHECK(run_to_end(&w));
    count(&w, id, &done, &passed);
    CHECK(done == 2 && passed == 2);
}

TEST(uptests__tests_that_never_end__are_failures_and_the_procs_are_what_they_were)
{
    WORLD(w);
    VR_ROWS(testresult) rows = {0};
    int64_t id;

    CHECK(make_served(&w));
    w.faults.tests_hang = true;
    id = begin(&w);
    CHECK(run_to_end(&w));
    CHECK(vr_store_testresult_list_failed(w.tx, id, 10, &rows, &w.err) == 0 && rows.n == 2);
    CHECK(strstr(rows.v[0].results_json, "did not answer in time") &&
          strstr(rows.v[0].results_json, "\"Name\":null"));
    for (int i = 0; i < WORLD_HOSTS; i++) {
        vr_auto_free char *desired = NULL;

        CHECK(vr_store_host_desired_json(w.tx, w.host[i], WORLD_CLUSTER, NULL, &desired, &w.err) ==
              0);
        CHECK(!strstr(desired, "\"test_n\":2"));
    }
    CHECK(is_untouched(&w));
}

TEST(uptests__a_host_that_is_lost__ends_as_a_failure_at_once)
{
    WORLD(w);
    VR_ROWS(proc) procs = {0};
    vr_auto_free char *text = NULL;
    struct vr_wall began;
    int64_t id;

    CHECK(make_served(&w));
    CHECK(vr_store_proc_list_of_swarm(w.tx, w.swarm, &procs, &w.err) == 0 && procs.n == 2);
    for (int i = 0; i < WORLD_HOSTS; i++)
        w.faults.silent[i] = w.host[i] == procs.v[0].host_id;
    id = begin(&w);
    began = w.now;
    CHECK(tend(&w));
    CHECK(vr_store_host_set_state(w.tx, procs.v[0].host_id, "lost", w.now, &w.err) == 0);
    CHECK(run_to_end(&w));
    CHECK(w.now.us - began.us < 10 * VR_US_PER_S);
    text = only_failure(&w, id);
    CHECK(strstr(text, "was lost while it tested this") != NULL);
}

TEST(uptests__a_proc_that_goes_meanwhile__is_left_out)
{
    WORLD(w);
    VR_ROWS(proc) procs = {0};
    int64_t id, done = 0, passed = 0;

    CHECK(make_served(&w));
    CHECK(vr_store_proc_list_of_swarm(w.tx, w.swarm, &procs, &w.err) == 0 && procs.n == 2);
    id = begin(&w);
    CHECK(vr_store_proc_set_desired(w.tx, procs.v[0].id, "stop", true, &w.err) == 0);
    CHECK(run_to_end(&w));
    count(&w, id, &done, &passed);
    CHECK(done == 1 && passed == 1);
}

TEST(uptests__while_one_is_under_way__another_is_refused)
{
    WORLD(w);
    int64_t id = 0;

    CHECK(make_served(&w));
    CHECK(begin(&w) == 1);
    CHECK(vr_store_testrun_start(w.tx, 0, 0, w.now, &id, NULL, &w.err) == -VR_EXISTS);
    CHECK_STR(w.err.msg, "test run 1 is under way");
}

TEST(uptests__the_server_starts_anew__the_run_goes_on)
{
    WORLD(w);
    vr_auto_free char *url = vr_strf("sqlite:%s/store.db", vr_tap_dir());
    int64_t id, done = 0, passed = 0;

    CHECK(make_served(&w));
    id = begin(&w);
    CHECK(tend(&w));
    CHECK(vr_store_commit(w.tx, NULL, &w.err) == 0);
    w.tx = vr_tx_free(w.tx);
    w.store = vr_store_free(w.store);
    CHECK(vr_store_open(url, NULL, &w.store, &w.err) == 0);
    CHECK(vr_store_begin(w.store, VR_DB_WRITE, &w.tx, &w.err) == 0);
    CHECK(run_to_end(&w));
    count(&w, id, &done, &passed);
    CHECK(done == 2 && passed == 2);
}

TEST(uptests__nothing_runs__ends_at_once)
{
    WORLD(w);
    VR_ROW(testrun) run = {0};
    int64_t id;

    CHECK(world_init(&w));
    id = begin(&w);
    CHECK(!tend(&w));
    CHECK(vr_store_testrun_find_id(w.tx, id, &run, &w.err) == 0);
    CHECK(run.end_us > 0);
}
