/* SPDX-License-Identifier: MIT */
/* The agent's side: the desired state of a host, and its reports. */
#include "store/report.h"

#include "fmt/json.h"
#include "store/event.h"
#include "store/job.h"
#include "store/store_fixture.h"

static json_t *desired(struct fixture *f, int host)
{
    vr_auto_free char *text = NULL;
    json_t *json = NULL;

    if (vr_store_host_desired_json(f->tx, f->host[host], "c1", NULL, &text, NULL) < 0 ||
        vr_json_parse(vr_str(text), VR_JSON_BYTES, &json, NULL) < 0)
        return NULL;
    return json;
}

static const json_t *first(const json_t *object, const char *name)
{
    return json_array_get(json_object_get(object, name), 0);
}

TEST(vr_store_host_desired_json__procs_jobs_balancers)
{
    FIXTURE(f);
    vr_auto_json json_t *json = NULL;
    const json_t *proc, *pool;
    struct vr_job_row job = {
        .kind = (char *)"build", .spec_json = (char *)"{\"kind\":\"build\"}", .deadline_us = 7};
    int64_t id, pool_id, unpublished, job_id, host;

    CHECK(fixture_init(&f));
    CHECK(vr_store_pool_take(f.tx, f.balancer, "hello", f.swarm, &pool_id, NULL) == 0);
    CHECK(vr_store_pool_set_members(f.tx, pool_id, "[]", NULL, NULL) == 0);
    CHECK(vr_store_pool_take(f.tx, f.balancer, "old", f.swarm, &pool_id, NULL) == 0);
    CHECK(vr_store_pool_set_members(f.tx, pool_id, "[]", NULL, NULL) == 0);
    CHECK(vr_store_pool_take(f.tx, f.balancer, "unpublished", f.swarm, &unpublished, NULL) == 0);
    CHECK(vr_store_proc_insert(f.tx,
                               &(struct vr_proc_placement){.swarm_id = f.swarm,
                                                           .release_id = f.release,
                                                           .host_id = f.host[0],
                                                           .config_name = "prod",
                                                           .proc_name = "web",
                                                           .cmd = "python3 \"app\".py",
                                                           .policy_json = "{\"stop_secs\":3}",
                                                           .pool_id = pool_id,
                                                           .port = 5000},
                               NOW, &id, NULL) == 0);
    CHECK(vr_store_job_insert(f.tx, &job, &job_id, NULL) == 0);
    CHECK(vr_store_job_lease(f.tx, job_id, 0, &host, NULL) == 0);
    json = desired(&f, 0);
    CHECK(json);
    CHECK_STR(json_string_value(json_object_get(json, "cluster")), "c1");
    proc = first(json, "procs");
    CHECK(json_integer_value(json_object_get(proc, "id")) == id);
    CHECK(json_integer_value(json_object_get(proc, "mem_limit")) == 268435456);
    CHECK(json_is_null(json_object_get(proc, "memsw_limit")));
    CHECK_STR(json_string_value(json_object_get(proc, "cmd")), "python3 \"app\".py");
    CHECK_STR(json_string_value(json_object_get(json_object_get(proc, "env"), "A")), "1");
    CHECK_STR(json_string_value(json_object_get(json_object_get(proc, "settings"), "db")), "pg");
    CHECK_STR(json_string_value(json_object_get(json_object_get(proc, "slug"), "sha256")), "feed");
    CHECK(json_is_true(json_object_get(json_object_get(proc, "policy"), "listen")));
    CHECK(json_integer_value(json_object_get(json_object_get(proc, "policy"), "stop_secs")) == 3);
    CHECK(json_integer_value(json_object_get(first(json, "jobs"), "id")) == job_id);
    CHECK(json_array_size(json_object_get(first(json, "balancers"), "pools")) == 2);
    pool = first(first(json, "balancers"), "pools");
    CHECK_STR(json_string_value(json_object_get(pool, "name")), "hello");
    CHECK_STR(json_string_value(first(json, "blobs_keep")), "feed");
}

