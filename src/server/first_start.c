/* SPDX-License-Identifier: MIT */
/* What a platform needs before anybody has made anything. */
#include "server/first_start.h"

#include "core/clock.h"
#include "server/password.h"
#include "store/buildpack.h"
#include "store/user.h"
#include "sys/fs.h"

#include <string.h>

#define FIRST_PASSWORD_BYTES 9
#define NAMES_MAX            9 /* admin, admin2 … */

/* Users that were imported may have taken the name. */
static int free_name(struct vr_tx *tx, char **out, struct vr_err *err)
{
    for (int i = 1; i <= NAMES_MAX; i++) {
        vr_auto_free char *name = i == 1 ? vr_strdup("admin") : vr_strf("admin%d", i);
        VR_ROW(user) found = {0};
        int r = vr_store_user_find(tx, name, &found, err);

        if (r == -VR_NOT_FOUND) {
            *out = vr_take(name);
            return 0;
        }
        if (r < 0)
            return r;
    }
    return vr_fail(err, VR_EXISTS, "admin to admin%d are users, but no admins", NAMES_MAX);
}

int vr_first_admin(struct vr_server *server, struct vr_tx *tx, struct vr_err *err)
{
    vr_auto_free char *path = vr_strf("%s/initial-password", server->config.data_dir);
    vr_auto_free char *password = NULL;
    vr_auto_free char *text = NULL;
    VR_ROW(user) row = {0};
    int64_t count, id;
    int r = vr_store_user_count_admins(tx, &count, err);

    if (r == 0 && count == 0)
        r = free_name(tx, &row.username, err);
    if (r < 0 || count > 0)
        return r;
    password = vr_random_hex(FIRST_PASSWORD_BYTES);
    row.role = vr_strdup("admin");
    row.first_name = vr_strdup("");
    row.last_name = vr_strdup("");
    row.email = vr_strdup("");
    row.is_active = true;
    row.must_change_password = true;
    row.joined_us = vr_wall_now().us;
    text = vr_strf("%s\n", password);
    r = vr_password_hash(password, &row.password, err);
    if (r == 0)
        r = vr_store_user_insert(tx, &row, &id, err);
    if (r == 0)
        r = vr_fs_replace(path, text, strlen(text), 0600, err);
    if (r == 0)
        vr_info(&server->log, "made the first admin '%s'; the password is in '%s'", row.username,
                path);
    return r;
}

int vr_first_buildpacks(struct vr_tx *tx, int64_t after, struct vr_err *err)
{
    static const char *const names[] = {"builtin:nodejs", "builtin:python", "builtin:make",
                                        "builtin:static"};
    int r = 0;

    for (size_t i = 0; i < VR_COUNT(names) && r == 0; i++) {
        struct vr_buildpack_row row = {.repo_url = (char *)names[i],
                                       .repo_type = (char *)"git",
                                       .description = (char *)"comes with Velociraptor",
                                       .ord = after + (int64_t)(i + 1) * 10};
        int64_t id;

        r = vr_store_buildpack_insert(tx, &row, &id, err);
    }
    return r;
}
