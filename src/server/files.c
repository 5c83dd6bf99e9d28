/* SPDX-License-Identifier: MIT */
/* Files of the contract, under /files/: slugs, logs of builds, images, provisioning scripts. */
#include "blob/blob.h"
#include "server/route.h"
#include "store/build.h"
#include "store/image.h"
#include "store/stack.h"

#include <inttypes.h>
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

static const char *type_of(const char *name)
{
    static const char *const types[][2] = {
        {".tar.gz", "application/x-tar"},     {".tar.bz2", "application/x-tar"},
        {".tar.xz", "application/x-tar"},     {".log", "text/plain; charset=utf-8"},
        {".sh", "text/plain; charset=utf-8"}, {".txt", "text/plain; charset=utf-8"},
    };

    for (size_t i = 0; i < VR_COUNT(types); i++)
        if (vr_str_has_suffix(name, types[i][0]))
            return types[i][1];
    return "application/octet-stream";
}

static int answer_blob(struct vr_call *call, const char *name, const char *sha256, const char *tag,
                       struct vr_err *err)
{
    VR_OWNED(vr_http_resp_free) struct vr_http_resp *resp = NULL;
    int r, fd = vr_blob_open(call->server->blobs, sha256, err);

    if (fd < 0)
        return fd;
    resp = vr_http_resp_new(200);
    vr_http_resp_etag(resp, tag);
    r = vr_http_resp_file(resp, type_of(name), fd, err);
    if (r == 0)
        vr_http_answer(call->req, vr_take(resp));
    return r;
}

static int answer_log(struct vr_call *call, struct vr_tx *tx, int64_t id, struct vr_err *err)
{
    VR_ROW(build) build = {0};
    struct vr_http_resp *resp;
    char *text = NULL;
    size_t n = 0;
    int r = vr_store_build_find_id(tx, id, &build, err);

    if (r == 0)
        r = vr_store_build_log_read(tx, id, 0, VR_BUILD_LOG_BYTES, &text, &n, err);
    if (r < 0)
        return r;
    resp = vr_http_resp_new(200);
    vr_http_resp_bytes(resp, "text/plain; charset=utf-8", text, n);
    vr_http_answer(call->req, resp);
    return 0;
}

static int show_build(struct vr_call *call, struct vr_err *err)
{
    VR_OWNED(vr_tx_free) struct vr_tx *tx = NULL;
    const char *name = call->args[0];
    vr_auto_free char *path = vr_strf("builds/%s", name);
    VR_ROW(build) build = {0};
    int r = vr_store_begin(call->server->store, VR_DB_READ, &tx, err);

    if (r == 0 && log_of(name))
        return answer_log(call, tx, log_of(name), err);
    if (r == 0)
        r = vr_store_build_find_file(tx, path, &build, err);
    return r < 0 ? r : answer_blob(call, name, build.file_sha256, build.file_md5, err);
}

/* `images/<image>/<file>`, or its log. */
static int show_image(struct vr_call *call, struct vr_err *err)
{
    VR_OWNED(vr_tx_free) struct vr_tx *tx = NULL;
    const char *name = call->args[1] ? call->args[1] : call->args[0];
    vr_auto_free char *path =
        call->args[1] ? vr_strf("images/%s/%s", call->args[0], name) : vr_strf("images/%s", name);
    VR_ROW(image) image = {0};
    int r = vr_store_begin(call->server->store, VR_DB_READ, &tx, err);

    if (r == 0)
        r = vr_store_image_find_file(tx, path, &image, err);
    return r < 0 ? r : answer_blob(call, name, image.file_sha256, image.file_md5, err);
}

static int show_script(struct vr_call *call, struct vr_err *err)
{
    VR_OWNED(vr_tx_free) struct vr_tx *tx = NULL;
    VR_ROW(stack) stack = {0};
    int r = vr_store_begin(call->server->store, VR_DB_READ, &tx, err);

    if (r == 0)
        r = vr_store_stack_find_script(tx, call->args[0], &stack, err);
    if (r < 0)
        return r;
    return answer_blob(call, stack.script_name, stack.script_sha256, stack.script_sha256, err);
}

const struct vr_route vr_routes_file[] = {
    {"GET", "files/builds/*", VR_ROLE_VIEWER, show_build},
    {"GET", "files/images/*", VR_ROLE_VIEWER, show_image},
    {"GET", "files/images/*/*", VR_ROLE_VIEWER, show_image},
    {"GET", "files/provisioning_scripts/*", VR_ROLE_VIEWER, show_script},
    {NULL},
};
