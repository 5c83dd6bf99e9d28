/* SPDX-License-Identifier: MIT */
/* vr ps, vr proc start|stop|restart|rm. */
#include "cli/api.h"
#include "cli/cli.h"
#include "cli/commands.h"
#include "cli/exit.h"
#include "cli/noun.h"
#include "cli/procs.h"
#include "cli/table.h"
#include "core/str.h"
#include "fmt/json.h"

#include <stdio.h>
#include <string.h>

struct values {
    const char *host;
    struct vr_opt_list exclude;
    bool wait, yes;
};

static const struct vr_opt ps_opts[] = {
    {"host", 0, VR_OPT_TEXT, offsetof(struct values, host), "HOST",
     "only on hosts that match this regular expression"},
    {"exclude", 'x', VR_OPT_LIST, offsetof(struct values, exclude), "PATTERN",
     "leave out swarms whose name contains it"},
};

static const struct vr_opt act_opts[] = {
    {"host", 0, VR_OPT_TEXT, offsetof(struct values, host), "HOST",
     "only on hosts that match this regular expression"},
    {"wait", 'w', VR_OPT_FLAG, offsetof(struct values, wait), NULL,
     "wait until it has happened, up to 30 s"},
    {"yes", 'y', VR_OPT_FLAG, offsetof(struct values, yes), NULL, "do not ask"},
};

static int run_ps(struct vr_cli *cli, const void *opts, int argc, char **argv, struct vr_err *err)
{
    static const char *const titles[] = {"PROC", "SWARM", "TAG",    "HOST",
                                         "PORT", "STATE", "DETAIL", "NAME"};
    static const char *const fields[] = {"proc_id", NULL,        "version",     "host",
                                         "port",    "statename", "description", "name"};
    const struct values *v = opts;
    size_t columns = VR_COUNT(titles) - (cli->out.format != VR_OUT_WIDE);
    VR_OWNED(vr_table_free) struct vr_table *table = vr_table_new(titles, columns);
    vr_auto_buf struct vr_buf text = VR_BUF(VR_OUT_BYTES);
    vr_auto_json json_t *procs = NULL;
    struct vr_api *api;
    const json_t *proc;
    size_t i;
    int r = vr_cli_api(cli, &api, err);

    if (r >= 0)
        r = vr_procs_find(api, argc ? argv[0] : "", &v->exclude, v->host, &procs, err);
    if (r < 0)
        return r;
    if (cli->out.format == VR_OUT_JSON || cli->out.format == VR_OUT_YAML)
        return vr_out_value(&cli->out, procs, err);
    vr_table_mark_state(table, 5);
    json_array_foreach (procs, i, proc) {
        vr_auto_free char *id = vr_procs_id(proc);

        if (cli->out.format == VR_OUT_NAME || cli->out.quiet)
            vr_buf_addf(&text, "%s\n", id);
        for (size_t c = 0; c < columns; c++) {
            vr_auto_free char *cell =
                fields[c] ? vr_cli_noun_cell(proc, fields[c]) : vr_procs_swarm(proc);

            vr_table_add(table, cell);
        }
    }
    if (!vr_table_rows(table))
        vr_say(&cli->out, "No proc matches.");
    else if (cli->out.format != VR_OUT_NAME && !cli->out.quiet)
        return vr_table_show(table, &cli->out, err);
    return vr_out_flush(&text, err);
}

static const char *participle(const char *action)
{
    static const char *const words[][2] = {
        {"start", "started"}, {"stop", "stopped"}, {"restart", "restarted"}, {"rm", "removed"}};

    for (size_t i = 0; i < VR_COUNT(words); i++) {
        if (!strcmp(words[i][0], action))
            return words[i][1];
    }
    return action;
}

static int act_on_one(struct vr_cli *cli, struct vr_api *api, const json_t *proc,
                      const char *action, bool wait, struct vr_err *err)
{
    vr_auto_free char *id = vr_procs_id(proc);
    vr_auto_free char *swarm = vr_procs_swarm(proc);
    vr_auto_json json_t *answer = NULL;
    vr_auto_free char *state = NULL;
    int r = vr_procs_act(api, proc, action, wait, &answer, err);

    if (r < 0)
        return r;
    state = answer ? vr_cli_noun_cell(answer, "statename") : NULL;
    vr_say(&cli->out, "proc %s of %s %s %s%s%s%s", id, swarm, wait ? "was" : "will be",
           participle(action),
           vr_str_is_empty(state) ? ""
           : wait                 ? " ("
                                  : " (now ",
           vr_str_is_empty(state) ? "" : state, vr_str_is_empty(state) ? "" : ")");
    return 0;
}

