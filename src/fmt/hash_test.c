/* SPDX-License-Identifier: MIT */
/* Tests of fmt/hash and fmt/base64: vectors of the contract and of the algorithms. */
#include "fmt/hash.h"

#include "core/tap.h"
#include "fmt/base64.h"

/* make_hash of one argument, given as JSON. */
static const char *hash_of(const char *json, char out[VR_MD5_HEX])
{
    vr_auto_json json_t *args = json_array();

    vr_json_push(args, json_loads(json, JSON_DECODE_ANY, NULL));
    vr_make_hash(args, out);
    return out;
}

TEST(make_hash__vectors_of_the_contract)
{
    char h[VR_MD5_HEX];

    CHECK_STR(hash_of("1", h), "c4ca4238a0b923820dcc509a6f75849b");
    CHECK_STR(hash_of("\"a\"", h), "6067924ae1b1832abce3d12fe83755a9");
    CHECK_STR(hash_of("{}", h), "99914b932bd37a50b983c5e7c90ae93b");
    CHECK_STR(hash_of("[]", h), "d751713988987e9331980363e24189ce");
    CHECK_STR(hash_of("\"\xc2\xa3\"", h), "dd335aa90459c69348d739b1628dcf86");
}

TEST(hash__known_digests__in_one_and_in_pieces)
{
    char h[VR_SHA256_HEX];
    VR_OWNED(vr_hash_free) struct vr_hash *hash = vr_hash_new(VR_HASH_SHA256);

    vr_md5_hex("", 0, h);
    CHECK_STR(h, "d41d8cd98f00b204e9800998ecf8427e");
    vr_sha256_hex("abc", 3, h);
    CHECK_STR(h, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    vr_hash_add(hash, "a", 1);
    vr_hash_add(hash, "bc", 2);
    vr_hash_finish(hash, h);
    CHECK_STR(h, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}

TEST(hash_secret__keys_and_purposes__give_different_hashes)
{
    unsigned char master[VR_HASH_KEY_BYTES] = {1}, a[VR_HASH_KEY_BYTES], b[VR_HASH_KEY_BYTES];
    char x[VR_HASH_SECRET_HEX], y[VR_HASH_SECRET_HEX];

    vr_hash_derive_key(master, "release hash", a);
    vr_hash_derive_key(master, "login cache", b);
    CHECK(memcmp(a, b, sizeof(a)) != 0);
    vr_hash_secret(a, "pw", 2, x);
    vr_hash_secret(a, "pw", 2, y);
    CHECK_STR(x, y);
    vr_hash_secret(b, "pw", 2, y);
    CHECK(strcmp(x, y) != 0);
    CHECK(strlen(x) == 64);
}

TEST(base64__both_alphabets__there_and_back)
{
    static const unsigned char bytes[] = {0xfb, 0xff, 0x00, 0x41};
    vr_auto_free char *plain = vr_base64_encode(bytes, sizeof(bytes));
    vr_auto_free char *url = vr_base64_encode_url(bytes, sizeof(bytes));
    vr_auto_free unsigned char *back = NULL, *back_url = NULL;
    size_t n = 0;

    CHECK_STR(plain, "+/8AQQ==");
    CHECK_STR(url, "-_8AQQ");
    CHECK(vr_base64_decode(vr_str(plain), &back, &n, NULL) == 0 && n == sizeof(bytes));
    CHECK(!memcmp(back, bytes, n));
    CHECK(vr_base64_decode_url(vr_str(url), &back_url, &n, NULL) == 0 && n == sizeof(bytes));
}

TEST(base64_decode__broken_text__is_refused)
{
    unsigned char *out = NULL;
    size_t n = 7;

    CHECK(vr_base64_decode(vr_str("+/8AQQ="), &out, &n, NULL) == -VR_INVALID);
    CHECK(vr_base64_decode(vr_str("+/8AQQ==x"), &out, &n, NULL) == -VR_INVALID);
    CHECK(vr_base64_decode(vr_str("a b="), &out, &n, NULL) == -VR_INVALID);
    CHECK(!out && n == 7);
}
