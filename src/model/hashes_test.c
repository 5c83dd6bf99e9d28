/* SPDX-License-Identifier: MIT */
/* Tests of model/hashes: the contract's vectors, and what must and must not change a hash. */
#include "model/hashes.h"

#include "core/tap.h"

#define FILE_MD5     "9e107d9d372bb6826bd81d3542a419d6"
#define IMAGE_MD5    "e4d909c290d0fb1ca068ffaddf22cbd0"
#define WITH_IMAGE   "853cf998ed9a36351e403563712828c3"
#define WITHOUT      "972781002404e898a6e9e218b16073c2"
#define PARSE(json_) json_loads((json_), JSON_DECODE_ANY, NULL)

TEST(hashes_build__vectors_of_the_contract)
{
    char h[VR_MD5_HEX];

    vr_hashes_build(FILE_MD5, NULL, h);
    CHECK_STR(h, WITHOUT);
    vr_hashes_build(FILE_MD5, IMAGE_MD5, h);
    CHECK_STR(h, WITH_IMAGE);
}

/* The shown hash of a content. */
static const char *shown(const struct vr_release_content *content)
{
    static char text[VR_RELEASE_HASH_DIGITS + 1];
    char whole[VR_MD5_HEX];

    vr_hashes_release(content, whole);
    vr_hashes_release_short(whole, 0, text);
    return text;
}

TEST(hashes_release__vectors_of_the_contract)
{
    vr_auto_json json_t *config = PARSE("{\"b\":2,\"tricky\":\"\xc3\xa9\"}");
    vr_auto_json json_t *env = PARSE("{\"A\":\"1\"}"), *volumes = PARSE("[[\"/foo\",\"/bar\"]]");

    CHECK_STR(shown(&(struct vr_release_content){.build_hash = WITH_IMAGE}), "99b79db9");
    CHECK_STR(shown(&(struct vr_release_content){.build_hash = WITH_IMAGE,
                                                 .config = config,
                                                 .env = env,
                                                 .volumes = volumes,
                                                 .run_as = "nobody",
                                                 .mem_limit = "256M"}),
              "b348ae9e");
}

/*
 * The contract's third vector hashes "" as "", which the normal form makes null; it is kept to
 * show that make_hash itself agrees.
 */
TEST(make_hash__release_arguments_as_the_original_stored_them)
{
    vr_auto_json json_t *args = PARSE("[\"" WITHOUT "\",{\"x\":{\"n\":1.5,\"t\":true,\"z\":null}},"
                                      "null,null,\"nobody\",\"\",\"\"]");
    char h[VR_MD5_HEX];

    vr_make_hash(args, h);
    h[8] = '\0';
    CHECK_STR(h, "7dbbff50");
}

TEST(hashes_release__empty_and_null__are_the_same)
{
    vr_auto_json json_t *dict = json_object(), *list = json_array(), *null = json_null();
    struct vr_release_content empty = {.build_hash = WITHOUT,
                                       .config = dict,
                                       .env = null,
                                       .volumes = list,
                                       .run_as = "",
                                       .mem_limit = "",
                                       .memsw_limit = "",
                                       .extra = dict};
    struct vr_release_content none = {.build_hash = WITHOUT, .run_as = "nobody"};
    char a[VR_SHA256_HEX], b[VR_SHA256_HEX];

    vr_hashes_release(&empty, a);
    vr_hashes_release(&none, b);
    CHECK_STR(a, b);
    vr_hashes_release_content(&empty, a);
    vr_hashes_release_content(&none, b);
    CHECK_STR(a, b);
}

TEST(hashes_release__newer_fields__count_only_when_set)
{
    vr_auto_json json_t *unset = PARSE("{\"cpus\":null}"), *set = PARSE("{\"cpus\":2}");
    struct vr_release_content content = {.build_hash = WITHOUT};
    char none[VR_MD5_HEX], with_unset[VR_MD5_HEX], with_set[VR_MD5_HEX];
    char sum_none[VR_SHA256_HEX], sum_set[VR_SHA256_HEX];

    vr_hashes_release(&content, none);
    vr_hashes_release_content(&content, sum_none);
    content.extra = unset;
    vr_hashes_release(&content, with_unset);
    CHECK_STR(with_unset, none);
    content.extra = set;
    vr_hashes_release(&content, with_set);
    vr_hashes_release_content(&content, sum_set);
    CHECK(strcmp(with_set, none) != 0);
    CHECK(strcmp(sum_set, sum_none) != 0);
}

TEST(hashes_release_short__after_a_collision__takes_the_next_eight)
{
    char h[VR_RELEASE_HASH_DIGITS + 1];

    vr_hashes_release_short(WITH_IMAGE, 0, h);
    CHECK_STR(h, "853cf998");
    vr_hashes_release_short(WITH_IMAGE, 1, h);
    CHECK_STR(h, "ed9a3635");
    vr_hashes_release_short(WITH_IMAGE, 3, h);
    CHECK_STR(h, "712828c3");
}

TEST(hashes_build_inputs__canonical_form__is_as_documented)
{
    static const char *const packs[] = {"https://x/a.git#1", "https://x/b.git#2"};
    static const char *const swapped[] = {"https://x/b.git#2", "https://x/a.git#1"};
    static const char text[] = "{\"buildpacks\": [\"https://x/a.git#1\", \"https://x/b.git#2\"], "
                               "\"commit\": \"c0ffee\", \"image\": \"host\", \"repo_url\": \"/r\"}";
    struct vr_build_inputs inputs = {
        .repo_url = "/r", .commit = "c0ffee", .buildpacks = packs, .buildpack_count = 2};
    char got[VR_SHA256_HEX], want[VR_SHA256_HEX];

    vr_hashes_build_inputs(&inputs, got);
    vr_sha256_hex(text, strlen(text), want);
    CHECK_STR(got, want);
    inputs.buildpacks = swapped;
    vr_hashes_build_inputs(&inputs, got);
    CHECK(strcmp(got, want) != 0);
}

TEST(hashes_secret__stands_in_a_dict_by_its_fingerprint)
{
    unsigned char key[VR_HASH_KEY_BYTES] = {7};
    char hex[VR_HASH_SECRET_HEX];
    vr_auto_json json_t *secret = NULL;

    vr_hash_secret(key, "pw", 2, hex);
    secret = vr_hashes_secret(hex);
    CHECK(json_object_size(secret) == 1);
    CHECK_STR(json_string_value(json_object_get(secret, "secret")), hex);
}
