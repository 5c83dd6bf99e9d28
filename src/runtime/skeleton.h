/* SPDX-License-Identifier: MIT */
/* The root of the `host` stack: links into /usr, empty folders, and a made /etc. */
#ifndef VR_RUNTIME_SKELETON_H
#define VR_RUNTIME_SKELETON_H

#include "core/err.h"

#include <sys/types.h>

/**
 * The skeleton root for containers whose root user is `owner` on the host, built if this host has
 * none for the present state of its /etc. Old ones stay, since running procs use them.
 * @dir       borrowed; folder of all skeletons, made if missing
 * @owner     0, or the base of the user namespace
 * @out_path  given; free()
 */
VR_MUST_USE
int vr_skeleton_prepare(const char *dir, uid_t owner, char **out_path, struct vr_err *err);

#endif
