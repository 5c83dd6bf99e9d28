/* SPDX-License-Identifier: MIT */
/* vr swarm FILTER TAG, vr scale, vr restart. */
#include "cli/api.h"
#include "cli/commands.h"
#include "cli/dispatch.h"
#include "cli/exit.h"
#include "cli/noun.h"
#include "cli/swarms.h"
#include "core/str.h"
#include "fmt/json.h"

#include <string.h>

struct values {
    struct vr_dispatch_opts shared;
    const char *squad;
    struct vr_opt_int size;
    struct vr_opt_list add, remove, replace, by;
};

static const struct vr_opt swarm_opts[] = {
    VR_DISPATCH_OPTIONS(struct values),
    {"size", 'n', VR_OPT_INT, offsetof(struct values, size), "N", "this many procs from now on", 0,
     10000},
    {"squad", 0, VR_OPT_TEXT, offsetof(struct values, squad), "SQUAD", "run there from now on"},
    {"add-ingredients", 0, VR_OPT_WORDS, offsetof(struct values, add), "INGREDIENT",
     "add ingredients; names or ids, after FILTER and TAG"},
    {"remove-ingredients", 0, VR_OPT_WORDS, offsetof(struct values, remove), "INGREDIENT",
     "take ingredients out"},
    {"replace-ingredients", 0, VR_OPT_WORDS, offsetof(struct values, replace), "INGREDIENT",
     "have these ingredients and no others"},
    {"by-ingredients", 0, VR_OPT_WORDS, offsetof(struct values, by), "INGREDIENT",
     "also the swarms that use these ingredients"},
};

static const struct vr_opt shared_opts[] = {VR_DISPATCH_OPTIONS(struct values)};

/* What `vr swarm` changes before it dispatches; references are resolved once. */
struct change { /* change_fini() */
    const char *tag;
    struct vr_opt_int size;
    json_t *squad;
    json_t *add;
    json_t *remove;
    json_t *replace;
};

static bool holds(const json_t *list, const json_t *uri)
{
    const json_t *item;
    size_t i;

    json_array_foreach (list, i, item) {
        if (json_equal(item, uri))
            return true;
    }
    return false;
}

static void append_new(json_t *to, const json_t *from, const json_t *without)
{
    json_t *uri;
    size_t i;

    json_array_foreach (from, i, uri) {
        if (!holds(to, uri) && !holds(without, uri))
            json_array_append(to, uri);
    }
}

static int make_patch(void *user, const json_t *swarm, json_t **out, struct vr_err *err)
{
    const struct change *c = user;
    json_t *patch = json_object();

    if (c->tag && strcmp(c->tag, "-") != 0)
        vr_json_set(patch, "version", json_string(c->tag));
    if (c->size.given)
        vr_json_set(patch, "size", json_integer(c->size.value));
    if (c->squad)
        json_object_set(patch, "squad", c->squad);
    if (c->replace) {
        json_object_set(patch, "config_ingredients", c->replace);
    } else if (c->add || c->remove) {
        json_t *list = json_array();

        append_new(list, json_object_get(swarm, "config_ingredients"), c->remove);
        append_new(list, c->add, c->remove);
        vr_json_set(patch, "config_ingredients", list);
    }
    if (json_object_size(patch))
        *out = json_incref(patch);
    json_decref(patch);
    return 0;
}

/* URIs of the ingredients that an option names; NULL if it was not given. */
static int ingredients(struct vr_api *api, const struct vr_opt_list *names, json_t **out,
                       struct vr_err *err)
{
    vr_auto_json json_t *list = json_array();

    if (!names->count)
        return 0;
    for (size_t i = 0; i < names->count; i++) {
        vr_auto_json json_t *object = NULL;
        int r = vr_cli_noun_get(api, vr_cli_noun_find("ingredient"), names->items[i], &object, err);

        if (r < 0)
            return r;
        json_array_append(list, json_object_get(object, "resource_uri"));
    }
    *out = vr_take(list);
    return 0;
}

static int read_change(struct vr_api *api, const struct values *v, const char *tag,
                       struct change *out, struct vr_err *err)
{
    vr_auto_free char *squad = NULL;
    int r = 0;

    out->tag = tag;
    out->size = v->size;
    if (v->replace.count && (v->add.count || v->remove.count))
        return vr_fail(err, VR_INVALID,
                       "--replace-ingredients goes with neither --add- nor --remove-ingredients");
    if (v->squad) {
        r = vr_cli_noun_uri(api, vr_cli_noun_find("squad"), v->squad, &squad, err);
        if (r < 0)
            return r;
        out->squad = json_string(squad);
    }
    r = ingredients(api, &v->add, &out->add, err);
    if (r >= 0)
        r = ingredients(api, &v->remove, &out->remove, err);
    if (r >= 0)
        r = ingredients(api, &v->replace, &out->replace, err);
    return r;
}

