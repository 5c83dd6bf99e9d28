/* SPDX-License-Identifier: MIT */
/*
 * Who is asking.
 *
 * A password costs 80 ms and 64 MiB to check, on purpose. A pair that was found right is therefore
 * remembered for some minutes under a keyed hash of itself, which is of no use to anyone but this
 * process; those of a user are forgotten whenever the user changes, those of others are not: else
 * anybody with an account could make everybody pay for a check again and again. A user whom nobody
 * knows costs the same check, of a password that is no one's: else the time of an answer would tell
 * who has an account. Tokens and cookies are random, so a plain SHA-256 of them is enough to look
 * them up by.
 *
 * After some wrong passwords, none is looked at for a while, right or wrong, remembered or not:
 * else guesses could be told apart during the wait. Tokens and sessions go on meanwhile.
 */
#include "server/auth.h"

#include "core/clock.h"
#include "fmt/base64.h"
#include "fmt/hash.h"
#include "server/password.h"
#include "server/remote.h"
#include "server/session.h"
#include "server/throttle.h"
#include "store/grant.h"
#include "store/session.h"
#include "store/token.h"
#include "store/user.h"

#include <pthread.h>
#include <sodium.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#define CREDENTIALS_BYTES 1024
#define FORGOTTEN_MAX     1024 /* changes of users that a check under way may see go by */

struct cached {
    char hash[VR_HASH_SECRET_HEX];
    struct vr_who who;
    struct vr_mono until;
};

struct vr_auth {
    struct vr_store *store;
    const struct vr_cidr_list *trusted;
    char nobodys_password[crypto_pwhash_STRBYTES]; /* hash; "" if it could not be made */
    unsigned char key[VR_HASH_KEY_BYTES];
    pthread_mutex_t lock;
    struct cached *cache; /* VR_AUTH_CACHE_MAX, under lock */
    size_t next, used;    /* under lock */
    int64_t *forgotten;   /* FORGOTTEN_MAX newest users that were forgotten, a ring; under lock */
    uint64_t forgotten_count; /* since the start; under lock */
    atomic_int verifying;
    struct vr_throttle *throttle;
};

/* Made once, at the cost of every stored password; what it is the hash of, nobody knows. */
static void make_nobodys_password(char *out, size_t size)
{
    vr_auto_free char *password = vr_random_hex(VR_AUTH_TOKEN_BYTES);
    vr_auto_free char *hash = NULL;

    if (vr_password_hash(password, &hash, NULL) == 0)
        snprintf(out, size, "%s", hash);
}

struct vr_auth *vr_auth_new(struct vr_store *store, const struct vr_cidr_list *trusted)
{
    struct vr_auth *auth = vr_alloc(sizeof(*auth));

    auth->store = store;
    auth->trusted = trusted;
    auth->cache = vr_alloc_array(VR_AUTH_CACHE_MAX, sizeof(*auth->cache));
    auth->forgotten = vr_alloc_array(FORGOTTEN_MAX, sizeof(*auth->forgotten));
    vr_random(auth->key, sizeof(auth->key));
    make_nobodys_password(auth->nobodys_password, sizeof(auth->nobodys_password));
    auth->throttle = vr_throttle_new();
    pthread_mutex_init(&auth->lock, NULL);
    return auth;
}

struct vr_auth *vr_auth_free(struct vr_auth *auth)
{
    if (!auth)
        return NULL;
    pthread_mutex_destroy(&auth->lock);
    sodium_memzero(auth->key, sizeof(auth->key));
    vr_throttle_free(auth->throttle);
    free(auth->cache);
    free(auth->forgotten);
    free(auth);
    return NULL;
}

/* ------------------------------------------------------------------ the cache */

void vr_auth_forget(struct vr_auth *auth, int64_t user_id)
{
    pthread_mutex_lock(&auth->lock);
    for (size_t i = 0; i < auth->used; i++) {
        if (auth->cache[i].who.id == user_id)
            memset(&auth->cache[i], 0, sizeof(auth->cache[i]));
    }
    auth->forgotten[auth->forgotten_count++ % FORGOTTEN_MAX] = user_id;
    pthread_mutex_unlock(&auth->lock);
}

/* Under lock. When too many were forgotten to tell, this one was. */
static bool was_forgotten_since(const struct vr_auth *auth, int64_t user_id, uint64_t since)
{
    if (auth->forgotten_count - since > FORGOTTEN_MAX)
        return true;
    for (uint64_t i = since; i < auth->forgotten_count; i++) {
        if (auth->forgotten[i % FORGOTTEN_MAX] == user_id)
            return true;
    }
    return false;
}

