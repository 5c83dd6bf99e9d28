/* SPDX-License-Identifier: MIT */
/* vr build APP TAG, vr build log, vr rebuild-all. */
#include "cli/api.h"
#include "cli/cli.h"
#include "cli/commands.h"
#include "cli/dispatch.h"
#include "cli/exit.h"
#include "cli/noun.h"
#include "cli/swarms.h"
#include "core/str.h"
#include "fmt/json.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define LOG_WAIT_S 20

struct values {
    struct vr_dispatch_opts shared; /* of rebuild-all */
    bool wait;
    bool follow;
};

static const struct vr_opt build_opts[] = {
    {"wait", 'w', VR_OPT_FLAG, offsetof(struct values, wait), NULL,
     "show the log as it comes; the exit code is the outcome"},
};

static const struct vr_opt log_opts[] = {
    {"follow", 'f', VR_OPT_FLAG, offsetof(struct values, follow), NULL,
     "go on until the build ends"},
};

static const struct vr_opt rebuild_opts[] = {VR_DISPATCH_OPTIONS(struct values)};

/* Write a build's log to `fd`; with `follow` until its end. */
static int show_log(struct vr_api *api, const char *id, bool follow, int fd, struct vr_err *err)
{
    int64_t from = 0;

    for (;;) {
        vr_auto_free char *path = vr_strf("/api/v1/builds/%s/log/?from=%" PRId64 "&wait=%d", id,
                                          from, follow ? LOG_WAIT_S : 0);
        __attribute__((cleanup(vr_api_text_fini))) struct vr_api_text piece = {0};
        int r = vr_api_get_text(api, path, &piece, err);

        if (r >= 0)
            r = vr_out_write(fd, piece.text, piece.len, err);
        if (r < 0)
            return r;
        if (piece.end || (!follow && piece.next <= from))
            return 0;
        from = piece.next > from ? piece.next : from;
    }
}

/* How a build ended, as an exit code. */
static int outcome(struct vr_cli *cli, struct vr_api *api, const char *id, struct vr_err *err)
{
    vr_auto_json json_t *build = NULL;
    vr_auto_free char *status = NULL, *app = NULL, *tag = NULL, *error = NULL;
    int r = vr_cli_noun_get(api, vr_cli_noun_find("build"), id, &build, err);

    if (r < 0)
        return r;
    status = vr_cli_noun_cell(build, "status");
    app = vr_cli_noun_cell(build, "app");
    tag = vr_cli_noun_cell(build, "tag");
    error = vr_cli_noun_cell(build, "error");
    vr_say(&cli->out, "build %s of %s %s: %s%s%s", id, app, tag, status, *error ? ": " : "", error);
    return strcmp(status, "success") ? VR_EXIT_FAILED : VR_EXIT_OK;
}

/* Make a build of a tag and start it; *out_id is given. */
static int start_build(struct vr_api *api, const char *app, const char *tag, char **out_id,
                       struct vr_err *err)
{
    vr_auto_free char *uri = NULL, *path = NULL, *trigger = NULL;
    vr_auto_json json_t *body = NULL, *made = NULL;
    int r = vr_cli_noun_uri(api, vr_cli_noun_find("app"), app, &uri, err);

    if (r < 0)
        return r;
    body = json_pack("{s:s,s:s}", "app", uri, "tag", tag);
    if (!body)
        return vr_fail(err, VR_INVALID, "tag: not UTF-8");
    r = vr_api_create(api, "/api/v1/builds/", body, &path, err);
    if (r >= 0)
        r = vr_api_get(api, path, &made, err);
    if (r < 0)
        return r;
    trigger = vr_strf("%sbuild/", path);
    r = vr_api_send(api, "POST", trigger, NULL, NULL, err);
    if (r >= 0)
        *out_id = vr_cli_noun_cell(made, "id");
    return r;
}

static int run_build(struct vr_cli *cli, const void *opts, int argc, char **argv,
                     struct vr_err *err)
{
    const struct values *v = opts;
    vr_auto_free char *id = NULL;
    struct vr_api *api;
    int r = vr_cli_api(cli, &api, err);

