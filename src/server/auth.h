/* SPDX-License-Identifier: MIT */
/* Who is asking: passwords, tokens and sessions of users, tokens of hosts. */
#ifndef VR_SERVER_AUTH_H
#define VR_SERVER_AUTH_H

#include "fmt/cidr.h"
#include "net/http_req.h"
#include "server/access.h"
#include "store/host.h"
#include "store/store.h"

struct vr_auth;

#define VR_AUTH_CACHE_MAX   1000
#define VR_AUTH_CACHE_SECS  300
#define VR_AUTH_VERIFY_MAX  2 /* password checks at once: each takes 80 ms and 64 MiB */
#define VR_AUTH_TOKEN_BYTES 24

/** @trusted  proxies that say for whom they ask. Both borrowed. */
struct vr_auth *vr_auth_new(struct vr_store *store, const struct vr_cidr_list *trusted);
struct vr_auth *vr_auth_free(struct vr_auth *auth);

/**
 * The user of a request: by Basic (password or token) or Bearer authentication, else by the
 * cookie of a session.
 * @out_wait_s  set with -VR_LIMIT: seconds after which to try again
 *
 * Returns -VR_DENIED if it is nobody (401), -VR_LIMIT if too many passwords were wrong lately or
 * are being checked now (429). May block for one password check.
 */
VR_MUST_USE
int vr_auth_user(struct vr_auth *auth, const struct vr_http_req *req, struct vr_who *out,
                 int64_t *out_wait_s, struct vr_err *err);

/** The user of a token that came in another way than these; -VR_DENIED. */
VR_MUST_USE
int vr_auth_token(struct vr_auth *auth, const char *token, struct vr_who *out, struct vr_err *err);

/** The user of a password that was typed into a form; as vr_auth_user(). */
VR_MUST_USE
int vr_auth_log_in(struct vr_auth *auth, const struct vr_http_req *req, const char *username,
                   const char *password, struct vr_who *out, int64_t *out_wait_s,
                   struct vr_err *err);

/** The status of an answer when one of these gave `r`. */
int vr_auth_status(int r);

/** The host of an agent's request; -VR_DENIED. @out filled, release with vr_host_row_fini(). */
VR_MUST_USE
int vr_auth_host(struct vr_auth *auth, const struct vr_http_req *req, struct vr_host_row *out,
                 struct vr_err *err);

/**
 * Forget the log-ins of a user that are remembered: the user, their password or grants changed.
 * To be called after the commit of that; w->forgets of a change through the API does.
 */
void vr_auth_forget(struct vr_auth *auth, int64_t user_id);

/** A new token, `vr_<hex>`, and what is stored of it. Both given. */
void vr_auth_make_token(char **out_token, char **out_sha256);
/** What is stored of a token; given. */
char *vr_auth_token_sha256(const char *token);

#endif
