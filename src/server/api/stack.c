/* SPDX-License-Identifier: MIT */
/* Stacks with their provisioning scripts, and the images made of them. */
#include "store/stack.h"
#include "blob/blob.h"
#include "server/api/noun_history.h"
#include "store/image.h"

/* ------------------------------------------------------------------ stacks */

/* The script is uploaded by itself; here it can only be taken away. */
static int read_script(struct vr_write *w, void *row, const json_t *value, struct vr_err *err)
{
    struct vr_stack_row *stack = row;

    if (json_is_null(value)) {
        vr_noun_set(&stack->script_name, NULL);
        vr_noun_set(&stack->script_sha256, NULL);
    }
    return 0;
}

static const struct vr_noun_field stack_fields[] = {
    {"name", VR_NOUN_NAME, offsetof(struct vr_stack_row, name), true, VR_NAME_STACK},
    {"desc", VR_NOUN_TEXT, offsetof(struct vr_stack_row, description)},
    {"base_image_url", VR_NOUN_OPTION, offsetof(struct vr_stack_row, base_image_url), false,
     VR_NAME_HTTP_URL},
    {"provisioning_script", VR_NOUN_OWN, offsetof(struct vr_stack_row, script_name),
     .read = read_script},
};

VR_NOUN_STORE(stack)
VR_NOUN_UPDATE(stack)
VR_NOUN_FIND_NAME(stack)

static char *stack_label(const void *row)
{
    const struct vr_stack_row *stack = row;

    return vr_strdup(stack->name);
}

static void stack_preset(const struct vr_write *w, void *row)
{
    struct vr_stack_row *stack = row;

    stack->description = vr_strdup("");
}

static const struct vr_noun stack_noun = {
    .resource = VR_RES_STACKS,
    .title = "stack",
    .fields = stack_fields,
    .field_count = VR_COUNT(stack_fields),
    .page = "/stacks/",
    .is_keyed_by_name = true,
    .row_bytes = sizeof(struct vr_stack_row),
    .id_offset = offsetof(struct vr_stack_row, id),
    .version_offset = offsetof(struct vr_stack_row, row_version),
    .find = stack_find,
    .insert = stack_insert,
    .update = stack_update,
    .remove = stack_remove,
    .fini = stack_fini,
    .label = stack_label,
    .preset = stack_preset,
};

VR_NOUN_HANDLER(stack, create)
VR_NOUN_HANDLER(stack, replace)
VR_NOUN_HANDLER(stack, patch)
VR_NOUN_HANDLER(stack, patch_list)
VR_NOUN_HANDLER(stack, delete)
VR_NOUN_HISTORY(stack)

/* ------------------------------------------------------------------ provisioning scripts */

/* What was uploaded, before the transaction: bytes are written once, whoever waits. */
struct upload {
    const char *name;
    struct vr_blob_name blob;
};

static int store_bytes(struct vr_call *call, struct vr_blob_name *out, struct vr_err *err)
{
    VR_OWNED(vr_blob_abort) struct vr_blob_writer *writer = NULL;
    struct vr_str body = vr_http_req_body(call->req);
    int r;

    if (body.n == 0)
        return vr_fail(err, VR_INVALID, "the provisioning script is empty");
    r = vr_blob_begin(call->server->blobs, &writer, err);
    if (r == 0)
        r = vr_blob_write(writer, body.p, body.n, err);
    return r < 0 ? r : vr_blob_commit(writer, NULL, out, err);
}

