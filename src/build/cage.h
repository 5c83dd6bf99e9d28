/* SPDX-License-Identifier: MIT */
/* The cgroup of one build job, on v1, v2 and hybrid hosts. */
#ifndef VR_BUILD_CAGE_H
#define VR_BUILD_CAGE_H

#include "core/err.h"

#include <stdbool.h>
#include <stdint.h>

struct vr_cage;

struct vr_cage_limits {
    int64_t memory_bytes; /* 0: none, as for all */
    int64_t pids;
    int64_t cpu_permille;
};

/**
 * Make `velociraptor/builds/<id>` in every hierarchy that has memory, pids, cpu or freezer.
 * @out_cage  given; release with vr_cage_free()
 * Returns -VR_NOT_FOUND if the host has none of them that we may write to.
 */
VR_MUST_USE
int vr_cage_new(const char *id, const struct vr_cage_limits *limits, struct vr_cage **out_cage,
                struct vr_err *err);

/** Kill what is inside and remove the folders; a cage that will not empty in 5 s is left. */
struct vr_cage *vr_cage_free(struct vr_cage *cage);
VR_DEFINE_OWNED(struct vr_cage, vr_cage_free)

/** Kill and remove the cage of a job that was killed itself; none there is fine. */
void vr_cage_sweep(const char *id);

/** The folders to join, NULL-terminated; borrowed. */
const char *const *vr_cage_dirs(const struct vr_cage *cage);

/** SIGKILL everything inside and wait until it is gone. Blocks, 5 s at most. */
void vr_cage_kill(struct vr_cage *cage);

/** How many processes the kernel has killed here for want of memory. */
uint64_t vr_cage_oom_kills(const struct vr_cage *cage);

#endif
