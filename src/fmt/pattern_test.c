/* SPDX-License-Identifier: MIT */
/* Patterns: what they find, what is refused, and that none is slow. */
#include "core/clock.h"
#include "core/tap.h"
#include "fmt/log_search.h"
#include "fmt/pattern.h"

#include <string.h>

/* 1 found, 0 not, negative: refused. */
static int finds(const char *regex, const char *line, bool ignore_case)
{
    VR_OWNED(vr_pattern_free) struct vr_pattern *p = NULL;
    int r = vr_pattern_new(VR_PATTERN_REGEX, regex, ignore_case, &p, NULL);

    return r < 0 ? r : vr_pattern_is_in(p, vr_str(line));
}

TEST(pattern__regular_expressions__find_what_they_say)
{
    static const struct {
        const char *regex, *line;
        int found;
    } table[] = {
        {"abc", "xxabcxx", 1},
        {"abc", "xxabxcx", 0},
        {"^abc", "abcx", 1},
        {"^abc", "xabc", 0},
        {"abc$", "xabc", 1},
        {"abc$", "abcx", 0},
        {"^$", "", 1},
        {"^$", "x", 0},
        {"a.c", "abc", 1},
        {"ab*c", "ac", 1},
        {"ab*c", "abbbbc", 1},
        {"ab+c", "ac", 0},
        {"ab+c", "abbc", 1},
        {"ab?c", "abbc", 0},
        {"ab?c", "abc", 1},
        {"cat|dog", "hotdog", 1},
        {"cat|dog|cow", "a cow", 1},
        {"cat|dog|cow", "a horse", 0},
        {"^(a|bc|d)(e|f)$", "bcf", 1},
        {"^(a|bc|d)(e|f)$", "bf", 0},
        {"^(cat|dog)s$", "dogs", 1},
        {"^(cat|dog)s$", "cats and dogs", 0},
        {"(ab)+c", "xababc", 1},
        {"(a|b)*c$", "abbaabc", 1},
        {"x(a|)y", "xy", 1},
        {"[a-c]x", "bx", 1},
        {"[^a-c]x", "bx", 0},
        {"[]x]", "]", 1},
        {"[a-]", "-", 1},
        {"status [45]\\d\\d", "status 503", 1},
        {"status [45]\\d\\d", "status 200", 0},
        {"\\w+@\\w+\\.de", "mail ann@shop.de now", 1},
        {"\\.", "x", 0},
        {"\\S\\s\\S", "a b", 1},
        {"a{2}", "a{2}", 1},
        {"((a*)*)*$", "aaaa", 1},
    };

    for (size_t i = 0; i < VR_COUNT(table); i++) {
        int found = finds(table[i].regex, table[i].line, false);

        if (found != table[i].found)
            fprintf(stderr, "# '%s' in '%s': %d\n", table[i].regex, table[i].line, found);
        CHECK(found == table[i].found);
    }
    CHECK(finds("error", "An ERROR here", true) == 1 && finds("ERR", "error", true) == 1);
    CHECK(finds("[a-f]+1", "XX F1", true) == 1 && finds("error", "ERROR", false) == 0);
}

TEST(pattern__broken_ones__are_refused)
{
    static const char *const broken[] = {"(", ")", "a)", "[a", "[z-a]", "*a", "a**", "\\", "a|*"};
    char deep[2 * VR_PATTERN_DEPTH + 4] = "";
    char large[VR_PATTERN_BYTES + 2];

    for (size_t i = 0; i < VR_COUNT(broken); i++)
        CHECK(finds(broken[i], "", false) == -VR_INVALID);
    memset(deep, '(', VR_PATTERN_DEPTH + 1);
    CHECK(finds(deep, "", false) == -VR_LIMIT);
    memset(large, 'a', sizeof(large) - 1);
    large[sizeof(large) - 1] = '\0';
    CHECK(finds(large, "", false) == -VR_LIMIT);
    CHECK(finds("", "", false) == -VR_INVALID);
}

