/* SPDX-License-Identifier: MIT */
/* Sessions over HTTP: logging in and out, what keeps other sites out, what ends a session. */
#include "server/session.h"

#include "core/clock.h"
#include "server/stream_fixture.h"
#include "store/session.h"

#define SESSION "/api/v1/session/"
#define WHOAMI  "/api/v1/whoami/"
#define JSON    "Content-Type: application/json"
#define FORM    "Content-Type: application/x-www-form-urlencoded"
#define LOGIN   "{\"username\": \"ann\", \"password\": \"" RIG_PASSWORD "\"}"

/* ------------------------------------------------------------------ a browser */

/* Its cookies, as it sends them. */
struct browser {
    char cookie[256];
    char csrf[128];
};

static int send(struct rig *r, const char *method, const char *path, const char *const *headers,
                const char *body)
{
    return rig_call(r, (struct vr_http_call){.method = method, .headers = headers, .body = body},
                    path);
}

/* The value of a Set-Cookie of the newest answer; given, NULL if there is none. */
static char *cookie_of(struct rig *r, const char *name)
{
    vr_auto_free char *prefix = vr_strf("set-cookie: %s=", name);

    for (size_t i = 0; i < r->last.header_count; i++) {
        const char *line = r->last.headers[i];

        if (vr_str_has_prefix(line, prefix))
            return vr_strndup(line + strlen(prefix), strcspn(line + strlen(prefix), ";"));
    }
    return NULL;
}

/* Keep the cookies of the newest answer. */
static bool keep_cookies(struct rig *r, struct browser *b)
{
    vr_auto_free char *session = cookie_of(r, VR_SESSION_COOKIE);
    vr_auto_free char *csrf = cookie_of(r, VR_SESSION_CSRF);

    if (!session || !csrf)
        return false;
    snprintf(b->cookie, sizeof(b->cookie), "Cookie: a=1; %s=%s; %s=%s", VR_SESSION_COOKIE, session,
             VR_SESSION_CSRF, csrf);
    snprintf(b->csrf, sizeof(b->csrf), "X-CSRFToken: %s", csrf);
    return true;
}

static bool log_in(struct rig *r, struct browser *b)
{
    const char *headers[] = {JSON, NULL};

    return send(r, "POST", SESSION, headers, LOGIN) == 201 && keep_cookies(r, b);
}

static int get(struct rig *r, const struct browser *b, const char *path)
{
    const char *headers[] = {b->cookie, NULL};

    return send(r, "GET", path, headers, NULL);
}

static int change(struct rig *r, const struct browser *b, const char *method, const char *path,
                  const char *body)
{
    const char *headers[] = {b->cookie, b->csrf, JSON, NULL};

    return send(r, method, path, headers, body);
}

/* The whole Set-Cookie line of the newest answer. */
static bool sets_cookie(struct rig *r, const char *name, const char *mark)
{
    vr_auto_free char *prefix = vr_strf("set-cookie: %s=", name);

    for (size_t i = 0; i < r->last.header_count; i++)
        if (vr_str_has_prefix(r->last.headers[i], prefix))
            return strstr(r->last.headers[i], mark) != NULL;
    return false;
}

/* ------------------------------------------------------------------ in and out */

TEST(session__a_log_in__gives_two_cookies_and_says_who)
{
    RIG(r);
    struct browser b;

    CHECK(rig_start(&r));
    CHECK(log_in(&r, &b));
    CHECK(strstr(r.last.body, "\"username\":\"ann\"") != NULL);
    CHECK(strstr(r.last.body, "\"session_ends\":\"2") != NULL);
    CHECK(sets_cookie(&r, VR_SESSION_COOKIE, "HttpOnly"));
    CHECK(!sets_cookie(&r, VR_SESSION_CSRF, "HttpOnly"));
    CHECK(sets_cookie(&r, VR_SESSION_COOKIE, "SameSite=Lax"));
    CHECK(sets_cookie(&r, VR_SESSION_COOKIE, "Path=/;"));
    CHECK(!sets_cookie(&r, VR_SESSION_COOKIE, "Secure"));
    CHECK(get(&r, &b, SESSION) == 200);
    CHECK(strstr(r.last.body, "\"via\":\"session\"") != NULL);
    CHECK(get(&r, &b, "/api/v1/apps/") == 200);
}

