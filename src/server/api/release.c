/* SPDX-License-Identifier: MIT */
/* By what config and environment of two releases differ: of secrets only the server can tell. */
#include "server/api/plan.h"
#include "server/api/ref.h"
#include "server/api/write.h"
#include "model/label.h"
#include "store/build.h"
#include "store/release.h"

static int find(struct vr_call *call, struct vr_tx *tx, int arg, struct vr_release_row *out,
                struct vr_err *err)
{
    int64_t id;
    int r = vr_ref_id("release", call->args[arg], &id, err);

    return r < 0 ? r : vr_store_release_find_id(tx, id, out, err);
}

static json_t *diff(const char *from_json, const char *to_json)
{
    vr_auto_json json_t *from = NULL;
    vr_auto_json json_t *to = NULL;

    vr_ignore(vr_json_parse(vr_str(from_json), VR_JSON_BYTES, &from, NULL), "then it is empty");
    vr_ignore(vr_json_parse(vr_str(to_json), VR_JSON_BYTES, &to, NULL), "then it is empty");
    return vr_plan_diff(from, to);
}

static int compare(struct vr_call *call, struct vr_err *err)
{
    VR_OWNED(vr_tx_free) struct vr_tx *tx = NULL;
    VR_ROW(release) from = {0};
    VR_ROW(release) to = {0};
    json_t *config, *env;
    int r = vr_store_begin(call->server->store, VR_DB_READ, &tx, err);

    if (r == 0)
        r = find(call, tx, 0, &from, err);
    if (r == 0)
        r = find(call, tx, 1, &to, err);
    if (r < 0)
        return r;
    config = diff(from.config_json, to.config_json);
    env = diff(from.env_json, to.env_json);
    vr_reply_json(call, 200,
                  json_pack("{s:b, s:o, s:o}", "same",
                            !json_array_size(config) && !json_array_size(env), "config", config,
                            "env", env));
    return 0;
}

/* A release is what it is: only whether it may be collected can be changed. */
static int patch_in(struct vr_write *w, struct vr_err *err)
{
    VR_ROW(release) release = {0};
    VR_ROW(build) build = {0};
    vr_auto_free char *name = NULL;
    bool pinned;
    int r = find(w->call, w->tx, 0, &release, err);

    if (r == 0)
        r = vr_store_build_find_id(w->tx, release.build_id, &build, err);
    if (r == 0)
        r = vr_access_app(w->call, build.app_id, err);
    if (r < 0)
        return r;
    if (!json_object_get(w->call->body, "pinned"))
        return vr_write_answer(w, 202, NULL, NULL);
    w->field = "pinned";
    r = vr_json_get_bool(w->call->body, "pinned", &pinned, err);
    if (r < 0)
        return r;
    w->field = NULL;
    name = vr_label_release(release.app_name, release.tag, release.hash);
    r = vr_store_release_pin(w->tx, release.id, pinned, err);
    if (r == 0)
        r = vr_write_tell(w,
                          &(struct vr_told){.action = pinned ? "pin" : "unpin",
                                            .object = name,
                                            .resource = "releases",
                                            .object_id = release.id,
                                            .app_id = build.app_id},
                          err);
    return r < 0 ? r : vr_write_answer(w, 202, NULL, NULL);
}

static int patch(struct vr_call *call, struct vr_err *err)
{
    return vr_write_run(call, patch_in, NULL, err);
}

const struct vr_route vr_routes_release[] = {
    {"PATCH", "releases/*", VR_ROLE_DEPLOYER, patch, VR_SCOPE_APP},
    {"GET", "releases/*/compare/*", VR_ROLE_VIEWER, compare},
    {NULL},
};
