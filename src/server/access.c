/* SPDX-License-Identifier: MIT */
/*
 * Who may do what.
 *
 * The table of routes is the only place that says what a request needs (server/route.h). A route
 * about things of an app cannot be decided by its path: which app a rollout belongs to, only its
 * row tells. So the handler asks here, in its transaction, and vr_write_run() does not commit
 * what nobody asked about: forgetting to ask refuses, it does not allow.
 */
#include "server/access.h"

#include "core/str.h"
#include "server/route.h"

static const char *const role_names[] = {
    [VR_ROLE_UNSET] = "none",        [VR_ROLE_ANYONE] = "anyone", [VR_ROLE_VIEWER] = "viewer",
    [VR_ROLE_DEPLOYER] = "deployer", [VR_ROLE_ADMIN] = "admin",
};

const char *vr_role_name(enum vr_role role)
{
    return role_names[role];
}

enum vr_role vr_role_parse(const char *name)
{
    for (size_t i = VR_ROLE_VIEWER; i < VR_COUNT(role_names); i++)
        if (vr_streq(name, role_names[i]))
            return (enum vr_role)i;
    return VR_ROLE_UNSET;
}

enum vr_role vr_who_role_for(const struct vr_who *who, int64_t app_id)
{
    if (who->role >= VR_ROLE_DEPLOYER)
        return who->role;
    for (size_t i = 0; i < who->app_count; i++)
        if (who->apps[i] == app_id)
            return VR_ROLE_DEPLOYER;
    return who->role;
}

bool vr_who_may_ask(const struct vr_who *who, enum vr_role role, enum vr_scope scope)
{
    if (role == VR_ROLE_UNSET || who->role < VR_ROLE_VIEWER)
        return false;
    if (scope == VR_SCOPE_APP && who->app_count && role <= VR_ROLE_DEPLOYER)
        return true;
    return who->role >= role;
}

int vr_access_app(struct vr_call *call, int64_t app_id, struct vr_err *err)
{
    enum vr_role has = vr_who_role_for(&call->who, app_id);

    if (has < call->role)
        return vr_fail(err, VR_DENIED, "user '%s' is a %s for this app; it needs a %s",
                       call->who.username, vr_role_name(has), vr_role_name(call->role));
    call->is_allowed = true;
    return 0;
}
