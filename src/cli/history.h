/* SPDX-License-Identifier: MIT */
/* Versions of objects: which there are, and who was first when two change the same one. */
#ifndef VR_CLI_HISTORY_H
#define VR_CLI_HISTORY_H

#include "cli/noun.h"

/** Fail with -VR_EXISTS, and say which version the object has, who made it, when and how. */
VR_MUST_USE
int vr_history_conflict(struct vr_api *api, const struct vr_cli_noun *noun, const char *uri,
                        const char *label, int64_t wanted, struct vr_err *err);

#endif
