/* SPDX-License-Identifier: MIT */
/*
 * vr export, vr apply.
 *
 * Applying is comparing first: all that differs is found, shown and, where something is removed,
 * asked about, before anything is changed. Changes are made in the order in which objects refer
 * to each other. What is there already is left alone, so applying once more finishes what was
 * interrupted.
 */
#include "cli/api.h"
#include "cli/cli.h"
#include "cli/commands.h"
#include "cli/exit.h"
#include "cli/manifest.h"
#include "core/str.h"
#include "fmt/json.h"
#include "fmt/yaml.h"

#include <string.h>

#define WHAT_BYTES 4096
#define TEXT_BYTES (4u << 20)

/* ------------------------------------------------------------------ export */

/* "shop-prod-web@dc1" without its squad, which is among the fields. */
static char *short_name(const struct vr_manifest_kind *kind, const char *name, const json_t *all)
{
    size_t n = strcspn(name, "@");
    const char *other;
    json_t *fields;

    if (kind->label)
        return vr_strdup(name);
    json_object_foreach ((json_t *)all, other, fields)
        if (!vr_streq(other, name) && strcspn(other, "@") == n && !strncmp(other, name, n))
            return vr_strdup(name);
    return vr_strndup(name, n);
}

static int export_kind(struct vr_api *api, const struct vr_manifest_kind *kind, json_t *out,
                       struct vr_err *err)
{
    vr_auto_json json_t *all = NULL, *section = json_object();
    const char *name;
    json_t *fields;
    int r = vr_manifest_fetch(api, kind, &all, NULL, err);

    if (r < 0)
        return r;
    json_object_foreach (all, name, fields) {
        vr_auto_free char *shown = short_name(kind, name, all);

        if (!vr_str_has_prefix(name, "builtin:")) /* they come with the program */
            vr_json_set(section, shown, json_incref(fields));
    }
    if (json_object_size(section))
        vr_json_set(out, kind->section, vr_take(section));
    return 0;
}

/* Users are for admins: an export of everything leaves out what may not be read. */
static int run_export(struct vr_cli *cli, const void *opts, int argc, char **argv,
                      struct vr_err *err)
{
    vr_auto_json json_t *out = json_object();
    vr_auto_buf struct vr_buf text = VR_BUF(VR_OUT_BYTES);
    vr_auto_free char *yaml = NULL;
    struct vr_api *api;
    int r = vr_cli_api(cli, &api, err);

    for (int i = 0; i < argc; i++)
        if (!vr_manifest_kind_find(argv[i]))
            return vr_fail(err, VR_INVALID, "'%s' is no section", argv[i]);
    for (const struct vr_manifest_kind *k = vr_manifest_kinds; k->section && r == 0; k++) {
        bool named = argc == 0;

        for (int i = 0; i < argc; i++)
            named = named || vr_streq(argv[i], k->section);
        if (named)
            r = export_kind(api, k, out, err);
        if (r == -VR_DENIED && argc == 0)
            r = 0;
    }
    if (r < 0)
        return r;
    if (cli->out.format == VR_OUT_JSON)
        return vr_out_value(&cli->out, out, err);
    yaml = vr_yaml_dump(out);
    vr_buf_add(&text, yaml);
    return vr_out_flush(&text, err);
}

/* ------------------------------------------------------------------ what to change */

enum change_kind { MAKE, CHANGE, REMOVE };

struct change {
    enum change_kind what;
    const struct vr_manifest_kind *kind;
    char *name;
    char *uri; /* of what is there */
    int64_t version;
    json_t *want; /* borrowed; NULL to remove */
    json_t *have; /* owned; NULL to make */
    char *text;   /* what differs */
};

struct plan {
    struct vr_api *api;
    struct change *list;
    size_t count, same;
};

static void plan_fini(struct plan *plan)
{
    for (size_t i = 0; i < plan->count; i++) {
        free(plan->list[i].name);
        free(plan->list[i].uri);
        free(plan->list[i].text);
        json_decref(plan->list[i].have);
    }
    free(plan->list);
}

static void add_change(struct plan *plan, struct change change)
{
    plan->list = vr_realloc_array(plan->list, plan->count + 1, sizeof(*plan->list));
    plan->list[plan->count++] = change;
}

static char *uri_of(const json_t *object)
{
    const char *uri = json_string_value(json_object_get(object, "resource_uri"));

    return uri ? vr_strdup(uri) : NULL;
}

/* Objects that a later file makes cannot be looked up yet, so bodies are made when they are sent;
 * what differs is known by names alone. */
