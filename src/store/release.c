/* SPDX-License-Identifier: MIT */
/* Rows of releases. */
#include "store/release.h"

#include "store/row.h"

#define SELECT_RELEASE                                                                             \
    "SELECT r.id, r.build_id, r.config_yaml, r.config_json, r.env_yaml, r.env_json,"               \
    " r.volumes_json, r.run_as, r.mem_limit, r.memsw_limit, r.newer_json, r.hash,"                 \
    " r.content_sha256, r.config_bytes, r.created_us, a.name, b.tag, b.app_id FROM releases r"     \
    " JOIN builds b ON b.id = r.build_id JOIN apps a ON a.id = b.app_id "

FIELDS(release, "release", I(release, id), I(release, build_id), T(release, config_yaml),
       T(release, config_json), T(release, env_yaml), T(release, env_json),
       T(release, volumes_json), T(release, run_as), T(release, mem_limit), T(release, memsw_limit),
       T(release, newer_json), T(release, hash), T(release, content_sha256),
       I(release, config_bytes), I(release, created_us), T(release, app_name), T(release, tag),
       I(release, app_id))

int vr_store_release_find_id(struct vr_tx *tx, int64_t id, struct vr_release_row *out,
                             struct vr_err *err)
{
    return vr_row_find_id(tx, &release_type, id, out, err, SELECT_RELEASE "WHERE r.id = $1",
                          VR_I(id));
}

static int insert(struct vr_tx *tx, const struct vr_release_row *row, int64_t *out_id,
                  struct vr_err *err)
{
    return vr_db_insert(
        tx->db, out_id, err,
        "INSERT INTO releases (build_id, config_yaml, config_json, env_yaml, env_json,"
        " volumes_json, run_as, mem_limit, memsw_limit, newer_json, hash, content_sha256,"
        " created_us, config_bytes)"
        " VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)"
        " RETURNING id",
        VR_I(row->build_id), VR_T(vr_row_or(row->config_yaml, "")),
        VR_T(vr_row_or(row->config_json, "{}")), VR_T(vr_row_or(row->env_yaml, "")),
        VR_T(vr_row_or(row->env_json, "{}")), VR_T(vr_row_or(row->volumes_json, "[]")),
        VR_T(vr_row_or(row->run_as, "nobody")), VR_T(row->mem_limit), VR_T(row->memsw_limit),
        VR_T(vr_row_or(row->newer_json, "{}")), VR_T(row->hash), VR_T(row->content_sha256),
        VR_I(row->created_us), VR_I(row->config_bytes));
}

int vr_store_release_take(struct vr_tx *tx, const struct vr_release_row *row, int64_t *out_id,
                          bool *out_made, struct vr_err *err)
{
    int64_t id;
    int r = vr_db_get_i64(tx->db, &id, err,
                          "SELECT id FROM releases WHERE build_id = $1 AND content_sha256 = $2",
                          VR_I(row->build_id), VR_T(row->content_sha256));
    bool make = r == -VR_NOT_FOUND;

    if (make)
        r = insert(tx, row, &id, err);
    if (r < 0)
        return vr_fail_in(err, r, "release '%s'", vr_row_or(row->hash, ""));
    *out_id = id;
    *out_made = make;
    return 0;
}

int vr_store_release_hash_taken(struct vr_tx *tx, const char *hash, const char *content_sha256,
                                bool *out_taken, struct vr_err *err)
{
    int64_t n;
    int r = vr_db_get_i64(tx->db, &n, err,
                          "SELECT count(*) FROM releases WHERE hash = $1 AND content_sha256 <> $2",
                          VR_T(hash), VR_T(content_sha256));

    if (r == 0)
        *out_taken = n > 0;
    return r;
}

static const struct vr_row_use uses[] = {
    {"procs", "SELECT name FROM procs WHERE release_id = $1 ORDER BY name"},
    {"rollouts", "SELECT id FROM rollouts WHERE release_id = $1 ORDER BY created_us DESC"},
};

int vr_store_release_delete(struct vr_tx *tx, int64_t id, struct vr_err *err)
{
    VR_ROW(release) row = {0};
    int r = vr_store_release_find_id(tx, id, &row, err);

    if (r == 0)
        r = vr_row_refuse_used(tx, "release", row.hash, id, uses, VR_COUNT(uses), err);
    if (r == 0)
        r = vr_db_exec(tx->db, NULL, err, "DELETE FROM releases WHERE id = $1", VR_I(id));
    return r;
}

int vr_store_release_pin(struct vr_tx *tx, int64_t id, bool pinned, struct vr_err *err)
{
    return vr_row_change(tx, "release", id, err, "UPDATE releases SET pinned = $2 WHERE id = $1",
                         VR_I(id), VR_B(pinned));
}
