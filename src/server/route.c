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
#include "server/api/streams.h"

#include <string.h>
#include <strings.h>

static const struct vr_route *const tables[] = {
    vr_routes_app,   vr_routes_build,  vr_routes_ingredient, vr_routes_keys,
    vr_routes_squad, vr_routes_swarm,  vr_routes_rollout,    vr_routes_proc,
    vr_routes_user,  vr_routes_stream, vr_routes_resource,   vr_routes_schedule,
};

static const struct vr_route *const old_tables[] = {vr_routes_old_stream};

/* What begin() found out, kept with the request for handle(). */
struct found {
    const struct vr_route *route;
    struct vr_who who;
    const char *args[VR_ROUTE_ARGS];
};

/* ------------------------------------------------------------------ matching */

/* The parts of the path below the base ("api/v1" is two parts), against one pattern. */
static bool matches(const char *pattern, struct vr_http_req *req, size_t base,
                    const char *args[VR_ROUTE_ARGS])
{
    size_t at = base, count = vr_http_req_segment_count(req), arg = 0;

    while (*pattern) {
        size_t n = strcspn(pattern, "/");
        const char *part = vr_http_req_segment(req, at++);

        if (!part)
            return false;
        if (n == 1 && *pattern == '*')
            args[arg++] = part;
        else if (strlen(part) != n || strncmp(part, pattern, n) != 0)
            return false;
        pattern += n;
        pattern += *pattern == '/';
    }
    return at == count;
}

static const char *method_of(const struct vr_http_req *req)
{
    const char *override = vr_http_req_header(req, "x-http-method-override");

    return override && vr_streq(vr_http_req_method(req), "POST") ? override
                                                                 : vr_http_req_method(req);
}

/* The route of a request. If only the method is wrong, `allow` lists those that are right. */
static const struct vr_route *find(struct vr_http_req *req, size_t base,
                                   const char *args[VR_ROUTE_ARGS], char *allow, size_t n)
{
    const char *method = method_of(req);
    bool is_old = vr_streq(vr_http_req_segment(req, 1), "streams");
    const struct vr_route *const *list = is_old ? old_tables : tables;
    size_t count = is_old ? VR_COUNT(old_tables) : VR_COUNT(tables);

    *allow = '\0';
    for (size_t i = 0; i < count; i++) {
        for (const struct vr_route *r = list[i]; r->method; r++) {
            if (!matches(r->path, req, base, args))
                continue;
            if (vr_streq(r->method, method))
                return r;
            if (!strstr(allow, r->method))
                snprintf(allow + strlen(allow), n - strlen(allow), "%s%s", *allow ? "," : "",
                         r->method);
        }
    }
    return NULL;
}

static void print_table(FILE *out, const char *base, const struct vr_route *table)
{
    static const char *const scopes[] = {
        [VR_SCOPE_PLATFORM] = "platform", [VR_SCOPE_APP] = "app", [VR_SCOPE_OWN] = "own"};

    for (const struct vr_route *r = table; r->method; r++)
        fprintf(out, "%s %s%s%s %s %s\n", r->method, base, r->path, *r->path ? "/" : "",
                vr_role_name(r->role), scopes[r->scope]);
}

void vr_route_print(FILE *out)
{
    for (size_t i = 0; i < VR_COUNT(tables); i++)
        print_table(out, "/api/v1/", tables[i]);
    for (size_t i = 0; i < VR_COUNT(old_tables); i++)
        print_table(out, "/api/streams/", old_tables[i]);
}

/* ------------------------------------------------------------------ before the body */

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

/*
 * Every write says that it is JSON, with a body or without: a page of another origin cannot make a
 * browser say so, and the clients of the original always did.
 */
static bool needs_json(struct vr_http_req *req)
{
    const char *length = vr_http_req_header(req, "content-length");
    const char *method = vr_http_req_method(req);

    return vr_streq(method, "POST") || vr_streq(method, "PUT") || vr_streq(method, "PATCH") ||
           vr_http_req_header(req, "transfer-encoding") || (length && !vr_streq(length, "0"));
}

static bool is_json(const struct vr_http_req *req)
{
    const char *type = vr_http_req_header(req, "content-type");

    return type && !strncasecmp(type, "application/json", strlen("application/json"));
}

/* A path without its last slash is sent to the one with it, as the original did. */
static bool redirect(struct vr_http_req *req)
{
    const char *path = vr_http_req_path(req), *query = vr_http_req_query_text(req);
    vr_auto_free char *to = NULL;
    struct vr_http_resp *resp;

    if (vr_str_has_suffix(path, "/") || !vr_streq(vr_http_req_method(req), "GET"))
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
    char allow[128];
    struct vr_err err;
    int r;

    vr_http_req_attach(req, f, free);
    f->route = find(req, 2, f->args, allow, sizeof(allow));
    if (!f->route && *allow) {
        refuse_method(req, allow);
        return;
    }
    if (!f->route || redirect(req)) {
        if (!f->route)
            vr_http_answer_error(req, 404, "there is nothing at '%s'", vr_http_req_path(req));
        return;
    }
    if (f->route->role == VR_ROLE_ANYONE)
        return;
    r = vr_auth_user(server->auth, req, &f->who, &err);
    if (r < 0)
        vr_reply_refused(req, r, &err);
    else if (!vr_who_may_ask(&f->who, f->route->role, f->route->scope))
        vr_http_answer_error(req, 403, "user '%s' is a %s; this needs a %s", f->who.username,
                             vr_role_name(f->who.role), vr_role_name(f->route->role));
    else if (needs_json(req) && !is_json(req))
        vr_http_answer_error(req, 415, "send JSON with Content-Type: application/json");
}

/* ------------------------------------------------------------------ the request */

static int parse_body(struct vr_call *call, struct vr_err *err)
{
    struct vr_str body = vr_http_req_body(call->req);

    call->body = NULL;
    if (body.n == 0) {
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
    r = parse_body(&call, &err);
    if (r == 0)
        r = f->route->fn(&call, &err);
    json_decref(call.body);
    if (r < 0)
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

void vr_reply_refused(struct vr_http_req *req, int r, const struct vr_err *err)
{
    int status = vr_auth_status(r);
    struct vr_http_resp *resp = vr_http_resp_new(status);
    vr_auto_json json_t *body =
        json_pack("{s:s, s:i, s:s}", "error", err->msg, "status", status, "msg", err->msg);

    if (status == 401)
        vr_http_resp_header(resp, "WWW-Authenticate", "Basic realm=\"velociraptor\"");
    else
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

char *vr_reply_url(struct vr_call *call, const char *path)
{
    const char *host = vr_http_req_header(call->req, "host");
    const char *proto = vr_http_req_header(call->req, "x-forwarded-proto");
    bool tls = call->server->config.tls_cert || vr_streq(proto, "https");

    return host ? vr_strf("%s://%s%s", tls ? "https" : "http", host, path) : vr_strdup(path);
}
