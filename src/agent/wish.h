/* SPDX-License-Identifier: MIT */
/* The wish for a proc (its element of the desired state), read in the terms of its containers. */
#ifndef VR_AGENT_WISH_H
#define VR_AGENT_WISH_H

#include "agent/agent.h"
#include "runtime/bundle.h"

#include <jansson.h>

/** A member of a wish; "" or the fallback if it is not there. Borrowed. */
const char *vr_wish_text(const json_t *wish, const char *name);
int64_t vr_wish_number(const json_t *wish, const char *name, int64_t fallback);

/** Whether a list of the desired state has an element of this id, or with this text as a member. */
bool vr_wish_lists_id(const json_t *list, int64_t id);
bool vr_wish_lists_text(const json_t *list, const char *member, const char *text);

/** The user that the app runs as: `nobody` if the wish names none. */
VR_MUST_USE
int vr_wish_user(const json_t *wish, uid_t *out_uid, gid_t *out_gid, struct vr_err *err);

/** What a wish does not say of a proc's containers. All borrowed. */
struct vr_wish_place {
    const struct vr_agent *agent;
    const char *container; /* id */
    const char *dir, *run_dir;
    const char *slug; /* where it is mounted */
    uid_t uid;
    gid_t gid;
    bool userns;
};

/** A bundle's spec with what it borrows. */
struct vr_wish_bundle {
    struct vr_bundle_spec spec;
    struct vr_bundle_bind volumes[VR_BUNDLE_VOLUMES_MAX];
    char *skeleton, *env, *settings;
};

/**
 * Fill in all that costs nothing: enough for vr_bundle_wants_userns().
 * @out   borrows from place and wish, and must not be copied; vr_wish_bundle_fini() in any case
 */
VR_MUST_USE
int vr_wish_bundle_init(struct vr_wish_bundle *out, const struct vr_wish_place *place,
                        const json_t *wish, struct vr_err *err);

/** Add the skeleton, which may have to be made, and the secret texts: ready for vr_bundle_write().
 */
VR_MUST_USE
int vr_wish_bundle_complete(struct vr_wish_bundle *b, const struct vr_agent *agent,
                            const json_t *wish, struct vr_err *err);
void vr_wish_bundle_fini(struct vr_wish_bundle *b);

#endif
