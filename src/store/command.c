/* SPDX-License-Identifier: MIT */
/* Rows of commands. */
#include "store/command.h"

#include "store/row.h"

#define SELECT_COMMAND                                                                             \
    "SELECT c.id, c.kind, c.proc_id, c.user_id, c.state, c.force, c.step, c.result, c.created_us," \
    " c.ended_us FROM commands c "

FIELDS(command, "command", I(command, id), T(command, kind), I(command, proc_id),
       I(command, user_id), T(command, state), B(command, force), T(command, step),
       T(command, result), I(command, created_us), I(command, ended_us))

static int touch(struct vr_tx *tx, int64_t id, struct vr_err *err)
{
    return vr_row_touch_swarms(tx, err,
                               "SELECT p.swarm_id FROM commands c JOIN procs p ON p.id = c.proc_id"
                               " WHERE c.id = $1 AND p.swarm_id IS NOT NULL",
                               VR_I(id));
}

int vr_store_command_insert(struct vr_tx *tx, const struct vr_command_row *row, int64_t *out_id,
                            struct vr_err *err)
{
    int64_t id;
    int r = vr_db_insert(tx->db, &id, err,
                         "INSERT INTO commands (kind, proc_id, user_id, force, created_us)"
                         " VALUES ($1, $2, $3, $4, $5) RETURNING id",
                         VR_T(row->kind), VR_I(row->proc_id), VR_ID(row->user_id), VR_B(row->force),
                         VR_I(row->created_us));

    if (r == 0)
        r = touch(tx, id, err);
    if (r == 0)
        *out_id = id;
    return r;
}

int vr_store_command_find_id(struct vr_tx *tx, int64_t id, struct vr_command_row *out,
                             struct vr_err *err)
{
    return vr_row_find_id(tx, &command_type, id, out, err, SELECT_COMMAND "WHERE c.id = $1",
                          VR_I(id));
}

int vr_store_command_list_open(struct vr_tx *tx, int64_t swarm_id, struct vr_command_rows *out,
                               struct vr_err *err)
{
    return vr_row_list(tx, &command_type, out, err,
                       SELECT_COMMAND "JOIN procs p ON p.id = c.proc_id"
                                      " WHERE c.state IN ('waiting', 'active')"
                                      " AND coalesce(p.swarm_id, 0) = $1 ORDER BY c.id",
                       VR_I(swarm_id));
}

int vr_store_command_step(struct vr_tx *tx, int64_t id, const char *step, struct vr_err *err)
{
    return vr_row_change(tx, "open command", id, err,
                         "UPDATE commands SET state = 'active', step = $2"
                         " WHERE id = $1 AND state IN ('waiting', 'active')",
                         VR_I(id), VR_T(step));
}

int vr_store_command_end(struct vr_tx *tx, int64_t id, const char *state, const char *result,
                         struct vr_wall now, struct vr_err *err)
{
    int r = vr_row_change(tx, "command", id, err,
                          "UPDATE commands SET state = $2, result = $3, ended_us = $4"
                          " WHERE id = $1",
                          VR_I(id), VR_T(state), VR_T(vr_row_or(result, "")), VR_I(now.us));

    return r < 0 ? r : touch(tx, id, err);
}
