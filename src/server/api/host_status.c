/* SPDX-License-Identifier: MIT */
/* How a host is and what it has to do, in one answer. */
#include "core/clock.h"
#include "server/route.h"
#include "store/host.h"
#include "store/resource.h"

#define FIELDS                                                                                     \
    "name,active,squad,address,roles,state,state_since,last_seen,session,agent_version,facts,"     \
    "usage"

static int show_status(struct vr_call *call, struct vr_err *err)
{
    VR_OWNED(vr_tx_free) struct vr_tx *tx = NULL;
    VR_ROW(host) host = {0};
    vr_auto_free char *text = NULL;
    vr_auto_json json_t *load = NULL;
    vr_auto_json json_t *doc = NULL;
    int r = vr_store_begin(call->server->store, VR_DB_READ, &tx, err);

    if (r == 0)
        r = vr_store_host_find(tx, call->args[0], &host, err);
    if (r == 0)
        r = vr_store_object(tx, VR_RES_HOSTS, host.name, FIELDS, call->now, &text, err);
    if (r == 0)
        r = vr_json_parse(vr_str(text), VR_LIST_BYTES, &doc, err);
    if (r == 0)
        r = vr_store_host_load_json(tx, host.id, &load, err);
    if (r < 0)
        return r;
    json_object_update(doc, load);
    vr_json_set(doc, "last_seen_ms",
                host.last_seen_us ? json_integer((call->now.us - host.last_seen_us) / 1000)
                                  : json_null());
    vr_reply_json(call, 200, vr_take(doc));
    return 0;
}

const struct vr_route vr_routes_host_status[] = {
    {"GET", "hosts/*/status", VR_ROLE_VIEWER, show_status},
    {NULL},
};
