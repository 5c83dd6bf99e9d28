/* SPDX-License-Identifier: MIT */
/* vr history, vr history diff, vr restore. */
#include "cli/api.h"
#include "cli/cli.h"
#include "cli/commands.h"
#include "cli/exit.h"
#include "cli/history.h"
#include "core/str.h"
#include "fmt/json.h"
#include "fmt/uri.h"

#include <string.h>

struct values {
    struct vr_opt_int lines;
    bool plan, exit_code;
    struct vr_opt_int if_version;
    const char *comment;
};

static const struct vr_opt list_opts[] = {
    {"lines", 'n', VR_OPT_INT, offsetof(struct values, lines), "N", "so many of the newest (20)", 1,
     100},
};

static const struct vr_opt restore_opts[] = {
    {"plan", 0, VR_OPT_FLAG, offsetof(struct values, plan), NULL,
     "show what would change, and do nothing"},
    {"dry-run", 0, VR_OPT_FLAG, offsetof(struct values, plan), NULL, NULL},
    {"exit-code", 0, VR_OPT_FLAG, offsetof(struct values, exit_code), NULL,
     "with --plan: exit with 10 if anything would change"},
    {"if-version", 0, VR_OPT_INT, offsetof(struct values, if_version), "N",
     "only if nobody changed it since version N", 1, INT64_MAX},
    {"comment", 0, VR_OPT_TEXT, offsetof(struct values, comment), "TEXT",
     "what its history says about it"},
};

static int noun_of(const char *word, const struct vr_cli_noun **out, struct vr_err *err)
{
    *out = vr_cli_noun_find(word);
    return *out ? 0 : vr_fail(err, VR_INVALID, "'%s' is not the name of a kind of object", word);
}

static int run_history(struct vr_cli *cli, const void *opts, int argc, char **argv,
                       struct vr_err *err)
{
    const struct values *v = opts;
    const struct vr_cli_noun *noun;
    int r = noun_of(argv[0], &noun, err);

    return r < 0 ? r
                 : vr_history_show(cli, noun, argv[1], v->lines.given ? v->lines.value : 0, err);
}

static int run_diff(struct vr_cli *cli, const void *opts, int argc, char **argv, struct vr_err *err)
{
    vr_auto_free char *path = NULL, *version = vr_uri_encode(argv[2]);
    vr_auto_free char *other = argc > 3 ? vr_uri_encode(argv[3]) : NULL;
    vr_auto_free char *asked = NULL;
    vr_auto_json json_t *answer = NULL;
    vr_auto_buf struct vr_buf text = VR_BUF(VR_OUT_BYTES);
    const struct vr_cli_noun *noun;
    struct vr_api *api;
    int r = noun_of(argv[0], &noun, err);

    if (r >= 0)
        r = vr_cli_api(cli, &api, err);
    if (r >= 0)
        r = vr_history_path(api, noun, argv[1], &path, err);
    if (r < 0)
        return r;
    asked = vr_strf("%s%s/%s%s", path, version, other ? "?against=" : "", other ? other : "");
    r = vr_api_get(api, asked, &answer, err);
    if (r < 0)
        return r;
    if (cli->out.format == VR_OUT_JSON || cli->out.format == VR_OUT_YAML)
        return vr_out_value(&cli->out, answer, err);
    vr_history_write_changes(&text, json_object_get(answer, "changes"), &cli->out);
    return vr_out_flush(&text, err);
}

static int run_restore(struct vr_cli *cli, const void *opts, int argc, char **argv,
                       struct vr_err *err)
{
    const struct values *v = opts;
    vr_auto_free char *path = NULL, *version = vr_uri_encode(argv[2]), *whole = NULL;
    vr_auto_json json_t *answer = NULL;
    vr_auto_buf struct vr_buf text = VR_BUF(VR_OUT_BYTES);
    struct vr_api_request request = {.method = "POST", .if_version = v->if_version.value};
    const struct vr_cli_noun *noun;
    const json_t *told, *changes;
    struct vr_api *api;
    int r = noun_of(argv[0], &noun, err);

    if (r >= 0)
        r = vr_cli_api(cli, &api, err);
    if (r >= 0)
        r = vr_api_comment(api, v->comment, err);
    if (r >= 0)
        r = vr_history_path(api, noun, argv[1], &path, err);
    if (r < 0)
        return r;
    request.path = whole = vr_strf("%s%s/restore/?plan=%d", path, version, v->plan);
    r = vr_api_request(api, &request, &answer, err);
    if (r < 0)
        return r;
    told = v->plan ? json_object_get(answer, "plan") : answer;
    if (cli->out.format == VR_OUT_JSON || cli->out.format == VR_OUT_YAML)
        return vr_out_value(&cli->out, told, err);
    changes = json_object_get(told, "changes");
    vr_history_write_changes(&text, changes, &cli->out);
    r = vr_out_flush(&text, err);
    if (r < 0)
        return r;
    if (!v->plan)
        vr_say(&cli->out, "%s %s is again as version %s was", noun->name, argv[1], argv[2]);
    return v->plan && v->exit_code && json_array_size(changes) ? VR_EXIT_CHANGES : VR_EXIT_OK;
}

static const struct vr_command verbs[] = {
    {.name = "diff",
     .args = "NOUN NAME VERSION [VERSION|current]",
     .summary = "Show what a version changed, or its difference from another one",
     .min_args = 3,
     .max_args = 4,
     .run = run_diff},
    {NULL},
};

const struct vr_command vr_history_commands[] = {
    {.name = "history",
     .args = "NOUN NAME",
     .summary = "List the versions of an object: who changed what, and when",
     .details = "  vr history swarm shop-prod-web\n"
                "  vr history diff swarm shop-prod-web 17\n"
                "  vr restore swarm shop-prod-web 17 --plan",
     VR_COMMAND_OPTS(list_opts, struct values),
     .min_args = 2,
     .max_args = 2,
     .run = run_history,
     .subs = verbs},
    {.name = "restore",
     .args = "NOUN NAME VERSION",
     .summary = "Make an object what a version of it was, also one that was deleted",
     VR_COMMAND_OPTS(restore_opts, struct values),
     .min_args = 3,
     .max_args = 3,
     .run = run_restore},
    {NULL},
};
