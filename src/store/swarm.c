/* SPDX-License-Identifier: MIT */
/* Rows of swarms. */
#include "store/swarm.h"

#include "store/row.h"

#define SELECT_SWARM                                                                               \
    "SELECT s.id, s.app_id, s.config_name, s.proc_name, s.squad_id, s.size, s.tag, s.pool,"        \
    " s.balancer_id, s.config_yaml, s.config_json, s.env_yaml, s.env_json,"                        \
    " s.secret_config_json, s.secret_env_json, s.volumes_json, s.run_as, s.mem_limit, "            \
    "s.memsw_limit, s.policy_json, s.merged_config_json,"                                          \
    " s.merged_env_json, s.current_rollout, s.paused, s.heal_failures, s.heal_after_us,"           \
    " s.row_version, a.name, q.name FROM swarms s JOIN apps a ON a.id = s.app_id"                  \
    " JOIN squads q ON q.id = s.squad_id "

FIELDS(swarm, "swarm", I(swarm, id), I(swarm, app_id), T(swarm, config_name), T(swarm, proc_name),
       I(swarm, squad_id), I(swarm, size), T(swarm, tag), T(swarm, pool), I(swarm, balancer_id),
       T(swarm, config_yaml), T(swarm, config_json), T(swarm, env_yaml), T(swarm, env_json),
       T(swarm, secret_config_json), T(swarm, secret_env_json), T(swarm, volumes_json),
       T(swarm, run_as), T(swarm, mem_limit), T(swarm, memsw_limit), T(swarm, policy_json),
       T(swarm, merged_config_json), T(swarm, merged_env_json), T(swarm, current_rollout),
       B(swarm, paused), I(swarm, heal_failures), I(swarm, heal_after_us), I(swarm, row_version),
       T(swarm, app_name), T(swarm, squad_name))

int vr_store_swarm_find_id(struct vr_tx *tx, int64_t id, struct vr_swarm_row *out,
                           struct vr_err *err)
{
    return vr_row_find_id(tx, &swarm_type, id, out, err, SELECT_SWARM "WHERE s.id = $1", VR_I(id));
}

int vr_store_swarm_find(struct vr_tx *tx, int64_t app_id, const char *config_name,
                        const char *proc_name, int64_t squad_id, struct vr_swarm_row *out,
                        struct vr_err *err)
{
    return vr_row_find(tx, &swarm_type, config_name, out, err,
                       SELECT_SWARM "WHERE s.app_id = $1 AND s.config_name = $2"
                                    " AND s.proc_name = $3 AND s.squad_id = $4",
                       VR_I(app_id), VR_T(config_name), VR_T(proc_name), VR_I(squad_id));
}

int vr_store_swarm_list_of_ingredient(struct vr_tx *tx, int64_t ingredient_id,
                                      struct vr_swarm_rows *out, struct vr_err *err)
{
    return vr_row_list(tx, &swarm_type, out, err,
                       SELECT_SWARM "JOIN swarm_ingredients x ON x.swarm_id = s.id"
                                    " WHERE x.ingredient_id = $1 ORDER BY s.id",
                       VR_I(ingredient_id));
}

int vr_store_swarm_list_outdated(struct vr_tx *tx, int64_t ingredient_id, struct vr_swarm_rows *out,
                                 struct vr_err *err)
{
    return vr_row_list(
        tx, &swarm_type, out, err,
        SELECT_SWARM "JOIN swarm_ingredients x ON x.swarm_id = s.id"
                     " JOIN rollouts r ON r.id = s.current_rollout"
                     " WHERE x.ingredient_id = $1 AND " VR_SQL_OUTDATED("s", "r") " ORDER BY s.id",
        VR_I(ingredient_id));
}

int vr_store_swarm_list_of_squad(struct vr_tx *tx, int64_t squad_id, struct vr_swarm_rows *out,
                                 struct vr_err *err)
{
    return vr_row_list(tx, &swarm_type, out, err,
                       SELECT_SWARM "WHERE s.squad_id = $1"
                                    " ORDER BY a.name, s.config_name, s.proc_name",
                       VR_I(squad_id));
}

#define HAS_TEXT(column) "@STRPOS@(@FOLD@(" column "), @FOLD@($1)) > 0"

int vr_store_swarm_search(struct vr_tx *tx, const char *text, int64_t limit,
                          struct vr_swarm_rows *out, struct vr_err *err)
{
    return vr_row_list(
        tx, &swarm_type, out, err,
        SELECT_SWARM
        "WHERE $1 = '' OR " HAS_TEXT("a.name") " OR " HAS_TEXT("s.config_name") " OR " HAS_TEXT(
            "s.tag") " OR " HAS_TEXT("s.proc_name") " ORDER BY a.name, s.config_name, s.proc_name, "
                                                    "s.id LIMIT $2",
        VR_T(text), VR_I(limit));
}

