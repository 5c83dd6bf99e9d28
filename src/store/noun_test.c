/* SPDX-License-Identifier: MIT */
/* Rows of every noun: what is unique, what refuses to go, what is touched. */
#include "store/buildpack.h"
#include "store/command.h"
#include "store/event.h"
#include "store/idempotency.h"
#include "store/ingredient.h"
#include "store/job.h"
#include "store/log.h"
#include "store/settings.h"
#include "store/store_fixture.h"
#include "store/token.h"
#include "store/user.h"

#include <pthread.h>

TEST(vr_store_app__change_and_taken_name)
{
    FIXTURE(f);
    VR_ROW(app) app = {0};
    struct vr_app_row other = {
        .name = (char *)"hello", .repo_url = (char *)"x", .repo_type = (char *)"git"};
    int64_t id;

    CHECK(fixture_init(&f));
    CHECK(vr_store_app_find(f.tx, "hello", &app, NULL) == 0);
    CHECK(app.id == f.app && app.buildpack_id == 0 && app.row_version == 1);
    CHECK(vr_store_app_insert(f.tx, &other, &id, NULL) == -VR_EXISTS);
    CHECK(vr_store_app_update(f.tx, &app, NULL) == 0);
    vr_app_row_fini(&app);
    CHECK(vr_store_app_find_id(f.tx, f.app, &app, NULL) == 0);
    CHECK(app.row_version == 2);
    vr_app_row_fini(&app);
    CHECK(vr_store_app_find(f.tx, "nope", &app, NULL) == -VR_NOT_FOUND);
}

TEST(vr_store_delete__while_used__names_who_uses_it)
{
    FIXTURE(f);
    struct vr_err err = VR_ERR_NULL;
    int64_t proc;

    CHECK(fixture_init(&f));
    CHECK(vr_store_app_delete(f.tx, f.app, &err) == -VR_EXISTS);
    CHECK(strstr(err.msg, "1 swarm (hello-prod-web)"));
    CHECK(vr_store_squad_delete(f.tx, f.squad, &err) == -VR_EXISTS);
    CHECK(strstr(err.msg, "2 hosts (h1.example.com, h2.example.com), 1 swarm"));
    CHECK(vr_store_balancer_delete(f.tx, f.balancer, &err) == -VR_EXISTS);
    CHECK(add_proc(&f, 0, 0, &proc) == 0);
    CHECK(vr_store_host_delete(f.tx, f.host[0], &err) == -VR_EXISTS);
    CHECK(strstr(err.msg, "1 proc ("));
    CHECK(vr_store_swarm_delete(f.tx, f.swarm, &err) == -VR_EXISTS);
    CHECK(vr_store_release_delete(f.tx, f.release, &err) == -VR_EXISTS);
    CHECK(vr_store_build_delete(f.tx, f.build, &err) == -VR_EXISTS);
}

TEST(vr_store_delete__bottom_up__leaves_nothing)
{
    FIXTURE(f);
    vr_auto_free char *rollout = NULL;
    int64_t proc;

    CHECK(fixture_init(&f));
    CHECK(add_rollout(&f, "active", &rollout) == 0);
    CHECK(vr_store_rollout_step(f.tx, rollout, "place", AT(9), false, NOW, NULL) == 0);
    CHECK(vr_store_rollout_end(f.tx, rollout, "done", NOW, NULL) == 0);
    CHECK(add_proc(&f, 0, 5000, &proc) == 0);
    CHECK(vr_store_proc_set_desired(f.tx, proc, "stop", false, NULL) == 0);
    CHECK(say(&f, proc, "stopped", 1));
    CHECK(vr_store_swarm_delete(f.tx, f.swarm, NULL) == 0);
    CHECK(vr_store_app_delete(f.tx, f.app, NULL) == 0);
    CHECK(vr_store_balancer_delete(f.tx, f.balancer, NULL) == 0);
    CHECK(vr_store_host_delete(f.tx, f.host[0], NULL) == 0);
    CHECK(vr_store_host_delete(f.tx, f.host[1], NULL) == 0);
    CHECK(vr_store_squad_delete(f.tx, f.squad, NULL) == 0);
    CHECK(fixture_commit(&f, VR_DB_READ) == 0);
}

