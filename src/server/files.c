/* SPDX-License-Identifier: MIT */
/* Files of the contract: slugs and compile logs under /files/. */
#include "blob/blob.h"
#include "fmt/query.h"
#include "net/http_resp.h"
#include "server/route.h"
#include "store/build.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define LOG_PREFIX "build_"
#define LOG_SUFFIX "_compile.log"

/* `build_<id>_compile.log` → id, 0 if it is another name. */
static int64_t log_of(const char *name)
{
    size_t n = strlen(name), head = strlen(LOG_PREFIX), tail = strlen(LOG_SUFFIX);
    int64_t id;

    if (n <= head + tail || !vr_str_has_prefix(name, LOG_PREFIX) ||
        !vr_str_has_suffix(name, LOG_SUFFIX))
        return 0;
    if (vr_parse_i64((struct vr_str){name + head, n - head - tail}, 1, INT64_MAX, &id, NULL) < 0)
        return 0;
    return id;
}

static int answer_log(struct vr_server *server, struct vr_http_req *req, int64_t id,
                      struct vr_err *err)
{
    VR_OWNED(vr_tx_free) struct vr_tx *tx = NULL;
    VR_ROW(build) build = {0};
    struct vr_http_resp *resp;
    char *text = NULL;
    size_t n = 0;
    int r = vr_store_begin(server->store, VR_DB_READ, &tx, err);

    if (r == 0)
        r = vr_store_build_find_id(tx, id, &build, err);
    if (r == 0)
        r = vr_store_build_log_read(tx, id, 0, VR_BUILD_LOG_BYTES, &text, &n, err);
    if (r < 0)
        return r;
    resp = vr_http_resp_new(200);
    vr_http_resp_bytes(resp, "text/plain; charset=utf-8", text, n);
    vr_http_answer(req, resp);
    return 0;
}

static int answer_slug(struct vr_server *server, struct vr_http_req *req, const char *name,
                       struct vr_err *err)
{
    VR_OWNED(vr_tx_free) struct vr_tx *tx = NULL;
    VR_OWNED(vr_http_resp_free) struct vr_http_resp *resp = NULL;
    vr_auto_free char *path = vr_strf("builds/%s", name);
    VR_ROW(build) build = {0};
    int fd, r = vr_store_begin(server->store, VR_DB_READ, &tx, err);

    if (r == 0)
        r = vr_store_build_find_file(tx, path, &build, err);
    if (r < 0)
        return r;
    fd = vr_blob_open(server->blobs, build.file_sha256, err);
    if (fd < 0)
        return fd;
    resp = vr_http_resp_new(200);
    vr_http_resp_etag(resp, build.file_md5);
    r = vr_http_resp_file(resp, "application/octet-stream", fd, err);
    if (r == 0)
        vr_http_answer(req, vr_take(resp));
    return r;
}

static int show_file(struct vr_call *call, struct vr_err *err)
{
    const char *name = call->args[0];

    return log_of(name) ? answer_log(call->server, call->req, log_of(name), err)
                        : answer_slug(call->server, call->req, name, err);
}

const struct vr_route vr_routes_file[] = {
    {"GET", "files/builds/*", VR_ROLE_VIEWER, show_file},
    {NULL},
};
