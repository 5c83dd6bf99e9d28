/* SPDX-License-Identifier: MIT */
/*
 * The body of a request as the API reads it: the JSON, then each of its members as a YAML field, as
 * volumes and as a policy. What is accepted is kept as YAML that says the same when it is read
 * again.
 */
#include "model/field.h"
#include "fmt/yaml.h"
#include "model/policy.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

typedef int read_fn(const json_t *value, struct vr_field *out, struct vr_err *err);

static void check_field(read_fn *read, const json_t *value)
{
    vr_auto_field struct vr_field field = {0};
    vr_auto_field struct vr_field again = {0};
    vr_auto_json json_t *text = NULL;
    vr_auto_json json_t *parsed = NULL;

    if (read(value, &field, NULL) < 0)
        return;
    if (vr_yaml_parse(vr_str(field.yaml), &parsed, NULL) < 0 || !json_equal(parsed, field.json))
        abort();
    text = json_string(field.yaml);
    if (read(text, &again, NULL) < 0 || !vr_streq(again.yaml, field.yaml))
        abort();
}

static void check_policy(const json_t *value)
{
    struct vr_policy policy = vr_policy_default(), again = vr_policy_default();
    vr_auto_json json_t *kept = NULL;
    vr_auto_json json_t *same = NULL;

    if (vr_policy_merge(&policy, value, NULL) < 0)
        return;
    kept = vr_policy_to_json(&policy);
    if (vr_policy_merge(&again, kept, NULL) < 0)
        abort();
    same = vr_policy_to_json(&again);
    if (!json_equal(kept, same))
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    vr_auto_json json_t *body = NULL;
    const char *name;
    json_t *value;

    if (vr_json_parse_object((struct vr_str){(const char *)data, size}, VR_JSON_BYTES, &body,
                             NULL) < 0)
        return 0;
    check_policy(body);
    json_object_foreach (body, name, value) {
        check_field(vr_field_dict, value);
        check_field(vr_field_env, value);
        check_field(vr_field_volumes, value);
        check_policy(value);
    }
    return 0;
}
