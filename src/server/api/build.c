/* SPDX-License-Identifier: MIT */
/* Builds: made, started, deleted, and their log as it grows. */
#include "store/build.h"
#include "engine/work.h"
#include "model/label.h"
#include "server/api/noun.h"
#include "server/api/number.h"
#include "server/api/proc_log.h"
#include "server/build_logs.h"
#include "server/hub.h"
#include "server/reader.h"
#include "store/app.h"

#include <inttypes.h>

#define LOG_BYTES_MAX (1u << 20) /* of one answer */

/* ------------------------------------------------------------------ writing */

static const struct vr_noun_field build_fields[] = {
    {"app", VR_NOUN_REF, offsetof(struct vr_build_row, app_id), true, .resource = VR_RES_APPS},
    {"tag", VR_NOUN_NAME, offsetof(struct vr_build_row, tag), true, VR_NAME_TAG},
};

VR_NOUN_STORE(build)
VR_NOUN_FIND_ID(build)

static char *build_label(const void *row)
{
    const struct vr_build_row *build = row;

    return vr_strf("%s (%" PRId64 ")", build->tag, build->id);
}

static void build_preset(const struct vr_write *w, void *row)
{
    struct vr_build_row *build = row;

    build->commit_id = vr_strdup("");
    build->inputs_json = vr_strdup("{}");
    build->created_us = w->call->now.us;
}

static int64_t build_app_of(const void *row)
{
    const struct vr_build_row *build = row;

    return build->app_id;
}

static const struct vr_noun build_noun = {
    .resource = VR_RES_BUILDS,
    .title = "build",
    .fields = build_fields,
    .field_count = VR_COUNT(build_fields),
    .page = "/builds/",
    .row_bytes = sizeof(struct vr_build_row),
    .id_offset = offsetof(struct vr_build_row, id),
    .find = build_find,
    .insert = build_insert,
    .remove = build_remove,
    .fini = build_fini,
    .label = build_label,
    .app_of = build_app_of,
    .preset = build_preset,
};

VR_NOUN_HANDLER(build, create)
VR_NOUN_HANDLER(build, delete)

static int start_in(struct vr_write *w, struct vr_err *err)
{
    VR_ROW(build) build = {0};
    VR_ROW(app) app = {0};
    vr_auto_free char *name = NULL;
    vr_auto_free char *page = vr_strf("/builds/%s", w->call->args[0]);
    int r = build_find(w->tx, w->call->args[0], &build, err);

    if (r == 0)
        r = vr_access_app(w->call, build.app_id, err);
    if (r == 0)
        r = vr_store_app_find_id(w->tx, build.app_id, &app, err);
    if (r == 0)
        r = vr_work_start_build(w->tx, build.id, w->call->now, err);
    if (r < 0)
        return r;
    name = vr_label_build(app.name, build.tag);
    r = vr_write_tell(w,
                      &(struct vr_told){
                          .action = "build",
                          .object = name,
                          .page = page,
                          .resource = vr_resource_name(VR_RES_BUILDS),
                          .object_id = build.id,
                          .app_id = app.id,
                      },
                      err);
    return r < 0 ? r : vr_write_answer(w, 202, NULL, NULL);
}

static int start(struct vr_call *call, struct vr_err *err)
{
    return vr_write_run(call, start_in, NULL, err);
}

/* ------------------------------------------------------------------ the log */

/* Which part of which log a request waits for. */
struct watched {
    int64_t build_id;
    int64_t from;
};

static bool has_ended(const struct vr_build_row *build)
{
    return !vr_streq(build->status, "pending") && !vr_streq(build->status, "started");
}

/* @text taken */
static struct vr_http_resp *log_resp(char *text, size_t n, int64_t next, bool is_end)
{
    struct vr_http_resp *resp = vr_http_resp_new(200);
    vr_auto_free char *next_text = vr_strf("%" PRId64, next);

    vr_http_resp_bytes(resp, "text/plain; charset=utf-8", text, n);
    vr_http_resp_header(resp, "X-Log-Next", next_text);
    if (is_end)
        vr_http_resp_header(resp, "X-Log-End", "1");
    return resp;
}

/* @out NULL if there is nothing new yet */
static int read_log(struct vr_store *store, const struct watched *watched,
                    struct vr_http_resp **out, struct vr_err *err)
{
    VR_OWNED(vr_tx_free) struct vr_tx *tx = NULL;
    VR_ROW(build) build = {0};
    char *text = NULL;
    size_t n = 0;
    int64_t next;
    int r = vr_store_begin(store, VR_DB_READ, &tx, err);

