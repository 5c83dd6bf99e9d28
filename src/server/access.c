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

#include <string.h>

static const char *const role_names[] = {
    [VR_ROLE_UNSET] = "none",        [VR_ROLE_ANYONE] = "anyone", [VR_ROLE_VIEWER] = "viewer",
    [VR_ROLE_DEPLOYER] = "deployer", [VR_ROLE_ADMIN] = "admin",
};

/* What somebody of a role is, and what a request needs. */
static const char *const role_phrases[] = {
    [VR_ROLE_UNSET] = "without a role", [VR_ROLE_ANYONE] = "anyone",  [VR_ROLE_VIEWER] = "a viewer",
    [VR_ROLE_DEPLOYER] = "a deployer",  [VR_ROLE_ADMIN] = "an admin",
};

const char *vr_role_name(enum vr_role role)
{
    return role_names[role];
}

const char *vr_role_phrase(enum vr_role role)
{
    return role_phrases[role];
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
        return vr_fail(err, VR_DENIED, "user '%s' is %s for this app; it needs %s",
                       call->who.username, vr_role_phrase(has), vr_role_phrase(call->role));
    call->is_allowed = true;
    return 0;
}

/* ------------------------------------------------------------------ what can be done */

/* Whose an object is, to the user who asks. */
enum whose { ANYBODYS, OF_APP, OWN };

static bool may(const struct vr_who *who, const struct vr_route *route, enum whose whose)
{
    if (route->role == VR_ROLE_UNSET)
        return false;
    switch (route->scope) {
    case VR_SCOPE_PLATFORM:
        return who->role >= route->role;
    case VR_SCOPE_APP:
        return who->role >= route->role || (whose == OF_APP && route->role <= VR_ROLE_DEPLOYER);
    case VR_SCOPE_OWN:
        return !who->is_capped && who->role >= (whose == OWN ? route->role : VR_ROLE_ADMIN);
    }
    return false;
}

/* Of a path about one object of a resource what comes behind its key: "", "/swarm". Else NULL. */
static const char *behind_key(const struct vr_route *route, const char *resource)
{
    size_t n = strlen(resource);
    const char *rest;

    if (strncmp(route->path, resource, n) != 0 || !vr_str_has_prefix(route->path + n, "/*"))
        return NULL;
    rest = route->path + n + strlen("/*");
    return !*rest || *rest == '/' ? rest : NULL;
}

/* What a row is called in `can`; "" if it is not there. */
static const char *verbs_of(const struct vr_route *route, const char *rest)
{
    const char *last = strrchr(rest, '/');

    if (route->verbs)
        return route->verbs;
    if (vr_streq(route->method, "POST"))
        return last && !vr_streq(last, "/*") ? last + 1 : "";
    if (last || vr_streq(route->method, "GET"))
        return "";
    return vr_streq(route->method, "DELETE") ? "delete" : "change";
}

/* PUT and PATCH are one verb: each is named once. */
static void add_verbs(struct vr_buf *list, const char *verbs)
{
    while (*verbs) {
        size_t n = strcspn(verbs, " ");
        vr_auto_free char *word = vr_strf("\"%.*s\"", (int)n, verbs);

        if (!strstr(vr_buf_text(list), word))
            vr_buf_addf(list, "%s%s", list->len > 1 ? "," : "", word);
        verbs += n;
        verbs += *verbs == ' ';
    }
}

static void add_route(struct vr_view *view, const struct vr_who *who, const struct vr_route *route,
                      const char *resource)
{
    const char *rest = behind_key(route, resource);
    const char *verbs = rest ? verbs_of(route, rest) : "";

    if (may(who, route, ANYBODYS))
        add_verbs(&view->can, verbs);
    if (may(who, route, OF_APP))
        add_verbs(&view->can_app, verbs);
    if (may(who, route, OWN))
        add_verbs(&view->can_own, verbs);
}

static const char *finish_list(struct vr_buf *list)
{
    vr_buf_addc(list, ']');
    return list->over ? "[]" : vr_buf_text(list);
}

void vr_view_init(struct vr_view *view, const struct vr_who *who, enum vr_resource resource)
{
    *view = (struct vr_view){.can = VR_BUF(VR_CAN_BYTES),
                             .can_app = VR_BUF(VR_CAN_BYTES),
                             .can_own = VR_BUF(VR_CAN_BYTES)};
    vr_buf_addc(&view->can, '[');
    vr_buf_addc(&view->can_app, '[');
    vr_buf_addc(&view->can_own, '[');
    for (size_t i = 0; i < vr_route_table_count; i++)
        for (const struct vr_route *r = vr_route_tables[i].rows; r->method; r++)
            if (vr_streq(vr_route_tables[i].base, VR_ROUTE_API))
                add_route(view, who, r, vr_resource_name(resource));
    view->viewer = (struct vr_viewer){.user_id = who->id,
                                      .sees_all = who->role >= VR_ROLE_ADMIN,
                                      .apps = who->apps,
                                      .app_count = who->app_count,
                                      .can = finish_list(&view->can),
                                      .can_app = finish_list(&view->can_app),
                                      .can_own = finish_list(&view->can_own)};
}

void vr_view_fini(struct vr_view *view)
{
    vr_buf_fini(&view->can);
    vr_buf_fini(&view->can_app);
    vr_buf_fini(&view->can_own);
}
