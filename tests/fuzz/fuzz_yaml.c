/* SPDX-License-Identifier: MIT */
/* Whatever YAML is accepted is written and read again as the same value. */
#include "fmt/yaml.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    vr_auto_json json_t *value = NULL, *again = NULL;
    vr_auto_free char *text = NULL;
    struct vr_err err = VR_ERR_NULL;
    int r;

    if (vr_yaml_parse((struct vr_str){(const char *)data, size}, &value, &err) < 0)
        return 0;
    if (vr_json_depth(value) > VR_YAML_DEPTH || vr_json_count(value) > VR_YAML_NODES)
        abort();
    text = vr_yaml_dump(value);
    r = vr_yaml_parse(vr_str(text), &again, &err);
    if (r == -VR_LIMIT && strlen(text) > VR_YAML_BYTES)
        return 0;
    if (r < 0 || !json_equal(value, again))
        abort();
    return 0;
}
