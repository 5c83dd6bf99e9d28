/* SPDX-License-Identifier: MIT */
/* The difference of two texts. */
#include "cli/line_diff.h"

#include "core/tap.h"

TEST(line_diff__a_changed_line__stands_between_its_neighbours)
{
    vr_auto_buf struct vr_buf b = VR_BUF(1024);

    CHECK(vr_line_diff(&b, "a: 1\nb: 2\nc: 3\n", "a: 1\nb: 4\nc: 3\nd: 5\n", false));
    CHECK_STR(vr_buf_text(&b), " a: 1\n-b: 2\n+b: 4\n c: 3\n+d: 5\n");
}

TEST(line_diff__equal_or_empty_texts__have_none)
{
    vr_auto_buf struct vr_buf b = VR_BUF(1024);

    CHECK(!vr_line_diff(&b, "a\n", "a", false));
    CHECK_STR(vr_buf_text(&b), " a\n");
    CHECK(!vr_line_diff(&b, "", "", false));
    CHECK(vr_line_diff(&b, "", "x", false));
}