/* One done rollout of a release whose build has the file `sha256`. */
static bool add_done(struct fixture *f, const char *sha256)
{
    struct vr_build_row build = {.app_id = f->app,
                                 .tag = (char *)sha256,
                                 .commit_id = (char *)sha256,
                                 .inputs_sha256 = (char *)sha256,
                                 .created_us = NOW.us};
    struct vr_release_row release = {
        .hash = (char *)sha256, .content_sha256 = (char *)sha256, .created_us = NOW.us};
    vr_auto_free char *id = NULL;
    bool made;

    if (vr_store_build_take(f->tx, &build, &build.id, &made, NULL) < 0)
        return false;
    build.file = build.file_sha256 = build.hash = (char *)sha256;
    build.file_md5 = (char *)"0123";
    release.build_id = build.id;
    return vr_store_build_succeed(f->tx, &build, NOW, NULL) == 0 &&
           vr_store_release_take(f->tx, &release, &f->release, &made, NULL) == 0 &&
           add_rollout(f, "active", &id) == 0 &&
           vr_store_rollout_end(f->tx, id, "done", NOW, NULL) == 0;
}

TEST(vr_store_host_desired_json__keep_releases__says_how_many_slugs_stay)
{
    FIXTURE(f);
    vr_auto_json json_t *all = NULL;
    vr_auto_json json_t *two = NULL;

    CHECK(fixture_init(&f));
    CHECK(add_done(&f, "aa") && add_done(&f, "bb") && add_done(&f, "cc"));
    all = desired(&f, 0);
    CHECK(json_array_size(json_object_get(all, "blobs_keep")) == 3);
    vr_store_set_keep_releases(f.store, 2);
    CHECK(fixture_commit(&f, VR_DB_WRITE) == 0);
    two = desired(&f, 0);
    CHECK(json_array_size(json_object_get(two, "blobs_keep")) == 2);
    CHECK_STR(json_string_value(first(two, "blobs_keep")), "bb");
}

TEST(vr_store_host_desired_json__stopped__leaves_the_list_and_rev_rises)
{
    FIXTURE(f);
    vr_auto_json json_t *before = NULL;
    vr_auto_json json_t *after = NULL;
    int64_t id;

    CHECK(fixture_init(&f));
    CHECK(add_proc(&f, 0, 5000, &id) == 0);
    CHECK(vr_store_proc_set_desired(f.tx, id, "stop", false, NULL) == 0);
    CHECK(fixture_commit(&f, VR_DB_WRITE) == 0);
    before = desired(&f, 0);
    CHECK(json_array_size(json_object_get(before, "procs")) == 1);
    CHECK(say(&f, id, "stopped", 1));
    CHECK(fixture_commit(&f, VR_DB_WRITE) == 0);
    after = desired(&f, 0);
    CHECK(json_array_size(json_object_get(after, "procs")) == 0);
    CHECK(json_integer_value(json_object_get(after, "rev")) ==
          json_integer_value(json_object_get(before, "rev")) + 1);
}

TEST(vr_store_proc_report__other_epoch_or_host__is_ignored)
{
    FIXTURE(f);
    VR_ROW(proc) row = {0};
    struct vr_proc_report report = {.epoch = 1, .actual = "running", .generation = 1};
    bool stale = false;

    CHECK(fixture_init(&f));
    CHECK(add_proc(&f, 0, 5000, &report.id) == 0);
    CHECK(vr_store_proc_report(f.tx, f.host[1], &report, NOW, &stale, NULL) == 0 && stale);
    CHECK(vr_store_proc_restart(f.tx, report.id, -1, NOW, NULL) == 0);
    CHECK(vr_store_proc_report(f.tx, f.host[0], &report, NOW, &stale, NULL) == 0 && stale);
    CHECK(vr_store_proc_find_id(f.tx, report.id, &row, NULL) == 0);
    CHECK(row.epoch == 2 && row.restart_n == 1);
    CHECK_STR(row.actual, "starting");
    report.id = 99;
    CHECK(vr_store_proc_report(f.tx, f.host[0], &report, NOW, &stale, NULL) == 0 && stale);
}

