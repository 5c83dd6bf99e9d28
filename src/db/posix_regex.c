/* SPDX-License-Identifier: MIT */
/* Regular expressions of users. */

/*
 * glibc matches without back-references in time and memory that grow with the text only, but it
 * writes repetitions out: `((a{255}){255}){255}` would take all memory before anything is matched.
 * So the product of all upper bounds is limited, where a `+` behind a group counts as two (it is
 * written as `xx*`, and groups nest), and back-references are refused.
 */
#include "db/posix_regex.h"

#include "core/str.h"

#include <string.h>

/* Behind a bracket expression that begins at `p`; a `]` in first place is a member. */
static const char *skip_bracket(const char *p)
{
    p++;
    p += *p == '^';
    p += *p == ']';
    while (*p && *p != ']') {
        const char *end = NULL;

        if (p[0] == '[' && p[1] && strchr(".:=", p[1])) {
            char close[] = {p[1], ']', '\0'};

            end = strstr(p + 2, close);
        }
        p = end ? end + 2 : p + 1;
    }
    return *p ? p + 1 : p;
}

/* The upper bound of `{m}`, `{m,}` or `{m,n}` at `p`; 1 if it is none of them. */
static uint64_t bound_of(const char *p)
{
    size_t n = strcspn(p, "}");
    const char *comma = memchr(p, ',', n);
    struct vr_str text = {p + 1, n ? n - 1 : 0};
    uint64_t bound;

    if (!p[n])
        return 1;
    if (comma && comma + 1 < p + n)
        text = (struct vr_str){comma + 1, (size_t)(p + n - comma - 1)};
    else if (comma)
        text = (struct vr_str){p + 1, (size_t)(comma - p - 1)};
    if (vr_parse_u64(text, 0, UINT32_MAX, &bound, NULL) < 0)
        return 1;
    return bound ? bound : 1;
}

static int check_cost(const char *pattern, struct vr_err *err)
{
    uint64_t repeats = 1;

    if (strlen(pattern) > VR_REGEX_BYTES)
        return vr_fail(err, VR_INVALID, "pattern '%.40s…' is longer than %d bytes", pattern,
                       VR_REGEX_BYTES);
    for (const char *p = pattern; *p;) {
        if (*p == '[') {
            p = skip_bracket(p);
            continue;
        }
        if (p[0] == '\\' && p[1] >= '1' && p[1] <= '9')
            return vr_fail(err, VR_INVALID, "pattern '%s' has a back-reference", pattern);
        if (*p == '{')
            repeats *= bound_of(p);
        else if (p[0] == ')' && p[1] == '+')
            repeats *= 2;
        if (repeats > VR_REGEX_REPEATS_MAX)
            return vr_fail(err, VR_INVALID, "pattern '%s' repeats more than %d times", pattern,
                           VR_REGEX_REPEATS_MAX);
        p += p[0] == '\\' && p[1] ? 2 : 1;
    }
    return 0;
}

int vr_regex_compile(const char *pattern, bool fold_case, regex_t *out, struct vr_err *err)
{
    char why[80];
    int e, r = check_cost(pattern, err);

    if (r < 0)
        return r;
    e = regcomp(out, pattern, REG_EXTENDED | REG_NOSUB | (fold_case ? REG_ICASE : 0));
    if (!e)
        return 0;
    regerror(e, out, why, sizeof(why));
    return vr_fail(err, VR_INVALID, "pattern '%s' is no regular expression: %s", pattern, why);
}

int vr_regex_check(const char *pattern, struct vr_err *err)
{
    regex_t compiled;
    int r = vr_regex_compile(pattern, false, &compiled, err);

    if (r == 0)
        regfree(&compiled);
    return r;
}
