/* SPDX-License-Identifier: MIT */
/* The restart policy, on a clock of its own. */
#include "core/tap.h"
#include "shim/io.h"
#include "shim/restart.h"

#define JITTER_MAX UINT32_C(255)

static struct restart policy(int64_t max)
{
    return (struct restart){.max = max, .window_ms = 60000, .backoff_max_ms = 30000};
}

TEST(restart_next__first_crash__is_answered_at_once)
{
    struct restart r = policy(5);

    CHECK(restart_next(&r, 0, 10, 0) == 0);
    CHECK(r.count == 1);
}

TEST(restart_next__crashes_in_a_row__double_up_to_the_cap)
{
    struct restart r = policy(-1);
    const int64_t want[] = {0, 100, 200, 400, 800, 1600, 3200, 6400, 12800, 25600, 30000, 30000};

    for (size_t i = 0; i < COUNT(want); i++)
        CHECK(restart_next(&r, 0, 10, 0) == want[i]);
}

TEST(restart_next__jitter__takes_at_most_a_quarter)
{
    struct restart r = policy(-1);
    int64_t wait;

    CHECK(restart_next(&r, 0, 10, JITTER_MAX) == 0);
    wait = restart_next(&r, 0, 10, JITTER_MAX);
    CHECK(wait >= 75 && wait < 100);
}

TEST(restart_next__more_than_max_in_the_window__gives_up)
{
    struct restart r = policy(2);

    CHECK(restart_next(&r, 1 * NS_PER_S, 10, 0) == 0);
    CHECK(restart_next(&r, 2 * NS_PER_S, 10, 0) == 100);
    CHECK(restart_next(&r, 3 * NS_PER_S, 10, 0) == RESTART_GIVE_UP);
}

TEST(restart_next__crashes_far_apart__go_on)
{
    struct restart r = policy(2);

    for (int64_t i = 1; i < 200; i++)
        CHECK(restart_next(&r, i * 40 * NS_PER_S, 39000, 0) != RESTART_GIVE_UP);
}

TEST(restart_next__long_run__forgets_the_crashes_before)
{
    struct restart r = policy(2);

    CHECK(restart_next(&r, 1 * NS_PER_S, 10, 0) == 0);
    CHECK(restart_next(&r, 2 * NS_PER_S, 10, 0) == 100);
    CHECK(restart_next(&r, 63 * NS_PER_S, 60000, 0) == 0);
}

TEST(restart_next__none_allowed__gives_up_at_the_first)
{
    struct restart r = policy(0);

    CHECK(restart_next(&r, 0, 10, 0) == RESTART_GIVE_UP);
}

TEST(restart_reset__after_giving_up__starts_anew)
{
    struct restart r = policy(1);

    CHECK(restart_next(&r, 0, 10, 0) == 0);
    CHECK(restart_next(&r, 0, 10, 0) == RESTART_GIVE_UP);
    restart_reset(&r);
    CHECK(restart_next(&r, 0, 10, 0) == 0);
}
