/* SPDX-License-Identifier: MIT */
/*
 * Who is asking.
 *
 * A password costs 80 ms and 64 MiB to check, on purpose. A pair that was found right is therefore
 * remembered for some minutes under a keyed hash of itself, which is of no use to anyone but this
 * process; all is forgotten whenever a user changes. A user whom nobody knows costs the same check,
 * of a password that is no one's: else the time of an answer would tell who has an account. Tokens
 * are random, so a plain SHA-256 of them is enough to look them up by.
 */
#include "server/auth.h"

#include "core/clock.h"
#include "fmt/base64.h"
#include "fmt/hash.h"
#include "store/token.h"
#include "store/user.h"

#include <pthread.h>
#include <sodium.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#define CREDENTIALS_BYTES 1024

struct cached {
    char hash[VR_HASH_SECRET_HEX];
    struct vr_who who;
    struct vr_mono until;
};

struct vr_auth {
    struct vr_store *store;
    char nobodys_password[crypto_pwhash_STRBYTES]; /* hash; "" if it could not be made */
    unsigned char key[VR_HASH_KEY_BYTES];
    pthread_mutex_t lock;
    struct cached *cache; /* VR_AUTH_CACHE_MAX, under lock */
    size_t next;
    uint64_t forgotten; /* times that all was forgotten; under lock */
    atomic_int verifying;
};

/* Made once, at the cost of every stored password; what it is the hash of, nobody knows. */
static void make_nobodys_password(char *out, size_t size)
{
    vr_auto_free char *password = vr_random_hex(VR_AUTH_TOKEN_BYTES);
    vr_auto_free char *hash = NULL;

    if (vr_auth_hash_password(password, &hash, NULL) == 0)
        snprintf(out, size, "%s", hash);
}

struct vr_auth *vr_auth_new(struct vr_store *store)
{
    struct vr_auth *auth = vr_alloc(sizeof(*auth));

    auth->store = store;
    auth->cache = vr_alloc_array(VR_AUTH_CACHE_MAX, sizeof(*auth->cache));
    vr_random(auth->key, sizeof(auth->key));
    make_nobodys_password(auth->nobodys_password, sizeof(auth->nobodys_password));
    pthread_mutex_init(&auth->lock, NULL);
    return auth;
}

struct vr_auth *vr_auth_free(struct vr_auth *auth)
{
    if (!auth)
        return NULL;
    pthread_mutex_destroy(&auth->lock);
    sodium_memzero(auth->key, sizeof(auth->key));
    free(auth->cache);
    free(auth);
    return NULL;
}

void vr_auth_forget(struct vr_auth *auth)
{
    pthread_mutex_lock(&auth->lock);
    memset(auth->cache, 0, VR_AUTH_CACHE_MAX * sizeof(*auth->cache));
    auth->forgotten++;
    pthread_mutex_unlock(&auth->lock);
}

/* ------------------------------------------------------------------ the cache */

/* @out_forgotten  to be given to remember(), should it come to that */
static bool remembered(struct vr_auth *auth, const char *hash, struct vr_who *out,
                       uint64_t *out_forgotten)
{
    struct vr_mono now = vr_mono_now();
    bool found = false;

    pthread_mutex_lock(&auth->lock);
    *out_forgotten = auth->forgotten;
    for (size_t i = 0; i < VR_AUTH_CACHE_MAX && !found; i++) {
        struct cached *c = &auth->cache[i];

        if (c->until.ns > now.ns && !strcmp(c->hash, hash)) {
            *out = c->who;
            found = true;
        }
    }
    pthread_mutex_unlock(&auth->lock);
    return found;
}

/* Nothing is kept of a check that began before users changed: it may be of what was then. */
static void remember(struct vr_auth *auth, const char *hash, const struct vr_who *who,
                     uint64_t forgotten)
{
    pthread_mutex_lock(&auth->lock);
    if (auth->forgotten != forgotten) {
        pthread_mutex_unlock(&auth->lock);
        return;
    }
    auth->cache[auth->next] = (struct cached){
        .who = *who, .until = vr_mono_add_ms(vr_mono_now(), VR_AUTH_CACHE_SECS * 1000)};
    snprintf(auth->cache[auth->next].hash, VR_HASH_SECRET_HEX, "%s", hash);
    auth->next = (auth->next + 1) % VR_AUTH_CACHE_MAX;
    pthread_mutex_unlock(&auth->lock);
}

