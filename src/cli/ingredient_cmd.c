/* SPDX-License-Identifier: MIT */
/* vr ingredient re-swarm: dispatch what is outdated since an ingredient was changed. */
#include "cli/api.h"
#include "cli/commands.h"
#include "cli/dispatch.h"
#include "cli/noun.h"
#include "cli/swarms.h"
#include "core/str.h"
#include "fmt/json.h"

struct values {
    struct vr_dispatch_opts shared;
};

static const struct vr_opt opts_table[] = {VR_DISPATCH_OPTIONS(struct values)};

/* Whether a dispatch would change what runs: the server's own plan says so. */
static int is_outdated(struct vr_api *api, const char *uri, bool *out, struct vr_err *err)
{
    vr_auto_free char *path = vr_strf("%sswarm/?plan=1", uri);
    vr_auto_json json_t *body = json_pack("{s:s}", "kind", "dispatch"), *answer = NULL;
    const json_t *changes;
    int r = vr_api_send(api, "POST", path, body, &answer, err);

    changes = json_object_get(json_object_get(answer, "plan"), "changes");
    *out = r >= 0 && !json_is_false(changes);
    return r;
}

/* The outdated swarms of an ingredient that are not in the list yet. */
static int add_outdated(struct vr_api *api, const char *name, json_t *swarms, struct vr_err *err)
{
    vr_auto_json json_t *ingredient = NULL;
    const json_t *item;
    size_t i;
    int r = vr_cli_noun_get(api, vr_cli_noun_find("ingredient"), name, &ingredient, err);

    json_array_foreach (json_object_get(ingredient, "swarms"), i, item) {
        const char *uri = json_string_value(item);
        json_t *swarm = NULL;
        bool outdated = false;

        if (r < 0 || !uri || vr_swarms_has(swarms, uri))
            continue;
        r = vr_api_get(api, uri, &swarm, err);
        /* What was never dispatched is not outdated. */
        if (r >= 0 && json_is_string(json_object_get(swarm, "release")))
            r = is_outdated(api, uri, &outdated, err);
        if (r >= 0 && outdated)
            json_array_append(swarms, swarm);
        json_decref(swarm);
    }
    return r;
}

static int run_reswarm(struct vr_cli *cli, const void *opts, int argc, char **argv,
                       struct vr_err *err)
{
    const struct values *v = opts;
    vr_auto_json json_t *swarms = json_array(), *body = json_pack("{s:s}", "kind", "dispatch");
    struct vr_dispatch_spec spec = {
        .verb = "Dispatch", .doing = "Reswarming", .action = "swarm", .body = body};
    struct vr_api *api;
    int r = vr_cli_api(cli, &api, err);

    for (int i = 0; i < argc && r >= 0; i++)
        r = add_outdated(api, argv[i], swarms, err);
    if (r >= 0)
        r = vr_swarms_exclude(swarms, &v->shared.exclude, err);
    if (r < 0)
        return r;
    if (!json_array_size(swarms)) {
        vr_say(&cli->out, "No swarm is outdated.");
        return 0;
    }
    return vr_dispatch_swarms(cli, swarms, &v->shared, &spec, err);
}

static const struct vr_command verbs[] = {
    {.name = "re-swarm reswarm",
     .args = "INGREDIENT…",
     .summary = "Dispatch the swarms that ran last before it was changed",
     VR_COMMAND_OPTS(opts_table, struct values),
     .min_args = 1,
     .max_args = -1,
     .run = run_reswarm},
    {NULL},
};

const struct vr_command vr_ingredient_commands[] = {
    {.name = "ingredient", .subs = verbs},
    {NULL},
};
