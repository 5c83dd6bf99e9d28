/* SPDX-License-Identifier: MIT */
/* Cells as RFC 4180 has them, and those that a spreadsheet would execute. */
#include "fmt/csv.h"

#include "core/tap.h"

#include <stdio.h>
#include <string.h>

static bool writes(const char *cell, const char *want)
{
    vr_auto_buf struct vr_buf out = VR_BUF(1000);

    vr_csv_cell(&out, vr_str(cell), true);
    if (vr_streq(vr_buf_text(&out), want))
        return true;
    fprintf(stderr, "# '%s': %s instead of %s\n", cell, vr_buf_text(&out), want);
    return false;
}

TEST(csv_cell__plain__stays)
{
    CHECK(writes("", "") && writes("shop", "shop") && writes("a b; c'd", "a b; c'd"));
    CHECK(writes("v1 \xe2\x86\x92 v2", "v1 \xe2\x86\x92 v2"));
    CHECK(writes("a=b", "a=b"));
}

TEST(csv_cell__commas_quotes_and_lines__are_quoted)
{
    CHECK(writes("a,b", "\"a,b\"") && writes("a\nb", "\"a\nb\"") && writes("a\r\nb", "\"a\r\nb\""));
    CHECK(writes("say \"hi\"", "\"say \"\"hi\"\"\"") && writes("\"", "\"\"\"\""));
}

TEST(csv_cell__formulas__are_text)
{
    CHECK(writes("=1+1", "'=1+1") && writes("+1", "'+1") && writes("-1", "'-1"));
    CHECK(writes("@SUM(A1)", "'@SUM(A1)") && writes("\t=1", "'\t=1"));
    CHECK(writes("=cmd|' /C calc'!A0", "'=cmd|' /C calc'!A0"));
    CHECK(writes("=HYPERLINK(\"http://x\",\"y\")", "\"'=HYPERLINK(\"\"http://x\"\",\"\"y\"\")\""));
    CHECK(writes("\r=1", "\"'\r=1\""));
}

TEST(csv__lines__have_commas_between_and_crlf_behind)
{
    vr_auto_buf struct vr_buf out = VR_BUF(1000);

    vr_csv_cell(&out, vr_str("a"), true);
    vr_csv_cell(&out, vr_str(""), false);
    vr_csv_cell(&out, (struct vr_str){"b\0c", 3}, false);
    vr_csv_end(&out);
    CHECK(out.len == 8 && memcmp(out.p, "a,,b\0c\r\n", 8) == 0);
}
