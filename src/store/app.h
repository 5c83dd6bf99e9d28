/* SPDX-License-Identifier: MIT */
/* Apps: a name and a repository. */
#ifndef VR_STORE_APP_H
#define VR_STORE_APP_H

#include "store/store.h"

struct vr_app_row {
    int64_t id;
    char *name;
    char *repo_url;
    char *repo_type;
    int64_t buildpack_id; /* 0: detected */
    int64_t row_version;
};

VR_DECLARE_ROW(app);

VR_MUST_USE
int vr_store_app_find(struct vr_tx *tx, const char *name, struct vr_app_row *out,
                      struct vr_err *err);
VR_MUST_USE
int vr_store_app_find_id(struct vr_tx *tx, int64_t id, struct vr_app_row *out, struct vr_err *err);
VR_MUST_USE
int vr_store_app_insert(struct vr_tx *tx, const struct vr_app_row *row, int64_t *out_id,
                        struct vr_err *err);
VR_MUST_USE
int vr_store_app_update(struct vr_tx *tx, const struct vr_app_row *row, struct vr_err *err);
/** With its builds and releases; refused while it has swarms or procs. */
VR_MUST_USE
int vr_store_app_delete(struct vr_tx *tx, int64_t id, struct vr_err *err);

#endif
