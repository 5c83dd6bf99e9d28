/* SPDX-License-Identifier: MIT */
/* Rows of rollouts and of their steps. */
#include "store/rollout.h"

#include "core/str.h"
#include "fmt/json.h"
#include "model/hashes.h"
#include "store/row.h"
#include "store/swarm.h"

#define SELECT_ROLLOUT                                                                             \
    "SELECT id, swarm_id, kind, user_id, state, result, phase, step, step_us, deadline_us,"        \
    " cancel_requested, past_return, tag, commit_id, build_id, release_id, proc_name,"             \
    " config_name, size, squad_id, pool_id, policy_json, wish_json, resolve_json, error_step,"     \
    " error_host, error_proc, error_message, leftovers_json, warnings_json, created_us,"           \
    " started_us, ended_us, group_id, retry_of FROM rollouts "

FIELDS(rollout, "rollout", T(rollout, id), I(rollout, swarm_id), T(rollout, kind),
       I(rollout, user_id), T(rollout, state), T(rollout, result), T(rollout, phase),
       T(rollout, step), I(rollout, step_us), I(rollout, deadline_us), B(rollout, cancel_requested),
       B(rollout, past_return), T(rollout, tag), T(rollout, commit_id), I(rollout, build_id),
       I(rollout, release_id), T(rollout, proc_name), T(rollout, config_name), I(rollout, size),
       I(rollout, squad_id), I(rollout, pool_id), T(rollout, policy_json), T(rollout, wish_json),
       T(rollout, resolve_json), T(rollout, error_step), T(rollout, error_host),
       T(rollout, error_proc), T(rollout, error_message), T(rollout, leftovers_json),
       T(rollout, warnings_json), I(rollout, created_us), I(rollout, started_us),
       I(rollout, ended_us), T(rollout, group_id), T(rollout, retry_of))

int vr_store_rollout_find(struct vr_tx *tx, const char *id, struct vr_rollout_row *out,
                          struct vr_err *err)
{
    return vr_row_find(tx, &rollout_type, id, out, err, SELECT_ROLLOUT "WHERE id = $1", VR_T(id));
}

int vr_store_rollout_list_open(struct vr_tx *tx, int64_t swarm_id, struct vr_rollout_rows *out,
                               struct vr_err *err)
{
    return vr_row_list(tx, &rollout_type, out, err,
                       SELECT_ROLLOUT "WHERE swarm_id = $1 AND state IN ('active', 'queued')"
                                      " ORDER BY state",
                       VR_I(swarm_id));
}

int vr_store_rollout_list_done(struct vr_tx *tx, int64_t swarm_id, int64_t limit,
                               struct vr_rollout_rows *out, struct vr_err *err)
{
    return vr_row_list(tx, &rollout_type, out, err,
                       SELECT_ROLLOUT "WHERE swarm_id = $1 AND result = 'done'"
                                      " ORDER BY ended_us DESC, id LIMIT $2",
                       VR_I(swarm_id), VR_I(limit));
}

#define ID_BYTES 16

/* What is outdated is found by comparing sums: of the wish that was frozen, of the one there is. */
static void sum_wish(const char *wish_json, char out[VR_SHA256_HEX])
{
    vr_auto_json json_t *wish = NULL;

    if (wish_json)
        vr_ignore(vr_json_parse(vr_str(wish_json), VR_JSON_BYTES, &wish, NULL), "then it is ''");
    vr_hashes_wish(wish, out);
}

int vr_store_rollout_insert(struct vr_tx *tx, const struct vr_rollout_row *row, char **out_id,
                            struct vr_err *err)
{
    vr_auto_free char *id = row->id ? vr_strdup(row->id) : vr_random_hex(ID_BYTES);
    char sum[VR_SHA256_HEX];
    int r;

    sum_wish(row->wish_json, sum);
    r = vr_db_exec(
        tx->db, NULL, err,
        "INSERT INTO rollouts (id, swarm_id, kind, user_id, state, tag, commit_id, build_id,"
        " release_id, proc_name, config_name, size, squad_id, pool_id, policy_json, wish_json,"
        " resolve_json, created_us, started_us, group_id, retry_of, config_sha256)"
        " VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18,"
        " $19, $20, $21, $22)",
        VR_T(id), VR_I(row->swarm_id), VR_T(row->kind), VR_ID(row->user_id),
        VR_T(vr_row_or(row->state, "queued")), VR_T(vr_row_or(row->tag, "")),
        VR_T(vr_row_or(row->commit_id, "")), VR_ID(row->build_id), VR_ID(row->release_id),
        VR_T(row->proc_name), VR_T(row->config_name), VR_I(row->size), VR_I(row->squad_id),
        VR_ID(row->pool_id), VR_T(vr_row_or(row->policy_json, "{}")),
        VR_T(vr_row_or(row->wish_json, "{}")), VR_T(vr_row_or(row->resolve_json, "{}")),
        VR_I(row->created_us), vr_row_time(row->started_us), VR_T(row->group_id),
        VR_T(row->retry_of), VR_T(sum));

