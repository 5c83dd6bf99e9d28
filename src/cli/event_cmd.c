/* SPDX-License-Identifier: MIT */
/* vr events: what happens, as the original's log told it. */
#include "cli/api.h"
#include "cli/cli.h"
#include "cli/commands.h"
#include "cli/exit.h"
#include "cli/follow.h"
#include "cli/noun.h"
#include "fmt/json.h"

#define EVENTS_DEFAULT 20

struct values {
    bool follow;
    struct vr_opt_int lines;
};

static const struct vr_opt event_opts[] = {
    {"follow", 'f', VR_OPT_FLAG, offsetof(struct values, follow), NULL, "go on as they come"},
    {"lines", 'n', VR_OPT_INT, offsetof(struct values, lines), "N", "so many of the newest (20)", 0,
     1000},
};

static int show_event(const struct vr_cli *cli, const json_t *event, struct vr_err *err)
{
    vr_auto_buf struct vr_buf out = VR_BUF(VR_OUT_BYTES);
    vr_auto_free char *time = vr_cli_noun_cell(event, "time");
    vr_auto_free char *title = vr_cli_noun_cell(event, "title");
    vr_auto_free char *message = vr_cli_noun_cell(event, "message");
    vr_auto_free char *user = vr_cli_noun_cell(event, "user.username");

    if (cli->out.format == VR_OUT_JSON) {
        vr_auto_free char *json = vr_json_dump(event);

        vr_buf_addf(&out, "%s\n", json);
        return vr_out_flush(&out, err);
    }
    vr_style_add(&out, cli->out.colour, VR_STYLE_DIM, time);
    vr_buf_addf(&out, "  %s%s%s", user, *user ? "  " : "", title);
    vr_buf_addf(&out, "%s%s\n", *title && *message ? ": " : "", message);
    return vr_out_flush(&out, err);
}

static int on_event(void *user, const char *name, const char *data, size_t n, struct vr_err *err)
{
    vr_auto_json json_t *event = NULL;

    if (vr_json_parse((struct vr_str){data, n}, VR_JSON_BYTES, &event, NULL) < 0)
        return 0;
    return show_event(user, event, err);
}

static int list_events(struct vr_cli *cli, struct vr_api *api, int lines, struct vr_err *err)
{
    vr_auto_free char *path = vr_strf("/api/v1/logs/?limit=%d", lines);
    vr_auto_json json_t *page = NULL;
    json_t *objects;
    int r = vr_api_get(api, path, &page, err);

    if (r >= 0)
        r = vr_json_get_array(page, "objects", &objects, err);
    if (r < 0)
        return r;
    for (size_t i = json_array_size(objects); i-- > 0;) {
        r = show_event(cli, json_array_get(objects, i), err);
        if (r < 0)
            return r;
    }
    return 0;
}

static int run_events(struct vr_cli *cli, const void *opts, int argc, char **argv,
                      struct vr_err *err)
{
    const struct values *v = opts;
    struct vr_follow_stream stream = {"/api/streams/events/", true, false, on_event, cli};
    struct vr_api *api;
    int r = vr_cli_api(cli, &api, err);

    if (r < 0)
        return r;
    if (!v->follow)
        return list_events(cli, api, v->lines.given ? (int)v->lines.value : EVENTS_DEFAULT, err);
    r = vr_follow(api, &stream, 1, 0, NULL, NULL, err);
    return r < 0 ? r : VR_EXIT_OK;
}

const struct vr_command vr_event_commands[] = {
    {.name = "events",
     .summary = "Show who did what; with -f, everything that happens",
     VR_COMMAND_OPTS(event_opts, struct values),
     .run = run_events},
    {NULL},
};