static char *question_of(const json_t *procs, const char *action)
{
    vr_auto_free char *id = vr_procs_id(json_array_get(procs, 0));
    vr_auto_free char *swarm = vr_procs_swarm(json_array_get(procs, 0));
    const char *verb = !strcmp(action, "rm") ? "Delete" : !strcmp(action, "stop") ? "Stop" : action;

    if (json_array_size(procs) == 1)
        return vr_strf("%s proc %s of %s?", verb, id, swarm);
    return vr_strf("%s %zu procs?", verb, json_array_size(procs));
}

static int act(struct vr_cli *cli, const json_t *procs, const char *action, const struct values *v,
               struct vr_err *err)
{
    vr_auto_free char *question = question_of(procs, action);
    bool many = json_array_size(procs) > 1;
    /* What takes procs away asks in any case; the rest only where somebody can answer. */
    bool risky = !strcmp(action, "rm") || (many && (!strcmp(action, "stop") || cli->out.ask));
    struct vr_api *api;
    const json_t *proc;
    size_t i;
    int r = vr_cli_api(cli, &api, err);

    if (r < 0)
        return r;
    if (risky) {
        r = vr_out_confirm(&cli->out, v->yes, question, err);
        if (r <= 0)
            return r < 0 ? r : VR_EXIT_FAILED;
    }
    json_array_foreach (procs, i, proc) {
        r = act_on_one(cli, api, proc, action, v->wait, err);
        if (r < 0)
            return r;
    }
    return 0;
}

/* The verb is the command's own name: start, stop, restart, rm. */
static int run_act(struct vr_cli *cli, const void *opts, int argc, char **argv, struct vr_err *err)
{
    const struct values *v = opts;
    vr_auto_json json_t *procs = json_array();
    struct vr_api *api;
    int r = vr_cli_api(cli, &api, err);

    for (int i = 0; i < argc && r >= 0; i++) {
        vr_auto_json json_t *found = NULL;

        r = v->host ? vr_procs_find(api, argv[i], NULL, v->host, &found, err)
                    : vr_procs_named(api, argv[i], &found, NULL, err);
        if (r >= 0)
            json_array_extend(procs, found);
    }
    return r < 0 ? r : act(cli, procs, cli->command->arg, opts, err);
}

static int run_show(struct vr_cli *cli, const void *opts, int argc, char **argv, struct vr_err *err)
{
    vr_auto_json json_t *procs = NULL;
    struct vr_out out = cli->out;
    struct vr_api *api;
    int r = vr_cli_api(cli, &api, err);

    if (r >= 0)
        r = vr_procs_named(api, argv[0], &procs, NULL, err);
    if (r < 0)
        return r;
    if (out.format != VR_OUT_JSON)
        out.format = VR_OUT_YAML;
    return vr_out_value(&out, json_array_size(procs) == 1 ? json_array_get(procs, 0) : procs, err);
}

#define ACTION(word, text)                                                                         \
    {                                                                                              \
        .name = (word), .args = "PROC…", .summary = (text),                                        \
        VR_COMMAND_OPTS(act_opts, struct values), .min_args = 1, .max_args = -1, .run = run_act,   \
        .arg = (word)                                                                              \
    }

static const struct vr_command proc_verbs[] = {
    {.name = "list ls",
     .args = "[FILTER]",
     .summary = "List procs, as vr ps",
     VR_COMMAND_OPTS(ps_opts, struct values),
     .max_args = 1,
     .run = run_ps},
    {.name = "show",
     .args = "PROC",
     .summary = "Show all of one proc",
     .min_args = 1,
     .max_args = 1,
     .run = run_show},
    ACTION("start", "Start a stopped proc; it serves again once it is tested"),
    ACTION("stop", "Take a proc out of its pool and stop it; it keeps its place"),
    ACTION("restart", "Stop and start a proc"),
    {.name = "rm remove delete destroy",
     .args = "PROC…",
     .summary = "Stop and delete a proc; the swarm gets another one",
     VR_COMMAND_OPTS(act_opts, struct values),
     .min_args = 1,
     .max_args = -1,
     .run = run_act,
     .arg = "rm"},
    {NULL},
};

const struct vr_command vr_proc_commands[] = {
    {.name = "ps",

     .args = "[FILTER]",
     .summary = "List procs: where they run and how they are",
     VR_COMMAND_OPTS(ps_opts, struct values),
     .max_args = 1,
     .run = run_ps},
    {.name = "proc",
     .summary = "Procs: list, show, start, stop, restart, rm",
     .details = "PROC is a number of vr ps, a proc's name, or a filter for swarms.",
     .subs = proc_verbs},
    {NULL},
};
