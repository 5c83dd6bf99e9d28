/* SPDX-License-Identifier: MIT */
/* Pages of lists. */
#include "server/api/page.h"

#include "fmt/uri.h"
#include "store/resource.h"

#include <inttypes.h>

#define LINK_BYTES (4 * VR_QUERY_BYTES) /* escapes make a query up to three times as long */

static int read_number(const struct vr_query *query, const char *name, int64_t fallback,
                       int64_t *out, struct vr_err *err)
{
    const char *text = vr_query_find(query, name);

    if (vr_str_is_empty(text)) {
        *out = fallback;
        return 0;
    }
    if (vr_parse_i64(vr_str(text), 0, INT64_MAX / 2, out, NULL) < 0)
        return vr_fail(err, VR_INVALID,
                       "Invalid %s '%s' provided. Please provide a positive integer.", name, text);
    return 0;
}

int vr_page_read(const struct vr_query *query, struct vr_page *out, struct vr_err *err)
{
    int r = read_number(query, "limit", VR_PAGE_LIMIT, &out->limit, err);

    if (r == 0)
        r = read_number(query, "offset", 0, &out->offset, err);
    if (r == 0 && (out->limit == 0 || out->limit > VR_LIST_LIMIT_MAX))
        out->limit = VR_LIST_LIMIT_MAX;
    return r;
}

/* @tail  what names the page, behind everything else of the query */
static json_t *make_link(const char *path, const struct vr_query *query, const char *tail)
{
    vr_auto_buf struct vr_buf text = VR_BUF(LINK_BYTES);

    vr_buf_add(&text, path);
    vr_buf_addc(&text, '?');
    for (size_t i = 0; i < vr_query_count(query); i++) {
        const char *key = vr_query_key(query, i);

        if (vr_streq(key, "limit") || vr_streq(key, "offset") || vr_streq(key, "cursor"))
            continue;
        vr_uri_add_encoded(&text, vr_str(key));
        vr_buf_addc(&text, '=');
        vr_uri_add_encoded(&text, vr_str(vr_query_value(query, i)));
        vr_buf_addc(&text, '&');
    }
    vr_buf_add(&text, tail);
    return vr_json_text(vr_buf_text(&text), text.len);
}

static json_t *link_to(const char *path, const struct vr_query *query, int64_t limit,
                       int64_t offset)
{
    vr_auto_free char *tail = vr_strf("limit=%" PRId64 "&offset=%" PRId64, limit, offset);

    return make_link(path, query, tail);
}

json_t *vr_page_cursor_meta(const struct vr_page *page, const char *path,
                            const struct vr_query *query, const char *next_cursor)
{
    vr_auto_free char *tail =
        vr_strf("limit=%" PRId64 "&cursor=%s", page->limit, next_cursor ? next_cursor : "");
    json_t *meta = json_object();

    vr_json_set(meta, "limit", json_integer(page->limit));
    vr_json_set(meta, "next", next_cursor ? make_link(path, query, tail) : json_null());
    return meta;
}

json_t *vr_page_meta(const struct vr_page *page, const char *path, const struct vr_query *query,
                     int64_t total_count)
{
    json_t *meta = json_object();
    int64_t before = page->offset > page->limit ? page->offset - page->limit : 0;

    vr_json_set(meta, "limit", json_integer(page->limit));
    vr_json_set(meta, "offset", json_integer(page->offset));
    vr_json_set(meta, "total_count", json_integer(total_count));
    vr_json_set(meta, "next",
                page->offset + page->limit < total_count
                    ? link_to(path, query, page->limit, page->offset + page->limit)
                    : json_null());
    vr_json_set(meta, "previous",
                page->offset > 0 ? link_to(path, query, page->limit, before) : json_null());
    return meta;
}
