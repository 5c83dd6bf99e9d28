/* SPDX-License-Identifier: MIT */
/* What a plain scalar means in YAML 1.1; shared by the reader and the writer of fmt/yaml. */
#ifndef VR_FMT_YAML_SCALAR_H
#define VR_FMT_YAML_SCALAR_H

#include "fmt/json.h"

enum vr_yaml_kind {
    VR_YAML_STR,
    VR_YAML_NULL,
    VR_YAML_BOOL,
    VR_YAML_INT,
    VR_YAML_FLOAT,
    VR_YAML_TIMESTAMP,
    VR_YAML_MERGE, /* << */
    VR_YAML_VALUE, /* = */
};

/** The type that PyYAML's implicit resolvers give a plain scalar. */
enum vr_yaml_kind vr_yaml_kind(struct vr_str s);

/** "a boolean", for messages. */
const char *vr_yaml_kind_title(enum vr_yaml_kind kind);

/**
 * The value of a scalar of that kind. Returns -VR_PARSE for what does not fit 64 bits, is not
 * finite, or has a NUL in it.
 */
VR_MUST_USE
int vr_yaml_construct(enum vr_yaml_kind kind, struct vr_str s, json_t **out, struct vr_err *err);

#endif
