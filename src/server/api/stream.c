/* SPDX-License-Identifier: MIT */
/* Streams of events, ours and the contract's, and the snapshot that ours keep current. */
#include "server/api/number.h"
#include "server/api/proc_log.h"
#include "server/hub.h"
#include "store/app.h"
#include "store/event.h"
#include "store/overview.h"

#include <inttypes.h>

#define LOGIN(call)                                                                                \
    {                                                                                              \
        (call)->who.id, (call)->who.token_id, (call)->who.session_id                               \
    }
#define OVERVIEW_STALE_SECS 60 /* usage of hosts in it may be so old */
#define OLD_LOG_LINES       20 /* the contract's last kibibyte, about */

/* What a client that comes back has seen; -1 if it names none, or none of ours. */
static int64_t last_seen(const struct vr_call *call)
{
    const char *text = vr_http_req_header(call->req, "last-event-id");
    int64_t id;

    return text && vr_parse_i64(vr_str(text), 0, INT64_MAX, &id, NULL) == 0 ? id : -1;
}

/* Of `?app=<name>`; 0 without. */
static int app_of(struct vr_call *call, int64_t *out, struct vr_err *err)
{
    VR_OWNED(vr_tx_free) struct vr_tx *tx = NULL;
    VR_ROW(app) app = {0};
    const char *name = vr_query_find(vr_http_req_query(call->req), "app");
    int r;

    *out = 0;
    if (vr_str_is_empty(name))
        return 0;
    r = vr_store_begin(call->server->store, VR_DB_READ, &tx, err);
    if (r == 0)
        r = vr_store_app_find(tx, name, &app, err);
    if (r == 0)
        *out = app.id;
    return r;
}

static int stream_all(struct vr_call *call, struct vr_err *err)
{
    const char *rollout = vr_query_find(vr_http_req_query(call->req), "rollout");
    struct vr_hub_stream_spec spec = {
        .form = VR_HUB_ALL, .after = last_seen(call), .login = LOGIN(call)};
    const char *kinds = vr_query_find(vr_http_req_query(call->req), "kinds");
    vr_auto_free char *list = vr_str_is_empty(kinds) ? NULL : vr_strf(",%s,", kinds);
    int r = 0;

    if (spec.after < 0)
        r = vr_query_number(call, "after", 0, INT64_MAX, -1, &spec.after, err);
    if (r == 0)
        r = app_of(call, &spec.app_id, err);
    if (r < 0)
        return r;
    if (list && strlen(list) >= VR_HUB_KINDS_BYTES)
        return vr_fail(err, VR_INVALID, "'kinds' is longer than %d bytes", VR_HUB_KINDS_BYTES - 3);
    spec.kinds = list;
    spec.rollout = vr_str_is_empty(rollout) ? NULL : rollout;
    vr_hub_stream(call->server->hub, call->req, &spec);
    return 0;
}

/* The newest event is all that the snapshot depends on, but for the age of what ended. */
static char *overview_tag(int64_t last, struct vr_wall now)
{
    return vr_strf(VR_VERSION "-o%" PRId64 "-%" PRId64, last,
                   now.us / (OVERVIEW_STALE_SECS * VR_US_PER_S));
}

static int show_overview(struct vr_call *call, struct vr_err *err)
{
    VR_OWNED(vr_tx_free) struct vr_tx *tx = NULL;
    const struct vr_query *query = vr_http_req_query(call->req);
    struct vr_overview_spec spec = {.app = vr_query_find(query, "app"),
                                    .dashboard = vr_query_find(query, "dashboard"),
                                    .now = call->now};
    struct vr_http_resp *resp;
    vr_auto_free char *tag = NULL;
    char *body = NULL;
    int64_t last;
    int r = vr_store_begin(call->server->store, VR_DB_READ, &tx, err);

    if (r == 0)
        r = vr_store_event_last(tx, &last, err);
    if (r < 0)
        return r;
    tag = overview_tag(last, call->now);
    if (!vr_http_req_has_etag(call->req, tag))
        r = vr_store_overview(tx, &spec, &body, err);
    if (r < 0)
        return r;
    resp = vr_http_resp_new(200);
    vr_http_resp_header(resp, "Cache-Control", "private, no-cache");
    vr_http_resp_etag(resp, tag);
    if (body)
        vr_http_resp_bytes(resp, "application/json", body, strlen(body));
    vr_http_answer(call->req, resp);
    return 0;
}

static int stream_events(struct vr_call *call, struct vr_err *err)
{
    vr_hub_stream(call->server->hub, call->req,
                  &(struct vr_hub_stream_spec){
                      .form = VR_HUB_EVENTS, .after = last_seen(call), .login = LOGIN(call)});
    return 0;
}

static int stream_proc_changes(struct vr_call *call, struct vr_err *err)
{
    vr_hub_stream(call->server->hub, call->req,
                  &(struct vr_hub_stream_spec){
                      .form = VR_HUB_PROC_CHANGES, .after = -1, .login = LOGIN(call)});
    return 0;
}

static int stream_proc_log(struct vr_call *call, struct vr_err *err)
{
    VR_OWNED(vr_tx_free) struct vr_tx *tx = NULL;
    VR_ROW(proc) proc = {0};
    struct vr_proc_log log = {.lines = OLD_LOG_LINES, .follow = true};
    int r = vr_proc_log_read(call, &log, err);

    if (r == 0)
        r = vr_store_begin(call->server->store, VR_DB_READ, &tx, err);
    if (r == 0)
        r = vr_store_proc_find(tx, call->args[0], call->args[1], &proc, err);
    tx = vr_tx_free(tx);
    return r < 0 ? r : vr_proc_log_send(call, &proc, &log, err);
}

const struct vr_route vr_routes_stream[] = {
    {"GET", "stream", VR_ROLE_VIEWER, stream_all},
    {"GET", "overview", VR_ROLE_VIEWER, show_overview},
    {NULL},
};

const struct vr_route vr_routes_old_stream[] = {
    {"GET", "events", VR_ROLE_VIEWER, stream_events},
    {"GET", "proc_changes", VR_ROLE_VIEWER, stream_proc_changes},
    {"GET", "proc_log/*/*", VR_ROLE_VIEWER, stream_proc_log},
    {NULL},
};
