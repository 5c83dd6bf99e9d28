/* SPDX-License-Identifier: MIT */
/* Hosts, builders and builds that fail, over a real store and on a clock of the test's own. */
#include "engine/world.h"

/* What the engine's thread does with a silent host. */
static bool lose(struct world *w, int host, const char *state)
{
    return vr_store_host_set_state(w->tx, w->host[host], state, w->now, &w->err) == 0 &&
           vr_store_pool_forget_host(w->tx, w->host[host], &w->err) == 0;
}

static int64_t host_of_first_proc(struct world *w)
{
    VR_ROWS(proc) procs = {0};

    return vr_store_proc_list_of_swarm(w->tx, w->swarm, &procs, &w->err) < 0 || !procs.n
               ? 0
               : procs.v[0].host_id;
}

static int index_of(const struct world *w, int64_t host)
{
    for (int i = 0; i < WORLD_HOSTS; i++)
        if (w->host[i] == host)
            return i;
    return 0;
}

static size_t procs_on(struct world *w, int64_t host, const char *actual)
{
    VR_ROWS(proc) procs = {0};
    size_t n = 0;

    if (vr_store_proc_list_of_swarm(w->tx, w->swarm, &procs, &w->err) < 0)
        return SIZE_MAX;
    for (size_t i = 0; i < procs.n; i++)
        n += procs.v[i].host_id == host && vr_streq(procs.v[i].actual, actual);
    return n;
}

/* The only job of a state; its host, or -1. */
static int holder(struct world *w)
{
    VR_ROWS(job) jobs = {0};

    if (vr_store_job_list(w->tx, "leased", &jobs, &w->err) < 0 || jobs.n != 1)
        return -1;
    return index_of(w, jobs.v[0].host_id);
}

TEST(heal__a_host_that_is_gone__its_procs_run_elsewhere)
{
    WORLD(w);
    VR_ROW(rollout) row = {0};
    int64_t host;

    CHECK(world_init(&w));
    CHECK(world_roll(&w, VR_DISPATCH, 20, &row));
    host = host_of_first_proc(&w);
    CHECK(host > 0);
    w.faults.silent[index_of(&w, host)] = true;
    CHECK(world_run(&w, 16));
    CHECK(lose(&w, index_of(&w, host), "lost"));
    CHECK(world_run(&w, 2));
    CHECK(procs_on(&w, host, "unknown") == 1);
    w.now.us += 120 * VR_US_PER_S;
    CHECK(lose(&w, index_of(&w, host), "gone"));
    w.started = w.now; /* nobody else is suspected for the jump of the clock */
    w.started.us -= 60 * VR_US_PER_S;
    CHECK(world_run(&w, 20));
    CHECK(world_running(&w, row.release_id) == 2);
    CHECK(procs_on(&w, host, "running") == 0);
    CHECK(world_members(&w) == 2);
    CHECK(world_entries(&w, "heal") == 1 && world_entries(&w, "swarm") == 0);
    CHECK(world_told(&w, "Swarm hello-v1-prod-web finished", "Swarm hello-v1-prod-web finished",
                     "[\"swarm\", \"deploy\", \"done\"]"));
}

TEST(heal__a_host_that_comes_back_after_it_was_gone__stops_what_was_replaced)
{
    WORLD(w);
    VR_ROW(rollout) row = {0};
    int64_t host;
    int at;

    CHECK(world_init(&w));
    CHECK(world_roll(&w, VR_DISPATCH, 20, &row));
    host = host_of_first_proc(&w);
    at = index_of(&w, host);
    w.faults.silent[at] = true;
    CHECK(world_run(&w, 16));
    CHECK(lose(&w, at, "lost"));
    w.now.us += 120 * VR_US_PER_S;
    w.started = (struct vr_wall){w.now.us - 60 * VR_US_PER_S};
    CHECK(lose(&w, at, "gone"));
    CHECK(world_run(&w, 20));
    w.faults.silent[at] = false;
    CHECK(vr_store_host_set_state(w.tx, host, "live", w.now, &w.err) == 0);
    CHECK(vr_store_host_new_session(w.tx, host, &w.err) == 0);
    CHECK(world_run(&w, 20));
    CHECK(world_running(&w, row.release_id) == 2);
    CHECK(world_procs(&w) == 2);
    CHECK(world_members(&w) == 2);
}

