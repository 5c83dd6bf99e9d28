/* SPDX-License-Identifier: MIT */
/* Which swarms a pattern on the command line means.
 *
 * The pattern is cut at every `|` that is outside of brackets, so that each alternative has parts
 * of its own: in `a-b-c|d-e-f` the third part is `c`, not `c|d`. A part of plain name characters
 * must be the whole name of its position; all of them are also sent to the server if there is only
 * one alternative. What is left is for the regular expression, anchored at the start.
 */
#include "cli/filter.h"

#include "core/str.h"

#include <regex.h>
#include <string.h>

#define PARTS 3u

struct alternative {
    regex_t regex;
    char *exact[PARTS]; /* owned; NULL: any name */
};

struct vr_filter {
    struct alternative *alternatives;
    size_t count;
    regex_t *excludes;
    size_t exclude_count;
};

static const char *const names[PARTS] = {"app__name", "config_name", "proc_name"};

/* Whether `c` changes the nesting of brackets; text within them belongs together. */
static int nesting(char c)
{
    return c == '(' || c == '[' || c == '{' ? 1 : c == ')' || c == ']' || c == '}' ? -1 : 0;
}

/* The end of the piece of `text` up to `separator` outside brackets, or its end. */
static const char *piece_end(const char *text, const char *end, char separator)
{
    int depth = 0;

    for (; text < end; text++) {
        if (*text == '\\' && text + 1 < end) {
            text++;
            continue;
        }
        depth += nesting(*text);
        if (*text == separator && depth <= 0)
            break;
    }
    return text;
}

static bool is_plain(const char *p, size_t n)
{
    static const char plain[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_";

    for (size_t i = 0; i < n; i++) {
        if (!strchr(plain, p[i]) || !p[i])
            return false;
    }
    return n > 0;
}

static void find_exact(struct alternative *a, const char *text, const char *end)
{
    const char *starts[PARTS];
    size_t lengths[PARTS];
    size_t count = 0;
    bool certain = true;

    while (count < PARTS) {
        const char *stop = piece_end(text, end, '-');

        starts[count] = text;
        lengths[count++] = (size_t)(stop - text);
        text = stop;
        if (text == end)
            break;
        text++;
    }
    /* More than three: the last one has no end of its own. */
    if (count == PARTS && text < end)
        count--;

    for (size_t i = 0; i < count; i++) {
        bool plain = is_plain(starts[i], lengths[i]);

        if (plain && (certain || count == PARTS))
            a->exact[i] = vr_strndup(starts[i], lengths[i]);
        certain = certain && plain;
    }
}

static int compile(regex_t *regex, const char *pattern, int flags, struct vr_err *err)
{
    char why[128];
    int r = regcomp(regex, pattern, REG_EXTENDED | REG_NOSUB | flags);

    if (!r)
        return 0;
    regerror(r, regex, why, sizeof(why));
    return vr_fail(err, VR_INVALID, "pattern '%s': %s", pattern, why);
}

static int add_alternative(struct vr_filter *f, const char *text, const char *end,
                           struct vr_err *err)
{
    vr_auto_free char *anchored = vr_strf("^(%.*s)", (int)(end - text), text);
    vr_auto_free char *shown = vr_strndup(text, (size_t)(end - text));
    struct alternative *a = NULL;
    int r;

    if (f->count >= VR_FILTER_ALTERNATIVES)
        return vr_fail(err, VR_INVALID, "pattern has more than %u alternatives",
                       VR_FILTER_ALTERNATIVES);
    f->alternatives = vr_realloc_array(f->alternatives, f->count + 1, sizeof(*a));
    a = &f->alternatives[f->count];
    *a = (struct alternative){0};
    r = compile(&a->regex, text == end ? "^" : anchored, 0, err);
    if (r < 0)
        return vr_fail(err, VR_INVALID, "pattern '%s' is not a regular expression", shown);
    f->count++;
    find_exact(a, text, end);
    return 0;
}

static int compile_pattern(struct vr_filter *f, const char *pattern, struct vr_err *err)
{
    const char *end = pattern + strlen(pattern);

    for (;;) {
        const char *stop = piece_end(pattern, end, '|');
        int r = add_alternative(f, pattern, stop, err);

        if (r < 0 || stop == end)
            return r;
        pattern = stop + 1;
    }
}

int vr_filter_compile(const char *pattern, const char *const *excludes, size_t exclude_count,
                      struct vr_filter **out, struct vr_err *err)
{
    VR_OWNED(vr_filter_free) struct vr_filter *f = vr_alloc(sizeof(*f));
    int r = compile_pattern(f, pattern ? pattern : "", err);

    if (r < 0)
        return r;
    f->excludes = vr_alloc_array(exclude_count + 1, sizeof(f->excludes[0]));
    for (size_t i = 0; i < exclude_count; i++) {
        r = compile(&f->excludes[i], excludes[i], REG_ICASE, err);
        if (r < 0)
            return r;
        f->exclude_count++;
    }
    *out = vr_take(f);
    return 0;
}

struct vr_filter *vr_filter_free(struct vr_filter *f)
{
    if (!f)
        return NULL;
    for (size_t i = 0; i < f->count; i++) {
        regfree(&f->alternatives[i].regex);
        for (size_t p = 0; p < PARTS; p++)
            free(f->alternatives[i].exact[p]);
    }
    for (size_t i = 0; i < f->exclude_count; i++)
        regfree(&f->excludes[i]);
    free(f->alternatives);
    free(f->excludes);
    free(f);
    return NULL;
}

static bool matches(const struct alternative *a, const char *const parts[PARTS], const char *name)
{
    for (size_t i = 0; i < PARTS; i++) {
        if (a->exact[i] && strcmp(a->exact[i], parts[i]))
            return false;
    }
    return !regexec(&a->regex, name, 0, NULL, 0);
}

bool vr_filter_match(const struct vr_filter *f, const char *app, const char *config,
                     const char *proc)
{
    vr_auto_free char *name = vr_strf("%s-%s-%s", app, config, proc);
    const char *const parts[PARTS] = {app, config, proc};
    bool found = false;

    for (size_t i = 0; i < f->count && !found; i++)
        found = matches(&f->alternatives[i], parts, name);
    for (size_t i = 0; i < f->exclude_count && found; i++)
        found = regexec(&f->excludes[i], name, 0, NULL, 0) != 0;
    return found;
}

void vr_filter_query(const struct vr_filter *f, struct vr_buf *out)
{
    const char *separator = "";

    if (f->count != 1)
        return;
    for (size_t i = 0; i < PARTS; i++) {
        if (!f->alternatives[0].exact[i])
            continue;
        vr_buf_addf(out, "%s%s=%s", separator, names[i], f->alternatives[0].exact[i]);
        separator = "&";
    }
}
