/* SPDX-License-Identifier: MIT */
/* Reading: lists, details, sets and schemas of all resources, made by the store as text. */
#include "server/api/resource.h"
#include "server/api/noun_history.h"
#include "server/api/page.h"
#include "server/api/ref.h"
#include "server/api/schema.h"
#include "server/route.h"
#include "store/event.h"
#include "store/log.h"
#include "store/resource.h"
#include "store/version.h"

#include <inttypes.h>

#define SET_MAX         1000 /* keys of one set */
#define RESOURCE_AT     2    /* part of the path: api, v1, apps */
#define MEMBER_BYTES    64
#define LIST_BYTES_MAX  (VR_LIST_BYTES + (1u << 20))
#define LIST_STALE_SECS 2

static enum vr_resource resource_of(const struct vr_call *call)
{
    enum vr_resource resource = VR_RES_APPS;

    vr_ignore(vr_resource_parse(vr_http_req_segment(call->req, RESOURCE_AT), &resource, NULL),
              "the routes below have names of resources only");
    return resource;
}

/* ------------------------------------------------------------------ lists */

/*
 * Every change that the list of such a resource shows writes an event, so an unchanged event id
 * means an unchanged list. The others also show what procs and hosts report, which is allowed to
 * be LIST_STALE_SECS old when nothing happens.
 */
static bool is_told_by_events(enum vr_resource resource)
{
    return resource == VR_RES_APPS || resource == VR_RES_BUILDPACKS ||
           resource == VR_RES_INGREDIENTS || resource == VR_RES_EVENTS;
}

/*
 * The list's entity tag, read before the list: it never says more than the list shows. What `can`
 * says depends on who asks, and by which token.
 */
static int make_tag(struct vr_tx *tx, const struct vr_list_spec *spec, const struct vr_who *who,
                    char **out, struct vr_err *err)
{
    int64_t last;
    int64_t slot =
        is_told_by_events(spec->resource) ? 0 : spec->now.us / (LIST_STALE_SECS * VR_US_PER_S);
    int r = vr_store_event_last(tx, &last, err);

    if (r == 0 && spec->resource == VR_RES_LOGS) /* what was refused is no event */
        r = vr_store_log_last(tx, &slot, err);

    if (r == 0)
        *out = vr_strf(VR_VERSION "-%" PRId64 "-%" PRId64 "-%" PRId64 "-%" PRId64, last, slot,
                       who->id, who->token_id);
    return r;
}

static void reply_list(struct vr_call *call, const char *tag, char *body)
{
    struct vr_http_resp *resp = vr_http_resp_new(200);

    vr_http_resp_header(resp, "Cache-Control", "private, no-cache");
    vr_http_resp_etag(resp, tag);
    if (body)
        vr_http_resp_bytes(resp, "application/json", body, strlen(body));
    vr_http_answer(call->req, resp);
}

int vr_resource_list(struct vr_call *call, struct vr_err *err)
{
    const struct vr_query *query = vr_http_req_query(call->req);
    vr_auto_view struct vr_view view;
    struct vr_list_spec spec = {
        .resource = resource_of(call), .query = query, .viewer = &view.viewer, .now = call->now};
    VR_OWNED(vr_tx_free) struct vr_tx *tx = NULL;
    vr_auto_list struct vr_list found = {0};
    vr_auto_buf struct vr_buf text = VR_BUF(LIST_BYTES_MAX);
    vr_auto_json json_t *meta = NULL;
    vr_auto_free char *meta_text = NULL;
    vr_auto_free char *tag = NULL;
    struct vr_page page;
    char *body;
    int r = vr_page_read(query, &page, err);

    vr_view_init(&view, &call->who, spec.resource);
    if (r < 0)
        return r;
    spec.limit = page.limit;
    spec.offset = page.offset;
    spec.cursor = vr_query_find(query, "cursor");
    r = vr_store_begin(call->server->store, VR_DB_READ, &tx, err);
    if (r == 0)
        r = make_tag(tx, &spec, &call->who, &tag, err);
    if (r == 0 && vr_http_req_has_etag(call->req, tag)) {
        reply_list(call, tag, NULL);
        return 0;
    }
    if (r == 0)
        r = vr_store_list(tx, &spec, &found, err);
    if (r < 0)
        return r;
    meta = spec.cursor
               ? vr_page_cursor_meta(&page, vr_http_req_path(call->req), query, found.next_cursor)
               : vr_page_meta(&page, vr_http_req_path(call->req), query, found.total_count);
    if (spec.cursor || found.next_cursor)
        vr_json_set(meta, "next_cursor", vr_json_str_or_null(found.next_cursor));
    meta_text = vr_json_dump_sorted(meta);
    vr_buf_addf(&text, "{\"meta\":%s,\"objects\":", meta_text);
    vr_buf_add_n(&text, found.objects, found.bytes);
    vr_buf_addc(&text, '}');
    r = vr_buf_finish(&text, &body, err);
    if (r == 0)
        reply_list(call, tag, body);
    return r;
}

/* ------------------------------------------------------------------ details */

/* The version that If-Match is compared with, and the id; 0 for resources without one. */
static int64_t version_of(struct vr_tx *tx, enum vr_resource resource, const char *key,
                          int64_t *out_id)
{
    vr_auto_free char *text = NULL;
    vr_auto_json json_t *object = NULL;

    if (vr_store_object(tx, resource, key, "id,row_version", (struct vr_wall){0}, &text, NULL) <
            0 ||
        vr_json_parse(vr_str(text), VR_JSON_BYTES, &object, NULL) < 0)
        return 0;
    *out_id = json_integer_value(json_object_get(object, "id"));
    return json_integer_value(json_object_get(object, "row_version"));
}

