/* SPDX-License-Identifier: MIT */
/* Who is asking: passwords, tokens of users, tokens of hosts. */
#ifndef VR_SERVER_AUTH_H
#define VR_SERVER_AUTH_H

#include "net/http_req.h"
#include "server/access.h"
#include "store/host.h"
#include "store/store.h"

struct vr_auth;

#define VR_AUTH_CACHE_MAX    1000
#define VR_AUTH_CACHE_SECS   300
#define VR_AUTH_VERIFY_MAX   2 /* password checks at once: each takes 80 ms and 64 MiB */
#define VR_AUTH_TOKEN_BYTES  24
#define VR_AUTH_PASSWORD_MIN 8
#define VR_AUTH_PASSWORD_MAX 200

/** @store borrowed. */
struct vr_auth *vr_auth_new(struct vr_store *store);
struct vr_auth *vr_auth_free(struct vr_auth *auth);

/**
 * The user of a request by Basic (password or token) or Bearer authentication.
 *
 * Returns -VR_DENIED if it is nobody (401), -VR_LIMIT if too many passwords are being checked
 * (429). May block for one password check.
 */
VR_MUST_USE
int vr_auth_user(struct vr_auth *auth, const struct vr_http_req *req, struct vr_who *out,
                 struct vr_err *err);

/** The status of an answer when vr_auth_user() gave `r`. */
int vr_auth_status(int r);

/** The host of an agent's request; -VR_DENIED. @out filled, release with vr_host_row_fini(). */
VR_MUST_USE
int vr_auth_host(struct vr_auth *auth, const struct vr_http_req *req, struct vr_host_row *out,
                 struct vr_err *err);

/** Forget what is cached: a user or token changed. */
void vr_auth_forget(struct vr_auth *auth);

/** argon2id string of a password; given. -VR_INVALID if it is too short or too long. Blocks. */
VR_MUST_USE
int vr_auth_hash_password(const char *password, char **out, struct vr_err *err);
/** Whether a password fits a stored hash. Blocks. */
bool vr_auth_check_password(const char *hash, const char *password);

/** A new token, `vr_<hex>`, and what is stored of it. Both given. */
void vr_auth_make_token(char **out_token, char **out_sha256);
/** What is stored of a token; given. */
char *vr_auth_token_sha256(const char *token);

#endif