TEST(vr_store_ingredient__of_a_swarm__comes_in_name_order)
{
    FIXTURE(f);
    struct vr_ingredient_row b = {.name = (char *)"b"}, a = {.name = (char *)"a"};
    VR_ROWS(ingredient) rows = {0};
    VR_ROWS(swarm) swarms = {0};
    int64_t ids[2];
    struct vr_err err = VR_ERR_NULL;

    CHECK(fixture_init(&f));
    CHECK(vr_store_ingredient_insert(f.tx, &b, &ids[0], NULL) == 0);
    CHECK(vr_store_ingredient_insert(f.tx, &a, &ids[1], NULL) == 0);
    CHECK(vr_store_swarm_set_ingredients(f.tx, f.swarm, ids, 2, NULL) == 0);
    CHECK(vr_store_ingredient_list_of_swarm(f.tx, f.swarm, &rows, NULL) == 0);
    CHECK(rows.n == 2);
    CHECK_STR(rows.v[0].name, "a");
    CHECK_STR(rows.v[0].config_json, "{}");
    CHECK(vr_store_swarm_list_of_ingredient(f.tx, ids[0], &swarms, NULL) == 0);
    CHECK(swarms.n == 1 && swarms.v[0].id == f.swarm);
    CHECK_STR(swarms.v[0].app_name, "hello");
    CHECK(vr_store_ingredient_delete(f.tx, ids[0], &err) == -VR_EXISTS);
    CHECK(vr_store_swarm_set_ingredients(f.tx, f.swarm, NULL, 0, NULL) == 0);
    CHECK(vr_store_ingredient_delete(f.tx, ids[0], NULL) == 0);
}

TEST(vr_store_buildpack__list__by_order)
{
    FIXTURE(f);
    struct vr_buildpack_row one = {.repo_url = (char *)"builtin:one", .ord = 2};
    struct vr_buildpack_row two = {.repo_url = (char *)"builtin:two", .ord = 1};
    VR_ROWS(buildpack) rows = {0};
    int64_t id;

    CHECK(fixture_init(&f));
    CHECK(vr_store_buildpack_insert(f.tx, &one, &id, NULL) == 0);
    CHECK(vr_store_buildpack_insert(f.tx, &two, &id, NULL) == 0);
    CHECK(vr_store_buildpack_insert(f.tx, &two, &id, NULL) == -VR_EXISTS);
    CHECK(vr_store_buildpack_list(f.tx, &rows, NULL) == 0);
    CHECK(rows.n == 2);
    CHECK_STR(rows.v[0].repo_url, "builtin:two");
    CHECK(vr_store_buildpack_delete(f.tx, rows.v[0].id, NULL) == 0);
}

TEST(vr_store_build_take__same_inputs__is_the_same_build)
{
    FIXTURE(f);
    struct vr_build_row row = {
        .app_id = 0, .tag = (char *)"v2", .inputs_sha256 = (char *)"in1", .created_us = NOW.us};
    int64_t id = 0;
    bool made = true;

    CHECK(fixture_init(&f));
    row.app_id = f.app;
    CHECK(vr_store_build_take(f.tx, &row, &id, &made, NULL) == 0);
    CHECK(!made && id == f.build);
    CHECK(vr_store_build_insert(f.tx, &row, &id, NULL) == -VR_EXISTS);
    CHECK(vr_store_build_expire(f.tx, f.build, NULL) == 0);
    CHECK(vr_store_build_take(f.tx, &row, &id, &made, NULL) == 0);
    CHECK(made && id != f.build);
}

