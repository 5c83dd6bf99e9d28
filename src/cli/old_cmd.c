/* SPDX-License-Identifier: MIT */
/* The spellings of the original's client that are no longer ours: list-swarms, procs,
 * compare-releases. They print to standard output what it printed, byte for byte where a script
 * could look, and ask nothing that it did not ask when the program is called `vr.cli`. */
#include "cli/api.h"
#include "cli/cli.h"
#include "cli/commands.h"
#include "cli/exit.h"
#include "cli/list_view.h"
#include "cli/noun.h"
#include "cli/old_format.h"
#include "cli/procs.h"
#include "cli/swarms.h"
#include "core/clock.h"
#include "core/str.h"
#include "fmt/yaml.h"

#include <ctype.h>
#include <string.h>

#define NS_PER_US 1000

struct values {
    const char *host;
    struct vr_opt_list exclude;
    bool yes;
};

static const struct vr_opt list_opts[] = {
    {"exclude", 'x', VR_OPT_LIST, offsetof(struct values, exclude), "PATTERN",
     "leave out swarms whose name contains it"},
};

static const struct vr_opt procs_opts[] = {
    {"host", 0, VR_OPT_TEXT, offsetof(struct values, host), "HOST",
     "only on hosts that match this regular expression"},
    {"exclude", 'x', VR_OPT_LIST, offsetof(struct values, exclude), "PATTERN",
     "leave out swarms whose name contains it"},
    {"yes", 'y', VR_OPT_FLAG, offsetof(struct values, yes), NULL, "do not ask"},
};

static int run_list_swarms(struct vr_cli *cli, const void *opts, int argc, char **argv,
                           struct vr_err *err)
{
    const struct values *v = opts;
    vr_auto_buf struct vr_buf text = VR_BUF(VR_OUT_BYTES);
    vr_auto_json json_t *swarms = NULL;
    struct vr_mono begun = vr_mono_now();
    struct vr_api *api;
    const json_t *swarm;
    size_t i;
    int r = vr_cli_api(cli, &api, err);

    if (r >= 0)
        r = vr_swarms_find(api, argc ? argv[0] : "", &v->exclude, &swarms, err);
    if (r < 0)
        return r;
    if (vr_out_is_data(&cli->out))
        return vr_out_value(&cli->out, swarms, err);
    if (!vr_out_is_names(&cli->out)) {
        vr_buf_addf(&text, "Loaded %zu swarms in ", json_array_size(swarms));
        vr_old_duration(&text, (vr_mono_now().ns - begun.ns) / NS_PER_US);
        vr_buf_addc(&text, '\n');
    }
    json_array_foreach (swarms, i, swarm) {
        vr_auto_free char *name = vr_swarm_name(swarm);

        vr_buf_addf(&text, "%s\n", name);
    }
    return vr_out_flush(&text, err);
}

/* Whether the procs of the same swarm went on: a new heading comes when this says no. */
static bool same_swarm(const json_t *a, const json_t *b)
{
    static const char *const fields[] = {"app_name", "config_name", "proc_name"};

    for (size_t i = 0; i < VR_COUNT(fields) && a; i++) {
        if (!json_equal(json_object_get(a, fields[i]), json_object_get(b, fields[i])))
            return false;
    }
    return a != NULL;
}

static void add_heading(struct vr_buf *text, const json_t *proc)
{
    vr_auto_free char *name = vr_procs_swarm(proc);
    vr_auto_free char *tag = vr_cli_noun_cell(proc, "version");

    vr_buf_addf(text, "\n%s [%s]\n", name, tag);
}

/* Stop of many asks, as everywhere; the original's name never does. */
static int confirm(struct vr_cli *cli, const json_t *procs, const char *action, bool yes,
                   struct vr_err *err)
{
    vr_auto_free char *question = vr_strf("%s %zu procs?", action, json_array_size(procs));
    bool stops = vr_streq(action, "stop");

    if (json_array_size(procs) < 2 || (!stops && !cli->out.ask))
        return 1;
    *question = (char)toupper(*question);
    return vr_out_confirm(&cli->out, yes, question, err);
}

