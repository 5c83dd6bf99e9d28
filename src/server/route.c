/* SPDX-License-Identifier: MIT */
/*
 * The way of a request through the API.
 *
 * The routes of all nouns are one table; a route without a row does not exist. Before the body is
 * read, begin() finds the route, who asks and whether that role may: nobody without a login makes
 * us read a body.
 */
#include "server/route.h"

#include "core/clock.h"
#include "server/remote.h"
#include "server/session.h"

#include <inttypes.h>
#include <string.h>
#include <strings.h>

#define JSON_TYPE   "application/json"
#define FORM_TYPE   "application/x-www-form-urlencoded"
#define ALLOW_BYTES 128

/* clang-format off: a line each, in which they are tried */
const struct vr_route_table vr_route_tables[] = {
    {VR_ROUTE_API, vr_routes_app},
    {VR_ROUTE_API, vr_routes_build},
    {VR_ROUTE_API, vr_routes_host_status},
    {VR_ROUTE_API, vr_routes_tags},
    {VR_ROUTE_API, vr_routes_ingredient},
    {VR_ROUTE_API, vr_routes_keys},
    {VR_ROUTE_API, vr_routes_log},
    {VR_ROUTE_API, vr_routes_release},
    {VR_ROUTE_API, vr_routes_squad},
    {VR_ROUTE_API, vr_routes_swarm},
    {VR_ROUTE_API, vr_routes_rollout},
    {VR_ROUTE_API, vr_routes_proc},
    {VR_ROUTE_API, vr_routes_user},
    {VR_ROUTE_API, vr_routes_account},
    {VR_ROUTE_API, vr_routes_token},
    {VR_ROUTE_API, vr_routes_session},
    {VR_ROUTE_API, vr_routes_stream},
    {VR_ROUTE_API, vr_routes_schedule},
    {VR_ROUTE_API, vr_routes_bulk},
    {VR_ROUTE_API, vr_routes_stack},
    {VR_ROUTE_API, vr_routes_dashboard},
    {VR_ROUTE_API, vr_routes_testrun},
    {VR_ROUTE_API, vr_routes_resource},
    {"api/streams", vr_routes_old_stream},
    {"", vr_routes_login},
    {"", vr_routes_feed},
    {"", vr_routes_file},
    {"", vr_routes_manual},
    {"", vr_routes_front},
};
/* clang-format on */

const size_t vr_route_table_count = VR_COUNT(vr_route_tables);

/* What begin() found out, kept with the request for handle(). */
struct found {
    const struct vr_route *route;
    bool is_api; /* below /api/, whose paths end with a slash */
    struct vr_who who;
    const char *args[VR_ROUTE_ARGS];
};

/* ------------------------------------------------------------------ matching */

/* Do parts of the path from *at on fit the pattern? Then *at is behind them. */
static bool fits(const char *pattern, const struct vr_http_req *req, size_t *at,
                 const char *args[VR_ROUTE_ARGS])
{
    size_t arg = 0;

    while (*pattern) {
        size_t n = strcspn(pattern, "/");
        const char *part = vr_http_req_segment(req, (*at)++);

        if (!part)
            return false;
        if (n == 1 && *pattern == '*')
            args[arg++] = part;
        else if (strlen(part) != n || strncmp(part, pattern, n) != 0)
            return false;
        pattern += n;
        pattern += *pattern == '/';
    }
    return true;
}

static const char *method_of(const struct vr_http_req *req)
{
    const char *override = vr_http_req_header(req, "x-http-method-override");

    return override && vr_streq(vr_http_req_method(req), "POST") ? override
                                                                 : vr_http_req_method(req);
}

/* The row that has path and method. Methods of rows that only have the path go to `allow`. */
static const struct vr_route *find_in(const struct vr_route_table *table,
                                      const struct vr_http_req *req,
                                      const char *args[VR_ROUTE_ARGS], struct vr_buf *allow)
{
    size_t count = vr_http_req_segment_count(req), base = 0;

    if (!fits(table->base, req, &base, args))
        return NULL;
    for (const struct vr_route *r = table->rows; r->method; r++) {
        size_t at = base;

        if (!fits(r->path, req, &at, args) || at != count)
            continue;
        if (vr_streq(r->method, method_of(req)))
            return r;
        if (!strstr(vr_buf_text(allow), r->method))
            vr_buf_addf(allow, "%s%s", allow->len ? "," : "", r->method);
    }
    return NULL;
}

