/* SPDX-License-Identifier: MIT */
/* The YAML fields of the model: text or object in, canonical YAML and JSON out. */
#ifndef VR_MODEL_FIELD_H
#define VR_MODEL_FIELD_H

#include "fmt/json.h"

#define VR_FIELD_BYTES (1u << 20) /* of canonical YAML */

/** Both forms of a field as they are stored; the empty field is "" and null. */
struct vr_field {
    char *yaml;   /* block style, sorted keys */
    json_t *json; /* object or array, or null */
};

void vr_field_fini(struct vr_field *field);
#define vr_auto_field __attribute__((cleanup(vr_field_fini)))

/**
 * A dict (config, settings): YAML text, a JSON object, null or NULL.
 * @out  filled; release with vr_field_fini()
 *
 * Returns -VR_INVALID with "Invalid dict", "Invalid YAML: …" or "dictionary key must be string",
 * -VR_LIMIT when it is too large. The message does not say which field; add it by vr_fail_in().
 */
VR_MUST_USE
int vr_field_dict(const json_t *value, struct vr_field *out, struct vr_err *err);

/** A dict whose keys are names of environment variables. */
VR_MUST_USE
int vr_field_env(const json_t *value, struct vr_field *out, struct vr_err *err);

/** A list of [host folder, mount point]: YAML text, a JSON array, null. "Invalid list". */
VR_MUST_USE
int vr_field_volumes(const json_t *value, struct vr_field *out, struct vr_err *err);

#endif