/* --by-ingredients: a union with what the filter found. */
static int add_users(struct vr_api *api, const struct vr_opt_list *names, json_t *swarms,
                     struct vr_err *err)
{
    for (size_t n = 0; n < names->count; n++) {
        vr_auto_json json_t *object = NULL;
        const json_t *item;
        size_t i;
        int r = vr_cli_noun_get(api, vr_cli_noun_find("ingredient"), names->items[n], &object, err);

        if (r < 0)
            return r;
        json_array_foreach (json_object_get(object, "swarms"), i, item) {
            const char *uri = json_string_value(item);
            json_t *swarm = NULL;

            if (!uri || vr_swarms_has(swarms, uri))
                continue;
            r = vr_api_get(api, uri, &swarm, err);
            if (r < 0)
                return r;
            json_array_append_new(swarms, swarm);
        }
    }
    return 0;
}

static void change_fini(struct change *c)
{
    json_decref(c->squad);
    json_decref(c->add);
    json_decref(c->remove);
    json_decref(c->replace);
}

static int run_swarm(struct vr_cli *cli, const void *opts, int argc, char **argv,
                     struct vr_err *err)
{
    const struct values *v = opts;
    __attribute__((cleanup(change_fini))) struct change change = {NULL};
    vr_auto_json json_t *swarms = NULL, *body = json_pack("{s:s}", "kind", "dispatch");
    struct vr_dispatch_spec spec = {.verb = "Dispatch",
                                    .doing = "Reswarming",
                                    .stops_all = v->size.given && !v->size.value,
                                    .action = "swarm",
                                    .body = body,
                                    .patch = make_patch,
                                    .user = &change};
    struct vr_api *api;
    int r = vr_cli_api(cli, &api, err);

    if (r >= 0)
        r = read_change(api, v, argv[1], &change, err);
    if (r >= 0 && v->by.count)
        r = vr_swarms_find(api, argv[0], &v->shared.exclude, &swarms, err);
    else if (r >= 0)
        r = vr_swarms_need(api, argv[0], &v->shared.exclude, &swarms, err);
    if (r >= 0)
        r = add_users(api, &v->by, swarms, err);
    return r < 0 ? r : vr_dispatch_swarms(cli, swarms, &v->shared, &spec, err);
}

static int run_scale(struct vr_cli *cli, const void *opts, int argc, char **argv,
                     struct vr_err *err)
{
    const struct values *v = opts;
    struct change change = {.size = {.given = true}};
    vr_auto_json json_t *swarms = NULL, *body = json_pack("{s:s}", "kind", "scale");
    struct vr_dispatch_spec spec = {.verb = "Scale",
                                    .doing = "Scaling",
                                    .action = "swarm",
                                    .body = body,
                                    .patch = make_patch,
                                    .user = &change};
    struct vr_api *api;
    int r = vr_parse_i64(vr_str(argv[1]), 0, 10000, &change.size.value, err);

    if (r < 0)
        return vr_fail_in(err, r, "size");
    spec.stops_all = !change.size.value;
    r = vr_cli_api(cli, &api, err);
    if (r >= 0)
        r = vr_swarms_need(api, argv[0], &v->shared.exclude, &swarms, err);
    return r < 0 ? r : vr_dispatch_swarms(cli, swarms, &v->shared, &spec, err);
}

static int run_restart(struct vr_cli *cli, const void *opts, int argc, char **argv,
                       struct vr_err *err)
{
    const struct values *v = opts;
    vr_auto_json json_t *swarms = NULL, *body = json_pack("{s:s}", "kind", "restart");
    struct vr_dispatch_spec spec = {
        .verb = "Restart", .doing = "Restarting", .action = "swarm", .body = body};
    struct vr_api *api;
    int r = vr_cli_api(cli, &api, err);

    if (r >= 0)
        r = vr_swarms_need(api, argv[0], &v->shared.exclude, &swarms, err);
    return r < 0 ? r : vr_dispatch_swarms(cli, swarms, &v->shared, &spec, err);
}

const struct vr_command vr_swarm_commands[] = {
    {.name = "swarm",
     .group = "deploy",
     .args = "FILTER TAG",
     .summary = "Dispatch swarms: build TAG if need be, start, test, route, then stop the old",
     .details =
         "FILTER is a regular expression for <app>-<config>-<proc>, matched from the start; plain\n"
         "parts are whole names: 'shop' is the app shop, 'shop-prod' its config prod.\n"
         "TAG '-' keeps the present one. The id of each rollout is printed on standard output.\n\n"
         "  vr swarm shop-prod-web v42 --plan\n"
         "  vr swarm 'shop|blog' v42 -x worker --wait",
     VR_COMMAND_OPTS(swarm_opts, struct values),
     .min_args = 2,
     .max_args = 2,
     .run = run_swarm},
    {.name = "scale",
     .args = "FILTER N",
     .summary = "Run N procs of a swarm from now on",
     VR_COMMAND_OPTS(shared_opts, struct values),
     .min_args = 2,
     .max_args = 2,
     .run = run_scale},
    {.name = "restart",
     .args = "FILTER",
     .summary = "Replace the procs of a swarm by new ones of the same release",
     VR_COMMAND_OPTS(shared_opts, struct values),
     .min_args = 1,
     .max_args = 1,
     .run = run_restart},
    {NULL},
};
