/* SPDX-License-Identifier: MIT */
/* Tests of fmt/cidr. */
#include "fmt/cidr.h"

#include "core/own.h"
#include "core/tap.h"

#include <string.h>

static bool has(const char *list, const char *address)
{
    struct vr_cidr_list nets;

    return vr_cidr_parse(list, &nets, NULL) == 0 && vr_cidr_has(&nets, address);
}

TEST(cidr_has__networks_of_both_kinds__only_what_lies_in_them)
{
    CHECK(has("10.0.0.0/8", "10.255.0.1") && !has("10.0.0.0/8", "11.0.0.1"));
    CHECK(has("192.0.2.128/25", "192.0.2.200") && !has("192.0.2.128/25", "192.0.2.100"));
    CHECK(has("192.0.2.7", "192.0.2.7") && !has("192.0.2.7", "192.0.2.8"));
    CHECK(has("127.0.0.1, ::1", "::1") && has("127.0.0.1 ::1", "127.0.0.1"));
    CHECK(has("2001:db8::/33", "2001:db8:7fff::1") && !has("2001:db8::/33", "2001:db8:8000::1"));
    CHECK(has("192.0.2.7", "::ffff:192.0.2.7"));
    CHECK(has("0.0.0.0/0", "203.0.113.9") && !has("0.0.0.0/0", "2001:db8::1"));
    CHECK(has("::/0", "203.0.113.9") && has("::/0", "2001:db8::1"));
    CHECK(!has("", "127.0.0.1") && !has("::/0", "localhost") && !has("::/0", NULL));
}

TEST(cidr_parse__what_is_none__is_named)
{
    static const char *const bad[] = {"10.0.0.0/33", "10.0.0",       "::1/129", "a.example",
                                      "10.0.0.0/",   "10.0.0.0/8/8", "/8"};

    for (size_t i = 0; i < VR_COUNT(bad); i++) {
        struct vr_cidr_list nets;
        struct vr_err err = VR_ERR_NULL;

        CHECK(vr_cidr_parse(bad[i], &nets, &err) == -VR_INVALID);
        CHECK(strstr(err.msg, bad[i]));
    }
}
