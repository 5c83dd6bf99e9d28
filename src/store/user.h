/* SPDX-License-Identifier: MIT */
/* Users. */
#ifndef VR_STORE_USER_H
#define VR_STORE_USER_H

#include "store/store.h"

struct vr_user_row {
    int64_t id;
    char *username;
    char *password; /* hash; never leaves the server */
    char *role;     /* viewer, deployer, admin */
    char *first_name;
    char *last_name;
    char *email;
    bool is_active;
    bool must_change_password;
    int64_t last_login_us; /* 0: never */
    int64_t joined_us;
    int64_t row_version;
};

VR_DECLARE_ROW(user);

VR_MUST_USE
int vr_store_user_find(struct vr_tx *tx, const char *username, struct vr_user_row *out,
                       struct vr_err *err);
VR_MUST_USE
int vr_store_user_find_id(struct vr_tx *tx, int64_t id, struct vr_user_row *out,
                          struct vr_err *err);
/** Those who may do everything and are not switched off. */
VR_MUST_USE
int vr_store_user_count_admins(struct vr_tx *tx, int64_t *out, struct vr_err *err);
VR_MUST_USE
int vr_store_user_insert(struct vr_tx *tx, const struct vr_user_row *row, int64_t *out_id,
                         struct vr_err *err);
/** All but id, joined_us, last_login_us. */
VR_MUST_USE
int vr_store_user_update(struct vr_tx *tx, const struct vr_user_row *row, struct vr_err *err);
VR_MUST_USE
int vr_store_user_logged_in(struct vr_tx *tx, int64_t id, struct vr_wall now, struct vr_err *err);
/** Another hash of the same password, unless it was changed meanwhile. */
VR_MUST_USE
int vr_store_user_upgrade_password(struct vr_tx *tx, int64_t id, const char *old, const char *hash,
                                   struct vr_err *err);
/** With grants, sessions and tokens; what the user did stays, without a name. */
VR_MUST_USE
int vr_store_user_delete(struct vr_tx *tx, int64_t id, struct vr_err *err);

/** What somebody came in by; compared as bytes. */
struct vr_login {
    int64_t user_id, token_id, session_id; /* token and session 0: by password */
};

/** Whether it would still be let in: the user is active, the token or session there and not over.
 */
VR_MUST_USE
int vr_store_login_is_good(struct vr_tx *tx, const struct vr_login *login, struct vr_wall now,
                           bool *out, struct vr_err *err);

#endif