TEST(vr_store_build_log__chunks_again_and_gaps__are_stored_once)
{
    FIXTURE(f);
    vr_auto_free char *text = NULL;
    vr_auto_free char *rest = NULL;
    int64_t have = 0;
    size_t n = 0;

    CHECK(fixture_init(&f));
    CHECK(vr_store_build_log_add(f.tx, f.build, 0, vr_str("hello "), &have, NULL) == 0);
    CHECK(vr_store_build_log_add(f.tx, f.build, 0, vr_str("hello "), &have, NULL) == 0);
    CHECK(vr_store_build_log_add(f.tx, f.build, 3, vr_str("lo world"), &have, NULL) == 0);
    CHECK(vr_store_build_log_add(f.tx, f.build, 99, vr_str("gap"), &have, NULL) == 0);
    CHECK(have == 11);
    CHECK(vr_store_build_log_read(f.tx, f.build, 0, 100, &text, &n, NULL) == 0);
    CHECK_STR(text, "hello world");
    CHECK(vr_store_build_log_read(f.tx, f.build, 8, 2, &rest, &n, NULL) == 0);
    CHECK_STR(rest, "rl");
}

TEST(vr_store_rollout__life__keeps_steps_and_first_cause)
{
    FIXTURE(f);
    vr_auto_free char *id = NULL;
    vr_auto_free char *queued = NULL;
    VR_ROWS(rollout) open = {0};
    VR_ROW(rollout) row = {0};
    VR_ROW(swarm) swarm = {0};

    CHECK(fixture_init(&f));
    CHECK(add_rollout(&f, "queued", &id) == 0);
    CHECK(strlen(id) == 32);
    CHECK(add_rollout(&f, "queued", NULL) == -VR_EXISTS);
    CHECK(vr_store_rollout_activate(f.tx, id, NOW, NULL) == 0);
    CHECK(add_rollout(&f, "queued", &queued) == 0);
    CHECK(vr_store_rollout_activate(f.tx, queued, NOW, NULL) == -VR_EXISTS);
    CHECK(vr_store_rollout_list_open(f.tx, f.swarm, &open, NULL) == 0);
    CHECK(open.n == 2);
    CHECK_STR(open.v[0].id, id);
    CHECK(vr_store_rollout_step(f.tx, id, "place", AT(60), false, NOW, NULL) == 0);
    CHECK(vr_store_rollout_step(f.tx, id, "stop", AT(90), true, AT(5), NULL) == 0);
    CHECK(vr_store_rollout_step(f.tx, id, "stop", AT(95), false, AT(6), NULL) == 0);
    CHECK(vr_store_rollout_set_cause(f.tx, id, &(struct vr_rollout_cause){.message = "first"},
                                     NULL) == 0);
    CHECK(vr_store_rollout_set_cause(f.tx, id, &(struct vr_rollout_cause){.message = "second"},
                                     NULL) == 0);
    CHECK(vr_store_rollout_add_leftover(f.tx, id, "{\"a\":1}", NULL) == 0);
    CHECK(vr_store_rollout_add_leftover(f.tx, id, "2", NULL) == 0);
    CHECK(vr_store_rollout_request_cancel(f.tx, id, NULL) == 0);
    CHECK(vr_store_rollout_find(f.tx, id, &row, NULL) == 0);
    CHECK_STR(row.step, "stop");
    CHECK(row.step_us == AT(5).us && row.deadline_us == AT(95).us);
    CHECK(row.past_return && row.cancel_requested);
    CHECK_STR(row.error_message, "first");
    CHECK_STR(row.leftovers_json, "[{\"a\":1},2]");
    CHECK(vr_store_rollout_end(f.tx, id, "done", AT(9), NULL) == 0);
    CHECK(vr_store_rollout_end(f.tx, id, "failed", AT(9), NULL) == -VR_NOT_FOUND);
    CHECK(vr_store_rollout_request_cancel(f.tx, id, NULL) == -VR_EXISTS);
    CHECK(vr_store_swarm_find_id(f.tx, f.swarm, &swarm, NULL) == 0);
    CHECK_STR(swarm.current_rollout, id);
}

