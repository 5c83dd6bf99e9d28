/* SPDX-License-Identifier: MIT */
/* Rows of users. */
#include "store/user.h"

#include "store/row.h"

#define SELECT_USER                                                                                \
    "SELECT id, username, password, role, first_name, last_name, email, is_active,"                \
    " must_change_password, last_login_us, joined_us, row_version FROM users "

FIELDS(user, "user", I(user, id), T(user, username), T(user, password), T(user, role),
       T(user, first_name), T(user, last_name), T(user, email), B(user, is_active),
       B(user, must_change_password), I(user, last_login_us), I(user, joined_us),
       I(user, row_version))

int vr_store_user_find(struct vr_tx *tx, const char *username, struct vr_user_row *out,
                       struct vr_err *err)
{
    return vr_row_find(tx, &user_type, username, out, err, SELECT_USER "WHERE username = $1",
                       VR_T(username));
}

int vr_store_user_find_id(struct vr_tx *tx, int64_t id, struct vr_user_row *out, struct vr_err *err)
{
    return vr_row_find_id(tx, &user_type, id, out, err, SELECT_USER "WHERE id = $1", VR_I(id));
}

int vr_store_user_count_admins(struct vr_tx *tx, int64_t *out, struct vr_err *err)
{
    return vr_db_get_i64(tx->db, out, err,
                         "SELECT count(*) FROM users WHERE role = 'admin' AND is_active <> 0");
}

int vr_store_user_insert(struct vr_tx *tx, const struct vr_user_row *row, int64_t *out_id,
                         struct vr_err *err)
{
    int r =
        vr_db_insert(tx->db, out_id, err,
                     "INSERT INTO users (username, password, role, first_name, last_name,"
                     " email, is_active, must_change_password, joined_us)"
                     " VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9) RETURNING id",
                     VR_T(row->username), VR_T(row->password),
                     VR_T(vr_row_or(row->role, "deployer")), VR_T(vr_row_or(row->first_name, "")),
                     VR_T(vr_row_or(row->last_name, "")), VR_T(vr_row_or(row->email, "")),
                     VR_B(row->is_active), VR_B(row->must_change_password), VR_I(row->joined_us));

    return r < 0 ? vr_fail_in(err, r, "user '%s'", row->username) : 0;
}

int vr_store_user_update(struct vr_tx *tx, const struct vr_user_row *row, struct vr_err *err)
{
    return vr_row_change(tx, "user", row->id, err,
                         "UPDATE users SET username = $2, password = $3, role = $4,"
                         " first_name = $5, last_name = $6, email = $7, is_active = $8,"
                         " must_change_password = $9, row_version = row_version + 1 WHERE id = $1",
                         VR_I(row->id), VR_T(row->username), VR_T(row->password), VR_T(row->role),
                         VR_T(vr_row_or(row->first_name, "")), VR_T(vr_row_or(row->last_name, "")),
                         VR_T(vr_row_or(row->email, "")), VR_B(row->is_active),
                         VR_B(row->must_change_password));
}

int vr_store_user_logged_in(struct vr_tx *tx, int64_t id, struct vr_wall now, struct vr_err *err)
{
    return vr_row_change(tx, "user", id, err, "UPDATE users SET last_login_us = $2 WHERE id = $1",
                         VR_I(id), VR_I(now.us));
}

int vr_store_user_upgrade_password(struct vr_tx *tx, int64_t id, const char *old, const char *hash,
                                   struct vr_err *err)
{
    return vr_db_exec(tx->db, NULL, err,
                      "UPDATE users SET password = $3 WHERE id = $1 AND password = $2", VR_I(id),
                      VR_T(old), VR_T(hash));
}

static const char *const deletes[] = {
    "DELETE FROM grants WHERE user_id = $1",
    "DELETE FROM sessions WHERE user_id = $1",
    "DELETE FROM tokens WHERE user_id = $1",
    "DELETE FROM idempotency_keys WHERE user_id = $1",
    ("DELETE FROM profile_dashboards WHERE profile_id IN"
     " (SELECT id FROM profiles WHERE user_id = $1)"),
    "DELETE FROM profiles WHERE user_id = $1",
    "UPDATE rollouts SET user_id = NULL WHERE user_id = $1",
    "UPDATE commands SET user_id = NULL WHERE user_id = $1",
    "UPDATE log_entries SET user_id = NULL WHERE user_id = $1",
    "DELETE FROM users WHERE id = $1",
};

int vr_store_user_delete(struct vr_tx *tx, int64_t id, struct vr_err *err)
{
    VR_ROW(user) row = {0};
    int r = vr_store_user_find_id(tx, id, &row, err);

    for (size_t i = 0; r == 0 && i < VR_COUNT(deletes); i++)
        r = vr_db_exec(tx->db, NULL, err, deletes[i], VR_I(id));
    return r;
}

int vr_store_login_is_good(struct vr_tx *tx, const struct vr_login *login, struct vr_wall now,
                           bool *out, struct vr_err *err)
{
    int64_t n = 0;
    int r = vr_db_get_i64(tx->db, &n, err,
                          "SELECT count(*) FROM users u WHERE u.id = $1 AND u.is_active = 1"
                          " AND ($2 = 0 OR EXISTS (SELECT 1 FROM tokens t WHERE t.id = $2"
                          " AND (t.expires_us IS NULL OR t.expires_us > $4)))"
                          " AND ($3 = 0 OR EXISTS (SELECT 1 FROM sessions s WHERE s.id = $3"
                          " AND s.expires_us > $4))",
                          VR_I(login->user_id), VR_I(login->token_id), VR_I(login->session_id),
                          VR_I(now.us));

    if (r == 0)
        *out = n > 0;
    return r;
}
