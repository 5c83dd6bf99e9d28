/* SPDX-License-Identifier: MIT */
/*
 * Logging in and out: as JSON for a page's script, as a form as the original had it.
 *
 * A session is not written through vr_write_run(): nothing of the platform changes, and its answer
 * carries cookies. That somebody logged in is seen in the audit log.
 */
#include "server/session.h"

#include "server/api/account.h"
#include "server/auth.h"
#include "server/remote.h"
#include "server/route.h"
#include "store/session.h"

#include <inttypes.h>

#define LOGIN_PAGE "/login/"

/* ------------------------------------------------------------------ beginning and ending */

/* Check the password and begin a session; errors as vr_auth_log_in() has them. */
static int begin(struct vr_call *call, const char *username, const char *password,
                 struct vr_session_keys *out, int64_t *out_wait_s, struct vr_err *err)
{
    VR_OWNED(vr_tx_free) struct vr_tx *tx = NULL;
    char remote[VR_REMOTE_BYTES];
    int r = vr_auth_log_in(call->server->auth, call->req, username, password, &call->who,
                           out_wait_s, err);

    if (r == -VR_DENIED)
        vr_audit_login_failed(call->server, call->req, username, err->msg);
    if (r == 0)
        r = vr_store_begin(call->server->store, VR_DB_WRITE, &tx, err);
    vr_remote_of(&call->server->config.trusted, call->req, remote);
    if (r == 0)
        r = vr_session_start(tx, call->who.id, remote, call->now, out, err);
    if (r == 0)
        r = vr_audit_session(call->server, call->req, tx, &call->who, "login", err);
    if (r == 0)
        r = vr_store_commit(tx, NULL, err);
    call->who.session_ends_us = vr_session_expiry_us(call->now.us, call->now);
    return r;
}

/* End the session of the request, if it has one. */
static int end(struct vr_call *call, struct vr_err *err)
{
    VR_OWNED(vr_tx_free) struct vr_tx *tx = NULL;
    int r;

    if (!call->who.session_id)
        return 0;
    r = vr_store_begin(call->server->store, VR_DB_WRITE, &tx, err);
    if (r == 0)
        r = vr_store_session_delete(tx, call->who.session_id, err);
    if (r == 0)
        r = vr_audit_session(call->server, call->req, tx, &call->who, "logout", err);
    return r < 0 ? r : vr_store_commit(tx, NULL, err);
}

/* ------------------------------------------------------------------ as JSON */

static int log_in(struct vr_call *call, struct vr_err *err)
{
    struct vr_session_keys keys;
    struct vr_http_resp *resp;
    vr_auto_json json_t *account = NULL;
    const char *username, *password;
    int64_t wait_s = 1;
    int r;

    call->field = "username";
    r = vr_json_get_str(call->body, "username", &username, err);
    if (r < 0)
        return r;
    call->field = "password";
    r = vr_json_get_str(call->body, "password", &password, err);
    if (r < 0)
        return r;
    call->field = NULL;
    r = begin(call, username, password, &keys, &wait_s, err);
    if (r == -VR_DENIED || r == -VR_LIMIT) {
        vr_reply_refused(call->req, r, wait_s, err);
        return 0;
    }
    if (r == 0)
        r = vr_account_show(call, &account, err);
    if (r < 0)
        return r;
    resp = vr_http_resp_new(201);
    vr_session_set_cookies(resp, &keys, vr_reply_is_tls(call));
    vr_http_resp_header(resp, "Location", "/api/v1/session/");
    vr_http_resp_header(resp, "Cache-Control", "no-store");
    vr_http_resp_json(resp, account);
    vr_http_answer(call->req, resp);
    return 0;
}

static int show(struct vr_call *call, struct vr_err *err)
{
    json_t *account;
    int r = vr_account_show(call, &account, err);

    if (r == 0)
        vr_reply_json(call, 200, account);
    return r;
}