TEST(vr_store_proc_insert__ports__are_unique_and_in_range)
{
    FIXTURE(f);
    VR_ROWS(proc) procs = {0};
    struct vr_err err = VR_ERR_NULL;
    int64_t id;

    CHECK(fixture_init(&f));
    for (int i = 0; i < VR_PORT_LAST - VR_PORT_FIRST + 1; i++)
        CHECK(add_proc(&f, 0, 0, &id) == 0);
    CHECK(add_proc(&f, 0, 0, &id) == -VR_LIMIT);
    CHECK(add_proc(&f, 0, 5123, &id) == -VR_EXISTS);
    CHECK(add_proc(&f, 1, 5123, &id) == 0);
    CHECK(vr_store_proc_list_of_host(f.tx, f.host[1], &procs, NULL) == 0);
    CHECK(procs.n == 1);
    CHECK_STR(procs.v[0].name, "hello-v1-prod-ab12cd34-web-5123");
    CHECK(vr_store_proc_insert(f.tx,
                               &(struct vr_proc_placement){.release_id = 99, .host_id = f.host[0]},
                               NOW, &id, &err) == -VR_NOT_FOUND);
}

TEST(vr_store_proc__held__keeps_its_port)
{
    FIXTURE(f);
    int64_t id, other;

    CHECK(fixture_init(&f));
    CHECK(add_proc(&f, 0, 5000, &id) == 0);
    CHECK(vr_store_proc_set_desired(f.tx, id, "held", false, NULL) == 0);
    CHECK(say(&f, id, "stopped", 1));
    CHECK(add_proc(&f, 0, 5000, &other) == -VR_EXISTS);
    CHECK(vr_store_proc_set_desired(f.tx, id, "stop", false, NULL) == 0);
    CHECK(add_proc(&f, 0, 5000, &other) == 0);
    CHECK(vr_store_proc_delete(f.tx, other, NOW, NULL) == -VR_EXISTS);
    CHECK(vr_store_proc_delete(f.tx, id, NOW, NULL) == 0);
}

TEST(vr_store_pool__members__raise_generation_and_touch_the_balancers_hosts)
{
    FIXTURE(f);
    int64_t pool = 0, again = 0, generation = 0, other;
    struct vr_err err = VR_ERR_NULL;
    vr_auto_touched struct vr_touched touched = {0};
    VR_ROWS(pool_host) hosts = {0};
    struct vr_pool_report report = {
        .balancer = "lb", .pool = "hello", .applied = 1, .confirmed = 1};

    CHECK(fixture_init(&f));
    CHECK(add_swarm(&f, "test", &other) == 0);
    CHECK(fixture_commit(&f, VR_DB_WRITE) == 0);
    CHECK(vr_store_pool_take(f.tx, f.balancer, "hello", f.swarm, &pool, NULL) == 0);
    CHECK(vr_store_pool_take(f.tx, f.balancer, "hello", f.swarm, &again, NULL) == 0);
    CHECK(pool == again);
    CHECK(vr_store_pool_take(f.tx, f.balancer, "hello", other, &again, &err) == -VR_EXISTS);
    CHECK_STR(err.msg, "pool 'hello' belongs to swarm 'hello-prod-web'");
    CHECK(vr_store_pool_set_members(f.tx, pool, "[]", &generation, NULL) == 0);
    CHECK(generation == 1);
    CHECK(vr_store_pool_report(f.tx, f.host[0], &report, AT(1), NULL) == 0);
    report.nodes_json = "[1]";
    CHECK(vr_store_pool_report(f.tx, f.host[0], &report, AT(2), NULL) == 0);
    CHECK(vr_store_pool_hosts(f.tx, pool, &hosts, NULL) == 0);
    CHECK(hosts.n == 2 && hosts.v[0].confirmed == 1 && hosts.v[1].confirmed == 0);
    CHECK(hosts.v[0].confirmed_us == AT(1).us && hosts.v[0].reported_us == AT(2).us);
    CHECK(vr_store_commit(f.tx, &touched, NULL) == 0);
    CHECK(touched.host_count == 2 && touched.swarm_count == 1 && touched.swarms[0] == f.swarm);
}