/* The row of a request, into `f`. */
static void find(const struct vr_http_req *req, struct found *f, struct vr_buf *allow)
{
    for (size_t i = 0; i < vr_route_table_count && !f->route; i++) {
        f->route = find_in(&vr_route_tables[i], req, f->args, allow);
        f->is_api = *vr_route_tables[i].base;
    }
}

static void print_table(FILE *out, const struct vr_route_table *table)
{
    static const char *const scopes[] = {
        [VR_SCOPE_PLATFORM] = "platform", [VR_SCOPE_APP] = "app", [VR_SCOPE_OWN] = "own"};
    bool is_api = *table->base;

    for (const struct vr_route *r = table->rows; r->method; r++)
        fprintf(out, "%s /%s%s%s%s %s %s\n", r->method, table->base, is_api ? "/" : "", r->path,
                is_api && *r->path ? "/" : "", vr_role_name(r->role), scopes[r->scope]);
}

void vr_route_print(FILE *out)
{
    for (size_t i = 0; i < vr_route_table_count; i++)
        print_table(out, &vr_route_tables[i]);
}

/* ------------------------------------------------------------------ before the body */

/*
 * What a client is asked for that has not logged in. A browser answers "Basic" with a window of
 * its own, also for a script of a page, which is to show a log-in page instead.
 */
static const char *challenge(const struct vr_http_req *req)
{
    const char *mode = vr_http_req_header(req, "sec-fetch-mode");
    char session[VR_SESSION_HEX];

    if (vr_session_cookie(req, session) || (mode && !vr_streq(mode, "navigate")))
        return "Session realm=\"velociraptor\"";
    return "Basic realm=\"velociraptor\"";
}

void vr_reply_invalid(struct vr_http_req *req, const char *field, const struct vr_err *err)
{
    struct vr_http_resp *resp = vr_http_resp_new(400);
    json_t *text = vr_json_text(err->msg, strlen(err->msg));
    vr_auto_json json_t *body = json_pack("{s:O, s:{s:[o]}}", "error", text, "errors", field, text);

    vr_http_resp_json(resp, body);
    vr_http_answer(req, resp);
}

void vr_reply_refused(struct vr_http_req *req, int r, int64_t wait_s, const struct vr_err *err)
{
    int status = vr_auth_status(r);
    struct vr_http_resp *resp = vr_http_resp_new(status);
    vr_auto_free char *wait = vr_strf("%" PRId64, status == 429 ? wait_s : 1);
    vr_auto_json json_t *body =
        json_pack("{s:s, s:i, s:s}", "error", err->msg, "status", status, "msg", err->msg);

    if (status == 401)
        vr_http_resp_header(resp, "WWW-Authenticate", challenge(req));
    else
        vr_http_resp_header(resp, "Retry-After", wait);
    vr_http_resp_json(resp, body);
    vr_http_answer(req, resp);
}

static void refuse_method(struct vr_http_req *req, const char *allow)
{
    bool asks = vr_streq(vr_http_req_method(req), "OPTIONS");
    struct vr_http_resp *resp = vr_http_resp_new(asks ? 200 : 405);
    vr_auto_json json_t *body =
        json_pack("{s:o}", "error",
                  json_sprintf("%s is not a method of '%s'; these are: %s", method_of(req),
                               vr_http_req_path(req), allow));

    vr_http_resp_header(resp, "Allow", allow);
    if (asks)
        vr_http_resp_text(resp, "text/plain", allow);
    else
        vr_http_resp_json(resp, body);
    vr_http_answer(req, resp);
}

static bool is_unsafe(const struct vr_http_req *req)
{
    return !vr_streq(vr_http_req_method(req), "GET");
}

static bool has_body_type(const struct vr_http_req *req, const char *type)
{
    const char *sent = vr_http_req_header(req, "content-type");

    return sent && !strncasecmp(sent, type, strlen(type));
}

/*
 * Every write says that it is JSON, with a body or without: a page of another origin cannot make a
 * browser say so, and the clients of the original always did.
 */
static bool needs_type(const struct vr_http_req *req)
{
    const char *length = vr_http_req_header(req, "content-length");
    const char *method = vr_http_req_method(req);

    return vr_streq(method, "POST") || vr_streq(method, "PUT") || vr_streq(method, "PATCH") ||
           vr_http_req_header(req, "transfer-encoding") || (length && !vr_streq(length, "0"));
}