/* @out_since  to be given to remember(), should it come to that */
static bool remembered(struct vr_auth *auth, const char *hash, struct vr_who *out,
                       uint64_t *out_since)
{
    struct vr_mono now = vr_mono_now();
    bool found = false;

    pthread_mutex_lock(&auth->lock);
    *out_since = auth->forgotten_count;
    for (size_t i = 0; i < auth->used && !found; i++) {
        struct cached *c = &auth->cache[i];

        if (c->until.ns > now.ns && !strcmp(c->hash, hash)) {
            *out = c->who;
            found = true;
        }
    }
    pthread_mutex_unlock(&auth->lock);
    return found;
}

/* Nothing is kept of a check that began before the user changed: it may be of what was then. */
static void remember(struct vr_auth *auth, const char *hash, const struct vr_who *who,
                     uint64_t since)
{
    pthread_mutex_lock(&auth->lock);
    if (was_forgotten_since(auth, who->id, since)) {
        pthread_mutex_unlock(&auth->lock);
        return;
    }
    auth->cache[auth->next] = (struct cached){
        .who = *who, .until = vr_mono_add_ms(vr_mono_now(), VR_AUTH_CACHE_SECS * 1000)};
    snprintf(auth->cache[auth->next].hash, VR_HASH_SECRET_HEX, "%s", hash);
    if (auth->next == auth->used)
        auth->used++;
    auth->next = (auth->next + 1) % VR_AUTH_CACHE_MAX;
    pthread_mutex_unlock(&auth->lock);
}

/* ------------------------------------------------------------------ rights */

static int nobody(struct vr_err *err)
{
    return vr_fail(err, VR_DENIED, "user or password is wrong");
}

static int insist_on_active(const struct vr_user_row *user, struct vr_err *err)
{
    if (user->is_active)
        return 0;
    return vr_fail(err, VR_DENIED, "user '%s' is switched off", user->username);
}

/* All that the user may; who is a deployer of everything needs no grants. */
static int fill_who(struct vr_tx *tx, const struct vr_user_row *user, struct vr_who *out,
                    struct vr_err *err)
{
    VR_ROWS(grant) grants = {0};
    int r = 0;

    *out = (struct vr_who){.id = user->id, .role = vr_role_parse(user->role)};
    snprintf(out->username, sizeof(out->username), "%s", user->username);
    if (out->role < VR_ROLE_DEPLOYER)
        r = vr_store_grant_list(tx, user->id, &grants, err);
    for (size_t i = 0; i < grants.n && i < VR_WHO_GRANTS_MAX; i++)
        out->apps[out->app_count++] = grants.v[i].app_id;
    return r;
}

/* A token may no more than its role, and outside of its app no more than look. */
static void cap_who(struct vr_who *who, const struct vr_token_row *token)
{
    enum vr_role most = vr_role_parse(token->role);
    enum vr_role of_app = vr_who_role_for(who, token->app_id);

    who->is_capped =
        token->app_id || who->role > most || (who->app_count && most < VR_ROLE_DEPLOYER);
    if (token->app_id || most < VR_ROLE_DEPLOYER)
        who->app_count = 0;
    if (token->app_id && of_app >= VR_ROLE_DEPLOYER && most >= VR_ROLE_DEPLOYER)
        who->apps[who->app_count++] = token->app_id;
    if (token->app_id && who->role > VR_ROLE_VIEWER)
        who->role = VR_ROLE_VIEWER;
    if (who->role > most)
        who->role = most;
    who->token_id = token->id;
    snprintf(who->via, sizeof(who->via), "token %s", token->name);
}

/* ------------------------------------------------------------------ tokens */

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

int vr_auth_token(struct vr_auth *auth, const char *token, struct vr_who *out, struct vr_err *err)
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
        r = insist_on_active(&user, err);
    if (r == 0)
        r = fill_who(tx, &user, out, err);
    if (r < 0)
        return r;
    cap_who(out, &row);
    tx = vr_tx_free(tx);
    if (row.last_used_us + VR_AUTH_CACHE_SECS * VR_US_PER_S < vr_wall_now().us)
        note_use(auth, vr_store_token_used, row.id);
    return 0;
}

/* ------------------------------------------------------------------ sessions */

static void note_session(struct vr_auth *auth, const struct vr_session_row *row, struct vr_wall now)
{
    VR_OWNED(vr_tx_free) struct vr_tx *tx = NULL;
    int r = vr_store_begin(auth->store, VR_DB_WRITE, &tx, NULL);

    if (r == 0)
        r = vr_store_session_seen(tx, row->id, now, vr_session_expiry_us(row->created_us, now),
                                  NULL);
    if (r == 0)
        vr_ignore(vr_store_commit(tx, NULL, NULL), "the next request tries it again");
}