static int compare(struct plan *plan, const struct vr_manifest_kind *kind, const char *name,
                   json_t *want, json_t *have, const json_t *object, struct vr_err *err)
{
    vr_auto_json json_t *body = NULL;
    vr_auto_buf struct vr_buf what = VR_BUF(WHAT_BYTES);
    struct vr_err unknown = VR_ERR_NULL;
    int r;

    if (!have && kind->is_found)
        return vr_fail(err, VR_NOT_FOUND, "there is no %s '%s', and it is not made by a manifest",
                       kind->noun, name);
    r = vr_manifest_body(plan->api, kind, name, want, have, &body, &what, &unknown);
    if (r < 0 && r != -VR_NOT_FOUND) {
        *err = unknown;
        return r;
    }
    if (r == 0 && have && !json_object_size(body)) {
        plan->same++;
        return 0;
    }
    add_change(plan, (struct change){
                         .what = have ? CHANGE : MAKE,
                         .kind = kind,
                         .name = vr_strdup(name),
                         .uri = uri_of(object),
                         .version = json_integer_value(json_object_get(object, "row_version")),
                         .want = want,
                         .have = have ? json_incref(have) : NULL,
                         .text = vr_strdup(r < 0 ? unknown.msg : vr_buf_text(&what)),
                     });
    return 0;
}

static int plan_kind(struct plan *plan, const struct vr_manifest_kind *kind, json_t *section,
                     bool prune, struct vr_err *err)
{
    vr_auto_json json_t *all = NULL, *objects = NULL;
    const char *name;
    json_t *want, *have;
    int r = vr_manifest_fetch(plan->api, kind, &all, &objects, err);

    if (r < 0)
        return r;
    json_object_foreach (section, name, want) {
        r = compare(plan, kind, name, want, json_object_get(all, name),
                    json_object_get(objects, name), err);
        if (r < 0)
            return r;
    }
    json_object_foreach (all, name, have) {
        if (!prune || kind->is_found || json_object_get(section, name) ||
            vr_str_has_prefix(name, "builtin:"))
            continue;
        add_change(plan, (struct change){.what = REMOVE,
                                         .kind = kind,
                                         .name = vr_strdup(name),
                                         .uri = uri_of(json_object_get(objects, name)),
                                         .have = json_incref(have)});
    }
    return 0;
}

static size_t count_of(const struct plan *plan, enum change_kind what)
{
    size_t n = 0;

    for (size_t i = 0; i < plan->count; i++)
        n += plan->list[i].what == what;
    return n;
}

static int show_plan(const struct vr_cli *cli, const struct plan *plan, struct vr_err *err)
{
    static const char *const signs[] = {[MAKE] = "+", [CHANGE] = "~", [REMOVE] = "-"};
    static const enum vr_style styles[] = {
        [MAKE] = VR_STYLE_GOOD, [CHANGE] = VR_STYLE_BUSY, [REMOVE] = VR_STYLE_BAD};
    vr_auto_buf struct vr_buf text = VR_BUF(TEXT_BYTES);

    for (size_t i = 0; i < plan->count; i++) {
        const struct change *c = &plan->list[i];

        vr_style_add(&text, cli->out.colour, styles[c->what], signs[c->what]);
        vr_buf_addf(&text, " %-10s %s", c->kind->noun, c->name);
        if (c->text && *c->text)
            vr_buf_addf(&text, "  %s", c->text);
        vr_buf_addc(&text, '\n');
    }
    vr_say(&cli->out, "%zu to make, %zu to change, %zu to remove, %zu as they should be",
           count_of(plan, MAKE), count_of(plan, CHANGE), count_of(plan, REMOVE), plan->same);
    return vr_out_flush(&text, err);
}

/* ------------------------------------------------------------------ changing */

static int make_or_change(struct plan *plan, const struct change *c, struct vr_err *err)
{
    const struct vr_cli_noun *noun = vr_cli_noun_find(c->kind->noun);
    vr_auto_json json_t *body = NULL;
    vr_auto_buf struct vr_buf what = VR_BUF(WHAT_BYTES);
    struct vr_api_request request = {.method = "PATCH", .path = c->uri, .if_version = c->version};
    int r = vr_manifest_body(plan->api, c->kind, c->name, c->want, c->have, &body, &what, err);

    if (r < 0)
        return r;
    request.body = body;
    return c->what == MAKE ? vr_api_create(plan->api, noun->path, body, NULL, err)
                           : vr_api_request(plan->api, &request, NULL, err);
}