/* Returns true if it refused. */
static bool refuse_type(struct vr_http_req *req, const struct vr_route *route)
{
    bool is_form = route->flags & VR_ROUTE_FORM;

    if (route->flags & VR_ROUTE_RAW || !needs_type(req) ||
        has_body_type(req, is_form ? FORM_TYPE : JSON_TYPE))
        return false;
    if (is_form)
        vr_http_answer_error(req, 415, "send a form with Content-Type: " FORM_TYPE);
    else
        vr_http_answer_error(req, 415, "send JSON with Content-Type: " JSON_TYPE);
    return true;
}

/*
 * What a browser does may have been asked for by a page of another site, which could also read a
 * WebSocket. A browser may add credentials of Basic by itself, too; then the type of a change (as
 * above) and the origin of a WebSocket (net/websocket.c) keep other sites out.
 * Returns true if it refused.
 */
static bool refuse_foreign(struct vr_http_req *req, const struct found *f)
{
    bool is_form = f->route->flags & VR_ROUTE_FORM;

    if (!f->who.session_id && f->route->role != VR_ROLE_ANYONE)
        return false;
    if ((is_unsafe(req) || is_form || vr_http_req_header(req, "upgrade")) &&
        vr_session_is_foreign(req))
        vr_http_answer_error(req, 403, "this request was made by a page of another site");
    else if (is_unsafe(req) && f->who.session_id && !vr_session_has_csrf(req, &f->who))
        vr_http_answer_error(req, 403,
                             "a change by a session needs the header X-CSRFToken with the value "
                             "of the cookie " VR_SESSION_CSRF);
    else
        return false;
    return true;
}

/* Returns true if it refused. */
static bool refuse_role(struct vr_server *server, struct vr_http_req *req, const struct found *f)
{
    const struct vr_route *route = f->route;

    vr_auto_free char *why = NULL;

    if (!vr_who_may_ask(&f->who, route->role, route->scope))
        why = vr_strf("user '%s' is %s; this needs %s", f->who.username,
                      vr_role_phrase(f->who.role), vr_role_phrase(route->role));
    else if (route->scope == VR_SCOPE_OWN && f->who.is_capped && is_unsafe(req) &&
             !(route->flags & VR_ROUTE_CAPPED))
        why = vr_strf("%s may less than user '%s'; this needs all their rights", f->who.via,
                      f->who.username);
    else
        return false;
    vr_audit_refused(server, req, &f->who, why);
    vr_http_answer_error(req, 403, "%s", why);
    return true;
}

static int identify(struct vr_server *server, struct vr_http_req *req, struct found *f,
                    int64_t *out_wait_s, struct vr_err *err)
{
    const char *token = vr_query_find(vr_http_req_query(req), "token");

    if (token && (f->route->flags & VR_ROUTE_QUERY_TOKEN) &&
        !vr_http_req_header(req, "authorization"))
        return vr_auth_token(server->auth, token, &f->who, err);
    return vr_auth_user(server->auth, req, &f->who, out_wait_s, err);
}

/* A path without its last slash is sent to the one with it, as the original did. */
static bool redirect(struct vr_http_req *req)
{
    const char *path = vr_http_req_path(req), *query = vr_http_req_query_text(req);
    vr_auto_free char *to = NULL;
    struct vr_http_resp *resp;

    if (vr_str_has_suffix(path, "/") || is_unsafe(req))
        return false;
    path += strspn(path, "/") - 1; /* two would be the name of another host */
    to = vr_strf("%s/%s%s", path, *query ? "?" : "", query);
    resp = vr_http_resp_new(301);
    vr_http_resp_header(resp, "Location", to);
    vr_http_answer(req, resp);
    return true;
}

void vr_route_begin(struct vr_server *server, struct vr_http_req *req,
                    struct vr_http_intake *intake)
{
    struct found *f = vr_alloc(sizeof(*f));
    vr_auto_buf struct vr_buf allow = VR_BUF(ALLOW_BYTES);
    struct vr_err err;
    int64_t wait_s = 1;
    int r = 0;