/* The method is the command's argument: list, or what is to be done to every proc. */
static int run_procs(struct vr_cli *cli, const void *opts, int argc, char **argv,
                     struct vr_err *err)
{
    const struct values *v = opts;
    const char *action = cli->command->arg;
    vr_auto_json json_t *procs = NULL;
    const json_t *proc, *before = NULL;
    struct vr_api *api;
    size_t i;
    int r = vr_cli_api(cli, &api, err);

    if (r >= 0)
        r = vr_procs_find(api, argc ? argv[0] : "", &v->exclude, v->host, &procs, err);
    if (r >= 0 && action)
        r = confirm(cli, procs, action, v->yes, err);
    if (r < 0 || (action && !r))
        return r < 0 ? r : VR_EXIT_FAILED;
    if (!action && vr_out_is_data(&cli->out))
        return vr_out_value(&cli->out, procs, err);
    json_array_foreach (procs, i, proc) {
        vr_auto_buf struct vr_buf text = VR_BUF(VR_OUT_BYTES);

        if (!same_swarm(before, proc))
            add_heading(&text, proc);
        before = proc;
        for (const char *c = action ? action : " "; *c; c++)
            vr_buf_addc(&text, (char)toupper(*c));
        vr_buf_addc(&text, ' ');
        vr_old_proc(&text, proc);
        vr_buf_addc(&text, '\n');
        r = vr_out_flush(&text, err);
        if (r >= 0 && action)
            r = vr_procs_act(api, proc, action, false, NULL, err);
        if (r < 0)
            return r;
    }
    return 0;
}

/* The configuration of a release by its number. */
static int config_of(struct vr_api *api, const char *id, json_t **out, struct vr_err *err)
{
    vr_auto_json json_t *release = NULL, *config = NULL;
    const char *text;
    int r = vr_cli_noun_get(api, vr_cli_noun_find("release"), id, &release, err);

    if (r < 0)
        return r;
    text = json_string_value(json_object_get(release, "config_yaml"));
    r = vr_yaml_parse(vr_str(text ? text : ""), &config, err);
    if (r < 0)
        return vr_fail_in(err, r, "release %s", id);
    *out = json_is_object(config) ? json_incref(config) : json_object();
    return 0;
}

static int run_compare(struct vr_cli *cli, const void *opts, int argc, char **argv,
                       struct vr_err *err)
{
    vr_auto_buf struct vr_buf text = VR_BUF(VR_OUT_BYTES);
    vr_auto_json json_t *a = NULL, *b = NULL;
    struct vr_api *api;
    int r = vr_cli_api(cli, &api, err);

    if (r >= 0)
        r = config_of(api, argv[0], &a, err);
    if (r >= 0)
        r = config_of(api, argv[1], &b, err);
    if (r < 0)
        return r;
    vr_old_diff(&text, a, b);
    return vr_out_flush(&text, err);
}

#define METHOD(word, action, text)                                                                 \
    {                                                                                              \
        .name = (word), .args = "[FILTER]", .summary = (text),                                     \
        VR_COMMAND_OPTS(procs_opts, struct values), .max_args = 1, .run = run_procs,               \
        .arg = (action)                                                                            \
    }

static const struct vr_command methods[] = {
    METHOD("list", NULL, "List procs by swarm"),
    METHOD("start", "start", "Start procs"),
    METHOD("stop", "stop", "Stop procs"),
    METHOD("restart", "restart", "Stop and start procs"),
    {NULL},
};

const struct vr_command vr_old_commands[] = {
    {.name = "list-swarms",
     .args = "[FILTER]",
     .details = "The original's spelling of: vr swarm list [FILTER] -o name",
     VR_COMMAND_OPTS(list_opts, struct values),
     .max_args = 1,
     .run = run_list_swarms},
    {.name = "procs",
     .details = "The original's spelling of: vr ps, vr proc start|stop|restart",
     .subs = methods},
    {.name = "compare-releases",
     .args = "RELEASE RELEASE",
     .details = "The original's spelling of: vr release diff; of the configurations alone.",
     .min_args = 2,
     .max_args = 2,
     .run = run_compare},
    {NULL},
};
