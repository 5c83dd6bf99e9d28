/* SPDX-License-Identifier: MIT */
/* Digests: MD5 and SHA-256 of bytes, the contract's make_hash, and the keyed hash of secrets. */
#ifndef VR_FMT_HASH_H
#define VR_FMT_HASH_H

#include "fmt/json.h"

enum vr_hash_kind {
    VR_HASH_MD5,    /* identity of the contract only, never protection */
    VR_HASH_SHA256, /* key of a blob, proof of content */
};

/** Room for the hexadecimal text and its NUL. */
#define VR_MD5_HEX    33
#define VR_SHA256_HEX 65

void vr_md5_hex(const void *bytes, size_t n, char out[VR_MD5_HEX]);
void vr_sha256_hex(const void *bytes, size_t n, char out[VR_SHA256_HEX]);

/** A digest that grows with its input: files and streams. */
struct vr_hash;

struct vr_hash *vr_hash_new(enum vr_hash_kind kind);
void vr_hash_add(struct vr_hash *hash, const void *bytes, size_t n);
/** Write the hexadecimal digest to `out` (VR_MD5_HEX or VR_SHA256_HEX bytes); only free() after. */
void vr_hash_finish(struct vr_hash *hash, char *out);
struct vr_hash *vr_hash_free(struct vr_hash *hash);
VR_DEFINE_OWNED(struct vr_hash, vr_hash_free)

/**
 * make_hash of the contract: MD5 over the concatenated vr_json_python_dumps() of each element.
 * @args  borrowed array; its elements are the arguments
 */
void vr_make_hash(const json_t *args, char out[VR_MD5_HEX]);

#define VR_HASH_KEY_BYTES  32
#define VR_HASH_SECRET_HEX 65

/** A key for one purpose alone, from a master key: BLAKE2b keyed with it over the purpose's name.
 */
void vr_hash_derive_key(const unsigned char master[VR_HASH_KEY_BYTES], const char *purpose,
                        unsigned char out[VR_HASH_KEY_BYTES]);

/** Keyed BLAKE2b (32 bytes) in hex: equal secrets are seen to be equal without being shown. */
void vr_hash_secret(const unsigned char key[VR_HASH_KEY_BYTES], const void *secret, size_t n,
                    char out[VR_HASH_SECRET_HEX]);

#endif