TEST(pattern__nested_repetitions__take_linear_time)
{
    vr_auto_free char *line = vr_alloc(20001);
    struct vr_mono begin = vr_mono_now();

    memset(line, 'a', 20000);
    CHECK(finds("((a*)*)*b", line, false) == 0);
    CHECK(finds("(a|a)*(a|a)*(a|aa)+b$", line, false) == 0);
    CHECK(vr_mono_ms_between(begin, vr_mono_now()) < 5000);
}

/* A log of numbered lines, searched as a host would. */
static json_t *search(const struct vr_log_search_spec *spec, struct vr_str log, int64_t first)
{
    VR_OWNED(vr_log_search_free) struct vr_log_search *s = NULL;
    int64_t from, to;

    if (vr_log_search_new(spec, &s, NULL) < 0)
        return NULL;
    vr_log_search_begin(s, first, first + (int64_t)log.n);
    while (vr_log_search_wants(s, &from, &to))
        vr_log_search_piece(s, (struct vr_str){log.p + (from - first), (size_t)(to - from)});
    return vr_log_search_result(s);
}

TEST(log_search__many_pieces__pages_give_every_match_once)
{
    vr_auto_buf struct vr_buf log = VR_BUF(4 << 20);
    struct vr_log_search_spec spec = {
        .text = "^line \\d*7$", .regex = true, .before = -1, .limit = 100};
    int seen = 0, pages = 0;
    bool more = true;

    for (int i = 0; i < 100000; i++)
        vr_buf_addf(&log, "line %d\n", i);
    while (more && pages++ < 1000) {
        vr_auto_json json_t *doc = search(&spec, (struct vr_str){log.p, log.len}, 5000);
        json_t *matches = json_object_get(doc, "matches"), *m;
        size_t i;

        json_array_foreach (matches, i, m) {
            int64_t at = json_integer_value(json_object_get(m, "at")) - 5000;
            const char *line = json_string_value(json_object_get(m, "line"));

            CHECK(!strncmp(log.p + at, line, strlen(line)) &&
                  log.p[at + (int)strlen(line)] == '\n');
            seen++;
        }
        more = !json_is_true(json_object_get(doc, "complete"));
        spec.before = json_integer_value(json_object_get(doc, "next_before"));
    }
    CHECK(seen == 10000 && pages <= 101);
}

TEST(log_search__context_and_long_lines__are_cut_to_their_limits)
{
    vr_auto_free char *large = vr_alloc(600001);
    struct vr_log_search_spec spec = {.text = "three", .before = -1, .limit = 5, .context = 2};
    vr_auto_json json_t *doc = search(&spec, vr_str("one\ntwo\nthree\nfour\nfive"), 0);
    vr_auto_json json_t *whole = NULL;
    json_t *m = json_array_get(json_object_get(doc, "matches"), 0);

    CHECK(json_array_size(json_object_get(doc, "matches")) == 1);
    CHECK(json_integer_value(json_object_get(m, "at")) == 8);
    CHECK(json_array_size(json_object_get(m, "before")) == 2);
    CHECK(vr_streq(json_string_value(json_array_get(json_object_get(m, "after"), 1)), "five"));
    CHECK(json_is_true(json_object_get(doc, "complete")));
    memset(large, 'x', 600000); /* one line, longer than a piece: found, and it comes to an end */
    spec = (struct vr_log_search_spec){.text = "xxx", .before = -1, .limit = 1000};
    whole = search(&spec, (struct vr_str){large, 600000}, 0);
    m = json_array_get(json_object_get(whole, "matches"), 0);
    CHECK(json_string_length(json_object_get(m, "line")) == VR_LOG_SEARCH_LINE);
    CHECK(json_is_true(json_object_get(whole, "complete")));
    spec.limit = 0;
    CHECK(!search(&spec, vr_str("x"), 0));
}
