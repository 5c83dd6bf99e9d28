/* SPDX-License-Identifier: MIT */
/* vr rollout list|show|watch|retry|cancel. */
#include "cli/api.h"
#include "cli/commands.h"
#include "cli/cli.h"
#include "cli/exit.h"
#include "cli/list_view.h"
#include "cli/noun.h"
#include "cli/rollout_view.h"
#include "cli/table.h"
#include "cli/watch.h"
#include "core/str.h"
#include "fmt/json.h"
#include "fmt/uri.h"

#include <stdio.h>
#include <string.h>

#define ID_DIGITS   32u
#define ID_PREFIX   6u   /* at least so many digits name one */
#define RECENT      1000 /* among so many of the newest */
#define LIST_RECENT 20
#define ID_SHOWN    8u

struct values {
    struct vr_opt_int lines;
    struct vr_opt_int timeout;
    const char *state;
    const char *app;
    bool wait;
};

static const struct vr_opt list_opts[] = {
    {"lines", 'n', VR_OPT_INT, offsetof(struct values, lines), "N", "so many of the newest (20)", 1,
     1000},
    {"state", 0, VR_OPT_TEXT, offsetof(struct values, state), "queued|active|ended",
     "only queued, active or ended ones"},
    {"app", 0, VR_OPT_TEXT, offsetof(struct values, app), "APP", "only those of this app"},
};

static const struct vr_opt retry_opts[] = {
    {"wait", 'w', VR_OPT_FLAG, offsetof(struct values, wait), NULL,
     "follow it to its end; the exit code is its outcome"},
    {"timeout", 0, VR_OPT_INT, offsetof(struct values, timeout), "SECONDS",
     "with --wait: follow no longer than this", 1, 86400},
};

static const struct vr_opt watch_opts[] = {
    {"timeout", 0, VR_OPT_INT, offsetof(struct values, timeout), "SECONDS",
     "follow no longer than this", 1, 86400},
};

static int fetch_recent(struct vr_api *api, int limit, const struct values *v, json_t **out,
                        struct vr_err *err)
{
    vr_auto_json json_t *page = NULL;
    vr_auto_free char *state = vr_uri_encode(v && v->state ? v->state : "");
    vr_auto_free char *app = vr_uri_encode(v && v->app ? v->app : "");
    vr_auto_free char *path =
        vr_strf("/api/v1/rollouts/?limit=%d%s%s%s%s", limit, *state ? "&state=" : "", state,
                *app ? "&swarm__app__name=" : "", app);
    json_t *objects;
    int r = vr_api_get(api, path, &page, err);

    if (r >= 0)
        r = vr_json_get_array(page, "objects", &objects, err);
    if (r >= 0)
        *out = json_incref(objects);
    return r;
}

/* A whole id, or the only recent one that begins with the given digits. Given. */
static int find_id(struct vr_api *api, const char *text, char **out, struct vr_err *err)
{
    vr_auto_json json_t *recent = NULL;
    const json_t *row;
    const char *found = NULL;
    size_t i;
    int r;

    if (!vr_str_is_made_of(text, "0123456789abcdef", ID_PREFIX, ID_DIGITS))
        return vr_fail(err, VR_INVALID, "'%s' is not a rollout's id, nor %u digits or more of one",
                       text, ID_PREFIX);
    if (strlen(text) == ID_DIGITS) {
        *out = vr_strdup(text);
        return 0;
    }
    r = fetch_recent(api, RECENT, NULL, &recent, err);
    if (r < 0)
        return r;
    json_array_foreach (recent, i, row) {
        const char *id = json_string_value(json_object_get(row, "id"));

        if (!id || !vr_str_has_prefix(id, text))
            continue;
        if (found)
            return vr_fail(err, VR_EXISTS, "several rollouts begin with '%s'; give more digits",
                           text);
        found = id;
    }
    if (!found)
        return vr_fail(err, VR_NOT_FOUND, "no recent rollout begins with '%s'", text);
    *out = vr_strdup(found);
    return 0;
}

