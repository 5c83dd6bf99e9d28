/* SPDX-License-Identifier: MIT */
/* The way of a request through the API: matching, rights, statuses, redirects. */
#include "server/server_fixture.h"

TEST(route__a_list__is_answered_and_its_head_has_no_body)
{
    RIG(r);

    CHECK(rig_start(&r));
    CHECK(rig_get(&r, "/api/v1/apps/", "ann") == 200);
    CHECK(r.last.body_bytes > 0);
    CHECK(rig_call(&r,
                   (struct vr_http_call){.method = "HEAD", .user = "ann", .password = RIG_PASSWORD},
                   "/api/v1/apps/") == 200);
    CHECK(r.last.body_bytes == 0);
}

TEST(route__an_unknown_path__is_404_with_a_sentence)
{
    RIG(r);

    CHECK(rig_start(&r));
    CHECK(rig_get(&r, "/api/v1/nonsense/", "ann") == 404);
    CHECK(rig_says(&r, "/api/v1/nonsense/"));
    CHECK(rig_get(&r, "/api/v1/apps/1/2/3/4/5/6/7/8/", "ann") == 404);
    CHECK(rig_get(&r, "/api/v1/apps/4711/", "ann") == 404);
}

TEST(route__a_wrong_method__names_the_right_ones)
{
    RIG(r);

    CHECK(rig_start(&r));
    CHECK(rig_send(&r, "DELETE", "/api/v1/whoami/", "ann", NULL) == 405);
    CHECK_STR(vr_http_result_header(&r.last, "allow"), "GET");
    CHECK(rig_says(&r, "DELETE is not a method of '/api/v1/whoami/'"));
    CHECK(rig_send(&r, "OPTIONS", "/api/v1/whoami/", "ann", NULL) == 200);
    CHECK_STR(vr_http_result_header(&r.last, "allow"), "GET");
}

TEST(route__without_the_last_slash__is_sent_to_the_one_with_it)
{
    RIG(r);

    CHECK(rig_start(&r));
    CHECK(rig_get(&r, "/api/v1/apps?limit=5", "ann") == 301);
    CHECK_STR(vr_http_result_header(&r.last, "location"), "/api/v1/apps/?limit=5");
}

TEST(route__a_path_of_two_slashes__is_never_sent_to_another_host)
{
    RIG(r);
    const char *to;

    CHECK(rig_start(&r));
    CHECK(rig_get(&r, "//api/v1/apps", "ann") > 0);
    to = vr_http_result_header(&r.last, "location");
    CHECK(!to || !vr_str_has_prefix(to, "//"));
}

TEST(route__a_role_that_may_not__is_403_and_says_what_is_needed)
{
    RIG(r);
    int64_t id;

    CHECK(rig_start(&r));
    CHECK(rig_add_user(&r, "vic", "viewer", &id) == 0);
    CHECK(rig_get(&r, "/api/v1/apps/", "vic") == 200);
    CHECK(rig_send(&r, "POST", "/api/v1/apps/", "vic", "{}") == 403);
    CHECK(rig_says(&r, "user 'vic' is a viewer; this needs a deployer"));
}

TEST(route__nobody__is_401_before_the_body_counts)
{
    RIG(r);

    CHECK(rig_start(&r));
    CHECK(rig_call(&r, (struct vr_http_call){.method = "POST", .body = "{not json"},
                   "/api/v1/apps/") == 401);
}

TEST(route__a_body_that_is_not_json__is_415_or_400)
{
    const char *headers[] = {"Content-Type: text/plain", NULL};
    RIG(r);

    CHECK(rig_start(&r));
    CHECK(rig_call(&r,
                   (struct vr_http_call){.method = "POST",
                                         .user = "ann",
                                         .password = RIG_PASSWORD,
                                         .headers = headers,
                                         .body = "{}"},
                   "/api/v1/apps/") == 415);
    CHECK(rig_send(&r, "POST", "/api/v1/apps/", "ann", "{not json") == 400);
    CHECK(rig_send(&r, "POST", "/api/v1/apps/", "ann", "[1]") == 400);
}

TEST(route__a_body_over_the_limit__is_413)
{
    vr_auto_free char *body = vr_alloc(VR_HTTP_BODY_BYTES + 100);
    RIG(r);
    int status;

    memset(body, ' ', VR_HTTP_BODY_BYTES + 99);
    CHECK(rig_start(&r));
    status = rig_send(&r, "POST", "/api/v1/apps/", "ann", body);
    CHECK(status == 413 || status < 0); /* or the connection is cut while we still send */
}

TEST(route__the_override_of_a_post__is_the_method)
{
    const char *headers[] = {"Content-Type: application/json", "X-HTTP-Method-Override: DELETE",
                             NULL};
    RIG(r);

    CHECK(rig_start(&r));
    CHECK(
        rig_call(&r,
                 (struct vr_http_call){
                     .method = "POST", .user = "ann", .password = RIG_PASSWORD, .headers = headers},
                 "/api/v1/whoami/") == 405);
    CHECK(rig_says(&r, "DELETE is not"));
}

TEST(reply_status__of_every_code__is_the_table)
{
    CHECK(vr_reply_status(VR_OK) == 200);
    CHECK(vr_reply_status(VR_INVALID) == 400 && vr_reply_status(VR_PARSE) == 400);
    CHECK(vr_reply_status(VR_DENIED) == 403 && vr_reply_status(VR_NOT_FOUND) == 404);
    CHECK(vr_reply_status(VR_EXISTS) == 409 && vr_reply_status(VR_LIMIT) == 413);
    CHECK(vr_reply_status(VR_BUSY) == 503 && vr_reply_status(VR_IO) == 503);
    CHECK(vr_reply_status(VR_TIMEOUT) == 504 && vr_reply_status(VR_BUG) == 500);
}
