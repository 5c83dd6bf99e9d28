/* SPDX-License-Identifier: MIT */
/* vr logs.
 *
 * A line of a log is stored as `<time> out <text>` or `<time> err <text>`. Logs of several procs
 * are merged by time when they are read, and shown as they come when they are followed. Who follows
 * a filter also follows the procs that later rollouts make: the stream of changed objects says when
 * there is one that was not there before.
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
#include "fmt/uri.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define LINES_DEFAULT 200
#define LINES_MAX     10000       /* the server gives no more */
#define LINE_BYTES    (64u << 10) /* a longer line is shown in pieces */
#define TIME_COLUMNS  28u         /* "2026-01-31T12:00:00.000000Z " */
#define SEARCH_LIMIT  1000        /* matches that the server gives at once */
#define TICK_MS       500         /* between looks at whether there is a new proc */

struct values {
    bool follow;
    bool times;
    const char *search;
    bool regex, ignore_case;
    struct vr_opt_int lines;
};

static const struct vr_opt log_opts[] = {
    {"follow", 'f', VR_OPT_FLAG, offsetof(struct values, follow), NULL, "go on as lines come"},
    {"lines", 'n', VR_OPT_INT, offsetof(struct values, lines), "N", "begin so far back (200)", 1,
     LINES_MAX},
    {"timestamps", 't', VR_OPT_FLAG, offsetof(struct values, times), NULL,
     "show time and stream of every line"},
    {"search", 's', VR_OPT_TEXT, offsetof(struct values, search), "TEXT",
     "only lines with this text, the newest N of the whole log"},
    {"regex", 0, VR_OPT_FLAG, offsetof(struct values, regex), NULL,
     "with --search: it is a regular expression"},
    {"ignore-case", 'i', VR_OPT_FLAG, offsetof(struct values, ignore_case), NULL,
     "with --search: in upper and lower case"},
};

struct source {
    const struct logs *logs; /* borrowed */
    char *id;                /* of the proc */
    char *path;
    char *prefix;             /* "h1:5000 | ", shown if there are several */
    char last[TIME_COLUMNS];  /* time of the last line; "" if there was none */
    char until[TIME_COLUMNS]; /* after it broke off: lines up to here were shown */
    struct vr_buf rest;       /* of a line whose end has not come */
};

/* What one command reads. */
struct logs {
    struct vr_cli *cli;
    struct vr_api *api;
    const struct values *v;
    const char *name; /* as it was given */
    struct source **sources;
    size_t count;
    json_t *seen; /* ids of procs that events told of */
    bool news;    /* there may be a proc that is not followed yet */
    bool heard;   /* a first beat */
};

/* Whether a line begins as `2026-01-31T12:00:00.000000Z out `. */
static bool has_time(const char *line, size_t n)
{
    return n > TIME_COLUMNS && line[4] == '-' && line[10] == 'T' && line[TIME_COLUMNS - 2] == 'Z';
}

static void add_line(struct vr_buf *out, const struct source *s, const char *line, size_t n)
{
    const struct logs *l = s->logs;

    if (l->count > 1)
        vr_style_add(out, l->cli->out.colour, VR_STYLE_DIM, s->prefix);
    if (!l->v->times && has_time(line, n)) {
        const char *space = memchr(line + TIME_COLUMNS, ' ', n - TIME_COLUMNS);
        const char *text = space ? space + 1 : line + TIME_COLUMNS;

        n -= (size_t)(text - line);
        line = text;
    }
    vr_buf_add_n(out, line, n);
    vr_buf_addc(out, '\n');
}

/* Show a line that comes, unless it was shown before its stream broke off. */
static void add_new_line(struct vr_buf *out, struct source *s)
{
    const char *line = vr_buf_text(&s->rest);

    if (has_time(line, s->rest.len)) {
        if (*s->until && memcmp(line, s->until, TIME_COLUMNS - 1) <= 0)
            return;
        memcpy(s->last, line, TIME_COLUMNS - 1);
    }
    add_line(out, s, line, s->rest.len);
}

static int on_text(void *user, const char *event, const char *data, size_t n, struct vr_err *err)
{
    struct source *s = user;
    vr_auto_buf struct vr_buf out = VR_BUF(VR_OUT_BYTES);

    if (!n) {
        vr_buf_clear(&s->rest);
        memcpy(s->until, s->last, sizeof(s->until));
    }
    while (n) {
        const char *end = memchr(data, '\n', n);
        size_t len = end ? (size_t)(end - data) : n;

        vr_buf_add_n(&s->rest, data, len);
        if (end || s->rest.over || s->rest.len > LINE_BYTES / 2) {
            add_new_line(&out, s);
            vr_buf_clear(&s->rest);
        }
        n -= len + (end != NULL);
        data += len + (end != NULL);
    }
    return vr_out_flush(&out, err);
}

