/* SPDX-License-Identifier: MIT */
/* Retention over random stores against an oracle of its own; blobs, budgets, configuration, cost.
 */
#include "engine/retention.h"

#include "core/tap.h"
#include "db/db.h"
#include "fmt/yaml.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define NOW_US   (INT64_C(1790000000) * VR_US_PER_S)
#define DAY_US   (INT64_C(86400) * VR_US_PER_S)
#define SEEDS    25
#define APPS     3
#define BUILDS   40
#define RELEASES 70
#define SWARMS   4
#define ROLLOUTS 160
#define PROCS    90
#define BLOBS    25 /* fewer than builds: some have the same bytes */

/* ------------------------------------------------------------------ a store and its passes */

struct rig {
    struct vr_store *store;
    struct vr_db *db; /* the same database, for rows that no function makes */
    struct vr_blobs *blobs;
    struct vr_log log;
    struct vr_retention limits;
    struct vr_retention_work work;
    struct vr_err err;
};

static int commit(void *user, struct vr_tx *tx, struct vr_err *err)
{
    return vr_store_commit(tx, NULL, err);
}

static bool pause_pass(void *user)
{
    return true;
}

/* As the janitor does: without it the one lock that both want goes to whoever has it. */
static bool pause_as_janitor(void *user)
{
    usleep(VR_RETENTION_PAUSE_MS * 1000);
    return true;
}

static void rig_fini(struct rig *r)
{
    r->db = vr_db_free(r->db);
    r->store = vr_store_free(r->store);
    r->blobs = vr_blobs_close(r->blobs);
}

#define RIG(r) __attribute__((cleanup(rig_fini))) struct rig r = {0}

static bool rig_init(struct rig *r, int number)
{
    vr_auto_free char *url = vr_strf("sqlite:%s/store%d.db", vr_tap_dir(), number);
    vr_auto_free char *blobs = vr_strf("%s/blobs%d", vr_tap_dir(), number);

    vr_log_init(&r->log, NULL, "part", "test");
    vr_retention_default(&r->limits);
    r->work = (struct vr_retention_work){
        .log = &r->log, .limits = &r->limits, .commit = commit, .pause = pause_pass, .user = r};
    if (vr_store_open(url, NULL, &r->store, &r->err) < 0 ||
        vr_db_open(url, NULL, &r->db, &r->err) < 0 || vr_blobs_open(blobs, &r->blobs, &r->err) < 0)
        return false;
    r->work.store = r->store;
    r->work.blobs = r->blobs;
    return true;
}

/* All statements in one transaction; false with a diagnosis. */
static bool run_sql(struct rig *r, const char *sql)
{
    VR_OWNED(vr_db_tx_free) struct vr_db_tx *tx = NULL;

    if (vr_db_begin(r->db, VR_DB_WRITE, &tx, &r->err) == 0 && vr_db_script(tx, sql, &r->err) == 0 &&
        vr_db_commit(tx, &r->err) == 0)
        return true;
    fprintf(stderr, "# %s\n", r->err.msg);
    return false;
}

static int64_t number(struct rig *r, const char *sql)
{
    VR_OWNED(vr_db_tx_free) struct vr_db_tx *tx = NULL;
    int64_t n = -1;

    if (vr_db_begin(r->db, VR_DB_READ, &tx, &r->err) < 0 ||
        vr_db_get_i64_values(tx, &n, &r->err, sql, NULL, 0) < 0)
        fprintf(stderr, "# %s\n", r->err.msg);
    return n;
}

/* A blob of these bytes, stored so long ago; its key in `out`. */
static bool store_blob(struct rig *r, const char *bytes, int64_t age_us, char out[VR_SHA256_HEX])
{
    VR_OWNED(vr_blob_abort) struct vr_blob_writer *w = NULL;
    vr_auto_free char *path = NULL;
    struct vr_blob_name name;
    struct timespec times[2];

    if (vr_blob_begin(r->blobs, &w, &r->err) < 0 ||
        vr_blob_write(w, bytes, strlen(bytes), &r->err) < 0 ||
        vr_blob_commit(w, NULL, &name, &r->err) < 0 ||
        vr_blob_path(r->blobs, name.sha256, &path, &r->err) < 0)
        return false;
    times[0] = times[1] = (struct timespec){.tv_sec = (NOW_US - age_us) / VR_US_PER_S};
    memcpy(out, name.sha256, VR_SHA256_HEX);
    return utimensat(-1, path, times, 0) == 0;
}

