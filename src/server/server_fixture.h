/* SPDX-License-Identifier: MIT */
/* A server in a folder of the test's own: store, login, hub and HTTP, without the engine. */
#ifndef VR_SERVER_SERVER_FIXTURE_H
#define VR_SERVER_SERVER_FIXTURE_H

#include "blob/blob.h"
#include "core/tap.h"
#include "fmt/json.h"
#include "net/http_client.h"
#include "net/http_server.h"
#include "server/agents.h"
#include "server/auth.h"
#include "server/hub.h"
#include "server/password.h"
#include "server/route.h"
#include "server/server.h"
#include "store/secret.h"
#include "store/user.h"

#include <stdio.h>
#include <string.h>

#define RIG_BEAT_MS    300 /* of event streams: a reader that has enough ends with the next */
#define RIG_PASSWORD   "correct horse"
#define RIG_JOIN_TOKEN "join-me"

struct rig {
    struct vr_server server;
    struct vr_http_client *client;
    char base[64];
    struct vr_http_result last; /* of the newest call */
    struct vr_err err;
};

#define RIG(r) __attribute__((cleanup(rig_fini))) struct rig r

static inline void rig_fini(struct rig *r)
{
    r->client = vr_http_client_free(r->client);
    r->server.http = vr_http_server_stop(r->server.http);
    r->server.hub = vr_hub_stop(r->server.hub);
    r->server.auth = vr_auth_free(r->server.auth);
    r->server.blobs = vr_blobs_close(r->server.blobs);
    r->server.store = vr_store_free(r->server.store);
    vr_http_result_fini(&r->last);
}

static inline void rig_begin(void *user, struct vr_http_req *req, struct vr_http_intake *intake)
{
    if (vr_streq(vr_http_req_segment(req, 0), "agent"))
        vr_agents_begin(user, req, intake);
    else
        vr_route_begin(user, req, intake);
}

static inline void rig_handle(void *user, struct vr_http_req *req)
{
    if (vr_streq(vr_http_req_segment(req, 0), "agent"))
        vr_agents_handle(user, req);
    else
        vr_route_handle(user, req);
}

static inline int rig_add_user(struct rig *r, const char *name, const char *role, int64_t *out)
{
    VR_OWNED(vr_tx_free) struct vr_tx *tx = NULL;
    VR_ROW(user)
    row = {.username = vr_strdup(name),
           .role = vr_strdup(role),
           .first_name = vr_strdup(""),
           .last_name = vr_strdup(""),
           .email = vr_strdup(""),
           .is_active = true,
           .joined_us = 1};
    int s = vr_password_hash(RIG_PASSWORD, &row.password, &r->err);

    if (s == 0)
        s = vr_store_begin(r->server.store, VR_DB_WRITE, &tx, &r->err);
    if (s == 0)
        s = vr_store_user_insert(tx, &row, out, &r->err);
    return s < 0 ? s : vr_store_commit(tx, NULL, &r->err);
}

static inline bool rig_start(struct rig *r)
{
    vr_auto_free char *url = vr_strf("sqlite:%s/store.db", vr_tap_dir());
    vr_auto_free char *blobs = vr_strf("%s/blobs", vr_tap_dir());
    vr_auto_free char *keys = vr_strf("%s/secret-keys", vr_tap_dir());
    struct vr_http_server_spec spec = {.address = "127.0.0.1",
                                       .beat_ms = RIG_BEAT_MS,
                                       .threads = 8,
                                       .begin = rig_begin,
                                       .handle = rig_handle,
                                       .user = &r->server};
    int64_t id;
    int s;

    memset(r, 0, sizeof(*r));
    r->server.cluster = (char *)"c1";
    r->server.join_token = (char *)RIG_JOIN_TOKEN;
    vr_log_init(&r->server.log, NULL, "part", "test");
    s = vr_store_open(url, NULL, &r->server.store, &r->err);
    if (s == 0)
        s = vr_store_open_keyring(r->server.store, keys, vr_wall_now(), &r->err);
    if (s == 0)
        s = vr_blobs_open(blobs, &r->server.blobs, &r->err);
    if (s == 0) {
        r->server.auth = vr_auth_new(r->server.store, &r->server.config.trusted);
        s = vr_hub_start(&r->server, &r->server.hub, &r->err);
    }
    if (s == 0)
        s = rig_add_user(r, "ann", "admin", &id);
    if (s == 0)
        s = vr_http_server_start(&spec, &r->server.http, &r->err);
    if (s < 0) {
        fprintf(stderr, "# %s\n", r->err.msg);
        return false;
    }
    snprintf(r->base, sizeof(r->base), "http://127.0.0.1:%d",
             (int)vr_http_server_port(r->server.http));
    r->client = vr_http_client_new();
    return true;
}

/** Make a call and keep its answer in r->last; its status, or a negative code. */
static inline int rig_call(struct rig *r, struct vr_http_call call, const char *path)
{
    vr_auto_free char *url = vr_strf("%s%s", r->base, path);
    int s;

    call.url = url;
    if (call.body)
        call.body_bytes = strlen(call.body);
    vr_http_result_fini(&r->last);
    memset(&r->last, 0, sizeof(r->last));
    s = vr_http_call(r->client, &call, &r->last, &r->err);
    if (s < 0)
        fprintf(stderr, "# %s: %s\n", path, r->err.msg);
    return s < 0 ? s : r->last.status;
}

/** GET as a user with the password of all. */
static inline int rig_get(struct rig *r, const char *path, const char *user)
{
    return rig_call(r, (struct vr_http_call){.user = user, .password = user ? RIG_PASSWORD : NULL},
                    path);
}

/** Send JSON (NULL: nothing) as a user with the password of all. */
static inline int rig_send(struct rig *r, const char *method, const char *path, const char *user,
                           const char *body)
{
    const char *headers[] = {"Content-Type: application/json", NULL};

    return rig_call(r,
                    (struct vr_http_call){.method = method,
                                          .user = user,
                                          .password = RIG_PASSWORD,
                                          .headers = headers,
                                          .body = body},
                    path);
}

/** One request of a table and what comes of it. */
struct rig_case {
    const char *method, *path, *body;
    int status;
    const char *part; /* of the answer's body; NULL: any */
};

/** Make all requests of a table as ann; false after the first that is answered otherwise. */
static inline bool rig_run(struct rig *r, const struct rig_case *cases, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        const struct rig_case *c = &cases[i];
        int status = rig_send(r, c->method, c->path, "ann", c->body);

        if (status == c->status && (!c->part || strstr(r->last.body, c->part)))
            continue;
        fprintf(stderr, "# case %zu: %s %s %s: %d %s\n# want: %d %s\n", i, c->method, c->path,
                c->body ? c->body : "", status, r->last.body, c->status, c->part ? c->part : "");
        return false;
    }
    return true;
}

/** Whether the newest answer is JSON with a sentence that holds this. */
static inline bool rig_says(struct rig *r, const char *part)
{
    vr_auto_json json_t *doc = NULL;
    const char *text;

    if (vr_json_parse(vr_str(r->last.body), VR_JSON_BYTES, &doc, NULL) < 0)
        return false;
    text = json_string_value(json_object_get(doc, "error"));
    if (text && strstr(text, part))
        return true;
    fprintf(stderr, "# answer: %s\n", r->last.body);
    return false;
}

#endif
