/* SPDX-License-Identifier: MIT */
/* Tests of fmt/yaml: recorded pairs of PyYAML, and the limits and messages that are our own. */
#include "fmt/yaml.h"

#include "core/tap.h"

#include <stdio.h>

/* TESTDATA is the folder of the recorded pairs; tools/make-yaml-pairs wrote them. */
static json_t *recorded(const char *name)
{
    vr_auto_free char *path = vr_strf("%s/%s", TESTDATA, name);
    json_error_t at;

    return json_load_file(path, 0, &at);
}

static struct vr_str string_of(const json_t *value)
{
    return (struct vr_str){json_string_value(value), json_string_length(value)};
}

TEST(yaml_dump__recorded_values__gives_pyyaml_bytes)
{
    vr_auto_json json_t *rows = recorded("yaml_dump.json");
    json_t *row;
    size_t i;

    CHECK(json_array_size(rows) > 500);
    json_array_foreach (rows, i, row) {
        vr_auto_free char *text = vr_yaml_dump(json_array_get(row, 0));

        CHECK_STR(text, json_string_value(json_array_get(row, 1)));
    }
}

TEST(yaml_parse__what_dump_wrote__is_the_value_again)
{
    vr_auto_json json_t *rows = recorded("yaml_dump.json");
    json_t *row;
    size_t i;

    json_array_foreach (rows, i, row) {
        vr_auto_json json_t *value = NULL;
        struct vr_err err = VR_ERR_NULL;

        CHECK_STR(vr_yaml_parse(string_of(json_array_get(row, 1)), &value, &err) ? err.msg : "",
                  "");
        CHECK(json_equal(value, json_array_get(row, 0)));
    }
}

/*
 * Where we take what PyYAML refuses: `=` and `<<` as values, and dates out of range, are texts;
 * a tab may separate as a blank does.
 */
static bool is_taken_by_us_only(const char *text)
{
    static const char *const marks[] = {"\t", "=", "<<", "2001-13-45"};

    for (size_t i = 0; i < VR_COUNT(marks); i++) {
        if (strstr(text, marks[i]))
            return true;
    }
    return false;
}

TEST(yaml_parse__recorded_texts__gives_pyyaml_values)
{
    vr_auto_json json_t *rows = recorded("yaml_load.json");
    json_t *row;
    size_t i;

    CHECK(json_array_size(rows) > 500);
    json_array_foreach (rows, i, row) {
        vr_auto_json json_t *value = NULL;
        vr_auto_free char *got = NULL, *want = NULL;
        int r = vr_yaml_parse(string_of(json_array_get(row, 0)), &value, NULL);

        if (json_array_size(row) == 3 && r == 0 &&
            is_taken_by_us_only(json_string_value(json_array_get(row, 0))))
            continue;
        got = r < 0 ? vr_strdup("refused") : vr_json_dump_sorted(value);
        want = json_array_size(row) == 3 ? vr_strdup("refused")
                                         : vr_json_dump_sorted(json_array_get(row, 1));
        if (strcmp(got, want))
            printf("# text: %s\n", json_string_value(json_array_get(row, 0)));
        CHECK_STR(got, want);
    }
}

/* The message for a text that must be refused. */
static const char *refusal(const char *text, struct vr_err *err)
{
    vr_auto_json json_t *value = NULL;

    *err = (struct vr_err)VR_ERR_NULL;
    return vr_yaml_parse(vr_str(text), &value, err) < 0 ? err->msg : "accepted";
}

TEST(yaml_parse__duplicate_key__is_named_with_its_line)
{
    struct vr_err err;

    CHECK_STR(refusal("a: 1\nb: 2\na: 3\n", &err), "line 3: duplicate key 'a'");
    CHECK_STR(refusal("x: {k: 1, 'k': 2}\n", &err), "line 1: duplicate key 'k'");
    CHECK_STR(refusal("a: &a {}\nb:\n  <<: *a\n  <<: *a\n", &err), "line 4: duplicate key '<<'");
}

TEST(yaml_parse__key_that_is_no_text__is_refused)
{
    struct vr_err err;

    CHECK_STR(refusal("a: 1\nyes: 2\n", &err),
              "line 2: dictionary key must be string: 'yes' means a boolean here; quote it");
    CHECK_STR(refusal("1: x\n", &err),
              "line 1: dictionary key must be string: '1' means a whole number here; quote it");
    CHECK_STR(refusal("[a]: x\n", &err), "line 1: dictionary key must be string");
    CHECK_STR(refusal("a: &x 1\n*x : 2\n", &err), "line 2: dictionary key must be string");
}

