/* SPDX-License-Identifier: MIT */
/* One call as libcurl's easy handle, shared by the blocking client and the loop; src/net only. */
#ifndef VR_NET_HTTP_EASY_H
#define VR_NET_HTTP_EASY_H

#include "core/buf.h"
#include "net/http_client.h"

#include <curl/curl.h>

struct vr_http_easy {
    CURL *curl; /* borrowed */
    char *url;  /* for messages */
    char *method;
    vr_http_sink_fn sink;
    void *sink_ctx; /* borrowed */
    struct curl_slist *headers;
    struct vr_buf body;
    struct vr_http_result result; /* headers gather here */
    int body_fd;                  /* borrowed; -1: none */
    int64_t body_fd_at;
    int sink_result;      /* what made the sink end the transfer, 0 if it did not */
    struct vr_err detail; /* of that */
    char curl_text[CURL_ERROR_SIZE];
};

/** Configure `curl` (fresh or reset) for a call. `easy` must stay where it is until fini. */
VR_MUST_USE
int vr_http_easy_init(struct vr_http_easy *easy, CURL *curl, const struct vr_http_call *call,
                      struct vr_err *err);
/** Turn libcurl's outcome into ours. @out given on success */
VR_MUST_USE
int vr_http_easy_finish(struct vr_http_easy *easy, CURLcode code, struct vr_http_result *out,
                        struct vr_err *err);
void vr_http_easy_fini(struct vr_http_easy *easy);

#endif
