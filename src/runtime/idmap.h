/* SPDX-License-Identifier: MIT */
/* Mounts whose files belong to someone else than on disk. */
#ifndef VR_RUNTIME_IDMAP_H
#define VR_RUNTIME_IDMAP_H

#include "core/err.h"

#include <stdint.h>

/** Ids inside..inside+count-1 of the file system appear as outside.. . */
struct vr_idmap {
    uint32_t inside;
    uint32_t outside_uid, outside_gid;
    uint32_t count;
};

/**
 * Clone the mount of `source` with the mapping, nosuid and nodev, not attached anywhere yet.
 * Returns its descriptor, or -VR_DENIED if the file system cannot be idmapped. About 1 ms: a short
 * child makes the user namespace that carries the mapping.
 */
VR_MUST_USE
int vr_idmap_clone(const char *source, const struct vr_idmap *map, struct vr_err *err);

#endif
