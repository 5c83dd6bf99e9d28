/* SPDX-License-Identifier: MIT */
/* Shapes of stacks and the images made of them. */
#include "store/shape.h"

#define TABLES(f, g)                                                                               \
    .fields = (f), .field_count = VR_COUNT(f), .filters = (g), .filter_count = VR_COUNT(g)

/* --- stacks --- */

static const struct vr_shape_field image_uri_fields[] = {
    {"", "'/api/v1/images/' || x.id || '/'", vr_write_text},
};

static const struct vr_shape image_uris = {
    .from = "images x",
    .id = "x.id",
    .order = "x.id DESC",
    .fields = image_uri_fields,
    .field_count = VR_COUNT(image_uri_fields),
};

static const struct vr_shape_field stack_fields[] = {
    {"id", "t.id", vr_write_int},
    {"name", "t.name", vr_write_text},
    {"desc", "t.description", vr_write_text},
    {"base_image_url", "t.base_image_url", vr_write_text},
    {"provisioning_script", "'/files/provisioning_scripts/' || t.script_name", vr_write_text},
    {"resource_uri", "'/api/v1/stacks/' || t.name || '/'", vr_write_text},
    {"images", .children = &image_uris, .link = "x.stack_id"},
    {"active_image",
     "(SELECT i.name FROM images i WHERE i.stack_id = t.id AND i.active = 1"
     " ORDER BY i.id DESC LIMIT 1)",
     vr_write_text},
    {"row_version", "t.row_version", vr_write_int},
};

#define IMAGES_OF_STACK "EXISTS (SELECT 1 FROM images fi WHERE fi.stack_id = t.id AND "

static const struct vr_shape_filter stack_filters[] = {
    {"id", VR_FILTER_INT, "t.id"},
    {"name", VR_FILTER_TEXT, "t.name"},
    {"images", VR_FILTER_ID, "fi.id", IMAGES_OF_STACK, ")"},
    {"images__name", VR_FILTER_TEXT, "fi.name", IMAGES_OF_STACK, ")"},
    {"images__active", VR_FILTER_BOOL, "fi.active", IMAGES_OF_STACK, ")"},
};

const struct vr_shape vr_shape_stacks = {
    .from = "stacks t",
    .id = "t.id",
    .key = "t.name",
    .key_is_text = true,
    .order = "t.name",
    TABLES(stack_fields, stack_filters),
};

/* --- images --- */

static const struct vr_shape_field image_fields[] = {
    {"id", "i.id", vr_write_int},
    {"name", "i.name", vr_write_text},
    {"stack", "'/api/v1/stacks/' || t.name || '/'", vr_write_text},
    {"file", "'/files/' || i.file", vr_write_text},
    {"file_md5", "i.file_md5", vr_write_text},
    {"base_image_url", "i.base_image_url", vr_write_text},
    {"base_image_name", "i.base_image_name", vr_write_text},
    {"provisioning_script_url", "i.provisioning_script_url", vr_write_text},
    {"build_log", "'/files/' || i.build_log", vr_write_text},
    {"active", "i.active", vr_write_bool},
    {"created", "i.created_us", vr_write_utc},
    {"resource_uri", "'/api/v1/images/' || i.id || '/'", vr_write_text},
    {"row_version", "i.row_version", vr_write_int},
};

static const struct vr_shape_filter image_filters[] = {
    {"id", VR_FILTER_INT, "i.id"},
    {"name", VR_FILTER_TEXT, "i.name"},
    {"stack", VR_FILTER_ID, "i.stack_id"},
    {"stack__id", VR_FILTER_INT, "i.stack_id"},
    {"stack__name", VR_FILTER_TEXT, "t.name"},
    {"active", VR_FILTER_BOOL, "i.active"},
    {"file_md5", VR_FILTER_TEXT, "i.file_md5"},
};

const struct vr_shape vr_shape_images = {
    .table = "images i",
    .from = "images i LEFT JOIN stacks t ON t.id = i.stack_id",
    .id = "i.id",
    .order = "i.name",
    TABLES(image_fields, image_filters),
};
