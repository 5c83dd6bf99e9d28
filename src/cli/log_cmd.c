/* SPDX-License-Identifier: MIT */
/* vr logs and vr events.
 *
 * A line of a log is stored as `<time> out <text>` or `<time> err <text>`. Logs of several procs
 * are merged by time when they are read, and shown as they come when they are followed.
 */
#include "cli/api.h"
#include "cli/cli.h"
#include "cli/commands.h"
#include "cli/exit.h"
#include "cli/follow.h"
#include "cli/noun.h"
#include "cli/procs.h"
#include "core/str.h"
#include "fmt/json.h"

#include <stdio.h>
#include <string.h>

#define LINES_DEFAULT  200
#define LINES_MAX      10000 /* the server gives no more */
#define EVENTS_DEFAULT 20
#define LINE_BYTES     (64u << 10) /* a longer line is shown in pieces */
#define TIME_COLUMNS   28u         /* "2026-01-31T12:00:00.000000Z " */

struct values {
    bool follow;
    bool times;
    struct vr_opt_int lines;
};

static const struct vr_opt log_opts[] = {
    {"follow", 'f', VR_OPT_FLAG, offsetof(struct values, follow), NULL, "go on as lines come"},
    {"lines", 'n', VR_OPT_INT, offsetof(struct values, lines), "N", "begin so far back (200)", 1,
     LINES_MAX},
    {"timestamps", 't', VR_OPT_FLAG, offsetof(struct values, times), NULL,
     "show time and stream of every line"},
};

static const struct vr_opt event_opts[] = {
    {"follow", 'f', VR_OPT_FLAG, offsetof(struct values, follow), NULL, "go on as they come"},
    {"lines", 'n', VR_OPT_INT, offsetof(struct values, lines), "N", "so many of the newest (20)", 0,
     1000},
};

struct source {
    const struct vr_cli *cli;
    char *path;
    char *prefix; /* "h1:5000 | ", "" if there is only one */
    bool times;
    struct vr_buf rest; /* of a line whose end has not come */
};

/* Whether a line begins as `2026-01-31T12:00:00.000000Z out `. */
static bool has_time(const char *line, size_t n)
{
    return n > TIME_COLUMNS && line[4] == '-' && line[10] == 'T' && line[TIME_COLUMNS - 2] == 'Z';
}

static void add_line(struct vr_buf *out, const struct source *s, const char *line, size_t n)
{
    vr_style_add(out, s->cli->out.colour, VR_STYLE_DIM, s->prefix);
    if (!s->times && has_time(line, n)) {
        const char *space = memchr(line + TIME_COLUMNS, ' ', n - TIME_COLUMNS);
        const char *text = space ? space + 1 : line + TIME_COLUMNS;

        n -= (size_t)(text - line);
        line = text;
    }
    vr_buf_add_n(out, line, n);
    vr_buf_addc(out, '\n');
}

static int on_text(void *user, const char *event, const char *data, size_t n, struct vr_err *err)
{
    struct source *s = user;
    vr_auto_buf struct vr_buf out = VR_BUF(VR_OUT_BYTES);

    while (n) {
        const char *end = memchr(data, '\n', n);
        size_t len = end ? (size_t)(end - data) : n;

        vr_buf_add_n(&s->rest, data, len);
        if (end || s->rest.over || s->rest.len > LINE_BYTES / 2) {
            add_line(&out, s, vr_buf_text(&s->rest), s->rest.len);
            vr_buf_clear(&s->rest);
        }
        n -= len + (end != NULL);
        data += len + (end != NULL);
    }
    return vr_out_flush(&out, err);
}

static struct source *make_sources(const struct vr_cli *cli, const json_t *procs,
                                   const struct values *v)
{
    size_t n = json_array_size(procs), i;
    struct source *sources = vr_alloc_array(n + 1, sizeof(sources[0]));
    const json_t *proc;

    json_array_foreach (procs, i, proc) {
        vr_auto_free char *id = vr_procs_id(proc);
        vr_auto_free char *host = vr_cli_noun_cell(proc, "host");
        vr_auto_free char *port = vr_cli_noun_cell(proc, "port");

        sources[i] = (struct source){
            .cli = cli,
            .path = vr_strf("/api/v1/procs/%s/log/?lines=%d&follow=%d", id,
                            v->lines.given ? (int)v->lines.value : LINES_DEFAULT, v->follow),
            .prefix = n > 1 ? vr_strf("%s:%s | ", host, port) : vr_strdup(""),
            .times = v->times,
            .rest = VR_BUF(LINE_BYTES),
        };
    }
    return sources;
}

