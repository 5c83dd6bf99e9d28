/* SPDX-License-Identifier: MIT */
/* What the server says without a question: that it lives, and where to go. */
#include "server/route.h"

#include <string.h>

static int show_health(struct vr_call *call, struct vr_err *err)
{
    VR_OWNED(vr_tx_free) struct vr_tx *tx = NULL;
    bool ok = vr_store_begin(call->server->store, VR_DB_READ, &tx, NULL) == 0;

    vr_reply_json(call, ok ? 200 : 503,
                  json_pack("{s:s, s:s, s:s, s:s}", "status", ok ? "ok" : "failing", "version",
                            VR_VERSION, "database", ok ? "ok" : "away", "engine", "active"));
    return 0;
}

static int show_root(struct vr_call *call, struct vr_err *err)
{
    struct vr_http_resp *resp = vr_http_resp_new(200);

    vr_http_resp_text(resp, "text/plain; charset=utf-8",
                      "This is Velociraptor " VR_VERSION ".\nThe API is at /api/v1/, the command "
                      "line is `vr`.\n");
    vr_http_answer(call->req, resp);
    return 0;
}

const struct vr_route vr_routes_front[] = {
    {"GET", "", VR_ROLE_ANYONE, show_root},
    {"GET", "healthz", VR_ROLE_ANYONE, show_health},
    {NULL},
};
