/* SPDX-License-Identifier: MIT */
/* Tests of model/merge and model/field. */
#include "model/merge.h"

#include "core/tap.h"
#include "model/field.h"

#define PARSE(json_) json_loads((json_), JSON_DECODE_ANY, NULL)

TEST(merge__ingredients__apply_by_name_and_the_own_comes_last)
{
    vr_auto_json json_t *a = PARSE("{\"x\":1,\"y\":1,\"d\":{\"p\":1,\"q\":1}}");
    vr_auto_json json_t *b = PARSE("{\"x\":2,\"y\":2,\"d\":{\"p\":2}}");
    vr_auto_json json_t *own = PARSE("{\"x\":3}"), *build = PARSE("{\"PATH\":\"/app\",\"y\":0}");
    struct vr_merge_ingredient ingredients[] = {
        {.name = "beta", .config = b, .env = b},
        {.name = "alpha", .config = a, .env = a},
        {.name = "empty"},
    };
    vr_auto_json json_t *config = vr_merge_config(ingredients, 3, own);
    vr_auto_json json_t *env = vr_merge_env(build, ingredients, 3, NULL);
    vr_auto_free char *config_text = vr_json_dump_sorted(config);
    vr_auto_free char *env_text = vr_json_dump_sorted(env);

    CHECK_STR(config_text, "{\"d\":{\"p\":2},\"x\":3,\"y\":2}");
    CHECK_STR(env_text, "{\"PATH\":\"/app\",\"d\":{\"p\":2},\"x\":2,\"y\":2}");
    CHECK(json_object_size(build) == 2);
}

TEST(merge__nothing__gives_an_empty_object)
{
    vr_auto_json json_t *null = json_null();
    vr_auto_json json_t *config = vr_merge_config(NULL, 0, null);

    CHECK(json_is_object(config) && json_object_size(config) == 0);
}

TEST(merge_equal__null_is_empty_and_order_does_not_matter)
{
    vr_auto_json json_t *a = PARSE("{\"a\":1,\"b\":2}"), *b = PARSE("{\"b\":2,\"a\":1}");
    vr_auto_json json_t *empty = json_object(), *null = json_null();

    CHECK(vr_merge_equal(a, b));
    CHECK(vr_merge_equal(empty, null) && vr_merge_equal(NULL, empty));
    CHECK(!vr_merge_equal(a, empty));
    CHECK_STR(vr_merge_normal_run_as(""), "nobody");
    CHECK(!vr_merge_normal_text(""));
}

/* Both forms of a field, or the message. */
static char *field(int (*read)(const json_t *, struct vr_field *, struct vr_err *),
                   const char *json)
{
    vr_auto_json json_t *value = PARSE(json);
    vr_auto_field struct vr_field f = {0};
    vr_auto_free char *text = NULL;
    struct vr_err err = VR_ERR_NULL;

    if (read(value, &f, &err) < 0)
        return vr_strdup(err.msg);
    text = vr_json_dump_sorted(f.json);
    return vr_strf("%s|%s", f.yaml, text);
}

#define CHECK_FIELD(read, json, want)                                                              \
    do {                                                                                           \
        vr_auto_free char *got_ = field(read, json);                                               \
        CHECK_STR(got_, want);                                                                     \
    } while (0)

TEST(field_dict__text_and_object__have_one_canonical_form)
{
    CHECK_FIELD(vr_field_dict, "\"b: 1\\na: {x: yes}\\n\"",
                "a:\n  x: true\nb: 1\n|{\"a\":{\"x\":true},\"b\":1}");
    CHECK_FIELD(vr_field_dict, "{\"b\":1,\"a\":{\"x\":true}}",
                "a:\n  x: true\nb: 1\n|{\"a\":{\"x\":true},\"b\":1}");
}

TEST(field_dict__empty_forms__are_stored_empty)
{
    CHECK_FIELD(vr_field_dict, "null", "|null");
    CHECK_FIELD(vr_field_dict, "\"\"", "|null");
    CHECK_FIELD(vr_field_dict, "{}", "|null");
    CHECK_FIELD(vr_field_dict, "\"null\\n...\\n\"", "|null");
    CHECK_FIELD(vr_field_dict, "\"{}\"", "|null");
    CHECK_FIELD(vr_field_volumes, "\"[]\"", "|null");
}

TEST(field__what_is_none__is_refused_in_the_words_of_the_contract)
{
    CHECK_FIELD(vr_field_dict, "\"- a\"", "Invalid dict");
    CHECK_FIELD(vr_field_dict, "\"just text\"", "Invalid dict");
    CHECK_FIELD(vr_field_dict, "[1]", "Invalid dict");
    CHECK_FIELD(vr_field_dict, "5", "Invalid dict");
    CHECK_FIELD(vr_field_volumes, "\"a: b\"", "Invalid list");
    CHECK_FIELD(vr_field_dict, "\"a: 1\\na: 2\"", "Invalid YAML: line 2: duplicate key 'a'");
    CHECK_FIELD(vr_field_dict, "\"1: 2\"",
                "Invalid YAML: line 1: dictionary key must be string: '1' means a whole number "
                "here; quote it");
    CHECK_FIELD(vr_field_env, "{\"A-B\":1}",
                "variable name 'A-B' has the character '-'; allowed are A-Z a-z 0-9 _");
}

TEST(field_volumes__list_of_pairs__is_block_yaml)
{
    CHECK_FIELD(vr_field_volumes, "[[\"/var/data\",\"/data\"]]",
                "- - /var/data\n  - /data\n|[[\"/var/data\",\"/data\"]]");
    CHECK_FIELD(vr_field_volumes, "\"- [a, b]\"", "volume path 'a' is not absolute");
}

TEST(field_dict__deep_json__is_under_the_limits_of_yaml)
{
    vr_auto_json json_t *value = json_object();
    vr_auto_field struct vr_field f = {0};
    struct vr_err err = VR_ERR_NULL;

    for (int i = 0; i < 64; i++) {
        json_t *outer = json_object();

        vr_json_set(outer, "a", value);
        value = outer;
    }
    CHECK(vr_field_dict(value, &f, &err) == -VR_LIMIT);
    CHECK_STR(err.msg, "nests deeper than 64 levels");
}
