/* SPDX-License-Identifier: MIT */
/*
 * git.
 *
 * The mirror is bare and holds the remote's branches and tags under their own names. A tree is
 * made by a clone that shares the mirror's objects, since submodules want a repository; afterwards
 * every `.git` is dropped. Submodules may use local paths only if the app's repository is one:
 * the mirrors of other apps lie on this host, and `.gitmodules` is written by strangers.
 */
#include "build/vcs_driver.h"
#include "core/str.h"
#include "sys/fs.h"

#include <stdio.h>

#define REMOTE_HEAD    "refs/velociraptor/head"
#define REMOTE_SCHEMES "GIT_ALLOW_PROTOCOL=http:https:ssh:git"
#define LOCAL_SCHEMES  REMOTE_SCHEMES ":file"
#define ABBREV_MIN     4

/* With the app's own URL, or inside our mirrors, paths are always fine. */
static const char *const any_scheme[] = {LOCAL_SCHEMES, NULL};

static int git(struct vr_vcs *vcs, const char *name, const char *const *argv, int64_t timeout_ms,
               char **out, struct vr_err *err)
{
    return vr_vcs_command(vcs, name, argv, any_scheme, timeout_ms, out, err);
}

static int git_init(struct vr_vcs *vcs, struct vr_err *err)
{
    const char *argv[] = {"git", "init", "--bare", "--quiet", "--", vcs->dir, NULL};

    return git(vcs, "git init", argv, 0, NULL, err);
}

static int fetch_refs(struct vr_vcs *vcs, const char *const *refspecs, struct vr_err *err)
{
    const char *argv[16] = {
        "git",
        "-c",
        "protocol.ext.allow=never",
        "fetch",
        "--quiet",
        "--force",
        "--prune",
        "--no-tags",
        "--no-write-fetch-head",
        "--no-recurse-submodules",
        "--",
        vcs->url,
    };
    size_t n = 0;

    while (argv[n])
        n++;
    while (*refspecs && n < VR_COUNT(argv) - 1)
        argv[n++] = *refspecs++;
    return git(vcs, "git fetch", argv, VR_VCS_FETCH_MS, NULL, err);
}

static int git_fetch(struct vr_vcs *vcs, struct vr_err *err)
{
    static const char *const names[] = {"+refs/heads/*:refs/heads/*", "+refs/tags/*:refs/tags/*",
                                        NULL};

    return fetch_refs(vcs, names, err);
}

static int git_fetch_commit(struct vr_vcs *vcs, const char *commit, struct vr_err *err)
{
    const char *refspecs[] = {commit, NULL};

    return fetch_refs(vcs, refspecs, err);
}

/* The commit that a name of the mirror leads to, if it does. */
static int parse_rev(struct vr_vcs *vcs, const char *prefix, const char *rev, char **out_commit,
                     struct vr_err *err)
{
    vr_auto_free char *name = vr_strf("%s%s^{commit}", prefix, rev);
    const char *argv[] = {"git", "rev-parse", "--verify", "--quiet", name, NULL};
    vr_auto_free char *out = NULL;
    int r = git(vcs, "git rev-parse", argv, 0, &out, err);

    if (r == -VR_IO) /* --quiet says no by its exit code alone */
        return vr_fail(err, VR_NOT_FOUND, "no '%s%s'", prefix, rev);
    if (r < 0)
        return r;
    out[strcspn(out, "\n")] = '\0';
    if (!vr_vcs_is_commit(out))
        return vr_fail(err, VR_PARSE, "git rev-parse gives '%.60s'", out);
    *out_commit = vr_take(out);
    return 0;
}

/* The remote's HEAD is asked for apart: a repository whose HEAD dangles still has its branches. */
static int find_default(struct vr_vcs *vcs, char **out_commit, struct vr_err *err)
{
    static const char *const head[] = {"+HEAD:" REMOTE_HEAD, NULL};
    int r = fetch_refs(vcs, head, err);

    if (r == -VR_IO)
        return vr_fail(err, VR_NOT_FOUND, "no default branch");
    return r < 0 ? r : parse_rev(vcs, "", REMOTE_HEAD, out_commit, err);
}

static int git_find(struct vr_vcs *vcs, const char *rev, char **out_commit, struct vr_err *err)
{
    int r;

    if (!rev)
        return find_default(vcs, out_commit, err);
    if (vr_vcs_is_commit(rev))
        return parse_rev(vcs, "", rev, out_commit, err);
    r = parse_rev(vcs, "refs/tags/", rev, out_commit, err);
    if (r == -VR_NOT_FOUND)
        r = parse_rev(vcs, "refs/heads/", rev, out_commit, err);
    if (r == -VR_NOT_FOUND && vr_str_is_made_of(rev, "0123456789abcdef", ABBREV_MIN, 40))
        r = parse_rev(vcs, "", rev, out_commit, err);
    return r;
}

static int add_submodules(struct vr_vcs *vcs, const char *dir, struct vr_err *err)
{
    const char *origin[] = {"git", "-C", dir, "remote", "set-url", "origin", "--", vcs->url, NULL};
    const char *update[] = {"git",    "-C",     dir,           "submodule", "--quiet",
                            "update", "--init", "--recursive", NULL};
    const char *env[] = {vcs->is_local ? LOCAL_SCHEMES : REMOTE_SCHEMES, NULL};
    vr_auto_free char *list = vr_strf("%s/.gitmodules", dir);
    int r;

    if (!vr_fs_exists(list))
        return 0;
    /* Relative URLs of submodules are relative to it, not to the mirror. */
    r = git(vcs, "git remote", origin, 0, NULL, err);
    if (r < 0)
        return r;
    vr_worker_say(vcs->worker, "Fetching submodules");
    return vr_vcs_command(vcs, "git submodule", update, env, VR_VCS_FETCH_MS, NULL, err);
}

static int git_checkout(struct vr_vcs *vcs, const char *commit, const char *dir, struct vr_err *err)
{
    const char *clone[] = {"git",       "clone", "--quiet", "--shared", "--no-checkout",
                           "--no-tags", "--",    vcs->dir,  dir,        NULL};
    const char *checkout[] = {"git", "-C", dir, "checkout", "--quiet", "--detach", commit, NULL};
    const char *drop[] = {"find", dir,   "-name", ".git", "-prune", "-exec",
                          "rm",   "-rf", "--",    "{}",   "+",      NULL};
    int r = git(vcs, "git clone", clone, 0, NULL, err);

    if (!r)
        r = git(vcs, "git checkout", checkout, 0, NULL, err);
    if (!r)
        r = add_submodules(vcs, dir, err);
    if (!r)
        r = git(vcs, "drop .git", drop, 0, NULL, err);
    return r;
}

const struct vr_vcs_driver vr_vcs_git = {
    .init = git_init,
    .fetch = git_fetch,
    .fetch_commit = git_fetch_commit,
    .find = git_find,
    .checkout = git_checkout,
};