static bool pass(struct rig *r)
{
    vr_auto_free char *told = NULL;
    vr_auto_free char *rows = NULL;

    if (vr_retention_builds(&r->work, (struct vr_wall){NOW_US}, &told, &r->err) == 0 &&
        vr_retention_rows(&r->work, (struct vr_wall){NOW_US}, &rows, &r->err) == 0)
        return true;
    fprintf(stderr, "# %s\n", r->err.msg);
    return false;
}

/* ------------------------------------------------------------------ a random store */

struct graph {
    uint64_t random;
    struct {
        int app, blob;
        const char *status;
        int64_t end_us;
        bool has_job;
    } build[BUILDS + 1]; /* indexes are ids: 0 is none */
    struct {
        int build;
        bool pinned;
    } release[RELEASES + 1];
    struct {
        int swarm, release, build;
        bool open, done;
        int64_t end_us;
    } rollout[ROLLOUTS + 1];
    int current[SWARMS + 1];
    struct {
        int rollout, release;
        bool live;
    } proc[PROCS + 1];
    char blob[BLOBS][VR_SHA256_HEX];
};

static int upto(struct graph *g, int n)
{
    g->random ^= g->random << 13;
    g->random ^= g->random >> 7;
    g->random ^= g->random << 17;
    return (int)(g->random % (uint64_t)n);
}

static bool chance(struct graph *g, int percent)
{
    return upto(g, 100) < percent;
}

static int app_of_swarm(int swarm)
{
    return 1 + (swarm - 1) % APPS;
}

static void make_builds(struct graph *g)
{
    for (int b = 1; b <= BUILDS; b++) {
        g->build[b].app = 1 + upto(g, APPS);
        g->build[b].blob = upto(g, BLOBS);
        g->build[b].status = chance(g, 85) ? "success" : chance(g, 50) ? "expired" : "started";
        g->build[b].end_us = NOW_US - (BUILDS - b) * 2 * DAY_US - upto(g, 3600) * VR_US_PER_S;
        g->build[b].has_job = chance(g, 5);
    }
    for (int r = 1; r <= RELEASES; r++) {
        g->release[r].build = 1 + upto(g, BUILDS);
        g->release[r].pinned = chance(g, 4);
    }
}

/* A release of the swarm's app that is not newer than what could have been then; 0 if none. */
static int pick_release(struct graph *g, int swarm)
{
    for (int i = 0; i < 40; i++) {
        int r = 1 + upto(g, RELEASES);

        if (g->build[g->release[r].build].app == app_of_swarm(swarm))
            return r;
    }
    return 0;
}

static void make_rollouts(struct graph *g)
{
    bool has_open[SWARMS + 1] = {false};

    for (int i = 1; i <= ROLLOUTS; i++) {
        int swarm = 1 + upto(g, SWARMS);

        g->rollout[i].swarm = swarm;
        g->rollout[i].release = pick_release(g, swarm);
        g->rollout[i].build =
            chance(g, 10) ? 1 + upto(g, BUILDS) : g->release[g->rollout[i].release].build;
        g->rollout[i].open = i > ROLLOUTS - 20 && !has_open[swarm] && chance(g, 20);
        has_open[swarm] = has_open[swarm] || g->rollout[i].open;
        g->rollout[i].done = !g->rollout[i].open && g->rollout[i].release && chance(g, 60);
        g->rollout[i].end_us = NOW_US - (ROLLOUTS - i) * 2 * DAY_US;
        if (g->rollout[i].done && chance(g, 80))
            g->current[swarm] = i;
    }
    for (int p = 1; p <= PROCS; p++) {
        g->proc[p].rollout = chance(g, 90) ? 1 + upto(g, ROLLOUTS) : 0;
        g->proc[p].release = 1 + upto(g, RELEASES);
        g->proc[p].live = chance(g, 15);
    }
}

static void write_builds(const struct graph *g, struct vr_buf *sql)
{
    for (int b = 1; b <= BUILDS; b++)
        vr_buf_addf(sql,
                    "INSERT INTO builds (id, app_id, tag, status, file, file_sha256, file_bytes,"
                    " created_us, end_us) VALUES (%d, %d, 'v%d', '%s', 'f', '%s', 100, 1,"
                    " %" PRId64 ");",
                    b, g->build[b].app, b, g->build[b].status, g->blob[g->build[b].blob],
                    g->build[b].end_us);
    for (int b = 1; b <= BUILDS; b++)
        if (g->build[b].has_job)
            vr_buf_addf(sql,
                        "INSERT INTO jobs (kind, state, build_id, spec_json, created_us,"
                        " deadline_us) VALUES ('build', 'leased', %d, '{}', 1, 1);",
                        b);
    for (int r = 1; r <= RELEASES; r++)
        vr_buf_addf(sql,
                    "INSERT INTO releases (id, build_id, hash, content_sha256, created_us, pinned)"
                    " VALUES (%d, %d, '%08x', 'c%d', 1, %d);",
                    r, g->release[r].build, r, r, g->release[r].pinned);
}

