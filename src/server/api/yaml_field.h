/* SPDX-License-Identifier: MIT */
/* The YAML fields of rows: canonical text and JSON text side by side. */
#ifndef VR_SERVER_API_YAML_FIELD_H
#define VR_SERVER_API_YAML_FIELD_H

#include "fmt/json.h"

/*
 * Read a field as src/model/field.h has it into both texts of a row; these are replaced on success
 * only. The JSON of an empty one is "{}", of no volumes "[]".
 */
VR_MUST_USE
int vr_yaml_field_dict(const json_t *value, char **yaml, char **json, struct vr_err *err);
VR_MUST_USE
int vr_yaml_field_env(const json_t *value, char **yaml, char **json, struct vr_err *err);
VR_MUST_USE
int vr_yaml_field_volumes(const json_t *value, char **json, struct vr_err *err);

/** Both texts of an empty dict. */
void vr_yaml_field_empty(char **yaml, char **json);

#endif
