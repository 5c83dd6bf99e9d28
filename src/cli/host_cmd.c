/* SPDX-License-Identifier: MIT */
/* vr host activate|deactivate|status, vr squad redispatch|accept-loss. */
#include "cli/api.h"
#include "cli/cli.h"
#include "cli/commands.h"
#include "cli/dispatch.h"
#include "cli/exit.h"
#include "cli/list_view.h"
#include "cli/noun.h"
#include "cli/watch.h"
#include "core/str.h"
#include "fmt/json.h"

#include <stdio.h>

struct values {
    bool plan, wait, yes;
};

static const struct vr_opt redispatch_opts[] = {
    {"plan", 0, VR_OPT_FLAG, offsetof(struct values, plan), NULL,
     "show what would happen, and do nothing"},
    {"wait", 'w', VR_OPT_FLAG, offsetof(struct values, wait), NULL,
     "follow the rollouts to their end; the exit code is the worst outcome"},
    {"yes", 'y', VR_OPT_FLAG, offsetof(struct values, yes), NULL, "do not ask"},
};

/* Which of the two is the command's argument: NULL is to deactivate. */
static int run_activate(struct vr_cli *cli, const void *opts, int argc, char **argv,
                        struct vr_err *err)
{
    bool active = cli->command->arg != NULL;
    vr_auto_json json_t *body = json_pack("{s:b}", "active", active);
    struct vr_api *api;
    int r = vr_cli_api(cli, &api, err);

    for (int i = 0; i < argc && r >= 0; i++) {
        vr_auto_free char *uri = NULL;

        r = vr_cli_noun_uri(api, vr_cli_noun_find("host"), argv[i], &uri, err);
        if (r >= 0)
            r = vr_api_send(api, "PATCH", uri, body, NULL, err);
        if (r >= 0)
            vr_say(&cli->out, "host %s %s", argv[i],
                   active ? "gets new procs again" : "gets no new procs; those it has stay");
    }
    return r;
}

/* What a person asks about a host: how it is, and what runs there. */
static int run_status(struct vr_cli *cli, const void *opts, int argc, char **argv,
                      struct vr_err *err)
{
    static const struct vr_column columns[] = {
        {"PROC", "proc_id"},       {"NAME", "name"},
        {"PORT", "port"},          {"STATE", "statename", .state = true},
        {"DETAIL", "description"},
    };
    static const struct vr_list_view view = {columns, VR_COUNT(columns), NULL,
                                             "No proc runs there."};
    static const char *const fields[] = {"name",   "state",         "squad",    "address",
                                         "active", "agent_version", "last_seen"};
    vr_auto_json json_t *host = NULL, *shown = json_object();
    vr_auto_buf struct vr_buf text = VR_BUF(VR_OUT_BYTES);
    struct vr_api *api;
    int r = vr_cli_api(cli, &api, err);

    if (r >= 0)
        r = vr_cli_noun_get(api, vr_cli_noun_find("host"), argv[0], &host, err);
    if (r < 0)
        return r;
    if (vr_out_is_data(&cli->out))
        return vr_out_value(&cli->out, host, err);
    for (size_t i = 0; i < VR_COUNT(fields); i++)
        json_object_set(shown, fields[i], json_object_get(host, fields[i]));
    vr_object_write(&text, shown);
    vr_buf_addc(&text, '\n');
    r = vr_out_flush(&text, err);
    return r < 0 ? r : vr_list_show(&cli->out, json_object_get(host, "procs"), &view, err);
}

static int run_accept_loss(struct vr_cli *cli, const void *opts, int argc, char **argv,
                           struct vr_err *err)
{
    vr_auto_free char *uri = NULL, *path = NULL;
    struct vr_api *api;
    int r = vr_cli_api(cli, &api, err);

    if (r >= 0)
        r = vr_cli_noun_uri(api, vr_cli_noun_find("squad"), argv[0], &uri, err);
    if (r < 0)
        return r;
    path = vr_strf("%saccept-loss/", uri);
    r = vr_api_send(api, "POST", path, NULL, NULL, err);
    if (r >= 0)
        vr_say(&cli->out, "What ran on the lost hosts of squad %s is replaced now.", argv[0]);
    return r;
}

static int show_plans(struct vr_cli *cli, const json_t *answer, struct vr_err *err)
{
    vr_auto_buf struct vr_buf text = VR_BUF(VR_OUT_BYTES);
    const json_t *plan;
    size_t i;

    if (vr_out_is_data(&cli->out))
        return vr_out_value(&cli->out, answer, err);
    json_array_foreach (json_object_get(answer, "plans"), i, plan) {
        vr_buf_add(&text, i ? "\n" : "");
        vr_plan_write(&text, plan, &cli->out);
    }
    vr_dispatch_tell_skipped(&cli->out, answer);
    return vr_out_flush(&text, err);
}

static int run_redispatch(struct vr_cli *cli, const void *opts, int argc, char **argv,
                          struct vr_err *err)
{
    const struct values *v = opts;
    vr_auto_free char *uri = NULL, *path = NULL;
    vr_auto_free char *question = vr_strf("Dispatch every swarm of squad %s?", argv[0]);
    vr_auto_json json_t *answer = NULL, *ids = json_array();
    struct vr_api *api;
    int r = vr_cli_api(cli, &api, err);

    if (r >= 0)
        r = vr_cli_noun_uri(api, vr_cli_noun_find("squad"), argv[0], &uri, err);
    if (r >= 0 && !v->plan && cli->out.ask) {
        r = vr_out_confirm(&cli->out, v->yes, question, err);
        if (r == 0)
            return VR_EXIT_FAILED;
    }
    if (r < 0)
        return r;
    path = vr_strf("%sredispatch/?plan=%d", uri, v->plan);
    r = vr_api_send(api, "POST", path, NULL, &answer, err);
    if (r < 0)
        return r;
    if (v->plan)
        return show_plans(cli, answer, err);
    vr_dispatch_tell_group(&cli->out, answer, ids);
    return v->wait && json_array_size(ids) ? vr_watch_rollouts(cli, ids, 0, err) : VR_EXIT_OK;
}

static const struct vr_command host_verbs[] = {
    {.name = "status",
     .args = "HOST",
     .summary = "Show how a host is and what runs there",
     .min_args = 1,
     .max_args = 1,
     .run = run_status},
    {.name = "activate",
     .args = "HOST…",
     .summary = "Place new procs there again",
     .min_args = 1,
     .max_args = -1,
     .run = run_activate,
     .arg = "active"},
    {.name = "deactivate",
     .args = "HOST…",
     .summary = "Place no new procs there; those it has stay",
     .min_args = 1,
     .max_args = -1,
     .run = run_activate},
    {NULL},
};

static const struct vr_command squad_verbs[] = {
    {.name = "redispatch",
     .args = "SQUAD",
     .summary = "Dispatch every swarm of a squad, as after a change of its hosts",
     VR_COMMAND_OPTS(redispatch_opts, struct values),
     .min_args = 1,
     .max_args = 1,
     .run = run_redispatch},
    {.name = "accept-loss",
     .args = "SQUAD",
     .summary = "Most of its hosts are really lost: replace what ran there at once",
     .min_args = 1,
     .max_args = 1,
     .run = run_accept_loss},
    {NULL},
};

const struct vr_command vr_host_commands[] = {
    {.name = "host", .group = "objects", .subs = host_verbs},
    {.name = "squad", .subs = squad_verbs},
    {NULL},
};
