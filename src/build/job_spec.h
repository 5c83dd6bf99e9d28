/* SPDX-License-Identifier: MIT */
/* The order that a build job gets, checked. */
#ifndef VR_BUILD_JOB_SPEC_H
#define VR_BUILD_JOB_SPEC_H

#include "build/buildpack.h"
#include "build/worker.h"

#define VR_JOB_USER         "velociraptor-build"
#define VR_JOB_STACK        "host"
#define VR_JOB_BUILD_SECS   3600
#define VR_JOB_RESOLVE_SECS 60
#define VR_JOB_SECS_MAX     86400
#define VR_JOB_FILE_BYTES   (INT64_C(8) << 30)
#define VR_JOB_DISK_BYTES   (INT64_C(512) << 20)
#define VR_JOB_RESERVE      (INT64_C(128) << 20)
#define VR_JOB_RUN_DIR      "/run/velociraptor"

enum vr_job_kind {
    VR_JOB_RESOLVE,
    VR_JOB_BUILD,
};

struct vr_job_spec {
    enum vr_job_kind kind;
    const char *app, *repo_url, *tag, *commit; /* tag or commit may be NULL, not both */
    enum vr_vcs_type repo_type;
    const char *stack, *work_dir, *out_dir, *builtin_dir, *user;
    const char *run_dir; /* a tmpfs: config variables are never written to a disk */
    struct vr_buildpack buildpacks[VR_BUILDPACK_MAX]; /* owned */
    size_t buildpack_count;
    struct vr_worker_limits limits;
    int64_t secs;
    int64_t disk_bytes; /* free space to start with */
    const json_t *env;  /* object, or NULL */
    bool no_cache;
    json_t *json; /* owned; what the pointers above point into */
};

/** Read the JSON text that job.h describes. @out: given; release with vr_job_spec_fini(). */
VR_MUST_USE
int vr_job_spec_parse(struct vr_str text, struct vr_job_spec *out, struct vr_err *err);
void vr_job_spec_fini(struct vr_job_spec *spec);

#endif
