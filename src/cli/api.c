/* SPDX-License-Identifier: MIT */
/* The server as the commands see it: JSON in and out, one error with one exit code. */
#include "cli/api.h"

#include "cli/exit.h"
#include "core/clock.h"
#include "core/str.h"
#include "fmt/json.h"
#include "fmt/utf8.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define KEY_BYTES 16u /* of a random Idempotency-Key */

struct vr_api {
    struct vr_http_client *client;
    struct vr_config config; /* owned copy */
    int64_t timeout_ms;
    char *comment; /* "X-Comment: why"; NULL: none */
    bool trace;
};

int vr_api_open(const struct vr_config *config, struct vr_api **out, struct vr_err *err)
{
    struct vr_api *api = vr_alloc(sizeof(*api));

    api->config = (struct vr_config){
        .url = vr_strdup(config->url),
        .username = vr_strdup(config->username),
        .password = vr_strdup(config->password),
        .token = vr_strdup(config->token),
        .insecure = config->insecure,
    };
    api->client = vr_http_client_new();
    api->timeout_ms = VR_API_TIMEOUT_MS;
    *out = api;
    return 0;
}

struct vr_api *vr_api_close(struct vr_api *api)
{
    if (!api)
        return NULL;
    vr_http_client_free(api->client);
    vr_config_fini(&api->config);
    free(api->comment);
    free(api);
    return NULL;
}

void vr_api_trace(struct vr_api *api)
{
    api->trace = true;
}

int vr_api_comment(struct vr_api *api, const char *text, struct vr_err *err)
{
    if (text && vr_utf8_count(vr_str(text)) > VR_API_COMMENT_MAX)
        return vr_fail(err, VR_INVALID, "the comment is longer than %d characters",
                       VR_API_COMMENT_MAX);
    for (const char *c = text ? text : ""; *c; c++) {
        if ((unsigned char)*c < ' ' || *c == 0x7f)
            return vr_fail(err, VR_INVALID, "the comment is more than one line of text");
    }
    free(api->comment);
    api->comment = vr_str_is_empty(text) ? NULL : vr_strf("X-Comment: %s", text);
    return 0;
}

void vr_api_limit(struct vr_api *api, int64_t timeout_ms)
{
    api->timeout_ms = timeout_ms;
}

const char *vr_api_url(const struct vr_api *api)
{
    return api->config.url;
}

void vr_api_prepare(const struct vr_api *api, struct vr_http_call *call)
{
    call->insecure = api->config.insecure;
    call->timeout_ms = api->timeout_ms;
    call->connect_ms = api->timeout_ms < VR_API_CONNECT_MS ? api->timeout_ms : VR_API_CONNECT_MS;
    call->max_body_bytes = VR_API_BODY_BYTES;
    if (api->config.token) {
        call->bearer = api->config.token;
    } else if (api->config.password) {
        call->user = api->config.username ? api->config.username : "";
        call->password = api->config.password;
    }
}

char *vr_api_address(const struct vr_api *api, const char *path)
{
    while (*path == '/')
        path++;
    return vr_strf("%s%s", api->config.url, path);
}

/* The sentence of an error: ours, or that of the original's action endpoints. */
static const char *sentence(const json_t *answer)
{
    static const char *const names[] = {"error", "error_message", "msg", "fault"};

    for (size_t i = 0; i < VR_COUNT(names); i++) {
        const char *text = json_string_value(json_object_get(answer, names[i]));

        if (!vr_str_is_empty(text))
            return text;
    }
    return NULL;
}

int vr_api_check(const struct vr_api *api, const struct vr_http_result *answer, struct vr_err *err)
{
    vr_auto_json json_t *body = NULL;
    enum vr_code code;
    const char *why;

    if (answer->status < 400)
        return 0;
    code = vr_exit_code_of_status(answer->status);
    if (answer->body_bytes)
        vr_ignore(vr_json_parse((struct vr_str){answer->body, answer->body_bytes}, VR_JSON_BYTES,
                                &body, NULL),
                  "an answer without JSON has no sentence");
    why = sentence(body);
    if (answer->status == 401 && !api->config.token && !api->config.password)
        return vr_fail(err, code, "not logged in; log in with: vr login %s", api->config.url);
    if (answer->status == 401)
        return vr_fail(err, code, "%s: %s; log in with: vr login %s", api->config.url,
                       why ? why : "not logged in", api->config.url);
    if (why)
        return vr_fail(err, code, "%s", why);
    return vr_fail(err, code, "%s answered with status %d", api->config.url, answer->status);
}