TEST(session__over_tls__its_cookies_are_secure)
{
    const char *headers[] = {JSON, "X-Forwarded-Proto: https", NULL};
    RIG(r);

    CHECK(rig_start(&r));
    CHECK(vr_cidr_parse("127.0.0.0/8 ::1", &r.server.config.trusted, NULL) == 0);
    CHECK(send(&r, "POST", SESSION, headers, LOGIN) == 201);
    CHECK(sets_cookie(&r, VR_SESSION_COOKIE, "; Secure"));
    CHECK(sets_cookie(&r, VR_SESSION_CSRF, "; Secure"));
}

TEST(session__tls_of_whom_nobody_trusts__is_not_believed)
{
    const char *headers[] = {JSON, "X-Forwarded-Proto: https", NULL};
    RIG(r);

    CHECK(rig_start(&r));
    CHECK(vr_cidr_parse("192.0.2.0/24", &r.server.config.trusted, NULL) == 0);
    CHECK(send(&r, "POST", SESSION, headers, LOGIN) == 201);
    CHECK(!sets_cookie(&r, VR_SESSION_COOKIE, "; Secure"));
}

TEST(session__a_log_out__ends_it_on_the_server)
{
    RIG(r);
    struct browser b;

    CHECK(rig_start(&r));
    CHECK(log_in(&r, &b));
    CHECK(change(&r, &b, "DELETE", SESSION, NULL) == 204);
    CHECK(sets_cookie(&r, VR_SESSION_COOKIE, "Max-Age=0"));
    CHECK(get(&r, &b, WHOAMI) == 401);
    CHECK(rig_says(&r, "the session has ended"));
    CHECK_STR(vr_http_result_header(&r.last, "www-authenticate"), "Session realm=\"velociraptor\"");
}

TEST(session__a_log_out__ends_its_streams)
{
    RIG(r);
    struct browser b;
    struct reader d = {0};
    bool ended;

    CHECK(rig_start(&r));
    CHECK(log_in(&r, &b));
    CHECK(reader_start_with(&d, &r, "/api/v1/stream/", NULL, NULL, b.cookie));
    ended = reader_await(&d, "event: beat") && change(&r, &b, "DELETE", SESSION, NULL) == 204 &&
            reader_await(&d, NULL);
    reader_end(&d);
    CHECK(ended);
}

TEST(session__a_log_in_that_is_none__is_refused)
{
    const char *json[] = {JSON, NULL};
    const char *text[] = {"Content-Type: text/plain", NULL};
    const char *form[] = {FORM, NULL};
    RIG(r);

    CHECK(rig_start(&r));
    CHECK(send(&r, "POST", SESSION, json, "{\"username\": \"ann\", \"password\": \"x\"}") == 401);
    CHECK(rig_says(&r, "user or password is wrong"));
    CHECK(!cookie_of(&r, VR_SESSION_COOKIE));
    CHECK(send(&r, "POST", SESSION, json, "{\"username\": \"ann\"}") == 400);
    CHECK(send(&r, "POST", SESSION, json, "{\"username\": 1, \"password\": []}") == 400);
    CHECK(send(&r, "POST", SESSION, json, "{}") == 400);
    CHECK(send(&r, "POST", SESSION, json, NULL) == 400);
    CHECK(send(&r, "POST", SESSION, json, "[") == 400);
    CHECK(send(&r, "POST", SESSION, text, LOGIN) == 415);
    CHECK(send(&r, "POST", SESSION, form, "username=ann&password=correct+horse") == 415);
}

