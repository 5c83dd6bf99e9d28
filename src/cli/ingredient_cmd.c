/* SPDX-License-Identifier: MIT */
/* vr ingredient re-swarm: dispatch what is outdated since an ingredient was changed. */
#include "cli/api.h"
#include "cli/commands.h"
#include "cli/dispatch.h"
#include "cli/exit.h"
#include "cli/noun.h"
#include "cli/swarms.h"
#include "cli/watch.h"
#include "core/str.h"
#include "fmt/json.h"

struct values {
    struct vr_dispatch_opts shared;
};

static const struct vr_opt opts_table[] = {VR_DISPATCH_OPTIONS(struct values)};

/* The outdated swarms of an ingredient that are not in the list yet, and a group of their URIs. */
static int add_outdated(struct vr_api *api, const char *name, const struct vr_opt_list *exclude,
                        json_t *swarms, json_t *groups, struct vr_err *err)
{
    vr_auto_json json_t *ingredient = NULL, *found = NULL;
    json_t *uris = json_array(), *swarm;
    vr_auto_json json_t *group = json_pack("{s:o}", "swarms", uris);
    vr_auto_free char *query = NULL;
    size_t i;
    int r = vr_cli_noun_get(api, vr_cli_noun_find("ingredient"), name, &ingredient, err);

    if (r < 0)
        return r;
    query = vr_strf("outdated=true&config_ingredients=%" JSON_INTEGER_FORMAT,
                    json_integer_value(json_object_get(ingredient, "id")));
    r = vr_api_list(api, "/api/v1/swarms/", query, &found, err);
    if (r >= 0)
        r = vr_swarms_exclude(found, exclude, err);
    if (r < 0)
        return r;
    json_array_foreach (found, i, swarm) {
        json_t *uri = json_object_get(swarm, "resource_uri");

        if (!json_is_string(uri) || vr_swarms_has(swarms, json_string_value(uri)))
            continue;
        json_array_append(swarms, swarm);
        json_array_append(uris, uri);
    }
    json_object_set(group, "of", json_object_get(ingredient, "resource_uri"));
    if (json_array_size(uris))
        json_array_append(groups, group);
    return 0;
}

static int send_groups(struct vr_cli *cli, struct vr_api *api, const json_t *groups,
                       const struct vr_dispatch_opts *opts, struct vr_err *err)
{
    vr_auto_json json_t *ids = json_array();
    const json_t *group;
    size_t i;
    int r = 0;

    json_array_foreach (groups, i, group) {
        vr_auto_json json_t *answer = NULL;
        vr_auto_json json_t *body = json_pack("{s:O}", "swarms", json_object_get(group, "swarms"));
        vr_auto_free char *path =
            vr_strf("%sredispatch/", json_string_value(json_object_get(group, "of")));

        r = vr_api_send(api, "POST", path, body, &answer, err);
        if (r < 0)
            return r;
        vr_dispatch_tell_group(&cli->out, answer, ids);
    }
    return opts->wait && json_array_size(ids)
               ? vr_watch_rollouts(cli, ids, opts->timeout.value, err)
               : VR_EXIT_OK;
}

static int run_reswarm(struct vr_cli *cli, const void *opts, int argc, char **argv,
                       struct vr_err *err)
{
    const struct vr_dispatch_opts *o = &((const struct values *)opts)->shared;
    vr_auto_json json_t *swarms = json_array(), *groups = json_array();
    vr_auto_json json_t *body = json_pack("{s:s}", "kind", "dispatch");
    struct vr_dispatch_spec spec = {
        .verb = "Dispatch", .doing = "Reswarming", .action = "swarm", .body = body};
    struct vr_api *api;
    int r = vr_cli_api(cli, &api, err);

    for (int i = 0; i < argc && r >= 0; i++)
        r = add_outdated(api, argv[i], &o->exclude, swarms, groups, err);
    if (r < 0)
        return r;
    if (!json_array_size(swarms)) {
        vr_say(&cli->out, "No swarm is outdated.");
        return 0;
    }
    if (o->plan)
        return vr_dispatch_swarms(cli, swarms, o, &spec, err);
    r = vr_swarms_confirm(&cli->out, swarms, o->yes, spec.verb, err);
    if (r <= 0)
        return r < 0 ? r : VR_EXIT_FAILED;
    if (o->countdown)
        vr_dispatch_count_down(&cli->out, spec.doing);
    return send_groups(cli, api, groups, o, err);
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