TEST(vr_store_job_lease__least_busy_live_builder)
{
    FIXTURE(f);
    struct vr_job_row job = {.kind = (char *)"build",
                             .spec_json = (char *)"{}",
                             .created_us = NOW.us,
                             .deadline_us = AT(9).us};
    int64_t id[3], host[3];

    CHECK(fixture_init(&f));
    job.build_id = f.build;
    for (int i = 0; i < 3; i++) {
        CHECK(vr_store_job_insert(f.tx, &job, &id[i], NULL) == 0);
        CHECK(vr_store_job_lease(f.tx, id[i], 0, &host[i], NULL) == 0);
    }
    CHECK(host[0] == f.host[0] && host[1] == f.host[1] && host[2] == f.host[0]);
    CHECK(vr_store_job_lease(f.tx, id[0], 0, &host[0], NULL) == -VR_NOT_FOUND); /* leased already */
    CHECK(vr_store_job_release(f.tx, id[0], NULL) == 0);
    CHECK(vr_store_host_set_state(f.tx, f.host[1], "lost", NOW, NULL) == 0);
    CHECK(vr_store_job_lease(f.tx, id[0], f.host[0], &host[0], NULL) == -VR_NOT_FOUND);
}

TEST(vr_store_job_report__done__ends_it_once)
{
    FIXTURE(f);
    struct vr_job_row job = {.kind = (char *)"build",
                             .spec_json = (char *)"{}",
                             .created_us = NOW.us,
                             .deadline_us = AT(9).us};
    struct vr_job_report report = {.state = "done", .phase = "pack", .result_json = "{\"x\":1}"};
    VR_ROW(job) row = {0};
    int64_t host;
    bool stale = true;

    CHECK(fixture_init(&f));
    job.build_id = f.build;
    CHECK(vr_store_job_insert(f.tx, &job, &report.id, NULL) == 0);
    CHECK(vr_store_job_lease(f.tx, report.id, 0, &host, NULL) == 0);
    report.log = vr_str("-----> log");
    CHECK(vr_store_job_report(f.tx, f.host[1], &report, NOW, &stale, NULL) == 0 && stale);
    CHECK(vr_store_job_report(f.tx, host, &report, NOW, &stale, NULL) == 0 && !stale);
    CHECK(vr_store_job_report(f.tx, host, &report, NOW, &stale, NULL) == 0 && stale);
    CHECK(vr_store_job_find_of(f.tx, NULL, f.build, &row, NULL) == 0);
    CHECK_STR(row.state, "done");
    CHECK_STR(row.result_json, "{\"x\":1}");
}

TEST(vr_store_command__open_ones__are_of_their_swarm)
{
    FIXTURE(f);
    VR_ROWS(command) rows = {0};
    struct vr_command_row row = {.kind = (char *)"stop", .force = true, .created_us = NOW.us};
    int64_t id;

    CHECK(fixture_init(&f));
    CHECK(add_proc(&f, 0, 0, &row.proc_id) == 0);
    CHECK(vr_store_command_insert(f.tx, &row, &id, NULL) == 0);
    CHECK(vr_store_command_step(f.tx, id, "drain", NULL) == 0);
    CHECK(vr_store_command_list_open(f.tx, f.swarm, &rows, NULL) == 0);
    CHECK(rows.n == 1 && rows.v[0].force);
    CHECK_STR(rows.v[0].state, "active");
    CHECK(vr_store_command_end(f.tx, id, "done", NULL, AT(1), NULL) == 0);
    vr_command_rows_fini(&rows);
    CHECK(vr_store_command_list_open(f.tx, f.swarm, &rows, NULL) == 0 && rows.n == 0);
}

