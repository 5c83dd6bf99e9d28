/* SPDX-License-Identifier: MIT */
/* Versions of objects: what is kept of a change, and how two of them differ. */
#ifndef VR_SERVER_API_VERSION_H
#define VR_SERVER_API_VERSION_H

#include "server/api/noun.h"
#include "store/version.h"

#define VR_VERSION_COMMENT_MAX 200 /* characters of X-Comment and `?comment=` */
#define VR_VERSION_CONTEXT     3   /* lines shown around a difference */

/** Does a noun keep versions? Those that can be changed do. */
bool vr_version_is_kept(const struct vr_noun *noun);

/** What a version keeps of an object; given. */
VR_MUST_USE
int vr_version_data(struct vr_tx *tx, const struct vr_noun *noun, const void *row, json_t **out,
                    struct vr_err *err);

/**
 * Before a change. If the newest version does not say what the object is - it is older than its
 * history, or something else changed it - a version "found" is written first, so that the change
 * is shown as what it was.
 * @out_before  what it is, for vr_version_end(); given; NULL if the noun keeps no versions
 */
VR_MUST_USE
int vr_version_begin(struct vr_write *w, const struct vr_noun *noun, const void *row,
                     char **out_before, struct vr_err *err);

/**
 * After it: write the version, unless nothing is different; w->version is its id then.
 * @action  create, update, delete; a restore is one by w->restores
 * @before  of vr_version_begin(); NULL for what is new
 */
VR_MUST_USE
int vr_version_end(struct vr_write *w, const struct vr_noun *noun, const void *row,
                   const char *action, const char *before, struct vr_err *err);

/** [{"field", "kind", "old", "new", "diff"}, …] (docs/api.md). @old  NULL: there was nothing. */
json_t *vr_version_changes(const struct vr_noun *noun, const json_t *old, const json_t *now);

/** The data as it may be shown: of secrets only which there are. Given. */
json_t *vr_version_shown(const struct vr_noun *noun, const json_t *data);

#endif
