/* SPDX-License-Identifier: MIT */
/* Tables for people, and the words of states. */
#include "cli/out.h"
#include "cli/table.h"

#include "core/tap.h"

static const char *const titles[] = {"NAME", "STATE", "NOTE"};

TEST(table_write__cells_of_different_length__are_aligned)
{
    VR_OWNED(vr_table_free) struct vr_table *t = vr_table_new(titles, 3);
    vr_auto_buf struct vr_buf b = VR_BUF(4096);

    vr_table_add(t, "a");
    vr_table_add(t, "running");
    vr_table_add(t, NULL);
    vr_table_addf(t, "%s-%d", "längst", 1);
    vr_table_add(t, "up");
    vr_table_add(t, "two\nlines");
    vr_table_write(t, false, &b);
    CHECK(vr_table_rows(t) == 2);
    CHECK_STR(vr_buf_text(&b), "NAME      STATE    NOTE\n"
                               "a         running  -\n"
                               "längst-1  up       two lines\n");
}

TEST(table_write__colour__dresses_states_without_moving_columns)
{
    VR_OWNED(vr_table_free) struct vr_table *t = vr_table_new(titles + 1, 2);
    vr_auto_buf struct vr_buf b = VR_BUF(4096);

    vr_table_mark_state(t, 0);
    vr_table_add(t, "fatal");
    vr_table_add(t, "x");
    vr_table_write(t, true, &b);
    CHECK_STR(vr_buf_text(&b), "\033[1mSTATE\033[0m  \033[1mNOTE\033[0m\n"
                               "\033[31mfatal\033[0m  x\n");
}

TEST(out_format_parse__unknown__names_the_known)
{
    enum vr_out_format format = VR_OUT_TABLE;
    struct vr_err err = VR_ERR_NULL;

    CHECK(vr_out_format_parse("xml", &format, &err) == -VR_INVALID);
    CHECK_STR(err.msg, "output format 'xml' is none of table, wide, json, yaml, name");
    CHECK(!vr_out_format_parse("yaml", &format, &err) && format == VR_OUT_YAML);
}

TEST(table_write__a_narrow_terminal__cuts_the_widest_column)
{
    VR_OWNED(vr_table_free) struct vr_table *t = vr_table_new(titles + 1, 2);
    vr_auto_buf struct vr_buf b = VR_BUF(4096);

    vr_table_add(t, "running");
    vr_table_add(t, "ein längerer Text, der nicht passt");
    vr_table_fit(t, 24, true);
    vr_table_write(t, false, &b);
    CHECK_STR(vr_buf_text(&b), "STATE    NOTE\n"
                               "running  ein längerer T…\n");
}

TEST(table_write__spare_columns_on_a_narrow_terminal__are_dropped_before_anything_is_cut)
{
    VR_OWNED(vr_table_free) struct vr_table *t = vr_table_new(titles, 3);
    vr_auto_buf struct vr_buf b = VR_BUF(4096);

    vr_table_mark_spare(t, 1);
    vr_table_add(t, "a name of its own");
    vr_table_add(t, "running");
    vr_table_add(t, "as it should be");
    vr_table_fit(t, 26, true);
    vr_table_write(t, false, &b);
    CHECK_STR(vr_buf_text(&b), "NAME               STATE\n"
                               "a name of its own  running\n");
}

/* What a log line, a tag or a server says must not move the cursor or rename the window. */
TEST(out_add_visible__text_that_a_terminal_obeys__is_shown_and_colours_stay)
{
    vr_auto_buf struct vr_buf b = VR_BUF(4096);
    static const char text[] = "a\033]0;x\007b\033[31mred\033[0m\tc\rd\033[2Je\xc2\x9b"
                               "1mf\xe2\x80\xaeg\x7fh\303\244\n";

    vr_out_add_visible(&b, text, sizeof(text) - 1);
    CHECK_STR(vr_buf_text(&b), "a^[]0;x^Gb\033[31mred\033[0m\tc^Md^[[2Je^?1mf^?g^?h\303\244\n");
}
