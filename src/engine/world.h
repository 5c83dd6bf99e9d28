/* SPDX-License-Identifier: MIT */
/* A store with a swarm and hosts whose agents do as they are told, on a clock of the test's own. */
#ifndef VR_ENGINE_WORLD_H
#define VR_ENGINE_WORLD_H

#include "core/tap.h"
#include "engine/apply.h"
#include "engine/dispatch.h"
#include "engine/work.h"
#include "fmt/json.h"
#include "fmt/query.h"
#include "store/app.h"
#include "store/buildpack.h"
#include "store/event.h"
#include "store/release.h"
#include "store/report.h"
#include "store/resource.h"
#include "store/secret.h"
#include "store/squad.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define WORLD_HOSTS    3
#define WORLD_START_US INT64_C(1790000000000000)
#define WORLD_STEP_US  INT64_C(200000) /* between two looks of world_run() */
#define WORLD_ROUNDS   32
#define WORLD_CLUSTER  "c1"
#define COMMIT_1       "1111111111111111111111111111111111111111"
#define COMMIT_2       "2222222222222222222222222222222222222222"

/** What the agents do instead of what they are told; texts borrowed. */
struct world_faults {
    bool silent[WORLD_HOSTS];
    const char *resolve_code, *resolve_message; /* of resolve jobs; NULL: they succeed */
    const char *build_message;                  /* the same of builds */
    const char *result;                         /* JSON text of a job's result instead */
    bool jobs_hang;                             /* jobs only run */
    bool tests_fail, tests_hang;
    bool never_stop;
    const char *fatal_code; /* procs end fatal with this code */
};

struct world {
    struct vr_store *store;
    struct vr_tx *tx;
    struct vr_wall now, started;
    int64_t app, squad, balancer, swarm;
    int64_t host[WORLD_HOSTS];
    int64_t seq;
    struct world_faults faults;
    struct vr_err err;
};

#define WORLD(w) __attribute__((cleanup(world_fini))) struct world w

static inline void world_fini(struct world *w)
{
    vr_tx_free(w->tx);
    vr_store_free(w->store);
}

/* ------------------------------------------------------------------ rows */

static inline int64_t world_add_host(struct world *w, const char *name)
{
    struct vr_host_row row = {.name = (char *)name,
                              .active = true,
                              .squad_id = w->squad,
                              .address = (char *)"127.0.0.1",
                              .roles = (char *)"[\"app\",\"build\",\"balancer\"]"};
    int64_t id = 0;

    return vr_store_host_insert(w->tx, &row, &id, &w->err) < 0 ? 0 : id;
}

static inline int64_t world_add_swarm(struct world *w, const char *config, const char *pool)
{
    struct vr_swarm_row row = {.app_id = w->app,
                               .config_name = (char *)config,
                               .proc_name = (char *)"web",
                               .squad_id = w->squad,
                               .size = 2,
                               .tag = (char *)"v1",
                               .pool = (char *)pool,
                               .balancer_id = w->balancer,
                               .env_json = (char *)"{\"A\":\"1\"}",
                               .mem_limit = (char *)"64M"};
    int64_t id = 0;

    return vr_store_swarm_insert(w->tx, &row, &id, &w->err) < 0 ? 0 : id;
}

static inline int world_fill(struct world *w)
{
    static const char *const names[WORLD_HOSTS] = {"h1", "h2", "h3"};
    struct vr_app_row app = {.name = (char *)"hello",
                             .repo_url = (char *)"https://example.com/hello.git",
                             .repo_type = (char *)"git"};
    struct vr_squad_row squad = {.name = (char *)"default"};
    struct vr_balancer_row balancer = {.name = (char *)"lb", .driver = (char *)"haproxy"};
    struct vr_buildpack_row pack = {.repo_url = (char *)"builtin:python",
                                    .repo_type = (char *)"git"};
    int64_t id;
    int r = vr_store_app_insert(w->tx, &app, &w->app, &w->err);

    if (r == 0)
        r = vr_store_squad_insert(w->tx, &squad, &w->squad, &w->err);
    if (r == 0)
        r = vr_store_buildpack_insert(w->tx, &pack, &id, &w->err);
    for (int i = 0; i < WORLD_HOSTS && r == 0; i++) {
        w->host[i] = world_add_host(w, names[i]);
        r = w->host[i] ? 0 : -VR_BUG;
    }
    if (r == 0)
        r = vr_store_balancer_insert(w->tx, &balancer, &w->balancer, &w->err);
    if (r == 0)
        r = vr_store_balancer_set_hosts(w->tx, w->balancer, w->host, 2, &w->err);
    if (r < 0)
        return r;
    w->swarm = world_add_swarm(w, "prod", "hello");
    return w->swarm ? 0 : -VR_BUG;
}

