/* SPDX-License-Identifier: MIT */
/*
 * The YAML fields of the model.
 *
 * "Invalid dict", "Invalid list" and "Invalid YAML" are the contract's words, seen by people and
 * scripts, so they keep their capital.
 */
#include "model/field.h"

#include "fmt/yaml.h"
#include "model/merge.h"
#include "model/name.h"
#include "model/secret.h"

void vr_field_fini(struct vr_field *field)
{
    free(field->yaml);
    json_decref(field->json);
    *field = (struct vr_field){0};
}

/* The value of a field that may come as text; *out is a new reference. */
static int load(const json_t *value, json_t **out, struct vr_err *err)
{
    struct vr_err why = VR_ERR_NULL;
    int r;

    if (!value) {
        *out = json_null();
        return 0;
    }
    if (!json_is_string(value)) {
        *out = json_incref((json_t *)value);
        return 0;
    }
    r = vr_yaml_parse((struct vr_str){json_string_value(value), json_string_length(value)}, out,
                      &why);
    if (r == -VR_LIMIT)
        return vr_fail(err, VR_LIMIT, "YAML: %s", why.msg);
    return r < 0 ? vr_fail(err, VR_INVALID, "Invalid YAML: %s", why.msg) : 0;
}

/* JSON that came as JSON is under the same limits as YAML. */
static int check_size(const json_t *value, struct vr_err *err)
{
    if (vr_json_depth(value) > VR_YAML_DEPTH)
        return vr_fail(err, VR_LIMIT, "nests deeper than %d levels", VR_YAML_DEPTH);
    if (vr_json_count(value) > VR_YAML_NODES)
        return vr_fail(err, VR_LIMIT, "has more than %u values", VR_YAML_NODES);
    return 0;
}

/* Fill both forms from a checked value. */
static int store(const json_t *value, struct vr_field *out, struct vr_err *err)
{
    const json_t *normal = vr_merge_normal(value);
    vr_auto_free char *yaml = normal ? vr_yaml_dump(normal) : vr_strdup("");

    if (strlen(yaml) > VR_FIELD_BYTES)
        return vr_fail(err, VR_LIMIT, "is longer than %u bytes as YAML", VR_FIELD_BYTES);
    out->yaml = vr_take(yaml);
    out->json = normal ? json_incref((json_t *)normal) : json_null();
    return 0;
}

static int check_keys(const json_t *dict, struct vr_err *err)
{
    const char *key;
    json_t *value;

    json_object_foreach ((json_t *)dict, key, value) {
        int r = vr_name_check(VR_NAME_ENV_KEY, key, err);

        if (r < 0)
            return r;
    }
    return 0;
}

/*
 * Nobody writes a reference: it would give him the value of somebody else's secret. And a mask that
 * was copied from what the API shows would replace the value that it stands for.
 */
static int check_secrets(const json_t *dict, struct vr_err *err)
{
    const char *key;
    json_t *value;

    if (vr_secret_is_mentioned(dict))
        return vr_fail(err, VR_INVALID,
                       "'" VR_SECRET_KEY "' is no key of a dict: a secret value is set by the "
                       "field 'secrets'");
    json_object_foreach ((json_t *)dict, key, value) {
        if (vr_streq(json_string_value(value), VR_SECRET_MASK))
            return vr_fail(err, VR_INVALID,
                           "'%s' has the mask of a secret as its value: leave the key out, or set "
                           "its value by the field 'secrets'",
                           key);
    }
    return 0;
}

static int dict(const json_t *value, bool is_env, struct vr_field *out, struct vr_err *err)
{
    vr_auto_json json_t *json = NULL;
    int r;

    r = load(value, &json, err);
    if (r < 0)
        return r;
    if (vr_merge_normal(json) && !json_is_object(json))
        return vr_fail(err, VR_INVALID, "Invalid dict");
    r = check_size(json, err);
    if (r == 0 && is_env)
        r = check_keys(json, err);
    if (r == 0)
        r = check_secrets(json, err);
    return r < 0 ? r : store(json, out, err);
}

int vr_field_dict(const json_t *value, struct vr_field *out, struct vr_err *err)
{
    return dict(value, false, out, err);
}

int vr_field_env(const json_t *value, struct vr_field *out, struct vr_err *err)
{
    return dict(value, true, out, err);
}

int vr_field_volumes(const json_t *value, struct vr_field *out, struct vr_err *err)
{
    vr_auto_json json_t *json = NULL;
    int r;

    r = load(value, &json, err);
    if (r < 0)
        return r;
    if (vr_merge_normal(json) && !json_is_array(json))
        return vr_fail(err, VR_INVALID, "Invalid list");
    r = vr_name_check_volumes(vr_merge_normal(json), err);
    return r < 0 ? r : store(json, out, err);
}
