/* SPDX-License-Identifier: MIT */
/* Profiles: what a user prefers to see. */
#ifndef VR_STORE_PROFILE_H
#define VR_STORE_PROFILE_H

#include "store/store.h"

struct vr_profile_row {
    int64_t id;
    int64_t user_id;
    int64_t default_dashboard_id; /* 0: none */
    int64_t row_version;
};

VR_DECLARE_ROW(profile);

VR_MUST_USE
int vr_store_profile_find_id(struct vr_tx *tx, int64_t id, struct vr_profile_row *out,
                             struct vr_err *err);
VR_MUST_USE
int vr_store_profile_find_user(struct vr_tx *tx, int64_t user_id, struct vr_profile_row *out,
                               struct vr_err *err);
/** An empty one; -VR_EXISTS if the user has one. */
VR_MUST_USE
int vr_store_profile_insert(struct vr_tx *tx, int64_t user_id, struct vr_err *err);
VR_MUST_USE
int vr_store_profile_update(struct vr_tx *tx, const struct vr_profile_row *row, struct vr_err *err);
/** Replace the list of quick dashboards. */
VR_MUST_USE
int vr_store_profile_set_quick(struct vr_tx *tx, int64_t id, const int64_t *dashboard_ids,
                               size_t count, struct vr_err *err);

#endif
