/* SPDX-License-Identifier: MIT */
/*
 * Passwords: argon2id for all that are set here, and the original's PBKDF2 for those that were
 * imported, until their users log in. The iterations of a hash come from the database that was
 * imported, so they are bounded: else a row of it could keep a thread busy for ever.
 */
#include "server/password.h"

#include "core/str.h"
#include "fmt/base64.h"

#include <openssl/evp.h>
#include <sodium.h>
#include <string.h>

#define OLD_PREFIX       "pbkdf2_sha256$"
#define OLD_DIGEST_BYTES 32
#define OLD_SALT_BYTES   256

static int hash_any(const char *password, char **out, struct vr_err *err)
{
    char hash[crypto_pwhash_STRBYTES];

    if (crypto_pwhash_str(hash, password, strlen(password), crypto_pwhash_OPSLIMIT_INTERACTIVE,
                          crypto_pwhash_MEMLIMIT_INTERACTIVE) != 0)
        return vr_fail(err, VR_LIMIT, "not enough memory to hash a password");
    *out = vr_strdup(hash);
    return 0;
}

int vr_password_hash(const char *password, char **out, struct vr_err *err)
{
    size_t n = strlen(password);

    if (n < VR_PASSWORD_MIN || n > VR_PASSWORD_MAX)
        return vr_fail(err, VR_INVALID, "a password has %d to %d characters, not %zu",
                       VR_PASSWORD_MIN, VR_PASSWORD_MAX, n);
    return hash_any(password, out, err);
}

int vr_password_upgrade(const char *password, char **out, struct vr_err *err)
{
    return hash_any(password, out, err);
}

bool vr_password_is_old(const char *hash)
{
    return vr_str_has_prefix(hash, OLD_PREFIX);
}

/* The parts between `$`, behind the name of the algorithm. */
static bool split_old(const char *hash, int64_t *iterations, struct vr_str *salt,
                      const char **digest)
{
    const char *count = hash + strlen(OLD_PREFIX);
    const char *begin = strchr(count, '$');
    const char *end = begin ? strchr(begin + 1, '$') : NULL;

    if (!end || end - begin - 1 > OLD_SALT_BYTES)
        return false;
    *salt = (struct vr_str){begin + 1, (size_t)(end - begin - 1)};
    *digest = end + 1;
    return vr_parse_i64((struct vr_str){count, (size_t)(begin - count)}, 1,
                        VR_PASSWORD_ITERATIONS_MAX, iterations, NULL) == 0;
}

static bool fits_old(const char *hash, const char *password)
{
    vr_auto_free unsigned char *expected = NULL;
    unsigned char digest[OLD_DIGEST_BYTES];
    struct vr_str salt;
    const char *encoded;
    int64_t iterations;
    size_t n = 0;

    if (!split_old(hash, &iterations, &salt, &encoded) ||
        vr_base64_decode(vr_str(encoded), &expected, &n, NULL) < 0 || n != sizeof(digest))
        return false;
    return PKCS5_PBKDF2_HMAC(password, (int)strlen(password), (const unsigned char *)salt.p,
                             (int)salt.n, (int)iterations, EVP_sha256(), sizeof(digest),
                             digest) == 1 &&
           sodium_memcmp(digest, expected, sizeof(digest)) == 0;
}

bool vr_password_fits(const char *hash, const char *password)
{
    size_t n = strlen(password);

    if (n > VR_PASSWORD_MAX)
        return false;
    if (vr_password_is_old(hash))
        return fits_old(hash, password);
    return crypto_pwhash_str_verify(hash, password, n) == 0;
}
