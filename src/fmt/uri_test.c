/* SPDX-License-Identifier: MIT */
/* Tests of fmt/uri and fmt/query. */
#include "fmt/uri.h"

#include "core/tap.h"
#include "fmt/query.h"

TEST(uri_encode__all_but_unreserved)
{
    vr_auto_free char *text = vr_uri_encode("a-b_c.d~e/f g\xc3\xa9%+");

    CHECK_STR(text, "a-b_c.d~e%2Ff%20g%C3%A9%25%2B");
}

TEST(uri_decode__escapes_and_plus)
{
    vr_auto_free char *path = NULL, *query = NULL;

    CHECK(vr_uri_decode(vr_str("a%2Fb+c%c3%A9"), false, &path, NULL) == 0);
    CHECK_STR(path, "a/b+c\xc3\xa9");
    CHECK(vr_uri_decode(vr_str("a+b%2B"), true, &query, NULL) == 0);
    CHECK_STR(query, "a b+");
}

TEST(uri_decode__broken_or_foreign__is_refused)
{
    static const char *const bad[] = {"%", "%4", "a%zz", "%00", "%ff", "%ed%a0%80"};

    for (size_t i = 0; i < VR_COUNT(bad); i++) {
        char *out = NULL;

        CHECK(vr_uri_decode(vr_str(bad[i]), false, &out, NULL) == -VR_INVALID);
        CHECK(!out);
    }
}

TEST(query_parse__pairs__keep_order_and_repeats)
{
    VR_OWNED(vr_query_free) struct vr_query *q = NULL;

    CHECK(vr_query_parse(vr_str("a=1&&b=x%20y&c&a=2=3&"), &q, NULL) == 0);
    CHECK(vr_query_count(q) == 4);
    CHECK_STR(vr_query_find(q, "a"), "1");
    CHECK_STR(vr_query_find(q, "b"), "x y");
    CHECK_STR(vr_query_find(q, "c"), "");
    CHECK_STR(vr_query_value(q, 3), "2=3");
    CHECK(!vr_query_find(q, "d"));
}

TEST(query_parse__empty__has_no_pairs)
{
    VR_OWNED(vr_query_free) struct vr_query *q = NULL;

    CHECK(vr_query_parse(vr_str(""), &q, NULL) == 0);
    CHECK(vr_query_count(q) == 0);
}

TEST(query_parse__limits_and_broken_escapes)
{
    VR_OWNED(vr_query_free) struct vr_query *q = NULL;
    vr_auto_buf struct vr_buf text = VR_BUF(100000);
    struct vr_err err = VR_ERR_NULL;

    for (unsigned i = 0; i < VR_QUERY_PAIRS + 1; i++)
        vr_buf_add(&text, "&a");
    CHECK(vr_query_parse(vr_str(vr_buf_text(&text)), &q, &err) == -VR_LIMIT);
    vr_buf_clear(&text);
    for (unsigned i = 0; i < VR_QUERY_BYTES + 1; i++)
        vr_buf_addc(&text, 'a');
    CHECK(vr_query_parse(vr_str(vr_buf_text(&text)), &q, &err) == -VR_LIMIT);
    CHECK(vr_query_parse(vr_str("name=%zz"), &q, &err) == -VR_INVALID);
    CHECK_STR(err.msg, "parameter 'name': broken %-escape in the URI");
    CHECK(!q);
}

TEST(uri_split_address__both_families__and_what_is_none)
{
    static const char *const bad[] = {"",         "8000",      ":8000",
                                      "1.2.3.4:", "1.2.3.4:x", "1.2.3.4:65536"};
    vr_auto_free char *v4 = NULL, *v6 = NULL, *none = NULL;
    uint16_t port = 0;
    struct vr_err err;

    CHECK(vr_uri_split_address("127.0.0.1:8000", &v4, &port, NULL) == 0 && port == 8000);
    CHECK_STR(v4, "127.0.0.1");
    CHECK(vr_uri_split_address("[::1]:0", &v6, &port, NULL) == 0 && port == 0);
    CHECK_STR(v6, "::1");
    for (size_t i = 0; i < VR_COUNT(bad); i++)
        CHECK(vr_uri_split_address(bad[i], &none, &port, &err) == -VR_INVALID);
}
