/* SPDX-License-Identifier: MIT */
/*
 * One call as libcurl's easy handle.
 *
 * libcurl copies the texts it is given, so only the upload's descriptor and the sink's context stay
 * borrowed during the transfer. The sink sees a body only once the status is known to be 2xx: what
 * an error says is collected for the caller, never written into a file as if it were the content.
 */
#include "net/http_easy.h"

#include <ctype.h>
#include <errno.h>
#include <string.h>
#include <sys/stat.h>

#define MS_PER_S 1000

static bool is_success(const struct vr_http_easy *easy)
{
    long status = 0;

    curl_easy_getinfo(easy->curl, CURLINFO_RESPONSE_CODE, &status);
    return status / 100 == 2;
}

static size_t on_body(char *bytes, size_t size, size_t n, void *ctx)
{
    struct vr_http_easy *easy = ctx;

    n *= size;
    if (easy->sink && is_success(easy)) {
        easy->sink_result = easy->sink(easy->sink_ctx, bytes, n, &easy->detail);
        return easy->sink_result ? CURL_WRITEFUNC_ERROR : n;
    }
    vr_buf_add_n(&easy->body, bytes, n);
    if (!easy->body.over)
        return n;
    easy->sink_result =
        vr_fail(&easy->detail, VR_LIMIT, "answer is longer than %zu bytes", easy->body.max);
    return CURL_WRITEFUNC_ERROR;
}

static void drop_headers(struct vr_http_result *result)
{
    for (size_t i = 0; i < result->header_count; i++)
        free(result->headers[i]);
    free(result->headers);
    result->headers = NULL;
    result->header_count = 0;
}

static size_t on_header(char *bytes, size_t size, size_t n, void *ctx)
{
    struct vr_http_easy *easy = ctx;
    struct vr_http_result *result = &easy->result;
    const char *colon;
    char *line;

    n *= size;
    if (n >= 5 && !memcmp(bytes, "HTTP/", 5)) {
        drop_headers(result); /* of a redirect or a 100 before */
        return n;
    }
    colon = memchr(bytes, ':', n);
    if (!colon || result->header_count == VR_HTTP_ANSWER_HEADERS)
        return n;
    line = vr_strndup(bytes, n);
    line[strcspn(line, "\r\n")] = '\0';
    for (char *p = line; *p && *p != ':'; p++)
        *p = (char)tolower((unsigned char)*p);
    result->headers =
        vr_realloc_array(result->headers, result->header_count + 1, sizeof(*result->headers));
    result->headers[result->header_count++] = line;
    return n;
}

static size_t on_upload(char *out, size_t size, size_t n, void *ctx)
{
    struct vr_http_easy *easy = ctx;
    ssize_t got = pread(easy->body_fd, out, size * n, easy->body_fd_at);

    if (got < 0) {
        easy->sink_result = vr_fail_sys(&easy->detail, "read the file to send");
        return CURL_READFUNC_ABORT;
    }
    easy->body_fd_at += got;
    return (size_t)got;
}

/* libcurl starts over, for example on a connection that turned out to be closed. */
static int on_seek(void *ctx, curl_off_t offset, int origin)
{
    struct vr_http_easy *easy = ctx;

    if (origin != SEEK_SET)
        return CURL_SEEKFUNC_CANTSEEK;
    easy->body_fd_at = offset;
    return CURL_SEEKFUNC_OK;
}

static void set_headers(struct vr_http_easy *easy, const struct vr_http_call *call)
{
    for (const char *const *h = call->headers; h && *h; h++)
        easy->headers = curl_slist_append(easy->headers, *h);
    curl_easy_setopt(easy->curl, CURLOPT_HTTPHEADER, easy->headers);
}

static int set_body(struct vr_http_easy *easy, const struct vr_http_call *call, struct vr_err *err)
{
    struct stat st;

    if (call->body_fd > 0) {
        if (fstat(call->body_fd, &st) < 0)
            return vr_fail_sys(err, "%s: file to send", easy->url);
        easy->body_fd = call->body_fd;
        curl_easy_setopt(easy->curl, CURLOPT_UPLOAD, 1L);
        curl_easy_setopt(easy->curl, CURLOPT_READFUNCTION, on_upload);
        curl_easy_setopt(easy->curl, CURLOPT_READDATA, easy);
        curl_easy_setopt(easy->curl, CURLOPT_SEEKFUNCTION, on_seek);
        curl_easy_setopt(easy->curl, CURLOPT_SEEKDATA, easy);
        curl_easy_setopt(easy->curl, CURLOPT_INFILESIZE_LARGE, (curl_off_t)st.st_size);
    } else if (call->body) {
        curl_easy_setopt(easy->curl, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)call->body_bytes);
        curl_easy_setopt(easy->curl, CURLOPT_COPYPOSTFIELDS, call->body);
    } else if (vr_streq(easy->method, "POST") || vr_streq(easy->method, "PUT") ||
               vr_streq(easy->method, "PATCH")) {
        curl_easy_setopt(easy->curl, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)0);
        curl_easy_setopt(easy->curl, CURLOPT_COPYPOSTFIELDS, "");
    }
    if (vr_streq(easy->method, "HEAD"))
        curl_easy_setopt(easy->curl, CURLOPT_NOBODY, 1L);
    else
        curl_easy_setopt(easy->curl, CURLOPT_CUSTOMREQUEST, easy->method);
    return 0;
}