/* ------------------------------------------------------------------ users */

static int nobody(struct vr_err *err)
{
    return vr_fail(err, VR_DENIED, "user or password is wrong");
}

static int fill_who(const struct vr_user_row *user, struct vr_who *out, struct vr_err *err)
{
    if (!user->is_active)
        return vr_fail(err, VR_DENIED, "user '%s' is switched off", user->username);
    *out = (struct vr_who){.id = user->id, .role = vr_role_parse(user->role)};
    snprintf(out->username, sizeof(out->username), "%s", user->username);
    snprintf(out->via, sizeof(out->via), "basic");
    return 0;
}

typedef int use_fn(struct vr_tx *tx, int64_t id, struct vr_wall now, struct vr_err *err);

/* When a token or a user was last seen, to within the time that the cache answers for them. */
static void note_use(struct vr_auth *auth, use_fn *use, int64_t id)
{
    VR_OWNED(vr_tx_free) struct vr_tx *tx = NULL;
    int r = vr_store_begin(auth->store, VR_DB_WRITE, &tx, NULL);

    if (r == 0)
        r = use(tx, id, vr_wall_now(), NULL);
    if (r == 0)
        vr_ignore(vr_store_commit(tx, NULL, NULL), "a log-in does not fail for want of its time");
}

static int user_of_token(struct vr_auth *auth, const char *token, struct vr_who *out,
                         struct vr_err *err)
{
    VR_OWNED(vr_tx_free) struct vr_tx *tx = NULL;
    vr_auto_free char *sha256 = vr_auth_token_sha256(token);
    VR_ROW(token) row = {0};
    VR_ROW(user) user = {0};
    int r = vr_store_begin(auth->store, VR_DB_READ, &tx, err);

    if (r == 0)
        r = vr_store_token_find(tx, sha256, &row, err);
    if (r == -VR_NOT_FOUND || (r == 0 && row.expires_us && row.expires_us < vr_wall_now().us))
        return nobody(err);
    if (r == 0)
        r = vr_store_user_find_id(tx, row.user_id, &user, err);
    if (r == 0)
        r = fill_who(&user, out, err);
    if (r < 0)
        return r;
    tx = vr_tx_free(tx);
    if (row.last_used_us + VR_AUTH_CACHE_SECS * VR_US_PER_S < vr_wall_now().us)
        note_use(auth, vr_store_token_used, row.id);
    return 0;
}

/* vr_auth_check_password(), unless as many checks as there may be are under way. */
static int check_in_turn(struct vr_auth *auth, const char *hash, const char *password,
                         bool *out_right, struct vr_err *err)
{
    int r = 0;

    if (atomic_fetch_add(&auth->verifying, 1) < VR_AUTH_VERIFY_MAX)
        *out_right = vr_auth_check_password(hash, password);
    else
        r = vr_fail(err, VR_LIMIT, "too many log-ins at once: try again in a second");
    atomic_fetch_sub(&auth->verifying, 1);
    return r;
}

static int user_of_password(struct vr_auth *auth, const char *username, const char *password,
                            struct vr_who *out, struct vr_err *err)
{
    VR_ROW(user) user = {0};
    bool is_known, right;
    int r;

    {
        VR_OWNED(vr_tx_free) struct vr_tx *tx = NULL; /* ends before the slow part */

        r = vr_store_begin(auth->store, VR_DB_READ, &tx, err);
        if (r == 0)
            r = vr_store_user_find(tx, username, &user, err);
    }
    is_known = r == 0;
    if (r < 0 && r != -VR_NOT_FOUND)
        return r;
    r = check_in_turn(auth, is_known ? user.password : auth->nobodys_password, password, &right,
                      err);
    if (r < 0)
        return r;
    r = is_known && right ? fill_who(&user, out, err) : nobody(err);
    if (r == 0)
        note_use(auth, vr_store_user_logged_in, user.id);
    return r;
}

/* A password may begin as tokens do, but hardly has their length and digits as well. */
static bool is_token(const char *text)
{
    return vr_str_has_prefix(text, "vr_") &&
           vr_str_is_made_of(text + 3, "0123456789abcdef", VR_AUTH_TOKEN_BYTES * 2,
                             VR_AUTH_TOKEN_BYTES * 2);
}

