/* SPDX-License-Identifier: MIT */
/* Rows of builds, and their logs. */
#include "store/build.h"

#include "core/buf.h"
#include "fmt/json.h"
#include "store/row.h"

#define SELECT_BUILD                                                                               \
    "SELECT id, app_id, tag, commit_id, inputs_sha256, inputs_json, status, file, file_md5,"       \
    " file_sha256, file_bytes, hash, env_yaml, env_json, procfile_json, buildpack_url,"            \
    " buildpack_version, job_id, error, log_bytes, created_us, start_us, end_us FROM builds "

FIELDS(build, "build", I(build, id), I(build, app_id), T(build, tag), T(build, commit_id),
       T(build, inputs_sha256), T(build, inputs_json), T(build, status), T(build, file),
       T(build, file_md5), T(build, file_sha256), I(build, file_bytes), T(build, hash),
       T(build, env_yaml), T(build, env_json), T(build, procfile_json), T(build, buildpack_url),
       T(build, buildpack_version), I(build, job_id), T(build, error), I(build, log_bytes),
       I(build, created_us), I(build, start_us), I(build, end_us))

int vr_store_build_find_id(struct vr_tx *tx, int64_t id, struct vr_build_row *out,
                           struct vr_err *err)
{
    return vr_row_find_id(tx, &build_type, id, out, err, SELECT_BUILD "WHERE id = $1", VR_I(id));
}

int vr_store_build_find_inputs(struct vr_tx *tx, const char *inputs_sha256,
                               struct vr_build_row *out, struct vr_err *err)
{
    return vr_row_find(tx, &build_type, inputs_sha256, out, err,
                       SELECT_BUILD "WHERE inputs_sha256 = $1"
                                    " AND status IN ('pending', 'started', 'success')",
                       VR_T(inputs_sha256));
}

int vr_store_build_find_file(struct vr_tx *tx, const char *file, struct vr_build_row *out,
                             struct vr_err *err)
{
    return vr_row_find(tx, &build_type, file, out, err,
                       SELECT_BUILD "WHERE file = $1 ORDER BY id DESC LIMIT 1", VR_T(file));
}

int vr_store_build_find_usable(struct vr_tx *tx, int64_t app_id, const char *tag,
                               struct vr_build_row *out, struct vr_err *err)
{
    return vr_row_find(tx, &build_type, tag, out, err,
                       SELECT_BUILD "WHERE app_id = $1 AND tag = $2 AND status = 'success'"
                                    " AND file IS NOT NULL ORDER BY id DESC LIMIT 1",
                       VR_I(app_id), VR_T(tag));
}

int vr_store_build_insert(struct vr_tx *tx, const struct vr_build_row *row, int64_t *out_id,
                          struct vr_err *err)
{
    int r = vr_db_insert(tx->db, out_id, err,
                         "INSERT INTO builds (app_id, tag, commit_id, inputs_sha256, inputs_json,"
                         " created_us) VALUES ($1, $2, $3, $4, $5, $6) RETURNING id",
                         VR_I(row->app_id), VR_T(row->tag), VR_T(vr_row_or(row->commit_id, "")),
                         VR_T(row->inputs_sha256), VR_T(vr_row_or(row->inputs_json, "{}")),
                         VR_I(row->created_us));

    if (r < 0)
        return vr_fail_in(err, r, "build of '%s'", row->tag);
    vr_store_changed(tx, VR_OBJECT_BUILD, *out_id);
    return 0;
}

int vr_store_build_take(struct vr_tx *tx, const struct vr_build_row *row, int64_t *out_id,
                        bool *out_made, struct vr_err *err)
{
    VR_ROW(build) found = {0};
    int r = vr_store_build_find_inputs(tx, row->inputs_sha256, &found, err);

    if (r < 0 && r != -VR_NOT_FOUND)
        return r;
    *out_made = r == -VR_NOT_FOUND;
    if (*out_made)
        return vr_store_build_insert(tx, row, out_id, err);
    *out_id = found.id;
    return 0;
}

int vr_store_build_set_inputs(struct vr_tx *tx, int64_t id, const char *commit_id,
                              const char *inputs_sha256, const char *inputs_json,
                              struct vr_err *err)
{
    return vr_row_change(tx, "build", id, err,
                         "UPDATE builds SET commit_id = $2, inputs_sha256 = $3, inputs_json = $4"
                         " WHERE id = $1",
                         VR_I(id), VR_T(commit_id), VR_T(inputs_sha256), VR_T(inputs_json));
}