/* The columns of the list; the last ones are dropped where there is no room. */
enum column { CREATED, ID, SWARM, TAG, STATE, STEP, TOOK, KIND, BY, COLUMNS };

static const char *const titles[COLUMNS] = {
    [CREATED] = "CREATED", [ID] = "ID",     [SWARM] = "SWARM", [TAG] = "TAG", [STATE] = "STATE",
    [STEP] = "STEP",       [TOOK] = "TOOK", [KIND] = "KIND",   [BY] = "BY",
};

/* One line of the list; the step is where it is, or where it failed. */
static void add_row(struct vr_table *table, const json_t *row, const char *id)
{
    bool over = vr_rollout_is_over(row);
    bool done = vr_rollout_exit(row) == VR_EXIT_OK;
    vr_auto_free char *took = vr_rollout_took(row, vr_wall_now());
    const char *fields[COLUMNS] = {
        [CREATED] = "created",
        [SWARM] = "swarm_name",
        [TAG] = "tag",
        [STATE] = over ? "result" : "state",
        [STEP] = !over   ? "step"
                 : !done ? "error.step"
                         : NULL,
        [KIND] = "kind",
        [BY] = "user",
    };
    const char *texts[COLUMNS] = {[ID] = id, [TOOK] = took};

    for (size_t c = 0; c < COLUMNS; c++) {
        vr_auto_free char *cell = fields[c] ? vr_cli_noun_cell(row, fields[c]) : NULL;

        vr_table_add(table, cell ? cell : texts[c]);
    }
}

static int show_list(struct vr_cli *cli, const json_t *list, struct vr_err *err)
{
    VR_OWNED(vr_table_free) struct vr_table *table = vr_table_new(titles, COLUMNS);
    const json_t *row;
    size_t i;

    vr_table_mark_state(table, STATE);
    vr_table_mark_spare(table, TOOK);
    json_array_foreach (list, i, row) {
        vr_auto_free char *id = vr_cli_noun_cell(row, "id");

        if (cli->out.format == VR_OUT_TABLE)
            id[strnlen(id, ID_SHOWN)] = '\0';
        add_row(table, row, id);
    }
    return vr_table_show(table, &cli->out, err);
}

static int run_list(struct vr_cli *cli, const void *opts, int argc, char **argv, struct vr_err *err)
{
    static const struct vr_list_view names = {.name = "id"};
    const struct values *v = opts;
    vr_auto_json json_t *list = NULL;
    struct vr_api *api;
    int r = vr_cli_api(cli, &api, err);

    if (r >= 0)
        r = fetch_recent(api, v->lines.given ? (int)v->lines.value : LIST_RECENT, v, &list, err);
    if (r < 0)
        return r;
    if (vr_out_is_data(&cli->out) || vr_out_is_names(&cli->out))
        return vr_list_show(&cli->out, list, &names, err);
    if (json_array_size(list))
        return show_list(cli, list, err);
    vr_say(&cli->out, "There is no such rollout.");
    return 0;
}

static int get_rollout(struct vr_cli *cli, const char *name, struct vr_api **out_api, char **out_id,
                       json_t **out_row, struct vr_err *err)
{
    vr_auto_free char *path = NULL;
    int r = vr_cli_api(cli, out_api, err);

    if (r >= 0)
        r = find_id(*out_api, name, out_id, err);
    if (r < 0 || !out_row)
        return r;
    path = vr_strf("/api/v1/rollouts/%s/", *out_id);
    return vr_api_get(*out_api, path, out_row, err);
}

static int run_show(struct vr_cli *cli, const void *opts, int argc, char **argv, struct vr_err *err)
{
    vr_auto_json json_t *row = NULL;
    vr_auto_free char *id = NULL;
    vr_auto_buf struct vr_buf text = VR_BUF(VR_OUT_BYTES);
    struct vr_view_style style = {
        .colour = cli->out.colour, .utf8 = cli->out.utf8, .now = vr_wall_now()};
    struct vr_api *api;
    int r = get_rollout(cli, argv[0], &api, &id, &row, err);

    if (r < 0)
        return r;
    if (cli->out.format == VR_OUT_JSON || cli->out.format == VR_OUT_YAML)
        return vr_out_value(&cli->out, row, err);
    vr_rollout_view(&text, row, &style);
    if (vr_rollout_is_over(row))
        vr_rollout_outcome(&text, row, &style);
    return vr_out_flush(&text, err);
}

