/* SPDX-License-Identifier: MIT */
#include "core/tap.h"
#include "core/clock.h"

TEST(wall_format__microseconds_only_when_not_zero)
{
    char t[VR_WALL_TEXT_BYTES];

    vr_wall_format((struct vr_wall){INT64_C(1436541664840000)}, true, t);
    CHECK_STR(t, "2015-07-10T15:21:04.840000");
    vr_wall_format((struct vr_wall){INT64_C(1436541664000000)}, false, t);
    CHECK_STR(t, "2015-07-10T15:21:04Z");
}

TEST(wall_parse__reads_what_format_writes)
{
    struct vr_wall w;

    CHECK(vr_wall_parse(vr_str("2015-07-10T15:21:04.84Z"), &w, NULL) == 0);
    CHECK(w.us == INT64_C(1436541664840000));
    CHECK(vr_wall_parse(vr_str("2015-07-10T15:21:04+00:00"), &w, NULL) == 0);
    CHECK(vr_wall_parse(vr_str("yesterday"), &w, NULL) == -VR_INVALID);
    CHECK(vr_wall_parse(vr_str("2015-07-10T15:21:04+02:00"), &w, NULL) == -VR_INVALID);
}
