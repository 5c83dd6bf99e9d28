/* SPDX-License-Identifier: MIT */
/* What goes of bounded folders, and what stays because somebody needs it. */
#include "agent/bounds.h"

#include "core/str.h"
#include "core/tap.h"
#include "sys/fs.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define NOW_S INT64_C(1790000000)

/* Notes the names of what is handed to it, and keeps the one that is needed. */
struct broom {
    const char *needed;
    char gone[64];
};

static bool sweep(void *arg, const char *path)
{
    struct broom *b = arg;
    const char *name = strrchr(path, '/') + 1;

    if (b->needed && vr_streq(name, b->needed))
        return false;
    strncat(b->gone, name, sizeof(b->gone) - strlen(b->gone) - 1);
    return true;
}

/* a is the oldest, d the youngest; each has 100 bytes, c 300. */
static struct vr_folders four(void)
{
    struct vr_folders f = {0};

    vr_folders_add(&f, "/x/d", 100, NOW_S - 10);
    vr_folders_add(&f, "/x/a", 100, NOW_S - 1000);
    vr_folders_add(&f, "/x/c", 300, NOW_S - 20);
    vr_folders_add(&f, "/x/b", 100, NOW_S - 100);
    return f;
}

TEST(folders_bound__each_limit__oldest_first_down_to_the_low_mark)
{
    static const struct {
        struct vr_bound bound;
        const char *needed, *gone;
        int64_t freed;
    } cases[] = {
        {{600, 0, 0}, NULL, "", 0},       /* exactly the budget */
        {{500, 0, 0}, NULL, "ab", 200},   /* to 400 */
        {{500, 0, 0}, "a", "bc", 400},    /* what is needed stays, and younger ones go for it */
        {{100, 0, 0}, "c", "abd", 300},   /* all that may, and no more */
        {{1000, 0, 50}, NULL, "ab", 200}, /* by age, under the budget */
        {{1000, 0, 50}, "a", "b", 100},   {{1000, 200, 0}, NULL, "c", 300}, /* too big for one */
        {{0, 0, 0}, NULL, "abcd", 600},
    };

    for (size_t i = 0; i < VR_COUNT(cases); i++) {
        struct vr_folders f = four();
        struct broom broom = {.needed = cases[i].needed};
        int64_t freed = -1;
        int64_t n = vr_folders_bound(&f, &cases[i].bound, NOW_S, sweep, &broom, &freed);

        CHECK_STR(broom.gone, cases[i].gone);
        CHECK(n == (int64_t)strlen(cases[i].gone) && freed == cases[i].freed);
        vr_folders_fini(&f);
        CHECK(f.n == 0 && f.bytes == 0);
    }
}

TEST(folders_bound__no_folder__nothing)
{
    struct vr_folders f = {0};
    struct broom broom = {0};
    int64_t freed = -1;

    CHECK(vr_folders_bound(&f, &(struct vr_bound){0}, NOW_S, sweep, &broom, &freed) == 0);
    CHECK(freed == 0);
}

TEST(folders_add__too_many__are_left_for_another_time)
{
    struct vr_folders f = {0};

    for (int i = 0; i <= VR_BOUNDS_FOLDERS_MAX; i++)
        vr_folders_add(&f, "/x/a", 1, NOW_S);
    CHECK(f.n == VR_BOUNDS_FOLDERS_MAX && f.bytes == VR_BOUNDS_FOLDERS_MAX);
    vr_folders_fini(&f);
}

static bool make_aged(const char *parent, const char *name, int64_t age_s)
{
    vr_auto_free char *path = vr_strf("%s/%s", parent, name);
    const struct timespec times[] = {{NOW_S - age_s, 0}, {NOW_S - age_s, 0}};

    return vr_fs_mkdir_p(path, 0700, NULL) == 0 && utimensat(AT_FDCWD, path, times, 0) == 0;
}

TEST(strays__only_old_ones_that_nobody_owns__go)
{
    vr_auto_free char *parent = vr_strf("%s/procs", vr_tap_dir());
    struct broom broom = {.needed = "8"};

    CHECK(make_aged(parent, "7", 700) && make_aged(parent, "8", 700) && make_aged(parent, "9", 60));
    CHECK(vr_bounds_strays(parent, NOW_S, 600, sweep, &broom) == 1);
    CHECK_STR(broom.gone, "7");
}

TEST(strays__no_such_folder__nothing)
{
    struct broom broom = {0};

    CHECK(vr_bounds_strays("/nonexistent/procs", NOW_S, 600, sweep, &broom) == 0);
}

static void count_call(void *arg)
{
    ++*(int *)arg;
}

TEST(room__enough__nothing_is_removed_for_it)
{
    int calls = 0;
    struct vr_err err = VR_ERR_NULL;

    CHECK(vr_bounds_room(vr_tap_dir(), 1, count_call, &calls, &err) == 0 && calls == 0);
}

TEST(room__never_enough__makes_room_once_and_says_both_figures)
{
    int calls = 0;
    struct vr_err err = VR_ERR_NULL;

    CHECK(vr_bounds_room(vr_tap_dir(), INT64_MAX, count_call, &calls, &err) == -VR_LIMIT);
    CHECK(calls == 1);
    CHECK(strstr(err.msg, vr_tap_dir()) && strstr(err.msg, "8796093022207 MiB are to stay free"));
}
