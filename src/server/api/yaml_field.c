/* SPDX-License-Identifier: MIT */
/* The YAML fields of rows. */
#include "server/api/yaml_field.h"

#include "model/field.h"

static char *json_text(const json_t *value, const char *empty)
{
    return json_is_null(value) ? vr_strdup(empty) : vr_json_dump_sorted(value);
}

static void set(char **field, char *text)
{
    free(*field);
    *field = text;
}

static int store(int r, struct vr_field *field, char **yaml, char **json)
{
    if (r < 0)
        return r;
    set(yaml, vr_take(field->yaml));
    set(json, json_text(field->json, "{}"));
    return 0;
}

int vr_yaml_field_dict(const json_t *value, char **yaml, char **json, struct vr_err *err)
{
    vr_auto_field struct vr_field field = {0};

    return store(vr_field_dict(value, &field, err), &field, yaml, json);
}

int vr_yaml_field_env(const json_t *value, char **yaml, char **json, struct vr_err *err)
{
    vr_auto_field struct vr_field field = {0};

    return store(vr_field_env(value, &field, err), &field, yaml, json);
}

int vr_yaml_field_volumes(const json_t *value, char **json, struct vr_err *err)
{
    vr_auto_field struct vr_field field = {0};
    int r = vr_field_volumes(value, &field, err);

    if (r == 0)
        set(json, json_text(field.json, "[]"));
    return r;
}

void vr_yaml_field_empty(char **yaml, char **json)
{
    set(yaml, vr_strdup(""));
    set(json, vr_strdup("{}"));
}
