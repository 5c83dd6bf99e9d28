/* SPDX-License-Identifier: MIT */
/* For people who look for something: swarms by a part of their name, the log as a feed. */
#include "fmt/query.h"
#include "model/label.h"
#include "server/route.h"
#include "server/session.h"
#include "store/log.h"
#include "store/resource.h"
#include "store/swarm.h"

#include <inttypes.h>
#include <string.h>
#include <time.h>

/* ------------------------------------------------------------------ /swarmsearch/ */

#define SEARCH_TEXT_MAX  200
#define CALLBACK_MAX     100
#define CALLBACK_LETTERS "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_$."

/* A name of JavaScript, with dots: anything else could be a script of its own. */
static int check_callback(const char *name, struct vr_err *err)
{
    if (vr_str_is_made_of(name, CALLBACK_LETTERS, 1, CALLBACK_MAX) && !strchr("0123456789.", *name))
        return 0;
    return vr_fail(err, VR_INVALID, "callback '%.100s' is no name of a function", name);
}

static json_t *found_json(const struct vr_swarm_rows *found)
{
    json_t *list = json_array();

    for (size_t i = 0; i < found->n; i++) {
        const struct vr_swarm_row *swarm = &found->v[i];
        vr_auto_free char *name =
            vr_label_swarm_short(swarm->app_name, swarm->tag, swarm->config_name, swarm->proc_name);

        vr_json_push(list, json_pack("{s:s, s:I, s:s}", "shortname", name, "id",
                                     (json_int_t)swarm->id, "app_name", swarm->app_name));
    }
    return list;
}

static void reply_script(struct vr_call *call, const char *callback, json_t *value)
{
    struct vr_http_resp *resp = vr_http_resp_new(200);
    vr_auto_free char *text = vr_json_dump(value);
    char *script = vr_strf("/**/%s(%s);", callback, text);

    json_decref(value);
    vr_http_resp_header(resp, "X-Content-Type-Options", "nosniff");
    vr_http_resp_bytes(resp, "application/javascript; charset=utf-8", script, strlen(script));
    vr_http_answer(call->req, resp);
}

static int search_swarms(struct vr_call *call, struct vr_err *err)
{
    VR_OWNED(vr_tx_free) struct vr_tx *tx = NULL;
    VR_ROWS(swarm) found = {0};
    const char *text = vr_query_find(vr_http_req_query(call->req), "query");
    const char *callback = vr_query_find(vr_http_req_query(call->req), "callback");
    int r = callback ? check_callback(callback, err) : 0;

    if (callback && vr_session_is_foreign(call->req)) /* it would run with what is found */
        return vr_fail(err, VR_DENIED, "a script of another site asks");
    if (r == 0 && text && strlen(text) > SEARCH_TEXT_MAX)
        r = vr_fail(err, VR_INVALID, "the query is longer than %d bytes", SEARCH_TEXT_MAX);
    if (r == 0)
        r = vr_store_begin(call->server->store, VR_DB_READ, &tx, err);
    if (r == 0)
        r = vr_store_swarm_search(tx, text ? text : "", VR_LIST_LIMIT_MAX, &found, err);
    if (r < 0)
        return r;
    if (callback)
        reply_script(call, callback, found_json(&found));
    else
        vr_reply_json(call, 200, found_json(&found));
    return 0;
}

/* ------------------------------------------------------------------ /log/rss/ */

#define FEED_ITEMS      50
#define FEED_BYTES      (4u << 20)
#define HTTP_DATE_BYTES 40

/* Text of an element: what XML does not know at all becomes a blank. */
static void add_escaped(struct vr_buf *out, const char *text)
{
    for (; text && *text; text++) {
        switch (*text) {
        case '&':
            vr_buf_add(out, "&amp;");
            break;
        case '<':
            vr_buf_add(out, "&lt;");
            break;
        case '>':
            vr_buf_add(out, "&gt;");
            break;
        case '"':
            vr_buf_add(out, "&quot;");
            break;
        default:
            vr_buf_addc(out, (unsigned char)*text < 0x20 && !strchr("\t\n\r", *text) ? ' ' : *text);
        }
    }
}

