/* SPDX-License-Identifier: MIT */
/* Rows of the log of what users did. */
#include "store/log.h"

#include "store/row.h"

int vr_store_log_add(struct vr_tx *tx, const struct vr_log_entry *entry, struct vr_wall now,
                     struct vr_err *err)
{
    return vr_db_exec(tx->db, NULL, err,
                      "INSERT INTO log_entries (type, time_us, user_id, message, remote)"
                      " VALUES ($1, $2, $3, $4, $5)",
                      VR_T(entry->type), VR_I(now.us), VR_ID(entry->user_id), VR_T(entry->message),
                      VR_T(vr_row_or(entry->remote, "")));
}
