/* SPDX-License-Identifier: MIT */
/* The wish for a proc (its element of the desired state), read in the terms of its containers. */
#include "agent/wish.h"

#include "fmt/env.h"
#include "fmt/json.h"
#include "fmt/yaml.h"
#include "runtime/skeleton.h"
#include "sys/fs.h"

const char *vr_wish_text(const json_t *wish, const char *name)
{
    const char *v = json_string_value(json_object_get(wish, name));

    return v ? v : "";
}

int64_t vr_wish_number(const json_t *wish, const char *name, int64_t fallback)
{
    const json_t *v = json_object_get(wish, name);

    return json_is_integer(v) ? json_integer_value(v) : fallback;
}

bool vr_wish_lists_id(const json_t *list, int64_t id)
{
    size_t i;
    json_t *element;

    json_array_foreach (list, i, element)
        if (json_integer_value(json_object_get(element, "id")) == id)
            return true;
    return false;
}

bool vr_wish_lists_text(const json_t *list, const char *member, const char *text)
{
    size_t i;
    json_t *element;

    json_array_foreach (list, i, element)
        if (vr_streq(json_string_value(json_object_get(element, member)), text))
            return true;
    return false;
}

int vr_wish_user(const json_t *wish, uid_t *out_uid, gid_t *out_gid, struct vr_err *err)
{
    const char *run_as = vr_wish_text(wish, "run_as");

    return vr_user_find(*run_as ? run_as : "nobody", out_uid, out_gid, err);
}

static int read_volumes(const json_t *wish, struct vr_wish_bundle *out, struct vr_err *err)
{
    const json_t *volumes = json_object_get(wish, "volumes");
    size_t i;
    json_t *pair;

    if (json_array_size(volumes) > VR_BUNDLE_VOLUMES_MAX)
        return vr_fail(err, VR_LIMIT, "more than %d volumes", VR_BUNDLE_VOLUMES_MAX);
    json_array_foreach (volumes, i, pair) {
        out->volumes[i].source = json_string_value(json_array_get(pair, 0));
        out->volumes[i].target = json_string_value(json_array_get(pair, 1));
        if (!out->volumes[i].source || !out->volumes[i].target)
            return vr_fail(err, VR_INVALID, "volume %zu is not a pair of paths", i + 1);
        out->spec.volume_count = i + 1;
    }
    return 0;
}

int vr_wish_bundle_init(struct vr_wish_bundle *out, const struct vr_wish_place *place,
                        const json_t *wish, struct vr_err *err)
{
    const struct vr_agent *agent = place->agent;

    *out = (struct vr_wish_bundle){.skeleton = NULL};
    out->spec = (struct vr_bundle_spec){
        .id = place->container,
        .dir = place->dir,
        .run_dir = place->run_dir,
        .slug = place->slug,
        .skeleton = agent->skeleton,
        .shim_path = agent->config.shim,
        .user_name = vr_wish_text(wish, "run_as"),
        .uid = place->uid,
        .gid = place->gid,
        .userns = place->userns,
        .userns_base = (uint32_t)agent->config.userns_base,
        .userns_count = (uint32_t)agent->config.userns_count,
        .memory_bytes = vr_wish_number(wish, "mem_limit", 0),
        .memsw_bytes = vr_wish_number(wish, "memsw_limit", 0),
        .volumes = out->volumes,
        .command = vr_wish_text(wish, "cmd"),
        .port = (uint16_t)vr_wish_number(wish, "port", 0),
        .hostname = vr_wish_text(wish, "name"),
    };
    return read_volumes(wish, out, err);
}

/* What the operator of this host has named for values that are exactly `$NAME`. */
static const char *look_up(void *arg, const char *name)
{
    return json_string_value(json_object_get(arg, name));
}

int vr_wish_bundle_complete(struct vr_wish_bundle *b, const struct vr_agent *agent,
                            const json_t *wish, struct vr_err *err)
{
    struct vr_env_spec env = {.env = json_object_get(wish, "env"),
                              .expand = vr_streq(vr_wish_text(wish, "env_expand"), "shell"),
                              .lookup = look_up,
                              .arg = agent->config.environment};
    uid_t owner = b->spec.userns ? (uid_t)agent->config.userns_base : 0;
    const char *why = vr_wish_text(wish, "not_startable");
    int r;

    if (*why)
        return vr_fail(err, VR_INVALID, "%s", why);
    r = vr_skeleton_prepare(agent->skeleton, owner, &b->skeleton, err);
    if (r < 0)
        return r;
    r = vr_env_format(&env, &b->env, err);
    if (r < 0)
        return vr_fail_in(err, r, "environment");
    b->settings = vr_yaml_dump(json_object_get(wish, "settings"));
    b->spec.skeleton = b->skeleton;
    b->spec.env_sh = b->env;
    b->spec.settings_yaml = b->settings;
    return 0;
}

void vr_wish_bundle_fini(struct vr_wish_bundle *b)
{
    free(b->skeleton);
    free(b->env);
    free(b->settings);
    b->skeleton = b->env = b->settings = NULL;
}