/* "Sat, 31 Jan 2026 12:00:00 GMT": without a locale strftime() speaks English. */
static void format_date(const char *time_utc, char out[HTTP_DATE_BYTES])
{
    struct vr_wall wall = {0};
    struct tm tm;
    time_t seconds;

    vr_ignore(vr_wall_parse(vr_str(time_utc), &wall, NULL), "then it is 1970");
    seconds = wall.us / VR_US_PER_S;
    gmtime_r(&seconds, &tm);
    strftime(out, HTTP_DATE_BYTES, "%a, %d %b %Y %H:%M:%S GMT", &tm);
}

static const char *text_of(const json_t *entry, const char *name)
{
    const char *text = json_string_value(json_object_get(entry, name));

    return text ? text : "";
}

static void add_item(struct vr_buf *out, const char *site, const json_t *entry)
{
    const char *user = text_of(json_object_get(entry, "user"), "username");
    char date[HTTP_DATE_BYTES];

    format_date(text_of(entry, "time_utc"), date);
    vr_buf_add(out, "<item><title>activity by ");
    add_escaped(out, *user ? user : text_of(entry, "username"));
    vr_buf_addf(out, " at %s</title><link>", text_of(entry, "time"));
    add_escaped(out, site);
    vr_buf_addf(out, "log</link><guid isPermaLink=\"false\">log-%" JSON_INTEGER_FORMAT "</guid>",
                json_integer_value(json_object_get(entry, "id")));
    vr_buf_addf(out, "<pubDate>%s</pubDate><description>", date);
    add_escaped(out, text_of(entry, "message"));
    vr_buf_add(out, "</description></item>\n");
}

static int make_feed(struct vr_call *call, const json_t *entries, char **out, struct vr_err *err)
{
    vr_auto_buf struct vr_buf text = VR_BUF(FEED_BYTES);
    vr_auto_free char *site = vr_reply_url(call, "/");
    const json_t *entry;
    size_t i;

    vr_buf_add(&text, "<?xml version=\"1.0\" encoding=\"utf-8\"?>\n<rss version=\"2.0\"><channel>"
                      "<title>Deployment Log</title><link>");
    add_escaped(&text, site);
    vr_buf_add(&text, "log</link><description>What users did, newest first</description>\n");
    json_array_foreach (entries, i, entry)
        add_item(&text, site, entry);
    vr_buf_add(&text, "</channel></rss>\n");
    return vr_buf_finish(&text, out, err);
}

static void reply_feed(struct vr_call *call, const json_t *newest, char *feed)
{
    struct vr_http_resp *resp = vr_http_resp_new(200);
    vr_auto_free char *tag =
        vr_strf("log-%" JSON_INTEGER_FORMAT, json_integer_value(json_object_get(newest, "id")));
    char date[HTTP_DATE_BYTES];

    vr_http_resp_etag(resp, tag);
    if (newest) {
        format_date(text_of(newest, "time_utc"), date);
        vr_http_resp_header(resp, "Last-Modified", date);
    }
    vr_http_resp_header(resp, "Cache-Control", "private, no-cache");
    vr_http_resp_bytes(resp, "application/rss+xml; charset=utf-8", feed, strlen(feed));
    vr_http_answer(call->req, resp);
}

static int show_feed(struct vr_call *call, struct vr_err *err)
{
    VR_OWNED(vr_tx_free) struct vr_tx *tx = NULL;
    VR_OWNED(vr_query_free) struct vr_query *query = NULL;
    vr_auto_list struct vr_list list = {0};
    vr_auto_json json_t *entries = NULL;
    char *feed;
    int r = vr_query_parse(vr_str("fields=id,time,time_utc,message,user,username"), &query, err);

    if (r == 0)
        r = vr_store_begin(call->server->store, VR_DB_READ, &tx, err);
    if (r == 0)
        r = vr_store_list(
            tx,
            &(struct vr_list_spec){.resource = VR_RES_LOGS, .query = query, .limit = FEED_ITEMS},
            &list, err);
    if (r == 0)
        r = vr_json_parse((struct vr_str){list.objects, list.bytes}, FEED_BYTES, &entries, err);
    if (r == 0)
        r = make_feed(call, entries, &feed, err);
    if (r == 0)
        reply_feed(call, json_array_get(entries, 0), feed);
    return r;
}

const struct vr_route vr_routes_feed[] = {
    {"GET", "swarmsearch", VR_ROLE_VIEWER, search_swarms},
    {"GET", "log/rss", VR_ROLE_VIEWER, show_feed, .flags = VR_ROUTE_QUERY_TOKEN},
    {NULL},
};
