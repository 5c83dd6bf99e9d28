/* SPDX-License-Identifier: MIT */
/*
 * The keys of the secret values.
 *
 * The file is text, so that a copy on paper is a copy:
 *
 *   root <64 hex>
 *   key <id> <when it was made> <64 hex>
 *
 * The id of a key is made from the key, so that a damaged line is seen when the file is read and
 * not when a value does not open. The root key is for deriving only; what it derives is never
 * rotated, since hashes of releases are made with it.
 */
#include "store/keyring.h"

#include "core/buf.h"
#include "core/str.h"
#include "fmt/base64.h"
#include "sys/fs.h"

#include <pthread.h>
#include <sodium.h>
#include <string.h>

#define KEY_BYTES VR_HASH_KEY_BYTES
#define NONCE     crypto_aead_xchacha20poly1305_ietf_NPUBBYTES
#define TAG       crypto_aead_xchacha20poly1305_ietf_ABYTES
#define LINE_HEX  (2 * KEY_BYTES)

_Static_assert(KEY_BYTES == crypto_aead_xchacha20poly1305_ietf_KEYBYTES, "size of a key");

struct key {
    struct vr_keyring_key shown;
    unsigned char bytes[KEY_BYTES];
};

struct vr_keyring {
    char *path;
    unsigned char root[KEY_BYTES];
    unsigned char fingerprints[KEY_BYTES], requests[KEY_BYTES]; /* derived */
    pthread_rwlock_t lock;                                      /* over what follows */
    struct key keys[VR_KEYRING_KEYS];                           /* the newest is the last */
    size_t count;
};

/* ------------------------------------------------------------------ keys */

static void id_of(const unsigned char key[KEY_BYTES], const char *purpose, char out[VR_KEYRING_ID])
{
    char hex[VR_HASH_SECRET_HEX];

    vr_hash_secret(key, purpose, strlen(purpose), hex);
    memcpy(out, hex, VR_KEYRING_ID - 1);
    out[VR_KEYRING_ID - 1] = '\0';
}

static void derive(struct vr_keyring *ring)
{
    vr_hash_derive_key(ring->root, "fingerprints of secret values", ring->fingerprints);
    vr_hash_derive_key(ring->root, "sums of requests", ring->requests);
}

static void make_key(struct key *key, struct vr_wall now)
{
    vr_random(key->bytes, KEY_BYTES);
    id_of(key->bytes, "id of a key", key->shown.id);
    key->shown.made = now;
}

static const struct key *find(const struct vr_keyring *ring, const char *id)
{
    for (size_t i = 0; i < ring->count; i++)
        if (vr_streq(ring->keys[i].shown.id, id))
            return &ring->keys[i];
    return NULL;
}

/* ------------------------------------------------------------------ the file */

static int save(const struct vr_keyring *ring, const struct key *keys, size_t count,
                struct vr_err *err)
{
    vr_auto_buf struct vr_buf text = VR_BUF(VR_KEYRING_BYTES);
    char hex[LINE_HEX + 1], made[VR_WALL_TEXT_BYTES];
    int r;

    vr_buf_add(&text,
               "# Keys of the secret values in the database. Without this file they are "
               "lost: keep a copy\n# of it, but not where the copies of the database are.\n");
    sodium_bin2hex(hex, sizeof(hex), ring->root, KEY_BYTES);
    vr_buf_addf(&text, "root %s\n", hex);
    for (size_t i = 0; i < count; i++) {
        sodium_bin2hex(hex, sizeof(hex), keys[i].bytes, KEY_BYTES);
        vr_wall_format(keys[i].shown.made, false, made);
        vr_buf_addf(&text, "key %s %s %s\n", keys[i].shown.id, made, hex);
    }
    sodium_memzero(hex, sizeof(hex));
    r = text.over ? vr_fail(err, VR_BUG, "'%s' would be too long", ring->path)
                  : vr_fs_replace(ring->path, text.p, text.len, 0600, err);
    sodium_memzero(text.p, text.len);
    return r;
}

static bool read_hex(struct vr_str text, unsigned char out[KEY_BYTES])
{
    size_t n;

    return text.n == LINE_HEX &&
           sodium_hex2bin(out, KEY_BYTES, text.p, text.n, NULL, &n, NULL) == 0 && n == KEY_BYTES;
}

/* The part up to the next space; *rest goes behind it. */
static struct vr_str word(struct vr_str *rest)
{
    const char *space = memchr(rest->p, ' ', rest->n);
    size_t n = space ? (size_t)(space - rest->p) : rest->n;
    struct vr_str first = {rest->p, n};