static int run_cancel(struct vr_cli *cli, const void *opts, int argc, char **argv,
                      struct vr_err *err)
{
    vr_auto_free char *id = NULL, *path = NULL;
    struct vr_api *api;
    int r = get_rollout(cli, argv[0], &api, &id, NULL, err);

    if (r < 0)
        return r;
    path = vr_strf("/api/v1/rollouts/%s/cancel/", id);
    r = vr_api_send(api, "POST", path, NULL, NULL, err);
    if (r < 0)
        return r;
    vr_say(&cli->out, "Cancelling; follow it: vr rollout watch %.8s", id);
    return 0;
}

static int run_retry(struct vr_cli *cli, const void *opts, int argc, char **argv,
                     struct vr_err *err)
{
    const struct values *v = opts;
    vr_auto_free char *id = NULL, *path = NULL;
    vr_auto_json json_t *answer = NULL, *ids = json_array();
    const char *trace;
    struct vr_api *api;
    int r = get_rollout(cli, argv[0], &api, &id, NULL, err);

    if (r < 0)
        return r;
    path = vr_strf("/api/v1/rollouts/%s/retry/", id);
    r = vr_api_send(api, "POST", path, NULL, &answer, err);
    if (r >= 0)
        r = vr_json_get_str(answer, "swarm_id", &trace, err);
    if (r < 0)
        return r;
    printf("%s\n", trace);
    fflush(stdout);
    vr_json_push(ids, json_string(trace));
    if (v->wait)
        return vr_watch_rollouts(cli, ids, v->timeout.value, err);
    vr_say(&cli->out, "Follow it: vr rollout watch %.8s", trace);
    return 0;
}

static int run_watch(struct vr_cli *cli, const void *opts, int argc, char **argv,
                     struct vr_err *err)
{
    const struct values *v = opts;
    vr_auto_json json_t *ids = json_array();

    for (int i = 0; i < argc; i++) {
        vr_auto_free char *id = NULL;
        struct vr_api *api;
        int r = get_rollout(cli, argv[i], &api, &id, NULL, err);

        if (r < 0)
            return r;
        json_array_append_new(ids, json_string(id));
    }
    return vr_watch_rollouts(cli, ids, v->timeout.value, err);
}

static const struct vr_command verbs[] = {
    {.name = "list ls",
     .summary = "List rollouts, newest first",
     VR_COMMAND_OPTS(list_opts, struct values),
     .run = run_list},
    {.name = "show",
     .args = "ROLLOUT",
     .summary = "Show the steps of a rollout, and why it failed",
     .min_args = 1,
     .max_args = 1,
     .run = run_show},
    {.name = "watch",
     .args = "ROLLOUT…",
     .summary = "Follow rollouts to their end; the exit code is the outcome",
     VR_COMMAND_OPTS(watch_opts, struct values),
     .min_args = 1,
     .max_args = -1,
     .run = run_watch},
    {.name = "retry",
     .args = "ROLLOUT",
     .summary = "Do a failed or cancelled rollout once more, with what it had",
     VR_COMMAND_OPTS(retry_opts, struct values),
     .min_args = 1,
     .max_args = 1,
     .run = run_retry},
    {.name = "cancel",
     .args = "ROLLOUT",
     .summary = "Take a rollout back, as long as no old proc was stopped",
     .min_args = 1,
     .max_args = 1,
     .run = run_cancel},
    {NULL},
};

const struct vr_command vr_rollout_commands[] = {
    {.name = "rollout", .summary = "Rollouts: list, show, watch, cancel, retry", .subs = verbs},
    {NULL},
};