TEST(session__a_cookie_that_is_garbage__is_no_login)
{
    static const char *const bad[] = {
        "Cookie: vr_session",
        "Cookie: vr_session=",
        "Cookie: vr_session=x",
        "Cookie: =;;;=; vr_session=;",
        "Cookie: vr_session=000000000000000000000000000000000000000000000000",
        "Cookie: vr_session=00000000000000000000000000000000000000000000000' OR 1",
        "Cookie: xvr_session=000000000000000000000000000000000000000000000000",
        "Cookie: \xff\xfe vr_session=\"a\"",
    };
    RIG(r);

    CHECK(rig_start(&r));
    for (size_t i = 0; i < VR_COUNT(bad); i++) {
        const char *headers[] = {bad[i], NULL};

        CHECK(send(&r, "GET", WHOAMI, headers, NULL) == 401);
    }
}

TEST(session__credentials_in_the_header__go_before_the_cookie)
{
    RIG(r);
    struct browser b;
    const char *headers[] = {b.cookie, JSON, NULL};
    int64_t id;

    CHECK(rig_start(&r));
    CHECK(rig_add_user(&r, "vic", "viewer", &id) == 0);
    CHECK(log_in(&r, &b));
    CHECK(
        rig_call(&r,
                 (struct vr_http_call){.user = "vic", .password = RIG_PASSWORD, .headers = headers},
                 WHOAMI) == 200);
    CHECK(strstr(r.last.body, "\"username\":\"vic\"") != NULL);
}

/* ------------------------------------------------------------------ other sites */

TEST(session__a_change__needs_the_csrf_token)
{
    RIG(r);
    struct browser b, other;
    const char *none[] = {b.cookie, JSON, NULL};
    const char *wrong[] = {b.cookie, "X-CSRFToken: x", JSON, NULL};
    const char *empty[] = {b.cookie, "X-CSRFToken;", JSON, NULL};
    const char *foreign[] = {b.cookie, other.csrf, JSON, NULL};

    CHECK(rig_start(&r));
    CHECK(log_in(&r, &b) && log_in(&r, &other));
    CHECK(send(&r, "POST", "/api/v1/apps/", none, "{}") == 403);
    CHECK(rig_says(&r, "X-CSRFToken"));
    CHECK(send(&r, "POST", "/api/v1/apps/", wrong, "{}") == 403);
    CHECK(send(&r, "POST", "/api/v1/apps/", empty, "{}") == 403);
    CHECK(send(&r, "POST", "/api/v1/apps/", foreign, "{}") == 403);
    CHECK(send(&r, "DELETE", SESSION, none, NULL) == 403);
    CHECK(change(&r, &b, "POST", "/api/v1/apps/", "{}") == 400);
    CHECK(get(&r, &b, WHOAMI) == 200);
}

TEST(session__an_override_of_the_method__needs_it_as_well)
{
    RIG(r);
    struct browser b;
    const char *headers[] = {b.cookie, JSON, "X-HTTP-Method-Override: GET", NULL};

    CHECK(rig_start(&r));
    CHECK(log_in(&r, &b));
    CHECK(send(&r, "POST", WHOAMI, headers, "{}") == 403);
}

TEST(session__a_page_of_another_site__is_refused_even_with_the_token)
{
    static const char *const foreign[] = {"Origin: https://evil.example", "Origin: null",
                                          "Origin: http://127.0.0.1:1", "Origin: x",
                                          "Sec-Fetch-Site: cross-site"};
    RIG(r);
    struct browser b;

    CHECK(rig_start(&r));
    CHECK(log_in(&r, &b));
    for (size_t i = 0; i < VR_COUNT(foreign); i++) {
        const char *headers[] = {b.cookie, b.csrf, JSON, foreign[i], NULL};
        const char *login[] = {JSON, foreign[i], NULL};

        CHECK(send(&r, "POST", "/api/v1/apps/", headers, "{}") == 403);
        CHECK(rig_says(&r, "another site"));
        CHECK(send(&r, "POST", SESSION, login, LOGIN) == 403);
    }
}

