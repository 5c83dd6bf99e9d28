/* SPDX-License-Identifier: MIT */
/* Rows of the audit log. */
#include "store/log.h"

#include "fmt/utf8.h"
#include "store/row.h"

#include <string.h>

int vr_store_log_last(struct vr_tx *tx, int64_t *out, struct vr_err *err)
{
    return vr_db_get_i64(tx->db, out, err, "SELECT coalesce(max(id), 0) FROM log_entries");
}

int vr_store_log_add(struct vr_tx *tx, const struct vr_log_entry *entry, struct vr_wall now,
                     struct vr_err *err)
{
    const char *text = vr_row_or(entry->detail, "");
    struct vr_str part = {text, strnlen(text, VR_LOG_DETAIL_MAX)};
    vr_auto_free char *detail = vr_strndup(text, vr_utf8_valid_bytes(part));

    return vr_db_exec(
        tx->db, NULL, err,
        "INSERT INTO log_entries (type, time_us, user_id, message, remote, username, via, resource,"
        " object_id, object_name, app_id, app_name, rollout_id, detail) VALUES ($1, $2, $3, $4, $5,"
        " $6, $7, $8, $9, $10, $11,"
        " coalesce($12, (SELECT name FROM apps WHERE id = $11), ''), $13, $14)",
        VR_T(entry->type), VR_I(now.us), VR_ID(entry->user_id), VR_T(entry->message),
        VR_T(vr_row_or(entry->remote, "")), VR_T(vr_row_or(entry->username, "")),
        VR_T(vr_row_or(entry->via, "")), VR_T(vr_row_or(entry->resource, "")),
        VR_ID(entry->object_id), VR_T(vr_row_or(entry->object_name, "")), VR_ID(entry->app_id),
        VR_T(entry->app_name), VR_T(entry->rollout_id), VR_T(detail));
}
