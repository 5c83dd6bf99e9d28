/* SPDX-License-Identifier: MIT */
/* vr overview: the whole platform on one screen, trouble first.
 *
 * All of it is one request: the snapshot that the web interface lives on too. It has every host,
 * swarm and proc, and the rollouts and builds that go on or ended some minutes ago; what failed
 * earlier is told by `vr rollout list`. Each trouble comes with the next command to type. */
#include "cli/api.h"
#include "cli/cli.h"
#include "cli/commands.h"
#include "cli/exit.h"
#include "cli/list_view.h"
#include "cli/noun.h"
#include "cli/rollout_view.h"
#include "core/str.h"
#include "fmt/json.h"
#include "fmt/uri.h"

#include <inttypes.h>
#include <string.h>

#define ID_SHOWN 8 /* digits of a rollout's id */

struct values {
    const char *app;
};

static const struct vr_opt options[] = {
    {"app", 0, VR_OPT_TEXT, offsetof(struct values, app), "APP", "only what belongs to this app"},
};

struct view {
    const json_t *snapshot; /* borrowed */
    json_t *trouble;        /* [{what, name, text, next}] */
    json_t *rollouts;       /* those that go on */
    json_t *builds;         /* the same */
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

/* The object of a part by its id, NULL if the snapshot has none. */
static const json_t *find(const struct view *v, const char *part, const json_t *id)
{
    const json_t *object;
    size_t i;

    json_array_foreach (json_object_get(v->snapshot, part), i, object) {
        if (json_equal(json_object_get(object, "id"), id))
            return object;
    }
    return NULL;
}

static void judge_hosts(struct view *v)
{
    const json_t *host;
    size_t i;

    json_array_foreach (json_object_get(v->snapshot, "hosts"), i, host) {
        const char *name = text_of(host, "name"), *state = text_of(host, "state");
        const json_t *usage = find(v, "usage", json_object_get(host, "id"));
        vr_auto_free char *seen = vr_cli_noun_cell(usage, "last_seen");

        v->hosts++;
        v->live += vr_streq(state, "live");
        if (!vr_streq(state, "live") && *state)
            add_trouble(v, "host", name, vr_strf("%s, last seen %s", state, *seen ? seen : "never"),
                        vr_strf("vr host status %s", name));
    }
}

/* How many procs of each swarm run, by the swarm's id as text. Given. */
static json_t *count_running(struct view *v)
{
    json_t *counts = json_object();
    const json_t *proc;
    size_t i;

    json_array_foreach (json_object_get(v->snapshot, "procs"), i, proc) {
        vr_auto_free char *swarm = vr_cli_noun_cell(proc, "swarm");
        bool runs = vr_streq(text_of(proc, "state"), "RUNNING");
        json_int_t n = json_integer_value(json_object_get(counts, swarm));

        v->procs++;
        v->running += runs;
        vr_json_set(counts, swarm, json_integer(n + runs));
    }
    return counts;
}

static void judge_swarms(struct view *v)
{
    vr_auto_json json_t *counts = count_running(v);
    const json_t *swarm;
    size_t i;

    json_array_foreach (json_object_get(v->snapshot, "swarms"), i, swarm) {
        vr_auto_free char *id = vr_cli_noun_cell(swarm, "id");
        int64_t size = json_integer_value(json_object_get(swarm, "size"));
        int64_t running = json_integer_value(json_object_get(counts, id));
        const char *name = text_of(swarm, "name");

        v->swarms++;
        /* What was never dispatched lacks nothing. */
        if (running < size && json_is_string(json_object_get(swarm, "running")))
            add_trouble(v, "swarm", name,
                        vr_strf("%" PRId64 " of %" PRId64 " procs run", running, size),
                        vr_strf("vr ps %s", name));
    }
}

/* Whether a newer rollout of the same swarm stands behind place `at`: they come oldest first. */
static bool is_outlived(const json_t *rows, size_t at)
{
    const json_t *swarm = json_object_get(json_array_get(rows, at), "swarm");

    for (size_t i = at + 1; i < json_array_size(rows); i++) {
        if (json_equal(json_object_get(json_array_get(rows, i), "swarm"), swarm))
            return true;
    }
    return false;
}

static void judge_rollouts(struct view *v)
{
    json_t *rows = json_object_get(v->snapshot, "rollouts"), *row;
    size_t i;

    json_array_foreach (rows, i, row) {
        const char *name = text_of(find(v, "swarms", json_object_get(row, "swarm")), "name");

        json_object_set_new(row, "swarm_name", json_string(name));
        if (!vr_rollout_is_over(row))
            json_array_append(v->rollouts, row);
        else if (vr_streq(text_of(row, "result"), "failed") && !is_outlived(rows, i))
            add_trouble(v, "rollout", name,
                        vr_strf("%s failed: %s", text_of(row, "tag"), text_of(row, "error")),
                        vr_strf("vr rollout show %.*s", ID_SHOWN, text_of(row, "id")));
    }
}

static void judge_builds(struct view *v)
{
    json_t *build;
    size_t i;

    json_array_foreach (json_object_get(v->snapshot, "builds"), i, build) {
        if (json_is_null(json_object_get(build, "ended")))
            json_array_append(v->builds, build);
    }
}

static json_t *counts_of(const struct view *v)
{
    return json_pack("{s:I,s:I,s:I,s:I,s:I}", "hosts", (json_int_t)v->hosts, "hosts_live",
                     (json_int_t)v->live, "swarms", (json_int_t)v->swarms, "procs",
                     (json_int_t)v->procs, "procs_running", (json_int_t)v->running);
}

/* What goes on, below an empty line; nothing if nothing does. */
static int show_active(struct vr_cli *cli, const json_t *list, const struct vr_list_view *view,
                       struct vr_err *err)
{
    vr_auto_buf struct vr_buf gap = VR_BUF(sizeof("\n"));
    int r;

