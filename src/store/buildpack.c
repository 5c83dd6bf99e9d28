/* SPDX-License-Identifier: MIT */
/* Rows of buildpacks. */
#include "store/buildpack.h"

#include "model/secret.h"
#include "store/row.h"

#define SELECT_BUILDPACK                                                                           \
    "SELECT id, repo_url, repo_type, description, ord, row_version FROM buildpacks "

FIELDS(buildpack, "buildpack", I(buildpack, id), T(buildpack, repo_url), T(buildpack, repo_type),
       T(buildpack, description), I(buildpack, ord), I(buildpack, row_version))

int vr_store_buildpack_find_id(struct vr_tx *tx, int64_t id, struct vr_buildpack_row *out,
                               struct vr_err *err)
{
    return vr_row_find_id(tx, &buildpack_type, id, out, err, SELECT_BUILDPACK "WHERE id = $1",
                          VR_I(id));
}

int vr_store_buildpack_find_url(struct vr_tx *tx, const char *repo_url,
                                struct vr_buildpack_row *out, struct vr_err *err)
{
    return vr_row_find(tx, &buildpack_type, repo_url, out, err,
                       SELECT_BUILDPACK "WHERE repo_url = $1", VR_T(repo_url));
}

int vr_store_buildpack_list(struct vr_tx *tx, struct vr_buildpack_rows *out, struct vr_err *err)
{
    return vr_row_list(tx, &buildpack_type, out, err, SELECT_BUILDPACK "ORDER BY ord, id");
}

int vr_store_buildpack_insert(struct vr_tx *tx, const struct vr_buildpack_row *row, int64_t *out_id,
                              struct vr_err *err)
{
    vr_auto_free char *shown = vr_row_shown_url(row->repo_url);
    int r = vr_db_insert(tx->db, out_id, err,
                         "INSERT INTO buildpacks (repo_url, repo_type, description, ord, shown_url)"
                         " VALUES ($1, $2, $3, $4, $5) RETURNING id",
                         VR_T(row->repo_url), VR_T(vr_row_or(row->repo_type, "git")),
                         VR_T(vr_row_or(row->description, "")), VR_I(row->ord), VR_T(shown));

    return r < 0 ? vr_fail_in(err, r, "buildpack '%s'", vr_row_or(shown, row->repo_url)) : 0;
}

int vr_store_buildpack_update(struct vr_tx *tx, const struct vr_buildpack_row *row,
                              struct vr_err *err)
{
    vr_auto_free char *shown = vr_row_shown_url(row->repo_url);

    return vr_row_change(tx, "buildpack", row->id, err,
                         "UPDATE buildpacks SET repo_url = $2, repo_type = $3, description = $4,"
                         " ord = $5, shown_url = $6, row_version = row_version + 1 WHERE id = $1",
                         VR_I(row->id), VR_T(row->repo_url), VR_T(row->repo_type),
                         VR_T(vr_row_or(row->description, "")), VR_I(row->ord), VR_T(shown));
}

static const struct vr_row_use uses[] = {
    {"apps", "SELECT name FROM apps WHERE buildpack_id = $1 ORDER BY name"},
};

int vr_store_buildpack_delete(struct vr_tx *tx, int64_t id, struct vr_err *err)
{
    VR_ROW(buildpack) row = {0};
    vr_auto_free char *shown = NULL;
    int r = vr_store_buildpack_find_id(tx, id, &row, err);

    if (r == 0) {
        shown = vr_secret_masked_url(row.repo_url);
        r = vr_row_refuse_used(tx, "buildpack", shown, id, uses, VR_COUNT(uses), err);
    }
    if (r == 0)
        r = vr_db_exec(tx->db, NULL, err, "DELETE FROM buildpacks WHERE id = $1", VR_I(id));
    return r;
}