static void write_rollouts(const struct graph *g, struct vr_buf *sql)
{
    for (int i = 1; i <= ROLLOUTS; i++) {
        vr_buf_addf(
            sql,
            "INSERT INTO rollouts (seq, id, swarm_id, kind, state, result, tag, build_id,"
            " release_id, proc_name, config_name, size, squad_id, created_us, ended_us)"
            " VALUES (%d, '%032x', %d, 'dispatch', '%s', %s, 'v', nullif(%d, 0), nullif(%d, 0),"
            " 'web', 'prod', 1, 1, 1, nullif(%" PRId64 ", 0));",
            i, i, g->rollout[i].swarm, g->rollout[i].open ? "active" : "ended",
            g->rollout[i].open   ? "NULL"
            : g->rollout[i].done ? "'done'"
                                 : "'failed'",
            g->rollout[i].build, g->rollout[i].release,
            g->rollout[i].open ? 0 : g->rollout[i].end_us);
        vr_buf_addf(sql,
                    "INSERT INTO rollout_steps (rollout_id, step, start_us) VALUES ('%032x',"
                    " 'start', 1);",
                    i);
    }
    for (int s = 1; s <= SWARMS; s++)
        if (g->current[s])
            vr_buf_addf(sql, "UPDATE swarms SET current_rollout = '%032x' WHERE id = %d;",
                        g->current[s], s);
    for (int p = 1; p <= PROCS; p++)
        vr_buf_addf(sql,
                    "INSERT INTO procs (id, name, swarm_id, rollout_id, release_id, host_id,"
                    " config_name, proc_name, cmd, port, desired, actual, since_us, created_us,"
                    " stopped_us) VALUES (%d, 'p%d', %s, %s'%032x'%s, %d, 1, 'prod', 'web', 'x', 0,"
                    " '%s', '%s', 1, 1, %" PRId64 ");"
                    "INSERT INTO commands (kind, proc_id, state, created_us, ended_us)"
                    " VALUES ('stop', %d, 'done', 1, %" PRId64 ");",
                    p, p, g->proc[p].rollout ? "1" : "NULL", "nullif(", g->proc[p].rollout,
                    ", '00000000000000000000000000000000')", g->proc[p].release,
                    g->proc[p].live ? "held" : "stop", "stopped", NOW_US - 40 * DAY_US, p,
                    NOW_US - DAY_US);
}

static bool write_graph(struct rig *r, struct graph *g)
{
    vr_auto_buf struct vr_buf sql = VR_BUF(1 << 20);

    for (int i = 0; i < BLOBS; i++) {
        char bytes[32];

        snprintf(bytes, sizeof(bytes), "blob %d", i);
        if (!store_blob(r, bytes, 50 * DAY_US, g->blob[i]))
            return false;
    }
    vr_buf_add(&sql, "INSERT INTO squads (id, name) VALUES (1, 'dc');"
                     "INSERT INTO hosts (id, name) VALUES (1, 'h1');");
    for (int a = 1; a <= APPS; a++)
        vr_buf_addf(&sql,
                    "INSERT INTO apps (id, name, repo_url, repo_type) VALUES (%d, 'app%d',"
                    " 'u', 'git');",
                    a, a);
    for (int s = 1; s <= SWARMS; s++)
        vr_buf_addf(&sql,
                    "INSERT INTO swarms (id, app_id, config_name, proc_name, squad_id)"
                    " VALUES (%d, %d, 'c%d', 'web', 1);",
                    s, app_of_swarm(s), s);
    write_builds(g, &sql);
    write_rollouts(g, &sql);
    return run_sql(r, vr_buf_text(&sql));
}

/* ------------------------------------------------------------------ the oracle */

/* The newest done rollout of each of the last `keep` releases of each swarm. */
static void find_recent(const struct graph *g, int64_t keep, bool recent[ROLLOUTS + 1],
                        bool newest[ROLLOUTS + 1])
{
    for (int s = 1; s <= SWARMS; s++) {
        bool seen[RELEASES + 1] = {false};
        int64_t n = 0;

        for (int i = ROLLOUTS; i >= 1; i--) {
            if (g->rollout[i].swarm != s || !g->rollout[i].done || seen[g->rollout[i].release])
                continue;
            seen[g->rollout[i].release] = true;
            newest[i] = true;
            recent[i] = n++ < keep;
        }
    }
}

