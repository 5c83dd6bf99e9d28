/* SPDX-License-Identifier: MIT */
/* Fields of objects as cells, and texts as values of fields. */
#include "cli/noun.h"

#include "core/tap.h"
#include "fmt/json.h"
#include "sys/fs.h"

#include <string.h>

static void check_cell(const char *json, const char *field, const char *want)
{
    vr_auto_json json_t *object = NULL;
    vr_auto_free char *cell = NULL;

    CHECK(!vr_json_parse(vr_str(json), VR_JSON_BYTES, &object, NULL));
    cell = vr_cli_noun_cell(object, field);
    CHECK_STR(cell, want);
}

TEST(noun_cell__every_kind_of_value__is_short_text)
{
    check_cell("{\"a\": \"/api/v1/squads/my%20squad/\"}", "a", "my squad");
    check_cell("{\"a\": [\"/api/v1/hosts/h1/\", {\"name\": \"h2\"}]}", "a", "h1,h2");
    check_cell("{\"a\": {\"b\": true}}", "a.b", "yes");
    check_cell("{\"a\": [1, 2, 3]}", "a.#", "3");
    check_cell("{\"a\": null}", "a", "");
    check_cell("{}", "a.b.c", "");
    check_cell("{\"a\": -5}", "a", "-5");
}

static int value(const char *noun, const char *field, const char *text, json_t **out,
                 struct vr_err *err)
{
    return vr_cli_noun_value(NULL, vr_cli_noun_field(vr_cli_noun_find(noun), field), text, out,
                             err);
}

TEST(noun_value__a_number_and_a_switch__are_typed)
{
    vr_auto_json json_t *size = NULL, *yes = NULL, *bad = NULL;
    struct vr_err err = VR_ERR_NULL;

    CHECK(!value("swarm", "size", "4", &size, &err) && json_integer_value(size) == 4);
    CHECK(!value("host", "active", "yes", &yes, &err) && json_is_true(yes));
    CHECK(value("host", "active", "maybe", &bad, &err) == -VR_INVALID && !bad);
    CHECK_STR(err.msg, "active: 'maybe' is neither yes nor no");
    CHECK(value("swarm", "size", "many", &bad, &err) == -VR_INVALID && !bad);
}

TEST(noun_value__references_by_name__become_uris)
{
    vr_auto_json json_t *squad = NULL, *hosts = NULL, *none = NULL, *ingredients = NULL;

    CHECK(!value("swarm", "squad", "my squad", &squad, NULL));
    CHECK_STR(json_string_value(squad), "/api/v1/squads/my%20squad/");
    CHECK(!value("squad", "hosts", "h1,h2", &hosts, NULL) && json_array_size(hosts) == 2);
    CHECK_STR(json_string_value(json_array_get(hosts, 1)), "/api/v1/hosts/h2/");
    CHECK(!value("app", "buildpack", "", &none, NULL) && json_is_null(none));
    CHECK(!value("swarm", "ingredients", "7", &ingredients, NULL));
    CHECK_STR(json_string_value(json_array_get(ingredients, 0)), "/api/v1/ingredients/7/");
}

TEST(noun_value__volumes__are_pairs)
{
    vr_auto_json json_t *volumes = NULL, *bad = NULL;
    vr_auto_free char *text = NULL;

    CHECK(!value("swarm", "volumes", "/a:/b,/c:/d", &volumes, NULL));
    text = vr_json_dump(volumes);
    CHECK_STR(text, "[[\"/a\",\"/b\"],[\"/c\",\"/d\"]]");
    CHECK(value("swarm", "volumes", "/a", &bad, NULL) == -VR_INVALID && !bad);
}

TEST(noun_value__a_yaml_file__is_checked_and_sent_as_it_is)
{
    vr_auto_free char *path = vr_strf("%s/config.yaml", vr_tap_dir());
    vr_auto_json json_t *text = NULL, *bad = NULL;
    struct vr_err err = VR_ERR_NULL;

    CHECK(!vr_fs_write(path, "a: 1 # why\n", 11, 0600, NULL));
    CHECK(!value("swarm", "config", path, &text, &err));
    CHECK_STR(json_string_value(text), "a: 1 # why\n");
    CHECK(!vr_fs_write(path, "- a\n", 4, 0600, NULL));
    CHECK(value("swarm", "config", path, &bad, &err) == -VR_INVALID);
    CHECK(strstr(err.msg, path) && !bad);
}

TEST(time_parse__dates_times_and_spans__are_moments)
{
    struct vr_wall day, moment, past, to_come;
    struct vr_err err = VR_ERR_NULL;

    CHECK(!vr_cli_time_parse("2026-01-31", -1, &day, &err));
    CHECK(!vr_cli_time_parse("2026-01-31T12:00:00Z", -1, &moment, &err));
    CHECK(moment.us - day.us == 12 * 3600 * VR_US_PER_S);
    CHECK(!vr_cli_time_parse("2h", -1, &past, &err));
    CHECK(!vr_cli_time_parse("2h", 1, &to_come, &err));
    CHECK(to_come.us - past.us >= 4 * 3600 * VR_US_PER_S);
    CHECK(vr_cli_time_parse("soon", 1, &day, &err) == -VR_INVALID && strstr(err.msg, "'soon'"));
    CHECK(vr_cli_time_parse("-5m", 1, &day, NULL) == -VR_INVALID);
}