static int user_of_session(struct vr_auth *auth, const char *session, struct vr_who *out,
                           struct vr_err *err)
{
    VR_OWNED(vr_tx_free) struct vr_tx *tx = NULL;
    vr_auto_free char *sha256 = vr_session_sha256(session);
    struct vr_wall now = vr_wall_now();
    VR_ROW(session) row = {0};
    VR_ROW(user) user = {0};
    int r = vr_store_begin(auth->store, VR_DB_READ, &tx, err);

    if (r == 0)
        r = vr_store_session_find(tx, sha256, now, &row, err);
    if (r == -VR_NOT_FOUND)
        return vr_fail(err, VR_DENIED, "the session has ended: log in again");
    if (r == 0)
        r = vr_store_user_find_id(tx, row.user_id, &user, err);
    if (r == 0)
        r = insist_on_active(&user, err);
    if (r == 0)
        r = fill_who(tx, &user, out, err);
    if (r < 0)
        return r;
    out->session_id = row.id;
    out->session_ends_us = vr_session_expiry_us(row.created_us, now);
    snprintf(out->csrf, sizeof(out->csrf), "%s", row.csrf);
    snprintf(out->via, sizeof(out->via), "session");
    tx = vr_tx_free(tx);
    if (row.seen_us + VR_SESSION_SEEN_S * VR_US_PER_S < now.us)
        note_session(auth, &row, now);
    return 0;
}

/* ------------------------------------------------------------------ passwords */

/*
 * By what address failures of a request are counted; "": by none. Those who ask from this machine
 * itself have an account on it: to count them together would let any of them lock out all.
 */
static void find_address(const struct vr_auth *auth, const struct vr_http_req *req,
                         char out[VR_REMOTE_BYTES])
{
    vr_remote_of(auth->trusted, req, out);
    if (vr_str_has_prefix(out, "127.") || vr_streq(out, "::1"))
        *out = '\0';
}

/* A password that somebody says is theirs. All borrowed. */
struct attempt {
    const char *username;
    const char *password;
    char address[VR_REMOTE_BYTES]; /* "": not counted */
    int64_t *out_wait_s;
};

static int insist_on_wait(struct vr_auth *auth, const struct attempt *attempt, struct vr_err *err)
{
    int64_t wait_s =
        vr_throttle_wait_s(auth->throttle, attempt->username, attempt->address, vr_mono_now());

    if (!wait_s)
        return 0;
    *attempt->out_wait_s = wait_s;
    return vr_fail(err, VR_LIMIT, "too many wrong passwords: try again in %lld seconds",
                   (long long)wait_s);
}

/* vr_password_fits(), unless as many checks as there may be are under way. */
static int check_in_turn(struct vr_auth *auth, const char *hash, const struct attempt *attempt,
                         bool *out_right, struct vr_err *err)
{
    int r = 0;

    *attempt->out_wait_s = 1;
    if (atomic_fetch_add(&auth->verifying, 1) < VR_AUTH_VERIFY_MAX)
        *out_right = vr_password_fits(hash, attempt->password);
    else
        r = vr_fail(err, VR_LIMIT, "too many log-ins at once: try again in a second");
    atomic_fetch_sub(&auth->verifying, 1);
    return r;
}

/* An imported hash becomes one of ours as soon as the password is known. */
static void upgrade(struct vr_auth *auth, const struct vr_user_row *user, const char *password)
{
    VR_OWNED(vr_tx_free) struct vr_tx *tx = NULL;
    vr_auto_free char *hash = NULL;
    int r;

    if (!vr_password_is_old(user->password))
        return;
    r = vr_password_upgrade(password, &hash, NULL);
    if (r == 0)
        r = vr_store_begin(auth->store, VR_DB_WRITE, &tx, NULL);
    if (r == 0)
        r = vr_store_user_upgrade_password(tx, user->id, user->password, hash, NULL);
    if (r == 0)
        vr_ignore(vr_store_commit(tx, NULL, NULL), "the next log-in tries it again");
}

static int find_user(struct vr_auth *auth, const char *username, struct vr_user_row *user,
                     struct vr_who *out, struct vr_err *err)
{
    VR_OWNED(vr_tx_free) struct vr_tx *tx = NULL; /* ends before the slow part */
    int r = vr_store_begin(auth->store, VR_DB_READ, &tx, err);

    if (r == 0)
        r = vr_store_user_find(tx, username, user, err);
    return r < 0 ? r : fill_who(tx, user, out, err);
}

