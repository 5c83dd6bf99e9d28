/* SPDX-License-Identifier: MIT */
/* The tags of an app that are known here: what was built of it, newest first. */
#include "server/route.h"
#include "store/app.h"
#include "store/build.h"

static int list_tags(struct vr_call *call, struct vr_err *err)
{
    VR_OWNED(vr_tx_free) struct vr_tx *tx = NULL;
    VR_ROW(app) app = {0};
    vr_auto_json json_t *tags = NULL;
    int r = vr_store_begin(call->server->store, VR_DB_READ, &tx, err);

    if (r == 0)
        r = vr_store_app_find(tx, call->args[0], &app, err);
    if (r == 0)
        r = vr_store_build_tags_json(tx, app.id, &tags, err);
    if (r == 0)
        vr_reply_json(call, 200, json_pack("{s:O}", "tags", tags));
    return r;
}

const struct vr_route vr_routes_tags[] = {
    {"GET", "apps/*/tags", VR_ROLE_VIEWER, list_tags},
    {NULL},
};