static bool is_build_needed(const struct graph *g, const bool recent[ROLLOUTS + 1], int b)
{
    bool needed = g->build[b].has_job || vr_streq(g->build[b].status, "started");

    for (int r = 1; r <= RELEASES; r++)
        needed = needed || (g->release[r].build == b && g->release[r].pinned);
    for (int i = 1; i <= ROLLOUTS; i++) {
        bool of_it = g->rollout[i].release && g->release[g->rollout[i].release].build == b;

        needed = needed || (g->rollout[i].open && (of_it || g->rollout[i].build == b)) ||
                 (of_it && (recent[i] || g->current[g->rollout[i].swarm] == i));
    }
    for (int p = 1; p <= PROCS; p++)
        needed = needed || (g->proc[p].live && g->release[g->proc[p].release].build == b);
    return needed;
}

static bool is_build_kept(const struct graph *g, const struct vr_retention *l,
                          const bool recent[ROLLOUTS + 1], int b)
{
    int64_t newer = 0;

    for (int other = b + 1; other <= BUILDS; other++)
        newer += g->build[other].app == g->build[b].app;
    return is_build_needed(g, recent, b) || newer < l->build_count ||
           g->build[b].end_us >= NOW_US - l->build_days * DAY_US;
}

static bool is_rollout_kept(const struct graph *g, const struct vr_retention *l,
                            const bool recent[ROLLOUTS + 1], const bool newest[ROLLOUTS + 1], int i)
{
    int64_t newer = 0;
    bool has_live = false;

    for (int other = i + 1; other <= ROLLOUTS; other++)
        newer += g->rollout[other].swarm == g->rollout[i].swarm;
    for (int p = 1; p <= PROCS; p++)
        has_live = has_live || (g->proc[p].live && g->proc[p].rollout == i);
    return g->rollout[i].open || has_live || recent[i] || newer < l->rollouts_count ||
           g->current[g->rollout[i].swarm] == i ||
           (newest[i] && g->release[g->rollout[i].release].pinned) ||
           g->rollout[i].end_us >= NOW_US - l->rollouts_days * DAY_US;
}

/* Is the row there (or not) as it should be? */
static bool expect(struct rig *r, const char *sql, int id, bool there)
{
    vr_auto_free char *text = vr_strf("SELECT count(*) FROM %s'%0*x'", sql, id < 0 ? 0 : 32, id);
    bool is_there = number(r, text) > 0;

    if (is_there != there)
        fprintf(stderr, "# %s %d: %s\n", sql, id, there ? "is gone" : "stays");
    return is_there == there;
}

static bool expect_id(struct rig *r, const char *sql, int id, bool there)
{
    vr_auto_free char *text = vr_strf("SELECT count(*) FROM %s%d", sql, id);
    bool is_there = number(r, text) > 0;

    if (is_there != there)
        fprintf(stderr, "# %s%d: %s\n", sql, id, there ? "is gone" : "stays");
    return is_there == there;
}

static bool check_builds(struct rig *r, const struct graph *g, const bool recent[ROLLOUTS + 1])
{
    bool used[BLOBS] = {false};
    bool ok = true;

    for (int b = 1; b <= BUILDS; b++) {
        bool kept = is_build_kept(g, &r->limits, recent, b);

        used[g->build[b].blob] = used[g->build[b].blob] || kept;
        ok = expect_id(r, "builds WHERE file IS NOT NULL AND id = ", b, kept) && ok;
        if (!kept)
            ok = expect_id(r, "builds WHERE status = 'expired' AND id = ", b, true) && ok;
    }
    for (int i = 0; i < BLOBS; i++) {
        if (vr_blob_has(r->blobs, g->blob[i]) == used[i])
            continue;
        fprintf(stderr, "# blob %d %s\n", i, used[i] ? "is gone" : "stays");
        ok = false;
    }
    return ok;
}

static bool check_rollouts(struct rig *r, const struct graph *g, const bool recent[ROLLOUTS + 1],
                           const bool newest[ROLLOUTS + 1])
{
    bool kept[ROLLOUTS + 1] = {false};
    bool ok = true;

    for (int i = 1; i <= ROLLOUTS; i++) {
        kept[i] = is_rollout_kept(g, &r->limits, recent, newest, i);
        ok = expect_id(r, "rollouts WHERE seq = ", i, kept[i]) && ok;
        ok = expect(r, "rollout_steps WHERE rollout_id = ", i, kept[i]) && ok;
    }
    for (int p = 1; p <= PROCS; p++) {
        bool stays = g->proc[p].live || kept[g->proc[p].rollout];

        ok = expect_id(r, "procs WHERE id = ", p, stays) && ok;
        ok = expect_id(r, "commands WHERE proc_id = ", p, stays) && ok;
    }
    return ok;
}

