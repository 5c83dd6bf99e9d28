/* SPDX-License-Identifier: MIT */
/* vr releases, vr rollback, vr release diff, vr deploy. */
#include "cli/api.h"
#include "cli/commands.h"
#include "cli/dispatch.h"
#include "cli/exit.h"
#include "cli/list_view.h"
#include "cli/noun.h"
#include "cli/swarms.h"
#include "cli/table.h"
#include "core/str.h"
#include "fmt/diff.h"
#include "fmt/json.h"
#include "fmt/yaml.h"

#include <string.h>

static int releases_of(struct vr_api *api, const json_t *swarm, json_t **out, struct vr_err *err)
{
    vr_auto_json json_t *answer = NULL;
    vr_auto_free char *path = NULL;
    const char *uri;
    json_t *objects;
    int r = vr_json_get_str(swarm, "resource_uri", &uri, err);

    if (r < 0)
        return r;
    path = vr_strf("%sreleases/", uri);
    r = vr_api_get(api, path, &answer, err);
    if (r >= 0)
        r = vr_json_get_array(answer, "objects", &objects, err);
    if (r >= 0)
        *out = json_incref(objects);
    return r;
}

static void add_rows(struct vr_table *table, const json_t *swarm, const json_t *releases)
{
    vr_auto_free char *name = vr_swarm_name(swarm);
    const json_t *release;
    size_t i;

    json_array_foreach (releases, i, release) {
        static const char *const fields[] = {"release", "tag", "hash", "ended"};

        vr_table_add(table, name);
        for (size_t f = 0; f < VR_COUNT(fields); f++) {
            vr_auto_free char *cell = vr_cli_noun_cell(release, fields[f]);

            vr_table_add(table, cell);
        }
        vr_table_add(table, json_is_true(json_object_get(release, "current")) ? "current" : "");
    }
}

static int run_releases(struct vr_cli *cli, const void *opts, int argc, char **argv,
                        struct vr_err *err)
{
    static const char *const titles[] = {"SWARM", "RELEASE", "TAG", "HASH", "SINCE", "STATE"};
    VR_OWNED(vr_table_free) struct vr_table *table = vr_table_new(titles, VR_COUNT(titles));
    vr_auto_json json_t *swarms = NULL, *all = json_array();
    struct vr_api *api;
    const json_t *swarm;
    size_t i;
    int r = vr_cli_api(cli, &api, err);

    if (r >= 0)
        r = vr_swarms_need(api, argv[0], NULL, &swarms, err);
    if (r < 0)
        return r;
    json_array_foreach (swarms, i, swarm) {
        vr_auto_json json_t *releases = NULL;

        r = releases_of(api, swarm, &releases, err);
        if (r < 0)
            return r;
        add_rows(table, swarm, releases);
        json_array_extend(all, releases);
    }
    if (cli->out.format == VR_OUT_JSON || cli->out.format == VR_OUT_YAML)
        return vr_out_value(&cli->out, all, err);
    if (!vr_table_rows(table)) {
        vr_say(&cli->out, "No rollout of it has been done yet.");
        return 0;
    }
    return vr_table_show(table, &cli->out, err);
}

struct rollback {
    struct vr_dispatch_opts shared;
};

static const struct vr_opt rollback_opts[] = {VR_DISPATCH_OPTIONS(struct rollback)};

/* The id of a release in a swarm's history by id, hash, tag or name; the newest if several. */
static int find_release(struct vr_api *api, const json_t *swarm, const char *name, json_t **out,
                        struct vr_err *err)
{
    static const char *const fields[] = {"release", "hash", "compiled_name", "tag"};
    vr_auto_json json_t *releases = NULL;
    vr_auto_free char *label = vr_swarm_name(swarm);
    const json_t *release;
    size_t i;
    int r = releases_of(api, swarm, &releases, err);

    if (r < 0)
        return r;
    for (size_t f = 0; f < VR_COUNT(fields); f++) {
        json_array_foreach (releases, i, release) {
            vr_auto_free char *cell = vr_cli_noun_cell(release, fields[f]);
            vr_auto_free char *id = vr_cli_noun_cell(release, "release");
            uint64_t number;

            if (!vr_streq(cell, name) || vr_parse_u64(vr_str(id), 1, INT64_MAX, &number, NULL))
                continue;
            *out = json_integer((json_int_t)number);
            return 0;
        }
    }
    return vr_fail(err, VR_NOT_FOUND, "%s has no release '%s'; see: vr releases %s", label, name,
                   label);
}