TEST(vr_store_user__delete__keeps_what_was_done)
{
    FIXTURE(f);
    struct vr_user_row user = {.username = (char *)"ann",
                               .password = (char *)"$argon2id$",
                               .is_active = true,
                               .joined_us = NOW.us};
    struct vr_token_row token = {
        .name = (char *)"ci", .token_sha256 = (char *)"t1", .created_us = NOW.us};
    VR_ROW(token) found = {0};
    int64_t id, token_id, n = 0;

    CHECK(fixture_init(&f));
    CHECK(vr_store_user_insert(f.tx, &user, &id, NULL) == 0);
    CHECK(vr_store_user_insert(f.tx, &user, &id, NULL) == -VR_EXISTS);
    token.user_id = id;
    CHECK(vr_store_token_insert(f.tx, &token, &token_id, NULL) == 0);
    CHECK(vr_store_token_find(f.tx, "t1", &found, NULL) == 0 && found.expires_us == 0);
    CHECK(vr_store_log_add(f.tx, &(struct vr_log_entry){"swarm", id, "swarm hello", NULL}, NOW,
                           NULL) == 0);
    CHECK(vr_store_user_delete(f.tx, id, NULL) == 0);
    CHECK(vr_store_user_count_admins(f.tx, &n, NULL) == 0 && n == 0);
    vr_token_row_fini(&found);
    CHECK(vr_store_token_find(f.tx, "t1", &found, NULL) == -VR_NOT_FOUND);
}

TEST(vr_store_idempotency__after_a_day__is_forgotten)
{
    FIXTURE(f);
    struct vr_idempotency_row row = {.user_id = 1,
                                     .key = (char *)"k",
                                     .request_sha256 = (char *)"r",
                                     .status = 202,
                                     .created_us = NOW.us};
    VR_ROW(idempotency) found = {0};
    int64_t day = VR_IDEMPOTENCY_SECS * VR_US_PER_S;

    CHECK(fixture_init(&f));
    CHECK(vr_store_idempotency_add(f.tx, &row, NULL) == 0);
    CHECK(vr_store_idempotency_add(f.tx, &row, NULL) == -VR_EXISTS);
    CHECK(vr_store_idempotency_find(f.tx, 1, "k", AT(day - 1), &found, NULL) == 0);
    CHECK(found.status == 202);
    vr_idempotency_row_fini(&found);
    CHECK(vr_store_idempotency_find(f.tx, 1, "k", AT(day), &found, NULL) == -VR_NOT_FOUND);
    row.created_us = AT(day).us;
    CHECK(vr_store_idempotency_add(f.tx, &row, NULL) == 0);
}

TEST(vr_store_setting_take__second__gets_the_first)
{
    FIXTURE(f);
    vr_auto_free char *one = NULL;
    vr_auto_free char *two = NULL;

    CHECK(fixture_init(&f));
    CHECK(vr_store_setting_take(f.tx, "cluster_id", "a", &one, NULL) == 0);
    CHECK(vr_store_setting_take(f.tx, "cluster_id", "b", &two, NULL) == 0);
    CHECK_STR(two, "a");
    CHECK(vr_store_setting_set(f.tx, "cluster_id", "c", NULL) == 0);
}

TEST(vr_store_host_loads__counts_procs_ports_and_memory)
{
    FIXTURE(f);
    vr_auto_free struct vr_host_load *loads = NULL;
    size_t n = 0;
    int64_t id;

    CHECK(fixture_init(&f));
    CHECK(add_proc(&f, 0, 0, &id) == 0);
    CHECK(add_proc(&f, 0, 0, &id) == 0);
    CHECK(add_proc(&f, 1, 0, &id) == 0);
    CHECK(vr_store_host_loads(f.tx, f.swarm, &loads, &n, NULL) == 0);
    CHECK(n == 2 && loads[0].host_id == f.host[0]);
    CHECK(loads[0].procs == 2 && loads[0].ports == 2 && loads[0].of_swarm == 2);
    CHECK(loads[0].of_app == 2 && loads[0].mem_bytes == INT64_C(2) * 256 * 1024 * 1024);
}

