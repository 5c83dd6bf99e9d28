/* SPDX-License-Identifier: MIT */
/* Who listens on a TCP port: a proc's own processes, or a stranger. */
#ifndef VR_RUNTIME_LISTEN_H
#define VR_RUNTIME_LISTEN_H

#include "runtime/cgroup.h"

enum vr_listen_who {
    VR_LISTEN_NOBODY,
    VR_LISTEN_OURS,     /* a process of the cgroup */
    VR_LISTEN_STRANGER, /* someone else */
};

struct vr_listener {
    enum vr_listen_who who;
    pid_t pid;     /* of the stranger, 0 if it cannot be told */
    char comm[20]; /* its name, "" if it cannot be told */
};

/**
 * Ask the kernel (sock_diag) for the listeners of a port and look whether one of them belongs to
 * a process of the cgroup. Takes well below a millisecond unless a stranger has to be named.
 * @cgroup  as in vr_shim_state.cgroup
 */
VR_MUST_USE
int vr_listen_check(enum vr_cgroup_layout layout, const char *cgroup, uint16_t port,
                    struct vr_listener *out, struct vr_err *err);

#endif
