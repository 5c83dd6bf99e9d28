/* SPDX-License-Identifier: MIT */
/*
 * What may be deleted.
 *
 * Finding it may take long and happens in a read transaction; deleting is by id, in batches, and
 * looks again at what may have come to refer to a row meanwhile. What counts as a reference to a
 * build is written once (NEEDED), with indexes for every step of it.
 */
#include "store/retention.h"

#include "store/row.h"

#define DAY_US     (24 * INT64_C(3600) * VR_US_PER_S)
#define LOG_PIECES 32             /* of build logs, deleted at once: each may have 64 KiB */
#define KEYS_ONCE  VR_SWEEP_BATCH /* idempotency keys of a user, deleted at once */

static int64_t before(struct vr_wall now, int64_t days)
{
    return days == VR_RETENTION_NEVER ? INT64_MIN : now.us - days * DAY_US;
}

/* ------------------------------------------------------------------ builds */

#define RUNS                                                                                       \
    "EXISTS (SELECT 1 FROM releases r JOIN procs p ON p.release_id = r.id"                         \
    " WHERE r.build_id = b.id AND " VR_PROC_LIVE("p") ")"
#define AWAITED                                                                                    \
    "EXISTS (SELECT 1 FROM rollouts o WHERE o.build_id = b.id AND o.state <> 'ended')"             \
    " OR EXISTS (SELECT 1 FROM releases r JOIN rollouts o ON o.release_id = r.id"                  \
    " WHERE r.build_id = b.id AND o.state <> 'ended')"
#define IN_WORK                                                                                    \
    "EXISTS (SELECT 1 FROM jobs j WHERE j.build_id = b.id AND j.state IN ('waiting', 'leased'))"   \
    " OR b.status IN ('pending', 'started')"
#define PINNED "EXISTS (SELECT 1 FROM releases r WHERE r.build_id = b.id AND r.pinned = 1)"
#define CURRENT                                                                                    \
    "EXISTS (SELECT 1 FROM releases r JOIN rollouts o ON o.release_id = r.id"                      \
    " JOIN swarms s ON s.id = o.swarm_id WHERE r.build_id = b.id AND s.current_rollout = o.id)"

/* A release that becomes one of the last of its swarm after a look is an open rollout's, then the
 * current one: these conditions are enough for the second look. */
#define NEEDED "(" RUNS " OR " AWAITED " OR " IN_WORK " OR " PINNED " OR " CURRENT ")"

#define RECENT_BUILDS                                                                              \
    "(SELECT r.build_id FROM " VR_RECENT_RELEASES " AS k JOIN releases r ON r.id = k.release_id"   \
    " WHERE k.nth <= $1)"

FIELDS(build_file, "build", I(build_file, id), T(build_file, name), T(build_file, sha256),
       I(build_file, bytes), I(build_file, time_us), I(build_file, keep), T(build_file, why))

int vr_store_build_file_list(struct vr_tx *tx, const struct vr_retention *limits,
                             struct vr_wall now, struct vr_build_file_rows *out, struct vr_err *err)
{
    return vr_row_list(
        tx, &build_file_type, out, err,
        "SELECT id, name, sha256, bytes, time_us,"
        " CASE WHEN why = '' THEN 2 WHEN why LIKE 'it is%' THEN 1 ELSE 0 END, why FROM ("
        "SELECT b.id, a.name || '-' || b.tag AS name, b.file_sha256 AS sha256,"
        " coalesce(b.file_bytes, 0) AS bytes, coalesce(b.end_us, b.created_us) AS time_us,"
        " CASE WHEN " RUNS " THEN 'a proc runs it'"
        " WHEN " AWAITED " THEN 'a rollout needs it'"
        " WHEN " IN_WORK " THEN 'a job works on it'"
        " WHEN " PINNED " THEN 'a release of it is pinned'"
        " WHEN " CURRENT " THEN 'a swarm''s current release is of it'"
        " WHEN b.id IN " RECENT_BUILDS " THEN 'one of the last releases of a swarm is of it'"
        " WHEN coalesce(b.end_us, b.created_us) >= $2 THEN 'it is not old enough'"
        " WHEN row_number() OVER (PARTITION BY b.app_id ORDER BY b.id DESC) <= $3"
        " THEN 'it is one of the newest of its app' ELSE '' END AS why"
        " FROM builds b JOIN apps a ON a.id = b.app_id WHERE b.file_sha256 IS NOT NULL) AS q"
        " ORDER BY time_us, id",
        VR_I(limits->keep_releases), VR_I(before(now, limits->build_days)),
        VR_I(limits->build_count));
}