/* ------------------------------------------------------------------ agents */

static inline json_t *world_job_result(const struct world *w, const json_t *spec, bool is_build)
{
    const char *tag = json_string_value(json_object_get(spec, "tag"));
    bool is_commit = strlen(tag) == strlen(COMMIT_1);
    const char *commit = is_commit ? tag : vr_streq(tag, "v2") ? COMMIT_2 : COMMIT_1;
    json_t *own = NULL;

    if (w->faults.result) {
        vr_ignore(vr_json_parse(vr_str(w->faults.result), VR_JSON_BYTES, &own, NULL),
                  "then there is no result");
        return own;
    }
    if (!is_build)
        return json_pack("{s:s, s:[{s:s, s:s}]}", "commit", commit, "buildpacks", "url",
                         "builtin:python", "commit", "b1");
    return json_pack("{s:s, s:s, s:s, s:I, s:s, s:s, s:{s:s}, s:{s:s}}", "commit", commit,
                     "file_md5", vr_streq(commit, COMMIT_2) ? "0002" : "0001", "file_sha256",
                     "feed", "file_bytes", (json_int_t)4096, "buildpack_url", "builtin:python",
                     "buildpack_version", "b1", "config_vars", "PATH", "/app/bin", "procfile",
                     "web", "python3 app.py");
}

static inline json_t *world_tell_job(const struct world *w, const json_t *job)
{
    bool is_build = vr_streq(json_string_value(json_object_get(job, "kind")), "build");
    const char *message = is_build ? w->faults.build_message : w->faults.resolve_message;
    const char *code = is_build ? "failed" : w->faults.resolve_code;
    json_t *out = json_pack("{s:O, s:s}", "id", json_object_get(job, "id"), "state",
                            w->faults.jobs_hang ? "running"
                            : message           ? "failed"
                                                : "done");

    if (w->faults.jobs_hang)
        return out;
    if (message)
        vr_json_set(
            out, "error",
            json_pack("{s:s, s:s, s:s}", "code", code, "step", "fetch", "message", message));
    else
        vr_json_set(out, "result", world_job_result(w, json_object_get(job, "spec"), is_build));
    return out;
}

static inline json_t *world_tell_proc(const struct world *w, const json_t *proc)
{
    bool runs = vr_streq(json_string_value(json_object_get(proc, "desired")), "run");
    int64_t test = json_integer_value(json_object_get(proc, "test_n"));
    int64_t restart = json_integer_value(json_object_get(proc, "restart_n"));
    bool is_fatal = runs && w->faults.fatal_code;
    json_t *out =
        json_pack("{s:O, s:O, s:s, s:I, s:I}", "id", json_object_get(proc, "id"), "epoch",
                  json_object_get(proc, "epoch"), "actual",
                  is_fatal                       ? "fatal"
                  : runs || w->faults.never_stop ? "running"
                                                 : "stopped",
                  "since_us", (json_int_t)WORLD_START_US, "generation", (json_int_t)(1 + restart));

    if (is_fatal) {
        vr_json_set(out, "code", json_string(w->faults.fatal_code));
        vr_json_set(out, "message", json_string("it could not start"));
    } else if (test > 0 && !w->faults.tests_hang) {
        vr_json_set(out, "test",
                    json_pack("{s:I, s:s, s:[{s:s, s:s, s:b}]}", "n", (json_int_t)test, "state",
                              w->faults.tests_fail ? "failed" : "passed", "results", "Name",
                              "01_answers", "Output", "", "Passed", !w->faults.tests_fail));
    }
    return out;
}

static inline void world_tell_pools(const json_t *balancer, json_t *out)
{
    size_t i, k;
    json_t *pool, *node;

    json_array_foreach (json_object_get(balancer, "pools"), i, pool) {
        json_t *nodes = json_array();

        json_array_foreach (json_object_get(pool, "nodes"), k, node)
            vr_json_push(nodes, json_pack("{s:O, s:O, s:s, s:i}", "id", json_object_get(node, "id"),
                                          "state", json_object_get(node, "state"), "check", "up",
                                          "connections", 0));
        vr_json_push(
            out, json_pack("{s:O, s:O, s:O, s:O, s:s, s:o}", "balancer",
                           json_object_get(balancer, "name"), "pool", json_object_get(pool, "name"),
                           "applied", json_object_get(pool, "generation"), "confirmed",
                           json_object_get(pool, "generation"), "error", "", "nodes", nodes));
    }
}

