/* SPDX-License-Identifier: MIT */
/* Rows of apps. */
#include "store/app.h"

#include "store/row.h"

#define SELECT_APP                                                                                 \
    "SELECT id, name, repo_url, repo_type, buildpack_id, stack_id, " VR_SQL_RESOLVED_URL(          \
        "a") ","                                                                                   \
             " row_version FROM apps a "

FIELDS(app, "app", I(app, id), T(app, name), T(app, repo_url), T(app, repo_type),
       I(app, buildpack_id), I(app, stack_id), T(app, resolved_url), I(app, row_version))

int vr_store_app_find(struct vr_tx *tx, const char *name, struct vr_app_row *out,
                      struct vr_err *err)
{
    return vr_row_find(tx, &app_type, name, out, err, SELECT_APP "WHERE name = $1", VR_T(name));
}

int vr_store_app_find_id(struct vr_tx *tx, int64_t id, struct vr_app_row *out, struct vr_err *err)
{
    return vr_row_find_id(tx, &app_type, id, out, err, SELECT_APP "WHERE id = $1", VR_I(id));
}

int vr_store_app_insert(struct vr_tx *tx, const struct vr_app_row *row, int64_t *out_id,
                        struct vr_err *err)
{
    vr_auto_free char *shown = vr_row_shown_url(row->repo_url);
    int r = vr_db_insert(tx->db, out_id, err,
                         "INSERT INTO apps (name, repo_url, repo_type, buildpack_id, stack_id,"
                         " shown_url) VALUES ($1, $2, $3, $4, $5, $6) RETURNING id",
                         VR_T(row->name), VR_T(row->repo_url), VR_T(row->repo_type),
                         VR_ID(row->buildpack_id), VR_ID(row->stack_id), VR_T(shown));

    if (r < 0)
        return vr_fail_in(err, r, "app '%s'", row->name);
    vr_store_changed(tx, VR_OBJECT_APP, *out_id);
    return 0;
}

int vr_store_app_update(struct vr_tx *tx, const struct vr_app_row *row, struct vr_err *err)
{
    vr_auto_free char *shown = vr_row_shown_url(row->repo_url);

    return vr_row_change(tx, "app", row->id, err,
                         "UPDATE apps SET name = $2, repo_url = $3, repo_type = $4,"
                         " buildpack_id = $5, stack_id = $6, shown_url = $7,"
                         " row_version = row_version + 1 WHERE id = $1",
                         VR_I(row->id), VR_T(row->name), VR_T(row->repo_url), VR_T(row->repo_type),
                         VR_ID(row->buildpack_id), VR_ID(row->stack_id), VR_T(shown));
}

int vr_store_app_resolve_url(struct vr_tx *tx, const char *repo_url, char **out, struct vr_err *err)
{
    VR_OWNED(vr_db_rows_free) struct vr_db_rows *rows = NULL;
    int r = vr_db_query(tx->db, &rows, err,
                        "SELECT " VR_SQL_RESOLVED_URL("a") " FROM (SELECT $1 AS repo_url) a",
                        VR_T(repo_url));

    if (r == 0)
        r = vr_db_next(rows, err);
    if (r < 0)
        return r;
    *out = vr_db_text_dup(rows, 0);
    return 0;
}

int vr_store_app_set_schemes(struct vr_tx *tx, const json_t *schemes, struct vr_err *err)
{
    int r = vr_db_exec(tx->db, NULL, err, "DELETE FROM schemes");
    const char *alias;
    json_t *url;

    json_object_foreach ((json_t *)schemes, alias, url)
        if (r == 0)
            r = vr_db_exec(tx->db, NULL, err, "INSERT INTO schemes (alias, url) VALUES ($1, $2)",
                           VR_T(alias), VR_T(json_string_value(url)));
    return r;
}

static const struct vr_row_use uses[] = {
    {"swarms", "SELECT a.name || '-' || s.config_name || '-' || s.proc_name"
               " FROM swarms s JOIN apps a ON a.id = s.app_id WHERE s.app_id = $1 ORDER BY 1"},
    {"procs", "SELECT p.name FROM procs p JOIN releases r ON r.id = p.release_id"
              " JOIN builds b ON b.id = r.build_id WHERE b.app_id = $1 ORDER BY 1"},
    {"running builds", "SELECT tag FROM builds WHERE app_id = $1 AND status = 'started'"},
};

/* Children before their parents. */
static const char *const deletes[] = {
    "DELETE FROM grants WHERE app_id = $1",
    "DELETE FROM tokens WHERE app_id = $1", /* without it they would be good for all apps */
    "DELETE FROM build_logs WHERE build_id IN (SELECT id FROM builds WHERE app_id = $1)",
    "DELETE FROM releases WHERE build_id IN (SELECT id FROM builds WHERE app_id = $1)",
    "DELETE FROM builds WHERE app_id = $1",
    "DELETE FROM dashboard_apps WHERE app_id = $1",
    "DELETE FROM apps WHERE id = $1",
};

int vr_store_app_delete(struct vr_tx *tx, int64_t id, struct vr_err *err)
{
    VR_ROW(app) app = {0};
    int r = vr_store_app_find_id(tx, id, &app, err);

    if (r == 0)
        r = vr_row_refuse_used(tx, "app", app.name, id, uses, VR_COUNT(uses), err);
    for (size_t i = 0; r == 0 && i < VR_COUNT(deletes); i++)
        r = vr_db_exec(tx->db, NULL, err, deletes[i], VR_I(id));
    vr_store_changed(tx, VR_OBJECT_APP, id);
    return r;
}
