/* SPDX-License-Identifier: MIT */
/* What scripts around the original's client read. */
#include "cli/old_format.h"

#include "core/str.h"
#include "core/tap.h"
#include "fmt/json.h"

static json_t *parse(const char *text)
{
    json_t *value = NULL;

    vr_ignore(vr_json_parse(vr_str(text), VR_JSON_BYTES, &value, NULL), "the test sees NULL");
    return value;
}

TEST(old_repr__every_type__is_written_as_python_does)
{
    vr_auto_json json_t *value =
        parse("{\"a\": [1, null, true, false, 1.5, \"x\"], \"it's\": \"say \\\"it's\\\"\\n\"}");
    vr_auto_buf struct vr_buf out = VR_BUF(1000);

    vr_old_repr(&out, value);
    CHECK_STR(vr_buf_text(&out),
              "{'a': [1, None, True, False, 1.5, 'x'], \"it's\": 'say \"it\\'s\"\\n'}");
}

TEST(old_duration__with_and_without_a_fraction__is_a_timedelta)
{
    static const struct {
        int64_t us;
        const char *text;
    } rows[] = {{123456, "0:00:00.123456"}, {0, "0:00:00"}, {3661000007, "1:01:01.000007"}};

    for (size_t i = 0; i < VR_COUNT(rows); i++) {
        vr_auto_buf struct vr_buf out = VR_BUF(100);

        vr_old_duration(&out, rows[i].us);
        CHECK_STR(vr_buf_text(&out), rows[i].text);
    }
}

TEST(old_proc__a_line__has_the_columns_of_the_original)
{
    vr_auto_json json_t *proc =
        parse("{\"host\": \"h1\", \"port\": 5003, \"statename\": \"RUNNING\","
              "\"description\": \"pid 5556, uptime 16:05:53\"}");
    vr_auto_buf struct vr_buf out = VR_BUF(1000);

    vr_old_proc(&out, proc);
    CHECK_STR(vr_buf_text(&out),
              "h1                      5003   RUNNING    pid 5556, uptime 16:05:53");
}

TEST(old_diff__changed_gone_new_and_equal_keys__are_marked)
{
    vr_auto_json json_t *a = parse("{\"foo\": 1, \"bar\": 2, \"baz\": 3}");
    vr_auto_json json_t *b = parse("{\"foo\": 1, \"bar\": 4, \"quux\": null}");
    vr_auto_buf struct vr_buf out = VR_BUF(1000);

    vr_old_diff(&out, a, b);
    CHECK_STR(vr_buf_text(&out), "--- a\n+++ b\n{\n-'bar': 2,\n+'bar': 4,\n-'baz': 3,\n 'foo': 1,\n"
                                 "+'quux': None,\n}\n");
}