static int detail(struct vr_call *call, struct vr_err *err)
{
    enum vr_resource resource = resource_of(call);
    const char *key = call->args[0];
    vr_auto_view struct vr_view view;
    const char *fields = vr_query_find(vr_http_req_query(call->req), "fields");
    VR_OWNED(vr_tx_free) struct vr_tx *tx = NULL;
    struct vr_http_resp *resp;
    vr_auto_free char *body = NULL;
    int64_t version = 0, id = 0;
    size_t n;
    int r = vr_store_begin(call->server->store, VR_DB_READ, &tx, err);

    vr_view_init(&view, &call->who, resource);
    if (r == 0)
        r = vr_store_show(tx,
                          &(struct vr_object_spec){.resource = resource,
                                                   .key = key,
                                                   .fields = fields,
                                                   .viewer = &view.viewer,
                                                   .now = call->now},
                          &body, err);
    if (r == 0)
        version = version_of(tx, resource, key, &id);
    if (r == 0 && vr_store_version_is_kept(resource) && !fields)
        r = vr_noun_add_changed(tx, resource, id, &body, err);
    if (r < 0)
        return r;
    resp = vr_http_resp_new(200);
    if (version) {
        char tag[MEMBER_BYTES];

        /* Set by hand: it says whether the wish changed, so it must not answer 304. */
        snprintf(tag, sizeof(tag), "\"%" PRId64 "\"", version);
        vr_http_resp_header(resp, "ETag", tag);
    }
    n = strlen(body);
    vr_http_resp_bytes(resp, "application/json", vr_take(body), n);
    vr_http_answer(call->req, resp);
    return 0;
}

/* Some objects by their keys, separated by `;`. */
static int set(struct vr_call *call, struct vr_err *err)
{
    VR_OWNED(vr_tx_free) struct vr_tx *tx = NULL;
    vr_auto_buf struct vr_buf found = VR_BUF(VR_LIST_BYTES);
    vr_auto_json json_t *missing = json_array();
    vr_auto_free char *missing_text = NULL;
    vr_auto_free char *text = vr_strdup(call->args[0]);
    vr_auto_view struct vr_view view;
    struct vr_object_spec spec = {
        .resource = resource_of(call), .viewer = &view.viewer, .now = call->now};
    const char *keys[SET_MAX];
    bool is_missing[SET_MAX] = {false};
    char *rest = text;
    size_t n = 0;
    int r;

    vr_view_init(&view, &call->who, spec.resource);
    for (const char *key; (key = strsep(&rest, ";"));) {
        if (!*key)
            continue;
        if (n == SET_MAX)
            return vr_fail(err, VR_INVALID, "a set has at most %d keys", SET_MAX);
        keys[n++] = key;
    }
    r = vr_store_begin(call->server->store, VR_DB_READ, &tx, err);
    if (r == 0)
        r = vr_store_set(tx, &spec, keys, n, &found, is_missing, err);
    if (r < 0)
        return r;
    if (found.over)
        return vr_fail(err, VR_LIMIT, "the set is larger than %u bytes", VR_LIST_BYTES);
    for (size_t i = 0; i < n; i++)
        if (is_missing[i])
            vr_json_push(missing, vr_json_text(keys[i], strlen(keys[i])));
    missing_text = vr_json_dump(missing);
    if (json_array_size(missing))
        vr_reply_text(
            call, 200,
            vr_strf("{\"not_found\":%s,\"objects\":[%s]}", missing_text, vr_buf_text(&found)));
    else
        vr_reply_text(call, 200, vr_strf("{\"objects\":[%s]}", vr_buf_text(&found)));
    return 0;
}

/* ------------------------------------------------------------------ what there is */

static int schema(struct vr_call *call, struct vr_err *err)
{
    vr_reply_json(call, 200, vr_schema_of(resource_of(call)));
    return 0;
}

/* The index needs no login: clients look here for what the server offers. */
static int list_resources(struct vr_call *call, struct vr_err *err)
{
    json_t *all = json_object();

    for (int i = 0; i < VR_RES_COUNT; i++) {
        const char *name = vr_resource_name((enum vr_resource)i);

        vr_json_set(all, name,
                    json_pack("{s:o, s:o}", "list_endpoint", json_sprintf("/api/v1/%s/", name),
                              "schema", json_sprintf("/api/v1/%s/schema/", name)));
    }
    vr_reply_json(call, 200, all);
    return 0;
}

/* A name before `*`: the first row that fits is taken. */
#define RESOURCE(name)                                                                             \
    {"GET", name, VR_ROLE_VIEWER, vr_resource_list},                                               \
        {"GET", name "/schema", VR_ROLE_VIEWER, schema},                                           \
        {"GET", name "/set/*", VR_ROLE_VIEWER, set},                                               \
    {                                                                                              \
        "GET", name "/*", VR_ROLE_VIEWER, detail                                                   \
    }

const struct vr_route vr_routes_resource[] = {
    {"GET", "", VR_ROLE_ANYONE, list_resources},
    RESOURCE("apps"),
    RESOURCE("buildpacks"),
    RESOURCE("builds"),
    RESOURCE("releases"),
    RESOURCE("ingredients"),
    RESOURCE("squads"),
    RESOURCE("hosts"),
    RESOURCE("swarms"),
    RESOURCE("procs"),
    RESOURCE("rollouts"),
    RESOURCE("commands"),
    RESOURCE("balancers"),
    RESOURCE("pools"),
    RESOURCE("events"),
    RESOURCE("logs"), /* the list is that of log_export.c */
    RESOURCE("user"),
    RESOURCE("tokens"),
    RESOURCE("stacks"),
    RESOURCE("images"),
    RESOURCE("testruns"),
    RESOURCE("testresults"),
    RESOURCE("dashboard"),
    RESOURCE("profile"),
    {NULL},
};