TEST(vr_store_commit__events__are_numbered_in_the_order_of_commits)
{
    FIXTURE(f);
    vr_auto_touched struct vr_touched one = {0};
    vr_auto_touched struct vr_touched two = {0};
    VR_ROWS(event) rows = {0};
    vr_auto_free char *longest = vr_alloc(VR_EVENT_MESSAGE_MAX + 10);
    int64_t last = 0;

    CHECK(fixture_init(&f));
    CHECK(fixture_commit(&f, VR_DB_WRITE) == 0);
    memset(longest, 'x', VR_EVENT_MESSAGE_MAX + 9);
    vr_store_event_add(f.tx, &(struct vr_event){.kind = "event", .title = "a", .message = longest});
    vr_store_event_add(f.tx,
                       &(struct vr_event){.kind = "host", .title = "b", .host_id = f.host[0]});
    CHECK(vr_store_commit(f.tx, &one, NULL) == 0);
    f.tx = vr_tx_free(f.tx);
    CHECK(vr_store_begin(f.store, VR_DB_WRITE, &f.tx, NULL) == 0);
    vr_store_event_add(f.tx, &(struct vr_event){.kind = "event", .title = "lost"});
    f.tx = vr_tx_free(f.tx); /* rolled back: no gap */
    CHECK(vr_store_begin(f.store, VR_DB_WRITE, &f.tx, NULL) == 0);
    vr_store_event_add(f.tx, &(struct vr_event){.kind = "event", .title = "c"});
    CHECK(vr_store_commit(f.tx, &two, NULL) == 0);
    CHECK(one.last_event == one.first_event + 1 && two.first_event == one.last_event + 1);
    f.tx = vr_tx_free(f.tx);
    CHECK(vr_store_begin(f.store, VR_DB_READ, &f.tx, NULL) == 0);
    CHECK(vr_store_event_last(f.tx, &last, NULL) == 0 && last == two.last_event);
    CHECK(vr_store_event_list(f.tx, one.first_event, NULL, 10, &rows, NULL) == 0);
    CHECK(rows.n == 2);
    CHECK_STR(rows.v[0].title, "b");
    vr_event_rows_fini(&rows);
    CHECK(vr_store_event_tail(f.tx, "event", 2, &rows, NULL) == 0);
    CHECK(rows.n == 2);
    CHECK_STR(rows.v[1].title, "c");
    CHECK(strlen(rows.v[0].message) == 2 * VR_EVENT_MESSAGE_KEEP + strlen("\n\n...<snip>...\n\n"));
}

TEST(vr_store_host_seen__many__only_grows)
{
    FIXTURE(f);
    VR_ROW(host) row = {0};

    CHECK(fixture_init(&f));
    CHECK(vr_store_host_seen(f.tx, f.host, 2, AT(5), NULL) == 0);
    CHECK(vr_store_host_seen(f.tx, f.host, 2, AT(3), NULL) == 0);
    CHECK(vr_store_host_find_id(f.tx, f.host[1], &row, NULL) == 0);
    CHECK(row.last_seen_us == AT(5).us);
}

TEST(vr_store_begin__reader_while_writing__sees_the_rows_before)
{
    FIXTURE(f);
    VR_OWNED(vr_tx_free) struct vr_tx *reader = NULL;
    VR_ROWS(proc) before = {0};
    VR_ROWS(proc) after = {0};
    int64_t id;

    CHECK(fixture_init(&f));
    CHECK(fixture_commit(&f, VR_DB_WRITE) == 0);
    CHECK(add_proc(&f, 0, 0, &id) == 0);
    CHECK(vr_store_begin(f.store, VR_DB_READ, &reader, NULL) == 0);
    CHECK(vr_store_proc_list_of_swarm(reader, f.swarm, &before, NULL) == 0 && before.n == 0);
    CHECK(vr_store_commit(f.tx, NULL, NULL) == 0);
    CHECK(vr_store_proc_list_of_swarm(reader, f.swarm, &before, NULL) == 0 && before.n == 0);
    reader = vr_tx_free(reader);
    CHECK(vr_store_begin(f.store, VR_DB_READ, &reader, NULL) == 0);
    CHECK(vr_store_proc_list_of_swarm(reader, f.swarm, &after, NULL) == 0 && after.n == 1);
}