    rest->p += n + (space != NULL);
    rest->n -= n + (space != NULL);
    return first;
}

static bool read_key(struct vr_keyring *ring, struct vr_str rest)
{
    struct key *key = &ring->keys[ring->count];
    struct vr_str id = word(&rest), made = word(&rest);

    if (ring->count == VR_KEYRING_KEYS || !read_hex(rest, key->bytes) ||
        vr_wall_parse(made, &key->shown.made, NULL) < 0)
        return false;
    id_of(key->bytes, "id of a key", key->shown.id);
    ring->count++;
    return id.n == VR_KEYRING_ID - 1 && !memcmp(id.p, key->shown.id, id.n);
}

static int load(struct vr_keyring *ring, struct vr_str text, struct vr_err *err)
{
    bool has_root = false;

    for (size_t number = 1; text.n; number++) {
        const char *end = memchr(text.p, '\n', text.n);
        struct vr_str line = {text.p, end ? (size_t)(end - text.p) : text.n};
        struct vr_str rest = line;
        struct vr_str first = word(&rest);
        bool good = true;

        if (first.n == 4 && !memcmp(first.p, "root", 4))
            good = has_root = !has_root && read_hex(rest, ring->root);
        else if (first.n == 3 && !memcmp(first.p, "key", 3))
            good = read_key(ring, rest);
        else
            good = line.n == 0 || *line.p == '#';
        if (!good)
            return vr_fail(err, VR_PARSE, "'%s' is damaged in line %zu: restore it from a copy",
                           ring->path, number);
        text.p += line.n + (end != NULL);
        text.n -= line.n + (end != NULL);
    }
    if (!has_root || !ring->count)
        return vr_fail(err, VR_PARSE, "'%s' is cut short: restore it from a copy", ring->path);
    return 0;
}

int vr_keyring_open(const char *path, bool make, struct vr_wall now, struct vr_keyring **out,
                    struct vr_err *err)
{
    VR_OWNED(vr_keyring_free) struct vr_keyring *ring = vr_alloc(sizeof(*ring));
    char *text = NULL;
    size_t n = 0;
    int r;

    ring->path = vr_strdup(path);
    pthread_rwlock_init(&ring->lock, NULL);
    r = vr_fs_read(path, VR_KEYRING_BYTES, &text, &n, err);
    if (r == 0) {
        r = load(ring, (struct vr_str){text, n}, err);
        vr_keyring_wipe(text);
    } else if (r == -VR_NOT_FOUND && make) {
        vr_random(ring->root, KEY_BYTES);
        make_key(&ring->keys[0], now);
        ring->count = 1;
        r = save(ring, ring->keys, 1, err);
    }
    if (r < 0)
        return r;
    derive(ring);
    *out = vr_take(ring);
    return 0;
}

struct vr_keyring *vr_keyring_free(struct vr_keyring *ring)
{
    if (!ring)
        return NULL;
    pthread_rwlock_destroy(&ring->lock);
    free(ring->path);
    sodium_memzero(ring, sizeof(*ring));
    free(ring);
    return NULL;
}

const char *vr_keyring_path(const struct vr_keyring *ring)
{
    return ring->path;
}

/* ------------------------------------------------------------------ what is never rotated */

void vr_keyring_root_id(const struct vr_keyring *ring, char out[VR_KEYRING_ID])
{
    id_of(ring->root, "id of the root", out);
}

void vr_keyring_fingerprint(const struct vr_keyring *ring, const void *value, size_t n,
                            char out[VR_HASH_SECRET_HEX])
{
    vr_hash_secret(ring->fingerprints, value, n, out);
}

void vr_keyring_request_sum(const struct vr_keyring *ring, const char *sha256,
                            char out[VR_HASH_SECRET_HEX])
{
    vr_hash_secret(ring->requests, sha256, strlen(sha256), out);
}

/* ------------------------------------------------------------------ sealing */

void vr_keyring_seal(struct vr_keyring *ring, const char *identity, const void *value, size_t n,
                     char **out, char out_key_id[VR_KEYRING_ID])
{
    vr_auto_free unsigned char *box = vr_alloc(NONCE + n + TAG);
    const struct key *key;

    vr_random(box, NONCE);
    pthread_rwlock_rdlock(&ring->lock);
    key = &ring->keys[ring->count - 1];
    crypto_aead_xchacha20poly1305_ietf_encrypt(box + NONCE, NULL, value, n,
                                               (const unsigned char *)identity, strlen(identity),
                                               NULL, box, key->bytes);
    memcpy(out_key_id, key->shown.id, VR_KEYRING_ID);
    pthread_rwlock_unlock(&ring->lock);
    *out = vr_base64_encode(box, NONCE + n + TAG);
}