static int64_t lines_wanted(const struct values *v)
{
    return v->lines.given ? v->lines.value : LINES_DEFAULT;
}

static struct source *add_source(struct logs *l, const json_t *proc)
{
    struct source *s = vr_alloc(sizeof(*s));
    vr_auto_free char *host = vr_cli_noun_cell(proc, "host");
    vr_auto_free char *port = vr_cli_noun_cell(proc, "port");

    s->logs = l;
    s->id = vr_procs_id(proc);
    s->path = vr_strf("/api/v1/procs/%s/log/?lines=%" PRId64 "&follow=%d", s->id,
                      lines_wanted(l->v), l->v->follow);
    s->prefix = vr_strf("%s:%s | ", host, port);
    s->rest = VR_BUF(LINE_BYTES);
    l->sources = vr_realloc_array(l->sources, l->count + 1, sizeof(l->sources[0]));
    l->sources[l->count++] = s;
    return s;
}

static void fini_logs(struct logs *l)
{
    for (size_t i = 0; i < l->count; i++) {
        free(l->sources[i]->id);
        free(l->sources[i]->path);
        free(l->sources[i]->prefix);
        vr_buf_fini(&l->sources[i]->rest);
        free(l->sources[i]);
    }
    free(l->sources);
    json_decref(l->seen);
}

/* --- followed --- */

static bool is_followed(const struct logs *l, const char *id)
{
    for (size_t i = 0; i < l->count; i++) {
        if (vr_streq(l->sources[i]->id, id))
            return true;
    }
    return false;
}

/* Note the proc that an object of the overview is; whether it was not known. */
static bool is_new(struct logs *l, const json_t *change)
{
    const json_t *object = json_object_get(change, "object");
    vr_auto_free char *id = vr_cli_noun_cell(object, "id");

    if (!vr_streq(json_string_value(json_object_get(change, "part")), "procs") || !*id ||
        json_object_get(l->seen, id))
        return false;
    vr_json_set(l->seen, id, json_true());
    return !is_followed(l, id);
}

static int on_change(void *user, const char *event, const char *data, size_t n, struct vr_err *err)
{
    struct logs *l = user;
    vr_auto_json json_t *change = NULL;

    if (vr_streq(event, "object")) {
        vr_ignore(vr_json_parse((struct vr_str){data, n}, VR_JSON_BYTES, &change, NULL),
                  "then it is no proc");
        l->news |= is_new(l, json_object_get(change, "data"));
    } else if (vr_streq(event, "reset") || !l->heard) {
        l->news = true; /* what came before the stream began is not told */
        l->heard = true;
    }
    return 0;
}

/* Follow the procs of the filter that are not followed yet. */
static int look(struct vr_follow *follow, void *user, struct vr_err *err)
{
    struct logs *l = user;
    vr_auto_json json_t *procs = NULL;
    const json_t *proc;
    size_t i;
    int r;

    if (!l->news)
        return 0;
    r = vr_procs_find(l->api, l->name, NULL, NULL, &procs, err);
    if (r < 0) /* the server may be away for a while */
        return r == -VR_BUSY ? 0 : r;
    l->news = false;
    json_array_foreach (procs, i, proc) {
        vr_auto_free char *id = vr_procs_id(proc);
        struct source *s;

        if (is_followed(l, id))
            continue;
        s = add_source(l, proc);
        r = vr_follow_add(follow, &(struct vr_follow_stream){s->path, false, true, on_text, s},
                          err);
        if (r == -VR_LIMIT)
            vr_say_warning(&l->cli->out, "%snot followed: %s", s->prefix, err->msg);
        else if (r < 0)
            return r;
    }
    return 0;
}

static int follow_logs(struct logs *l, bool is_filter, struct vr_err *err)
{
    size_t n = l->count;
    struct vr_follow_stream *streams = vr_alloc_array(n + 1, sizeof(streams[0]));
    int r;

    for (size_t i = 0; i < n; i++)
        streams[i] = (struct vr_follow_stream){l->sources[i]->path, false, is_filter, on_text,
                                               l->sources[i]};
    streams[n] =
        (struct vr_follow_stream){"/api/v1/stream/?kinds=object", true, false, on_change, l};
    l->seen = json_object();
    r = vr_follow(l->api, streams, n + is_filter, TICK_MS, is_filter ? look : NULL, l, err);
    free(streams);
    return r < 0 ? r : VR_EXIT_OK;
}

/* --- read --- */

/* The newest matches of a log in its order, as many as are wanted; the server gives them in parts.
 * Given. */