int vr_store_build_set_job(struct vr_tx *tx, int64_t id, int64_t job_id, struct vr_err *err)
{
    return vr_row_change(tx, "build", id, err, "UPDATE builds SET job_id = $2 WHERE id = $1",
                         VR_I(id), VR_ID(job_id));
}

int vr_store_build_start(struct vr_tx *tx, int64_t id, struct vr_wall now, struct vr_err *err)
{
    return vr_row_change(tx, "build", id, err,
                         "UPDATE builds SET status = 'started', start_us = coalesce(start_us, $2)"
                         " WHERE id = $1 AND status IN ('pending', 'started')",
                         VR_I(id), VR_I(now.us));
}

int vr_store_build_touch_waiting(struct vr_tx *tx, int64_t id, struct vr_err *err)
{
    return vr_row_touch_swarms(tx, err,
                               "SELECT swarm_id FROM rollouts WHERE build_id = $1"
                               " AND state IN ('active', 'queued')",
                               VR_I(id));
}

int vr_store_build_succeed(struct vr_tx *tx, const struct vr_build_row *row, struct vr_wall now,
                           struct vr_err *err)
{
    int r = vr_row_change(
        tx, "build", row->id, err,
        "UPDATE builds SET status = 'success', file = $2, file_md5 = $3, file_sha256 = $4,"
        " file_bytes = $5, hash = $6, env_yaml = $7, env_json = $8, procfile_json = $9,"
        " buildpack_url = $10, buildpack_version = $11, commit_id = $12, error = '', end_us = $13"
        " WHERE id = $1",
        VR_I(row->id), VR_T(row->file), VR_T(row->file_md5), VR_T(row->file_sha256),
        VR_I(row->file_bytes), VR_T(row->hash), VR_T(vr_row_or(row->env_yaml, "")),
        VR_T(vr_row_or(row->env_json, "{}")), VR_T(vr_row_or(row->procfile_json, "{}")),
        VR_T(vr_row_or(row->buildpack_url, "")), VR_T(vr_row_or(row->buildpack_version, "")),
        VR_T(vr_row_or(row->commit_id, "")), VR_I(now.us));

    return r < 0 ? r : vr_store_build_touch_waiting(tx, row->id, err);
}

int vr_store_build_fail(struct vr_tx *tx, int64_t id, const char *error, struct vr_wall now,
                        struct vr_err *err)
{
    int r = vr_row_change(tx, "build", id, err,
                          "UPDATE builds SET status = 'failed', error = $2, end_us = $3"
                          " WHERE id = $1",
                          VR_I(id), VR_T(error), VR_I(now.us));

    return r < 0 ? r : vr_store_build_touch_waiting(tx, id, err);
}

int vr_store_build_expire(struct vr_tx *tx, int64_t id, struct vr_err *err)
{
    return vr_row_change(tx, "build", id, err, "UPDATE builds SET status = 'expired' WHERE id = $1",
                         VR_I(id));
}

int vr_store_build_reset(struct vr_tx *tx, int64_t id, struct vr_err *err)
{
    int r = vr_db_exec(tx->db, NULL, err, "DELETE FROM build_logs WHERE build_id = $1", VR_I(id));

    if (r < 0)
        return r;
    return vr_row_change(tx, "build", id, err,
                         "UPDATE builds SET status = 'pending', error = '', log_bytes = 0,"
                         " job_id = NULL, start_us = NULL, end_us = NULL, file = NULL,"
                         " file_md5 = NULL, file_sha256 = NULL, file_bytes = NULL, hash = ''"
                         " WHERE id = $1",
                         VR_I(id));
}

static const struct vr_row_use uses[] = {
    {"releases", "SELECT hash FROM releases WHERE build_id = $1 ORDER BY id"},
    {"rollouts", "SELECT id FROM rollouts WHERE build_id = $1 ORDER BY created_us DESC"},
};

int vr_store_build_delete(struct vr_tx *tx, int64_t id, struct vr_err *err)
{
    VR_ROW(build) row = {0};
    int r = vr_store_build_find_id(tx, id, &row, err);

    if (r == 0)
        r = vr_row_refuse_used(tx, "build", row.tag, id, uses, VR_COUNT(uses), err);
    if (r == 0)
        r = vr_db_exec(tx->db, NULL, err, "DELETE FROM build_logs WHERE build_id = $1", VR_I(id));
    if (r == 0)
        r = vr_db_exec(tx->db, NULL, err, "DELETE FROM builds WHERE id = $1", VR_I(id));
    vr_store_changed(tx, VR_OBJECT_BUILD, id);
    return r;
}