    if (r == 0)
        r = vr_store_build_find_id(tx, watched->build_id, &build, err);
    if (r == 0)
        r = vr_store_build_log_read(tx, watched->build_id, watched->from, LOG_BYTES_MAX, &text, &n,
                                    err);
    if (r < 0)
        return r;
    next = watched->from + (int64_t)n;
    *out = NULL;
    if (n || has_ended(&build))
        *out = log_resp(text, n, next, has_ended(&build) && next >= build.log_bytes);
    else
        free(text);
    return 0;
}

static struct vr_http_resp *look(struct vr_server *server, void *data)
{
    struct vr_http_resp *resp = NULL;

    vr_ignore(read_log(server->store, data, &resp, NULL), "the next change, or the timeout, comes");
    return resp;
}

/* Backwards, like a host does it (agent/log_streams.c), from what the database has. */
static int search_log(struct vr_call *call, int64_t build_id, const struct vr_log_search_spec *spec,
                      struct vr_err *err)
{
    VR_OWNED(vr_tx_free) struct vr_tx *tx = NULL;
    VR_OWNED(vr_log_search_free) struct vr_log_search *search = NULL;
    VR_ROW(build) build = {0};
    int64_t from, to;
    int r = vr_log_search_new(spec, &search, err);

    if (r == 0)
        r = vr_store_begin(call->server->store, VR_DB_READ, &tx, err);
    if (r == 0)
        r = vr_store_build_find_id(tx, build_id, &build, err);
    if (r < 0)
        return r;
    vr_log_search_begin(search, 0, build.log_bytes);
    while (r == 0 && vr_log_search_wants(search, &from, &to)) {
        vr_auto_free char *text = NULL;
        size_t n = 0;

        r = vr_store_build_log_read(tx, build_id, from, (size_t)(to - from), &text, &n, err);
        if (r == 0)
            vr_log_search_piece(search, (struct vr_str){text, n});
    }
    if (r == 0)
        vr_reply_json(call, 200, vr_log_search_result(search));
    return r;
}

/* As a WebSocket: from a byte on, followed to the end. */
static int follow_log(struct vr_call *call, const struct watched *watched, struct vr_err *err)
{
    VR_OWNED(vr_tx_free) struct vr_tx *tx = NULL;
    VR_ROW(build) build = {0};
    int r = vr_store_begin(call->server->store, VR_DB_READ, &tx, err);

    if (r == 0)
        r = vr_store_build_find_id(tx, watched->build_id, &build, err);
    tx = vr_tx_free(tx);
    if (r == 0)
        vr_build_logs_read(
            vr_hub_build_logs(call->server->hub), call->req, build.id, watched->from,
            &(struct vr_login){call->who.id, call->who.token_id, call->who.session_id});
    return vr_log_refuse(call, r, err);
}

static int show_log(struct vr_call *call, struct vr_err *err)
{
    struct vr_log_search_spec search;
    struct watched watched;
    struct vr_http_resp *resp = NULL;
    struct watched *kept;
    int64_t secs;
    int r = vr_ref_id("build", call->args[0], &watched.build_id, err);

    if (r == 0)
        r = vr_query_number(call, "from", 0, INT64_MAX / 2, 0, &watched.from, err);
    if (r == 0)
        r = vr_query_number(call, "wait", 0, VR_WRITE_WAIT_SECS, 0, &secs, err);
    if (r == 0)
        r = vr_log_search_read(call, &search, err);
    if (r > 0)
        return search_log(call, watched.build_id, &search, err);
    if (vr_ws_is_asked(call->req))
        return r < 0 ? vr_log_refuse(call, r, err) : follow_log(call, &watched, err);
    if (r == 0)
        r = read_log(call->server->store, &watched, &resp, err);
    if (r < 0)
        return r;
    if (resp || !secs) {
        vr_http_answer(call->req, resp ? resp : log_resp(vr_strdup(""), 0, watched.from, false));
        return 0;
    }
    kept = vr_alloc(sizeof(*kept));
    *kept = watched;
    vr_hub_wait(call->server->hub, call->req, 0, secs * 1000,
                log_resp(vr_strdup(""), 0, watched.from, false), look, kept, free);
    return 0;
}

const struct vr_route vr_routes_build[] = {
    {"POST", "builds", VR_ROLE_DEPLOYER, build_create, VR_SCOPE_APP},
    {"DELETE", "builds/*", VR_ROLE_DEPLOYER, build_delete, VR_SCOPE_APP},
    {"POST", "builds/*/build", VR_ROLE_DEPLOYER, start, VR_SCOPE_APP},
    {"GET", "builds/*/log", VR_ROLE_VIEWER, show_log},
    {NULL},
};
