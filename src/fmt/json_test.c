/* SPDX-License-Identifier: MIT */
/* Tests of fmt/json. */
#include "fmt/json.h"

#include "core/tap.h"

static const char *refusal(const char *text, struct vr_err *err)
{
    vr_auto_json json_t *value = NULL;

    *err = (struct vr_err)VR_ERR_NULL;
    return vr_json_parse(vr_str(text), 1000, &value, err) < 0 ? err->msg : "accepted";
}

TEST(json_parse__duplicate_key__is_refused_with_its_line)
{
    struct vr_err err;

    CHECK_STR(refusal("{\"a\": 1,\n \"a\": 2}", &err),
              "invalid JSON: line 2, column 4: duplicate object key near '\"a\"'");
    CHECK(err.code == VR_PARSE);
}

TEST(json_parse__what_is_not_one_value__is_refused)
{
    struct vr_err err;

    CHECK(strstr(refusal("", &err), "line 1"));
    CHECK(strstr(refusal("{} x", &err), "end of file expected"));
    CHECK(strstr(refusal("\"\\u0000\"", &err), "invalid JSON"));
    CHECK(strstr(refusal("\"\xff\"", &err), "decode byte 0xff"));
    CHECK(strstr(refusal("9223372036854775808", &err), "too big"));
    CHECK(strstr(refusal("1e999", &err), "overflow"));
    CHECK_STR(refusal("null", &err), "accepted");
}

TEST(json_parse__size_and_depth__are_limited)
{
    char text[2 * VR_JSON_DEPTH + 3] = "";
    vr_auto_json json_t *value = NULL;
    struct vr_err err = VR_ERR_NULL;

    CHECK(vr_json_parse(vr_str("[1,2]"), 4, &value, &err) == -VR_LIMIT);
    CHECK_STR(err.msg, "JSON of 5 bytes is longer than 4");
    memset(text, '[', VR_JSON_DEPTH);
    memset(text + VR_JSON_DEPTH, ']', VR_JSON_DEPTH);
    CHECK_STR(refusal(text, &err), "accepted");
    memset(text, '[', VR_JSON_DEPTH + 1);
    memset(text + VR_JSON_DEPTH + 1, ']', VR_JSON_DEPTH + 1);
    CHECK_STR(refusal(text, &err), "JSON nests deeper than 64 levels");
}

/* The Python form of a JSON text. */
static char *python(const char *text)
{
    vr_auto_json json_t *value = json_loads(text, JSON_DECODE_ANY, NULL);
    struct vr_buf out = VR_BUF(10000);
    char *made = NULL;

    vr_json_python_dumps(&out, value);
    return vr_buf_finish(&out, &made, NULL) == 0 ? made : NULL;
}

#define CHECK_PYTHON(text, want)                                                                   \
    do {                                                                                           \
        vr_auto_free char *got_ = python(text);                                                    \
        CHECK_STR(got_, want);                                                                     \
    } while (0)

TEST(json_python_dumps__structures__are_sorted_and_spaced)
{
    CHECK_PYTHON("{\"b\":[1,2,{}],\"a\":null,\"A\":true}",
                 "{\"A\": true, \"a\": null, \"b\": [1, 2, {}]}");
    CHECK_PYTHON("[]", "[]");
    CHECK_PYTHON("{\"\xc3\xa9\":1,\"z\":2}", "{\"z\": 2, \"\\u00e9\": 1}");
}

TEST(json_python_dumps__texts__are_ascii)
{
    CHECK_PYTHON("\"\xc2\xa3 \xf0\x9f\x98\x80\"", "\"\\u00a3 \\ud83d\\ude00\"");
    CHECK_PYTHON("\"\\\"\\\\/\\b\\f\\n\\r\\t\\u001f\\u007f\"",
                 "\"\\\"\\\\/\\b\\f\\n\\r\\t\\u001f\\u007f\"");
}