/** The host fetches its desired state, has done it all, and says so. */
static inline int world_agent(struct world *w, int host)
{
    vr_auto_json json_t *desired = NULL;
    vr_auto_json json_t *report = NULL;
    vr_auto_free char *text = NULL;
    struct vr_report_result result;
    json_t *procs = json_array(), *jobs = json_array(), *pools = json_array(), *one;
    size_t i;
    int r;

    r = vr_store_host_desired_json(w->tx, w->host[host], WORLD_CLUSTER, NULL, &text, &w->err);
    if (r == 0)
        r = vr_json_parse_object(vr_str(text), VR_JSON_BYTES, &desired, &w->err);
    json_array_foreach (json_object_get(desired, "procs"), i, one)
        vr_json_push(procs, world_tell_proc(w, one));
    json_array_foreach (json_object_get(desired, "jobs"), i, one)
        vr_json_push(jobs, world_tell_job(w, one));
    json_array_foreach (json_object_get(desired, "balancers"), i, one)
        world_tell_pools(one, pools);
    report = json_pack("{s:O?, s:I, s:s, s:O?, s:b, s:o, s:o, s:o}", "session",
                       json_object_get(desired, "session"), "seq", (json_int_t)++w->seq, "boot",
                       "boot1", "rev", json_object_get(desired, "rev"), "full", 1, "procs", procs,
                       "jobs", jobs, "pools", pools);
    return r < 0 ? r
                 : vr_store_report_apply(w->tx, w->host[host], report, w->now, &result, &w->err);
}

/* ------------------------------------------------------------------ the engine */

/** Plan and apply until nothing is left to do; 1 if it never ends. */
static inline int world_settle(struct world *w, int64_t swarm)
{
    struct vr_plan_actions actions;
    size_t planned = 1;
    int r = 0;

    vr_plan_actions_init(&actions);
    for (int i = 0; i < WORLD_ROUNDS && planned && r == 0; i++) {
        struct vr_snapshot_spec spec = {
            .swarm_id = swarm, .now = w->now, .engine_started = w->started};
        struct vr_snapshot snap = {0};
        bool changed = false;

        r = vr_snapshot_load(w->tx, &spec, &snap, &w->err);
        if (r == 0)
            r = vr_work_take_resolved(w->tx, &snap, &changed, &w->err);
        planned = changed;
        if (r == 0 && !changed) {
            planned = vr_plan(&snap.plan, &actions);
            r = vr_apply(w->tx, &snap, &actions, &w->err);
        }
        vr_snapshot_fini(&snap);
    }
    vr_plan_actions_fini(&actions);
    return r < 0 ? r : planned > 0;
}

static inline int world_commit(struct world *w)
{
    int r = vr_store_commit(w->tx, NULL, &w->err);

    w->tx = vr_tx_free(w->tx);
    return r < 0 ? r : vr_store_begin(w->store, VR_DB_WRITE, &w->tx, &w->err);
}

/** One look at everything: hosts' silence, jobs, the swarm, agents; then time goes on. */
static inline int world_step(struct world *w)
{
    int r = vr_work_tick(w->tx, w->now, &w->err);

    if (r == 0)
        r = world_settle(w, w->swarm);
    for (int i = 0; i < WORLD_HOSTS && r == 0; i++)
        if (!w->faults.silent[i])
            r = world_agent(w, i);
    if (r == 0)
        r = world_commit(w);
    w->now.us += WORLD_STEP_US;
    return r;
}

/** Step for so many seconds; false if anything failed or never came to rest. */
static inline bool world_run(struct world *w, int64_t secs)
{
    struct vr_wall until = {w->now.us + secs * VR_US_PER_S};

    while (w->now.us < until.us) {
        if (world_step(w) != 0) {
            fprintf(stderr, "# %s\n", w->err.msg);
            return false;
        }
    }
    return true;
}

/** A world at rest: all hosts known and live. */
static inline bool world_init(struct world *w)
{
    vr_auto_free char *url = vr_strf("sqlite:%s/store.db", vr_tap_dir());
    vr_auto_free char *keys = vr_strf("%s/secret-keys", vr_tap_dir());

    *w = (struct world){.now = {WORLD_START_US}};
    w->started.us = w->now.us - 60 * VR_US_PER_S;
    if (vr_store_open(url, NULL, &w->store, &w->err) < 0 ||
        vr_store_open_keyring(w->store, keys, w->now, &w->err) < 0 ||
        vr_store_begin(w->store, VR_DB_WRITE, &w->tx, &w->err) < 0 || world_fill(w) < 0) {
        fprintf(stderr, "# %s\n", w->err.msg);
        return false;
    }
    return world_run(w, 1);
}

/* ------------------------------------------------------------------ what tests ask */

static inline int world_ask(struct world *w, enum vr_kind kind, int64_t release, char **out_id)
{
    struct vr_dispatch_spec spec = {
        .swarm_id = w->swarm, .kind = kind, .release_id = release, .now = w->now};

    return vr_dispatch(w->tx, &spec, out_id, &w->err);
}

