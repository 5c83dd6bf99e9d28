/* SPDX-License-Identifier: MIT */
/* Serves what describes the API; docs/openapi.yaml and the page are part of the program. */
#include "core/embed.h"
#include "fmt/hash.h"
#include "server/route.h"

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

static const struct vr_embed *find_file(const char *name)
{
    for (size_t i = 0; i < vr_manual_files_count; i++)
        if (vr_streq(vr_manual_files[i].name, name))
            return &vr_manual_files[i];
    return NULL;
}

static int show_file(struct vr_call *call, const char *name, struct vr_err *err)
{
    const struct vr_embed *file = find_file(name);
    VR_OWNED(vr_hash_free) struct vr_hash *hash = NULL;
    char tag[VR_MD5_HEX];
    struct vr_http_resp *resp;

    if (!file)
        return vr_fail(err, VR_NOT_FOUND, "there is no file '%s'", name);
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
    vr_http_answer(call->req, resp);
    return 0;
}

static int show_page(struct vr_call *call, struct vr_err *err)
{
    return show_file(call, INDEX, err);
}

static int show_part(struct vr_call *call, struct vr_err *err)
{
    return show_file(call, vr_http_req_segment(call->req, 1), err);
}

const struct vr_route vr_routes_manual[] = {
    {"GET", "api/", VR_ROLE_ANYONE, show_page},
    {"GET", "api/openapi.json", VR_ROLE_ANYONE, show_part},
    {"GET", "api/manual.css", VR_ROLE_ANYONE, show_part},
    {"GET", "api/manual.js", VR_ROLE_ANYONE, show_part},
    {NULL},
};
