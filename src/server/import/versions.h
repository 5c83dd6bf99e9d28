/* SPDX-License-Identifier: MIT */
/* Versions of the original: rows of django-reversion. */
#ifndef VR_SERVER_IMPORT_VERSIONS_H
#define VR_SERVER_IMPORT_VERSIONS_H

#include "server/import/tables.h"

/**
 * Fill in our row of a `reversion_version`, but for its id.
 * Returns -VR_NOT_FOUND for what has no versions here.
 */
VR_MUST_USE
int vr_import_version(struct vr_importer *im, const json_t *in, json_t *out, struct vr_err *err);

#endif
