/* SPDX-License-Identifier: MIT */
/* Rows of versions. */
#include "store/version.h"

#include "store/row.h"

#define SELECT_VERSION                                                                             \
    "SELECT id, resource, object_id, object_name, row_version, action, user_id, username, "        \
    "time_us,"                                                                                     \
    " comment, data_json FROM versions "

FIELDS(version, "version", I(version, id), T(version, resource), I(version, object_id),
       T(version, object_name), I(version, row_version), T(version, action), I(version, user_id),
       T(version, username), I(version, time_us), T(version, comment), T(version, data_json))

/* Where objects with versions, and those that they refer to, live, and what they are called. */
static const struct {
    const char *table;
    const char *name; /* an expression over its row */
    bool is_kept;     /* has versions; others are referred to only */
} homes[VR_RES_COUNT] = {
    [VR_RES_APPS] = {"apps", "name", true},
    [VR_RES_BUILDPACKS] = {"buildpacks", "coalesce(shown_url, repo_url)",
                           true}, /* no credentials */
    [VR_RES_INGREDIENTS] = {"ingredients", "name", true},
    [VR_RES_SQUADS] = {"squads", "name", true},
    [VR_RES_HOSTS] = {"hosts", "name", true},
    [VR_RES_SWARMS] = {"swarms", "config_name", true},
    [VR_RES_BALANCERS] = {"balancers", "name"},
    [VR_RES_USERS] = {"users", "username", true},
    [VR_RES_STACKS] = {"stacks", "name", true},
    [VR_RES_IMAGES] = {"images", "name", true},
    [VR_RES_DASHBOARDS] = {"dashboards", "slug", true},
    [VR_RES_PROFILES] = {"profiles", "CAST(id AS TEXT)", true},
};

static int find_home(enum vr_resource resource, struct vr_err *err)
{
    if (homes[resource].table)
        return 0;
    return vr_fail(err, VR_BUG, "%s have no versions", vr_resource_name(resource));
}

bool vr_store_version_is_kept(enum vr_resource resource)
{
    return homes[resource].is_kept;
}

int vr_store_version_insert(struct vr_tx *tx, enum vr_resource resource,
                            const struct vr_version_row *row, int64_t *out_id, struct vr_err *err)
{
    vr_auto_free char *sql = NULL;
    int r = find_home(resource, err);

    if (r < 0)
        return r;
    sql = vr_strf("INSERT INTO versions (resource, object_id, object_name, row_version, action,"
                  " user_id, username, time_us, comment, data_json) VALUES ($1, $2, $3,"
                  " coalesce($4, (SELECT row_version FROM %s WHERE id = $2), 0),"
                  " $5, $6, $7, $8, $9, $10) RETURNING id",
                  homes[resource].table);
    return vr_db_insert(tx->db, out_id, err, sql, VR_T(vr_resource_name(resource)),
                        VR_I(row->object_id), VR_T(row->object_name), VR_ID(row->row_version),
                        VR_T(row->action), VR_ID(row->user_id), VR_T(vr_row_or(row->username, "")),
                        VR_I(row->time_us), VR_T(vr_row_or(row->comment, "")),
                        VR_T(row->data_json));
}

int vr_store_version_find_id(struct vr_tx *tx, int64_t id, struct vr_version_row *out,
                             struct vr_err *err)
{
    return vr_row_find_id(tx, &version_type, id, out, err, SELECT_VERSION "WHERE id = $1",
                          VR_I(id));
}

int vr_store_version_newest(struct vr_tx *tx, enum vr_resource resource, int64_t object_id,
                            struct vr_version_row *out, struct vr_err *err)
{
    return vr_row_find_id(tx, &version_type, object_id, out, err,
                          SELECT_VERSION "WHERE resource = $1 AND object_id = $2"
                                         " ORDER BY id DESC LIMIT 1",
                          VR_T(vr_resource_name(resource)), VR_I(object_id));
}

int vr_store_version_newest_named(struct vr_tx *tx, enum vr_resource resource, const char *name,
                                  struct vr_version_row *out, struct vr_err *err)
{
    return vr_row_find(tx, &version_type, name, out, err,
                       SELECT_VERSION "WHERE resource = $1 AND object_name = $2"
                                      " ORDER BY id DESC LIMIT 1",
                       VR_T(vr_resource_name(resource)), VR_T(name));
}

int vr_store_version_before(struct vr_tx *tx, const struct vr_version_row *row,
                            struct vr_version_row *out, struct vr_err *err)
{
    return vr_row_find_id(tx, &version_type, row->id, out, err,
                          SELECT_VERSION "WHERE resource = $1 AND object_id = $2 AND id < $3"
                                         " ORDER BY id DESC LIMIT 1",
                          VR_T(row->resource), VR_I(row->object_id), VR_I(row->id));
}