TEST(retention__random_stores__what_is_referred_to_stays_and_the_rest_goes)
{
    for (int seed = 1; seed <= SEEDS; seed++) {
        RIG(r);
        vr_auto_free struct graph *g = vr_alloc(sizeof(*g));
        bool recent[ROLLOUTS + 1] = {false}, newest[ROLLOUTS + 1] = {false};

        g->random = (uint64_t)seed * 0x9e3779b97f4a7c15u;
        CHECK(rig_init(&r, seed));
        r.limits.keep_releases = 1 + upto(g, 4);
        r.limits.build_count = upto(g, 4);
        r.limits.build_days = 5 + upto(g, 30);
        r.limits.rollouts_count = 10 + upto(g, 10);
        r.limits.rollouts_days = 20 + upto(g, 60);
        make_builds(g);
        make_rollouts(g);
        CHECK(write_graph(&r, g));
        find_recent(g, r.limits.keep_releases, recent, newest);
        CHECK(pass(&r));
        if (!check_builds(&r, g, recent) || !check_rollouts(&r, g, recent, newest)) {
            fprintf(stderr, "# seed %d\n", seed);
            CHECK(false);
        }
        CHECK(number(&r, "SELECT count(*) FROM pragma_foreign_key_check") == 0);
        CHECK(number(&r, "SELECT count(*) FROM swarms s WHERE current_rollout IS NOT NULL AND NOT"
                         " EXISTS (SELECT 1 FROM rollouts o JOIN releases x ON x.id = o.release_id"
                         " JOIN builds b ON b.id = x.build_id WHERE o.id = s.current_rollout"
                         " AND b.file_sha256 IS NOT NULL)") == 0);
    }
}

/* ------------------------------------------------------------------ blobs and bytes */

TEST(retention__blobs_that_nothing_names__go_only_when_they_are_old)
{
    RIG(r);
    char old[VR_SHA256_HEX], young[VR_SHA256_HEX], again[VR_SHA256_HEX];
    VR_OWNED(vr_blob_abort) struct vr_blob_writer *w = NULL;

    CHECK(rig_init(&r, 0));
    CHECK(store_blob(&r, "old", 2 * DAY_US, old));
    CHECK(store_blob(&r, "young", DAY_US / 2, young));
    CHECK(store_blob(&r, "again", 9 * DAY_US, again));
    CHECK(vr_blob_begin(r.blobs, &w, &r.err) == 0 && vr_blob_write(w, "again", 5, &r.err) == 0 &&
          vr_blob_commit(w, NULL, NULL, &r.err) == 0);
    CHECK(pass(&r));
    CHECK(!vr_blob_has(r.blobs, old));
    CHECK(vr_blob_has(r.blobs, young) && vr_blob_has(r.blobs, again));
}

/* Ten builds of 10 bytes, the first the oldest; the last is current. */
static bool make_ten(struct rig *r, char keys[10][VR_SHA256_HEX])
{
    vr_auto_buf struct vr_buf sql = VR_BUF(1 << 16);

    vr_buf_add(&sql, "INSERT INTO apps (id, name, repo_url, repo_type) VALUES (1, 'a', 'u', 'git');"
                     "INSERT INTO squads (id, name) VALUES (1, 'dc');"
                     "INSERT INTO swarms (id, app_id, config_name, proc_name, squad_id)"
                     " VALUES (1, 1, 'c', 'web', 1);");
    for (int i = 0; i < 10; i++) {
        char bytes[16];

        snprintf(bytes, sizeof(bytes), "0123456_%02d", i);
        if (!store_blob(r, bytes, (10 - i) * 3600 * VR_US_PER_S + VR_US_PER_S, keys[i]))
            return false;
        vr_buf_addf(&sql,
                    "INSERT INTO builds (id, app_id, tag, status, file, file_sha256, file_bytes,"
                    " created_us, end_us) VALUES (%d, 1, 'v%d', 'success', 'f', '%s', 10, 1,"
                    " %" PRId64 ");",
                    i + 1, i, keys[i], NOW_US - (10 - i) * 3600 * VR_US_PER_S);
    }
    vr_buf_add(&sql, "INSERT INTO releases (id, build_id, hash, content_sha256, created_us, pinned)"
                     " VALUES (1, 1, 'h', 'c', 1, 1);");
    return run_sql(r, vr_buf_text(&sql));
}

