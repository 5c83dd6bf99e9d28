/* SPDX-License-Identifier: MIT */
/* The one table of what the API does and who may do it. */
#ifndef VR_SERVER_ROUTE_H
#define VR_SERVER_ROUTE_H

#include "fmt/json.h"
#include "net/http_req.h"
#include "net/http_resp.h"
#include "net/http_server.h"
#include "server/auth.h"
#include "server/server.h"

#include <stdio.h>

#define VR_ROUTE_ARGS 4
#define VR_ROUTE_API  "api/v1" /* base of the tables about resources */

/** One request of the API. */
struct vr_call {
    struct vr_server *server;
    struct vr_http_req *req;
    struct vr_who who;
    const char *args[VR_ROUTE_ARGS]; /* parts of the path that stand for `*`, decoded */
    json_t *body;                    /* of POST, PUT, PATCH: the parsed object, {} if empty */
    struct vr_wall now;
    enum vr_role role;   /* what the route needs */
    enum vr_scope scope; /* and what for */
    bool is_allowed;     /* vr_access_app() said yes; never before it was asked */
    /* The field of the body that is being read, where vr_write_run() does not run yet: if the
     * request fails as invalid, the answer names it. Borrowed, NULL for none. */
    const char *field;
};

/**
 * Handle a request: answer it (or put it aside) and return 0, or return an error, which becomes the
 * answer by vr_reply_error().
 */
typedef int vr_route_fn(struct vr_call *call, struct vr_err *err);

/* Flags of a route. */
#define VR_ROUTE_FORM        1u /* the body is an urlencoded form, not JSON; call->body is {} */
#define VR_ROUTE_QUERY_TOKEN 2u /* a token may come as `?token=`: for readers of feeds */
#define VR_ROUTE_CAPPED      4u /* of VR_SCOPE_OWN, but also for tokens that may less */
#define VR_ROUTE_RAW         8u /* the body is bytes of any type; call->body is {} */

/** A row of the one table. What it leaves out is the strictest there is. */
struct vr_route {
    const char *method;
    const char
        *path; /* below the base of its table, without slashes at the ends; `*` is one part */
    enum vr_role role;
    vr_route_fn *fn;
    enum vr_scope scope;
    unsigned flags;
    /* What `can` of an object calls this, words separated by spaces. NULL: the last part of the
     * path of a POST below an object, "change" for PATCH, "delete" for DELETE. */
    const char *verbs;
};

/** Rows whose paths lie below the same base. */
struct vr_route_table {
    const char *base;            /* "api/v1"; "": the paths are whole */
    const struct vr_route *rows; /* up to one without a method */
};

/** All that can be asked of the server, but for the agents' protocol. */
extern const struct vr_route_table vr_route_tables[];
extern const size_t vr_route_table_count;

/** Decide about a request before its body: login, rights, size. */
void vr_route_begin(struct vr_server *server, struct vr_http_req *req,
                    struct vr_http_intake *intake);
/** Handle a complete request. */
void vr_route_handle(struct vr_server *server, struct vr_http_req *req);

/** Print every route as `<method> <path> <role> <scope>`, `*` for a part that is a name or id. */
void vr_route_print(FILE *out);

/* ------------------------------------------------------------------ answers */

/** The status of an error: the one table. */
int vr_reply_status(enum vr_code code);
void vr_reply_error(struct vr_http_req *req, int r, const struct vr_err *err);
/** 400 `{"error": …, "errors": {field: […]}}`. */
void vr_reply_invalid(struct vr_http_req *req, const char *field, const struct vr_err *err);
/** What vr_auth_user() returned: 401 with what to log in by, or 429 with the seconds to wait. */
void vr_reply_refused(struct vr_http_req *req, int r, int64_t wait_s, const struct vr_err *err);
/** 200 with JSON text; taken, release with free(). */
void vr_reply_text(struct vr_call *call, int status, char *json);
/** Takes `value`. */
void vr_reply_json(struct vr_call *call, int status, json_t *value);
/** Absolute URL of a path by the request's Host header; given. */
char *vr_reply_url(struct vr_call *call, const char *path);
/** Whether the client speaks TLS, with us or with a proxy before us. */
bool vr_reply_is_tls(const struct vr_call *call);

/* ------------------------------------------------------------------ handlers, by noun */

extern const struct vr_route vr_routes_resource[]; /* lists, details, sets, schema */
extern const struct vr_route vr_routes_app[];
extern const struct vr_route vr_routes_build[];
extern const struct vr_route vr_routes_host_status[];
extern const struct vr_route vr_routes_tags[];
extern const struct vr_route vr_routes_ingredient[];
extern const struct vr_route vr_routes_keys[];
extern const struct vr_route vr_routes_log[]; /* the audit log, as a list and as a file */
extern const struct vr_route vr_routes_release[];
extern const struct vr_route vr_routes_squad[];
extern const struct vr_route vr_routes_swarm[];
extern const struct vr_route vr_routes_rollout[];
extern const struct vr_route vr_routes_proc[];
extern const struct vr_route vr_routes_user[];
extern const struct vr_route vr_routes_account[];
extern const struct vr_route vr_routes_token[];
extern const struct vr_route vr_routes_session[];
extern const struct vr_route vr_routes_stream[];
extern const struct vr_route vr_routes_stack[];     /* and images */
extern const struct vr_route vr_routes_dashboard[]; /* and profiles */
extern const struct vr_route vr_routes_testrun[];
extern const struct vr_route vr_routes_schedule[]; /* and retention, and beginning test runs */

/* Outside of /api/v1/. */
extern const struct vr_route vr_routes_old_stream[];
extern const struct vr_route vr_routes_login[];
extern const struct vr_route vr_routes_bulk[];
extern const struct vr_route vr_routes_file[];
extern const struct vr_route vr_routes_feed[]; /* and the search of the original */
extern const struct vr_route vr_routes_manual[];
extern const struct vr_route vr_routes_front[];

#endif
