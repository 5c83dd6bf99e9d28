/* SPDX-License-Identifier: MIT */
/*
 * Searching a log backwards.
 *
 * A piece mostly begins within a line: that line belongs to the next piece, further back. Only
 * when a piece has no end of line at all it is taken as one, so that every search gets on.
 */
#include "fmt/log_search.h"

#include "core/clock.h"

#include <string.h>

struct vr_log_search {
    struct vr_pattern *pattern;
    int64_t limit, context;
    int64_t first;  /* place of the log's first byte */
    int64_t to;     /* where the search began */
    int64_t before; /* all from here on was searched; -1 until it begins: from the end */
    int64_t from;   /* of the piece that is wanted */
    size_t shown;   /* bytes of lines found */
    bool full;      /* enough was found */
    struct vr_mono until;
    json_t *found; /* last first */
};

int vr_log_search_new(const struct vr_log_search_spec *spec, struct vr_log_search **out,
                      struct vr_err *err)
{
    VR_OWNED(vr_log_search_free) struct vr_log_search *s = vr_alloc(sizeof(*s));
    int r = vr_pattern_new(spec->regex ? VR_PATTERN_REGEX : VR_PATTERN_LITERAL, spec->text,
                           spec->ignore_case, &s->pattern, err);

    if (r < 0)
        return r;
    if (spec->limit < 1 || spec->limit > VR_LOG_SEARCH_LIMIT_MAX)
        return vr_fail(err, VR_INVALID, "limit is 1 to %d", VR_LOG_SEARCH_LIMIT_MAX);
    if (spec->context < 0 || spec->context > VR_LOG_SEARCH_CONTEXT_MAX)
        return vr_fail(err, VR_INVALID, "context is 0 to %d", VR_LOG_SEARCH_CONTEXT_MAX);
    s->limit = spec->limit;
    s->context = spec->context;
    s->before = spec->before;
    s->found = json_array();
    *out = vr_take(s);
    return 0;
}

struct vr_log_search *vr_log_search_free(struct vr_log_search *s)
{
    if (!s)
        return NULL;
    vr_pattern_free(s->pattern);
    json_decref(s->found);
    free(s);
    return NULL;
}

void vr_log_search_begin(struct vr_log_search *s, int64_t first, int64_t end)
{
    s->first = first;
    if (s->before < 0 || s->before > end)
        s->before = end;
    if (s->before < first)
        s->before = first;
    s->to = s->before;
    s->until = vr_mono_add_ms(vr_mono_now(), VR_LOG_SEARCH_MS);
}

bool vr_log_search_wants(struct vr_log_search *s, int64_t *from, int64_t *to)
{
    if (s->full || s->before <= s->first || s->to - s->before >= VR_LOG_SEARCH_BYTES ||
        vr_mono_now().ns > s->until.ns)
        return false;
    s->from =
        s->before - s->first > VR_LOG_SEARCH_PIECE ? s->before - VR_LOG_SEARCH_PIECE : s->first;
    *from = s->from;
    *to = s->before;
    return true;
}

static json_t *shown(struct vr_log_search *s, const char *p, size_t n)
{
    if (n > VR_LOG_SEARCH_LINE)
        n = VR_LOG_SEARCH_LINE;
    s->shown += n;
    return vr_json_text(p, n);
}

static size_t line_start(struct vr_str text, size_t end)
{
    const char *newline = end ? memrchr(text.p, '\n', end) : NULL;

    return newline ? (size_t)(newline - text.p) + 1 : 0;
}

static json_t *lines_before(struct vr_log_search *s, struct vr_str text, size_t start)
{
    json_t *list = json_array();

    for (int64_t i = 0; i < s->context && start > 0; i++) {
        size_t from = line_start(text, start - 1);

        json_array_insert_new(list, 0, shown(s, text.p + from, start - 1 - from));
        start = from;
    }
    return list;
}

static json_t *lines_after(struct vr_log_search *s, struct vr_str text, size_t end)
{
    json_t *list = json_array();

    for (int64_t i = 0; i < s->context && end + 1 < text.n; i++) {
        const char *from = text.p + end + 1;
        const char *newline = memchr(from, '\n', text.n - end - 1);
        size_t n = newline ? (size_t)(newline - from) : text.n - end - 1;

        vr_json_push(list, shown(s, from, n));
        end += 1 + n;
    }
    return list;
}

static void keep(struct vr_log_search *s, struct vr_str text, size_t start, size_t end)
{
    json_t *match = json_object();

    vr_json_set(match, "at", json_integer((json_int_t)(s->from + (int64_t)start)));
    vr_json_set(match, "line", shown(s, text.p + start, end - start));
    if (s->context) {
        vr_json_set(match, "before", lines_before(s, text, start));
        vr_json_set(match, "after", lines_after(s, text, end));
    }
    vr_json_push(s->found, match);
    s->full = (int64_t)json_array_size(s->found) >= s->limit || s->shown >= VR_LOG_SEARCH_SHOWN;
}

void vr_log_search_piece(struct vr_log_search *s, struct vr_str text)
{
    bool is_first = s->from == s->first || !memchr(text.p, '\n', text.n ? text.n - 1 : 0);
    size_t end = text.n;

    while (end > 0 && !s->full) {
        size_t last = end - (text.p[end - 1] == '\n');
        size_t start = line_start(text, last);

        if (start == 0 && !is_first)
            return; /* its begin is in the next piece */
        if (vr_pattern_is_in(s->pattern, (struct vr_str){text.p + start, last - start}))
            keep(s, text, start, last);
        s->before = s->from + (int64_t)start;
        end = start;
    }
    if (!text.n) /* it was rotated away meanwhile */
        s->before = s->first = s->from;
}

json_t *vr_log_search_result(struct vr_log_search *s)
{
    bool complete = s->before <= s->first;
    json_t *matches = json_array();

    for (size_t i = json_array_size(s->found); i-- > 0;)
        json_array_append(matches, json_array_get(s->found, i));
    return json_pack("{s:o, s:I, s:I, s:o, s:b}", "matches", matches, "searched_from",
                     (json_int_t)s->before, "searched_to", (json_int_t)s->to, "next_before",
                     complete ? json_null() : json_integer((json_int_t)s->before), "complete",
                     complete);
}