TEST(vr_store_proc_report__test_results__count_for_their_life_only)
{
    FIXTURE(f);
    VR_ROW(proc) row = {0};
    struct vr_proc_report report = {.epoch = 1, .actual = "running", .generation = 1};
    bool stale;

    CHECK(fixture_init(&f));
    CHECK(add_proc(&f, 0, 5000, &report.id) == 0);
    CHECK(say(&f, report.id, "running", 1));
    CHECK(vr_store_proc_request_test(f.tx, report.id, NOW, NULL) == 0);
    report.test_n = 1;
    report.test_state = "passed";
    report.test_json = "[{\"Passed\":true}]";
    CHECK(vr_store_proc_report(f.tx, f.host[0], &report, AT(1), &stale, NULL) == 0);
    CHECK(vr_store_proc_find_id(f.tx, report.id, &row, NULL) == 0);
    CHECK_STR(row.tested, "passed");
    CHECK(row.passed && row.tested_us == AT(1).us && row.test_began_us == NOW.us);
    vr_proc_row_fini(&row);
    report.restarts = 1; /* the shim restarted it */
    CHECK(vr_store_proc_report(f.tx, f.host[0], &report, AT(2), &stale, NULL) == 0);
    CHECK(vr_store_proc_find_id(f.tx, report.id, &row, NULL) == 0);
    CHECK_STR(row.tested, "no");
    CHECK(!row.passed && row.test_began_us == 0);
}

TEST(vr_store_proc__unknown__is_kept_until_known)
{
    FIXTURE(f);
    VR_ROW(proc) row = {0};
    int64_t id;

    CHECK(fixture_init(&f));
    CHECK(add_proc(&f, 0, 5000, &id) == 0);
    CHECK(vr_store_proc_set_unknown(f.tx, id, NOW, NULL) == 0);
    CHECK(say(&f, id, "running", 1));
    CHECK(vr_store_proc_find_id(f.tx, id, &row, NULL) == 0);
    CHECK_STR(row.actual, "unknown");
    CHECK_STR(row.reported, "running");
    vr_proc_row_fini(&row);
    CHECK(vr_store_proc_set_known(f.tx, id, false, NOW, NULL) == 0);
    CHECK(vr_store_proc_find_id(f.tx, id, &row, NULL) == 0);
    CHECK_STR(row.actual, "running");
}

TEST(vr_store_proc_report__state_change__is_an_event_with_the_whole_proc)
{
    FIXTURE(f);
    VR_ROWS(event) events = {0};
    vr_auto_json json_t *data = NULL;
    int64_t id;

    CHECK(fixture_init(&f));
    CHECK(add_proc(&f, 0, 5000, &id) == 0);
    CHECK(say(&f, id, "running", 1));
    CHECK(say(&f, id, "running", 1)); /* nothing new */
    CHECK(fixture_commit(&f, VR_DB_READ) == 0);
    CHECK(vr_store_event_tail(f.tx, "proc", 10, &events, NULL) == 0);
    CHECK(events.n == 2);
    CHECK(vr_json_parse(vr_str(events.v[1].data_json), VR_JSON_BYTES, &data, NULL) == 0);
    CHECK_STR(json_string_value(json_object_get(data, "event")), "PROCESS_STATE_RUNNING");
    CHECK_STR(json_string_value(json_object_get(data, "statename")), "RUNNING");
}

static int apply(struct fixture *f, const char *text, struct vr_report_result *out,
                 struct vr_err *err)
{
    vr_auto_json json_t *body = NULL;

    if (vr_json_parse(vr_str(text), VR_JSON_BYTES, &body, err) < 0)
        return -VR_PARSE;
    return vr_store_report_apply(f->tx, f->host[0], body, NOW, out, err);
}

TEST(vr_store_proc_set_admitted__again__changes_and_tells_once)
{
    FIXTURE(f);
    VR_ROWS(event) events = {0};
    VR_ROW(proc) row = {0};
    int64_t id;

    CHECK(fixture_init(&f));
    CHECK(add_proc(&f, 0, 5000, &id) == 0);
    CHECK(vr_store_proc_set_admitted(f.tx, id, false, AT(1), NULL) == 0);
    CHECK(vr_store_proc_set_admitted(f.tx, id, true, AT(2), NULL) == 0);
    CHECK(vr_store_proc_set_admitted(f.tx, id, true, AT(3), NULL) == 0);
    CHECK(vr_store_proc_set_admitted(f.tx, id, false, AT(4), NULL) == 0);
    CHECK(vr_store_proc_find_id(f.tx, id, &row, NULL) == 0);
    CHECK(!row.admitted && row.admitted_us == AT(2).us && row.drain_us == AT(4).us);
    CHECK(fixture_commit(&f, VR_DB_READ) == 0);
    CHECK(vr_store_event_tail(f.tx, "proc", 10, &events, NULL) == 0);
    CHECK(events.n == 3); /* placed, admitted, taken out */
}