int vr_store_build_log_add(struct vr_tx *tx, int64_t id, int64_t at, struct vr_str text,
                           int64_t *out_bytes, struct vr_err *err)
{
    int64_t have, end;
    struct vr_db_value chunk = {.type = VR_DB_TEXT};
    int r =
        vr_db_get_i64(tx->db, &have, err, "SELECT log_bytes FROM builds WHERE id = $1", VR_I(id));

    if (r < 0)
        return r;
    end = at + (int64_t)text.n;
    if (end > VR_BUILD_LOG_BYTES)
        end = VR_BUILD_LOG_BYTES;
    if (out_bytes)
        *out_bytes = have;
    if (at < 0 || at > have || end <= have)
        return 0;
    chunk.text = text.p + (have - at);
    chunk.n = (size_t)(end - have);
    r = vr_db_exec(tx->db, NULL, err,
                   "INSERT INTO build_logs (build_id, at, text) VALUES ($1, $2, $3)", VR_I(id),
                   VR_I(have), chunk);
    if (r == 0)
        r = vr_row_change(tx, "build", id, err, "UPDATE builds SET log_bytes = $2 WHERE id = $1",
                          VR_I(id), VR_I(end));
    if (r == 0 && out_bytes)
        *out_bytes = end;
    return r;
}

/* Append what of the chunk lies at or behind byte `at`, up to max_bytes in all. */
static void add_chunk(struct vr_buf *b, struct vr_db_rows *rows, int64_t at, size_t max_bytes)
{
    int64_t begins = vr_db_i64(rows, 0);
    struct vr_str chunk = vr_db_str(rows, 1);
    size_t skip = begins < at ? (size_t)(at - begins) : 0;
    size_t n;

    if (skip >= chunk.n)
        return;
    n = chunk.n - skip;
    if (n > max_bytes - b->len)
        n = max_bytes - b->len;
    vr_buf_add_n(b, chunk.p + skip, n);
}

int vr_store_build_log_read(struct vr_tx *tx, int64_t id, int64_t at, size_t max_bytes,
                            char **out_text, size_t *out_n, struct vr_err *err)
{
    VR_OWNED(vr_db_rows_free) struct vr_db_rows *rows = NULL;
    vr_auto_buf struct vr_buf b = VR_BUF(max_bytes);
    size_t n;
    /* The chunk that holds `at` begins before it: start from the last one that does. */
    int r = vr_db_query(tx->db, &rows, err,
                        "SELECT at, text FROM build_logs WHERE build_id = $1 AND at >="
                        " (SELECT coalesce(max(at), 0) FROM build_logs"
                        " WHERE build_id = $1 AND at <= $2) ORDER BY at",
                        VR_I(id), VR_I(at));

    if (r < 0)
        return r;
    while (b.len < max_bytes && (r = vr_db_next(rows, err)) > 0)
        add_chunk(&b, rows, at, max_bytes);
    if (r < 0)
        return r;
    n = b.len;
    r = vr_buf_finish(&b, out_text, err);
    if (r == 0)
        *out_n = n;
    return r;
}

/* ------------------------------------------------------------------ tags */

static json_t *tag_json(struct vr_db_rows *rows)
{
    const char *commit = vr_db_text(rows, 1);

    return json_pack("{s:s, s:s?, s:b, s:o}", "tag", vr_db_text(rows, 0), "commit",
                     *commit ? commit : NULL, "built", vr_db_bool(rows, 2), "build",
                     json_sprintf("/api/v1/builds/%" PRId64 "/", vr_db_i64(rows, 3)));
}

int vr_store_build_tags_json(struct vr_tx *tx, int64_t app_id, json_t **out, struct vr_err *err)
{
    VR_OWNED(vr_db_rows_free) struct vr_db_rows *rows = NULL;
    vr_auto_json json_t *tags = json_array();
    int r =
        vr_db_query(tx->db, &rows, err,
                    "SELECT b.tag, b.commit_id, CASE WHEN t.good IS NULL THEN 0 ELSE 1 END, b.id"
                    " FROM (SELECT tag, max(id) AS newest,"
                    " max(CASE WHEN status = 'success' THEN id END) AS good"
                    " FROM builds WHERE app_id = $1 GROUP BY tag) t"
                    " JOIN builds b ON b.id = coalesce(t.good, t.newest)"
                    " ORDER BY t.newest DESC LIMIT $2",
                    VR_I(app_id), VR_I(VR_BUILD_TAGS_MAX));

    while (r >= 0 && (r = vr_db_next(rows, err)) > 0)
        vr_json_push(tags, tag_json(rows));
    if (r == 0)
        *out = vr_take(tags);
    return r;
}
