/* SPDX-License-Identifier: MIT */
/* Buildpacks, in the order in which they are asked. */
#ifndef VR_STORE_BUILDPACK_H
#define VR_STORE_BUILDPACK_H

#include "store/store.h"

struct vr_buildpack_row {
    int64_t id;
    char *repo_url;
    char *repo_type;
    char *description;
    int64_t ord;
    int64_t row_version;
};

VR_DECLARE_ROW(buildpack);

VR_MUST_USE
int vr_store_buildpack_find_id(struct vr_tx *tx, int64_t id, struct vr_buildpack_row *out,
                               struct vr_err *err);
VR_MUST_USE
int vr_store_buildpack_find_url(struct vr_tx *tx, const char *repo_url,
                                struct vr_buildpack_row *out, struct vr_err *err);
/** All, by order and id. */
VR_MUST_USE
int vr_store_buildpack_list(struct vr_tx *tx, struct vr_buildpack_rows *out, struct vr_err *err);
VR_MUST_USE
int vr_store_buildpack_insert(struct vr_tx *tx, const struct vr_buildpack_row *row, int64_t *out_id,
                              struct vr_err *err);
VR_MUST_USE
int vr_store_buildpack_update(struct vr_tx *tx, const struct vr_buildpack_row *row,
                              struct vr_err *err);
/** Refused while an app names it. */
VR_MUST_USE
int vr_store_buildpack_delete(struct vr_tx *tx, int64_t id, struct vr_err *err);

#endif
