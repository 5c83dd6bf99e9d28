/* SPDX-License-Identifier: MIT */
/* Waiting after wrong passwords: when it begins, how it grows, what ends it, and its bounds. */
#include "core/tap.h"
#include "server/throttle.h"

#include <stdio.h>

#define THROTTLE(t) __attribute__((cleanup(release))) struct vr_throttle *t = vr_throttle_new()

static void release(struct vr_throttle **throttle)
{
    *throttle = vr_throttle_free(*throttle);
}

static struct vr_mono at_s(int64_t s)
{
    return vr_mono_add_ms((struct vr_mono){0}, s * 1000);
}

static void fail(struct vr_throttle *t, const char *name, const char *address, int times, int64_t s)
{
    for (int i = 0; i < times; i++)
        vr_throttle_failed(t, name, address, at_s(s));
}

TEST(throttle__up_to_four_failures__cost_no_wait)
{
    THROTTLE(t);

    fail(t, "ann", "10.0.0.1", VR_THROTTLE_FAILURES - 1, 100);
    CHECK(vr_throttle_wait_s(t, "ann", "10.0.0.1", at_s(100)) == 0);
}

TEST(throttle__the_fifth__costs_thirty_seconds_and_each_further_one_twice_as_many)
{
    THROTTLE(t);

    fail(t, "ann", "", VR_THROTTLE_FAILURES, 100);
    CHECK(vr_throttle_wait_s(t, "ann", "", at_s(100)) == 30);
    CHECK(vr_throttle_wait_s(t, "ann", "", at_s(129)) == 1);
    CHECK(vr_throttle_wait_s(t, "ann", "", at_s(130)) == 0);
    fail(t, "ann", "", 1, 130);
    CHECK(vr_throttle_wait_s(t, "ann", "", at_s(130)) == 60);
    fail(t, "ann", "", 1, 200);
    CHECK(vr_throttle_wait_s(t, "ann", "", at_s(200)) == 120);
}

TEST(throttle__many_failures__wait_a_quarter_of_an_hour_at_most)
{
    THROTTLE(t);

    fail(t, "ann", "", 1000, 100);
    CHECK(vr_throttle_wait_s(t, "ann", "", at_s(100)) == VR_THROTTLE_LONGEST_S);
}

TEST(throttle__an_address_that_tries_many_names__waits_for_all_of_them)
{
    THROTTLE(t);
    char name[32];

    for (int i = 0; i < VR_THROTTLE_FAILURES; i++) {
        snprintf(name, sizeof(name), "user%d", i);
        fail(t, name, "10.0.0.1", 1, 100);
    }
    CHECK(vr_throttle_wait_s(t, "ann", "10.0.0.1", at_s(100)) == 30);
    CHECK(vr_throttle_wait_s(t, "ann", "10.0.0.2", at_s(100)) == 0);
    CHECK(vr_throttle_wait_s(t, "ann", "", at_s(100)) == 0);
}

TEST(throttle__a_name_that_is_tried_from_many_addresses__waits_at_all_of_them)
{
    THROTTLE(t);
    char address[32];

    for (int i = 0; i < VR_THROTTLE_FAILURES; i++) {
        snprintf(address, sizeof(address), "10.0.0.%d", i);
        fail(t, "ann", address, 1, 100);
    }
    CHECK(vr_throttle_wait_s(t, "ann", "10.0.9.9", at_s(100)) == 30);
    CHECK(vr_throttle_wait_s(t, "bob", "10.0.9.9", at_s(100)) == 0);
}

TEST(throttle__a_name_that_is_an_address__is_another_thing)
{
    THROTTLE(t);

    fail(t, "10.0.0.1", "", VR_THROTTLE_FAILURES, 100);
    CHECK(vr_throttle_wait_s(t, "ann", "10.0.0.1", at_s(100)) == 0);
}

TEST(throttle__a_right_password__starts_anew)
{
    THROTTLE(t);

    fail(t, "ann", "10.0.0.1", VR_THROTTLE_FAILURES - 1, 100);
    vr_throttle_passed(t, "ann", "10.0.0.1");
    fail(t, "ann", "10.0.0.1", VR_THROTTLE_FAILURES - 1, 101);
    CHECK(vr_throttle_wait_s(t, "ann", "10.0.0.1", at_s(101)) == 0);
}

TEST(throttle__failures_of_long_ago__do_not_count)
{
    THROTTLE(t);

    fail(t, "ann", "", VR_THROTTLE_FAILURES, 100);
    fail(t, "ann", "", 1, 100 + VR_THROTTLE_FORGOTTEN_S + 1);
    CHECK(vr_throttle_wait_s(t, "ann", "", at_s(100 + VR_THROTTLE_FORGOTTEN_S + 1)) == 0);
}

TEST(throttle__a_full_table__loses_who_failed_longest_ago)
{
    THROTTLE(t);
    char name[32];

    fail(t, "first", "", VR_THROTTLE_FAILURES, 100);
    fail(t, "second", "", VR_THROTTLE_FAILURES, 101);
    for (int i = 0; i < VR_THROTTLE_MAX - 1; i++) {
        snprintf(name, sizeof(name), "user%d", i);
        fail(t, name, "", 1, 102);
    }
    CHECK(vr_throttle_wait_s(t, "first", "", at_s(102)) == 0);
    CHECK(vr_throttle_wait_s(t, "second", "", at_s(102)) > 0);
}