static int log_out(struct vr_call *call, struct vr_err *err)
{
    struct vr_http_resp *resp;
    int r = end(call, err);

    if (r < 0)
        return r;
    resp = vr_http_resp_new(204);
    vr_session_set_cookies(resp, NULL, vr_reply_is_tls(call));
    vr_http_answer(call->req, resp);
    return 0;
}

/* ------------------------------------------------------------------ as a form */

static struct vr_http_resp *redirect(const char *to)
{
    struct vr_http_resp *resp = vr_http_resp_new(302);

    vr_http_resp_header(resp, "Location", to);
    return resp;
}

/*
 * Where to go after the log-in: a path of ours. Browsers read `//x` and `/\x` as another host, and
 * leave out control characters before they look.
 */
static const char *next_of(const struct vr_query *form)
{
    const char *next = vr_query_find(form, "next");

    if (!next || next[0] != '/' || next[1] == '/')
        return "/";
    for (const char *c = next; *c; c++)
        if ((unsigned char)*c <= ' ' || *c == '\\' || (unsigned char)*c >= 0x7f)
            return "/";
    return next;
}

static void refuse_form(struct vr_call *call, int r, int64_t wait_s)
{
    vr_auto_free char *wait = vr_strf(LOGIN_PAGE "?error=wait&seconds=%" PRId64, wait_s);

    vr_http_answer(call->req, redirect(r == -VR_LIMIT ? wait : LOGIN_PAGE "?error=1"));
}

static int log_in_by_form(struct vr_call *call, struct vr_err *err)
{
    VR_OWNED(vr_query_free) struct vr_query *form = NULL;
    struct vr_session_keys keys;
    struct vr_http_resp *resp;
    const char *username, *password;
    int64_t wait_s = 1;
    int r = vr_query_parse(vr_http_req_body(call->req), &form, err);

    if (r < 0)
        return r;
    username = vr_query_find(form, "username");
    password = vr_query_find(form, "password");
    r = begin(call, username ? username : "", password ? password : "", &keys, &wait_s, err);
    if (r == -VR_DENIED || r == -VR_LIMIT) {
        refuse_form(call, r, wait_s);
        return 0;
    }
    if (r < 0)
        return r;
    resp = redirect(next_of(form));
    vr_session_set_cookies(resp, &keys, vr_reply_is_tls(call));
    vr_http_answer(call->req, resp);
    return 0;
}

/* Whoever is not logged in, or not any more, is sent to the same page. */
static int log_out_by_form(struct vr_call *call, struct vr_err *err)
{
    struct vr_http_resp *resp;
    int64_t wait_s;
    int r = vr_auth_user(call->server->auth, call->req, &call->who, &wait_s, err);

    if (r == 0)
        r = end(call, err);
    if (r < 0 && r != -VR_DENIED)
        return r;
    resp = redirect(LOGIN_PAGE);
    vr_session_set_cookies(resp, NULL, vr_reply_is_tls(call));
    vr_http_answer(call->req, resp);
    return 0;
}

const struct vr_route vr_routes_session[] = {
    {"POST", "session", VR_ROLE_ANYONE, log_in},
    {"GET", "session", VR_ROLE_VIEWER, show, VR_SCOPE_OWN},
    {"DELETE", "session", VR_ROLE_VIEWER, log_out, VR_SCOPE_OWN, VR_ROUTE_CAPPED},
    {NULL},
};

const struct vr_route vr_routes_login[] = {
    {"POST", "login/", VR_ROLE_ANYONE, log_in_by_form, VR_SCOPE_OWN, VR_ROUTE_FORM},
    {"GET", "logout/", VR_ROLE_ANYONE, log_out_by_form, VR_SCOPE_OWN, VR_ROUTE_FORM},
    {"POST", "logout/", VR_ROLE_ANYONE, log_out_by_form, VR_SCOPE_OWN, VR_ROUTE_FORM},
    {NULL},
};