static int set_script(struct vr_write *w, struct vr_err *err)
{
    const struct upload *upload = w->arg;
    VR_ROW(stack) stack = {0};
    VR_ROW(stack) owner = {0};
    vr_auto_free char *object = NULL;
    int r = vr_store_stack_find(w->tx, w->call->args[0], &stack, err);

    if (r < 0)
        return r;
    if (vr_write_is_outdated(w, VR_RES_STACKS, stack.id, stack.row_version))
        return 0;
    r = vr_store_stack_find_script(w->tx, upload->name, &owner, err);
    if (r < 0 && r != -VR_NOT_FOUND)
        return r;
    if (r == 0 && owner.id != stack.id)
        return vr_fail(err, VR_EXISTS, "stack '%s' has a provisioning script '%s'", owner.name,
                       upload->name);
    vr_noun_set(&stack.script_name, upload->name);
    vr_noun_set(&stack.script_sha256, upload->blob.sha256);
    r = vr_store_stack_update(w->tx, &stack, err);
    object = vr_strf("provisioning script '%s' of stack %s", upload->name, stack.name);
    if (r == 0)
        r = vr_write_tell(w,
                          &(struct vr_told){.action = "upload",
                                            .object = object,
                                            .resource = vr_resource_name(VR_RES_STACKS),
                                            .object_id = stack.id,
                                            .name = stack.name},
                          err);
    return r < 0 ? r : vr_write_answer(w, 204, NULL, NULL);
}

/* `?name=` is the file's name; names of files have the alphabet of stacks. */
static int upload_script(struct vr_call *call, struct vr_err *err)
{
    struct upload upload = {.name = vr_query_find(vr_http_req_query(call->req), "name")};
    int r = vr_name_check(VR_NAME_STACK, upload.name, NULL);

    if (r < 0)
        return vr_fail(err, VR_INVALID,
                       "the name of the script, in ?name=, has 1 to %zu characters of A-Z a-z 0-9 "
                       "_ . -",
                       vr_name_max(VR_NAME_STACK));
    r = store_bytes(call, &upload.blob, err);
    return r < 0 ? r : vr_write_run(call, set_script, &upload, err);
}

/* ------------------------------------------------------------------ images */

static const struct vr_noun_field image_fields[] = {
    {"active", VR_NOUN_BOOL, offsetof(struct vr_image_row, active)},
};

VR_NOUN_UPDATE(image)
VR_NOUN_FIND_ID(image)

static void image_fini(void *row)
{
    vr_image_row_fini(row);
}

static char *image_label(const void *row)
{
    const struct vr_image_row *image = row;

    return vr_strdup(image->name);
}

/* What has no file yet cannot be what apps run in. */
static int image_check(struct vr_write *w, void *row, const json_t *body, struct vr_err *err)
{
    const struct vr_image_row *image = row;

    if (!image->active || image->file)
        return 0;
    w->field = "active";
    return vr_fail(err, VR_INVALID, "image '%s' is not built", image->name);
}

static const struct vr_noun image_noun = {
    .resource = VR_RES_IMAGES,
    .title = "image",
    .fields = image_fields,
    .field_count = VR_COUNT(image_fields),
    .page = "/images/",
    .row_bytes = sizeof(struct vr_image_row),
    .id_offset = offsetof(struct vr_image_row, id),
    .version_offset = offsetof(struct vr_image_row, row_version),
    .find = image_find,
    .update = image_update,
    .fini = image_fini,
    .label = image_label,
    .check = image_check,
};

VR_NOUN_HANDLER(image, patch)

const struct vr_route vr_routes_stack[] = {
    {"POST", "stacks", VR_ROLE_ADMIN, stack_create},
    {"PUT", "stacks/*", VR_ROLE_ADMIN, stack_replace},
    {"PATCH", "stacks/*", VR_ROLE_ADMIN, stack_patch},
    {"PATCH", "stacks", VR_ROLE_ADMIN, stack_patch_list},
    {"DELETE", "stacks/*", VR_ROLE_ADMIN, stack_delete},
    VR_NOUN_HISTORY_ROUTES(stack, "stacks", VR_ROLE_VIEWER, VR_ROLE_ADMIN, VR_SCOPE_PLATFORM),
    {"PUT", "stacks/*/script", VR_ROLE_ADMIN, upload_script, .flags = VR_ROUTE_RAW},
    {"PATCH", "images/*", VR_ROLE_ADMIN, image_patch},
    {NULL},
};