TEST(work__a_job_of_a_lost_host__goes_to_another_then_fails)
{
    WORLD(w);
    vr_auto_free char *id = NULL;
    VR_ROW(rollout) row = {0};
    int first, second;

    CHECK(world_init(&w));
    w.faults.jobs_hang = true;
    CHECK(world_ask(&w, VR_DISPATCH, 0, &id) == 0);
    CHECK(world_step(&w) == 0);
    first = holder(&w);
    CHECK(first >= 0);
    w.faults.silent[first] = true;
    CHECK(lose(&w, first, "lost"));
    CHECK(world_step(&w) == 0);
    second = holder(&w);
    CHECK(second >= 0 && second != first);
    w.faults.silent[second] = true;
    CHECK(lose(&w, second, "lost"));
    CHECK(world_run(&w, 2));
    CHECK(world_jobs(&w, "resolve", "failed") == 1);
    CHECK(vr_store_rollout_find(w.tx, id, &row, &w.err) == 0);
    CHECK_STR(row.result, "failed");
    CHECK(strstr(row.error_message, "was lost while it did this") != NULL);
}

TEST(work__a_lost_host_that_reports_its_old_job__is_not_listened_to)
{
    WORLD(w);
    vr_auto_free char *id = NULL;
    VR_ROWS(job) jobs = {0};
    struct vr_job_report late = {
        .state = "done", .result_json = "{\"commit\": \"" COMMIT_2 "\", \"buildpacks\": []}"};
    bool stale = false;
    int first;

    CHECK(world_init(&w));
    w.faults.jobs_hang = true;
    CHECK(world_ask(&w, VR_DISPATCH, 0, &id) == 0);
    CHECK(world_step(&w) == 0);
    first = holder(&w);
    CHECK(first >= 0);
    w.faults.silent[first] = true;
    CHECK(lose(&w, first, "lost"));
    CHECK(world_step(&w) == 0);
    CHECK(vr_store_job_list(w.tx, "leased", &jobs, &w.err) == 0 && jobs.n == 1);
    late.id = jobs.v[0].id;
    CHECK(vr_store_job_report(w.tx, w.host[first], &late, w.now, &stale, &w.err) == 0);
    CHECK(stale);
}

TEST(work__no_builder__waits_then_fails_and_says_so)
{
    WORLD(w);
    VR_ROW(rollout) row = {0};

    CHECK(world_init(&w));
    for (int i = 0; i < WORLD_HOSTS; i++) {
        w.faults.silent[i] = true;
        CHECK(vr_store_host_set_state(w.tx, w.host[i], "suspect", w.now, &w.err) == 0);
    }
    CHECK(world_roll(&w, VR_DISPATCH, 70, &row));
    CHECK_STR(row.result, "failed");
    CHECK_STR(row.error_message, "no builder host was there to do it");
}

/* ------------------------------------------------------------------ builds by themselves */

static int64_t add_build(struct world *w, const char *tag)
{
    struct vr_build_row row = {.app_id = w->app, .tag = (char *)tag, .created_us = w->now.us};
    int64_t id = 0;

    return vr_store_build_insert(w->tx, &row, &id, &w->err) < 0 ? 0 : id;
}

static bool has_status(struct world *w, int64_t id, const char *status, const char *error)
{
    VR_ROW(build) row = {0};

    if (vr_store_build_find_id(w->tx, id, &row, &w->err) < 0)
        return false;
    if (vr_streq(row.status, status) && (!error || vr_streq(row.error, error)))
        return true;
    fprintf(stderr, "# build is %s: %s\n", row.status, row.error);
    return false;
}

TEST(work__a_build_by_itself__is_resolved_and_built)
{
    WORLD(w);
    int64_t id;

    CHECK(world_init(&w));
    id = add_build(&w, "v1");
    CHECK(vr_work_start_build(w.tx, id, w.now, &w.err) == 0);
    CHECK(world_run(&w, 3));
    CHECK(has_status(&w, id, "success", NULL));
    CHECK(world_told(&w, "hello-v1", "Completed build hello-v1 in ", "[\"build\", \"success\"]"));
}

TEST(work__a_build_that_waits_already__is_not_started_twice)
{
    WORLD(w);
    int64_t id;

    CHECK(world_init(&w));
    id = add_build(&w, "v1");
    w.faults.jobs_hang = true;
    CHECK(vr_work_start_build(w.tx, id, w.now, &w.err) == 0);
    CHECK(vr_work_start_build(w.tx, id, w.now, &w.err) == -VR_EXISTS);
}

TEST(work__a_build_again__expires_the_one_of_the_same_inputs)
{
    WORLD(w);
    VR_ROW(rollout) row = {0};
    int64_t id;

    CHECK(world_init(&w));
    CHECK(world_roll(&w, VR_DISPATCH, 20, &row));
    id = add_build(&w, "v1");
    CHECK(vr_work_start_build(w.tx, id, w.now, &w.err) == 0);
    CHECK(world_run(&w, 3));
    CHECK(has_status(&w, id, "success", NULL));
    CHECK(has_status(&w, row.build_id, "expired", NULL));
}

