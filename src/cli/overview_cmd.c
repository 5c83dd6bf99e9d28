/* SPDX-License-Identifier: MIT */
/* vr overview: the whole platform on one screen, trouble first.
 *
 * It is made of three lists, whatever their length: hosts, swarms with their procs, and the newest
 * rollouts. Each trouble comes with the next command to type. */
#include "cli/api.h"
#include "cli/cli.h"
#include "cli/commands.h"
#include "cli/exit.h"
#include "cli/list_view.h"
#include "cli/noun.h"
#include "cli/rollout_view.h"
#include "cli/swarms.h"
#include "core/str.h"
#include "fmt/json.h"

#include <inttypes.h>
#include <string.h>

#define RECENT "/api/v1/rollouts/?limit=200"

struct view {
    json_t *trouble;  /* [{what, name, text, next}] */
    json_t *rollouts; /* those that go on */
    int64_t hosts, live, swarms, procs, running;
};

static const char *text_of(const json_t *object, const char *name)
{
    const char *text = json_string_value(json_object_get(object, name));

    return text ? text : "";
}

static void add_trouble(struct view *v, const char *what, const char *name, char *text, char *next)
{
    vr_auto_free char *owned_text = text, *owned_next = next;

    vr_json_push(v->trouble, json_pack("{s:s,s:s,s:s,s:s}", "what", what, "name", name, "text",
                                       owned_text, "next", owned_next));
}

static void judge_hosts(struct view *v, const json_t *hosts)
{
    const json_t *host;
    size_t i;

    json_array_foreach (hosts, i, host) {
        const char *name = text_of(host, "name"), *state = text_of(host, "state");
        vr_auto_free char *seen = vr_cli_noun_cell(host, "last_seen");

        v->hosts++;
        v->live += vr_streq(state, "live");
        if (!vr_streq(state, "live") && *state)
            add_trouble(v, "host", name, vr_strf("%s, last seen %s", state, *seen ? seen : "never"),
                        vr_strf("vr host status %s", name));
    }
}

static void judge_swarms(struct view *v, const json_t *swarms)
{
    const json_t *swarm, *proc;
    size_t i, p;

    json_array_foreach (swarms, i, swarm) {
        const json_t *procs = json_object_get(swarm, "procs");
        int64_t running = 0, size = json_integer_value(json_object_get(swarm, "size"));
        vr_auto_free char *name = vr_swarm_name(swarm);

        json_array_foreach (procs, p, proc)
            running += vr_streq(text_of(proc, "statename"), "RUNNING");
        v->swarms++;
        v->procs += (int64_t)json_array_size(procs);
        v->running += running;
        /* What was never dispatched lacks nothing. */
        if (running < size && json_is_string(json_object_get(swarm, "release")))
            add_trouble(v, "swarm", name,
                        vr_strf("%" PRId64 " of %" PRId64 " procs run", running, size),
                        vr_strf("vr ps %s", name));
    }
}

/* Whether a newer rollout of the same swarm stands before place `at` of the list. */
static bool is_outlived(const json_t *rows, size_t at)
{
    const char *swarm = text_of(json_array_get(rows, at), "swarm");

    for (size_t i = 0; i < at; i++) {
        if (vr_streq(text_of(json_array_get(rows, i), "swarm"), swarm))
            return true;
    }
    return false;
}

static void judge_rollouts(struct view *v, const json_t *rows)
{
    json_t *row;
    size_t i;

    json_array_foreach (rows, i, row) {
        const char *id = text_of(row, "id");

        if (!vr_rollout_is_over(row))
            json_array_append(v->rollouts, row);
        else if (vr_rollout_exit(row) == VR_EXIT_FAILED && !is_outlived(rows, i))
            add_trouble(v, "rollout", text_of(row, "swarm_name"),
                        vr_strf("%s failed: %s", text_of(row, "tag"),
                                text_of(json_object_get(row, "error"), "message")),
                        vr_strf("vr rollout show %.8s", id));
    }
}

static int gather(struct vr_api *api, struct view *v, struct vr_err *err)
{
    vr_auto_json json_t *hosts = NULL, *swarms = NULL, *page = NULL;
    int r = vr_api_list(api, "/api/v1/hosts/", "fields=name,state,last_seen", &hosts, err);

    if (r >= 0)
        r = vr_api_list(api, "/api/v1/swarms/", NULL, &swarms, err);
    if (r >= 0)
        r = vr_api_get(api, RECENT, &page, err);
    if (r < 0)
        return r;
    judge_hosts(v, hosts);
    judge_swarms(v, swarms);
    judge_rollouts(v, json_object_get(page, "objects"));
    return 0;
}

static json_t *counts_of(const struct view *v)
{
    return json_pack("{s:I,s:I,s:I,s:I,s:I}", "hosts", (json_int_t)v->hosts, "hosts_live",
                     (json_int_t)v->live, "swarms", (json_int_t)v->swarms, "procs",
                     (json_int_t)v->procs, "procs_running", (json_int_t)v->running);
}

static int show_text(struct vr_cli *cli, const struct view *v, struct vr_err *err)
{
    static const struct vr_column troubles[] = {
        {"TROUBLE", "what"},
        {"NAME", "name"},
        {"STATE", "text"},
        {"NEXT", "next"},
    };
    static const struct vr_column rollouts[] = {
        {"ROLLOUT", "id"}, {"SWARM", "swarm_name"}, {"TAG", "tag"},
        {"STEP", "step"},  {"BY", "user"},
    };
    static const struct vr_list_view trouble_view = {troubles, VR_COUNT(troubles), "name",
                                                     "Nothing is wrong."};
    static const struct vr_list_view rollout_view = {rollouts, VR_COUNT(rollouts), NULL, ""};
    vr_auto_buf struct vr_buf text = VR_BUF(VR_OUT_BYTES);
    int r = vr_list_show(&cli->out, v->trouble, &trouble_view, err);

    if (r < 0 || vr_out_is_names(&cli->out))
        return r;
    if (json_array_size(v->rollouts)) {
        vr_buf_addc(&text, '\n');
        r = vr_out_flush(&text, err);
        if (r >= 0)
            r = vr_list_show(&cli->out, v->rollouts, &rollout_view, err);
        vr_buf_clear(&text);
    }
    vr_buf_addf(&text,
                "\n%" PRId64 " of %" PRId64 " hosts live, %" PRId64 " swarms, %" PRId64
                " of %" PRId64 " procs running, %zu rollouts going on\n",
                v->live, v->hosts, v->swarms, v->running, v->procs, json_array_size(v->rollouts));
    return r < 0 ? r : vr_out_flush(&text, err);
}

static int run_overview(struct vr_cli *cli, const void *opts, int argc, char **argv,
                        struct vr_err *err)
{
    vr_auto_json json_t *trouble = json_array(), *rollouts = json_array(), *all = NULL;
    struct view v = {.trouble = trouble, .rollouts = rollouts};
    struct vr_api *api;
    int r = vr_cli_api(cli, &api, err);

    if (r >= 0)
        r = gather(api, &v, err);
    if (r < 0)
        return r;
    if (!vr_out_is_data(&cli->out))
        return show_text(cli, &v, err);
    all = json_pack("{s:O,s:O,s:o}", "trouble", trouble, "rollouts", rollouts, "counts",
                    counts_of(&v));
    return vr_out_value(&cli->out, all, err);
}

const struct vr_command vr_overview_commands[] = {
    {.name = "overview",
     .group = "look",
     .summary = "Show how everything is: trouble first, then what goes on",
     .run = run_overview},
    {NULL},
};
