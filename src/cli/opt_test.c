/* SPDX-License-Identifier: MIT */
/* The option parser and the help it writes. */
#include "cli/opt.h"

#include "core/str.h"
#include "core/tap.h"

#include <stdio.h>
#include <string.h>

struct values {
    bool follow, quiet;
    const char *url;
    struct vr_opt_int size;
    struct vr_opt_list exclude, words;
};

static const struct vr_opt opts[] = {
    {"follow", 'f', VR_OPT_FLAG, offsetof(struct values, follow), NULL, "go on"},
    {"quiet", 'q', VR_OPT_FLAG, offsetof(struct values, quiet), NULL, NULL},
    {"url", 'u', VR_OPT_TEXT, offsetof(struct values, url), "URL", "the server"},
    {"size", 0, VR_OPT_INT, offsetof(struct values, size), "N", "how many", 0, 10},
    {"exclude", 'x', VR_OPT_LIST, offsetof(struct values, exclude), "PATTERN", "not these"},
    {"add", 0, VR_OPT_WORDS, offsetof(struct values, words), "NAME", "these"},
};

static struct values v;
static const struct vr_opt_set set = {opts, VR_COUNT(opts), &v};
static struct vr_err err;

/* Parse words separated by spaces; the words stay in a buffer of the test. */
static int parse(const char *line, bool stop, char *argv[16])
{
    static char words[256];
    int argc = 0;

    vr_opt_fini(&set);
    v = (struct values){0};
    snprintf(words, sizeof(words), "%s", line);
    for (char *w = strtok(words, " "); w && argc < 15; w = strtok(NULL, " "))
        argv[argc++] = w;
    argv[argc] = NULL;
    return vr_opt_parse(&set, 1, stop, argc, argv, &err);
}

TEST(opt_parse__options_between_arguments__keeps_the_order_of_arguments)
{
    char *argv[16];

    CHECK(parse("shop -f --url http://x v2 -x a --exclude=b", false, argv) == 2);
    CHECK_STR(argv[0], "shop");
    CHECK_STR(argv[1], "v2");
    CHECK(!argv[2]);
    CHECK(v.follow && !v.quiet);
    CHECK_STR(v.url, "http://x");
    CHECK(v.exclude.count == 2);
    CHECK_STR(v.exclude.items[1], "b");
    vr_opt_fini(&set);
    CHECK(!v.exclude.items);
}

TEST(opt_parse__letters__may_be_joined)
{
    char *argv[16];

    CHECK(parse("-fquhttp://x - a", false, argv) == 2);
    CHECK(v.follow && v.quiet);
    CHECK_STR(v.url, "http://x");
    CHECK_STR(argv[0], "-");
}

TEST(opt_parse__two_dashes__end_the_options)
{
    char *argv[16];

    CHECK(parse("-f -- -q --nope", false, argv) == 2);
    CHECK(!v.quiet);
    CHECK_STR(argv[1], "--nope");
}

TEST(opt_parse__stop_at_arg__leaves_what_follows)
{
    char *argv[16];

    CHECK(parse("-f word -q", true, argv) == 2);
    CHECK(v.follow && !v.quiet);
    CHECK_STR(argv[1], "-q");
}

TEST(opt_parse__words__are_taken_up_to_the_next_option)
{
    char *argv[16];

    CHECK(parse("shop v2 --add a b -f", false, argv) == 2);
    CHECK(v.words.count == 2 && v.follow);
    vr_opt_fini(&set);
}

TEST(opt_parse__wrong_words__are_named)
{
    char *argv[16];

    CHECK(parse("--nope=1", false, argv) == -VR_INVALID);
    CHECK_STR(err.msg, "unknown option --nope");
    CHECK(parse("-z", false, argv) == -VR_INVALID);
    CHECK_STR(err.msg, "unknown option -z");
    CHECK(parse("--url", false, argv) == -VR_INVALID);
    CHECK_STR(err.msg, "option --url wants a URL");
    CHECK(parse("--follow=1", false, argv) == -VR_INVALID);
    CHECK(parse("--size 11", false, argv) == -VR_INVALID);
    CHECK(strstr(err.msg, "--size") && strstr(err.msg, "11"));
    CHECK(parse("--size 10", false, argv) == 0 && v.size.given && v.size.value == 10);
}

TEST(opt_help__a_table__is_aligned_and_leaves_hidden_ones_out)
{
    vr_auto_buf struct vr_buf b = VR_BUF(4096);

    vr_opt_help(&b, opts, 3);
    CHECK_STR(vr_buf_text(&b), "  -f, --follow              go on\n"
                               "  -u, --url URL             the server\n");
}
