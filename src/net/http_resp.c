/* SPDX-License-Identifier: MIT */
/*
 * Answers, and their way to the connection.
 *
 * What depends on the request as well (304 for a known entity tag, 206 for a range) is decided when
 * the answer is queued, so handlers build the full answer and know nothing of it.
 */
#include "net/http_internal.h"

#include <assert.h>
#include <string.h>
#include <sys/stat.h>

struct vr_http_resp *vr_http_resp_new(int status)
{
    struct vr_http_resp *resp = vr_alloc(sizeof(*resp));

    resp->status = status;
    resp->fd = -1;
    return resp;
}

static void drop_body(struct vr_http_resp *resp)
{
    free(resp->type);
    free(resp->bytes);
    vr_fd_close(resp->fd);
    resp->type = resp->bytes = NULL;
    resp->n = 0;
    resp->fd = -1;
}

struct vr_http_resp *vr_http_resp_free(struct vr_http_resp *resp)
{
    if (!resp)
        return NULL;
    drop_body(resp);
    for (size_t i = 0; i < resp->header_count; i++) {
        free(resp->names[i]);
        free(resp->values[i]);
    }
    free(resp->etag);
    free(resp);
    return NULL;
}

void vr_http_resp_header(struct vr_http_resp *resp, const char *name, const char *value)
{
    char *clean;

    assert(resp->header_count < VR_HTTP_RESP_HEADERS);
    clean = vr_strdup(value);
    for (char *p = clean; *p; p++)
        if ((unsigned char)*p < 0x20 || *p == 0x7f)
            *p = ' ';
    resp->names[resp->header_count] = vr_strdup(name);
    resp->values[resp->header_count++] = clean;
}

void vr_http_resp_etag(struct vr_http_resp *resp, const char *etag)
{
    free(resp->etag);
    resp->etag = vr_strdup(etag);
}

void vr_http_resp_bytes(struct vr_http_resp *resp, const char *type, char *bytes, size_t n)
{
    drop_body(resp);
    resp->type = vr_strdup(type);
    resp->bytes = bytes;
    resp->n = n;
}

void vr_http_resp_text(struct vr_http_resp *resp, const char *type, const char *text)
{
    vr_http_resp_bytes(resp, type, vr_strdup(text), strlen(text));
}

void vr_http_resp_json(struct vr_http_resp *resp, const json_t *value)
{
    char *text = vr_json_dump_sorted(value);

    vr_http_resp_bytes(resp, "application/json", text, strlen(text));
}

int vr_http_resp_file(struct vr_http_resp *resp, const char *type, int fd, struct vr_err *err)
{
    struct stat st;
    int r = 0;

    drop_body(resp);
    if (fstat(fd, &st) < 0)
        r = vr_fail_sys(err, "stat file to send");
    else if (!S_ISREG(st.st_mode))
        r = vr_fail(err, VR_INVALID, "not a regular file");
    if (r < 0) {
        vr_fd_close(fd);
        return r;
    }
    resp->type = vr_strdup(type);
    resp->fd = fd;
    resp->size = (uint64_t)st.st_size;
    return 0;
}

/* A part of a file: [first, first + count). */
struct range {
    uint64_t first;
    uint64_t count;
};

enum range_kind {
    RANGE_NONE, /* send all */
    RANGE_PART,
    RANGE_OUTSIDE,
};

/* "bytes=a-b", "bytes=a-" or "bytes=-n". Anything else, also several ranges, may be ignored. */
static enum range_kind parse_range(const char *text, uint64_t size, struct range *out)
{
    uint64_t a, b;
    const char *dash;
    struct vr_str before, after;

