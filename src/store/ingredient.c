/* SPDX-License-Identifier: MIT */
/* Rows of ingredients. */
#include "store/ingredient.h"

#include "store/row.h"

#define SELECT_INGREDIENT                                                                          \
    "SELECT i.id, i.name, i.config_yaml, i.config_json, i.env_yaml, i.env_json,"                   \
    " i.secret_config_json, i.secret_env_json, i.row_version FROM ingredients i "

FIELDS(ingredient, "ingredient", I(ingredient, id), T(ingredient, name), T(ingredient, config_yaml),
       T(ingredient, config_json), T(ingredient, env_yaml), T(ingredient, env_json),
       T(ingredient, secret_config_json), T(ingredient, secret_env_json),
       I(ingredient, row_version))

int vr_store_ingredient_find(struct vr_tx *tx, const char *name, struct vr_ingredient_row *out,
                             struct vr_err *err)
{
    return vr_row_find(tx, &ingredient_type, name, out, err, SELECT_INGREDIENT "WHERE i.name = $1",
                       VR_T(name));
}

int vr_store_ingredient_find_id(struct vr_tx *tx, int64_t id, struct vr_ingredient_row *out,
                                struct vr_err *err)
{
    return vr_row_find_id(tx, &ingredient_type, id, out, err, SELECT_INGREDIENT "WHERE i.id = $1",
                          VR_I(id));
}

int vr_store_ingredient_list_of_swarm(struct vr_tx *tx, int64_t swarm_id,
                                      struct vr_ingredient_rows *out, struct vr_err *err)
{
    return vr_row_list(tx, &ingredient_type, out, err,
                       SELECT_INGREDIENT "JOIN swarm_ingredients x ON x.ingredient_id = i.id"
                                         " WHERE x.swarm_id = $1 ORDER BY i.name",
                       VR_I(swarm_id));
}

/* The columns that are written, in the order of insert and update. */
#define WISH(row)                                                                                  \
    VR_T((row)->name), VR_T(vr_row_or((row)->config_yaml, "")),                                    \
        VR_T(vr_row_or((row)->config_json, "{}")), VR_T(vr_row_or((row)->env_yaml, "")),           \
        VR_T(vr_row_or((row)->env_json, "{}")), VR_T(vr_row_or((row)->secret_config_json, "{}")),  \
        VR_T(vr_row_or((row)->secret_env_json, "{}"))

int vr_store_ingredient_insert(struct vr_tx *tx, const struct vr_ingredient_row *row,
                               int64_t *out_id, struct vr_err *err)
{
    int r = vr_db_insert(tx->db, out_id, err,
                         "INSERT INTO ingredients (name, config_yaml, config_json, env_yaml,"
                         " env_json, secret_config_json, secret_env_json)"
                         " VALUES ($1, $2, $3, $4, $5, $6, $7) RETURNING id",
                         WISH(row));

    return r < 0 ? vr_fail_in(err, r, "ingredient '%s'", row->name) : 0;
}

int vr_store_ingredient_update(struct vr_tx *tx, const struct vr_ingredient_row *row,
                               struct vr_err *err)
{
    return vr_row_change(tx, "ingredient", row->id, err,
                         "UPDATE ingredients SET name = $2, config_yaml = $3, config_json = $4,"
                         " env_yaml = $5, env_json = $6, secret_config_json = $7,"
                         " secret_env_json = $8, row_version = row_version + 1 WHERE id = $1",
                         VR_I(row->id), WISH(row));
}

static const struct vr_row_use uses[] = {
    {"swarms", "SELECT a.name || '-' || s.config_name || '-' || s.proc_name"
               " FROM swarm_ingredients x JOIN swarms s ON s.id = x.swarm_id"
               " JOIN apps a ON a.id = s.app_id WHERE x.ingredient_id = $1 ORDER BY 1"},
};

int vr_store_ingredient_delete(struct vr_tx *tx, int64_t id, struct vr_err *err)
{
    VR_ROW(ingredient) row = {0};
    int r = vr_store_ingredient_find_id(tx, id, &row, err);

    if (r == 0)
        r = vr_row_refuse_used(tx, "ingredient", row.name, id, uses, VR_COUNT(uses), err);
    if (r == 0)
        r = vr_db_exec(tx->db, NULL, err, "DELETE FROM ingredients WHERE id = $1", VR_I(id));
    return r;
}
