/* SPDX-License-Identifier: MIT */
/* Digests by libcrypto and libsodium; both abort here only where memory or the library is gone. */
#include "fmt/hash.h"

#include <openssl/evp.h>
#include <sodium.h>

_Static_assert(VR_HASH_KEY_BYTES == crypto_generichash_KEYBYTES, "BLAKE2b key");

struct vr_hash {
    EVP_MD_CTX *ctx;
};

struct vr_hash *vr_hash_new(enum vr_hash_kind kind)
{
    struct vr_hash *hash = vr_alloc(sizeof(*hash));
    const EVP_MD *md = NULL;

    switch (kind) {
    case VR_HASH_MD5:
        md = EVP_md5();
        break;
    case VR_HASH_SHA256:
        md = EVP_sha256();
        break;
    }
    hash->ctx = EVP_MD_CTX_new();
    if (!hash->ctx || EVP_DigestInit_ex(hash->ctx, md, NULL) != 1)
        abort();
    return hash;
}

struct vr_hash *vr_hash_free(struct vr_hash *hash)
{
    if (hash) {
        EVP_MD_CTX_free(hash->ctx);
        free(hash);
    }
    return NULL;
}

void vr_hash_add(struct vr_hash *hash, const void *bytes, size_t n)
{
    if (EVP_DigestUpdate(hash->ctx, bytes, n) != 1)
        abort();
}

void vr_hash_finish(struct vr_hash *hash, char *out)
{
    unsigned char digest[EVP_MAX_MD_SIZE];
    unsigned n = 0;

    if (EVP_DigestFinal_ex(hash->ctx, digest, &n) != 1)
        abort();
    vr_hex(digest, n, out);
}

static void digest_hex(enum vr_hash_kind kind, const void *bytes, size_t n, char *out)
{
    VR_OWNED(vr_hash_free) struct vr_hash *hash = vr_hash_new(kind);

    vr_hash_add(hash, bytes, n);
    vr_hash_finish(hash, out);
}

void vr_md5_hex(const void *bytes, size_t n, char out[VR_MD5_HEX])
{
    digest_hex(VR_HASH_MD5, bytes, n, out);
}

void vr_sha256_hex(const void *bytes, size_t n, char out[VR_SHA256_HEX])
{
    digest_hex(VR_HASH_SHA256, bytes, n, out);
}

void vr_make_hash(const json_t *args, char out[VR_MD5_HEX])
{
    vr_auto_buf struct vr_buf text = VR_BUF(SIZE_MAX / 8);
    const json_t *arg;
    size_t i;

    json_array_foreach (args, i, arg)
        vr_json_python_dumps(&text, arg);
    vr_md5_hex(vr_buf_text(&text), text.len, out);
}

void vr_hash_derive_key(const unsigned char master[VR_HASH_KEY_BYTES], const char *purpose,
                        unsigned char out[VR_HASH_KEY_BYTES])
{
    if (crypto_generichash(out, VR_HASH_KEY_BYTES, (const unsigned char *)purpose, strlen(purpose),
                           master, VR_HASH_KEY_BYTES) != 0)
        abort();
}

void vr_hash_secret(const unsigned char key[VR_HASH_KEY_BYTES], const void *secret, size_t n,
                    char out[VR_HASH_SECRET_HEX])
{
    unsigned char digest[crypto_generichash_BYTES];

    _Static_assert(2 * sizeof(digest) + 1 == VR_HASH_SECRET_HEX, "BLAKE2b digest");
    if (crypto_generichash(digest, sizeof(digest), secret, n, key, VR_HASH_KEY_BYTES) != 0)
        abort();
    vr_hex(digest, sizeof(digest), out);
}