TEST(yaml_parse__numbers_that_do_not_fit__are_refused)
{
    struct vr_err err;

    CHECK_STR(refusal("9223372036854775808", &err),
              "line 1: '9223372036854775808' is not a whole number of 64 bits");
    CHECK_STR(refusal("-9223372036854775808", &err), "accepted");
    CHECK_STR(refusal("-9223372036854775809", &err),
              "line 1: '-9223372036854775809' is not a whole number of 64 bits");
    CHECK_STR(refusal("a: .inf", &err), "line 1: '.inf' is not a finite number");
    CHECK_STR(refusal("1.0e+999", &err), "line 1: '1.0e+999' is not a finite number");
}

TEST(yaml_parse__bad_bytes__are_refused)
{
    struct vr_err err;

    CHECK_STR(refusal("a: b\nc: \xff\n", &err), "line 2: not UTF-8");
    CHECK_STR(refusal("a: \x01\n", &err), "line 1: control character U+0001");
    CHECK_STR(refusal("a: \"\\0\"\n", &err), "line 1: a NUL character in a text");
}

TEST(yaml_parse__alias_bomb__hits_the_limit_at_once)
{
    vr_auto_buf struct vr_buf text = VR_BUF(4096);
    struct vr_err err;

    vr_buf_add(&text, "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n");
    for (int i = 1; i < 30; i++) {
        vr_buf_addf(&text, "a%d: &a%d [", i, i);
        for (int k = 0; k < 10; k++)
            vr_buf_addf(&text, "*a%d%s", i - 1, k < 9 ? ", " : "]\n");
    }
    CHECK_STR(refusal(vr_buf_text(&text), &err), "line 5: more than 100000 values");
    CHECK(err.code == VR_LIMIT);
}

TEST(yaml_parse__long_text_repeated_by_alias__hits_the_limit)
{
    vr_auto_buf struct vr_buf text = VR_BUF(VR_YAML_BYTES);
    struct vr_err err;

    vr_buf_add(&text, "- &a ");
    for (int i = 0; i < 100000; i++)
        vr_buf_addc(&text, 'x');
    for (int i = 0; i < 50; i++)
        vr_buf_add(&text, "\n- *a");
    CHECK_STR(refusal(vr_buf_text(&text), &err),
              "line 42: aliases expand to more than 4194304 bytes");
}

TEST(yaml_parse__depth__is_limited)
{
    vr_auto_buf struct vr_buf text = VR_BUF(4096);
    struct vr_err err;

    for (int i = 0; i < VR_YAML_DEPTH; i++)
        vr_buf_addc(&text, '[');
    for (int i = 0; i < VR_YAML_DEPTH; i++)
        vr_buf_addc(&text, ']');
    CHECK_STR(refusal(vr_buf_text(&text), &err), "accepted");
    vr_buf_clear(&text);
    for (int i = 0; i < VR_YAML_DEPTH + 1; i++)
        vr_buf_addc(&text, '[');
    CHECK_STR(refusal(vr_buf_text(&text), &err), "line 1: nests deeper than 64 levels");
}

TEST(yaml_parse__too_long__is_refused_unread)
{
    vr_auto_free char *text = vr_alloc(VR_YAML_BYTES + 2);
    vr_auto_json json_t *value = NULL;

    memset(text, ' ', VR_YAML_BYTES + 1);
    CHECK(vr_yaml_parse((struct vr_str){text, VR_YAML_BYTES + 1}, &value, NULL) == -VR_LIMIT);
    CHECK(!value);
}

TEST(yaml_parse__merge_keys__own_win_over_earlier_over_later)
{
    vr_auto_json json_t *value = NULL;
    vr_auto_free char *text = NULL;

    CHECK(vr_yaml_parse(vr_str("a: &a {x: 1, w: 1}\n"
                               "b: &b {x: 2, y: 2, w: 2}\n"
                               "c:\n  w: 3\n  <<: [*a, *b]\n"),
                        &value, NULL) == 0);
    text = vr_json_dump_sorted(json_object_get(value, "c"));
    CHECK_STR(text, "{\"w\":3,\"x\":1,\"y\":2}");
}
