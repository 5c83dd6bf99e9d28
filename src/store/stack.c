/* SPDX-License-Identifier: MIT */
/* Rows of stacks. */
#include "store/stack.h"

#include "store/row.h"

#define SELECT_STACK                                                                               \
    "SELECT id, name, description, base_image_url, script_name, script_sha256, row_version"        \
    " FROM stacks "

FIELDS(stack, "stack", I(stack, id), T(stack, name), T(stack, description),
       T(stack, base_image_url), T(stack, script_name), T(stack, script_sha256),
       I(stack, row_version))

int vr_store_stack_find(struct vr_tx *tx, const char *name, struct vr_stack_row *out,
                        struct vr_err *err)
{
    return vr_row_find(tx, &stack_type, name, out, err, SELECT_STACK "WHERE name = $1", VR_T(name));
}

int vr_store_stack_find_id(struct vr_tx *tx, int64_t id, struct vr_stack_row *out,
                           struct vr_err *err)
{
    return vr_row_find_id(tx, &stack_type, id, out, err, SELECT_STACK "WHERE id = $1", VR_I(id));
}

int vr_store_stack_find_script(struct vr_tx *tx, const char *script_name, struct vr_stack_row *out,
                               struct vr_err *err)
{
    return vr_row_find(tx, &stack_type, script_name, out, err,
                       SELECT_STACK "WHERE script_name = $1", VR_T(script_name));
}

int vr_store_stack_insert(struct vr_tx *tx, const struct vr_stack_row *row, int64_t *out_id,
                          struct vr_err *err)
{
    int r =
        vr_db_insert(tx->db, out_id, err,
                     "INSERT INTO stacks (name, description, base_image_url, script_name,"
                     " script_sha256) VALUES ($1, $2, $3, $4, $5) RETURNING id",
                     VR_T(row->name), VR_T(vr_row_or(row->description, "")),
                     VR_T(row->base_image_url), VR_T(row->script_name), VR_T(row->script_sha256));

    return r < 0 ? vr_fail_in(err, r, "stack '%s'", row->name) : 0;
}

int vr_store_stack_update(struct vr_tx *tx, const struct vr_stack_row *row, struct vr_err *err)
{
    return vr_row_change(tx, "stack", row->id, err,
                         "UPDATE stacks SET name = $2, description = $3, base_image_url = $4,"
                         " script_name = $5, script_sha256 = $6, row_version = row_version + 1"
                         " WHERE id = $1",
                         VR_I(row->id), VR_T(row->name), VR_T(vr_row_or(row->description, "")),
                         VR_T(row->base_image_url), VR_T(row->script_name),
                         VR_T(row->script_sha256));
}

static const struct vr_row_use uses[] = {
    {"apps", "SELECT name FROM apps WHERE stack_id = $1 ORDER BY name"},
    {"images", "SELECT name FROM images WHERE stack_id = $1 ORDER BY id"},
};

int vr_store_stack_delete(struct vr_tx *tx, int64_t id, struct vr_err *err)
{
    VR_ROW(stack) row = {0};
    int r = vr_store_stack_find_id(tx, id, &row, err);

    if (r == 0)
        r = vr_row_refuse_used(tx, "stack", row.name, id, uses, VR_COUNT(uses), err);
    if (r == 0)
        r = vr_db_exec(tx->db, NULL, err, "DELETE FROM stacks WHERE id = $1", VR_I(id));
    return r;
}
