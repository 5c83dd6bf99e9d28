/* SPDX-License-Identifier: MIT */
/* Whatever query string is accepted is encoded and parsed again as the same pairs. */
#include "fmt/query.h"
#include "fmt/uri.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    VR_OWNED(vr_query_free) struct vr_query *query = NULL, *again = NULL;
    vr_auto_buf struct vr_buf text = VR_BUF(SIZE_MAX / 8);

    if (vr_query_parse((struct vr_str){(const char *)data, size}, &query, NULL) < 0)
        return 0;
    for (size_t i = 0; i < vr_query_count(query); i++) {
        vr_buf_add(&text, i ? "&" : "");
        vr_uri_add_encoded(&text, vr_str(vr_query_key(query, i)));
        vr_buf_addc(&text, '=');
        vr_uri_add_encoded(&text, vr_str(vr_query_value(query, i)));
    }
    if (text.len > VR_QUERY_BYTES)
        return 0;
    if (vr_query_parse(vr_str(vr_buf_text(&text)), &again, NULL) < 0 ||
        vr_query_count(again) != vr_query_count(query))
        abort();
    for (size_t i = 0; i < vr_query_count(query); i++) {
        if (!vr_streq(vr_query_key(query, i), vr_query_key(again, i)) ||
            !vr_streq(vr_query_value(query, i), vr_query_value(again, i)))
            abort();
    }
    return 0;
}
