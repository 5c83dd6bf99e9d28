/* SPDX-License-Identifier: MIT */
/* Who may read the files of builds. */
#include "server/files.h"
#include "server/server_fixture.h"

#define SLUG "/files/builds/none.squashfs"

static void handle_file(void *user, struct vr_http_req *req)
{
    vr_files_handle(user, req);
}

/* The rig with its HTTP server changed for one of files alone. */
static bool start_files(struct rig *r)
{
    struct vr_http_server_spec spec = {
        .address = "127.0.0.1", .threads = 2, .handle = handle_file, .user = &r->server};

    if (!rig_start(r))
        return false;
    r->server.http = vr_http_server_stop(r->server.http);
    if (vr_http_server_start(&spec, &r->server.http, &r->err) < 0)
        return false;
    snprintf(r->base, sizeof(r->base), "http://127.0.0.1:%d",
             (int)vr_http_server_port(r->server.http));
    return true;
}

TEST(files__by_role__viewers_and_above)
{
    RIG(r);
    int64_t id;

    CHECK(start_files(&r));
    CHECK(rig_add_user(&r, "eve", "none", &id) == 0);
    CHECK(rig_add_user(&r, "vic", "viewer", &id) == 0);
    CHECK(rig_get(&r, SLUG, NULL) == 401);
    CHECK(rig_get(&r, SLUG, "eve") == 403);
    CHECK(rig_says(&r, "user 'eve' is a none; this needs a viewer"));
    CHECK(rig_get(&r, SLUG, "vic") == 404);
    CHECK(rig_get(&r, SLUG, "ann") == 404);
}