static int open_box(const struct key *key, const char *identity, const unsigned char *box, size_t n,
                    unsigned char *plain)
{
    return n < NONCE + TAG
               ? -1
               : crypto_aead_xchacha20poly1305_ietf_decrypt(
                     plain, NULL, NULL, box + NONCE, n - NONCE, (const unsigned char *)identity,
                     strlen(identity), box, key->bytes);
}

int vr_keyring_unseal(struct vr_keyring *ring, const char *key_id, const char *identity,
                      const char *sealed, char **out, struct vr_err *err)
{
    vr_auto_free unsigned char *box = NULL;
    vr_auto_free char *plain = NULL;
    const struct key *key;
    size_t n = 0;
    int r = vr_base64_decode(vr_str(sealed), &box, &n, err);

    if (r < 0)
        return r;
    plain = vr_alloc(n + 1);
    pthread_rwlock_rdlock(&ring->lock);
    key = find(ring, key_id);
    if (key)
        r = open_box(key, identity, box, n, (unsigned char *)plain);
    pthread_rwlock_unlock(&ring->lock);
    if (!key)
        return vr_fail(err, VR_NOT_FOUND, "'%s' does not have key %s, which sealed it", ring->path,
                       key_id);
    if (r != 0)
        return vr_fail(err, VR_PARSE, "it does not open with key %s of '%s'", key_id, ring->path);
    *out = vr_take(plain);
    return 0;
}

void vr_keyring_wipe(char *text)
{
    if (text)
        sodium_memzero(text, strlen(text));
    free(text);
}

/* ------------------------------------------------------------------ changing the keys */

bool vr_keyring_has(struct vr_keyring *ring, const char *key_id)
{
    bool has;

    pthread_rwlock_rdlock(&ring->lock);
    has = find(ring, key_id) != NULL;
    pthread_rwlock_unlock(&ring->lock);
    return has;
}

int vr_keyring_add(struct vr_keyring *ring, struct vr_wall now, char out_id[VR_KEYRING_ID],
                   struct vr_err *err)
{
    int r;

    pthread_rwlock_wrlock(&ring->lock);
    if (ring->count == VR_KEYRING_KEYS) {
        r = vr_fail(err, VR_LIMIT, "'%s' has %d keys already", ring->path, VR_KEYRING_KEYS);
    } else {
        make_key(&ring->keys[ring->count], now);
        r = save(ring, ring->keys, ring->count + 1, err);
    }
    if (r == 0)
        memcpy(out_id, ring->keys[ring->count++].shown.id, VR_KEYRING_ID);
    pthread_rwlock_unlock(&ring->lock);
    return r;
}

/* The file first: if it cannot be written, the key stays. */
static int drop(struct vr_keyring *ring, const struct key *key, struct vr_err *err)
{
    size_t at = (size_t)(key - ring->keys);
    struct key left[VR_KEYRING_KEYS];
    int r;

    memcpy(left, ring->keys, sizeof(left));
    memmove(left + at, left + at + 1, (ring->count - at - 1) * sizeof(*left));
    r = save(ring, left, ring->count - 1, err);
    if (r == 0) {
        memcpy(ring->keys, left, sizeof(left));
        ring->count--;
        sodium_memzero(&ring->keys[ring->count], sizeof(*left));
    }
    sodium_memzero(left, sizeof(left));
    return r;
}

int vr_keyring_drop(struct vr_keyring *ring, const char *key_id, struct vr_err *err)
{
    const struct key *key;
    int r = 0;

    pthread_rwlock_wrlock(&ring->lock);
    key = find(ring, key_id);
    if (key == &ring->keys[ring->count - 1])
        r = vr_fail(err, VR_BUG, "key %s is the one that seals", key_id);
    else if (key)
        r = drop(ring, key, err);
    pthread_rwlock_unlock(&ring->lock);
    return r;
}

size_t vr_keyring_list(struct vr_keyring *ring, struct vr_keyring_key out[VR_KEYRING_KEYS])
{
    size_t count;

    pthread_rwlock_rdlock(&ring->lock);
    count = ring->count;
    for (size_t i = 0; i < count; i++)
        out[i] = ring->keys[i].shown;
    pthread_rwlock_unlock(&ring->lock);
    return count;
}