    if (!text || !vr_str_has_prefix(text, "bytes=") || strchr(text, ','))
        return RANGE_NONE;
    text += strlen("bytes=");
    dash = strchr(text, '-');
    if (!dash)
        return RANGE_NONE;
    before = (struct vr_str){text, (size_t)(dash - text)};
    after = vr_str(dash + 1);
    if (!before.n) {
        if (vr_parse_u64(after, 0, UINT64_MAX, &b, NULL) < 0)
            return RANGE_NONE;
        if (!b || !size)
            return RANGE_OUTSIDE;
        out->count = b < size ? b : size;
        out->first = size - out->count;
        return RANGE_PART;
    }
    if (vr_parse_u64(before, 0, UINT64_MAX, &a, NULL) < 0)
        return RANGE_NONE;
    b = size ? size - 1 : 0;
    if (after.n && (vr_parse_u64(after, 0, UINT64_MAX, &b, NULL) < 0 || b < a))
        return RANGE_NONE;
    if (a >= size)
        return RANGE_OUTSIDE;
    out->first = a;
    out->count = (b < size ? b : size - 1) - a + 1;
    return RANGE_PART;
}

/* If-Range: the client has a part already and wants the rest only if it is of the same file. */
static bool if_range_holds(const struct vr_http_req *req, const char *etag)
{
    const char *want = vr_http_req_header(req, "If-Range");
    size_t n = etag ? strlen(etag) : 0;

    if (!want)
        return true;
    return etag && want[0] == '"' && !strncmp(want + 1, etag, n) && !strcmp(want + 1 + n, "\"");
}

static struct MHD_Response *build_file(struct vr_http_resp *resp, const struct vr_http_req *req)
{
    struct range range = {0, resp->size};
    enum range_kind kind = RANGE_NONE;
    vr_auto_free char *text = NULL;

    vr_http_resp_header(resp, "Accept-Ranges", "bytes");
    if (resp->status == 200 && if_range_holds(req, resp->etag))
        kind = parse_range(vr_http_req_header(req, "Range"), resp->size, &range);
    if (kind == RANGE_OUTSIDE) {
        text = vr_strf("bytes */%" PRIu64, resp->size);
        resp->status = 416;
        vr_http_resp_header(resp, "Content-Range", text);
        return MHD_create_response_from_buffer(0, NULL, MHD_RESPMEM_PERSISTENT);
    }
    if (kind == RANGE_PART) {
        text = vr_strf("bytes %" PRIu64 "-%" PRIu64 "/%" PRIu64, range.first,
                       range.first + range.count - 1, resp->size);
        resp->status = 206;
        vr_http_resp_header(resp, "Content-Range", text);
    }
    return MHD_create_response_from_fd_at_offset64(range.count, vr_take_fd(resp->fd), range.first);
}

static struct MHD_Response *build_body(struct vr_http_resp *resp, const struct vr_http_req *req)
{
    if (resp->status / 100 == 2 && resp->etag && vr_streq(req->method, "GET") &&
        vr_http_req_has_etag(req, resp->etag)) {
        resp->status = 304;
        drop_body(resp);
    }
    if (resp->fd >= 0)
        return build_file(resp, req);
    /* free() is what libmicrohttpd does with RESPMEM_MUST_FREE, at the end of the transfer. */
    return MHD_create_response_from_buffer(resp->n, vr_take(resp->bytes), MHD_RESPMEM_MUST_FREE);
}

enum MHD_Result vr_http_resp_queue(struct vr_http_resp *resp, struct vr_http_req *req)
{
    struct MHD_Response *out = build_body(resp, req);
    enum MHD_Result done = MHD_NO;

    if (out) {
        if (resp->type)
            MHD_add_response_header(out, "Content-Type", resp->type);
        if (resp->etag) {
            vr_auto_free char *quoted = vr_strf("\"%s\"", resp->etag);

            MHD_add_response_header(out, "ETag", quoted);
        }
        for (size_t i = 0; i < resp->header_count; i++)
            MHD_add_response_header(out, resp->names[i], resp->values[i]);
        MHD_add_response_header(out, "X-Request-Id", req->id);
        done = MHD_queue_response(req->conn, (unsigned int)resp->status, out);
        MHD_destroy_response(out);
    }
    vr_http_resp_free(resp);
    return done;
}
