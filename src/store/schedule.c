/* SPDX-License-Identifier: MIT */
/* Rows of scheduled tasks. */
#include "store/schedule.h"

#include "store/row.h"

FIELDS(schedule, "task", T(schedule, task), I(schedule, planned_us), B(schedule, asked),
       I(schedule, runs), I(schedule, started_us), I(schedule, ended_us), T(schedule, result))

int vr_store_schedule_find(struct vr_tx *tx, const char *task, struct vr_schedule_row *out,
                           struct vr_err *err)
{
    int r = vr_row_find(tx, &schedule_type, task, out, err,
                        "SELECT task, planned_us, asked, runs, started_us, ended_us, result"
                        " FROM schedules WHERE task = $1",
                        VR_T(task));

    if (r != -VR_NOT_FOUND)
        return r;
    out->task = vr_strdup(task);
    out->result = vr_strdup("");
    return 0;
}

int vr_store_schedule_plan(struct vr_tx *tx, const char *task, int64_t planned_us,
                           struct vr_err *err)
{
    return vr_db_exec(tx->db, NULL, err,
                      "INSERT INTO schedules (task, planned_us) VALUES ($1, $2)"
                      " ON CONFLICT (task) DO UPDATE SET planned_us = excluded.planned_us",
                      VR_T(task), VR_I(planned_us));
}

int vr_store_schedule_ask(struct vr_tx *tx, const char *task, struct vr_err *err)
{
    return vr_db_exec(tx->db, NULL, err,
                      "INSERT INTO schedules (task, asked) VALUES ($1, 1)"
                      " ON CONFLICT (task) DO UPDATE SET asked = 1",
                      VR_T(task));
}

int vr_store_schedule_start(struct vr_tx *tx, const char *task, int64_t planned_us,
                            struct vr_wall now, struct vr_err *err)
{
    return vr_db_exec(tx->db, NULL, err,
                      "INSERT INTO schedules (task, planned_us, runs, started_us)"
                      " VALUES ($1, $2, 1, $3) ON CONFLICT (task) DO UPDATE SET"
                      " planned_us = excluded.planned_us, runs = schedules.runs + 1, asked = 0,"
                      " started_us = excluded.started_us, ended_us = NULL, result = ''",
                      VR_T(task), VR_I(planned_us), VR_I(now.us));
}

int vr_store_schedule_end(struct vr_tx *tx, const char *task, const char *result,
                          struct vr_wall now, struct vr_err *err)
{
    return vr_db_exec(tx->db, NULL, err,
                      "UPDATE schedules SET ended_us = $2, result = $3"
                      " WHERE task = $1 AND started_us IS NOT NULL AND ended_us IS NULL",
                      VR_T(task), VR_I(now.us), VR_T(result));
}

int vr_store_schedule_touch_hosts(struct vr_tx *tx, struct vr_err *err)
{
    return vr_row_touch_hosts(tx, err, "SELECT id FROM hosts WHERE token_sha256 IS NOT NULL");
}