TEST(vr_store_report_apply__whole_report)
{
    FIXTURE(f);
    struct vr_report_result result = {0};
    VR_ROW(proc) proc = {0};
    VR_ROW(host) host = {0};
    int64_t id, gone, pool;

    CHECK(fixture_init(&f));
    CHECK(vr_store_pool_take(f.tx, f.balancer, "hello", f.swarm, &pool, NULL) == 0);
    CHECK(add_proc(&f, 0, 5000, &id) == 0);
    CHECK(add_proc(&f, 0, 5001, &gone) == 0);
    CHECK(vr_store_proc_set_desired(f.tx, gone, "stop", false, NULL) == 0);
    CHECK(vr_store_host_set_state(f.tx, f.host[0], "suspect", NOW, NULL) == 0);
    CHECK(apply(&f,
                "{\"session\":0,\"seq\":7,\"boot\":\"b1\",\"rev\":1,\"full\":true,"
                "\"procs\":[{\"id\":1,\"epoch\":1,\"actual\":\"fatal\",\"since_us\":5,\"pid\":0,"
                "\"generation\":1,\"restarts\":0,\"message\":\"port 5000 is taken\","
                "\"code\":\"port_taken\",\"exit\":{\"code\":3},\"log_tail\":\"x\\n\","
                "\"rss_bytes\":5,\"cpu_us\":6}],"
                "\"jobs\":[{\"id\":99,\"state\":\"done\",\"result\":{}}],"
                "\"pools\":[{\"balancer\":\"lb\",\"pool\":\"hello\",\"applied\":1,\"confirmed\":1,"
                "\"error\":\"\",\"nodes\":[]},{\"balancer\":\"lb\",\"pool\":\"nope\"}],"
                "\"usage\":{\"load1\":0.5}}",
                &result, NULL) == 0);
    CHECK(result.ack == 7 && result.woke_host && !result.old_session && !result.repeated);
    CHECK(vr_store_proc_find_id(f.tx, id, &proc, NULL) == 0);
    CHECK_STR(proc.actual, "fatal");
    CHECK_STR(proc.code, "port_taken");
    CHECK_STR(proc.usage_json, "{\"rss_bytes\":5,\"cpu_us\":6}");
    vr_proc_row_fini(&proc);
    CHECK(vr_store_proc_find_id(f.tx, gone, &proc, NULL) == 0);
    CHECK_STR(proc.actual, "stopped");
    CHECK(vr_store_host_find_id(f.tx, f.host[0], &host, NULL) == 0);
    CHECK_STR(host.state, "live");
    CHECK_STR(host.boot_id, "b1");
    CHECK(host.synced && host.last_seen_us == NOW.us);
    CHECK_STR(host.usage_json, "{\"load1\":0.5}");
}

TEST(vr_store_report_apply__repeated_old_and_wrong)
{
    FIXTURE(f);
    struct vr_report_result result = {0};
    struct vr_err err = VR_ERR_NULL;

    CHECK(fixture_init(&f));
    CHECK(apply(&f, "{\"session\":0,\"seq\":1}", &result, NULL) == 0 && !result.repeated);
    CHECK(apply(&f, "{\"session\":0,\"seq\":1}", &result, NULL) == 0 && result.repeated);
    CHECK(vr_store_host_new_session(f.tx, f.host[0], NULL) == 0);
    CHECK(apply(&f, "{\"session\":0,\"seq\":2}", &result, NULL) == 0);
    CHECK(result.old_session && result.session == 1);
    /* A row that is none is left out: an agent would only send it again. */
    CHECK(apply(&f, "{\"session\":1,\"seq\":3,\"procs\":[{\"id\":1}, 7]}", &result, &err) == 0);
    CHECK(result.refused == 2 && strstr(result.refusal, "epoch"));
    CHECK(apply(&f, "{\"session\":1,\"seq\":4,\"procs\":[{\"id\":1,\"epoch\":1,\"actual\":\"x\"}]}",
                &result, &err) == 0);
    CHECK(result.refused == 1 && strstr(result.refusal, "actual"));
    CHECK(apply(&f, "{\"session\":1,\"seq\":5,\"procs\":{}}", &result, &err) == -VR_INVALID);
    CHECK(apply(&f, "[]", &result, &err) == -VR_INVALID);
}