TEST(json_python_dumps__floats__are_shortest)
{
    CHECK_PYTHON("[1.5,0.1,1.0,-0.0,100.0]", "[1.5, 0.1, 1.0, -0.0, 100.0]");
    CHECK_PYTHON("[1e16,1e15,123456789012345680.0]",
                 "[1e+16, 1000000000000000.0, 1.2345678901234568e+17]");
    CHECK_PYTHON("[1e-4,1e-5,0.00012345,1e-10]", "[0.0001, 1e-05, 0.00012345, 1e-10]");
    CHECK_PYTHON("[5e-324,1.7976931348623157e308,2.2250738585072014e-308]",
                 "[5e-324, 1.7976931348623157e+308, 2.2250738585072014e-308]");
    CHECK_PYTHON("[5.684341886080802e-14,0.30000000000000004,9007199254740993.0]",
                 "[5.684341886080802e-14, 0.30000000000000004, 9007199254740992.0]");
}

TEST(json_dump__forms__differ_in_order_and_space)
{
    vr_auto_json json_t *value = json_loads("{\"b\":[1,0.1],\"a\":\"\xc3\xa9\\n\"}", 0, NULL);
    vr_auto_free char *compact = vr_json_dump(value), *sorted = vr_json_dump_sorted(value);
    vr_auto_free char *pretty = vr_json_dump_pretty(value);

    CHECK_STR(compact, "{\"b\":[1,0.1],\"a\":\"\xc3\xa9\\n\"}");
    CHECK_STR(sorted, "{\"a\":\"\xc3\xa9\\n\",\"b\":[1,0.1]}");
    CHECK_STR(pretty, "{\n  \"b\": [\n    1,\n    0.1\n  ],\n  \"a\": \"\xc3\xa9\\n\"\n}");
}

TEST(json_text__foreign_bytes__become_replacement_characters)
{
    vr_auto_json json_t *value = vr_json_text("a\xff\0b\xc3\xa9\xed\xa0\x80", 9);

    CHECK_STR(json_string_value(value), "a\xef\xbf\xbd\xef\xbf\xbd"
                                        "b\xc3\xa9\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd");
}

TEST(json_fields__wrong_and_missing__are_named)
{
    vr_auto_json json_t *o =
        json_loads("{\"s\":\"x\",\"n\":7,\"b\":true,\"z\":null,\"a\":[]}", 0, NULL);
    struct vr_err err = VR_ERR_NULL;
    const char *s = "untouched";
    int64_t n = -1;
    bool b = false;
    json_t *a = NULL;

    CHECK(vr_json_get_str(o, "s", &s, &err) == 0);
    CHECK_STR(s, "x");
    CHECK(vr_json_get_str(o, "z", &s, &err) == -VR_INVALID);
    CHECK_STR(err.msg, "field 'z' is missing");
    CHECK(vr_json_get_str(o, "n", &s, &err) == -VR_INVALID);
    CHECK_STR(err.msg, "field 'n' is not a text");
    CHECK_STR(s, "x");
    CHECK(vr_json_opt_str(o, "none", "d", &s, &err) == 0);
    CHECK_STR(s, "d");
    CHECK(vr_json_get_i64(o, "n", 0, 6, &n, &err) == -VR_INVALID);
    CHECK_STR(err.msg, "field 'n': 7 is not between 0 and 6");
    CHECK(n == -1);
    CHECK(vr_json_get_i64(o, "n", 0, 7, &n, &err) == 0 && n == 7);
    CHECK(vr_json_opt_i64(o, "z", 0, 5, 9, &n, &err) == 0 && n == 9);
    CHECK(vr_json_get_bool(o, "b", &b, &err) == 0 && b);
    CHECK(vr_json_opt_bool(o, "s", false, &b, &err) == -VR_INVALID);
    CHECK_STR(err.msg, "field 's' is not true or false");
    CHECK(vr_json_get_array(o, "a", &a, &err) == 0 && a);
    CHECK(vr_json_opt_object(o, "a", &a, &err) == -VR_INVALID);
    CHECK(vr_json_opt_object(o, "z", &a, &err) == 0 && !a);
}

TEST(json_sizes__of_a_tree)
{
    vr_auto_json json_t *value = json_loads("{\"a\":[1,[2]],\"b\":\"xyz\"}", 0, NULL);

    CHECK(vr_json_count(value) == 6);
    CHECK(vr_json_depth(value) == 3);
    CHECK(vr_json_bytes(value) >= strlen("{\"a\":[1,[2]],\"b\":\"xyz\"}"));
}
