/* SPDX-License-Identifier: MIT */
/* Which words could stand at the end of a line, as far as the tables know. */
#include "cli/complete.h"

#include "core/str.h"
#include "core/tap.h"

#include <string.h>

struct values {
    const char *squad;
    struct vr_opt_list names;
    bool wait;
};

static const struct vr_opt opts[] = {
    {"squad", 's', VR_OPT_TEXT, offsetof(struct values, squad), "big|small", "where"},
    {"names", 0, VR_OPT_WORDS, offsetof(struct values, names), "red|green", "which"},
    {"wait", 'w', VR_OPT_FLAG, offsetof(struct values, wait), NULL, "stay"},
};

static int run(struct vr_cli *cli, const void *values, int argc, char **argv, struct vr_err *err)
{
    return 0;
}

static const struct vr_command verbs[] = {
    {.name = "list ls", .summary = "List", .run = run},
    {.name = "set", .args = "one|two [three|four…]", .summary = "Set", .run = run},
    {NULL},
};

static const struct vr_command commands[] = {
    {.name = "swarm",
     .args = "apple|pear now|later",
     .summary = "Go",
     VR_COMMAND_OPTS(opts, struct values),
     .run = run,
     .subs = verbs},
    {.name = "show", .summary = "Show", .run = run},
    {.name = "secretly", .run = run},
    {NULL},
};

static const struct vr_command root = {.name = "vr", .subs = commands};

/* Complete the words of a line, and check the candidates, which are given behind each other. */
static void check(const char *line, const char *want)
{
    struct vr_cli cli = {.root = &root};
    vr_auto_buf struct vr_buf out = VR_BUF(10000), names = VR_BUF(10000);
    vr_auto_free char *copy = vr_strdup(line), *text = NULL;
    char *rest = copy, *words[16], *found;
    int n = 0;

    while (rest && n < 16)
        words[n++] = strsep(&rest, " ");
    vr_complete(&cli, n, words, &out);
    text = vr_strdup(vr_buf_text(&out));
    rest = text;
    while ((found = strsep(&rest, "\n"))) {
        if (*found)
            vr_buf_addf(&names, "%s%.*s", names.len ? " " : "", (int)strcspn(found, "\t"), found);
    }
    CHECK_STR(vr_buf_text(&names), want);
}

TEST(complete__commands_and_verbs__only_listed_ones)
{
    check("", "swarm show");
    check("s", "swarm show");
    check("sh", "show");
    check("swarm l", "list");
    check("swarm", "swarm");
}

TEST(complete__arguments__by_the_place_in_the_usage_line)
{
    check("swarm a", "apple");
    check("swarm apple l", "later");
    check("swarm apple now x", "");
    check("swarm set t", "two");
    check("swarm set one t", "three");
    check("swarm set one three f", "four");
    check("swarm --wait apple n", "now");
}

TEST(complete__options_and_their_values__also_within_one_word)
{
    check("swarm --s", "--squad");
    check("swarm --squad b", "big");
    check("swarm -s b", "big");
    check("swarm --squad=s", "--squad=small");
    check("swarm --squad big a", "apple");
    check("swarm apple now --names red g", "green");
    check("swarm apple now --names red --w", "--wait");
    check("show --us", "--username");
    check("show -o j", "json");
}

TEST(complete_placeholder__brackets_and_dots__are_stripped)
{
    static const struct {
        const char *args;
        int position;
        const char *want;
    } rows[] = {{"FILTER TAG", 0, "FILTER"}, {"FILTER TAG", 1, "TAG"},
                {"FILTER TAG", 2, ""},       {"[FILTER]", 0, "FILTER"},
                {"APP…", 5, "APP"},          {"[FIELD=VALUE…]", 1, "FIELD=VALUE"},
                {"HOST,…", 0, "HOST"},       {NULL, 0, ""}};

    for (size_t i = 0; i < VR_COUNT(rows); i++) {
        vr_auto_free char *word = vr_complete_placeholder(rows[i].args, rows[i].position);

        CHECK_STR(word, rows[i].want);
    }
}
