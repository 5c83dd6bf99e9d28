/* SPDX-License-Identifier: MIT */
/* Pages of lists: limit and offset as asked for, and the links to the pages around. */
#ifndef VR_SERVER_API_PAGE_H
#define VR_SERVER_API_PAGE_H

#include "fmt/json.h"
#include "fmt/query.h"

#define VR_PAGE_LIMIT 100 /* objects of a page that names no limit */

struct vr_page {
    int64_t limit;
    int64_t offset;
};

/**
 * Read `limit` and `offset`. A limit of 0 or beyond the largest page is the largest page.
 * Returns -VR_INVALID with the contract's sentence.
 */
VR_MUST_USE
int vr_page_read(const struct vr_query *query, struct vr_page *out, struct vr_err *err);

/** The `meta` of a list, with links that keep the filters of `query`. Given. */
json_t *vr_page_meta(const struct vr_page *page, const char *path, const struct vr_query *query,
                     int64_t total_count);

/** The same of a page by a cursor: limit and next. @next_cursor NULL: the last one. Given. */
json_t *vr_page_cursor_meta(const struct vr_page *page, const char *path,
                            const struct vr_query *query, const char *next_cursor);

#endif