static int search(struct logs *l, const struct source *s, json_t **out, struct vr_err *err)
{
    vr_auto_json json_t *found = json_array();
    vr_auto_free char *text = vr_uri_encode(l->v->search);
    json_int_t before = -1, left = lines_wanted(l->v);

    do {
        vr_auto_free char *path =
            vr_strf("/api/v1/procs/%s/log/?search=%s&regex=%d&ignore_case=%d&limit=%d", s->id, text,
                    l->v->regex, l->v->ignore_case, left < SEARCH_LIMIT ? (int)left : SEARCH_LIMIT);
        vr_auto_free char *from =
            before < 0 ? vr_strdup("") : vr_strf("&before=%" JSON_INTEGER_FORMAT, before);
        vr_auto_free char *whole = vr_strf("%s%s", path, from);
        vr_auto_json json_t *answer = NULL;
        json_t *matches, *next;
        int r = vr_api_get(l->api, whole, &answer, err);

        if (r >= 0)
            r = vr_json_get_array(answer, "matches", &matches, err);
        if (r < 0)
            return r;
        left -= (json_int_t)json_array_size(matches);
        json_array_extend(matches, found);
        json_decref(found);
        found = json_incref(matches);
        next = json_object_get(answer, "next_before");
        before = json_is_integer(next) ? json_integer_value(next) : -1;
    } while (before >= 0 && left > 0);
    *out = vr_take(found);
    return 0;
}

/* What there is of a log, or what is searched for in it. */
static int read_text(struct logs *l, const struct source *s, struct vr_api_text *out,
                     struct vr_err *err)
{
    vr_auto_buf struct vr_buf text = VR_BUF(VR_OUT_BYTES);
    vr_auto_json json_t *matches = NULL;
    const json_t *match;
    size_t i;
    int r;

    if (!l->v->search)
        return vr_api_get_text(l->api, s->path, out, err);
    r = search(l, s, &matches, err);
    if (r < 0)
        return r;
    json_array_foreach (matches, i, match) {
        const char *line = json_string_value(json_object_get(match, "line"));

        vr_buf_addf(&text, "%s\n", line ? line : "");
    }
    return vr_buf_finish(&text, &out->text, err);
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
static int merge_logs(struct logs *l, struct vr_err *err)
{
    size_t n = l->count;
    struct vr_api_text *texts = vr_alloc_array(n + 1, sizeof(texts[0]));
    vr_auto_buf struct vr_buf out = VR_BUF(VR_OUT_BYTES);
    struct record *records = NULL;
    size_t count = 0;
    int r = 0;

    for (size_t i = 0; i < n && r >= 0; i++) {
        r = read_text(l, l->sources[i], &texts[i], err);
        for (const char *at = r < 0 ? "" : texts[i].text; *at;) {
            size_t len = strcspn(at, "\n");

            records = vr_realloc_array(records, count + 1, sizeof(records[0]));
            records[count] = (struct record){at, len, count, l->sources[i]};
            count++;
            at += len + (at[len] == '\n');
        }
    }
    if (n > 1 && count)
        qsort(records, count, sizeof(records[0]), by_time);
    for (size_t i = 0; i < count; i++)
        add_line(&out, records[i].source, records[i].line, records[i].n);
    if (r >= 0 && !count && l->v->search)
        vr_say(&l->cli->out, "No line matches '%s'.", l->v->search);
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
    struct logs l = {.cli = cli, .v = v, .name = argv[0]};
    vr_auto_json json_t *procs = NULL;
    const json_t *proc;
    bool is_filter = false;
    size_t i;
    int r;

    if (v->search && v->follow)
        return vr_fail(err, VR_INVALID, "--search looks at what there is; it cannot --follow");
    if (!v->search && (v->regex || v->ignore_case))
        return vr_fail(err, VR_INVALID, "--regex and --ignore-case are of --search TEXT");
    r = vr_cli_api(cli, &l.api, err);
    if (r >= 0)
        r = vr_procs_named(l.api, argv[0], &procs, &is_filter, err);
    if (r < 0)
        return r;
    json_array_foreach (procs, i, proc)
        add_source(&l, proc);
    r = v->follow ? follow_logs(&l, is_filter, err) : merge_logs(&l, err);
    fini_logs(&l);
    return r;
}

const struct vr_command vr_log_commands[] = {
    {.name = "logs",
     .args = "PROC",
     .summary = "Show the log of a proc, or of all procs of a swarm",
     .details =
         "PROC is a number of vr ps, a proc's name, or a filter for swarms; with -f a filter\n"
         "also follows the procs that come later.",
     VR_COMMAND_OPTS(log_opts, struct values),
     .min_args = 1,
     .max_args = 1,
     .run = run_logs},
    {NULL},
};
