/* SPDX-License-Identifier: MIT */
/* Who may do what: roles for everything, grants for single apps, tokens that may less. */
#ifndef VR_SERVER_ACCESS_H
#define VR_SERVER_ACCESS_H

#include "core/buf.h"
#include "store/resource.h"

#include <stdbool.h>
#include <stdint.h>

#define VR_WHO_GRANTS_MAX 64  /* apps that one user may be granted */
#define VR_CAN_BYTES      512 /* of the list of verbs of an object */
#define VR_WHO_NAME_BYTES 151 /* of the longest user name */
#define VR_WHO_CSRF_BYTES 64
#define VR_WHO_VIA_BYTES  80 /* "token " and its name, cut if it is longer */

/**
 * In rising order: each may what those before it may.
 *
 * A route says which it needs. One that says nothing is refused to all (VR_ROLE_UNSET); one for
 * which no login is needed says so (VR_ROLE_ANYONE).
 */
enum vr_role { VR_ROLE_UNSET, VR_ROLE_ANYONE, VR_ROLE_VIEWER, VR_ROLE_DEPLOYER, VR_ROLE_ADMIN };

/** What a role must be good for. */
enum vr_scope {
    VR_SCOPE_PLATFORM, /* everything */
    /* The app that the object belongs to: a grant for that app is enough. Whoever has any grant
     * gets as far as the handler, which finds the object and calls vr_access_app(). A change for
     * which nobody called it is not committed. */
    VR_SCOPE_APP,
    /* The user's own things: tokens, password, profile, session. The handler sees to whose they
     * are. They are not for tokens that may less than their user. */
    VR_SCOPE_OWN,
};

/** The user of a request and what they may in it; all by value. */
struct vr_who {
    int64_t id;
    char username[VR_WHO_NAME_BYTES];
    enum vr_role role; /* for everything */
    /* Apps for which the role is raised to VR_ROLE_DEPLOYER. */
    int64_t apps[VR_WHO_GRANTS_MAX];
    size_t app_count;

    char via[VR_WHO_VIA_BYTES]; /* "basic", "token <name>", "session": for the audit log */
    int64_t token_id;           /* 0: no token; so the next */
    int64_t session_id;
    int64_t session_ends_us;
    char csrf[VR_WHO_CSRF_BYTES]; /* what a change by this session repeats in X-CSRFToken */
    bool is_capped;               /* a token that may less than its user */
};

struct vr_call;

/** "viewer", "deployer", "admin"; also "none", "anyone". */
const char *vr_role_name(enum vr_role role);
/** For sentences: "a viewer", "a deployer", "an admin"; also "without a role", "anyone". */
const char *vr_role_phrase(enum vr_role role);
/** VR_ROLE_UNSET for what is no role of a user. */
enum vr_role vr_role_parse(const char *name);

/** Their role for what belongs to an app; 0: to none. */
enum vr_role vr_who_role_for(const struct vr_who *who, int64_t app_id);

/** Whether they may send the request at all, before it is known which app it is about. */
bool vr_who_may_ask(const struct vr_who *who, enum vr_role role, enum vr_scope scope);

/** A resource as a user sees it, prepared once for all of its rows. */
struct vr_view {
    struct vr_viewer viewer; /* what the store is given */
    struct vr_buf can, can_app, can_own;
};

/** @who borrowed as long as the view lives; release with vr_view_fini() */
void vr_view_init(struct vr_view *view, const struct vr_who *who, enum vr_resource resource);
void vr_view_fini(struct vr_view *view);
#define vr_auto_view __attribute__((cleanup(vr_view_fini)))

/**
 * Insist that the user may do what this route does to what belongs to `app_id` (0: to no app).
 * Every handler of a route of VR_SCOPE_APP calls it, as soon as it knows the app, for each app
 * that the request is about.
 *
 * Returns -VR_DENIED with "user 'raj' is a viewer for this app; it needs a deployer".
 */
VR_MUST_USE
int vr_access_app(struct vr_call *call, int64_t app_id, struct vr_err *err);

#endif
