/* SPDX-License-Identifier: MIT */
/* Tests of fmt/pgdump. */
#include "fmt/pgdump.h"

#include "core/buf.h"
#include "core/own.h"
#include "core/tap.h"

/* Writes "table:column=value,…;" for each row. */
static int note(void *user, const struct vr_pgdump_row *row, struct vr_err *err)
{
    struct vr_buf *out = user;

    vr_buf_addf(out, "%s:", row->table);
    for (size_t i = 0; i < row->n; i++)
        vr_buf_addf(out, "%s%s=%s", i ? "," : "", row->columns[i],
                    row->values[i] ? row->values[i] : "NULL");
    vr_buf_add(out, ";");
    return vr_pgdump_value(row, "stop") ? vr_fail(err, VR_INVALID, "stopped") : 0;
}

static int feed(const char *text, struct vr_buf *out, struct vr_err *err)
{
    struct vr_pgdump *dump = vr_pgdump_new(note, out);
    int r = 0;

    *err = (struct vr_err)VR_ERR_NULL;
    while (r == 0 && *text) {
        size_t n = strcspn(text, "\n");

        r = vr_pgdump_line(dump, (struct vr_str){text, n}, err);
        text += n + (text[n] == '\n');
    }
    if (r == 0)
        r = vr_pgdump_end(dump, err);
    vr_pgdump_free(dump);
    return r;
}

TEST(pgdump__a_dump__gives_the_rows_of_its_blocks)
{
    vr_auto_buf struct vr_buf out = VR_BUF(1000);
    struct vr_err err;

    CHECK(feed("-- PostgreSQL database dump\nSET x = 1;\nCOPY me TO stdout;\n"
               "CREATE TABLE public.t (id integer);\n"
               "COPY public.t (id, \"desc\", order_) FROM stdin;\n1\ta b\t\\N\n2\t\t3\n\\.\n\n"
               "COPY old (a) FROM stdin;\n\\.\nCOPY \"s\".\"T\" (a) FROM stdin;\r\nx\r\n\\.\r\n",
               &out, &err) == 0);
    CHECK_STR(vr_buf_text(&out), "t:id=1,desc=a b,order_=NULL;t:id=2,desc=,order_=3;T:a=x;");
}

TEST(pgdump__escapes__stand_for_their_bytes)
{
    vr_auto_buf struct vr_buf out = VR_BUF(1000);
    struct vr_err err;

    CHECK(feed("COPY t (a, b) FROM stdin;\na\\tb\\nc\\\\d\\r\t\\101\\x42\\q\\N\n\\.\n", &out,
               &err) == 0);
    CHECK_STR(vr_buf_text(&out), "t:a=a\tb\nc\\d\r,b=ABqN;");
}

TEST(pgdump__what_is_wrong__is_named_with_its_line)
{
    vr_auto_buf struct vr_buf out = VR_BUF(1000);
    struct vr_err err;

    CHECK(feed("COPY t (a, b) FROM stdin;\n1\n\\.\n", &out, &err) == -VR_PARSE);
    CHECK_STR(err.msg, "line 2: a row of 't' has 1 values, not 2");
    CHECK(feed("COPY t (a) FROM stdin;\n1\t2\n\\.\n", &out, &err) == -VR_PARSE);
    CHECK_STR(err.msg, "line 2: a row of 't' has more than 1 values");
    CHECK(feed("COPY t (a) FROM stdin;\n1\n", &out, &err) == -VR_PARSE);
    CHECK_STR(err.msg, "the dump ends within table 't', at line 2");
    CHECK(feed("COPY t (stop) FROM stdin;\n1\n2\n\\.\n", &out, &err) == -VR_INVALID);
    CHECK_STR(err.msg, "stopped");
}

TEST(pgdump__heads_that_are_none__are_skipped)
{
    vr_auto_buf struct vr_buf out = VR_BUF(1000);
    struct vr_err err;

    CHECK(feed("COPY t FROM stdin;\nCOPY t (a FROM stdin;\nCOPY t (\"a) FROM stdin;\n"
               "COPY t (a) FROM '/file';\nCOPY  (a) FROM stdin;\n",
               &out, &err) == 0);
    CHECK_STR(vr_buf_text(&out), "");
}
