/* SPDX-License-Identifier: MIT */
#include "core/str.h"
#include "core/tap.h"

TEST(parse_u64__edges)
{
    uint64_t v;

    CHECK(vr_parse_u64(vr_str("18446744073709551615"), 0, UINT64_MAX, &v, NULL) == 0);
    CHECK(v == UINT64_MAX);
    CHECK(vr_parse_u64(vr_str("18446744073709551616"), 0, UINT64_MAX, &v, NULL) == -VR_INVALID);
    CHECK(vr_parse_u64(vr_str(""), 0, 9, &v, NULL) == -VR_INVALID);
    CHECK(vr_parse_u64(vr_str("+1"), 0, 9, &v, NULL) == -VR_INVALID);
    CHECK(vr_parse_u64(vr_str("10"), 0, 9, &v, NULL) == -VR_INVALID);
}

TEST(parse_i64__edges)
{
    int64_t v;

    CHECK(vr_parse_i64(vr_str("-9223372036854775808"), INT64_MIN, INT64_MAX, &v, NULL) == 0);
    CHECK(v == INT64_MIN);
    CHECK(vr_parse_i64(vr_str("9223372036854775808"), INT64_MIN, INT64_MAX, &v, NULL) < 0);
    CHECK(vr_parse_i64(vr_str("-"), INT64_MIN, INT64_MAX, &v, NULL) < 0);
}

TEST(parse_bytes__units)
{
    int64_t v;

    CHECK(vr_parse_bytes(vr_str("256M"), &v, NULL) == 0 && v == 256ll << 20);
    CHECK(vr_parse_bytes(vr_str("1gb"), &v, NULL) == 0 && v == 1ll << 30);
    CHECK(vr_parse_bytes(vr_str("12"), &v, NULL) == 0 && v == 12);
    CHECK(vr_parse_bytes(vr_str("M"), &v, NULL) == -VR_INVALID);
    CHECK(vr_parse_bytes(vr_str("99999999999T"), &v, NULL) == -VR_INVALID);
}

TEST(hex__of_bytes)
{
    char out[7];

    vr_hex("\x00\xab\xff", 3, out);
    CHECK_STR(out, "00abff");
}
