/* SPDX-License-Identifier: MIT */
/* Images: what a stack was built into. */
#ifndef VR_STORE_IMAGE_H
#define VR_STORE_IMAGE_H

#include "store/store.h"

struct vr_image_row {
    int64_t id;
    int64_t stack_id; /* 0: none any more */
    char *name;       /* <stack>_<YYYYMMDD>_<n> */
    char *file;       /* images/…; NULL until it is built, like the next two */
    char *file_md5;
    char *file_sha256;
    char *base_image_url;
    char *base_image_name;
    char *provisioning_script_url;
    char *build_log; /* images/<name>.log; NULL: none */
    bool active;
    int64_t created_us;
    int64_t row_version;
};

VR_DECLARE_ROW(image);

VR_MUST_USE
int vr_store_image_find_id(struct vr_tx *tx, int64_t id, struct vr_image_row *out,
                           struct vr_err *err);
/** The newest active one of a stack: what its apps use now. */
VR_MUST_USE
int vr_store_image_find_active(struct vr_tx *tx, int64_t stack_id, struct vr_image_row *out,
                               struct vr_err *err);
/** By `file`. */
VR_MUST_USE
int vr_store_image_find_file(struct vr_tx *tx, const char *file, struct vr_image_row *out,
                             struct vr_err *err);
VR_MUST_USE
int vr_store_image_insert(struct vr_tx *tx, const struct vr_image_row *row, int64_t *out_id,
                          struct vr_err *err);
/** Changes `active` only; the rest is what was built. */
VR_MUST_USE
int vr_store_image_update(struct vr_tx *tx, const struct vr_image_row *row, struct vr_err *err);

#endif
