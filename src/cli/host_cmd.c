/* SPDX-License-Identifier: MIT */
/* vr host activate|deactivate|status, vr squad accept-loss. */
#include "cli/api.h"
#include "cli/cli.h"
#include "cli/commands.h"
#include "cli/list_view.h"
#include "cli/noun.h"
#include "core/str.h"
#include "fmt/json.h"

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
