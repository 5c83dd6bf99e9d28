/* SPDX-License-Identifier: MIT */
#include "core/tap.h"
#include "fmt/yaml.h"
#include "model/field.h"
#include "model/secret.h"

#define PARSE(text) json_loads(text, JSON_DECODE_ANY, NULL)

TEST(secret_layer__entries_go_over_plain_keys__as_references_only)
{
    vr_auto_json json_t *plain = PARSE("{\"A\": \"1\", \"B\": \"2\"}");
    vr_auto_json json_t *entries =
        PARSE("{\"B\": {\"$secret\": 7, \"set\": \"2026-01-01T00:00:00Z\", \"by\": \"ann\"}}");
    vr_auto_json json_t *layer = vr_secret_layer(plain, entries);
    vr_auto_json json_t *want = PARSE("{\"A\": \"1\", \"B\": {\"$secret\": 7}}");

    CHECK(json_equal(layer, want));
    CHECK_STR(json_string_value(json_object_get(plain, "B")), "2");
}

TEST(secret_layer__nothing__is_an_empty_dict)
{
    vr_auto_json json_t *layer = vr_secret_layer(NULL, NULL);

    CHECK(json_is_object(layer) && json_object_size(layer) == 0);
}

TEST(secret_is_mentioned__looks_into_every_level)
{
    vr_auto_json json_t *deep = PARSE("{\"a\": [{\"b\": {\"$secret\": 1}}]}");
    vr_auto_json json_t *none = PARSE("{\"a\": [{\"secret\": \"$secret\"}]}");

    CHECK(vr_secret_is_mentioned(deep));
    CHECK(!vr_secret_is_mentioned(none));
    CHECK(!vr_secret_is_mentioned(NULL));
}

TEST(secret_masked_yaml__is_valid_yaml_that_shows_bullets)
{
    vr_auto_json json_t *dict = PARSE("{\"A\": \"plain\", \"B\": {\"$secret\": 7}}");
    vr_auto_free char *text = vr_secret_masked_yaml(dict);
    vr_auto_json json_t *back = NULL;

    CHECK_STR(text, "A: plain\nB: \"" VR_SECRET_MASK "\"\n");
    CHECK(vr_yaml_parse(vr_str(text), &back, NULL) == 0);
    CHECK_STR(json_string_value(json_object_get(back, "B")), VR_SECRET_MASK);
}

static json_t *only_seven(void *user, int64_t id)
{
    return id == 7 ? json_string("seven") : NULL;
}

TEST(secret_replace__a_missing_one__is_named)
{
    vr_auto_json json_t *good = PARSE("{\"A\": {\"$secret\": 7}}");
    vr_auto_json json_t *bad = PARSE("{\"A\": {\"$secret\": 8}}");
    int64_t missing;
    vr_auto_json json_t *replaced = vr_secret_replace(good, only_seven, NULL, &missing);

    CHECK(missing == 0);
    CHECK_STR(json_string_value(json_object_get(replaced, "A")), "seven");
    CHECK(!vr_secret_replace(bad, only_seven, NULL, &missing));
    CHECK(missing == 8);
}

TEST(field_dict__a_reference_or_a_mask__is_refused)
{
    static const char *const bad[] = {"a: {$secret: 3}", "a: [{b: {$secret: {}}}]",
                                      "A: \"" VR_SECRET_MASK "\""};

    for (size_t i = 0; i < VR_COUNT(bad); i++) {
        vr_auto_json json_t *text = json_string(bad[i]);
        vr_auto_field struct vr_field field = {0};
        struct vr_err err = VR_ERR_NULL;

        CHECK(vr_field_dict(text, &field, &err) == -VR_INVALID);
        CHECK(strstr(err.msg, "secret"));
    }
}

TEST(secret_masked_url__hides_credentials_and_nothing_else)
{
    static const struct {
        const char *url, *shown;
    } cases[] = {
        {"https://example.com/a.git", "https://example.com/a.git"},
        {"https://bot:tok@en@example.com/a.git", "https://" VR_SECRET_MASK "@example.com/a.git"},
        {"https://token@example.com", "https://" VR_SECRET_MASK "@example.com"},
        {"https://example.com/a@b", "https://example.com/a@b"},
        {"ssh://git@example.com/a", "ssh://git@example.com/a"},
        {"ssh://git:pw@example.com/a", "ssh://git:" VR_SECRET_MASK "@example.com/a"},
        {"git@example.com:a.git", "git@example.com:a.git"},
        {"/srv/a.git", "/srv/a.git"},
        {"builtin:python", "builtin:python"},
        {"", ""},
    };

    for (size_t i = 0; i < VR_COUNT(cases); i++) {
        vr_auto_free char *shown = vr_secret_masked_url(cases[i].url);

        CHECK_STR(shown, cases[i].shown);
    }
}