/* There was no answer: why, without the URL a second time. */
static int fail_silent(const struct vr_api *api, const char *url, struct vr_err *err)
{
    struct vr_err why = err ? *err : (struct vr_err)VR_ERR_NULL;
    const char *at = strstr(why.msg, url);
    const char *text =
        at && vr_str_has_prefix(at + strlen(url), ": ") ? at + strlen(url) + 2 : why.msg;

    return vr_fail(err, VR_BUSY, "no answer from %s: %s", api->config.url, text);
}

/* Whether the same request may be sent twice: what reads, and what the server knows by its key. */
static bool is_repeatable(const char *method, const char *path)
{
    if (vr_streq(method, "POST"))
        return !vr_str_has_prefix(path, "/api/v1/tokens/");
    return vr_streq(method, "GET");
}

static void trace(const struct vr_api *api, const struct vr_http_call *call, int status,
                  struct vr_mono begun)
{
    char answer[16] = "no answer";

    if (!api->trace)
        return;
    if (status)
        snprintf(answer, sizeof(answer), "%d", status);
    fprintf(stderr, "%s %s %s, %" PRId64 " ms\n", call->method, call->url, answer,
            vr_mono_ms_between(begun, vr_mono_now()));
}

/* Make the call, a second and third time if the connection broke and that does no harm. */
static int call_patiently(struct vr_api *api, const struct vr_http_call *call, const char *path,
                          struct vr_http_result *out, struct vr_err *err)
{
    int64_t pause_ms = VR_API_PAUSE_MS;

    for (int tries = 1;; tries++) {
        struct vr_mono begun = vr_mono_now();
        int r = vr_http_call(api->client, call, out, err);

        trace(api, call, r < 0 ? 0 : out->status, begun);
        if (r != -VR_IO || tries == VR_API_TRIES || !is_repeatable(call->method, path) ||
            api->timeout_ms < VR_API_TIMEOUT_MS)
            return r;
        usleep((useconds_t)(pause_ms * 1000));
        pause_ms *= 2;
    }
}

static int call_server(struct vr_api *api, const struct vr_api_request *q,
                       struct vr_http_result *out, struct vr_err *err)
{
    vr_auto_free char *url = vr_api_address(api, q->path);
    vr_auto_free char *text = q->body ? vr_json_dump(q->body) : NULL;
    vr_auto_free char *key = NULL, *match = NULL, *random = NULL;
    const char *headers[6] = {q->raw ? "Content-Type: application/octet-stream"
                                     : "Content-Type: application/json",
                              "Accept: application/json"};
    struct vr_http_call call = {.method = q->method,
                                .url = url,
                                .headers = headers,
                                .body = q->raw ? q->raw : text,
                                .body_bytes = q->raw ? q->raw_bytes
                                              : text ? strlen(text)
                                                     : 0,
                                .follow = vr_streq(q->method, "GET")};
    size_t n = 2;
    int r;

    if (vr_streq(q->method, "POST")) {
        random = vr_random_hex(KEY_BYTES);
        headers[n++] = key = vr_strf("Idempotency-Key: %s", random);
    }
    if (q->if_version > 0)
        headers[n++] = match = vr_strf("If-Match: \"%" PRId64 "\"", q->if_version);
    if (api->comment && !vr_streq(q->method, "GET"))
        headers[n++] = api->comment;
    vr_api_prepare(api, &call);
    r = call_patiently(api, &call, q->path, out, err);
    if (r == -VR_IO || r == -VR_TIMEOUT)
        return fail_silent(api, url, err);
    return r;
}

#define auto_result __attribute__((cleanup(vr_http_result_fini))) struct vr_http_result

/* Whoever shows a list counts on its members being objects. */
static int check_list(const json_t *answer, struct vr_err *err)
{
    const json_t *object;
    size_t i;

    json_array_foreach (json_object_get(answer, "objects"), i, object)
        if (!json_is_object(object))
            return vr_fail(err, VR_PARSE, "objects[%zu] is not an object", i);
    return 0;
}

int vr_api_request(struct vr_api *api, const struct vr_api_request *q, json_t **out,
                   struct vr_err *err)
{
    auto_result answer = {0};
    json_t *value = NULL;
    int r = call_server(api, q, &answer, err);

