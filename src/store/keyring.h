/* SPDX-License-Identifier: MIT */
/* The keys of the secret values, in a file beside the database. */
#ifndef VR_STORE_KEYRING_H
#define VR_STORE_KEYRING_H

#include "core/clock.h"
#include "core/err.h"
#include "fmt/hash.h"

#include <stdbool.h>
#include <stdint.h>

/*
 * Several keys seal values; the newest one seals new ones. Beside them is a root key that is never
 * changed: fingerprints of values, which hashes of releases contain, come from it. All functions
 * may be called by any thread.
 */
struct vr_keyring;

#define VR_KEYRING_ID    17 /* 16 hex digits, made from the key itself, and a NUL */
#define VR_KEYRING_KEYS  64
#define VR_KEYRING_BYTES 65536 /* of the file */

/**
 * Read the file of keys.
 * @make  make one if there is none
 * @out   given
 *
 * Returns -VR_NOT_FOUND without a file, -VR_PARSE if something in it is not what was written.
 */
VR_MUST_USE
int vr_keyring_open(const char *path, bool make, struct vr_wall now, struct vr_keyring **out,
                    struct vr_err *err);
struct vr_keyring *vr_keyring_free(struct vr_keyring *ring);
VR_DEFINE_OWNED(struct vr_keyring, vr_keyring_free)

const char *vr_keyring_path(const struct vr_keyring *ring);

/** What tells one root key from another without showing it. */
void vr_keyring_root_id(const struct vr_keyring *ring, char out[VR_KEYRING_ID]);

/** Keyed BLAKE2b of a value: equal values are seen to be equal. */
void vr_keyring_fingerprint(const struct vr_keyring *ring, const void *value, size_t n,
                            char out[VR_HASH_SECRET_HEX]);

/**
 * The same with a key of its own for sums of requests, which may hold a value: who reads the
 * database cannot try values against it.
 */
void vr_keyring_request_sum(const struct vr_keyring *ring, const char *sha256,
                            char out[VR_HASH_SECRET_HEX]);

/**
 * Seal with the newest key: base64 of nonce and XChaCha20-Poly1305 box, which opens only together
 * with `identity`.
 * @out  given; release with free()
 */
void vr_keyring_seal(struct vr_keyring *ring, const char *identity, const void *value, size_t n,
                     char **out, char out_key_id[VR_KEYRING_ID]);

/**
 * @out  given; NUL behind the value; wipe and release with vr_keyring_wipe()
 * Returns -VR_NOT_FOUND if the file has no such key, -VR_PARSE if it does not open.
 */
VR_MUST_USE
int vr_keyring_unseal(struct vr_keyring *ring, const char *key_id, const char *identity,
                      const char *sealed, char **out, struct vr_err *err);
/** Overwrite a text and release it; NULL is fine. */
void vr_keyring_wipe(char *text);

bool vr_keyring_has(struct vr_keyring *ring, const char *key_id);

/**
 * Add a new key, which seals from now on, to the file.
 * Returns -VR_LIMIT with VR_KEYRING_KEYS of them. On failure nothing has changed.
 */
VR_MUST_USE
int vr_keyring_add(struct vr_keyring *ring, struct vr_wall now, char out_id[VR_KEYRING_ID],
                   struct vr_err *err);
/** Remove a key from the file. The newest is never removed: -VR_BUG. Blocks for two fsyncs. */
VR_MUST_USE
int vr_keyring_drop(struct vr_keyring *ring, const char *key_id, struct vr_err *err);

struct vr_keyring_key {
    char id[VR_KEYRING_ID];
    struct vr_wall made;
};

/** The keys, oldest first; returns their number. */
size_t vr_keyring_list(struct vr_keyring *ring, struct vr_keyring_key out[VR_KEYRING_KEYS]);

#endif
