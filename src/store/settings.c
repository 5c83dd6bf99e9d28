/* SPDX-License-Identifier: MIT */
/* Rows of settings. */
#include "store/settings.h"

#include "store/row.h"

int vr_store_setting_find(struct vr_tx *tx, const char *name, char **out, struct vr_err *err)
{
    VR_OWNED(vr_db_rows_free) struct vr_db_rows *rows = NULL;
    int r =
        vr_db_query(tx->db, &rows, err, "SELECT value FROM settings WHERE name = $1", VR_T(name));

    if (r == 0)
        r = vr_db_next(rows, err);
    if (r < 0)
        return r;
    if (r == 0)
        return vr_fail(err, VR_NOT_FOUND, "setting '%s' does not exist", name);
    *out = vr_db_text_dup(rows, 0);
    return 0;
}

int vr_store_setting_set(struct vr_tx *tx, const char *name, const char *value, struct vr_err *err)
{
    return vr_db_exec(tx->db, NULL, err,
                      "INSERT INTO settings (name, value) VALUES ($1, $2)"
                      " ON CONFLICT (name) DO UPDATE SET value = excluded.value",
                      VR_T(name), VR_T(value));
}

int vr_store_setting_take(struct vr_tx *tx, const char *name, const char *value, char **out,
                          struct vr_err *err)
{
    int r = vr_db_exec(tx->db, NULL, err,
                       "INSERT INTO settings (name, value) VALUES ($1, $2)"
                       " ON CONFLICT (name) DO NOTHING",
                       VR_T(name), VR_T(value));

    return r < 0 ? r : vr_store_setting_find(tx, name, out, err);
}