    if (r >= 0)
        r = start_build(api, argv[0], argv[1], &id, err);
    if (r < 0)
        return r;
    if (!cli->out.old)
        puts(id);
    fflush(stdout);
    if (!v->wait) {
        vr_say(&cli->out, "Follow it: vr build log %s -f", id);
        return 0;
    }
    vr_say(&cli->out, "Building; Ctrl-C leaves it running, then: vr build log %s -f", id);
    r = show_log(api, id, true, STDERR_FILENO, err);
    return r < 0 ? r : outcome(cli, api, id, err);
}

static int run_log(struct vr_cli *cli, const void *opts, int argc, char **argv, struct vr_err *err)
{
    const struct values *v = opts;
    struct vr_api *api;
    int r = vr_cli_api(cli, &api, err);

    return r < 0 ? r : show_log(api, argv[0], v->follow, STDOUT_FILENO, err);
}

static int build_each(struct vr_cli *cli, struct vr_api *api, const json_t *swarms,
                      struct vr_err *err)
{
    vr_auto_json json_t *seen = json_object();
    const json_t *swarm;
    size_t i;

    json_array_foreach (swarms, i, swarm) {
        vr_auto_free char *app = vr_cli_noun_cell(swarm, "app_name");
        vr_auto_free char *tag = vr_cli_noun_cell(swarm, "version");
        vr_auto_free char *key = vr_strf("%s %s", app, tag);
        vr_auto_free char *id = NULL;
        int r;

        if (json_object_get(seen, key))
            continue;
        r = start_build(api, app, tag, &id, err);
        if (r < 0)
            return vr_fail_in(err, r, "build %s", key);
        vr_say(&cli->out, "build %s of %s", id, key);
        json_object_set_new(seen, key, json_true());
    }
    return 0;
}

static int run_rebuild(struct vr_cli *cli, const void *opts, int argc, char **argv,
                       struct vr_err *err)
{
    const struct values *v = opts;
    vr_auto_json json_t *swarms = NULL, *body = json_pack("{s:s}", "kind", "dispatch");
    struct vr_dispatch_spec spec = {
        .verb = "Rebuild", .doing = "Rebuilding", .action = "swarm", .body = body};
    struct vr_api *api;
    int r = vr_cli_api(cli, &api, err);

    if (r >= 0)
        r = vr_swarms_need(api, argv[0], &v->shared.exclude, &swarms, err);
    if (r < 0)
        return r;
    if (v->shared.plan)
        return vr_dispatch_swarms(cli, swarms, &v->shared, &spec, err);
    r = vr_swarms_confirm(&cli->out, swarms, v->shared.yes, spec.verb, err);
    if (r <= 0)
        return r < 0 ? r : VR_EXIT_FAILED;
    if (v->shared.countdown)
        vr_dispatch_count_down(&cli->out, spec.doing);
    r = build_each(cli, api, swarms, err);
    return r < 0 ? r : vr_dispatch_send(cli, swarms, &v->shared, &spec, err);
}

static const struct vr_command verbs[] = {
    {.name = "log",
     .args = "BUILD",
     .summary = "Show the log of a build",
     VR_COMMAND_OPTS(log_opts, struct values),
     .min_args = 1,
     .max_args = 1,
     .run = run_log},
    {NULL},
};

const struct vr_command vr_build_commands[] = {
    {.name = "build",
     .args = "APP TAG",
     .summary = "Build a tag of an app ahead of its first dispatch",
     VR_COMMAND_OPTS(build_opts, struct values),
     .min_args = 2,
     .max_args = 2,
     .run = run_build,
     .subs = verbs},
    {.name = "rebuild-all",
     .args = "FILTER",
     .summary = "Build what swarms run once more, and dispatch them",
     VR_COMMAND_OPTS(rebuild_opts, struct values),
     .min_args = 1,
     .max_args = 1,
     .run = run_rebuild},
    {NULL},
};
