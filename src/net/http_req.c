/* SPDX-License-Identifier: MIT */
/* One request: its parts, and answering it. */
#include "fmt/uri.h"
#include "net/http_internal.h"

#include <arpa/inet.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#define ERROR_TEXT_BYTES 4096

struct vr_http_req *vr_http_req_new(struct vr_http_server *server, const char *uri, uint64_t number)
{
    struct vr_http_req *req = vr_alloc(sizeof(*req));
    char *mark;

    req->server = server;
    req->path = vr_strdup(uri);
    req->query_text = "";
    mark = strchr(req->path, '?');
    if (mark) {
        *mark = '\0';
        req->query_text = mark + 1;
    }
    snprintf(req->id, sizeof(req->id), "%" PRIx64, number);
    return req;
}

struct vr_http_req *vr_http_req_free(struct vr_http_req *req)
{
    if (!req)
        return NULL;
    vr_http_wait_ended(req);
    vr_ws_ended(req);
    if (req->release)
        req->release(req->attached);
    vr_http_resp_free(req->answer);
    vr_buf_fini(&req->body);
    for (size_t i = 0; i < req->segment_count; i++)
        free(req->segments[i]);
    vr_query_free(req->query);
    free(req->path);
    free(req);
    return NULL;
}

static int split_path(struct vr_http_req *req, struct vr_err *err)
{
    for (const char *p = req->path; *p;) {
        size_t n = strcspn(p, "/");
        int r;

        if (n && req->segment_count == VR_HTTP_SEGMENTS)
            return vr_fail(err, VR_LIMIT, "path of more than %d parts", VR_HTTP_SEGMENTS);
        if (n) {
            r = vr_uri_decode((struct vr_str){p, n}, false, &req->segments[req->segment_count],
                              err);
            if (r < 0)
                return r;
            req->segment_count++;
        }
        p += n + (p[n] == '/');
    }
    return 0;
}

static void find_remote(struct vr_http_req *req)
{
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(req->conn, MHD_CONNECTION_INFO_CLIENT_ADDRESS);
    const struct sockaddr *sa = info ? info->client_addr : NULL;

    if (sa && sa->sa_family == AF_INET)
        inet_ntop(AF_INET, &((const struct sockaddr_in *)sa)->sin_addr, req->remote,
                  sizeof(req->remote));
    else if (sa && sa->sa_family == AF_INET6)
        inet_ntop(AF_INET6, &((const struct sockaddr_in6 *)sa)->sin6_addr, req->remote,
                  sizeof(req->remote));
}

void vr_http_req_open(struct vr_http_req *req, struct MHD_Connection *conn, const char *method)
{
    struct vr_err err = VR_ERR_NULL;
    int r;

    req->conn = conn;
    req->is_head = vr_streq(method, "HEAD");
    req->method = req->is_head ? "GET" : method;
    find_remote(req);
    r = split_path(req, &err);
    if (!r)
        r = vr_query_parse(vr_str(req->query_text), &req->query, &err);
    if (r < 0)
        vr_http_answer_error(req, 400, "%s", err.msg);
}

const char *vr_http_req_method(const struct vr_http_req *req)
{
    return req->method;
}

bool vr_http_req_is_head(const struct vr_http_req *req)
{
    return req->is_head;
}

const char *vr_http_req_path(const struct vr_http_req *req)
{
    return req->path;
}

size_t vr_http_req_segment_count(const struct vr_http_req *req)
{
    return req->segment_count;
}

const char *vr_http_req_segment(const struct vr_http_req *req, size_t i)
{
    return i < req->segment_count ? req->segments[i] : NULL;
}

const char *vr_http_req_query_text(const struct vr_http_req *req)
{
    return req->query_text;
}

const struct vr_query *vr_http_req_query(const struct vr_http_req *req)
{
    return req->query;
}

const char *vr_http_req_header(const struct vr_http_req *req, const char *name)
{
    return MHD_lookup_connection_value(req->conn, MHD_HEADER_KIND, name);
}

struct vr_str vr_http_req_body(const struct vr_http_req *req)
{
    return (struct vr_str){vr_buf_text(&req->body), req->body.len};
}

void vr_http_req_wipe_body(struct vr_http_req *req)
{
    if (req->body.p)
        explicit_bzero(req->body.p, req->body.len);
}

uint64_t vr_http_req_body_bytes(const struct vr_http_req *req)
{
    return req->body_bytes;
}

const char *vr_http_req_remote(const struct vr_http_req *req)
{
    return req->remote;
}

const char *vr_http_req_id(const struct vr_http_req *req)
{
    return req->id;
}

static bool is_of_host(const char *origin, const char *host)
{
    const char *at = strstr(origin, "://");

    return at && host && !strcasecmp(at + strlen("://"), host);
}

bool vr_http_req_is_own_origin(const struct vr_http_req *req)
{
    const char *origin = vr_http_req_header(req, "Origin");

    return !origin || is_of_host(origin, vr_http_req_header(req, "Host")) ||
           is_of_host(origin, vr_http_req_header(req, "X-Forwarded-Host"));
}

/* Weak comparison, as If-None-Match wants it: `W/` and quotes do not count. */
bool vr_http_req_has_etag(const struct vr_http_req *req, const char *etag)
{
    const char *p = vr_http_req_header(req, "If-None-Match");
    size_t n = strlen(etag);

    while (p && *p) {
        p += strspn(p, " \t,");
        if (*p == '*')
            return true;
        if (vr_str_has_prefix(p, "W/"))
            p += 2;
        p += *p == '"';
        if (!strncmp(p, etag, n) && strchr("\", ", p[n]))
            return true;
        p += strcspn(p, ",");
    }
    return false;
}

void vr_http_req_attach(struct vr_http_req *req, void *data, void (*release)(void *data))
{
    if (req->release)
        req->release(req->attached);
    req->attached = data;
    req->release = release;
}

void *vr_http_req_attached(const struct vr_http_req *req)
{
    return req->attached;
}

void vr_http_answer(struct vr_http_req *req, struct vr_http_resp *resp)
{
    if (req->answer)
        vr_http_resp_free(resp);
    else
        req->answer = resp;
}

void vr_http_answer_error(struct vr_http_req *req, int status, const char *fmt, ...)
{
    struct vr_http_resp *resp = vr_http_resp_new(status);
    char text[ERROR_TEXT_BYTES];
    json_t *body = json_object();
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    vr_json_set(body, "error", vr_json_text(text, strlen(text)));
    vr_http_resp_json(resp, body);
    json_decref(body);
    vr_http_answer(req, resp);
}

void vr_http_answer_status(struct vr_http_req *req, int status)
{
    vr_http_answer(req, vr_http_resp_new(status));
}