static int run_rollback(struct vr_cli *cli, const void *opts, int argc, char **argv,
                        struct vr_err *err)
{
    const struct rollback *v = opts;
    vr_auto_json json_t *swarms = NULL, *body = json_object();
    struct vr_dispatch_spec spec = {
        .verb = "Roll back", .doing = "Rolling back", .action = "rollback", .body = body};
    json_t *release = NULL;
    struct vr_api *api;
    int r = vr_cli_api(cli, &api, err);

    if (r >= 0)
        r = vr_swarms_need(api, argv[0], &v->shared.exclude, &swarms, err);
    if (r < 0)
        return r;
    if (argc > 1 && json_array_size(swarms) > 1)
        return vr_fail(err, VR_INVALID, "'%s' matches %zu swarms, but a release belongs to one",
                       argv[0], json_array_size(swarms));
    if (argc > 1)
        r = find_release(api, json_array_get(swarms, 0), argv[1], &release, err);
    if (r < 0)
        return r;
    vr_json_set(body, "release", release ? release : json_null());
    return vr_dispatch_swarms(cli, swarms, &v->shared, &spec, err);
}

/* What else makes a release what it is: the lines by which two differ in it. Given. */
static json_t *compare_fields(const json_t *from, const json_t *to)
{
    static const char *const fields[] = {"build", "run_as", "mem_limit", "memsw_limit", "volumes"};
    vr_auto_json json_t *old = json_object(), *new = json_object();
    vr_auto_free char *old_text = NULL, *new_text = NULL;
    json_t *lines = json_array();

    for (size_t i = 0; i < VR_COUNT(fields); i++) {
        json_t *was = json_object_get(from, fields[i]), *is = json_object_get(to, fields[i]);

        if (!was || !is || json_equal(was, is))
            continue;
        json_object_set(old, fields[i], was);
        json_object_set(new, fields[i], is);
    }
    old_text = vr_yaml_dump(old);
    new_text = vr_yaml_dump(new);
    vr_diff_json(lines, old_text, new_text, VR_DIFF_ALL);
    return lines;
}

/* Both releases, and by what they differ: {"same", "release", "config", "env"}. */
static int compare(struct vr_api *api, char **argv, json_t **out, struct vr_err *err)
{
    const struct vr_cli_noun *noun = vr_cli_noun_find("release");
    vr_auto_json json_t *from = NULL, *to = NULL, *answer = NULL;
    vr_auto_free char *path = NULL, *id = NULL;
    json_t *fields;
    const char *uri;
    int r = vr_cli_noun_get(api, noun, argv[0], &from, err);

    if (r >= 0)
        r = vr_cli_noun_get(api, noun, argv[1], &to, err);
    if (r >= 0)
        r = vr_json_get_str(from, "resource_uri", &uri, err);
    if (r < 0)
        return r;
    id = vr_cli_noun_cell(to, "id");
    path = vr_strf("%scompare/%s/", uri, id);
    r = vr_api_get(api, path, &answer, err);
    if (r < 0)
        return r;
    fields = compare_fields(from, to);
    if (json_array_size(fields))
        vr_json_set(answer, "same", json_false());
    vr_json_set(answer, "release", fields);
    *out = vr_take(answer);
    return 0;
}

static int run_compare(struct vr_cli *cli, const void *opts, int argc, char **argv,
                       struct vr_err *err)
{
    static const char *const parts[] = {"release", "config", "env"};
    vr_auto_buf struct vr_buf text = VR_BUF(VR_OUT_BYTES);
    vr_auto_json json_t *answer = NULL;
    struct vr_api *api;
    int r = vr_cli_api(cli, &api, err);

    if (r >= 0)
        r = compare(api, argv, &answer, err);
    if (r < 0)
        return r;
    if (vr_out_is_data(&cli->out))
        return vr_out_value(&cli->out, answer, err);
    if (json_is_true(json_object_get(answer, "same")))
        vr_say(&cli->out, "Releases %s and %s do not differ.", argv[0], argv[1]);
    for (size_t i = 0; i < VR_COUNT(parts); i++) {
        vr_auto_free char *first = vr_strf("%-9s ", parts[i]);

        vr_out_add_diff(&text, cli->out.colour, first, json_object_get(answer, parts[i]));
    }
    return vr_out_flush(&text, err);
}

