/* SPDX-License-Identifier: MIT */
#include "core/tap.h"
#include "server/api/plan.h"

/* The lines of a difference, joined. */
static char *diff(const char *from, const char *to)
{
    vr_auto_json json_t *a = json_loads(from, JSON_DECODE_ANY, NULL);
    vr_auto_json json_t *b = json_loads(to, JSON_DECODE_ANY, NULL);
    vr_auto_json json_t *lines = vr_plan_diff(a, b);
    vr_auto_buf struct vr_buf text = VR_BUF(10000);
    json_t *line;
    size_t i;

    json_array_foreach (lines, i, line)
        vr_buf_addf(&text, "%s|", json_string_value(line));
    return vr_strdup(vr_buf_text(&text));
}

TEST(plan_diff__equal__is_empty)
{
    vr_auto_free char *text = diff("{\"a\": 1, \"b\": [1, 2]}", "{\"b\": [1, 2], \"a\": 1}");

    CHECK_STR(text, "");
}

TEST(plan_diff__changed_value__shows_old_and_new)
{
    vr_auto_free char *text = diff("{\"a\": 1, \"b\": 2}", "{\"a\": 1, \"b\": 3}");

    CHECK_STR(text, "- b: 2|+ b: 3|");
}

TEST(plan_diff__keys_come_and_go__in_byte_order)
{
    vr_auto_free char *text = diff("{\"z\": 1, \"b\": 2}", "{\"a\": \"x\", \"b\": 2}");

    CHECK_STR(text, "+ a: x|- z: 1|");
}

TEST(plan_diff__nested_value__marks_every_line)
{
    vr_auto_free char *text = diff("{}", "{\"db\": {\"host\": \"h\", \"port\": 1}}");

    CHECK_STR(text, "+ db:|+   host: h|+   port: 1|");
}

TEST(plan_diff__null__is_an_empty_dict)
{
    vr_auto_free char *text = diff("null", "{\"a\": true}");

    CHECK_STR(text, "+ a: true|");
}

TEST(plan_diff__type_changes__is_a_difference)
{
    vr_auto_free char *text = diff("{\"a\": 1}", "{\"a\": \"1\"}");

    CHECK_STR(text, "- a: 1|+ a: '1'|");
}

TEST(plan_diff__a_secret__is_never_shown)
{
    vr_auto_free char *changed = diff("{\"a\": {\"$secret\": 1}}", "{\"a\": {\"$secret\": 2}}");
    vr_auto_free char *same = diff("{\"a\": {\"$secret\": 1}}", "{\"a\": {\"$secret\": 1}}");
    vr_auto_free char *hidden = diff("{\"a\": \"x\"}", "{\"a\": {\"$secret\": 1}}");

    CHECK_STR(changed, "~ a: secret, changed|");
    CHECK_STR(same, "");
    CHECK_STR(hidden, "- a: x|+ a: \"••••••••\"|");
}

TEST(plan_diff__one_line_of_a_nested_value__stands_among_those_that_stay)
{
    vr_auto_free char *text = diff("{\"db\": {\"host\": \"h\", \"port\": 1}, \"z\": 1}",
                                   "{\"db\": {\"host\": \"h\", \"port\": 2}, \"z\": 1}");

    CHECK_STR(text, "  db:|    host: h|-   port: 1|+   port: 2|");
}