static void set_security(CURL *curl, const struct vr_http_call *call)
{
    if (call->bearer) {
        curl_easy_setopt(curl, CURLOPT_HTTPAUTH, CURLAUTH_BEARER);
        curl_easy_setopt(curl, CURLOPT_XOAUTH2_BEARER, call->bearer);
    } else if (call->user) {
        curl_easy_setopt(curl, CURLOPT_HTTPAUTH, CURLAUTH_BASIC);
        curl_easy_setopt(curl, CURLOPT_USERNAME, call->user);
        curl_easy_setopt(curl, CURLOPT_PASSWORD, call->password ? call->password : "");
    }
    if (call->ca_file)
        curl_easy_setopt(curl, CURLOPT_CAINFO, call->ca_file);
    if (call->insecure) {
        curl_easy_setopt(curl, CURLOPT_SSL_VERIFYPEER, 0L);
        curl_easy_setopt(curl, CURLOPT_SSL_VERIFYHOST, 0L);
    }
    curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(curl, CURLOPT_REDIR_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(curl, CURLOPT_FOLLOWLOCATION, call->follow ? 1L : 0L);
    curl_easy_setopt(curl, CURLOPT_MAXREDIRS, (long)VR_HTTP_REDIRECTS);
    curl_easy_setopt(curl, CURLOPT_PROXY, "");
}

static void set_times(CURL *curl, const struct vr_http_call *call)
{
    int64_t total = call->timeout_ms ? call->timeout_ms : VR_HTTP_CALL_MS;
    int64_t connect = call->connect_ms ? call->connect_ms : VR_HTTP_CONNECT_MS;

    curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, (long)(total < 0 ? 0 : total));
    curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT_MS, (long)connect);
    if (call->stall_ms > 0) {
        curl_easy_setopt(curl, CURLOPT_LOW_SPEED_LIMIT, 1L);
        curl_easy_setopt(curl, CURLOPT_LOW_SPEED_TIME,
                         (long)((call->stall_ms + MS_PER_S - 1) / MS_PER_S));
    }
    curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(curl, CURLOPT_TCP_KEEPALIVE, 1L);
}

int vr_http_easy_init(struct vr_http_easy *easy, CURL *curl, const struct vr_http_call *call,
                      struct vr_err *err)
{
    int r;

    *easy = (struct vr_http_easy){
        .curl = curl,
        .url = vr_strdup(call->url),
        .method = vr_strdup(call->method ? call->method : "GET"),
        .sink = call->sink,
        .sink_ctx = call->sink_ctx,
        .body = VR_BUF(call->max_body_bytes ? call->max_body_bytes : VR_HTTP_ANSWER_BYTES),
        .body_fd = -1,
    };
    if (curl_easy_setopt(curl, CURLOPT_URL, call->url) != CURLE_OK)
        return vr_fail(err, VR_INVALID, "bad URL '%s'", call->url);
    r = set_body(easy, call, err);
    if (r < 0)
        return r;
    set_headers(easy, call);
    set_security(curl, call);
    set_times(curl, call);
    curl_easy_setopt(curl, CURLOPT_USERAGENT, "velociraptor/" VR_VERSION);
    curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, easy->curl_text);
    curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, on_body);
    curl_easy_setopt(curl, CURLOPT_WRITEDATA, easy);
    curl_easy_setopt(curl, CURLOPT_HEADERFUNCTION, on_header);
    curl_easy_setopt(curl, CURLOPT_HEADERDATA, easy);
    return 0;
}

static enum vr_code code_of(CURLcode code)
{
    if (code == CURLE_OPERATION_TIMEDOUT)
        return VR_TIMEOUT;
    if (code == CURLE_URL_MALFORMAT || code == CURLE_UNSUPPORTED_PROTOCOL)
        return VR_INVALID;
    return VR_IO;
}

int vr_http_easy_finish(struct vr_http_easy *easy, CURLcode code, struct vr_http_result *out,
                        struct vr_err *err)
{
    long status = 0;

    if (easy->sink_result < 0) {
        if (err)
            *err = easy->detail;
        return vr_fail_in(err, easy->sink_result, "%s %s", easy->method, easy->url);
    }
    if (code != CURLE_OK && !easy->sink_result)
        return vr_fail(err, code_of(code), "%s %s: %s", easy->method, easy->url,
                       *easy->curl_text ? easy->curl_text : curl_easy_strerror(code));
    curl_easy_getinfo(easy->curl, CURLINFO_RESPONSE_CODE, &status);
    easy->result.status = (int)status;
    easy->result.body_bytes = easy->body.len;
    easy->result.body = easy->body.p ? vr_take(easy->body.p) : vr_strdup("");
    *out = easy->result;
    easy->result = (struct vr_http_result){0};
    return 0;
}

void vr_http_easy_fini(struct vr_http_easy *easy)
{
    curl_slist_free_all(easy->headers);
    vr_http_result_fini(&easy->result);
    vr_buf_fini(&easy->body);
    free(easy->url);
    free(easy->method);
}

void vr_http_result_fini(struct vr_http_result *result)
{
    drop_headers(result);
    free(result->body);
    *result = (struct vr_http_result){0};
}

const char *vr_http_result_header(const struct vr_http_result *result, const char *name)
{
    size_t n = strlen(name);

    for (size_t i = 0; i < result->header_count; i++) {
        const char *line = result->headers[i];

        if (!strncmp(line, name, n) && line[n] == ':')
            return line + n + 1 + strspn(line + n + 1, " \t");
    }
    return NULL;
}
