/* SPDX-License-Identifier: MIT */
/* Grants: a user's role for what belongs to one app. */
#ifndef VR_STORE_GRANT_H
#define VR_STORE_GRANT_H

#include "store/store.h"

struct vr_grant_row {
    int64_t id;
    int64_t user_id;
    int64_t app_id;
    char *role;     /* deployer */
    char *app_name; /* joined */
};

VR_DECLARE_ROW(grant);

/** Of one user, by the names of the apps. */
VR_MUST_USE
int vr_store_grant_list(struct vr_tx *tx, int64_t user_id, struct vr_grant_rows *out,
                        struct vr_err *err);
/** Replace the grants of a user by the role deployer for these apps, each named once. */
VR_MUST_USE
int vr_store_grant_set(struct vr_tx *tx, int64_t user_id, const int64_t *app_ids, size_t count,
                       struct vr_err *err);

#endif
