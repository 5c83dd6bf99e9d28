/* SPDX-License-Identifier: MIT */
/* Numbers in the query. */
#include "server/api/number.h"

int vr_query_number(const struct vr_call *call, const char *name, int64_t min, int64_t max,
                    int64_t fallback, int64_t *out, struct vr_err *err)
{
    const char *text = vr_query_find(vr_http_req_query(call->req), name);
    int r;

    if (vr_str_is_empty(text)) {
        *out = fallback;
        return 0;
    }
    r = vr_parse_i64(vr_str(text), min, max, out, err);
    return r < 0 ? vr_fail_in(err, r, "'%s' of the query", name) : 0;
}

int vr_query_flag(const struct vr_call *call, const char *name, bool fallback, bool *out,
                  struct vr_err *err)
{
    const char *text = vr_query_find(vr_http_req_query(call->req), name);

    *out = fallback;
    if (vr_str_is_empty(text))
        return 0;
    *out = vr_streq(text, "1") || vr_streq(text, "true");
    if (*out || vr_streq(text, "0") || vr_streq(text, "false"))
        return 0;
    return vr_fail(err, VR_INVALID, "'%s' of the query is 0 or 1, not '%s'", name, text);
}