TEST(basic__that_a_browser_adds__opens_no_websocket_for_another_site)
{
    const char *headers[] = {
        "Upgrade: websocket",           "Connection: Upgrade",
        "Sec-WebSocket-Version: 13",    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
        "Origin: https://evil.example", NULL};
    struct vr_http_call call = {
        .user = "ann", .password = RIG_PASSWORD, .headers = headers, .timeout_ms = 2000};
    RIG(r);

    CHECK(rig_start(&r));
    CHECK(rig_call(&r, call, "/api/v1/stream/") == 403);
    CHECK(rig_says(&r, "another site"));
}

TEST(session__our_own_page__may)
{
    RIG(r);
    struct browser b;
    vr_auto_free char *origin = NULL;

    CHECK(rig_start(&r));
    CHECK(log_in(&r, &b));
    origin = vr_strf("Origin: %s", r.base);
    {
        const char *headers[] = {b.cookie, b.csrf, JSON, origin, "Sec-Fetch-Site: same-origin",
                                 NULL};

        CHECK(send(&r, "POST", "/api/v1/apps/", headers, "{}") == 400);
    }
}

/* ------------------------------------------------------------------ the form */

TEST(login__a_form__leads_on_and_a_wrong_one_back)
{
    const char *headers[] = {FORM, NULL};
    RIG(r);
    struct browser b;

    CHECK(rig_start(&r));
    CHECK(send(&r, "POST", "/login/", headers, "username=ann&password=correct+horse") == 302);
    CHECK_STR(vr_http_result_header(&r.last, "location"), "/");
    CHECK(keep_cookies(&r, &b));
    CHECK(get(&r, &b, WHOAMI) == 200);
    CHECK(send(&r, "POST", "/login/", headers,
               "username=ann&password=correct+horse&next=%2Fswarms%2F5%3Fa%3D1") == 302);
    CHECK_STR(vr_http_result_header(&r.last, "location"), "/swarms/5?a=1");
    CHECK(send(&r, "POST", "/login/", headers, "username=ann&password=x") == 302);
    CHECK_STR(vr_http_result_header(&r.last, "location"), "/login/?error=1");
    CHECK(send(&r, "POST", "/login/", headers, "") == 302);
    CHECK(!cookie_of(&r, VR_SESSION_COOKIE));
    CHECK(send(&r, "POST", "/login/", headers, "username=%zz") == 400);
}

TEST(login__a_next_of_another_host__leads_home)
{
    static const char *const bad[] = {"https%3A%2F%2Fevil.example",
                                      "%2F%2Fevil.example",
                                      "%2F%5Cevil.example",
                                      "%2F%09%2Fevil.example",
                                      "evil",
                                      "%2F%0d%0aSet-Cookie%3A+a",
                                      "javascript%3Aalert(1)"};
    const char *headers[] = {FORM, NULL};
    RIG(r);

    CHECK(rig_start(&r));
    for (size_t i = 0; i < VR_COUNT(bad); i++) {
        vr_auto_free char *body = vr_strf("username=ann&password=correct+horse&next=%s", bad[i]);

        CHECK(send(&r, "POST", "/login/", headers, body) == 302);
        CHECK_STR(vr_http_result_header(&r.last, "location"), "/");
    }
}

TEST(login__a_form_of_another_site_or_no_form__is_refused)
{
    const char *foreign[] = {FORM, "Origin: https://evil.example", NULL};
    const char *json[] = {JSON, NULL};
    RIG(r);

    CHECK(rig_start(&r));
    CHECK(send(&r, "POST", "/login/", foreign, "username=ann&password=correct+horse") == 403);
    CHECK(send(&r, "POST", "/login/", json, LOGIN) == 415);
}

