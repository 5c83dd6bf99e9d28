/* SPDX-License-Identifier: MIT */
/* Foreign git and Mercurial repositories, by a mirror on this host. */
#ifndef VR_BUILD_VCS_H
#define VR_BUILD_VCS_H

#include "build/worker.h"

#include <stdbool.h>

#define VR_VCS_URL_MAX 2000
#define VR_VCS_REV_MAX 100
/** Longest wait for another job that uses the same mirror. */
#define VR_VCS_LOCK_MS INT64_C(600000)
/** Longest fetch; the job's deadline may be shorter. */
#define VR_VCS_FETCH_MS INT64_C(600000)

enum vr_vcs_type {
    VR_VCS_GIT,
    VR_VCS_HG,
};

/** "git" or "hg". */
VR_MUST_USE
int vr_vcs_type_parse(const char *name, enum vr_vcs_type *out, struct vr_err *err);

/**
 * Allow an absolute path or an http, https, ssh, git or file URL (also user@host:path), nothing
 * that starts a helper program (ext::) or reads as an option. -VR_INVALID names the URL.
 */
VR_MUST_USE
int vr_vcs_url_check(const char *url, struct vr_err *err);

/**
 * Refuse a local repository that is in the folder around `work_dir`, the agent's own: its mirrors
 * and slugs are of other apps. Links and %XX are followed. -VR_DENIED; 0 for a remote URL.
 */
VR_MUST_USE
int vr_vcs_place_check(const char *url, const char *work_dir, struct vr_err *err);

/** Allow [A-Za-z0-9_.+/-]{1,100}, not starting with '-' or '/', without "..". */
VR_MUST_USE
int vr_vcs_rev_check(const char *rev, struct vr_err *err);

/** Whether the text is a full commit id: 40 lower-case hexadecimal digits. */
bool vr_vcs_is_commit(const char *rev);

/** The URL without user and password, for messages; release with free(). */
char *vr_vcs_url_public(const char *url);

/** `<last part of the URL without .git>-<md5 of the URL without #fragment>`; release with free().
 */
char *vr_vcs_url_key(const char *url);

struct vr_vcs;

/**
 * Open the mirror `<work_dir>/repo/<key>`, making it if missing, and hold its lock until
 * vr_vcs_close(). No network yet. A mirror whose last fetch was cut off is made anew.
 *
 * @worker  borrowed; must outlive the mirror
 * @url     borrowed for this call; checked; a #fragment is ignored
 * @out     given; release with vr_vcs_close()
 *
 * Blocks up to VR_VCS_LOCK_MS while another job has it, then -VR_TIMEOUT.
 */
VR_MUST_USE
int vr_vcs_open(struct vr_worker *worker, const char *work_dir, enum vr_vcs_type type,
                const char *url, struct vr_vcs **out, struct vr_err *err);
struct vr_vcs *vr_vcs_close(struct vr_vcs *vcs);
VR_DEFINE_OWNED(struct vr_vcs, vr_vcs_close)

/**
 * The commit of a tag, else branch or bookmark, else (abbreviated) commit; NULL: the default
 * branch. Fetches first, except for a full commit that the mirror has. Blocks.
 *
 * @out_commit  given; 40 hexadecimal digits
 *
 * Returns -VR_NOT_FOUND if the repository has no such revision, -VR_IO with git's reason if it
 * cannot be reached, -VR_TIMEOUT.
 */
VR_MUST_USE
int vr_vcs_resolve(struct vr_vcs *vcs, const char *rev, char **out_commit, struct vr_err *err);

/**
 * Put the tree of a commit into `dir`, which must not exist but its parent must, writable to the
 * build user. With submodules, without .git or .hg: history is no part of an app at run time, and
 * leaving it out makes the same commit the same bytes. Fetches only if the mirror lacks the commit.
 */
VR_MUST_USE
int vr_vcs_checkout(struct vr_vcs *vcs, const char *commit, const char *dir, struct vr_err *err);

#endif