TEST(work__a_resolve_of_a_build_that_makes_no_sense__fails_that_build_only)
{
    WORLD(w);
    int64_t id;

    CHECK(world_init(&w));
    id = add_build(&w, "v1");
    w.faults.result = "{}";
    CHECK(vr_work_start_build(w.tx, id, w.now, &w.err) == 0);
    CHECK(world_run(&w, 3));
    CHECK(has_status(&w, id, "failed", "the builder named no commit"));
}

TEST(work__a_resolve_of_a_build_that_fails__fails_the_build)
{
    WORLD(w);
    int64_t id;

    CHECK(world_init(&w));
    id = add_build(&w, "v9");
    w.faults.resolve_code = "not_found";
    w.faults.resolve_message = "there is no tag 'v9'";
    CHECK(vr_work_start_build(w.tx, id, w.now, &w.err) == 0);
    CHECK(world_run(&w, 3));
    CHECK(has_status(&w, id, "failed", "there is no tag 'v9'"));
}

/* ------------------------------------------------------------------ commands */

TEST(command__restart_of_a_proc__is_a_new_life_and_done)
{
    WORLD(w);
    VR_ROW(rollout) row = {0};
    VR_ROWS(proc) procs = {0};
    VR_ROW(command) command = {0};
    struct vr_command_row wish = {.kind = (char *)"restart"};
    int64_t id = 0;

    CHECK(world_init(&w));
    CHECK(world_roll(&w, VR_DISPATCH, 20, &row));
    CHECK(vr_store_proc_list_of_swarm(w.tx, w.swarm, &procs, &w.err) == 0 && procs.n == 2);
    wish.proc_id = procs.v[0].id;
    wish.created_us = w.now.us;
    CHECK(vr_store_command_insert(w.tx, &wish, &id, &w.err) == 0);
    CHECK(world_run(&w, 30));
    CHECK(vr_store_command_find_id(w.tx, id, &command, &w.err) == 0);
    CHECK_STR(command.state, "done");
    CHECK(world_running(&w, row.release_id) == 2);
    CHECK(world_members(&w) == 2);
}

TEST(command__stop_of_a_proc__holds_it_and_start_brings_it_back)
{
    WORLD(w);
    VR_ROW(rollout) row = {0};
    VR_ROWS(proc) procs = {0};
    struct vr_command_row wish = {.kind = (char *)"stop"};
    int64_t id = 0;

    CHECK(world_init(&w));
    CHECK(world_roll(&w, VR_DISPATCH, 20, &row));
    CHECK(vr_store_proc_list_of_swarm(w.tx, w.swarm, &procs, &w.err) == 0 && procs.n == 2);
    wish.proc_id = procs.v[0].id;
    wish.created_us = w.now.us;
    CHECK(vr_store_command_insert(w.tx, &wish, &id, &w.err) == 0);
    CHECK(world_run(&w, 30));
    CHECK(procs_on(&w, procs.v[0].host_id, "stopped") == 1);
    CHECK(world_members(&w) == 1);
    wish.kind = (char *)"start";
    wish.created_us = w.now.us;
    CHECK(vr_store_command_insert(w.tx, &wish, &id, &w.err) == 0);
    CHECK(world_run(&w, 30));
    CHECK(world_running(&w, row.release_id) == 2);
    CHECK(world_members(&w) == 2);
}

/* ------------------------------------------------------------------ the snapshot */

TEST(snapshot_load__a_swarm_that_was_deleted__is_not_found)
{
    WORLD(w);
    struct vr_snapshot snap = {0};
    struct vr_snapshot_spec spec = {.swarm_id = 4711};
    int r;

    CHECK(world_init(&w));
    r = vr_snapshot_load(w.tx, &spec, &snap, &w.err);
    vr_snapshot_fini(&snap);
    CHECK(r == -VR_NOT_FOUND);
}

TEST(snapshot_load__a_host_with_little_disk__gets_nothing_new)
{
    WORLD(w);
    struct vr_snapshot snap = {0};
    struct vr_snapshot_spec spec;
    vr_auto_json json_t *report = NULL;
    struct vr_report_result result;
    VR_ROW(host) host = {0};
    bool disk_ok;
    int r;

    CHECK(world_init(&w));
    CHECK(vr_store_host_find_id(w.tx, w.host[0], &host, &w.err) == 0);
    report = json_pack("{s:I, s:i, s:{s:i}}", "session", (json_int_t)host.session, "seq", 1000,
                       "usage", "disk_free_bytes", 1000);
    CHECK(vr_store_report_apply(w.tx, w.host[0], report, w.now, &result, &w.err) == 0);
    spec =
        (struct vr_snapshot_spec){.swarm_id = w.swarm, .now = w.now, .engine_started = w.started};
    r = vr_snapshot_load(w.tx, &spec, &snap, &w.err);
    disk_ok = r == 0 && snap.plan_hosts[0].disk_ok;
    vr_snapshot_fini(&snap);
    CHECK(r == 0);
    CHECK(!disk_ok);
}
