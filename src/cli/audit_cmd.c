/* SPDX-License-Identifier: MIT */
/* vr log: the audit log, from the newest pages or as it grows. */
#include "cli/api.h"
#include "cli/cli.h"
#include "cli/commands.h"
#include "cli/exit.h"
#include "cli/follow.h"
#include "cli/list_view.h"
#include "cli/noun.h"
#include "core/clock.h"
#include "core/str.h"
#include "fmt/json.h"
#include "fmt/uri.h"
#include "model/log_csv.h"

#include <inttypes.h>
#include <string.h>

#define LINES_DEFAULT 20
#define LINES_MAX     VR_LOG_CSV_ROWS
#define PAGE          1000 /* the server gives no more at once */
#define TICK_MS       200
#define LOOK_MS       5000 /* also looked at so often, should the stream be away */
#define QUERY_BYTES   4096u

struct values {
    struct vr_opt_int lines;
    const char *type, *user, *app, *since, *until, *text;
    bool follow, csv;
};

static const struct vr_opt log_opts[] = {
    {"lines", 'n', VR_OPT_INT, offsetof(struct values, lines), "N", "so many of the newest (20)", 1,
     LINES_MAX},
    {"type", 0, VR_OPT_TEXT, offsetof(struct values, type), "TYPE", "only of this type"},
    {"user", 0, VR_OPT_TEXT, offsetof(struct values, user), "USER", "only what this user did"},
    {"app", 0, VR_OPT_TEXT, offsetof(struct values, app), "APP", "only what is about this app"},
    {"text", 0, VR_OPT_TEXT, offsetof(struct values, text), "TEXT",
     "only where the message has this text, in any case"},
    {"since", 0, VR_OPT_TEXT, offsetof(struct values, since), "WHEN",
     "not before: 2026-01-31, 2026-01-31T12:00:00Z, or 2h, 3d ago"},
    {"until", 0, VR_OPT_TEXT, offsetof(struct values, until), "WHEN", "not after"},
    {"follow", 'f', VR_OPT_FLAG, offsetof(struct values, follow), NULL, "go on as it grows"},
    {"csv", 0, VR_OPT_FLAG, offsetof(struct values, csv), NULL,
     "comma-separated values with a heading"},
};

static void add_filter(struct vr_buf *query, const char *name, const char *value)
{
    vr_auto_free char *encoded = value ? vr_uri_encode(value) : NULL;

    if (encoded)
        vr_buf_addf(query, "&%s=%s", name, encoded);
}

static int add_time(struct vr_buf *query, const char *name, const char *text, struct vr_err *err)
{
    char formatted[VR_WALL_TEXT_BYTES];
    struct vr_wall at;
    int r;

    if (!text)
        return 0;
    r = vr_cli_time_parse(text, -1, &at, err);
    if (r < 0)
        return r;
    vr_wall_format(at, true, formatted);
    add_filter(query, name, formatted);
    return 0;
}

static int make_query(const struct values *v, struct vr_buf *query, struct vr_err *err)
{
    int r;

    add_filter(query, "type", v->type);
    add_filter(query, "username", v->user);
    add_filter(query, "app", v->app);
    add_filter(query, "message__icontains", v->text);
    r = add_time(query, "time__gte", v->since, err);
    return r < 0 ? r : add_time(query, "time__lte", v->until, err);
}

/* The newest entries, newest first. */
static int fetch(struct vr_api *api, const char *query, int64_t lines, json_t **out,
                 struct vr_err *err)
{
    vr_auto_json json_t *all = json_array();

    for (int64_t at = 0; at < lines; at += PAGE) {
        int64_t limit = lines - at < PAGE ? lines - at : PAGE;
        vr_auto_free char *path =
            vr_strf("/api/v1/logs/?limit=%" PRId64 "&offset=%" PRId64 "%s", limit, at, query);
        vr_auto_json json_t *page = NULL;
        json_t *objects;
        int r = vr_api_get(api, path, &page, err);

        if (r >= 0)
            r = vr_json_get_array(page, "objects", &objects, err);
        if (r < 0)
            return r;
        json_array_extend(all, objects);
        if ((int64_t)json_array_size(objects) < limit)
            break;
    }
    *out = vr_take(all);
    return 0;
}

static int show(struct vr_cli *cli, const json_t *list, struct vr_err *err)
{
    static const struct vr_column columns[] = {
        {"TIME", "time_utc"},       {"TYPE", "type"},         {"BY", "username"},
        {"VIA", "via", true},       {"FROM", "remote", true}, {"MESSAGE", "message"},
        {"DETAIL", "detail", true},
    };
    static const struct vr_list_view view = {columns, VR_COUNT(columns), NULL,
                                             "The log has nothing like it."};

    return vr_list_show(&cli->out, list, &view, err);
}

/* The newest entries as the server writes them. */
static int show_csv(struct vr_api *api, const char *query, int64_t lines, struct vr_err *err)
{
    vr_auto_free char *path = vr_strf("/api/v1/logs/?format=csv&limit=%" PRId64 "%s", lines, query);
    __attribute__((cleanup(vr_api_text_fini))) struct vr_api_text text = {0};
    vr_auto_buf struct vr_buf out = VR_BUF(VR_API_BODY_BYTES);
    int r = vr_api_get_text(api, path, &text, err);

    if (r < 0)
        return r;
    vr_buf_add_n(&out, text.text, text.len);
    return vr_out_flush(&out, err);
}