    vr_http_req_attach(req, f, free);
    find(req, f, &allow);
    if (!f->route && allow.len) {
        refuse_method(req, vr_buf_text(&allow));
        return;
    }
    if (!f->route || (f->is_api && redirect(req))) {
        if (!f->route)
            vr_http_answer_error(req, 404, "there is nothing at '%s'", vr_http_req_path(req));
        return;
    }
    if (f->route->role != VR_ROLE_ANYONE)
        r = identify(server, req, f, &wait_s, &err);
    if (r == -VR_DENIED && vr_http_req_header(req, "authorization"))
        vr_audit_login_failed(server, req, NULL, err.msg);
    if (r < 0)
        vr_reply_refused(req, r, wait_s, &err);
    else if (!refuse_foreign(req, f) &&
             (f->route->role == VR_ROLE_ANYONE || !refuse_role(server, req, f)))
        vr_ignore(refuse_type(req, f->route), "whatever it did, there is nothing more to do");
}

/* ------------------------------------------------------------------ the request */

static int parse_body(struct vr_call *call, unsigned flags, struct vr_err *err)
{
    struct vr_str body = vr_http_req_body(call->req);

    call->body = NULL;
    if (body.n == 0 || flags & VR_ROUTE_RAW || has_body_type(call->req, FORM_TYPE)) {
        call->body = json_object();
        return 0;
    }
    return vr_json_parse_object(body, VR_HTTP_BODY_BYTES, &call->body, err);
}

void vr_route_handle(struct vr_server *server, struct vr_http_req *req)
{
    const struct found *f = vr_http_req_attached(req);
    struct vr_call call = {.server = server,
                           .req = req,
                           .who = f->who,
                           .now = vr_wall_now(),
                           .role = f->route->role,
                           .scope = f->route->scope};
    struct vr_err err = VR_ERR_NULL;
    int r;

    memcpy(call.args, f->args, sizeof(call.args));
    r = parse_body(&call, f->route->flags, &err);
    if (r == 0)
        r = f->route->fn(&call, &err);
    json_decref(call.body);
    if (r == -VR_DENIED && call.who.id)
        vr_audit_refused(server, req, &call.who, err.msg);
    if (r == -VR_INVALID && call.field)
        vr_reply_invalid(req, call.field, &err);
    else if (r < 0)
        vr_reply_error(req, r, &err);
}

/* ------------------------------------------------------------------ answers */

int vr_reply_status(enum vr_code code)
{
    switch (code) {
    case VR_OK:
        return 200;
    case VR_INVALID:
    case VR_PARSE:
        return 400;
    case VR_DENIED:
        return 403;
    case VR_NOT_FOUND:
        return 404;
    case VR_EXISTS:
        return 409;
    case VR_LIMIT:
        return 413;
    case VR_BUSY:
    case VR_IO:
        return 503;
    case VR_TIMEOUT:
        return 504;
    case VR_BUG:
        return 500;
    }
    return 500;
}

void vr_reply_error(struct vr_http_req *req, int r, const struct vr_err *err)
{
    int status = vr_reply_status((enum vr_code) - r);
    struct vr_http_resp *resp = vr_http_resp_new(status);
    vr_auto_json json_t *body = json_object();

    vr_json_set(body, "error", vr_json_text(err->msg, strlen(err->msg)));
    if (status == 503)
        vr_http_resp_header(resp, "Retry-After", "1");
    vr_http_resp_json(resp, body);
    vr_http_answer(req, resp);
}

void vr_reply_text(struct vr_call *call, int status, char *json)
{
    struct vr_http_resp *resp = vr_http_resp_new(status);

    vr_http_resp_bytes(resp, "application/json", json, strlen(json));
    vr_http_answer(call->req, resp);
}

void vr_reply_json(struct vr_call *call, int status, json_t *value)
{
    struct vr_http_resp *resp = vr_http_resp_new(status);

    vr_http_resp_json(resp, value);
    json_decref(value);
    vr_http_answer(call->req, resp);
}

bool vr_reply_is_tls(const struct vr_call *call)
{
    const struct vr_server *server = call->server;

    return server->config.tls_cert || vr_remote_is_tls(&server->config.trusted, call->req);
}

char *vr_reply_url(struct vr_call *call, const char *path)
{
    const char *host = vr_http_req_header(call->req, "host");

    return host ? vr_strf("%s://%s%s", vr_reply_is_tls(call) ? "https" : "http", host, path)
                : vr_strdup(path);
}