static int carry_out(const struct vr_cli *cli, struct plan *plan, struct vr_err *err)
{
    static const char *const words[] = {
        [MAKE] = "made", [CHANGE] = "changed", [REMOVE] = "removed"};
    int r = 0;

    for (size_t i = 0; i < plan->count && r == 0; i++) {
        const struct change *c = &plan->list[i];

        if (c->what == REMOVE)
            continue;
        r = make_or_change(plan, c, err);
        if (r == 0)
            vr_say(&cli->out, "%s %s %s", c->kind->noun, c->name, words[c->what]);
        else
            r = vr_fail_in(err, r, "%s '%s'", c->kind->noun, c->name);
    }
    for (size_t i = plan->count; i-- > 0 && r == 0;) {
        const struct change *c = &plan->list[i];

        if (c->what != REMOVE)
            continue;
        r = vr_api_send(plan->api, "DELETE", c->uri, NULL, NULL, err);
        if (r == 0)
            vr_say(&cli->out, "%s %s %s", c->kind->noun, c->name, words[c->what]);
        else
            r = vr_fail_in(err, r, "%s '%s'", c->kind->noun, c->name);
    }
    return r;
}

struct values {
    struct vr_opt_list files;
    bool plan, exit_code, prune, yes;
};

static const struct vr_opt apply_opts[] = {
    {"file", 'f', VR_OPT_WORDS, offsetof(struct values, files), "FILE…",
     "manifests, or - for standard input"},
    {"plan", 0, VR_OPT_FLAG, offsetof(struct values, plan), NULL,
     "show what would change, and change nothing"},
    {"exit-code", 0, VR_OPT_FLAG, offsetof(struct values, exit_code), NULL,
     "with --plan: exit with 10 if anything would change"},
    {"prune", 0, VR_OPT_FLAG, offsetof(struct values, prune), NULL,
     "remove what is not in the files, of the sections that are"},
    {"yes", 'y', VR_OPT_FLAG, offsetof(struct values, yes), NULL, "do not ask"},
};

static int make_plan(struct plan *plan, const json_t *wanted, bool prune, struct vr_err *err)
{
    int r = 0;

    for (const struct vr_manifest_kind *k = vr_manifest_kinds; k->section && r == 0; k++) {
        json_t *section = json_object_get(wanted, k->section);

        if (section)
            r = plan_kind(plan, k, section, prune, err);
    }
    return r;
}

static int decide(struct vr_cli *cli, const struct values *v, struct plan *plan, struct vr_err *err)
{
    size_t removals = count_of(plan, REMOVE);
    vr_auto_free char *question = vr_strf("remove %zu objects?", removals);
    int r = show_plan(cli, plan, err);

    if (r < 0)
        return r;
    if (v->plan)
        return v->exit_code && plan->count ? VR_EXIT_CHANGES : VR_EXIT_OK;
    if (removals) {
        r = vr_out_confirm(&cli->out, v->yes, question, err);
        if (r <= 0)
            return r < 0 ? r : VR_EXIT_FAILED;
    }
    return carry_out(cli, plan, err);
}

static int run_apply(struct vr_cli *cli, const void *opts, int argc, char **argv,
                     struct vr_err *err)
{
    const struct values *v = opts;
    vr_auto_json json_t *wanted = NULL;
    struct plan plan = {0};
    int r;

    if (!v->files.count)
        return vr_fail(err, VR_INVALID, "name a manifest by -f FILE");
    r = vr_manifest_read(v->files.items, v->files.count, &wanted, err);
    if (r == 0)
        r = vr_cli_api(cli, &plan.api, err);
    if (r == 0)
        r = make_plan(&plan, wanted, v->prune, err);
    if (r == 0)
        r = decide(cli, v, &plan, err);
    plan_fini(&plan);
    return r;
}

const struct vr_command vr_apply_commands[] = {
    {.name = "export",
     .args = "[SECTION…]",
     .summary = "Write the platform's objects as YAML",
     .details =
         "Sections: stacks, buildpacks, squads, hosts, apps, ingredients, swarms, dashboards, "
         "users.\nSecret values are not written, only their names.",
     .max_args = -1,
     .run = run_export},
    {.name = "apply",
     .args = "-f FILE…",
     .summary = "Make the platform's objects as files say",
     .details = "Fields that a file leaves out are left as they are. Nothing is restarted: swarms "
                "take what changed\nwith their next rollout (vr swarm FILTER -).",
     VR_COMMAND_OPTS(apply_opts, struct values),
     .run = run_apply},
    {NULL},
};
