/* SPDX-License-Identifier: MIT */
/* The folder that a buildpack keeps between builds of one app. */
#ifndef VR_BUILD_CACHE_H
#define VR_BUILD_CACHE_H

#include "build/worker.h"

/** Longest wait for another build that copies the same cache. */
#define VR_CACHE_LOCK_MS INT64_C(300000)

/** `<app>-<md5 of repository, buildpack and stack>`; release with free(). */
char *vr_cache_key(const char *app, const char *repo_url, const char *buildpack_url,
                   const char *stack);

/** Copy `<work_dir>/cache/<key>` to `dir` (made here, the build user's); empty if there is none. */
VR_MUST_USE
int vr_cache_load(struct vr_worker *worker, const char *work_dir, const char *key, const char *dir,
                  struct vr_err *err);

/**
 * Replace the cache by `dir`, which is moved (so it must lie below work_dir); the old one goes to
 * `old`, for the caller to remove. Call it after a build that succeeded only.
 */
VR_MUST_USE
int vr_cache_store(struct vr_worker *worker, const char *work_dir, const char *key, const char *dir,
                   const char *old, struct vr_err *err);

#endif
