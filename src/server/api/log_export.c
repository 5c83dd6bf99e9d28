/* SPDX-License-Identifier: MIT */
/*
 * The audit log: a list like all others, or a file of comma-separated values.
 *
 * The file is written page by page into one without a name, from one transaction, and sent from
 * there: however long it is, no more than a page of it is in memory, and who reads slowly holds
 * neither a thread nor a transaction.
 */
#include "model/log_csv.h"
#include "server/api/number.h"
#include "server/api/resource.h"
#include "server/route.h"
#include "sys/fs.h"

#include <inttypes.h>
#include <stdio.h>
#include <time.h>

#define HEADER_BYTES 64

/* Write the entries of a page to the file; their number or -code. */
static int write_page(struct vr_tx *tx, const struct vr_list_spec *spec, bool is_first, int fd,
                      int64_t *out_total, struct vr_err *err)
{
    vr_auto_buf struct vr_buf text = VR_BUF(VR_LIST_BYTES);
    vr_auto_list struct vr_list page = {0};
    vr_auto_json json_t *entries = NULL;
    const json_t *entry;
    size_t i;
    int r = vr_store_list(tx, spec, &page, err);

    if (r == 0)
        r = vr_json_parse((struct vr_str){page.objects, page.bytes}, VR_LIST_BYTES, &entries, err);
    if (r < 0)
        return r;
    if (is_first)
        vr_log_csv_head(&text);
    json_array_foreach (entries, i, entry)
        vr_log_csv_add(&text, entry);
    if (text.over)
        return vr_fail(err, VR_LIMIT, "a page of the log is larger than %u bytes", VR_LIST_BYTES);
    r = vr_fd_write_all(fd, text.p, text.len, err);
    *out_total = page.total_count;
    return r < 0 ? r : (int)page.count;
}

/* Write up to `limit` entries. @out_total  as many fit the filters */
static int write_all(struct vr_call *call, int fd, int64_t limit, int64_t offset,
                     int64_t *out_total, struct vr_err *err)
{
    VR_OWNED(vr_tx_free) struct vr_tx *tx = NULL;
    struct vr_list_spec spec = {.resource = VR_RES_LOGS,
                                .query = vr_http_req_query(call->req),
                                .offset = offset,
                                .now = call->now};
    bool is_first = true;
    int r = vr_store_begin(call->server->store, VR_DB_READ, &tx, err);

    if (r < 0)
        return r;
    do {
        spec.limit = limit < VR_LIST_LIMIT_MAX ? limit : VR_LIST_LIMIT_MAX;
        r = write_page(tx, &spec, is_first, fd, out_total, err);
        if (r < 0)
            return r;
        is_first = false;
        spec.offset += r;
        limit -= r;
    } while (r == spec.limit && limit > 0);
    return 0;
}

static struct vr_http_resp *make_answer(const struct vr_call *call, int64_t total, bool is_cut)
{
    struct vr_http_resp *resp = vr_http_resp_new(200);
    struct tm tm;
    time_t now = (time_t)(call->now.us / VR_US_PER_S);
    char text[HEADER_BYTES];

    gmtime_r(&now, &tm);
    strftime(text, sizeof(text), "attachment; filename=\"log-%Y%m%dT%H%M%SZ.csv\"", &tm);
    vr_http_resp_header(resp, "Content-Disposition", text);
    vr_http_resp_header(resp, "Cache-Control", "private, no-cache");
    snprintf(text, sizeof(text), "%" PRId64, total);
    vr_http_resp_header(resp, "X-Total-Count", text);
    if (is_cut) {
        snprintf(text, sizeof(text), "%d", VR_LOG_CSV_ROWS);
        vr_http_resp_header(resp, "X-Truncated", text);
    }
    return resp;
}

static int export_csv(struct vr_call *call, struct vr_err *err)
{
    const char *folder = call->server->config.data_dir;
    VR_OWNED(vr_http_resp_free) struct vr_http_resp *resp = NULL;
    vr_auto_close int fd = -1;
    int64_t total = 0, limit, offset;
    int r = vr_query_number(call, "limit", 0, INT64_MAX, 0, &limit, err);

    if (r == 0)
        r = vr_query_number(call, "offset", 0, INT64_MAX, 0, &offset, err);
    if (r < 0)
        return r;
    if (limit == 0 || limit > VR_LOG_CSV_ROWS)
        limit = VR_LOG_CSV_ROWS;
    fd = vr_fs_open_unnamed(folder ? folder : P_tmpdir, err);
    if (fd < 0)
        return fd;
    r = write_all(call, fd, limit, offset, &total, err);
    if (r < 0)
        return r;
    resp = make_answer(call, total, limit == VR_LOG_CSV_ROWS && total - offset > limit);
    r = vr_http_resp_file(resp, VR_CSV_TYPE, vr_take_fd(fd), err);
    if (r == 0)
        vr_http_answer(call->req, vr_take(resp));
    return r;
}

static int list(struct vr_call *call, struct vr_err *err)
{
    const char *format = vr_query_find(vr_http_req_query(call->req), "format");

    if (vr_streq(format, "csv"))
        return export_csv(call, err);
    if (!vr_str_is_empty(format) && !vr_streq(format, "json"))
        return vr_fail(err, VR_INVALID, "format '%s' is none of json, csv", format);
    return vr_resource_list(call, err);
}

const struct vr_route vr_routes_log[] = {
    {"GET", "logs", VR_ROLE_VIEWER, list},
    {NULL},
};
