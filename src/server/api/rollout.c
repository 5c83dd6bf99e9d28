/* SPDX-License-Identifier: MIT */
/* Cancelling rollouts; the rest of them is read only. */
#include "store/rollout.h"
#include "engine/dispatch.h"
#include "model/label.h"
#include "server/api/swarm.h"

static int cancel(struct vr_write *w, struct vr_err *err)
{
    const char *id = w->call->args[0];
    VR_ROW(rollout) rollout = {0};
    VR_ROW(swarm) swarm = {0};
    vr_auto_free char *name = NULL;
    vr_auto_free char *page = vr_strf("/rollouts/%s", id);
    int r = vr_store_rollout_find(w->tx, id, &rollout, err);

    if (r == 0)
        r = vr_store_swarm_find_id(w->tx, rollout.swarm_id, &swarm, err);
    if (r == 0)
        r = vr_access_app(w->call, swarm.app_id, err);
    if (r < 0)
        return r;
    if (vr_streq(rollout.state, "ended"))
        return vr_fail(err, VR_EXISTS, "rollout '%.8s' has ended already: %s", id, rollout.result);
    if (rollout.past_return)
        return vr_fail(err, VR_EXISTS,
                       "rollout '%.8s' is past the point of return: its procs serve and the old "
                       "ones were told to stop",
                       id);
    r = vr_store_rollout_request_cancel(w->tx, id, err);
    if (r < 0)
        return r;
    name =
        vr_label_swarm_short(swarm.app_name, rollout.tag, rollout.config_name, rollout.proc_name);
    r = vr_write_tell(w,
                      &(struct vr_told){
                          .action = "cancel",
                          .object = name,
                          .page = page,
                          .rollout = id,
                          .swarm_id = rollout.swarm_id,
                          .resource = vr_resource_name(VR_RES_SWARMS),
                          .object_id = rollout.swarm_id,
                          .app_id = swarm.app_id,
                      },
                      err);
    return r < 0 ? r : vr_write_answer(w, 202, NULL, NULL);
}

static int cancel_rollout(struct vr_call *call, struct vr_err *err)
{
    return vr_write_run(call, cancel, NULL, err);
}

static int retry(struct vr_write *w, struct vr_err *err)
{
    const char *id = w->call->args[0];
    VR_ROW(rollout) rollout = {0};
    VR_ROW(swarm) swarm = {0};
    vr_auto_free char *trace = NULL;
    vr_auto_free char *name = NULL;
    vr_auto_free char *page = NULL;
    int r = vr_store_rollout_find(w->tx, id, &rollout, err);

    if (r == 0)
        r = vr_store_swarm_find_id(w->tx, rollout.swarm_id, &swarm, err);
    if (r == 0)
        r = vr_access_app(w->call, swarm.app_id, err);
    if (r == 0)
        r = vr_dispatch_retry(w->tx, id, w->call->who.id, w->call->now, &trace, err);
    if (r < 0)
        return r;
    page = vr_strf("/rollouts/%s", trace);
    name =
        vr_label_swarm_short(swarm.app_name, rollout.tag, rollout.config_name, rollout.proc_name);
    r = vr_write_tell(w,
                      &(struct vr_told){.action = "retry",
                                        .object = name,
                                        .page = page,
                                        .rollout = trace,
                                        .swarm_id = swarm.id,
                                        .resource = vr_resource_name(VR_RES_SWARMS),
                                        .object_id = swarm.id,
                                        .app_id = swarm.app_id},
                      err);
    if (r < 0)
        return r;
    return vr_write_answer_json(w, 202, NULL,
                                json_pack("{s:s, s:o, s:s}", "swarm_id", trace, "rollout",
                                          json_sprintf("/api/v1/rollouts/%s/", trace), "retry_of",
                                          id));
}

static int retry_rollout(struct vr_call *call, struct vr_err *err)
{
    return vr_write_run(call, retry, NULL, err);
}

const struct vr_route vr_routes_rollout[] = {
    {"POST", "rollouts/*/retry", VR_ROLE_DEPLOYER, retry_rollout, VR_SCOPE_APP},
    {"POST", "rollouts/*/cancel", VR_ROLE_DEPLOYER, cancel_rollout, VR_SCOPE_APP},
    {NULL},
};
