/* SPDX-License-Identifier: MIT */
/* HTTP calls that block, one at a time over one handle, whose connections are kept. */
#include "net/http_client.h"
#include "net/http_easy.h"

#include <string.h>

struct vr_http_client {
    CURL *curl;
};

struct vr_http_client *vr_http_client_new(void)
{
    struct vr_http_client *client = vr_alloc(sizeof(*client));

    /* Counted inside libcurl, and safe between threads there. */
    curl_global_init(CURL_GLOBAL_DEFAULT);
    client->curl = curl_easy_init();
    return client;
}

struct vr_http_client *vr_http_client_free(struct vr_http_client *client)
{
    if (!client)
        return NULL;
    curl_easy_cleanup(client->curl);
    curl_global_cleanup();
    free(client);
    return NULL;
}

int vr_http_call(struct vr_http_client *client, const struct vr_http_call *call,
                 struct vr_http_result *out, struct vr_err *err)
{
    struct vr_http_easy easy;
    int r;

    if (!client->curl)
        return vr_fail(err, VR_LIMIT, "HTTP client: out of memory");
    r = vr_http_easy_init(&easy, client->curl, call, err);
    if (!r)
        r = vr_http_easy_finish(&easy, curl_easy_perform(client->curl), out, err);
    curl_easy_reset(client->curl); /* forgets the options, keeps the connections */
    vr_http_easy_fini(&easy);
    return r;
}

static bool is_loopback(const char *host)
{
    return vr_streq(host, "localhost") || vr_streq(host, "[::1]") ||
           (vr_str_has_prefix(host, "127.") &&
            vr_str_is_made_of(host, "0123456789.", 7, sizeof("127.255.255.255") - 1));
}

bool vr_http_url_is_private(const char *url)
{
    CURLU *u = curl_url();
    char *scheme = NULL, *host = NULL;
    bool is_private = false;

    if (u && !curl_url_set(u, CURLUPART_URL, url, 0) &&
        !curl_url_get(u, CURLUPART_SCHEME, &scheme, 0) &&
        !curl_url_get(u, CURLUPART_HOST, &host, 0))
        is_private = vr_streq(scheme, "https") || (vr_streq(scheme, "http") && is_loopback(host));
    curl_free(scheme);
    curl_free(host);
    curl_url_cleanup(u);
    return is_private;
}