static int user_of_password(struct vr_auth *auth, const struct attempt *attempt, struct vr_who *out,
                            struct vr_err *err)
{
    VR_ROW(user) user = {0};
    struct vr_who who;
    bool is_known, right;
    int r = find_user(auth, attempt->username, &user, &who, err);

    is_known = r == 0;
    if (r < 0 && r != -VR_NOT_FOUND)
        return r;
    r = check_in_turn(auth, is_known ? user.password : auth->nobodys_password, attempt, &right,
                      err);
    if (r < 0)
        return r;
    if (!is_known || !right) {
        vr_throttle_failed(auth->throttle, attempt->username, attempt->address, vr_mono_now());
        return nobody(err);
    }
    vr_throttle_passed(auth->throttle, attempt->username, attempt->address);
    r = insist_on_active(&user, err);
    if (r < 0)
        return r;
    upgrade(auth, &user, attempt->password);
    note_use(auth, vr_store_user_logged_in, user.id);
    *out = who;
    return 0;
}

/* A pair of Basic comes with every request, so it is remembered. @pair  "username:password" */
static int user_of_pair(struct vr_auth *auth, const struct attempt *attempt, const char *pair,
                        struct vr_who *out, struct vr_err *err)
{
    char hash[VR_HASH_SECRET_HEX];
    uint64_t since;
    int r = insist_on_wait(auth, attempt, err);

    if (r < 0)
        return r;
    vr_hash_secret(auth->key, pair, strlen(pair), hash);
    if (remembered(auth, hash, out, &since))
        return 0;
    r = user_of_password(auth, attempt, out, err);
    if (r < 0)
        return r;
    snprintf(out->via, sizeof(out->via), "basic");
    remember(auth, hash, out, since);
    return 0;
}

/* A password may begin as tokens do, but hardly has their length and digits as well. */
static bool is_token(const char *text)
{
    return vr_str_has_prefix(text, "vr_") &&
           vr_str_is_made_of(text + 3, "0123456789abcdef", VR_AUTH_TOKEN_BYTES * 2,
                             VR_AUTH_TOKEN_BYTES * 2);
}

static int user_of_basic(struct vr_auth *auth, const struct vr_http_req *req, const char *encoded,
                         struct vr_who *out, int64_t *out_wait_s, struct vr_err *err)
{
    vr_auto_free char *pair = NULL;
    vr_auto_free char *username = NULL;
    size_t n = 0;
    const char *password;
    int r;

    r = strlen(encoded) > CREDENTIALS_BYTES
            ? -VR_LIMIT
            : vr_base64_decode(vr_str(encoded), (unsigned char **)&pair, &n, NULL);
    if (r < 0 || memchr(pair, '\0', n) || !(password = strchr(pair, ':')))
        return vr_fail(err, VR_DENIED, "the Authorization header is not Basic user:password");
    username = vr_strndup(pair, (size_t)(password - pair));
    password++;
    if (is_token(password)) {
        r = vr_auth_token(auth, password, out, err);
        if (r == 0 && !vr_streq(username, out->username))
            r = nobody(err);
    } else {
        struct attempt attempt = {
            .username = username, .password = password, .out_wait_s = out_wait_s};

        find_address(auth, req, attempt.address);
        r = user_of_pair(auth, &attempt, pair, out, err);
    }
    sodium_memzero(pair, n);
    return r;
}

int vr_auth_log_in(struct vr_auth *auth, const struct vr_http_req *req, const char *username,
                   const char *password, struct vr_who *out, int64_t *out_wait_s,
                   struct vr_err *err)
{
    struct attempt attempt = {.username = username, .password = password, .out_wait_s = out_wait_s};
    int r;

    find_address(auth, req, attempt.address);
    r = insist_on_wait(auth, &attempt, err);
    return r < 0 ? r : user_of_password(auth, &attempt, out, err);
}

/* ------------------------------------------------------------------ a request */

int vr_auth_user(struct vr_auth *auth, const struct vr_http_req *req, struct vr_who *out,
                 int64_t *out_wait_s, struct vr_err *err)
{
    const char *header = vr_http_req_header(req, "authorization");
    char session[VR_SESSION_HEX];

    if (!header && vr_session_cookie(req, session))
        return user_of_session(auth, session, out, err);
    if (!header)
        return vr_fail(err, VR_DENIED, "log in: there is no Authorization header");
    if (!strncasecmp(header, "basic ", 6))
        return user_of_basic(auth, req, header + 6, out, out_wait_s, err);
    if (!strncasecmp(header, "bearer ", 7))
        return vr_auth_token(auth, header + 7, out, err);
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

/* ------------------------------------------------------------------ making tokens */

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
