/* SPDX-License-Identifier: MIT */
/* Serves what describes the API; docs/openapi.yaml and the page are part of the program. */
#include "server/manual.h"

#include "core/embed.h"
#include "fmt/hash.h"
#include "net/http_resp.h"

#include <string.h>

extern const struct vr_embed vr_manual_files[];
extern const size_t vr_manual_files_count;

#define INDEX "manual.html"

/* The page is ours alone: it loads nothing from elsewhere and runs nothing written into it. */
#define POLICY                                                                                     \
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "                \
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

static const char *type_of(const char *name)
{
    if (vr_str_has_suffix(name, ".html"))
        return "text/html; charset=utf-8";
    if (vr_str_has_suffix(name, ".css"))
        return "text/css; charset=utf-8";
    if (vr_str_has_suffix(name, ".js"))
        return "text/javascript; charset=utf-8";
    return "application/json";
}

static const struct vr_embed *find_file(const struct vr_http_req *req)
{
    size_t count = vr_http_req_segment_count(req);
    const char *name = count == 1 ? INDEX : vr_http_req_segment(req, 1);

    for (size_t i = 0; i < vr_manual_files_count && count <= 2; i++)
        if (vr_streq(vr_manual_files[i].name, name))
            return &vr_manual_files[i];
    return NULL;
}

void vr_manual_handle(struct vr_server *server, struct vr_http_req *req)
{
    const struct vr_embed *file = find_file(req);
    VR_OWNED(vr_hash_free) struct vr_hash *hash = NULL;
    char tag[VR_MD5_HEX];
    struct vr_http_resp *resp;

    if (!file) {
        vr_http_answer_error(req, 404, "there is nothing at '%s'", vr_http_req_path(req));
        return;
    }
    if (!vr_streq(vr_http_req_method(req), "GET")) {
        vr_http_answer_error(req, 405, "the description of the API can be read, not changed");
        return;
    }
    hash = vr_hash_new(VR_HASH_MD5);
    vr_hash_add(hash, file->bytes, file->size);
    vr_hash_finish(hash, tag);
    resp = vr_http_resp_new(200);
    vr_http_resp_etag(resp, tag);
    vr_http_resp_header(resp, "Cache-Control", "no-cache");
    vr_http_resp_header(resp, "Content-Security-Policy", POLICY);
    vr_http_resp_header(resp, "X-Content-Type-Options", "nosniff");
    vr_http_resp_header(resp, "Referrer-Policy", "no-referrer");
    vr_http_resp_text(resp, type_of(file->name), (const char *)file->bytes);
    vr_http_answer(req, resp);
}
