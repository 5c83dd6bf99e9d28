/* SPDX-License-Identifier: MIT */
/* Dashboards: named selections of apps. */
#ifndef VR_STORE_DASHBOARD_H
#define VR_STORE_DASHBOARD_H

#include "store/store.h"

struct vr_dashboard_row {
    int64_t id;
    char *name;
    char *slug; /* of its address; unique */
    int64_t row_version;
};

VR_DECLARE_ROW(dashboard);

VR_MUST_USE
int vr_store_dashboard_find_id(struct vr_tx *tx, int64_t id, struct vr_dashboard_row *out,
                               struct vr_err *err);
/** @out the dashboard of another id than `id` that has this slug */
VR_MUST_USE
int vr_store_dashboard_find_slug(struct vr_tx *tx, const char *slug, int64_t id,
                                 struct vr_dashboard_row *out, struct vr_err *err);
VR_MUST_USE
int vr_store_dashboard_insert(struct vr_tx *tx, const struct vr_dashboard_row *row, int64_t *out_id,
                              struct vr_err *err);
VR_MUST_USE
int vr_store_dashboard_update(struct vr_tx *tx, const struct vr_dashboard_row *row,
                              struct vr_err *err);
/** Replace the list of its apps. */
VR_MUST_USE
int vr_store_dashboard_set_apps(struct vr_tx *tx, int64_t id, const int64_t *app_ids, size_t count,
                                struct vr_err *err);
/** Profiles that had it have it no longer. */
VR_MUST_USE
int vr_store_dashboard_delete(struct vr_tx *tx, int64_t id, struct vr_err *err);

#endif
