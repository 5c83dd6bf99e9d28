/* SPDX-License-Identifier: MIT */
#include "core/tap.h"
#include "server/api/ref.h"

static int parse(const char *json, struct vr_ref *out, struct vr_err *err)
{
    vr_auto_json json_t *value = json_loads(json, JSON_DECODE_ANY, NULL);

    return vr_ref_parse(VR_RES_SQUADS, value, out, err);
}

TEST(ref_parse__uri__gives_its_key)
{
    struct vr_ref ref;

    CHECK(parse("\"/api/v1/squads/dc%201/\"", &ref, NULL) == 0);
    CHECK(!ref.by);
    CHECK_STR(ref.key, "dc 1");
    free(ref.key);
}

TEST(ref_parse__absolute_uri__gives_its_key)
{
    struct vr_ref ref;

    CHECK(parse("\"https://vr.example.com/api/v1/squads/dc1/\"", &ref, NULL) == 0);
    CHECK_STR(ref.key, "dc1");
    free(ref.key);
}

TEST(ref_parse__nested_object__is_its_uri)
{
    struct vr_ref ref;

    CHECK(parse("{\"resource_uri\": \"/api/v1/squads/a/\", \"id\": 7}", &ref, NULL) == 0);
    CHECK(!ref.by);
    CHECK_STR(ref.key, "a");
    free(ref.key);
}

TEST(ref_parse__id_as_number_or_text__is_by_id)
{
    static const char *const texts[] = {"{\"id\": 7, \"name\": \"x\"}", "{\"id\": \"7\"}"};

    for (size_t i = 0; i < VR_COUNT(texts); i++) {
        struct vr_ref ref;

        CHECK(parse(texts[i], &ref, NULL) == 0);
        CHECK_STR(ref.by, "id");
        CHECK_STR(ref.key, "7");
        free(ref.key);
    }
}

TEST(ref_parse__name__is_by_name)
{
    struct vr_ref ref;

    CHECK(parse("{\"name\": \"dc1\"}", &ref, NULL) == 0);
    CHECK_STR(ref.by, "name");
    CHECK_STR(ref.key, "dc1");
    free(ref.key);
}

TEST(ref_parse__anything_else__is_refused)
{
    static const char *const texts[] = {
        "\"/api/v1/hosts/h1/\"", "\"dc1\"",       "7", "null", "[]", "{}", "\"\"",
        "\"/api/v1/squads/\"",   "{\"id\": null}"};

    for (size_t i = 0; i < VR_COUNT(texts); i++) {
        struct vr_ref ref;
        struct vr_err err = VR_ERR_NULL;

        CHECK(parse(texts[i], &ref, &err) == -VR_INVALID);
        CHECK(strstr(err.msg, "squads"));
    }
}