    if (!json_array_size(list))
        return 0;
    vr_buf_addc(&gap, '\n');
    r = vr_out_flush(&gap, err);
    return r < 0 ? r : vr_list_show(&cli->out, list, view, err);
}

static int show_text(struct vr_cli *cli, const struct view *v, struct vr_err *err)
{
    static const struct vr_column troubles[] = {
        {"TROUBLE", "what"}, {"NAME", "name"}, {"STATE", "text"}, {"NEXT", "next"}};
    static const struct vr_column rollouts[] = {{"ROLLOUT", "short"},
                                                {"SWARM", "swarm_name"},
                                                {"TAG", "tag"},
                                                {"STATE", "word"},
                                                {"BY", "user"}};
    static const struct vr_column builds[] = {
        {"BUILD", "id"}, {"APP", "app"}, {"TAG", "tag"}, {"STATE", "word"}};
    static const struct vr_list_view trouble_view = {troubles, VR_COUNT(troubles), "name",
                                                     "Nothing is wrong."};
    static const struct vr_list_view rollout_view = {rollouts, VR_COUNT(rollouts), NULL, ""};
    static const struct vr_list_view build_view = {builds, VR_COUNT(builds), NULL, ""};
    vr_auto_buf struct vr_buf text = VR_BUF(VR_OUT_BYTES);
    json_t *row;
    size_t i;
    int r = vr_list_show(&cli->out, v->trouble, &trouble_view, err);

    if (r < 0 || vr_out_is_names(&cli->out))
        return r;
    json_array_foreach (v->rollouts, i, row)
        vr_json_set(row, "short", json_sprintf("%.*s", ID_SHOWN, text_of(row, "id")));
    r = show_active(cli, v->rollouts, &rollout_view, err);
    if (r >= 0)
        r = show_active(cli, v->builds, &build_view, err);
    if (r < 0)
        return r;
    vr_buf_addf(&text,
                "\n%" PRId64 " of %" PRId64 " hosts live, %" PRId64 " swarms, %" PRId64
                " of %" PRId64 " procs running, %zu rollouts going on\n",
                v->live, v->hosts, v->swarms, v->running, v->procs, json_array_size(v->rollouts));
    return vr_out_flush(&text, err);
}

static int run_overview(struct vr_cli *cli, const void *opts, int argc, char **argv,
                        struct vr_err *err)
{
    const struct values *o = opts;
    vr_auto_json json_t *snapshot = NULL, *trouble = json_array(), *rollouts = json_array();
    vr_auto_json json_t *builds = json_array(), *all = NULL;
    struct view v = {.trouble = trouble, .rollouts = rollouts, .builds = builds};
    vr_auto_free char *app = vr_uri_encode(o->app ? o->app : "");
    vr_auto_free char *path = vr_strf("/api/v1/overview/%s%s", *app ? "?app=" : "", app);
    struct vr_api *api;
    int r = vr_cli_api(cli, &api, err);

    if (r >= 0)
        r = vr_api_get(api, path, &snapshot, err);
    if (r < 0)
        return r;
    v.snapshot = snapshot;
    judge_hosts(&v);
    judge_swarms(&v);
    judge_rollouts(&v);
    judge_builds(&v);
    if (!vr_out_is_data(&cli->out))
        return show_text(cli, &v, err);
    all = json_pack("{s:O,s:O,s:O,s:o}", "trouble", trouble, "rollouts", rollouts, "builds", builds,
                    "counts", counts_of(&v));
    return vr_out_value(&cli->out, all, err);
}

const struct vr_command vr_overview_commands[] = {
    {.name = "overview",
     .group = "look",
     .summary = "Show how everything is: trouble first, then what goes on",
     VR_COMMAND_OPTS(options, struct values),
     .run = run_overview},
    {NULL},
};
