/* SPDX-License-Identifier: MIT */
/* What this host can do for procs, found out by doing it once when the agent starts. */
#ifndef VR_RUNTIME_PROBE_H
#define VR_RUNTIME_PROBE_H

#include "runtime/cgroup.h"

#define VR_PROBE_WARNINGS_MAX 16

struct vr_runtime_caps {
    enum vr_cgroup_layout cgroups;
    char *runtime;   /* OCI runtime that ran a container, absolute path; NULL if none did */
    bool is_crun;    /* it takes crun's options */
    bool has_userns; /* it ran one in a user namespace too */
    bool has_idmap;  /* squashfs can be mounted idmapped; otherwise slugs are copied per user */
    bool has_memory, has_memsw, has_pids, has_cpu; /* limits that can be set */
    bool can_raise_rlimits;                        /* CAP_SYS_RESOURCE */
    uint64_t nofile_hard;                          /* our own hard limit of open files */
    char *warnings[VR_PROBE_WARNINGS_MAX];         /* for an operator; each given with the struct */
    size_t warning_count;
};

struct vr_probe_spec {
    const char *shim_path; /* the vr-shim program */
    const char *work_dir;  /* a folder for the test containers; made, and removed again.
                            * For user namespaces the folders above it must be 0711. */
    const char *runtime;   /* name or path from the configuration; NULL: crun, else runc */
    uint32_t userns_base;  /* host id of the namespace's root; 0: do not try */
    uint32_t userns_count;
};

/**
 * Run the self-test. Never fails: what does not work is false in *out, with a warning. Blocks, some
 * hundred ms. The environment variable VR_NO_IDMAP=1 forces has_idmap to false.
 * @out  given; release with vr_runtime_caps_fini()
 */
void vr_runtime_probe(const struct vr_probe_spec *spec, struct vr_runtime_caps *out);

void vr_runtime_caps_fini(struct vr_runtime_caps *caps);

#endif
