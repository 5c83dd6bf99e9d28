/* SPDX-License-Identifier: MIT */
/* The system calls that programs of a build do without. */
#ifndef VR_BUILD_BUILD_SECCOMP_H
#define VR_BUILD_BUILD_SECCOMP_H

#include "core/err.h"

/**
 * Take the calls of the table from this process and all that it starts, for good.
 *
 * A call that is taken fails with EPERM; clone3 with ENOSYS, so that libraries use clone; one of
 * another architecture kills the process. New privileges must have been given up before
 * (PR_SET_NO_NEW_PRIVS), else the kernel refuses.
 */
VR_MUST_USE
int vr_build_seccomp_install(struct vr_err *err);

#endif
