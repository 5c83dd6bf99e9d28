/* SPDX-License-Identifier: MIT */
/* Identity of builds and releases: what is hashed, in which canonical form. */
#ifndef VR_MODEL_HASHES_H
#define VR_MODEL_HASHES_H

#include "fmt/hash.h"

/**
 * Build hash of the contract: make_hash(file_md5, image_md5 or null).
 * @image_md5  NULL without an image
 */
void vr_hashes_build(const char *file_md5, const char *image_md5, char out[VR_MD5_HEX]);

/** What a build is made from (ruling: the same inputs are never built twice). */
struct vr_build_inputs {
    const char *repo_url;
    const char *commit;
    const char *image_sha256; /* NULL on the host stack */
    const char *const
        *buildpacks; /* `<url>#<commit>`: the pinned one, or all candidates in order */
    size_t buildpack_count;
};

/**
 * SHA-256 of the python_dumps of
 * {"buildpacks": [...], "commit": "...", "image": "<sha256>" or "host", "repo_url": "..."}.
 */
void vr_hashes_build_inputs(const struct vr_build_inputs *inputs, char out[VR_SHA256_HEX]);

/** What a release freezes. Empty dicts, lists and texts count as null, run_as "" as nobody. */
struct vr_release_content {
    const char *build_hash;
    const json_t *config; /* secrets in here replaced by vr_hashes_secret() */
    const json_t *env;    /* the same */
    const json_t *volumes;
    const char *run_as;
    const char *mem_limit;
    const char *memsw_limit;
    const json_t *extra; /* object of newer fields (cpu, pids, env_expand, …); NULL for none */
};

#define VR_RELEASE_HASH_DIGITS 8
#define VR_RELEASE_HASH_TRIES  4 /* 32 digits in eights */

/**
 * The whole make_hash of a release: the contract's seven arguments, and an eighth, the object
 * of the newer fields that are not null, if there is any.
 */
void vr_hashes_release(const struct vr_release_content *content, char out[VR_MD5_HEX]);

/** The hash that is shown: digits 8 * attempt … + 8 of the whole; attempt > 0 after a collision. */
void vr_hashes_release_short(const char whole[VR_MD5_HEX], int attempt,
                             char out[VR_RELEASE_HASH_DIGITS + 1]);

/**
 * content_sha256, which decides equality: SHA-256 of the python_dumps of {"build", "config",
 * "env", "extra", "mem_limit", "memsw_limit", "run_as", "volumes"} after the same normalisation.
 */
void vr_hashes_release_content(const struct vr_release_content *content, char out[VR_SHA256_HEX]);

/**
 * What a wish says of a release besides its build: two wishes with the same sum make the same
 * release of the same build. Secrets count by their references.
 * @wish  "config", "env", "volumes", "run_as", "mem_limit", "memsw_limit"
 * @out   "" for a wish without a config: what was imported says nothing
 */
void vr_hashes_wish(const json_t *wish, char out[VR_SHA256_HEX]);

/** `{"secret": "<hex>"}`, what stands in a hashed dict for a secret value: its keyed BLAKE2b.
 * Given.
 */
json_t *vr_hashes_secret(const char *fingerprint);

#endif
