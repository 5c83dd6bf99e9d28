/* SPDX-License-Identifier: MIT */
/*
 * Identity of builds and releases.
 *
 * The two hashes of the contract stay as they were, byte for byte, so that imported releases keep
 * their names. They are short and MD5; what decides whether two contents are equal are SHA-256
 * sums over one JSON object each, written by the same python_dumps.
 */
#include "model/hashes.h"

#include "model/merge.h"

/* A reference of the normalised value, null for an empty one. */
static json_t *normal(const json_t *value)
{
    const json_t *n = vr_merge_normal(value);

    return n ? json_incref((json_t *)n) : json_null();
}

static json_t *normal_text(const char *text)
{
    return vr_json_str_or_null(vr_merge_normal_text(text));
}

/* The newer fields that are not null, as a new object; NULL if there are none. */
static json_t *set_fields(const json_t *extra)
{
    vr_auto_json json_t *set = json_object();
    const char *name;
    json_t *value;

    json_object_foreach ((json_t *)extra, name, value) {
        if (!json_is_null(value))
            vr_json_set(set, name, json_incref(value));
    }
    return json_object_size(set) ? vr_take(set) : NULL;
}

void vr_hashes_build(const char *file_md5, const char *image_md5, char out[VR_MD5_HEX])
{
    vr_auto_json json_t *args = json_array();

    vr_json_push(args, vr_json_str_or_null(file_md5));
    vr_json_push(args, normal_text(image_md5));
    vr_make_hash(args, out);
}

static void sha256_of(const json_t *object, char out[VR_SHA256_HEX])
{
    vr_auto_buf struct vr_buf text = VR_BUF(SIZE_MAX / 8);

    vr_json_python_dumps(&text, object);
    vr_sha256_hex(vr_buf_text(&text), text.len, out);
}

void vr_hashes_build_inputs(const struct vr_build_inputs *inputs, char out[VR_SHA256_HEX])
{
    vr_auto_json json_t *object = json_object();
    json_t *buildpacks = json_array();

    for (size_t i = 0; i < inputs->buildpack_count; i++)
        vr_json_push(buildpacks, vr_json_str_or_null(inputs->buildpacks[i]));
    vr_json_set(object, "buildpacks", buildpacks);
    vr_json_set(object, "commit", vr_json_str_or_null(inputs->commit));
    vr_json_set(object, "image",
                vr_json_str_or_null(inputs->image_sha256 ? inputs->image_sha256 : "host"));
    vr_json_set(object, "repo_url", vr_json_str_or_null(inputs->repo_url));
    sha256_of(object, out);
}

void vr_hashes_release(const struct vr_release_content *content, char out[VR_MD5_HEX])
{
    vr_auto_json json_t *args = json_array();
    json_t *extra = set_fields(content->extra);

    vr_json_push(args, vr_json_str_or_null(content->build_hash));
    vr_json_push(args, normal(content->config));
    vr_json_push(args, normal(content->env));
    vr_json_push(args, normal(content->volumes));
    vr_json_push(args, vr_json_str_or_null(vr_merge_normal_run_as(content->run_as)));
    vr_json_push(args, normal_text(content->mem_limit));
    vr_json_push(args, normal_text(content->memsw_limit));
    if (extra)
        vr_json_push(args, extra);
    vr_make_hash(args, out);
}

void vr_hashes_release_short(const char whole[VR_MD5_HEX], int attempt,
                             char out[VR_RELEASE_HASH_DIGITS + 1])
{
    int from = VR_RELEASE_HASH_DIGITS * (attempt % VR_RELEASE_HASH_TRIES);

    memcpy(out, whole + from, VR_RELEASE_HASH_DIGITS);
    out[VR_RELEASE_HASH_DIGITS] = '\0';
}

void vr_hashes_release_content(const struct vr_release_content *content, char out[VR_SHA256_HEX])
{
    vr_auto_json json_t *object = json_object();
    json_t *extra = set_fields(content->extra);

    vr_json_set(object, "build", vr_json_str_or_null(content->build_hash));
    vr_json_set(object, "config", normal(content->config));
    vr_json_set(object, "env", normal(content->env));
    vr_json_set(object, "extra", extra ? extra : json_null());
    vr_json_set(object, "mem_limit", normal_text(content->mem_limit));
    vr_json_set(object, "memsw_limit", normal_text(content->memsw_limit));
    vr_json_set(object, "run_as", vr_json_str_or_null(vr_merge_normal_run_as(content->run_as)));
    vr_json_set(object, "volumes", normal(content->volumes));
    sha256_of(object, out);
}

void vr_hashes_wish(const json_t *wish, char out[VR_SHA256_HEX])
{
    struct vr_release_content content = {
        .config = json_object_get(wish, "config"),
        .env = json_object_get(wish, "env"),
        .volumes = json_object_get(wish, "volumes"),
        .run_as = json_string_value(json_object_get(wish, "run_as")),
        .mem_limit = json_string_value(json_object_get(wish, "mem_limit")),
        .memsw_limit = json_string_value(json_object_get(wish, "memsw_limit")),
    };

    if (content.config)
        vr_hashes_release_content(&content, out);
    else
        *out = '\0';
}

json_t *vr_hashes_secret(const char *fingerprint)
{
    return json_pack("{s:s}", "secret", fingerprint);
}
