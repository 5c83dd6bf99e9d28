/* SPDX-License-Identifier: MIT */
/* Versions of all nouns through the API: list, look at, compare, restore. */
#ifndef VR_SERVER_API_NOUN_HISTORY_H
#define VR_SERVER_API_NOUN_HISTORY_H

#include "server/api/noun.h"

/* Handlers of the routes below; the path has the object's key and the version's id. */
VR_MUST_USE
int vr_noun_versions(struct vr_call *call, const struct vr_noun *noun, struct vr_err *err);
VR_MUST_USE
int vr_noun_version(struct vr_call *call, const struct vr_noun *noun, struct vr_err *err);
VR_MUST_USE
int vr_noun_restore(struct vr_call *call, const struct vr_noun *noun, struct vr_err *err);
/** The same by the version's id alone: of what is deleted, whatever is called so now. */
VR_MUST_USE
int vr_noun_revive(struct vr_call *call, const struct vr_noun *noun, struct vr_err *err);

/**
 * Add `"changed": {"time", "user"}` of the newest version to the text of an object; null without
 * one.
 * @text  `{…}`, replaced; given
 */
VR_MUST_USE
int vr_noun_add_changed(struct vr_tx *tx, enum vr_resource resource, int64_t id, char **text,
                        struct vr_err *err);

/** Define the handlers of a table `<noun>_noun`, for VR_NOUN_HISTORY_ROUTES(). */
#define VR_NOUN_HISTORY(noun)                                                                      \
    static int noun##_versions(struct vr_call *call, struct vr_err *err)                           \
    {                                                                                              \
        return vr_noun_versions(call, &noun##_noun, err);                                          \
    }                                                                                              \
    static int noun##_version(struct vr_call *call, struct vr_err *err)                            \
    {                                                                                              \
        return vr_noun_version(call, &noun##_noun, err);                                           \
    }                                                                                              \
    static int noun##_restore(struct vr_call *call, struct vr_err *err)                            \
    {                                                                                              \
        return vr_noun_restore(call, &noun##_noun, err);                                           \
    }                                                                                              \
    static int noun##_revive(struct vr_call *call, struct vr_err *err)                             \
    {                                                                                              \
        return vr_noun_revive(call, &noun##_noun, err);                                            \
    }

/** Rows of a table of routes. @reads  who may look; @role and @scope  of a PUT of the noun */
#define VR_NOUN_HISTORY_ROUTES(noun, name, reads, role, scope)                                     \
    {"GET", name "/*/versions", reads, noun##_versions},                                           \
        {"GET", name "/*/versions/*", reads, noun##_version},                                      \
        {"POST", name "/*/versions/*/restore", role, noun##_restore, scope},                       \
    {                                                                                              \
        "POST", name "/versions/*/restore", role, noun##_revive, scope                             \
    }

#endif
