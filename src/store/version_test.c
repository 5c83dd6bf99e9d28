/* SPDX-License-Identifier: MIT */
#include "store/version.h"

#include "store/store_fixture.h"

static int add(struct fixture *f, int64_t object, const char *name, const char *data, int64_t *out)
{
    struct vr_version_row row = {.object_id = object,
                                 .object_name = (char *)name,
                                 .action = (char *)"update",
                                 .username = (char *)"ann",
                                 .time_us = NOW.us,
                                 .comment = (char *)"c",
                                 .data_json = (char *)data};

    return vr_store_version_insert(f->tx, VR_RES_APPS, &row, out, NULL);
}

TEST(version__rows__are_listed_newest_first)
{
    FIXTURE(f);
    VR_ROWS(version) rows = {0};
    VR_ROWS(version) page = {0};
    int64_t a, b, c, other, count;

    CHECK(fixture_init(&f));
    CHECK(add(&f, f.app, "hello", "{\"n\":1}", &a) == 0 && add(&f, f.app, "hello", "{}", &b) == 0);
    CHECK(add(&f, f.app + 1, "other", "{}", &other) == 0);
    CHECK(add(&f, f.app, "hello", "{\"n\":3}", &c) == 0);
    CHECK(vr_store_version_list(f.tx, VR_RES_APPS, f.app, 10, 0, &rows, NULL) == 0);
    CHECK(rows.n == 3 && rows.v[0].id == c && rows.v[1].id == b && rows.v[2].id == a);
    CHECK_STR(rows.v[2].data_json, "{\"n\":1}");
    CHECK_STR(rows.v[2].resource, "apps");
    CHECK(rows.v[0].row_version == 1); /* the app's */
    CHECK(vr_store_version_list(f.tx, VR_RES_APPS, f.app, 1, 1, &page, NULL) == 0);
    CHECK(page.n == 1 && page.v[0].id == b);
    CHECK(vr_store_version_count(f.tx, VR_RES_APPS, f.app, &count, NULL) == 0 && count == 3);
    CHECK(vr_store_version_count(f.tx, VR_RES_SQUADS, f.app, &count, NULL) == 0 && count == 0);
}

TEST(version__newest_and_before__find_their_way)
{
    FIXTURE(f);
    VR_ROW(version) newest = {0};
    VR_ROW(version) named = {0};
    VR_ROW(version) before = {0};
    VR_ROW(version) none = {0};
    int64_t a, b;

    CHECK(fixture_init(&f));
    CHECK(vr_store_version_newest(f.tx, VR_RES_APPS, f.app, &none, NULL) == -VR_NOT_FOUND);
    CHECK(add(&f, f.app, "hello", "{}", &a) == 0 && add(&f, f.app, "hi", "{}", &b) == 0);
    CHECK(vr_store_version_newest(f.tx, VR_RES_APPS, f.app, &newest, NULL) == 0);
    CHECK(newest.id == b);
    CHECK(vr_store_version_newest_named(f.tx, VR_RES_APPS, "hello", &named, NULL) == 0);
    CHECK(named.id == a);
    CHECK(vr_store_version_before(f.tx, &newest, &before, NULL) == 0 && before.id == a);
    CHECK(vr_store_version_before(f.tx, &before, &none, NULL) == -VR_NOT_FOUND);
    CHECK(vr_store_version_newest_named(f.tx, VR_RES_APPS, "nobody", &none, NULL) == -VR_NOT_FOUND);
    CHECK(vr_store_version_find_id(f.tx, 4711, &none, NULL) == -VR_NOT_FOUND);
}

TEST(version__references__have_names_both_ways)
{
    FIXTURE(f);
    vr_auto_free char *name = NULL;
    char *none = NULL;
    vr_auto_json json_t *hosts = NULL;
    vr_auto_json json_t *ingredients = NULL;
    vr_auto_free char *text = NULL;
    int64_t id = 0;

    CHECK(fixture_init(&f));
    CHECK(vr_store_version_name(f.tx, VR_RES_SQUADS, f.squad, &name, NULL) == 0);
    CHECK_STR(name, "default");
    CHECK(vr_store_version_id(f.tx, VR_RES_SQUADS, "default", &id, NULL) == 0 && id == f.squad);
    CHECK(vr_store_version_name(f.tx, VR_RES_SQUADS, 4711, &none, NULL) == -VR_NOT_FOUND);
    CHECK(vr_store_version_id(f.tx, VR_RES_SQUADS, "x", &id, NULL) == -VR_NOT_FOUND);
    CHECK(vr_store_version_name(f.tx, VR_RES_EVENTS, 1, &none, NULL) == -VR_BUG);
    CHECK(vr_store_version_hosts(f.tx, f.squad, &hosts, NULL) == 0);
    text = vr_json_dump(hosts);
    CHECK_STR(text,
              "[{\"id\":1,\"name\":\"h1.example.com\"},{\"id\":2,\"name\":\"h2.example.com\"}]");
    CHECK(vr_store_version_ingredients(f.tx, f.swarm, &ingredients, NULL) == 0);
    CHECK(json_array_size(ingredients) == 0 && json_is_array(ingredients));
}