int vr_store_version_list(struct vr_tx *tx, enum vr_resource resource, int64_t object_id,
                          int64_t limit, int64_t offset, struct vr_version_rows *out,
                          struct vr_err *err)
{
    return vr_row_list(tx, &version_type, out, err,
                       SELECT_VERSION "WHERE resource = $1 AND object_id = $2"
                                      " ORDER BY id DESC LIMIT $3 OFFSET $4",
                       VR_T(vr_resource_name(resource)), VR_I(object_id), VR_I(limit),
                       VR_I(offset));
}

int vr_store_version_count(struct vr_tx *tx, enum vr_resource resource, int64_t object_id,
                           int64_t *out, struct vr_err *err)
{
    return vr_db_get_i64(tx->db, out, err,
                         "SELECT count(*) FROM versions WHERE resource = $1 AND object_id = $2",
                         VR_T(vr_resource_name(resource)), VR_I(object_id));
}

/* ------------------------------------------------------------------ references */

int vr_store_version_name(struct vr_tx *tx, enum vr_resource resource, int64_t id, char **out,
                          struct vr_err *err)
{
    VR_OWNED(vr_db_rows_free) struct vr_db_rows *rows = NULL;
    vr_auto_free char *sql = NULL;
    int r = find_home(resource, err);

    if (r < 0)
        return r;
    sql = vr_strf("SELECT %s FROM %s WHERE id = $1", homes[resource].name, homes[resource].table);
    r = vr_db_query(tx->db, &rows, err, sql, VR_I(id));
    if (r == 0)
        r = vr_db_next(rows, err);
    if (r == 0)
        return vr_fail(err, VR_NOT_FOUND, "%s %" PRId64 " does not exist",
                       vr_resource_name(resource), id);
    if (r < 0)
        return r;
    *out = vr_db_text_dup(rows, 0);
    return 0;
}

int vr_store_version_id(struct vr_tx *tx, enum vr_resource resource, const char *name, int64_t *out,
                        struct vr_err *err)
{
    vr_auto_free char *sql = NULL;
    int64_t id = 0;
    int r = find_home(resource, err);

    if (r < 0)
        return r;
    sql = vr_strf("SELECT coalesce(max(id), 0) FROM %s WHERE %s = $1", homes[resource].table,
                  homes[resource].name);
    r = vr_db_get_i64(tx->db, &id, err, sql, VR_T(name));
    if (r == 0 && !id)
        return vr_fail(err, VR_NOT_FOUND, "%s '%s' does not exist", vr_resource_name(resource),
                       name);
    if (r == 0)
        *out = id;
    return r;
}

/* [{"id", "name"}, …] of a query with these two columns and $1. */
static int list_refs(struct vr_tx *tx, const char *sql, int64_t id, json_t **out,
                     struct vr_err *err)
{
    VR_OWNED(vr_db_rows_free) struct vr_db_rows *rows = NULL;
    vr_auto_json json_t *refs = json_array();
    int r = vr_db_query(tx->db, &rows, err, sql, VR_I(id));

    while (r >= 0 && (r = vr_db_next(rows, err)) > 0) {
        struct vr_str name = vr_db_str(rows, 1);

        vr_json_push(refs, json_pack("{s:I, s:o}", "id", (json_int_t)vr_db_i64(rows, 0), "name",
                                     vr_json_text(name.p, name.n)));
    }
    if (r == 0)
        *out = vr_take(refs);
    return r;
}

int vr_store_version_ingredients(struct vr_tx *tx, int64_t swarm_id, json_t **out,
                                 struct vr_err *err)
{
    return list_refs(tx,
                     "SELECT i.id, i.name FROM swarm_ingredients x"
                     " JOIN ingredients i ON i.id = x.ingredient_id WHERE x.swarm_id = $1"
                     " ORDER BY i.name",
                     swarm_id, out, err);
}

int vr_store_version_hosts(struct vr_tx *tx, int64_t squad_id, json_t **out, struct vr_err *err)
{
    return list_refs(tx, "SELECT id, name FROM hosts WHERE squad_id = $1 ORDER BY name", squad_id,
                     out, err);
}

int vr_store_version_dashboard_apps(struct vr_tx *tx, int64_t dashboard_id, json_t **out,
                                    struct vr_err *err)
{
    return list_refs(tx,
                     "SELECT a.id, a.name FROM dashboard_apps x JOIN apps a ON a.id = x.app_id"
                     " WHERE x.dashboard_id = $1 ORDER BY a.name",
                     dashboard_id, out, err);
}

int vr_store_version_quick_dashboards(struct vr_tx *tx, int64_t profile_id, json_t **out,
                                      struct vr_err *err)
{
    return list_refs(tx,
                     "SELECT d.id, d.slug FROM profile_dashboards x"
                     " JOIN dashboards d ON d.id = x.dashboard_id WHERE x.profile_id = $1"
                     " ORDER BY d.slug",
                     profile_id, out, err);
}

int vr_store_version_grants(struct vr_tx *tx, int64_t user_id, json_t **out, struct vr_err *err)
{
    return list_refs(tx,
                     "SELECT a.id, a.name FROM grants g JOIN apps a ON a.id = g.app_id"
                     " WHERE g.user_id = $1 ORDER BY a.name",
                     user_id, out, err);
}