/* Parameters $2 … of insert and update, in one order. */
#define WISH(row)                                                                                  \
    VR_I((row)->app_id), VR_T((row)->config_name), VR_T((row)->proc_name), VR_I((row)->squad_id),  \
        VR_I((row)->size), VR_T(vr_row_or((row)->tag, "")), VR_T((row)->pool),                     \
        VR_ID((row)->balancer_id), VR_T(vr_row_or((row)->config_yaml, "")),                        \
        VR_T(vr_row_or((row)->config_json, "{}")), VR_T(vr_row_or((row)->env_yaml, "")),           \
        VR_T(vr_row_or((row)->env_json, "{}")), VR_T(vr_row_or((row)->volumes_json, "[]")),        \
        VR_T(vr_row_or((row)->run_as, "nobody")), VR_T((row)->mem_limit),                          \
        VR_T((row)->memsw_limit), VR_T(vr_row_or((row)->policy_json, "{}")),                       \
        VR_T(vr_row_or((row)->merged_config_json, "{}")),                                          \
        VR_T(vr_row_or((row)->merged_env_json, "{}")), VR_B((row)->paused),                        \
        VR_T(vr_row_or((row)->secret_config_json, "{}")),                                          \
        VR_T(vr_row_or((row)->secret_env_json, "{}"))

int vr_store_swarm_insert(struct vr_tx *tx, const struct vr_swarm_row *row, int64_t *out_id,
                          struct vr_err *err)
{
    int r = vr_db_insert(
        tx->db, out_id, err,
        "INSERT INTO swarms (app_id, config_name, proc_name, squad_id, size, tag, pool,"
        " balancer_id, config_yaml, config_json, env_yaml, env_json, volumes_json, run_as,"
        " mem_limit, memsw_limit, policy_json, merged_config_json, merged_env_json, paused,"
        " secret_config_json, secret_env_json)"
        " VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17,"
        " $18, $19, $20, $21, $22) RETURNING id",
        WISH(row));

    if (r == -VR_EXISTS)
        return vr_fail(err, VR_EXISTS,
                       "a swarm of this app, proc '%s', config '%s' and squad exists already",
                       row->proc_name, row->config_name);
    if (r == 0)
        vr_store_changed(tx, VR_OBJECT_SWARM, *out_id);
    return r;
}

int vr_store_swarm_update(struct vr_tx *tx, const struct vr_swarm_row *row, struct vr_err *err)
{
    int r = vr_row_change(
        tx, "swarm", row->id, err,
        "UPDATE swarms SET app_id = $2, config_name = $3, proc_name = $4, squad_id = $5,"
        " size = $6, tag = $7, pool = $8, balancer_id = $9, config_yaml = $10, config_json = $11,"
        " env_yaml = $12, env_json = $13, volumes_json = $14, run_as = $15, mem_limit = $16,"
        " memsw_limit = $17, policy_json = $18, merged_config_json = $19, merged_env_json = $20,"
        " paused = $21, secret_config_json = $22, secret_env_json = $23,"
        " row_version = row_version + 1 WHERE id = $1",
        VR_I(row->id), WISH(row));

    if (r < 0)
        return r;
    vr_store_touch_swarm(tx, row->id);
    return 0;
}

int vr_store_swarm_set_ingredients(struct vr_tx *tx, int64_t id, const int64_t *ingredient_ids,
                                   size_t count, struct vr_err *err)
{
    vr_auto_free char *ids = vr_row_ids_text(ingredient_ids, count);
    int r =
        vr_row_change(tx, "swarm", id, err,
                      "UPDATE swarms SET row_version = row_version + 1 WHERE id = $1", VR_I(id));

    if (r == 0)
        r = vr_db_exec(tx->db, NULL, err, "DELETE FROM swarm_ingredients WHERE swarm_id = $1",
                       VR_I(id));
    if (r == 0)
        r = vr_db_exec(tx->db, NULL, err,
                       "INSERT INTO swarm_ingredients (swarm_id, ingredient_id)"
                       " SELECT $1, id FROM ingredients WHERE id IN @IDS($2)@",
                       VR_I(id), VR_T(ids));
    return r;
}