/** Ask for a rollout and run until it ended or the time is over; its row is in *out. */
static inline bool world_roll(struct world *w, enum vr_kind kind, int64_t secs,
                              struct vr_rollout_row *out)
{
    vr_auto_free char *id = NULL;
    struct vr_wall until = {w->now.us + secs * VR_US_PER_S};

    if (world_ask(w, kind, 0, &id) < 0) {
        fprintf(stderr, "# %s\n", w->err.msg);
        return false;
    }
    while (w->now.us < until.us) {
        if (!world_run(w, 1))
            return false;
        vr_rollout_row_fini(out);
        *out = (struct vr_rollout_row){0};
        if (vr_store_rollout_find(w->tx, id, out, &w->err) < 0)
            return false;
        if (vr_streq(out->state, "ended"))
            return true;
    }
    return true;
}

static inline bool world_change(struct world *w, const char *tag, int64_t size)
{
    VR_ROW(swarm) row = {0};

    if (vr_store_swarm_find_id(w->tx, w->swarm, &row, &w->err) < 0)
        return false;
    if (tag) {
        free(row.tag);
        row.tag = vr_strdup(tag);
    }
    row.size = size;
    return vr_store_swarm_update(w->tx, &row, &w->err) == 0;
}

/** Procs of the swarm that run, of a release (0: of any). */
static inline size_t world_running(struct world *w, int64_t release)
{
    VR_ROWS(proc) procs = {0};
    size_t n = 0;

    if (vr_store_proc_list_of_swarm(w->tx, w->swarm, &procs, &w->err) < 0)
        return 0;
    for (size_t i = 0; i < procs.n; i++)
        n += vr_streq(procs.v[i].actual, "running") &&
             (!release || procs.v[i].release_id == release);
    return n;
}

/** Procs of the swarm that are not stopped. */
static inline size_t world_procs(struct world *w)
{
    VR_ROWS(proc) procs = {0};

    return vr_store_proc_list_of_swarm(w->tx, w->swarm, &procs, &w->err) < 0 ? SIZE_MAX : procs.n;
}

/** Members of the swarm's first pool, as published. */
static inline size_t world_members(struct world *w)
{
    VR_ROWS(pool) pools = {0};
    vr_auto_json json_t *nodes = NULL;
    size_t n = 0, i;
    json_t *node;

    if (vr_store_pool_list_of_swarm(w->tx, w->swarm, &pools, &w->err) < 0 || !pools.n ||
        vr_json_parse(vr_str(pools.v[0].members_json), VR_JSON_BYTES, &nodes, &w->err) < 0)
        return 0;
    json_array_foreach (nodes, i, node)
        n += vr_streq(json_string_value(json_object_get(node, "state")), "active");
    return n;
}

/** Jobs of a kind that have ended so. */
static inline size_t world_jobs(struct world *w, const char *kind, const char *state)
{
    VR_ROWS(job) jobs = {0};
    size_t n = 0;

    if (vr_store_job_list(w->tx, state, &jobs, &w->err) < 0)
        return SIZE_MAX;
    for (size_t i = 0; i < jobs.n; i++)
        n += vr_streq(jobs.v[i].kind, kind);
    return n;
}

/** Is there an event of kind `event` with this title, these tags and this start of its message? */
static inline bool world_told(struct world *w, const char *title, const char *message,
                              const char *tags)
{
    VR_ROWS(event) rows = {0};

    if (world_commit(w) < 0 || vr_store_event_list(w->tx, 0, "event", 5000, &rows, &w->err) < 0)
        return false;
    for (size_t i = 0; i < rows.n; i++)
        if (vr_streq(rows.v[i].title, title) && vr_str_has_prefix(rows.v[i].message, message) &&
            vr_streq(rows.v[i].tags_json, tags))
            return true;
    for (size_t i = 0; i < rows.n; i++)
        fprintf(stderr, "# event '%s' | '%s' | %s\n", rows.v[i].title, rows.v[i].message,
                rows.v[i].tags_json);
    return false;
}

/** Entries of the audit log that the platform itself left, of a type and of nobody. */
static inline int64_t world_entries(struct world *w, const char *type)
{
    vr_auto_free char *text = vr_strf("via=engine&user__isnull=true&type=%s", type);
    VR_OWNED(vr_query_free) struct vr_query *query = NULL;
    vr_auto_list struct vr_list list = {0};

    if (vr_query_parse(vr_str(text), &query, &w->err) < 0 ||
        vr_store_list(w->tx,
                      &(struct vr_list_spec){
                          .resource = VR_RES_LOGS, .query = query, .limit = 1, .now = w->now},
                      &list, &w->err) < 0)
        return -1;
    return list.total_count;
}

#endif
