/* SPDX-License-Identifier: MIT */
#include "core/tap.h"
#include "server/api/page.h"

static int read_page(const char *text, struct vr_page *page, struct vr_query **out,
                     struct vr_err *err)
{
    int r = vr_query_parse(vr_str(text), out, err);

    return r < 0 ? r : vr_page_read(*out, page, err);
}

TEST(page_read__nothing__is_the_first_hundred)
{
    VR_OWNED(vr_query_free) struct vr_query *query = NULL;
    struct vr_page page;

    CHECK(read_page("", &page, &query, NULL) == 0);
    CHECK(page.limit == 100 && page.offset == 0);
}

TEST(page_read__zero_and_too_many__are_the_largest_page)
{
    static const char *const texts[] = {"limit=0", "limit=9999", "limit=1001"};

    for (size_t i = 0; i < VR_COUNT(texts); i++) {
        VR_OWNED(vr_query_free) struct vr_query *query = NULL;
        struct vr_page page;

        CHECK(read_page(texts[i], &page, &query, NULL) == 0);
        CHECK(page.limit == 1000);
    }
}

TEST(page_read__no_number__is_refused_with_the_sentence)
{
    VR_OWNED(vr_query_free) struct vr_query *query = NULL;
    struct vr_page page;
    struct vr_err err = VR_ERR_NULL;

    CHECK(read_page("limit=x", &page, &query, &err) == -VR_INVALID);
    CHECK_STR(err.msg, "Invalid limit 'x' provided. Please provide a positive integer.");
}

TEST(page_read__negative_offset__is_refused)
{
    VR_OWNED(vr_query_free) struct vr_query *query = NULL;
    struct vr_page page;
    struct vr_err err = VR_ERR_NULL;

    CHECK(read_page("offset=-1", &page, &query, &err) == -VR_INVALID);
    CHECK_STR(err.msg, "Invalid offset '-1' provided. Please provide a positive integer.");
}

TEST(page_meta__middle__links_both_ways_and_keeps_filters)
{
    VR_OWNED(vr_query_free) struct vr_query *query = NULL;
    vr_auto_json json_t *meta = NULL;
    struct vr_page page;

    CHECK(read_page("limit=10&app__name=a%20b&offset=20", &page, &query, NULL) == 0);
    meta = vr_page_meta(&page, "/api/v1/swarms/", query, 45);
    CHECK_STR(json_string_value(json_object_get(meta, "next")),
              "/api/v1/swarms/?app__name=a%20b&limit=10&offset=30");
    CHECK_STR(json_string_value(json_object_get(meta, "previous")),
              "/api/v1/swarms/?app__name=a%20b&limit=10&offset=10");
    CHECK(json_integer_value(json_object_get(meta, "total_count")) == 45);
}

TEST(page_meta__ends__have_no_link)
{
    VR_OWNED(vr_query_free) struct vr_query *query = NULL;
    vr_auto_json json_t *meta = NULL;
    struct vr_page page;

    CHECK(read_page("limit=10", &page, &query, NULL) == 0);
    meta = vr_page_meta(&page, "/api/v1/apps/", query, 10);
    CHECK(json_is_null(json_object_get(meta, "next")));
    CHECK(json_is_null(json_object_get(meta, "previous")));
}

TEST(page_meta__offset_within_the_first_page__previous_begins_at_zero)
{
    VR_OWNED(vr_query_free) struct vr_query *query = NULL;
    vr_auto_json json_t *meta = NULL;
    struct vr_page page;

    CHECK(read_page("limit=10&offset=5", &page, &query, NULL) == 0);
    meta = vr_page_meta(&page, "/api/v1/apps/", query, 12);
    CHECK_STR(json_string_value(json_object_get(meta, "previous")),
              "/api/v1/apps/?limit=10&offset=0");
    CHECK(json_is_null(json_object_get(meta, "next")));
}