int vr_store_build_drop_file(struct vr_tx *tx, int64_t id, bool *out_expired, struct vr_err *err)
{
    int64_t needed = 0;
    int r = vr_db_get_i64(tx->db, &needed, err,
                          "SELECT CASE WHEN " NEEDED " THEN 1 ELSE 0 END FROM builds b"
                          " WHERE b.id = $1",
                          VR_I(id));

    *out_expired = false;
    if (r < 0 || needed)
        return r;
    *out_expired = true;
    return vr_row_change(tx, "build", id, err,
                         "UPDATE builds SET status = 'expired', file = NULL, file_sha256 = NULL,"
                         " file_bytes = NULL WHERE id = $1",
                         VR_I(id));
}

int vr_store_blob_is_used(struct vr_tx *tx, const char *sha256, bool *out, struct vr_err *err)
{
    int64_t n = 0;
    int r = vr_db_get_i64(tx->db, &n, err,
                          "SELECT (SELECT count(*) FROM builds WHERE file_sha256 = $1)"
                          " + (SELECT count(*) FROM images WHERE file_sha256 = $1)"
                          " + (SELECT count(*) FROM stacks WHERE script_sha256 = $1)",
                          VR_T(sha256));

    if (r == 0)
        *out = n > 0;
    return r;
}

/* ------------------------------------------------------------------ rows */

/*
 * An ended rollout stays while it is one of the last of its swarm, or young; while it is current,
 * has a proc that is not stopped, or is what a rollback would take a kept release from.
 * $1 before when, $3 how many, $4 how many releases.
 */
#define OLD_ROLLOUTS                                                                               \
    "(SELECT o.seq, o.id FROM (SELECT seq, row_number() OVER (PARTITION BY swarm_id"               \
    " ORDER BY seq DESC) AS nth FROM rollouts) AS q JOIN rollouts o ON o.seq = q.seq"              \
    " WHERE q.nth > $3 AND o.ended_us < $1 AND NOT " USED_ROLLOUT                                  \
    " AND o.seq NOT IN (SELECT k.seq FROM " VR_RECENT_RELEASES " AS k"                             \
    " JOIN releases r ON r.id = k.release_id WHERE k.nth <= $4 OR r.pinned = 1))"

#define USED_ROLLOUT                                                                               \
    "(o.state <> 'ended'"                                                                          \
    " OR EXISTS (SELECT 1 FROM swarms s WHERE s.id = o.swarm_id AND s.current_rollout = o.id)"     \
    " OR EXISTS (SELECT 1 FROM procs p WHERE p.rollout_id = o.id AND " VR_PROC_LIVE("p") "))"

#define STOPPED "NOT " VR_PROC_LIVE("p")

#define STATEMENTS_MAX 3

struct sweep {
    const char *name;
    size_t days, count; /* where in struct vr_retention; 0: none, by now */
    size_t batch;
    const char *list; /* $1 before, $2 limit, $3 count, $4 keep_releases, $5 procs */
    const char *statements[STATEMENTS_MAX]; /* $1 ids, $2 before; the last one counts */
    int64_t pieces; /* the last statement deletes so many rows at most; 0: all */
};

#define LIMIT_OF(field) offsetof(struct vr_retention, field)