TEST(logout__of_a_browser__ends_the_session_unless_another_site_asks)
{
    RIG(r);
    struct browser b;
    const char *foreign[] = {b.cookie, "Sec-Fetch-Site: cross-site", NULL};

    CHECK(rig_start(&r));
    CHECK(log_in(&r, &b));
    CHECK(send(&r, "GET", "/logout/", foreign, NULL) == 403);
    CHECK(get(&r, &b, WHOAMI) == 200);
    CHECK(get(&r, &b, "/logout/") == 302);
    CHECK_STR(vr_http_result_header(&r.last, "location"), "/login/");
    CHECK(get(&r, &b, WHOAMI) == 401);
    CHECK(get(&r, &b, "/logout/") == 302);
}

/* ------------------------------------------------------------------ what ends it */

TEST(session__a_new_password__ends_the_others_but_not_this_one)
{
    RIG(r);
    struct browser here, there;

    CHECK(rig_start(&r));
    CHECK(log_in(&r, &here) && log_in(&r, &there));
    CHECK(change(&r, &here, "POST", "/api/v1/user/1/password/",
                 "{\"old\": \"wrong password\", \"new\": \"battery staple\"}") == 400);
    CHECK(get(&r, &there, WHOAMI) == 200);
    CHECK(change(&r, &here, "POST", "/api/v1/user/1/password/",
                 "{\"old\": \"" RIG_PASSWORD "\", \"new\": \"battery staple\"}") == 204);
    CHECK(get(&r, &here, WHOAMI) == 200);
    CHECK(get(&r, &there, WHOAMI) == 401);
}

TEST(session__of_a_user_who_is_switched_off__is_over_for_good)
{
    RIG(r);
    struct browser b, admin;
    const char *headers[] = {JSON, NULL};
    int64_t id;

    CHECK(rig_start(&r));
    CHECK(rig_add_user(&r, "vic", "viewer", &id) == 0);
    CHECK(log_in(&r, &admin));
    CHECK(send(&r, "POST", SESSION, headers,
               "{\"username\": \"vic\", \"password\": \"" RIG_PASSWORD "\"}") == 201);
    CHECK(keep_cookies(&r, &b));
    CHECK(change(&r, &admin, "PATCH", "/api/v1/user/2/", "{\"is_active\": false}") == 202);
    CHECK(get(&r, &b, WHOAMI) == 401);
    CHECK(send(&r, "POST", SESSION, headers,
               "{\"username\": \"vic\", \"password\": \"" RIG_PASSWORD "\"}") == 401);
    CHECK(change(&r, &admin, "PATCH", "/api/v1/user/2/", "{\"is_active\": true}") == 202);
    CHECK(get(&r, &b, WHOAMI) == 401);
}

TEST(session__all_of_a_user__are_ended_by_them_or_an_admin)
{
    RIG(r);
    struct browser b, admin;
    const char *headers[] = {JSON, NULL};
    int64_t id;

    CHECK(rig_start(&r));
    CHECK(rig_add_user(&r, "vic", "viewer", &id) == 0);
    CHECK(log_in(&r, &admin));
    CHECK(send(&r, "POST", SESSION, headers,
               "{\"username\": \"vic\", \"password\": \"" RIG_PASSWORD "\"}") == 201);
    CHECK(keep_cookies(&r, &b));
    CHECK(change(&r, &b, "DELETE", "/api/v1/user/1/sessions/", NULL) == 403);
    CHECK(change(&r, &admin, "DELETE", "/api/v1/user/2/sessions/", NULL) == 204);
    CHECK(get(&r, &b, WHOAMI) == 401);
    CHECK(change(&r, &admin, "DELETE", "/api/v1/user/1/sessions/", NULL) == 204);
    CHECK(get(&r, &admin, WHOAMI) == 401);
}

