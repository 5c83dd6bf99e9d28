/* SPDX-License-Identifier: MIT */
/* Who is asking, over real HTTP: passwords, tokens, what is remembered and forgotten. */
#include "core/clock.h"
#include "server/server_fixture.h"
#include "store/token.h"

#include <pthread.h>

#define WHOAMI  "/api/v1/whoami/"
#define RIG_ANN 1 /* id of the user that a rig begins with */

static int ask(struct rig *r, const char *user, const char *password)
{
    return rig_call(r, (struct vr_http_call){.user = user, .password = password}, WHOAMI);
}

/* A token of a user; given. */
static char *make_token(struct rig *r, int64_t user, int64_t expires_us)
{
    VR_OWNED(vr_tx_free) struct vr_tx *tx = NULL;
    vr_auto_free char *token = NULL;
    vr_auto_free char *sha256 = NULL;
    struct vr_token_row row = {
        .user_id = user, .name = (char *)"ci", .created_us = 1, .expires_us = expires_us};
    int64_t id;

    vr_auth_make_token(&token, &sha256);
    row.token_sha256 = sha256;
    if (vr_store_begin(r->server.store, VR_DB_WRITE, &tx, &r->err) < 0 ||
        vr_store_token_insert(tx, &row, &id, &r->err) < 0 || vr_store_commit(tx, NULL, &r->err) < 0)
        return NULL;
    return vr_take(token);
}

/* Change a user's row, as the API does but for forgetting. */
static bool change_user(struct rig *r, const char *name, const char *password, bool is_active)
{
    VR_OWNED(vr_tx_free) struct vr_tx *tx = NULL;
    VR_ROW(user) row = {0};

    if (vr_store_begin(r->server.store, VR_DB_WRITE, &tx, &r->err) < 0 ||
        vr_store_user_find(tx, name, &row, &r->err) < 0)
        return false;
    row.is_active = is_active;
    if (password) {
        free(row.password);
        row.password = NULL;
        if (vr_password_hash(password, &row.password, &r->err) < 0)
            return false;
    }
    return vr_store_user_update(tx, &row, &r->err) == 0 && vr_store_commit(tx, NULL, &r->err) == 0;
}

TEST(auth__nobody__is_asked_to_log_in)
{
    RIG(r);

    CHECK(rig_start(&r));
    CHECK(rig_get(&r, WHOAMI, NULL) == 401);
    CHECK_STR(vr_http_result_header(&r.last, "www-authenticate"), "Basic realm=\"velociraptor\"");
    CHECK(rig_says(&r, "there is no Authorization header"));
}

TEST(auth__the_right_password__is_let_in)
{
    RIG(r);

    CHECK(rig_start(&r));
    CHECK(ask(&r, "ann", RIG_PASSWORD) == 200);
    CHECK(strstr(r.last.body, "ann") != NULL);
}

TEST(auth__a_wrong_password_or_user__says_the_same)
{
    RIG(r);
    vr_auto_free char *first = NULL;

    CHECK(rig_start(&r));
    CHECK(ask(&r, "ann", "wrong password") == 401);
    first = vr_strdup(r.last.body);
    CHECK(ask(&r, "nobody", RIG_PASSWORD) == 401);
    CHECK_STR(r.last.body, first);
}

/* The quickest of some refusals, in nanoseconds: the least that one costs. */
static int64_t cost_of_refusal(struct rig *r, const char *user)
{
    int64_t least = INT64_MAX;

    for (int i = 0; i < 5; i++) {
        struct vr_mono begin = vr_mono_now();
        int64_t ns;

        if (ask(r, user, "wrong password") != 401)
            return -1;
        ns = vr_mono_now().ns - begin.ns;
        least = ns < least ? ns : least;
    }
    return least;
}

TEST(auth__an_unknown_user__costs_as_much_as_a_wrong_password)
{
    RIG(r);
    int64_t known, unknown;

    CHECK(rig_start(&r));
    known = cost_of_refusal(&r, "ann");
    unknown = cost_of_refusal(&r, "nobody");
    CHECK(known > 0 && unknown > known / 4); /* unchecked it would be a hundredth */
}

TEST(auth__what_is_no_credential__is_refused)
{
    static const char *const bad[] = {"Authorization: Basic ***",      "Authorization: Basic YW5u",
                                      "Authorization: Basic YW5uOgBh", "Authorization: Digest x",
                                      "Authorization: Basic",          "Authorization: Bearer"};
    RIG(r);

    CHECK(rig_start(&r));
    for (size_t i = 0; i < VR_COUNT(bad); i++) {
        const char *headers[] = {bad[i], NULL};

        CHECK(rig_call(&r, (struct vr_http_call){.headers = headers}, WHOAMI) == 401);
    }
}

TEST(auth__a_token__serves_as_bearer_and_as_password)
{
    RIG(r);
    vr_auto_free char *token = NULL;

    CHECK(rig_start(&r));
    token = make_token(&r, 1, 0);
    CHECK(token != NULL);
    CHECK(rig_call(&r, (struct vr_http_call){.bearer = token}, WHOAMI) == 200);
    CHECK(ask(&r, "ann", token) == 200);
    CHECK(ask(&r, "bob", token) == 401);
}