TEST(retention__over_the_budget__oldest_builds_go_down_to_the_low_mark_but_none_that_is_needed)
{
    RIG(r);
    char keys[10][VR_SHA256_HEX];
    vr_auto_json json_t *plan = NULL;
    VR_OWNED(vr_tx_free) struct vr_tx *tx = NULL;

    CHECK(rig_init(&r, 0));
    CHECK(make_ten(&r, keys));
    r.limits.blob_budget_bytes = 100;
    CHECK(pass(&r));
    CHECK(number(&r, "SELECT count(*) FROM builds WHERE file IS NOT NULL") == 10);
    r.limits.blob_budget_bytes = 90; /* a low mark of 72 */
    CHECK(vr_store_begin(r.store, VR_DB_READ, &tx, &r.err) == 0);
    CHECK(vr_retention_plan(tx, r.blobs, &r.limits, (struct vr_wall){NOW_US}, &plan, &r.err) == 0);
    tx = vr_tx_free(tx);
    CHECK(json_integer_value(json_object_get(json_object_get(plan, "builds"), "go_count")) == 3);
    CHECK(pass(&r));
    CHECK(vr_blob_has(r.blobs, keys[0])); /* pinned */
    for (int i = 1; i < 10; i++)
        CHECK(vr_blob_has(r.blobs, keys[i]) == (i > 3));
}

/* ------------------------------------------------------------------ rows by number and age */

TEST(retention__events__stay_while_young_or_among_the_last)
{
    RIG(r);
    vr_auto_free char *sql = vr_strf(
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 3000)"
        " INSERT INTO events (id, time_us, kind) SELECT i, CASE WHEN i <= 2500 THEN %" PRId64
        " ELSE %" PRId64 " END, 'event' FROM n; UPDATE counters SET value = 3000;",
        NOW_US - 31 * DAY_US, NOW_US - DAY_US);

    CHECK(rig_init(&r, 0));
    CHECK(run_sql(&r, sql));
    r.limits.events_count = 1000;
    CHECK(pass(&r));
    CHECK(number(&r, "SELECT min(id) FROM events") == 2001);
    r.limits.events_count = 100;
    CHECK(pass(&r));
    CHECK(number(&r, "SELECT min(id) FROM events WHERE title = ''") == 2501);
}

TEST(retention__sessions_tokens_log_versions_jobs_and_keys__each_by_its_limit)
{
    RIG(r);
    vr_auto_free char *sql = vr_strf(
        "INSERT INTO users (id, username, password, is_active, joined_us) VALUES"
        " (1, 'ann', 'x', 1, 1), (2, 'gone', 'x', 0, 1);"
        "INSERT INTO sessions (user_id, session_sha256, csrf, created_us, seen_us, expires_us)"
        " VALUES (1, 'a', 'c', 1, 1, %" PRId64 "), (1, 'b', 'c', 1, 1, %" PRId64
        "), (2, 'c', 'c', 1, 1, %" PRId64 ");"
        "INSERT INTO tokens (user_id, name, token_sha256, created_us, expires_us) VALUES"
        " (1, 'old', 'a', 1, %" PRId64 "), (1, 'recent', 'b', 1, %" PRId64
        "), (1, 'ever', 'c', 1, NULL);"
        "INSERT INTO log_entries (type, time_us, message) VALUES ('a', 1, 'old'),"
        " ('a', %" PRId64 ", 'new');"
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 130)"
        " INSERT INTO versions (resource, object_id, object_name, row_version, action, time_us,"
        " data_json) SELECT 'apps', 1 + i %% 2, 'x', i, 'update', 1, '{}' FROM n;"
        "INSERT INTO jobs (kind, state, spec_json, created_us, deadline_us, ended_us) VALUES"
        " ('build', 'done', '{}', 1, 1, 1), ('build', 'waiting', '{}', 1, 1, NULL);"
        "INSERT INTO idempotency_keys (user_id, key, request_sha256, status, created_us) VALUES"
        " (1, 'old', 'x', 200, 1), (1, 'new', 'x', 200, %" PRId64 ");",
        NOW_US - 1, NOW_US + DAY_US, NOW_US + DAY_US, NOW_US - 31 * DAY_US, NOW_US - DAY_US,
        NOW_US - 700 * DAY_US, NOW_US - DAY_US / 2);

    CHECK(rig_init(&r, 0));
    CHECK(run_sql(&r, sql));
    r.limits.versions_count = 50;
    CHECK(pass(&r));
    CHECK(number(&r, "SELECT count(*) FROM sessions") == 1);
    CHECK(number(&r, "SELECT count(*) FROM sessions WHERE session_sha256 = 'b'") == 1);
    CHECK(number(&r, "SELECT count(*) FROM tokens WHERE name IN ('recent', 'ever')") == 2);
    CHECK(number(&r, "SELECT count(*) FROM tokens") == 2);
    CHECK(number(&r, "SELECT count(*) FROM log_entries") == 1);
    CHECK(number(&r, "SELECT count(*) FROM versions WHERE object_id = 1") == 50);
    CHECK(number(&r, "SELECT min(row_version) FROM versions WHERE object_id = 1") == 32);
    CHECK(number(&r, "SELECT count(*) FROM jobs WHERE state = 'waiting'") == 1);
    CHECK(number(&r, "SELECT count(*) FROM jobs") == 1);
    CHECK(number(&r, "SELECT count(*) FROM idempotency_keys") == 1);
}

