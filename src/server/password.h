/* SPDX-License-Identifier: MIT */
/* Passwords and what is stored of them. */
#ifndef VR_SERVER_PASSWORD_H
#define VR_SERVER_PASSWORD_H

#include "core/err.h"

#include <stdbool.h>

#define VR_PASSWORD_MIN            8
#define VR_PASSWORD_MAX            200
#define VR_PASSWORD_ITERATIONS_MAX 2000000 /* of an imported hash: about a second */

/** argon2id string of a password; given. -VR_INVALID if it is too short or too long. Blocks. */
VR_MUST_USE
int vr_password_hash(const char *password, char **out, struct vr_err *err);

/**
 * Whether a password fits a stored hash: one of ours, or an imported
 * `pbkdf2_sha256$<iterations>$<salt>$<base64>`. Anything else fits none. Blocks.
 */
bool vr_password_fits(const char *hash, const char *password);

/** Whether a hash is an imported one. */
bool vr_password_is_old(const char *hash);

/**
 * What replaces an imported hash, of a password that fits it; given. The limits of new passwords
 * do not count, it was chosen under others. Blocks.
 */
VR_MUST_USE
int vr_password_upgrade(const char *password, char **out, struct vr_err *err);

#endif
