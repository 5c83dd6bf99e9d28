/* SPDX-License-Identifier: MIT */
/* HTTP calls that block; net/http_loop.h makes the same calls without blocking. */
#ifndef VR_NET_HTTP_CLIENT_H
#define VR_NET_HTTP_CLIENT_H

#include "net/http_req.h"

#define VR_HTTP_CALL_MS        30000
#define VR_HTTP_CONNECT_MS     5000
#define VR_HTTP_ANSWER_BYTES   (16u << 20) /* of a buffered body */
#define VR_HTTP_ANSWER_HEADERS 100
#define VR_HTTP_REDIRECTS      5

/** One call. All borrowed; zeros are sensible. Proxies of the environment are not used. */
struct vr_http_call {
    const char *method;         /* NULL: GET */
    const char *url;            /* http:// or https:// */
    const char *const *headers; /* "Name: value", NULL at the end; may be NULL */
    const void *body;           /* NULL: none */
    size_t body_bytes;
    int body_fd;                 /* > 0: send this regular file from its start; no `body` then */
    const char *user, *password; /* Basic authentication; may be NULL */
    const char *bearer;          /* token of `Authorization: Bearer`; may be NULL */
    const char *ca_file;         /* PEM; NULL: the system's */
    bool insecure;               /* do not check the server's certificate */
    bool follow;                 /* up to VR_HTTP_REDIRECTS redirects */
    int64_t timeout_ms;          /* for all of it; 0: VR_HTTP_CALL_MS, -1: for ever */
    int64_t connect_ms;          /* 0: VR_HTTP_CONNECT_MS */
    int64_t stall_ms;            /* without a byte either way; 0: not limited, rounded up to 1 s */
    size_t max_body_bytes;       /* 0: VR_HTTP_ANSWER_BYTES; more is -VR_LIMIT */
    vr_http_sink_fn sink;        /* gets the body of a 2xx answer instead of `result` */
    void *sink_ctx;
};

struct vr_http_result {
    int status;
    char *body; /* NUL-terminated, "" if empty or given to the sink */
    size_t body_bytes;
    char **headers; /* "name: value", names in lower case */
    size_t header_count;
};

/** A header of the answer by its lower-case name; borrowed, NULL if absent. */
const char *vr_http_result_header(const struct vr_http_result *result, const char *name);
void vr_http_result_fini(struct vr_http_result *result);

/** Keeps connections between calls; not for two threads at once. The program ignores SIGPIPE, as
 * vr_signals_open() does, since a write over TLS may raise it. */
struct vr_http_client;

struct vr_http_client *vr_http_client_new(void);
struct vr_http_client *vr_http_client_free(struct vr_http_client *client);
VR_DEFINE_OWNED(struct vr_http_client, vr_http_client_free)

/**
 * Make a call. Any status is a success of this function.
 * @out  given; release with vr_http_result_fini()
 *
 * Returns -VR_IO if the host cannot be reached or the transfer breaks, -VR_TIMEOUT, -VR_LIMIT,
 * -VR_INVALID for a bad URL, or what the sink failed with. Blocks.
 */
VR_MUST_USE
int vr_http_call(struct vr_http_client *client, const struct vr_http_call *call,
                 struct vr_http_result *out, struct vr_err *err);

/** Whether credentials may go to this URL: https, or plain HTTP to a loopback address. */
bool vr_http_url_is_private(const char *url);

#endif