TEST(retention__a_kind_of_rows_that_fails__does_not_stop_the_others)
{
    RIG(r);
    vr_auto_free char *told = NULL;
    struct vr_err err = VR_ERR_NULL;

    CHECK(rig_init(&r, 0));
    CHECK(run_sql(&r, "INSERT INTO users (id, username, password, is_active, joined_us) VALUES"
                      " (1, 'ann', 'x', 1, 1);"
                      "INSERT INTO tokens (user_id, name, token_sha256, created_us, expires_us)"
                      " VALUES (1, 'old', 'a', 1, 1);"
                      "INSERT INTO log_entries (type, time_us, message) VALUES ('a', 1, 'old');"
                      "DROP TABLE testresults;"));
    CHECK(vr_retention_rows(&r.work, (struct vr_wall){NOW_US}, &told, &err) < 0);
    CHECK(strstr(err.msg, "test results") != NULL && !told);
    CHECK(number(&r, "SELECT count(*) FROM tokens") == 0);
    CHECK(number(&r, "SELECT count(*) FROM log_entries") == 0);
    CHECK(number(&r, "SELECT count(*) FROM events WHERE title = 'old rows cleaned up'") == 1);
}

TEST(retention__logs_of_expired_builds__go_piece_by_piece)
{
    RIG(r);
    vr_auto_free char *sql =
        vr_strf("INSERT INTO apps (id, name, repo_url, repo_type) VALUES (1, 'a', 'u', 'git');"
                "INSERT INTO builds (id, app_id, tag, status, log_bytes, created_us, end_us) VALUES"
                " (1, 1, 'v1', 'failed', 7, 1, 1), (2, 1, 'v2', 'success', 7, 1, 1),"
                " (3, 1, 'v3', 'failed', 7, 1, %" PRId64 ");"
                "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 100)"
                " INSERT INTO build_logs (build_id, at, text) SELECT 1 + i %% 3, i, 'x' FROM n;",
                NOW_US - DAY_US);

    CHECK(rig_init(&r, 0));
    CHECK(run_sql(&r, sql));
    CHECK(pass(&r));
    CHECK(number(&r, "SELECT count(*) FROM build_logs WHERE build_id = 1") == 0);
    CHECK(number(&r, "SELECT count(*) FROM build_logs") == 67);
    CHECK(number(&r, "SELECT log_bytes FROM builds WHERE id = 1") == 0);
}

/* Somebody else who writes all the time; how long it ever had to wait for its turn. */
struct writer {
    struct rig *rig;
    atomic_bool stop;
    int64_t longest_ns;
    int64_t turns;
};

static void *write_on(void *arg)
{
    struct writer *w = arg;

    while (!atomic_load(&w->stop)) {
        VR_OWNED(vr_tx_free) struct vr_tx *tx = NULL;
        struct vr_mono asked = vr_mono_now();
        struct vr_err err;
        int64_t ns;

        if (vr_store_begin(w->rig->store, VR_DB_WRITE, &tx, &err) < 0)
            continue;
        ns = vr_mono_now().ns - asked.ns;
        w->longest_ns = ns > w->longest_ns ? ns : w->longest_ns;
        w->turns++;
        tx = vr_tx_free(tx);
        usleep(1000);
    }
    return NULL;
}

