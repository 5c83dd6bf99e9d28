/* SPDX-License-Identifier: MIT */
/* vr schedule list|run, vr retention. */
#include "cli/api.h"
#include "cli/cli.h"
#include "cli/commands.h"
#include "cli/list_view.h"
#include "core/str.h"
#include "fmt/json.h"
#include "fmt/uri.h"

struct values {
    bool plan;
};

static const struct vr_opt retention_opts[] = {
    {"plan", 0, VR_OPT_FLAG, offsetof(struct values, plan), NULL,
     "show what the next run would delete"},
};

static int run_list(struct vr_cli *cli, const void *opts, int argc, char **argv, struct vr_err *err)
{
    static const struct vr_column columns[] = {
        {"TASK", "task"},         {"SCHEDULE", "schedule"}, {"NEXT", "next"},
        {"LAST RUN", "last_run"}, {"SECONDS", "seconds"},   {"RUNS", "runs", true},
        {"RESULT", "result"},
    };
    static const struct vr_list_view view = {columns, VR_COUNT(columns), "task",
                                             "Nothing is scheduled."};
    vr_auto_json json_t *list = NULL;
    struct vr_api *api;
    int r = vr_cli_api(cli, &api, err);

    if (r >= 0)
        r = vr_api_list(api, "/api/v1/schedules/", NULL, &list, err);
    return r < 0 ? r : vr_list_show(&cli->out, list, &view, err);
}

static int run_run(struct vr_cli *cli, const void *opts, int argc, char **argv, struct vr_err *err)
{
    vr_auto_free char *task = vr_uri_encode(argv[0]);
    vr_auto_free char *path = vr_strf("/api/v1/schedules/%s/run/", task);
    struct vr_api *api;
    int r = vr_cli_api(cli, &api, err);

    if (r >= 0)
        r = vr_api_send(api, "POST", path, NULL, NULL, err);
    if (r >= 0)
        vr_say(&cli->out, "%s runs now; see: vr schedule list", argv[0]);
    return r;
}

static int run_retention(struct vr_cli *cli, const void *opts, int argc, char **argv,
                         struct vr_err *err)
{
    const struct values *v = opts;
    vr_auto_json json_t *answer = NULL;
    struct vr_api *api;
    int r = vr_cli_api(cli, &api, err);

    if (r >= 0)
        r = vr_api_get(api, v->plan ? "/api/v1/retention/?plan=1" : "/api/v1/retention/", &answer,
                       err);
    return r < 0 ? r : vr_object_show(&cli->out, answer, err);
}

static const struct vr_command verbs[] = {
    {.name = "list ls", .summary = "List scheduled tasks and their last runs", .run = run_list},
    {.name = "run",
     .args = "TASK",
     .summary = "Run a scheduled task now",
     .min_args = 1,
     .max_args = 1,
     .run = run_run},
    {NULL},
};

const struct vr_command vr_schedule_commands[] = {
    {.name = "schedule", .summary = "Scheduled tasks: list, run", .subs = verbs},
    {.name = "retention",
     .summary = "Show how long things are kept; --plan: what would be deleted next",
     VR_COMMAND_OPTS(retention_opts, struct values),
     .run = run_retention},
    {NULL},
};
