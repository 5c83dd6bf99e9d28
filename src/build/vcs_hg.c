/* SPDX-License-Identifier: MIT */
/*
 * Mercurial.
 *
 * A revision is handed over as a quoted string of the revset language, in which nothing of the
 * allowed alphabet has a meaning; a bare number would be a local revision number, which differs
 * between clones, so numbers are looked up as beginnings of commit ids only.
 */
#include "build/vcs_driver.h"
#include "core/str.h"

#include <stdio.h>

#define DIGITS "0123456789"

static int hg_init(struct vr_vcs *vcs, struct vr_err *err)
{
    const char *argv[] = {"hg", "init", "--", vcs->dir, NULL};

    return vr_vcs_command(vcs, "hg init", argv, NULL, 0, NULL, err);
}

static int hg_fetch(struct vr_vcs *vcs, struct vr_err *err)
{
    const char *argv[] = {"hg", "--noninteractive", "pull", "--quiet", "--", vcs->url, NULL};

    return vr_vcs_command(vcs, "hg pull", argv, NULL, VR_VCS_FETCH_MS, NULL, err);
}

static int hg_fetch_commit(struct vr_vcs *vcs, const char *commit, struct vr_err *err)
{
    const char *argv[] = {"hg", "pull", "--quiet", "--rev", commit, "--", vcs->url, NULL};

    return vr_vcs_command(vcs, "hg pull", argv, NULL, VR_VCS_FETCH_MS, NULL, err);
}

static char *revset_of(const char *rev)
{
    if (!rev)
        return vr_strdup("tip");
    if (vr_str_is_made_of(rev, DIGITS, 1, VR_VCS_REV_MAX))
        return vr_strf("id(\"%s\")", rev);
    return vr_strf("\"%s\"", rev);
}

static int hg_find(struct vr_vcs *vcs, const char *rev, char **out_commit, struct vr_err *err)
{
    vr_auto_free char *revset = revset_of(rev);
    const char *argv[] = {"hg", "log",   "--template", "{node}", "--limit",
                          "1",  "--rev", revset,       NULL};
    struct vr_err why = VR_ERR_NULL;
    vr_auto_free char *out = NULL;
    int r = vr_vcs_command(vcs, "hg log", argv, NULL, 0, &out, &why);

    if (r == -VR_IO && (strstr(why.msg, "unknown revision") || strstr(why.msg, "ambiguous")))
        return vr_fail(err, VR_NOT_FOUND, "%s", why.msg);
    if (r < 0)
        return vr_fail(err, why.code, "%s", why.msg);
    /* The tip of an empty repository is all zeroes; an id() without a match prints nothing. */
    if (!vr_vcs_is_commit(out) || strspn(out, "0") == strlen(out))
        return vr_fail(err, VR_NOT_FOUND, "no revision '%s'", rev ? rev : "tip");
    *out_commit = vr_take(out);
    return 0;
}

static int hg_checkout(struct vr_vcs *vcs, const char *commit, const char *dir, struct vr_err *err)
{
    const char *argv[] = {"hg",     "archive", "--quiet", "--config", "ui.archivemeta=False",
                          "--type", "files",   "--rev",   commit,     "--",
                          dir,      NULL};

    return vr_vcs_command(vcs, "hg archive", argv, NULL, 0, NULL, err);
}

const struct vr_vcs_driver vr_vcs_hg = {
    .init = hg_init,
    .fetch = hg_fetch,
    .fetch_commit = hg_fetch_commit,
    .find = hg_find,
    .checkout = hg_checkout,
};