TEST(auth__a_token_that_is_over__is_refused)
{
    RIG(r);
    vr_auto_free char *token = NULL;

    CHECK(rig_start(&r));
    token = make_token(&r, 1, 1);
    CHECK(token != NULL);
    CHECK(rig_call(&r, (struct vr_http_call){.bearer = token}, WHOAMI) == 401);
}

TEST(auth__a_password_that_begins_as_a_token__is_a_password)
{
    RIG(r);

    CHECK(rig_start(&r));
    CHECK(change_user(&r, "ann", "vr_is our platform", true));
    CHECK(ask(&r, "ann", "vr_is our platform") == 200);
}

TEST(auth__a_verified_pair__is_remembered_until_a_user_changes)
{
    RIG(r);

    CHECK(rig_start(&r));
    CHECK(ask(&r, "ann", RIG_PASSWORD) == 200);
    CHECK(change_user(&r, "ann", "another password", true));
    CHECK(ask(&r, "ann", RIG_PASSWORD) == 200);
    vr_auth_forget(r.server.auth, RIG_ANN);
    CHECK(ask(&r, "ann", RIG_PASSWORD) == 401);
    CHECK(ask(&r, "ann", "another password") == 200);
}

TEST(auth__what_was_remembered_of_others__outlives_the_change_of_a_user)
{
    int64_t bob;
    RIG(r);

    CHECK(rig_start(&r) && rig_add_user(&r, "bob", "viewer", &bob) == 0);
    CHECK(ask(&r, "ann", RIG_PASSWORD) == 200);
    CHECK(ask(&r, "bob", RIG_PASSWORD) == 200);
    CHECK(change_user(&r, "ann", "another password", true));
    vr_auth_forget(r.server.auth, bob);
    CHECK(ask(&r, "ann", RIG_PASSWORD) == 200);
    CHECK(change_user(&r, "bob", "another password", true));
    CHECK(ask(&r, "bob", RIG_PASSWORD) == 401);
}

TEST(auth__a_refused_change__forgets_nobody)
{
    RIG(r);

    CHECK(rig_start(&r));
    CHECK(ask(&r, "ann", RIG_PASSWORD) == 200);
    CHECK(change_user(&r, "ann", "another password", true));
    CHECK(rig_send(&r, "PATCH", "/api/v1/user/1/", "ann", "{\"role\": \"viewer\"}") == 409);
    CHECK(rig_send(&r, "PATCH", "/api/v1/user/1/", "ann", "{\"role\": \"king\"}") == 400);
    CHECK(ask(&r, "ann", RIG_PASSWORD) == 200);
    CHECK(rig_send(&r, "PATCH", "/api/v1/user/1/", "ann", "{\"first_name\": \"Ann\"}") == 202);
    CHECK(ask(&r, "ann", RIG_PASSWORD) == 401);
}

TEST(auth__a_user_who_is_switched_off__is_refused)
{
    RIG(r);

    CHECK(rig_start(&r));
    CHECK(change_user(&r, "ann", NULL, false));
    CHECK(ask(&r, "ann", RIG_PASSWORD) == 401);
    CHECK(rig_says(&r, "switched off"));
}

struct attempt {
    struct rig *rig;
    int number;
    int status;
};

static void *log_in(void *arg)
{
    struct attempt *a = arg;
    VR_OWNED(vr_http_client_free) struct vr_http_client *client = vr_http_client_new();
    vr_auto_free char *url = vr_strf("%s" WHOAMI, a->rig->base);
    vr_auto_free char *name = vr_strf("guest%d", a->number); /* one's own: none is made to wait */
    struct vr_http_call call = {.url = url, .user = name, .password = "wrong password"};
    struct vr_http_result result = {0};

    a->status = vr_http_call(client, &call, &result, NULL) < 0 ? -1 : result.status;
    vr_http_result_fini(&result);
    return NULL;
}

/* Sixteen guesses at once: how many of them were told to wait, -1 if one was answered otherwise. */
static int guess_at_once(struct rig *r, int round)
{
    struct attempt attempts[16];
    pthread_t threads[VR_COUNT(attempts)];
    size_t n = 0;
    int limited = 0;

    for (; n < VR_COUNT(attempts); n++) {
        attempts[n] = (struct attempt){.rig = r, .number = round * 100 + (int)n};
        if (pthread_create(&threads[n], NULL, log_in, &attempts[n]) != 0)
            break;
    }
    for (size_t i = 0; i < n; i++) {
        pthread_join(threads[i], NULL);
        if (attempts[i].status != 401 && attempts[i].status != 429)
            limited = -1;
        else if (limited >= 0)
            limited += attempts[i].status == 429;
    }
    return limited;
}

/* Connections may all fall to the same thread of the server: then they are tried again. */
TEST(auth__more_log_ins_at_once_than_may_be_checked__are_told_to_wait)
{
    RIG(r);
    int limited = 0;

    CHECK(rig_start(&r));
    for (int i = 0; i < 20 && limited == 0; i++)
        limited = guess_at_once(&r, i);
    CHECK(limited > 0);
}

TEST(auth_status__of_each_failure__is_the_apis)
{
    CHECK(vr_auth_status(-VR_DENIED) == 401);
    CHECK(vr_auth_status(-VR_LIMIT) == 429);
    CHECK(vr_auth_status(-VR_BUSY) == 503);
    CHECK(vr_auth_status(-VR_IO) == 503);
}
