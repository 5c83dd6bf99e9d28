/* SPDX-License-Identifier: MIT */
/* Whatever JSON is accepted is written in every form and read again as the same value. */
#include "fmt/json.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_same(const json_t *value, const char *text)
{
    vr_auto_json json_t *again = NULL;

    if (vr_json_parse(vr_str(text), SIZE_MAX, &again, NULL) < 0 || !json_equal(value, again))
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    vr_auto_json json_t *value = NULL;
    vr_auto_free char *compact = NULL, *sorted = NULL, *pretty = NULL;
    vr_auto_buf struct vr_buf python = VR_BUF(SIZE_MAX / 8);

    json_decref(vr_json_text((const char *)data, size));
    if (vr_json_parse((struct vr_str){(const char *)data, size}, VR_JSON_BYTES, &value, NULL) < 0)
        return 0;
    compact = vr_json_dump(value);
    sorted = vr_json_dump_sorted(value);
    pretty = vr_json_dump_pretty(value);
    vr_json_python_dumps(&python, value);
    check_same(value, compact);
    check_same(value, sorted);
    check_same(value, pretty);
    check_same(value, vr_buf_text(&python));
    return 0;
}