    if (q->out_status)
        *q->out_status = r < 0 ? 0 : answer.status;
    if (r >= 0)
        r = vr_api_check(api, &answer, err);
    if (r < 0)
        return r;
    if (out && answer.body_bytes) {
        r = vr_json_parse((struct vr_str){answer.body, answer.body_bytes}, VR_API_BODY_BYTES,
                          &value, err);
        if (r == 0)
            r = check_list(value, err);
        if (r < 0) {
            json_decref(value);
            return vr_fail_in(err, r, "answer to %s %s", q->method, q->path);
        }
    }
    if (out)
        *out = value;
    return 0;
}

int vr_api_send(struct vr_api *api, const char *method, const char *path, const json_t *body,
                json_t **out, struct vr_err *err)
{
    struct vr_api_request request = {.method = method, .path = path, .body = body};

    return vr_api_request(api, &request, out, err);
}

int vr_api_get(struct vr_api *api, const char *path, json_t **out, struct vr_err *err)
{
    json_t *value = NULL;
    int r = vr_api_send(api, "GET", path, NULL, &value, err);

    if (r < 0)
        return r;
    if (!value)
        return vr_fail(err, VR_PARSE, "GET %s: empty answer", path);
    *out = value;
    return 0;
}

/* The path of an absolute or host-less URL; borrowed from it. */
static const char *path_of(const char *url)
{
    const char *host = strstr(url, "://");
    const char *path = host ? strchr(host + 3, '/') : url;

    return path ? path : "/";
}

int vr_api_create(struct vr_api *api, const char *path, const json_t *body, char **out_path,
                  struct vr_err *err)
{
    auto_result answer = {0};
    const char *location;
    struct vr_api_request request = {.method = "POST", .path = path, .body = body};
    int r = call_server(api, &request, &answer, err);

    if (r >= 0)
        r = vr_api_check(api, &answer, err);
    if (r < 0 || !out_path)
        return r;
    location = vr_http_result_header(&answer, "location");
    if (!location)
        return vr_fail(err, VR_PARSE, "POST %s: no Location in the answer", path);
    *out_path = vr_strdup(path_of(location));
    return 0;
}

int vr_api_list(struct vr_api *api, const char *path, const char *query, json_t **out,
                struct vr_err *err)
{
    vr_auto_json json_t *all = json_array();
    vr_auto_free char *next = vr_strf("%s?limit=%u%s%s", path, VR_API_LIST_LIMIT,
                                      vr_str_is_empty(query) ? "" : "&", query ? query : "");

    while (next) {
        vr_auto_json json_t *page = NULL;
        const json_t *objects;
        const char *following;
        int r = vr_api_get(api, next, &page, err);

        if (r < 0)
            return r;
        objects = json_object_get(page, "objects");
        if (!json_is_array(objects))
            return vr_fail(err, VR_PARSE, "GET %s: no list of objects", path);
        json_array_extend(all, (json_t *)objects);
        if (json_array_size(all) > VR_API_OBJECTS_MAX)
            return vr_fail(err, VR_LIMIT, "GET %s: more than %u objects", path, VR_API_OBJECTS_MAX);
        following = json_string_value(json_object_get(json_object_get(page, "meta"), "next"));
        free(next);
        next = following && json_array_size(objects) ? vr_strdup(path_of(following)) : NULL;
    }
    *out = vr_take(all);
    return 0;
}

int vr_api_get_text(struct vr_api *api, const char *path, struct vr_api_text *out,
                    struct vr_err *err)
{
    auto_result answer = {0};
    const char *next, *end;
    uint64_t at = 0;
    struct vr_api_request request = {.method = "GET", .path = path};
    int r = call_server(api, &request, &answer, err);

    if (r >= 0)
        r = vr_api_check(api, &answer, err);
    if (r < 0)
        return r;
    next = vr_http_result_header(&answer, "x-log-next");
    end = vr_http_result_header(&answer, "x-log-end");
    if (next) {
        r = vr_parse_u64(vr_str(next), 0, INT64_MAX, &at, err);
        if (r < 0)
            return vr_fail_in(err, r, "GET %s: X-Log-Next", path);
    }
    *out = (struct vr_api_text){.text = vr_take(answer.body),
                                .len = answer.body_bytes,
                                .next = (int64_t)at,
                                .end = vr_streq(end, "1")};
    return 0;
}

void vr_api_text_fini(struct vr_api_text *t)
{
    free(t->text);
    *t = (struct vr_api_text){0};
}