struct tail {
    struct vr_cli *cli;
    struct vr_api *api;
    const struct values *v;
    const char *query;
    json_int_t last; /* id of the newest entry shown */
    bool news;
    struct vr_mono looked;
};

/* One entry as a line, since a table that grows has no widths. */
static int show_line(struct tail *t, const json_t *entry, struct vr_err *err)
{
    vr_auto_buf struct vr_buf text = VR_BUF(VR_OUT_BYTES);
    vr_auto_free char *time = vr_cli_noun_cell(entry, "time_utc");
    vr_auto_free char *user = vr_cli_noun_cell(entry, "username");
    vr_auto_free char *message = vr_cli_noun_cell(entry, "message");

    if (t->v->csv) {
        vr_log_csv_add(&text, entry);
    } else if (vr_out_is_data(&t->cli->out)) {
        vr_auto_free char *json = vr_json_dump(entry);

        vr_buf_addf(&text, "%s\n", json);
    } else {
        vr_style_add(&text, t->cli->out.colour, VR_STYLE_DIM, time);
        vr_buf_addf(&text, "  %s%s%s\n", user, *user ? "  " : "", message);
    }
    return vr_out_flush(&text, err);
}

static int look(struct tail *t, struct vr_err *err)
{
    vr_auto_free char *query = vr_strf("%s&id__gt=%" JSON_INTEGER_FORMAT, t->query, t->last);
    vr_auto_json json_t *list = NULL;
    int r;

    t->news = false;
    t->looked = vr_mono_now();
    r = fetch(t->api, query, PAGE, &list, err);
    if (r == -VR_BUSY)
        return 0; /* the server may be away for a while; the next look shows what was missed */
    if (r < 0)
        return r;
    for (size_t i = json_array_size(list); i-- > 0;) {
        const json_t *entry = json_array_get(list, i);

        t->last = json_integer_value(json_object_get(entry, "id"));
        r = show_line(t, entry, err);
        if (r < 0)
            return r;
    }
    return 0;
}

static int on_event(void *user, const char *event, const char *data, size_t n, struct vr_err *err)
{
    struct tail *t = user;

    t->news = t->news || strcmp(event, "beat") != 0;
    return 0;
}

static int on_tick(struct vr_follow *follow, void *user, struct vr_err *err)
{
    struct tail *t = user;

    if (!t->news && vr_mono_ms_between(t->looked, vr_mono_now()) < LOOK_MS)
        return 0;
    return look(t, err);
}

static int follow(struct vr_cli *cli, struct vr_api *api, const struct values *v, const char *query,
                  const json_t *list, struct vr_err *err)
{
    struct tail t = {.cli = cli,
                     .api = api,
                     .v = v,
                     .query = query,
                     .last = json_integer_value(json_object_get(json_array_get(list, 0), "id")),
                     .looked = vr_mono_now()};
    struct vr_follow_stream stream = {"/api/v1/stream/", true, true, on_event, &t};
    vr_auto_buf struct vr_buf head = VR_BUF(VR_OUT_BYTES);
    int r = 0;

    if (v->csv) {
        vr_log_csv_head(&head);
        r = vr_out_flush(&head, err);
    }
    for (size_t i = json_array_size(list); i-- > 0 && r >= 0;)
        r = show_line(&t, json_array_get(list, i), err);
    if (r >= 0)
        r = vr_follow(api, &stream, 1, TICK_MS, on_tick, &t, err);
    return r < 0 ? r : VR_EXIT_OK;
}

static int run_log(struct vr_cli *cli, const void *opts, int argc, char **argv, struct vr_err *err)
{
    const struct values *v = opts;
    vr_auto_buf struct vr_buf query = VR_BUF(QUERY_BYTES);
    vr_auto_json json_t *list = NULL;
    int64_t lines = v->lines.given ? v->lines.value : LINES_DEFAULT;
    struct vr_api *api;
    int r = vr_cli_api(cli, &api, err);

    if (r >= 0)
        r = make_query(v, &query, err);
    if (r >= 0 && query.over)
        r = vr_fail(err, VR_INVALID, "the filters have more than %u bytes", QUERY_BYTES);
    if (r >= 0 && v->csv && !v->follow)
        return show_csv(api, vr_buf_text(&query), lines, err);
    if (r >= 0)
        r = fetch(api, vr_buf_text(&query), lines, &list, err);
    if (r < 0)
        return r;
    return v->follow ? follow(cli, api, v, vr_buf_text(&query), list, err) : show(cli, list, err);
}

const struct vr_command vr_audit_commands[] = {
    {.name = "log",
     .group = "look back, look after",
     .summary = "Show the audit log: who did what, when and from where",
     .details = "  vr log --user ann --since 2d\n"
                "  vr log --app shop --csv -n 10000 > log.csv",
     VR_COMMAND_OPTS(log_opts, struct values),
     .run = run_log},
    {NULL},
};