static bool fail_at(void *user)
{
    return --*(int *)user == 0;
}

/* Place a proc with an event; the fault comes at one of its statements, or at the commit. */
TEST(vr_store_commit__fault_at_every_write__leaves_nothing)
{
    vr_auto_free char *url = vr_strf("sqlite:%s/store.db", vr_tap_dir());
    FIXTURE(f);
    int64_t procs, events = 0, last = 0;
    int r = -1, at = 0;

    CHECK(fixture_init(&f));
    CHECK(fixture_commit(&f, VR_DB_READ) == 0);
    CHECK(vr_store_event_last(f.tx, &events, NULL) == 0);
    f.tx = vr_tx_free(f.tx);
    f.store = vr_store_free(f.store);
    while (r < 0) {
        int countdown = 0;
        struct vr_db_options options = {.fault = fail_at, .fault_user = &countdown};
        VR_ROWS(proc) rows = {0};
        FIXTURE(g);

        g = f;
        g.tx = NULL;
        CHECK(vr_store_open(url, &options, &g.store, NULL) == 0);
        CHECK(vr_store_begin(g.store, VR_DB_WRITE, &g.tx, NULL) == 0);
        countdown = ++at;
        r = add_proc(&g, 0, 5000, &procs);
        if (r == 0)
            r = vr_store_commit(g.tx, NULL, NULL);
        g.tx = vr_tx_free(g.tx);
        CHECK(r == 0 || r == -VR_IO);
        CHECK(vr_store_begin(g.store, VR_DB_READ, &g.tx, NULL) == 0);
        CHECK(vr_store_proc_list_of_swarm(g.tx, g.swarm, &rows, NULL) == 0);
        CHECK(vr_store_event_last(g.tx, &last, NULL) == 0);
        CHECK(rows.n == (r == 0) && (r == 0 ? last > events : last == events));
    }
    CHECK(at > 6); /* it did fail at statements, not only at the first */
}

struct racer {
    struct fixture *f;
    int won, lost, wrong;
};

static void *race(void *arg)
{
    struct racer *racer = arg;

    for (int i = 0; i < 20; i++) {
        VR_OWNED(vr_tx_free) struct vr_tx *tx = NULL;
        vr_auto_free char *name = vr_strf("squad%d", i);
        struct vr_squad_row row = {.name = name};
        int64_t id;
        int r = vr_store_begin(racer->f->store, VR_DB_WRITE, &tx, NULL);

        if (r == 0)
            r = vr_store_squad_insert(tx, &row, &id, NULL);
        if (r == 0)
            r = vr_store_commit(tx, NULL, NULL);
        racer->won += r == 0;
        racer->lost += r == -VR_EXISTS;
        racer->wrong += r < 0 && r != -VR_EXISTS;
    }
    return NULL;
}

TEST(vr_store_insert__two_threads_race_for_names__one_wins_each)
{
    FIXTURE(f);
    struct racer a = {.f = &f}, b = {.f = &f};
    pthread_t one, two;

    CHECK(fixture_init(&f));
    CHECK(fixture_commit(&f, VR_DB_READ) == 0);
    pthread_create(&one, NULL, race, &a);
    pthread_create(&two, NULL, race, &b);
    pthread_join(one, NULL);
    pthread_join(two, NULL);
    CHECK(a.wrong + b.wrong == 0);
    CHECK(a.won + b.won == 20 && a.lost + b.lost == 20);
}
