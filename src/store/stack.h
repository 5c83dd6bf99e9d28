/* SPDX-License-Identifier: MIT */
/* Stacks: series of images that apps are built in and run in. */
#ifndef VR_STORE_STACK_H
#define VR_STORE_STACK_H

#include "store/store.h"

struct vr_stack_row {
    int64_t id;
    char *name;
    char *description;
    char *base_image_url; /* NULL: none */
    char *script_name;    /* of the provisioning script; NULL: none */
    char *script_sha256;  /* its blob */
    int64_t row_version;
};

VR_DECLARE_ROW(stack);

VR_MUST_USE
int vr_store_stack_find(struct vr_tx *tx, const char *name, struct vr_stack_row *out,
                        struct vr_err *err);
VR_MUST_USE
int vr_store_stack_find_id(struct vr_tx *tx, int64_t id, struct vr_stack_row *out,
                           struct vr_err *err);
/** Whose provisioning script has this file name. */
VR_MUST_USE
int vr_store_stack_find_script(struct vr_tx *tx, const char *script_name, struct vr_stack_row *out,
                               struct vr_err *err);
VR_MUST_USE
int vr_store_stack_insert(struct vr_tx *tx, const struct vr_stack_row *row, int64_t *out_id,
                          struct vr_err *err);
VR_MUST_USE
int vr_store_stack_update(struct vr_tx *tx, const struct vr_stack_row *row, struct vr_err *err);
/** Refused while apps or images use it. */
VR_MUST_USE
int vr_store_stack_delete(struct vr_tx *tx, int64_t id, struct vr_err *err);

#endif