static const struct sweep sweeps[] = {
    [VR_SWEEP_EVENTS] =
        {"events",
         LIMIT_OF(events_days),
         LIMIT_OF(events_count),
         VR_SWEEP_BATCH,
         "SELECT id FROM events WHERE id <= (SELECT value FROM counters WHERE name = 'event') - $3"
         " AND id < coalesce((SELECT id FROM events WHERE time_us >= $1 ORDER BY id LIMIT 1),"
         " 9223372036854775807) ORDER BY id LIMIT $2",
         {"DELETE FROM events WHERE id IN @IDS($1)@"},
         0},
    [VR_SWEEP_TESTRESULTS] =
        {"test results",
         LIMIT_OF(testruns_days),
         0,
         VR_SWEEP_BATCH,
         "SELECT t.id FROM testresults t JOIN testruns r ON r.id = t.testrun_id"
         " WHERE r.end_us IS NOT NULL AND r.start_us < $1 ORDER BY t.id LIMIT $2",
         {"DELETE FROM testresults WHERE id IN @IDS($1)@"},
         0},
    [VR_SWEEP_TESTRUNS] =
        {"test runs",
         LIMIT_OF(testruns_days),
         0,
         VR_SWEEP_BATCH,
         "SELECT id FROM testruns WHERE end_us IS NOT NULL AND start_us < $1 AND NOT EXISTS"
         " (SELECT 1 FROM testresults t WHERE t.testrun_id = testruns.id) ORDER BY id LIMIT $2",
         {"DELETE FROM testruns WHERE id IN @IDS($1)@"},
         0},
    [VR_SWEEP_JOBS] =
        {"jobs",
         LIMIT_OF(jobs_days),
         0,
         VR_SWEEP_BATCH,
         "SELECT j.id FROM jobs j WHERE j.state IN ('done', 'failed', 'cancelled')"
         " AND j.ended_us < $1 AND NOT EXISTS (SELECT 1 FROM builds b WHERE b.job_id = j.id"
         " AND b.status IN ('pending', 'started')) AND NOT EXISTS (SELECT 1 FROM rollouts o"
         " WHERE o.id = j.rollout_id AND o.state <> 'ended') ORDER BY j.id LIMIT $2",
         {"UPDATE builds SET job_id = NULL WHERE job_id IN @IDS($1)@",
          "DELETE FROM jobs WHERE id IN @IDS($1)@"},
         0},
    [VR_SWEEP_BUILD_LOGS] =
        {"pieces of build logs",
         LIMIT_OF(build_logs_days),
         0,
         1,
         "SELECT b.id FROM builds b WHERE b.status IN ('expired', 'failed')"
         " AND coalesce(b.end_us, b.created_us) < $1 AND EXISTS"
         " (SELECT 1 FROM build_logs l WHERE l.build_id = b.id) ORDER BY b.id LIMIT $2",
         {"UPDATE builds SET log_bytes = 0 WHERE id IN @IDS($1)@",
          "DELETE FROM build_logs WHERE build_id IN @IDS($1)@ AND at IN (SELECT at FROM build_logs"
          " WHERE build_id IN @IDS($1)@ ORDER BY at DESC LIMIT 32)"},
         LOG_PIECES},
    [VR_SWEEP_COMMANDS] =
        {"commands",
         LIMIT_OF(commands_days),
         0,
         VR_SWEEP_BATCH,
         "SELECT id FROM commands WHERE state IN ('done', 'failed') AND ended_us < $1"
         " ORDER BY id LIMIT $2",
         {"DELETE FROM commands WHERE id IN @IDS($1)@"},
         0},
    [VR_SWEEP_PROCS] =
        {"stopped procs",
         LIMIT_OF(rollouts_days),
         LIMIT_OF(rollouts_count),
         VR_SWEEP_BATCH / 5,
         "SELECT p.id FROM procs p JOIN " OLD_ROLLOUTS " AS old ON old.id = p.rollout_id"
         " WHERE " STOPPED " UNION SELECT p.id FROM procs p WHERE p.rollout_id IS NULL"
         " AND p.stopped_us < $5 AND " STOPPED " ORDER BY 1 LIMIT $2",
         {"DELETE FROM commands WHERE proc_id IN (SELECT p.id FROM procs p"
          " WHERE p.id IN @IDS($1)@ AND " STOPPED ")",
          "DELETE FROM procs WHERE id IN (SELECT p.id FROM procs p WHERE p.id IN @IDS($1)@"
          " AND " STOPPED ")"},
         0},
    [VR_SWEEP_ROLLOUTS] =
        {"rollouts",
         LIMIT_OF(rollouts_days),
         LIMIT_OF(rollouts_count),
         VR_SWEEP_BATCH / 20,
         "SELECT old.seq FROM " OLD_ROLLOUTS " AS old WHERE NOT EXISTS"
         " (SELECT 1 FROM procs p WHERE p.rollout_id = old.id) ORDER BY 1 LIMIT $2",
         {"DELETE FROM rollout_steps WHERE rollout_id IN (SELECT o.id FROM rollouts o"
          " WHERE o.seq IN @IDS($1)@ AND NOT " USED_ROLLOUT ")",
          "DELETE FROM rollouts WHERE seq IN (SELECT o.seq FROM rollouts o"
          " WHERE o.seq IN @IDS($1)@ AND NOT " USED_ROLLOUT ")"},
         0},
    [VR_SWEEP_LOG] = {"log entries",
                      LIMIT_OF(log_days),
                      0,
                      VR_SWEEP_BATCH,
                      "SELECT id FROM log_entries WHERE time_us < $1 ORDER BY id LIMIT $2",
                      {"DELETE FROM log_entries WHERE id IN @IDS($1)@"},
                      0},
    [VR_SWEEP_VERSIONS] =
        {"versions",
         LIMIT_OF(versions_days),
         LIMIT_OF(versions_count),
         VR_SWEEP_BATCH,
         "SELECT id FROM (SELECT id, time_us, row_number() OVER (PARTITION BY resource, object_id"
         " ORDER BY id DESC) AS nth FROM versions) AS q WHERE nth > $3 AND time_us < $1"
         " ORDER BY id LIMIT $2",
         {"DELETE FROM versions WHERE id IN @IDS($1)@"},
         0},
    [VR_SWEEP_SESSIONS] = {"sessions",
                           0,
                           0,
                           VR_SWEEP_BATCH,
                           "SELECT id FROM sessions WHERE expires_us <= $1 OR user_id IN"
                           " (SELECT id FROM users WHERE is_active = 0) ORDER BY id LIMIT $2",
                           {"DELETE FROM sessions WHERE id IN @IDS($1)@"},
                           0},
    [VR_SWEEP_TOKENS] = {"expired tokens",
                         LIMIT_OF(tokens_days),
                         0,
                         VR_SWEEP_BATCH,
                         "SELECT id FROM tokens WHERE expires_us < $1 ORDER BY id LIMIT $2",
                         {"DELETE FROM tokens WHERE id IN @IDS($1)@ AND expires_us < $2"},
                         0},
    [VR_SWEEP_KEYS] = {"idempotency keys",
                       0,
                       0,
                       1,
                       "SELECT DISTINCT user_id FROM idempotency_keys WHERE created_us < $1"
                       " - 86400000000 ORDER BY 1 LIMIT $2",
                       {"DELETE FROM idempotency_keys WHERE user_id IN @IDS($1)@ AND key IN"
                        " (SELECT key FROM idempotency_keys WHERE user_id IN @IDS($1)@"
                        " AND created_us < $2 - 86400000000 ORDER BY key LIMIT 500)"},
                       KEYS_ONCE},
};

