/* SPDX-License-Identifier: MIT */
/* Buildpacks by the Heroku protocol: fetched or built in, then detect, compile, release. */
#ifndef VR_BUILD_BUILDPACK_H
#define VR_BUILD_BUILDPACK_H

#include "build/vcs.h"
#include "fmt/json.h"

/** Prefix of the URL of a buildpack that is installed with us: `builtin:python`. */
#define VR_BUILDPACK_BUILTIN "builtin:"
#define VR_BUILDPACK_MAX     32

/** One candidate. */
struct vr_buildpack {
    char *url;    /* owned; without #fragment */
    char *rev;    /* owned; what follows '#', NULL if nothing does */
    char *commit; /* owned; 40 hexadecimal digits once resolved, else NULL */
    char *name;   /* owned; for people: the last part of the URL */
    enum vr_vcs_type type;
    bool is_builtin;
    char *dir; /* owned; where vr_buildpack_fetch() put it, else NULL */
};

/** Where candidates come from and go to. All borrowed. */
struct vr_buildpack_source {
    struct vr_worker *worker;
    const char *work_dir;
    const char *builtin_dir;
};

/** Fill a candidate from `url[#rev]`; `type` may be NULL (git), `commit` NULL (not pinned yet). */
VR_MUST_USE
int vr_buildpack_init(struct vr_buildpack *bp, const char *url, const char *type,
                      const char *commit, struct vr_err *err);
void vr_buildpack_fini(struct vr_buildpack *bp);

/**
 * Pin a candidate: the commit of its revision or default branch; of a built-in one the first 40
 * digits of the SHA-256 over its files. One that is pinned already stays as it is.
 */
VR_MUST_USE
int vr_buildpack_resolve(const struct vr_buildpack_source *src, struct vr_buildpack *bp,
                         struct vr_err *err);

/**
 * Put the pinned buildpack into `dir` (made here). A built-in one whose files are no longer those
 * of the pin is -VR_NOT_FOUND.
 */
VR_MUST_USE
int vr_buildpack_fetch(const struct vr_buildpack_source *src, struct vr_buildpack *bp,
                       const char *dir, struct vr_err *err);

/** The folders of a build; all borrowed, all owned by the build user. */
struct vr_buildpack_dirs {
    const char *root;  /* empty, for the sandbox's root */
    const char *app;   /* /app: the tree being built */
    const char *cache; /* /cache */
    const char *env;   /* /env: one file per config variable */
    const char *tmp;   /* /tmp */
};

/** Whether the buildpack is for this app: 1 or 0. */
VR_MUST_USE
int vr_buildpack_detect(struct vr_worker *worker, const struct vr_buildpack *bp,
                        const struct vr_buildpack_dirs *dirs, struct vr_err *err);

/** Run bin/compile /app /cache /env. A non-zero exit is -VR_IO with the last line it printed. */
VR_MUST_USE
int vr_buildpack_compile(struct vr_worker *worker, const struct vr_buildpack *bp,
                         const struct vr_buildpack_dirs *dirs, struct vr_err *err);

/**
 * Run bin/release /app, keep its text as .release.yaml and the buildpack's name as .buildpack in
 * the app. @out_data: given, a JSON object (empty without bin/release); release with json_decref().
 */
VR_MUST_USE
int vr_buildpack_release(struct vr_worker *worker, const struct vr_buildpack *bp,
                         const struct vr_buildpack_dirs *dirs, json_t **out_data,
                         struct vr_err *err);

#endif
