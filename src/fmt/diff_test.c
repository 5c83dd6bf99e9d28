/* SPDX-License-Identifier: MIT */
#include "fmt/diff.h"

#include "core/tap.h"

static char *diff(const char *a, const char *b, size_t context)
{
    vr_auto_json json_t *lines = json_array();
    vr_auto_buf struct vr_buf text = VR_BUF(1u << 20);
    const json_t *line;
    size_t i;

    vr_diff_json(lines, a, b, context);
    json_array_foreach (lines, i, line)
        vr_buf_addf(&text, "%s|", json_string_value(line));
    return vr_strdup(vr_buf_text(&text));
}

TEST(diff__equal_texts__have_none)
{
    vr_auto_free char *same = diff("a\nb\n", "a\nb\n", 3);
    vr_auto_free char *end = diff("a\nb\n", "a\nb", 3);
    vr_auto_free char *empty = diff("", "", 3);

    CHECK_STR(same, "");
    CHECK_STR(end, "");
    CHECK_STR(empty, "");
}

TEST(diff__a_changed_line__stands_between_its_neighbours)
{
    vr_auto_free char *text = diff("a: 1\nb: 2\nc: 3\n", "a: 1\nb: 4\nc: 3\nd: 5\n", VR_DIFF_ALL);

    CHECK_STR(text, "  a: 1|- b: 2|+ b: 4|  c: 3|+ d: 5|");
}

TEST(diff__far_lines__are_left_out)
{
    vr_auto_free char *text = diff("1\n2\n3\n4\n5\n6\n7\n8\n9\n", "1\n2\n3\n4\nx\n6\n7\n8\n9\n", 1);
    vr_auto_free char *bare = diff("1\n2\n3\n", "1\nx\n3\n", 0);

    CHECK_STR(text, " …|  4|- 5|+ x|  6| …|");
    CHECK_STR(bare, " …|- 2|+ x| …|");
}

TEST(diff__two_places__share_what_is_between)
{
    vr_auto_free char *text = diff("1\n2\n3\n4\n5\n6\n7\n", "x\n2\n3\n4\n5\n6\ny\n", 1);

    CHECK_STR(text, "- 1|+ x|  2| …|  6|- 7|+ y|");
}

TEST(diff__all_new__is_cut_and_says_so)
{
    vr_auto_buf struct vr_buf a = VR_BUF(1u << 20);
    vr_auto_buf struct vr_buf b = VR_BUF(1u << 20);
    vr_auto_json json_t *lines = json_array();

    for (int i = 0; i < 9000; i++) {
        vr_buf_addf(&a, "old %d\n", i);
        vr_buf_addf(&b, "new %d\n", i);
    }
    vr_diff_json(lines, vr_buf_text(&a), vr_buf_text(&b), 3);
    CHECK(json_array_size(lines) == VR_DIFF_SHOWN + 1);
    CHECK_STR(json_string_value(json_array_get(lines, 0)), "- old 0");
    CHECK_STR(json_string_value(json_array_get(lines, VR_DIFF_SHOWN)), "… and more");
}