_Static_assert(VR_COUNT(sweeps) == VR_SWEEP_COUNT, "every sweep has its statements");

const char *vr_sweep_name(enum vr_sweep sweep)
{
    return sweeps[sweep].name;
}

size_t vr_sweep_batch(enum vr_sweep sweep)
{
    return sweeps[sweep].batch;
}

static int64_t limit_at(const struct vr_retention *limits, size_t at)
{
    return *(const int64_t *)((const char *)limits + at);
}

/* Offset 0 is keep_releases, which is no age: such a sweep goes by now. */
static int64_t before_of(const struct sweep *s, const struct vr_retention *limits,
                         struct vr_wall now)
{
    return s->days ? before(now, limit_at(limits, s->days)) : now.us;
}

/* Parameters are $1 to $n: the highest that stands in the text. */
static size_t count_params(const char *sql)
{
    size_t n = 0;

    while ((sql = strchr(sql, '$'))) {
        size_t k = (size_t)(*++sql - '0');

        n = k > n ? k : n;
    }
    return n;
}

int vr_store_sweep_list(struct vr_tx *tx, enum vr_sweep sweep, const struct vr_retention *limits,
                        struct vr_wall now, int64_t limit, int64_t **out_ids, size_t *out_n,
                        struct vr_err *err)
{
    const struct sweep *s = &sweeps[sweep];
    const struct vr_db_value values[] = {VR_I(before_of(s, limits, now)), VR_I(limit),
                                         VR_I(s->count ? limit_at(limits, s->count) : 0),
                                         VR_I(limits->keep_releases),
                                         VR_I(before(now, limits->procs_days))};

    return vr_row_ids_values(tx, out_ids, out_n, err, s->list, values, count_params(s->list));
}

int vr_store_sweep_delete(struct vr_tx *tx, enum vr_sweep sweep, const struct vr_retention *limits,
                          struct vr_wall now, const int64_t *ids, size_t n, int64_t *out_deleted,
                          bool *out_more, struct vr_err *err)
{
    const struct sweep *s = &sweeps[sweep];
    vr_auto_free char *text = vr_row_ids_text(ids, n);
    const struct vr_db_value values[] = {VR_T(text), VR_I(before_of(s, limits, now))};
    int r = 0;

    *out_deleted = 0;
    for (size_t i = 0; i < STATEMENTS_MAX && s->statements[i] && r == 0; i++)
        r = vr_db_exec_values(tx->db, out_deleted, err, s->statements[i], values,
                              count_params(s->statements[i]));
    *out_more = r == 0 && s->pieces && *out_deleted >= s->pieces;
    return r;
}