TEST(retention__a_hundred_thousand_events_and_ten_thousand_procs__in_short_transactions)
{
    RIG(r);
    vr_auto_free char *sql = vr_strf(
        "INSERT INTO apps (id, name, repo_url, repo_type) VALUES (1, 'a', 'u', 'git');"
        "INSERT INTO squads (id, name) VALUES (1, 'dc'); INSERT INTO hosts (id, name) VALUES"
        " (1, 'h1');"
        "INSERT INTO builds (id, app_id, tag, created_us) VALUES (1, 1, 'v1', 1);"
        "INSERT INTO releases (id, build_id, hash, content_sha256, created_us) VALUES (1, 1, 'h',"
        " 'c', 1);"
        "INSERT INTO swarms (id, app_id, config_name, proc_name, squad_id) VALUES (1, 1, 'c',"
        " 'web', 1);"
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 110000)"
        " INSERT INTO events (id, time_us, kind, rollout_id, swarm_id, data_json) SELECT i, 1,"
        " 'proc', 'r' || (i / 10), 1, '{\"x\": \"' || hex(zeroblob(500)) || '\"}' FROM n;"
        "UPDATE counters SET value = 110000;"
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 5000)"
        " INSERT INTO rollouts (seq, id, swarm_id, kind, state, result, tag, release_id, proc_name,"
        " config_name, size, squad_id, wish_json, created_us, ended_us) SELECT i, 'r' || i, 1,"
        " 'dispatch', 'ended', 'failed', 'v', 1, 'web', 'c', 1, 1, hex(zeroblob(2000)), 1, 1"
        " FROM n;"
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 40000)"
        " INSERT INTO rollout_steps (rollout_id, step, start_us) SELECT 'r' || (1 + i %% 5000),"
        " 'start', 1 FROM n;"
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 10000)"
        " INSERT INTO procs (name, swarm_id, rollout_id, release_id, host_id, config_name,"
        " proc_name, cmd, port, desired, actual, since_us, created_us, stopped_us, log_tail)"
        " SELECT 'p' || i, 1, 'r' || (1 + i %% 5000), 1, 1, 'c', 'web', 'x', 0, 'stop', 'stopped',"
        " 1, 1, 1, hex(zeroblob(1000)) FROM n;");

    struct writer writer = {.rig = &r};
    pthread_t thread;

    CHECK(rig_init(&r, 0));
    CHECK(run_sql(&r, sql));
    r.work.pause = pause_as_janitor;
    CHECK(pthread_create(&thread, NULL, write_on, &writer) == 0);
    CHECK(pass(&r));
    atomic_store(&writer.stop, true);
    pthread_join(thread, NULL);
    fprintf(stderr, "# of %" PRId64 " writers beside it the longest waited %" PRId64 " us\n",
            writer.turns, writer.longest_ns / 1000);
    CHECK(number(&r, "SELECT count(*) FROM events WHERE kind = 'proc'") == 10000);
    CHECK(number(&r, "SELECT count(*) FROM rollouts") == 200);
    CHECK(number(&r, "SELECT count(*) FROM procs") == 400);
    CHECK(writer.longest_ns < VR_NS_PER_S); /* 50 ms are meant, on a machine of its own */
}

/* ------------------------------------------------------------------ configuration */

TEST(retention_read__bad_values__are_refused_by_name)
{
    static const struct {
        const char *yaml, *says;
    } cases[] = {
        {"keep_release: 3", "there is no limit 'keep_release'"},
        {"keep_releases: 0", "keep_releases: 0 is not between 1 and 1000"},
        {"keep_releases: many", "keep_releases: it is not a number"},
        {"keep_releases: null", "keep_releases: it is not a number"},
        {"events_count: 5", "events_count: 5 is not between"},
        {"build_expiration_days: -1", "build_expiration_days: -1 is not between"},
        {"blob_budget: lots", "blob_budget"},
        {"[1]", "retention is not a mapping"},
    };

    for (size_t i = 0; i < VR_COUNT(cases); i++) {
        struct vr_retention limits;
        vr_auto_json json_t *doc = NULL;
        struct vr_err err = VR_ERR_NULL;

        vr_retention_default(&limits);
        CHECK(vr_yaml_parse(vr_str(cases[i].yaml), &doc, &err) == 0);
        CHECK(vr_retention_read(doc, &limits, &err) == -VR_INVALID);
        CHECK(strstr(err.msg, cases[i].says) != NULL);
        CHECK(limits.keep_releases == 10);
    }
}

TEST(retention_read__good_values__null_is_never)
{
    struct vr_retention limits;
    vr_auto_json json_t *doc = NULL;
    vr_auto_json json_t *shown = NULL;
    struct vr_err err = VR_ERR_NULL;

    vr_retention_default(&limits);
    CHECK(vr_yaml_parse(vr_str("build_expiration_days: null\nblob_budget: 20G\nlog_days: 10"), &doc,
                        &err) == 0);
    CHECK(vr_retention_read(doc, &limits, &err) == 0);
    CHECK(limits.build_days == VR_RETENTION_NEVER && limits.log_days == 10);
    CHECK(limits.blob_budget_bytes == INT64_C(20) << 30);
    shown = vr_retention_limits(&limits);
    CHECK(json_is_null(json_object_get(shown, "build_expiration_days")));
    CHECK(json_integer_value(json_object_get(shown, "build_expiration_count")) == 10);
}