    if (r < 0)
        return vr_fail_in(err, r, "rollout of swarm %" PRId64, row->swarm_id);
    vr_store_touch_swarm(tx, row->swarm_id);
    if (out_id)
        *out_id = vr_take(id);
    return 0;
}

#define SELECT_UNSUMMED                                                                            \
    SELECT_ROLLOUT "WHERE config_sha256 = '' AND wish_json <> '{}' AND (state <> 'ended'"          \
                   " OR id IN (SELECT current_rollout FROM swarms))"

int vr_store_rollout_fill_sums(struct vr_tx *tx, struct vr_err *err)
{
    VR_ROWS(rollout) rows = {0};
    char sum[VR_SHA256_HEX];
    int r = vr_row_list(tx, &rollout_type, &rows, err, SELECT_UNSUMMED);

    for (size_t i = 0; r == 0 && i < rows.n; i++) {
        sum_wish(rows.v[i].wish_json, sum);
        r = vr_db_exec(tx->db, NULL, err, "UPDATE rollouts SET config_sha256 = $2 WHERE id = $1",
                       VR_T(rows.v[i].id), VR_T(sum));
    }
    return r;
}

/* Execute `UPDATE rollouts SET … WHERE id = $1 … RETURNING swarm_id` and touch the swarm. */
#define change(tx, id, err, sql, ...)                                                              \
    change_values(tx, id, err, sql, VR_DB_VALUES(VR_T(id), ##__VA_ARGS__))

static int change_values(struct vr_tx *tx, const char *id, struct vr_err *err, const char *sql,
                         const struct vr_db_value *values, size_t count)
{
    int64_t swarm_id;
    int r = vr_db_get_i64_values(tx->db, &swarm_id, err, sql, values, count);

    if (r == -VR_NOT_FOUND)
        return vr_fail(err, VR_NOT_FOUND, "rollout '%s' does not exist, or is not in that state",
                       id);
    if (r < 0)
        return vr_fail_in(err, r, "rollout '%s'", id);
    vr_store_touch_swarm(tx, swarm_id);
    return 0;
}

int vr_store_rollout_activate(struct vr_tx *tx, const char *id, struct vr_wall now,
                              struct vr_err *err)
{
    return change(tx, id, err,
                  "UPDATE rollouts SET state = 'active', started_us = $2"
                  " WHERE id = $1 AND state = 'queued' RETURNING swarm_id",
                  VR_I(now.us));
}

static int end_open_step(struct vr_tx *tx, const char *id, struct vr_wall now, struct vr_err *err)
{
    return vr_db_exec(tx->db, NULL, err,
                      "UPDATE rollout_steps SET end_us = $2"
                      " WHERE rollout_id = $1 AND end_us IS NULL",
                      VR_T(id), VR_I(now.us));
}

static int begin_step(struct vr_tx *tx, const char *id, const char *step, struct vr_wall now,
                      struct vr_err *err)
{
    int r = end_open_step(tx, id, now, err);

    if (r == 0)
        r = vr_db_exec(tx->db, NULL, err,
                       "INSERT INTO rollout_steps (rollout_id, step, start_us)"
                       " VALUES ($1, $2, $3)",
                       VR_T(id), VR_T(step), VR_I(now.us));
    return r;
}

int vr_store_rollout_step(struct vr_tx *tx, const char *id, const char *step,
                          struct vr_wall deadline, bool past_return, struct vr_wall now,
                          struct vr_err *err)
{
    int64_t same = 0;
    int r =
        vr_db_get_i64(tx->db, &same, err,
                      "SELECT CASE WHEN step = $2 THEN 1 ELSE 0 END FROM rollouts WHERE id = $1",
                      VR_T(id), VR_T(step));

    if (r == 0 && !same)
        r = begin_step(tx, id, step, now, err);
    if (r < 0)
        return vr_fail_in(err, r, "rollout '%s'", id);
    return change(tx, id, err,
                  "UPDATE rollouts SET step = $2, deadline_us = $3,"
                  " step_us = CASE WHEN step = $2 THEN step_us ELSE $5 END,"
                  " past_return = CASE WHEN $4 = 1 THEN 1 ELSE past_return END"
                  " WHERE id = $1 RETURNING swarm_id",
                  VR_T(step), VR_I(deadline.us), VR_B(past_return), VR_I(now.us));
}

/* The message of the open step, if it has none yet; *out_taken tells. */
static int note_step(struct vr_tx *tx, const char *id, const char *step, const char *message,
                     bool *out_taken, struct vr_err *err)
{
    int64_t changed = 0;
    int r = vr_db_exec(tx->db, &changed, err,
                       "UPDATE rollout_steps SET message = $3 WHERE rollout_id = $1 AND step = $2"
                       " AND end_us IS NULL AND message = ''",
                       VR_T(id), VR_T(step), VR_T(message));

    *out_taken = changed > 0;
    return r;
}

int vr_store_rollout_note(struct vr_tx *tx, const char *id, const char *step, const char *host,
                          const char *proc, const char *message, struct vr_wall now,
                          struct vr_err *err)
{
    bool taken = false;
    int r = host || proc ? 0 : note_step(tx, id, step, message, &taken, err);

    if (r < 0 || taken)
        return r;
    return vr_db_exec(tx->db, NULL, err,
                      "INSERT INTO rollout_steps (rollout_id, step, host, proc, message, start_us,"
                      " end_us) VALUES ($1, $2, $3, $4, $5, $6, $6)",
                      VR_T(id), VR_T(step), VR_T(vr_row_or(host, "")), VR_T(vr_row_or(proc, "")),
                      VR_T(message), VR_I(now.us));
}

int vr_store_rollout_set_phase(struct vr_tx *tx, const char *id, const char *phase,
                               struct vr_wall deadline, struct vr_err *err)
{
    return change(tx, id, err,
                  "UPDATE rollouts SET phase = $2, deadline_us = $3 WHERE id = $1"
                  " RETURNING swarm_id",
                  VR_T(phase), VR_I(deadline.us));
}

int vr_store_rollout_set_cause(struct vr_tx *tx, const char *id,
                               const struct vr_rollout_cause *cause, struct vr_err *err)
{
    return vr_db_exec(tx->db, NULL, err,
                      "UPDATE rollouts SET error_step = $2, error_host = $3, error_proc = $4,"
                      " error_message = $5 WHERE id = $1 AND error_message = ''",
                      VR_T(id), VR_T(vr_row_or(cause->step, "")), VR_T(vr_row_or(cause->host, "")),
                      VR_T(vr_row_or(cause->proc, "")), VR_T(vr_row_or(cause->message, "")));
}

int vr_store_rollout_set_resolved(struct vr_tx *tx, const char *id, const char *commit_id,
                                  const char *resolve_json, struct vr_err *err)
{
    return change(tx, id, err,
                  "UPDATE rollouts SET commit_id = $2, resolve_json = $3 WHERE id = $1"
                  " RETURNING swarm_id",
                  VR_T(commit_id), VR_T(resolve_json));
}

int vr_store_rollout_set_build(struct vr_tx *tx, const char *id, int64_t build_id,
                               struct vr_err *err)
{
    return change(tx, id, err, "UPDATE rollouts SET build_id = $2 WHERE id = $1 RETURNING swarm_id",
                  VR_ID(build_id));
}

int vr_store_rollout_set_release(struct vr_tx *tx, const char *id, int64_t release_id,
                                 struct vr_err *err)
{
    return change(tx, id, err,
                  "UPDATE rollouts SET release_id = $2 WHERE id = $1 RETURNING swarm_id",
                  VR_ID(release_id));
}

/* Arrays of JSON text grow by concatenation: '[]' takes no comma. */
int vr_store_rollout_add_leftover(struct vr_tx *tx, const char *id, const char *json,
                                  struct vr_err *err)
{
    return change(tx, id, err,
                  "UPDATE rollouts SET leftovers_json ="
                  " substr(leftovers_json, 1, length(leftovers_json) - 1)"
                  " || CASE WHEN leftovers_json = '[]' THEN '' ELSE ',' END || $2 || ']'"
                  " WHERE id = $1 RETURNING swarm_id",
                  VR_T(json));
}

int vr_store_rollout_add_warning(struct vr_tx *tx, const char *id, const char *json,
                                 struct vr_err *err)
{
    return change(tx, id, err,
                  "UPDATE rollouts SET warnings_json ="
                  " substr(warnings_json, 1, length(warnings_json) - 1)"
                  " || CASE WHEN warnings_json = '[]' THEN '' ELSE ',' END || $2 || ']'"
                  " WHERE id = $1 RETURNING swarm_id",
                  VR_T(json));
}

int vr_store_rollout_request_cancel(struct vr_tx *tx, const char *id, struct vr_err *err)
{
    int64_t ended;
    int r = vr_db_get_i64(tx->db, &ended, err,
                          "SELECT CASE WHEN state = 'ended' THEN 1 ELSE 0 END FROM rollouts"
                          " WHERE id = $1",
                          VR_T(id));

    if (r == -VR_NOT_FOUND)
        return vr_fail(err, VR_NOT_FOUND, "rollout '%s' does not exist", id);
    if (r < 0)
        return r;
    if (ended)
        return vr_fail(err, VR_EXISTS, "rollout '%s' has ended already", id);
    return change(tx, id, err,
                  "UPDATE rollouts SET cancel_requested = 1 WHERE id = $1 RETURNING swarm_id");
}

int vr_store_rollout_refuse_cancel(struct vr_tx *tx, const char *id, struct vr_err *err)
{
    return change(tx, id, err,
                  "UPDATE rollouts SET cancel_requested = 0 WHERE id = $1 RETURNING swarm_id");
}

/* What there is of a swarm when one of its rollouts has failed. */
struct left {
    const char *tag, *pool; /* of what runs by the last one that was done; NULL: none */
    int64_t size, serving;
    int64_t placed, admitted, stopped; /* of those that the failed one placed */
};

static char *say_left(const struct left *l)
{
    const char *verb = l->pool ? "serving" : "running";
    vr_auto_free char *old =
        !l->tag || !l->serving
            ? vr_strdup(l->admitted ? "" : "Nothing of the swarm serves. ")
            : vr_strf("%s keeps %s with %" PRId64 " of %" PRId64 " procs. ", l->tag, verb,
                      l->serving, l->size > l->serving ? l->size : l->serving);

    if (!l->placed)
        return vr_strf("%sNo new proc was placed.", old);
    if (l->admitted)
        return vr_strf("%s%" PRId64 " of %" PRId64 " new procs are in service.", old, l->admitted,
                       l->placed);
    if (l->stopped < l->placed)
        return vr_strf("%s%" PRId64 " of %" PRId64 " new procs were stopped; their logs are kept.",
                       old, l->stopped, l->placed);
    if (l->placed == 1)
        return vr_strf("%sThe new proc was stopped; its log is kept.", old);
    return vr_strf("%sThe %" PRId64 " new procs were stopped; their logs are kept.", old,
                   l->placed);
}

/* It is said when it ends: later the swarm goes on, and the past is not the present. */
static int set_left(struct vr_tx *tx, const char *id, struct vr_err *err)
{
    VR_OWNED(vr_db_rows_free) struct vr_db_rows *rows = NULL;
    vr_auto_free char *text = NULL;
    struct left l;
    int r = vr_db_query(
        tx->db, &rows, err,
        "SELECT c.tag, l.name, coalesce(c.size, 0),"
        " (SELECT count(*) FROM procs p WHERE p.swarm_id = s.id AND p.admitted = 1"
        " AND (p.rollout_id <> k.id OR p.rollout_id IS NULL)),"
        " (SELECT count(*) FROM procs p WHERE p.rollout_id = k.id),"
        " (SELECT count(*) FROM procs p WHERE p.rollout_id = k.id AND p.admitted = 1),"
        " (SELECT count(*) FROM procs p WHERE p.rollout_id = k.id AND p.actual = 'stopped')"
        " FROM rollouts k JOIN swarms s ON s.id = k.swarm_id"
        " LEFT JOIN rollouts c ON c.id = s.current_rollout LEFT JOIN pools l ON l.id = c.pool_id"
        " WHERE k.id = $1",
        VR_T(id));

    if (r == 0)
        r = vr_db_next(rows, err);
    if (r <= 0)
        return r;
    l = (struct left){.tag = vr_db_is_null(rows, 0) ? NULL : vr_db_text(rows, 0),
                      .pool = vr_db_is_null(rows, 1) ? NULL : vr_db_text(rows, 1),
                      .size = vr_db_i64(rows, 2),
                      .serving = vr_db_i64(rows, 3),
                      .placed = vr_db_i64(rows, 4),
                      .admitted = vr_db_i64(rows, 5),
                      .stopped = vr_db_i64(rows, 6)};
    text = say_left(&l);
    rows = vr_db_rows_free(rows);
    return vr_db_exec(tx->db, NULL, err, "UPDATE rollouts SET error_left = $2 WHERE id = $1",
                      VR_T(id), VR_T(text));
}

int vr_store_rollout_end(struct vr_tx *tx, const char *id, const char *result, struct vr_wall now,
                         struct vr_err *err)
{
    int r = end_open_step(tx, id, now, err);

    if (r == 0)
        r = change(tx, id, err,
                   "UPDATE rollouts SET state = 'ended', result = $2, ended_us = $3"
                   " WHERE id = $1 AND state <> 'ended' RETURNING swarm_id",
                   VR_T(result), VR_I(now.us));
    if (r == 0 && vr_streq(result, "failed"))
        r = set_left(tx, id, err);
    if (r == 0 && vr_streq(result, "done"))
        r = vr_db_exec(tx->db, NULL, err,
                       "UPDATE swarms SET current_rollout = $1"
                       " WHERE id = (SELECT swarm_id FROM rollouts WHERE id = $1)",
                       VR_T(id));
    return r;
}