static void free_sources(struct source *sources, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        free(sources[i].path);
        free(sources[i].prefix);
        vr_buf_fini(&sources[i].rest);
    }
    free(sources);
}

static int follow_logs(struct vr_api *api, struct source *sources, size_t n, struct vr_err *err)
{
    struct vr_follow_stream *streams = vr_alloc_array(n + 1, sizeof(streams[0]));
    int r;

    for (size_t i = 0; i < n; i++)
        streams[i] = (struct vr_follow_stream){sources[i].path, false, n > 1, on_text, &sources[i]};
    r = vr_follow(api, streams, n, 0, NULL, NULL, err);
    free(streams);
    return r < 0 ? r : VR_EXIT_OK;
}

struct record {
    const char *line; /* begins with its time */
    size_t n, order;
    const struct source *source;
};

static int by_time(const void *a, const void *b)
{
    const struct record *x = a, *y = b;
    size_t n = x->n < y->n ? x->n : y->n;
    int c = memcmp(x->line, y->line, n < TIME_COLUMNS ? n : TIME_COLUMNS);

    return c ? c : x->order < y->order ? -1 : 1;
}

/* Read all logs and show their lines in the order of time. */
static int merge_logs(struct vr_api *api, struct source *sources, size_t n, struct vr_err *err)
{
    struct vr_api_text *texts = vr_alloc_array(n + 1, sizeof(texts[0]));
    vr_auto_buf struct vr_buf out = VR_BUF(VR_OUT_BYTES);
    struct record *records = NULL;
    size_t count = 0;
    int r = 0;

    for (size_t i = 0; i < n && r >= 0; i++) {
        r = vr_api_get_text(api, sources[i].path, &texts[i], err);
        for (const char *at = r < 0 ? "" : texts[i].text; *at;) {
            size_t len = strcspn(at, "\n");

            records = vr_realloc_array(records, count + 1, sizeof(records[0]));
            records[count] = (struct record){at, len, count, &sources[i]};
            count++;
            at += len + (at[len] == '\n');
        }
    }
    if (n > 1 && count)
        qsort(records, count, sizeof(records[0]), by_time);
    for (size_t i = 0; i < count; i++)
        add_line(&out, records[i].source, records[i].line, records[i].n);
    if (r >= 0)
        r = vr_out_flush(&out, err);
    for (size_t i = 0; i < n; i++)
        vr_api_text_fini(&texts[i]);
    free(texts);
    free(records);
    return r;
}

static int run_logs(struct vr_cli *cli, const void *opts, int argc, char **argv, struct vr_err *err)
{
    const struct values *v = opts;
    vr_auto_json json_t *procs = NULL;
    struct source *sources;
    struct vr_api *api;
    size_t n;
    int r = vr_cli_api(cli, &api, err);

    if (r >= 0)
        r = vr_procs_named(api, argv[0], &procs, err);
    if (r < 0)
        return r;
    n = json_array_size(procs);
    sources = make_sources(cli, procs, v);
    r = v->follow ? follow_logs(api, sources, n, err) : merge_logs(api, sources, n, err);
    free_sources(sources, n);
    return r;
}

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

const struct vr_command vr_log_commands[] = {
    {.name = "logs",
     .args = "PROC",
     .summary = "Show the log of a proc, or of all procs of a swarm",
     .details = "PROC is a number of vr ps, a proc's name, or a filter for swarms.",
     VR_COMMAND_OPTS(log_opts, struct values),
     .min_args = 1,
     .max_args = 1,
     .run = run_logs},
    {.name = "events",
     .summary = "Show who did what; with -f, everything that happens",
     VR_COMMAND_OPTS(event_opts, struct values),
     .run = run_events},
    {NULL},
};
