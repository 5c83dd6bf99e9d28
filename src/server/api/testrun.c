/* SPDX-License-Identifier: MIT */
/* Runs of all uptests: where the newest finished one is. */
#include "server/route.h"
#include "store/resource.h"

/* With the same query, as clients of the original expect it. */
static void redirect(struct vr_call *call, const char *uri)
{
    const char *query = vr_http_req_query_text(call->req);
    vr_auto_free char *to = vr_strf("%s%s%s", uri, *query ? "?" : "", query);
    struct vr_http_resp *resp = vr_http_resp_new(302);

    vr_http_resp_header(resp, "Location", to);
    vr_http_answer(call->req, resp);
}

static int show_latest(struct vr_call *call, struct vr_err *err)
{
    VR_OWNED(vr_tx_free) struct vr_tx *tx = NULL;
    VR_OWNED(vr_query_free) struct vr_query *query = NULL;
    vr_auto_list struct vr_list list = {0};
    vr_auto_json json_t *found = NULL;
    int r = vr_query_parse(vr_str("end__isnull=false&fields=resource_uri"), &query, err);

    if (r == 0)
        r = vr_store_begin(call->server->store, VR_DB_READ, &tx, err);
    if (r == 0)
        r = vr_store_list(
            tx, &(struct vr_list_spec){.resource = VR_RES_TESTRUNS, .query = query, .limit = 1},
            &list, err);
    if (r == 0)
        r = vr_json_parse(vr_str(list.objects), VR_JSON_BYTES, &found, err);
    if (r < 0)
        return r;
    if (json_array_size(found) == 0)
        return vr_fail(err, VR_NOT_FOUND, "no run of all uptests has finished yet");
    redirect(call, json_string_value(json_object_get(json_array_get(found, 0), "resource_uri")));
    return 0;
}

const struct vr_route vr_routes_testrun[] = {
    {"GET", "testruns/latest", VR_ROLE_VIEWER, show_latest},
    {NULL},
};