struct deploy {
    const char *config;
};

static const struct vr_opt deploy_opts[] = {
    {"config-name", 'c', VR_OPT_TEXT, offsetof(struct deploy, config), "CONFIG",
     "the name of its configuration (prod)"},
};

static int run_deploy(struct vr_cli *cli, const void *opts, int argc, char **argv,
                      struct vr_err *err)
{
    const struct deploy *v = opts;
    vr_auto_json json_t *release = NULL, *body = NULL;
    vr_auto_free char *path = NULL;
    const char *uri;
    struct vr_api *api;
    int64_t port;
    int r = vr_parse_i64(vr_str(argv[2]), 0, UINT16_MAX, &port, err);

    if (r < 0)
        return vr_fail_in(err, r, "port");
    r = vr_cli_api(cli, &api, err);
    if (r >= 0)
        r = vr_cli_noun_get(api, vr_cli_noun_find("release"), argv[0], &release, err);
    if (r >= 0)
        r = vr_json_get_str(release, "resource_uri", &uri, err);
    if (r < 0)
        return r;
    body = json_pack("{s:s,s:s,s:s,s:I}", "config_name", v->config ? v->config : "prod", "host",
                     argv[1], "proc", argv[3], "port", (json_int_t)port);
    path = vr_strf("%sdeploy/", uri);
    r = body ? vr_api_send(api, "POST", path, body, NULL, err)
             : vr_fail(err, VR_INVALID, "host or proc: not UTF-8");
    if (r >= 0 && !cli->out.old)
        vr_say(&cli->out, "proc %s of release %s will run on %s", argv[3], argv[0], argv[1]);
    return r;
}

/* Which of the two is the command's argument: NULL is to unpin. */
static int run_pin(struct vr_cli *cli, const void *opts, int argc, char **argv, struct vr_err *err)
{
    bool pinned = cli->command->arg != NULL;
    vr_auto_json json_t *body = json_pack("{s:b}", "pinned", pinned);
    struct vr_api *api;
    int r = vr_cli_api(cli, &api, err);

    for (int i = 0; i < argc && r >= 0; i++) {
        vr_auto_free char *uri = NULL;

        r = vr_cli_noun_uri(api, vr_cli_noun_find("release"), argv[i], &uri, err);
        if (r >= 0)
            r = vr_api_send(api, "PATCH", uri, body, NULL, err);
        if (r >= 0)
            vr_say(&cli->out, "release %s is %s", argv[i],
                   pinned ? "kept for good" : "kept as long as all others");
    }
    return r;
}

static const struct vr_command verbs[] = {
    {.name = "pin",
     .args = "RELEASE…",
     .summary = "Keep releases for good, whatever their age",
     .min_args = 1,
     .max_args = -1,
     .run = run_pin,
     .arg = "pin"},
    {.name = "unpin",
     .args = "RELEASE…",
     .summary = "Let releases go as all others do",
     .min_args = 1,
     .max_args = -1,
     .run = run_pin},
    {.name = "diff compare",
     .args = "RELEASE RELEASE",
     .summary = "Show by what two releases differ; a secret that changed is named",
     .min_args = 2,
     .max_args = 2,
     .run = run_compare},
    {NULL},
};

const struct vr_command vr_release_commands[] = {
    {.name = "releases",
     .args = "FILTER",
     .summary = "List the releases that swarms have run, newest first",
     .min_args = 1,
     .max_args = 1,
     .run = run_releases},
    {.name = "rollback",
     .args = "FILTER [RELEASE]",
     .summary = "Go back to the release before, or to one by id, hash or tag",
     VR_COMMAND_OPTS(rollback_opts, struct rollback),
     .min_args = 1,
     .max_args = 2,
     .run = run_rollback},
    {.name = "deploy",
     .args = "RELEASE HOST PORT PROC",
     .summary = "Run one proc of a release without a swarm; PORT 0: none",
     VR_COMMAND_OPTS(deploy_opts, struct deploy),
     .min_args = 4,
     .max_args = 4,
     .run = run_deploy},
    {.name = "release", .subs = verbs},
    {NULL},
};
