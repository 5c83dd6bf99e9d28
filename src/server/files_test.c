/* SPDX-License-Identifier: MIT */
/* Who may read the files of builds. */
#include "server/server_fixture.h"

#define SLUG "/files/builds/none.squashfs"

TEST(files__by_role__viewers_and_above)
{
    RIG(r);
    int64_t id;

    CHECK(rig_start(&r));
    CHECK(rig_add_user(&r, "eve", "none", &id) == 0);
    CHECK(rig_add_user(&r, "vic", "viewer", &id) == 0);
    CHECK(rig_get(&r, SLUG, NULL) == 401);
    CHECK(rig_get(&r, SLUG, "eve") == 403);
    CHECK(rig_says(&r, "user 'eve' is without a role; this needs a viewer"));
    CHECK(rig_get(&r, SLUG, "vic") == 404);
    CHECK(rig_get(&r, SLUG, "ann") == 404);
}