static int user_of_basic(struct vr_auth *auth, const char *encoded, struct vr_who *out,
                         struct vr_err *err)
{
    char hash[VR_HASH_SECRET_HEX];
    vr_auto_free char *pair = NULL;
    uint64_t forgotten;
    size_t n = 0;
    char *password;
    int r;

    r = strlen(encoded) > CREDENTIALS_BYTES
            ? -VR_LIMIT
            : vr_base64_decode(vr_str(encoded), (unsigned char **)&pair, &n, NULL);
    if (r < 0 || memchr(pair, '\0', n) || !(password = strchr(pair, ':')))
        return vr_fail(err, VR_DENIED, "the Authorization header is not Basic user:password");
    vr_hash_secret(auth->key, pair, n, hash);
    *password++ = '\0';
    if (remembered(auth, hash, out, &forgotten)) {
        sodium_memzero(pair, n);
        return 0;
    }
    if (is_token(password))
        r = user_of_token(auth, password, out, err);
    else
        r = user_of_password(auth, pair, password, out, err);
    if (r == 0 && !vr_streq(pair, out->username))
        r = nobody(err);
    if (r == 0)
        remember(auth, hash, out, forgotten);
    sodium_memzero(pair, n);
    return r;
}

int vr_auth_user(struct vr_auth *auth, const struct vr_http_req *req, struct vr_who *out,
                 struct vr_err *err)
{
    const char *header = vr_http_req_header(req, "authorization");

    if (!header)
        return vr_fail(err, VR_DENIED, "log in: there is no Authorization header");
    if (!strncasecmp(header, "basic ", 6))
        return user_of_basic(auth, header + 6, out, err);
    if (!strncasecmp(header, "bearer ", 7))
        return user_of_token(auth, header + 7, out, err);
    return vr_fail(err, VR_DENIED, "the Authorization header is neither Basic nor Bearer");
}

int vr_auth_status(int r)
{
    return r == -VR_DENIED ? 401 : r == -VR_LIMIT ? 429 : 503;
}

/* ------------------------------------------------------------------ hosts */

int vr_auth_host(struct vr_auth *auth, const struct vr_http_req *req, struct vr_host_row *out,
                 struct vr_err *err)
{
    VR_OWNED(vr_tx_free) struct vr_tx *tx = NULL;
    const char *header = vr_http_req_header(req, "authorization");
    vr_auto_free char *sha256 = NULL;
    int r;

    if (!header || strncasecmp(header, "bearer ", 7) != 0)
        return vr_fail(err, VR_DENIED, "there is no host token");
    sha256 = vr_auth_token_sha256(header + 7);
    r = vr_store_begin(auth->store, VR_DB_READ, &tx, err);
    if (r == 0)
        r = vr_store_host_find_token(tx, sha256, out, err);
    return r == -VR_NOT_FOUND ? vr_fail(err, VR_DENIED, "the host token is not known") : r;
}

/* ------------------------------------------------------------------ secrets */

int vr_auth_hash_password(const char *password, char **out, struct vr_err *err)
{
    size_t n = strlen(password);
    char hash[crypto_pwhash_STRBYTES];

    if (n < VR_AUTH_PASSWORD_MIN || n > VR_AUTH_PASSWORD_MAX)
        return vr_fail(err, VR_INVALID, "a password has %d to %d characters, not %zu",
                       VR_AUTH_PASSWORD_MIN, VR_AUTH_PASSWORD_MAX, n);
    if (crypto_pwhash_str(hash, password, n, crypto_pwhash_OPSLIMIT_INTERACTIVE,
                          crypto_pwhash_MEMLIMIT_INTERACTIVE) != 0)
        return vr_fail(err, VR_LIMIT, "not enough memory to hash a password");
    *out = vr_strdup(hash);
    return 0;
}

bool vr_auth_check_password(const char *hash, const char *password)
{
    size_t n = strlen(password);

    return n <= VR_AUTH_PASSWORD_MAX && crypto_pwhash_str_verify(hash, password, n) == 0;
}

char *vr_auth_token_sha256(const char *token)
{
    char *hex = vr_alloc(VR_SHA256_HEX);

    vr_sha256_hex(token, strlen(token), hex);
    return hex;
}

void vr_auth_make_token(char **out_token, char **out_sha256)
{
    vr_auto_free char *random = vr_random_hex(VR_AUTH_TOKEN_BYTES);

    *out_token = vr_strf("vr_%s", random);
    *out_sha256 = vr_auth_token_sha256(*out_token);
}