/* A session of ann that was begun and used so many seconds ago; the status that it gets now. */
static int use_old(struct rig *r, int64_t begun_s, int64_t used_s)
{
    VR_OWNED(vr_tx_free) struct vr_tx *tx = NULL;
    VR_ROW(session) row = {0};
    vr_auto_free char *sha256 = NULL;
    struct vr_wall begun = {vr_wall_now().us - begun_s * VR_US_PER_S};
    struct vr_wall used = {vr_wall_now().us - used_s * VR_US_PER_S};
    struct vr_session_keys keys;
    struct browser b = {.csrf = ""};

    if (vr_store_begin(r->server.store, VR_DB_WRITE, &tx, &r->err) < 0 ||
        vr_session_start(tx, 1, "", begun, &keys, &r->err) < 0)
        return -1;
    sha256 = vr_session_sha256(keys.session);
    if (vr_store_session_find(tx, sha256, begun, &row, &r->err) < 0 ||
        vr_store_session_seen(tx, row.id, used, vr_session_expiry_us(begun.us, used), &r->err) <
            0 ||
        vr_store_commit(tx, NULL, &r->err) < 0)
        return -1;
    snprintf(b.cookie, sizeof(b.cookie), "Cookie: %s=%s", VR_SESSION_COOKIE, keys.session);
    return get(r, &b, WHOAMI);
}

TEST(session__without_use__ends_after_twelve_hours_and_with_it_after_seven_days)
{
    RIG(r);

    CHECK(rig_start(&r));
    CHECK(use_old(&r, 11 * 3600, 11 * 3600) == 200);
    CHECK(use_old(&r, 12 * 3600 + 1, 12 * 3600 + 1) == 401);
    CHECK(use_old(&r, 7 * 86400 - 60, 60) == 200);
    CHECK(use_old(&r, 7 * 86400 + 1, 60) == 401);
}

TEST(session_expiry__of_each_use__slides_up_to_the_last_day)
{
    struct vr_wall at = {VR_SESSION_MAX_S * VR_US_PER_S};

    CHECK(vr_session_expiry_us(0, (struct vr_wall){0}) == VR_SESSION_IDLE_S * VR_US_PER_S);
    CHECK(vr_session_expiry_us(0, at) == VR_SESSION_MAX_S * VR_US_PER_S);
}

/* ------------------------------------------------------------------ waiting */

TEST(login__after_five_wrong_passwords__waits_whatever_comes)
{
    const char *json[] = {JSON, NULL};
    const char *form[] = {FORM, NULL};
    RIG(r);
    struct browser b;

    CHECK(rig_start(&r));
    CHECK(log_in(&r, &b));
    for (int i = 0; i < 5; i++)
        CHECK(send(&r, "POST", SESSION, json,
                   "{\"username\": \"ann\", \"password\": \"wrong password\"}") == 401);
    CHECK(send(&r, "POST", SESSION, json, LOGIN) == 429);
    CHECK(rig_says(&r, "too many wrong passwords: try again in 30 seconds"));
    CHECK_STR(vr_http_result_header(&r.last, "retry-after"), "30");
    CHECK(rig_get(&r, WHOAMI, "ann") == 429);
    CHECK(send(&r, "POST", "/login/", form, "username=ann&password=correct+horse") == 302);
    CHECK(vr_str_has_prefix(vr_http_result_header(&r.last, "location"),
                            "/login/?error=wait&seconds="));
    CHECK(get(&r, &b, WHOAMI) == 200); /* who is logged in stays so */
}

TEST(login__from_an_address_that_failed__waits_for_every_user)
{
    const char *there[] = {JSON, "X-Forwarded-For: 10.9.9.9", NULL};
    const char *here[] = {JSON, "X-Forwarded-For: 10.9.9.8", NULL};
    RIG(r);

    CHECK(rig_start(&r));
    CHECK(vr_cidr_parse("127.0.0.0/8", &r.server.config.trusted, NULL) == 0);
    for (int i = 0; i < 5; i++) {
        vr_auto_free char *body =
            vr_strf("{\"username\": \"guest%d\", \"password\": \"wrong password\"}", i);

        CHECK(send(&r, "POST", SESSION, there, body) == 401);
    }
    CHECK(send(&r, "POST", SESSION, there, LOGIN) == 429);
    CHECK(send(&r, "POST", SESSION, here, LOGIN) == 201);
}
