/* SPDX-License-Identifier: MIT */
/* Versions of objects: which there are, what they changed, and who was first when two change the
 * same one. */
#ifndef VR_CLI_HISTORY_H
#define VR_CLI_HISTORY_H

#include "cli/cli.h"
#include "cli/noun.h"

/**
 * The path of an object's versions, "/api/v1/swarms/5/versions/"; given, free(). An object that is
 * not there any more is known by its key, or by its name if that is its key.
 */
VR_MUST_USE
int vr_history_path(struct vr_api *api, const struct vr_cli_noun *noun, const char *name,
                    char **out, struct vr_err *err);

/** Show the newest versions of an object. @lines  0: as many as the server likes */
VR_MUST_USE
int vr_history_show(struct vr_cli *cli, const struct vr_cli_noun *noun, const char *name,
                    int64_t lines, struct vr_err *err);

/** Append changes of fields as the server tells them, a field and its lines. */
void vr_history_write_changes(struct vr_buf *out, const json_t *changes,
                              const struct vr_out *style);

/** Fail with -VR_EXISTS, and say which version the object has, who made it, when and how. */
VR_MUST_USE
int vr_history_conflict(struct vr_api *api, const struct vr_cli_noun *noun, const char *uri,
                        const char *label, int64_t wanted, struct vr_err *err);

#endif
