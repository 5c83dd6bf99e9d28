/* SPDX-License-Identifier: MIT */
/* The system calls a proc may make. */
#ifndef VR_RUNTIME_SECCOMP_H
#define VR_RUNTIME_SECCOMP_H

#include <jansson.h>

/** The `linux.seccomp` object of an OCI configuration; given. */
json_t *vr_seccomp_profile(void);

#endif
