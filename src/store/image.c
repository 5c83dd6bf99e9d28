/* SPDX-License-Identifier: MIT */
/* Rows of images. */
#include "store/image.h"

#include "store/row.h"

#define SELECT_IMAGE                                                                               \
    "SELECT id, stack_id, name, file, file_md5, file_sha256, base_image_url, base_image_name,"     \
    " provisioning_script_url, build_log, active, created_us, row_version FROM images "

FIELDS(image, "image", I(image, id), I(image, stack_id), T(image, name), T(image, file),
       T(image, file_md5), T(image, file_sha256), T(image, base_image_url),
       T(image, base_image_name), T(image, provisioning_script_url), T(image, build_log),
       B(image, active), I(image, created_us), I(image, row_version))

int vr_store_image_find_id(struct vr_tx *tx, int64_t id, struct vr_image_row *out,
                           struct vr_err *err)
{
    return vr_row_find_id(tx, &image_type, id, out, err, SELECT_IMAGE "WHERE id = $1", VR_I(id));
}

int vr_store_image_find_active(struct vr_tx *tx, int64_t stack_id, struct vr_image_row *out,
                               struct vr_err *err)
{
    return vr_row_find(tx, &image_type, "active", out, err,
                       SELECT_IMAGE "WHERE stack_id = $1 AND active = 1 ORDER BY id DESC LIMIT 1",
                       VR_I(stack_id));
}

int vr_store_image_find_file(struct vr_tx *tx, const char *file, struct vr_image_row *out,
                             struct vr_err *err)
{
    return vr_row_find(tx, &image_type, file, out, err, SELECT_IMAGE "WHERE file = $1", VR_T(file));
}

int vr_store_image_insert(struct vr_tx *tx, const struct vr_image_row *row, int64_t *out_id,
                          struct vr_err *err)
{
    int r = vr_db_insert(
        tx->db, out_id, err,
        "INSERT INTO images (stack_id, name, file, file_md5, file_sha256, base_image_url,"
        " base_image_name, provisioning_script_url, build_log, active, created_us)"
        " VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11) RETURNING id",
        VR_ID(row->stack_id), VR_T(row->name), VR_T(row->file), VR_T(row->file_md5),
        VR_T(row->file_sha256), VR_T(vr_row_or(row->base_image_url, "")),
        VR_T(vr_row_or(row->base_image_name, "")),
        VR_T(vr_row_or(row->provisioning_script_url, "")), VR_T(row->build_log), VR_B(row->active),
        VR_I(row->created_us));

    return r < 0 ? vr_fail_in(err, r, "image '%s'", row->name) : 0;
}

int vr_store_image_update(struct vr_tx *tx, const struct vr_image_row *row, struct vr_err *err)
{
    return vr_row_change(
        tx, "image", row->id, err,
        "UPDATE images SET active = $2, row_version = row_version + 1 WHERE id = $1", VR_I(row->id),
        VR_B(row->active));
}