int vr_store_swarm_set_merged(struct vr_tx *tx, int64_t id, const struct vr_swarm_merged *merged,
                              struct vr_err *err)
{
    return vr_row_change(tx, "swarm", id, err,
                         "UPDATE swarms SET merged_config_json = $2, merged_env_json = $3,"
                         " config_sha256 = $4 WHERE id = $1",
                         VR_I(id), VR_T(merged->config_json), VR_T(merged->env_json),
                         VR_T(merged->sum));
}

int vr_store_swarm_ids_unsummed(struct vr_tx *tx, int64_t **out_ids, size_t *out_n,
                                struct vr_err *err)
{
    return vr_row_ids(tx, out_ids, out_n, err,
                      "SELECT id FROM swarms WHERE config_sha256 = '' ORDER BY id");
}

int vr_store_swarm_set_current(struct vr_tx *tx, int64_t id, const char *rollout_id,
                               struct vr_err *err)
{
    vr_store_touch_swarm(tx, id);
    return vr_row_change(tx, "swarm", id, err,
                         "UPDATE swarms SET current_rollout = $2 WHERE id = $1", VR_I(id),
                         VR_T(rollout_id));
}

int vr_store_swarm_set_heal(struct vr_tx *tx, int64_t id, int64_t failures,
                            struct vr_wall heal_after, struct vr_err *err)
{
    return vr_row_change(tx, "swarm", id, err,
                         "UPDATE swarms SET heal_failures = $2, heal_after_us = $3 WHERE id = $1",
                         VR_I(id), VR_I(failures), VR_I(heal_after.us));
}

static const struct vr_row_use uses[] = {
    {"procs",
     "SELECT p.name FROM procs p WHERE p.swarm_id = $1 AND " VR_PROC_LIVE("p") " ORDER BY p.name"},
    {"open rollouts", "SELECT id FROM rollouts WHERE swarm_id = $1 AND state <> 'ended'"},
    /* Nodes that only drain are those of procs that have stopped since. */
    {"pools", "SELECT name FROM pools WHERE swarm_id = $1"
              " AND members_json LIKE '%\"state\":\"active\"%'"},
};

/* Children before their parents. */
static const char *const deletes[] = {
    "DELETE FROM commands WHERE proc_id IN (SELECT id FROM procs WHERE swarm_id = $1)",
    "DELETE FROM procs WHERE swarm_id = $1",
    "DELETE FROM pool_hosts WHERE pool_id IN (SELECT id FROM pools WHERE swarm_id = $1)",
    "DELETE FROM pools WHERE swarm_id = $1",
    "DELETE FROM jobs WHERE rollout_id IN (SELECT id FROM rollouts WHERE swarm_id = $1)",
    "DELETE FROM rollout_steps WHERE rollout_id IN (SELECT id FROM rollouts WHERE swarm_id = $1)",
    "DELETE FROM rollouts WHERE swarm_id = $1",
    "DELETE FROM swarm_ingredients WHERE swarm_id = $1",
    "DELETE FROM swarms WHERE id = $1",
};

int vr_store_swarm_delete(struct vr_tx *tx, int64_t id, struct vr_err *err)
{
    VR_ROW(swarm) row = {0};
    vr_auto_free char *name = NULL;
    int r = vr_store_swarm_find_id(tx, id, &row, err);

    if (r < 0)
        return r;
    name = vr_strf("%s-%s-%s", row.app_name, row.config_name, row.proc_name);
    r = vr_row_refuse_used(tx, "swarm", name, id, uses, VR_COUNT(uses), err);
    if (r == 0) /* its empty pools disappear from the balancers */
        r = vr_row_touch_hosts(tx, err,
                               "SELECT b.host_id FROM pools p JOIN balancer_hosts b"
                               " ON b.balancer_id = p.balancer_id WHERE p.swarm_id = $1",
                               VR_I(id));
    for (size_t i = 0; r == 0 && i < VR_COUNT(deletes); i++)
        r = vr_db_exec(tx->db, NULL, err, deletes[i], VR_I(id));
    vr_store_changed(tx, VR_OBJECT_SWARM, id);
    return r;
}

int vr_store_swarm_ids(struct vr_tx *tx, int64_t **out_ids, size_t *out_n, struct vr_err *err)
{
    return vr_row_ids(tx, out_ids, out_n, err,
                      "SELECT id FROM swarms WHERE current_rollout IS NOT NULL"
                      " UNION SELECT swarm_id FROM rollouts WHERE state IN ('active', 'queued')"
                      " UNION SELECT p.swarm_id FROM procs p WHERE " VR_PROC_LIVE(
                          "p") " AND p.swarm_id IS NOT NULL ORDER BY 1");
}
