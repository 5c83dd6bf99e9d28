/* SPDX-License-Identifier: MIT */
/* Rows of squads. */
#include "store/squad.h"

#include "store/row.h"

#define SELECT_SQUAD "SELECT id, name, loss_ack_us, row_version FROM squads "

FIELDS(squad, "squad", I(squad, id), T(squad, name), I(squad, loss_ack_us), I(squad, row_version))

int vr_store_squad_find(struct vr_tx *tx, const char *name, struct vr_squad_row *out,
                        struct vr_err *err)
{
    return vr_row_find(tx, &squad_type, name, out, err, SELECT_SQUAD "WHERE name = $1", VR_T(name));
}

int vr_store_squad_find_id(struct vr_tx *tx, int64_t id, struct vr_squad_row *out,
                           struct vr_err *err)
{
    return vr_row_find_id(tx, &squad_type, id, out, err, SELECT_SQUAD "WHERE id = $1", VR_I(id));
}

int vr_store_squad_insert(struct vr_tx *tx, const struct vr_squad_row *row, int64_t *out_id,
                          struct vr_err *err)
{
    int r = vr_db_insert(tx->db, out_id, err, "INSERT INTO squads (name) VALUES ($1) RETURNING id",
                         VR_T(row->name));

    if (r < 0)
        return vr_fail_in(err, r, "squad '%s'", row->name);
    vr_store_changed(tx, VR_OBJECT_SQUAD, *out_id);
    return 0;
}

int vr_store_squad_update(struct vr_tx *tx, const struct vr_squad_row *row, struct vr_err *err)
{
    return vr_row_change(tx, "squad", row->id, err,
                         "UPDATE squads SET name = $2, row_version = row_version + 1"
                         " WHERE id = $1",
                         VR_I(row->id), VR_T(row->name));
}

/* The engine may place or heal otherwise now: everything that runs in the squad. */
static int touch_swarms(struct vr_tx *tx, int64_t id, struct vr_err *err)
{
    return vr_row_touch_swarms(tx, err, "SELECT id FROM swarms WHERE squad_id = $1", VR_I(id));
}

int vr_store_squad_ack_loss(struct vr_tx *tx, int64_t id, struct vr_wall now, struct vr_err *err)
{
    int r = vr_row_change(tx, "squad", id, err, "UPDATE squads SET loss_ack_us = $2 WHERE id = $1",
                          VR_I(id), VR_I(now.us));

    return r < 0 ? r : touch_swarms(tx, id, err);
}

int vr_store_squad_set_hosts(struct vr_tx *tx, int64_t id, const int64_t *host_ids, size_t count,
                             struct vr_err *err)
{
    vr_auto_free char *ids = vr_row_ids_text(host_ids, count);
    vr_auto_free int64_t *old = NULL;
    size_t old_count = 0;
    int r =
        vr_row_change(tx, "squad", id, err,
                      "UPDATE squads SET row_version = row_version + 1 WHERE id = $1", VR_I(id));

    if (r == 0)
        r = vr_row_ids(tx, &old, &old_count, err, "SELECT id FROM hosts WHERE squad_id = $1",
                       VR_I(id));
    for (size_t i = 0; r == 0 && i < old_count; i++)
        vr_store_changed(tx, VR_OBJECT_HOST, old[i]);
    if (r == 0)
        r = vr_db_exec(tx->db, NULL, err,
                       "UPDATE hosts SET squad_id = NULL, row_version = row_version + 1"
                       " WHERE squad_id = $1 AND id NOT IN @IDS($2)@",
                       VR_I(id), VR_T(ids));
    if (r == 0)
        r = vr_db_exec(tx->db, NULL, err,
                       "UPDATE hosts SET squad_id = $1, row_version = row_version + 1"
                       " WHERE id IN @IDS($2)@ AND coalesce(squad_id, 0) <> $1",
                       VR_I(id), VR_T(ids));
    return r < 0 ? r : touch_swarms(tx, id, err);
}

static const struct vr_row_use uses[] = {
    {"hosts", "SELECT name FROM hosts WHERE squad_id = $1 ORDER BY name"},
    {"swarms", "SELECT a.name || '-' || s.config_name || '-' || s.proc_name"
               " FROM swarms s JOIN apps a ON a.id = s.app_id WHERE s.squad_id = $1 ORDER BY 1"},
    {"rollouts", "SELECT id FROM rollouts WHERE squad_id = $1 ORDER BY created_us DESC"},
};

int vr_store_squad_delete(struct vr_tx *tx, int64_t id, struct vr_err *err)
{
    VR_ROW(squad) row = {0};
    int r = vr_store_squad_find_id(tx, id, &row, err);

    if (r == 0)
        r = vr_row_refuse_used(tx, "squad", row.name, id, uses, VR_COUNT(uses), err);
    if (r == 0)
        r = vr_db_exec(tx->db, NULL, err, "DELETE FROM squads WHERE id = $1", VR_I(id));
    vr_store_changed(tx, VR_OBJECT_SQUAD, id);
    return r;
}
