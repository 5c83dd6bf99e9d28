/* SPDX-License-Identifier: MIT */
/*
 * Caches of buildpacks.
 *
 * A build works on a copy and a successful one moves it into place, so a build that fails or is
 * killed leaves the cache as it was. What comes from a cache is no part of an app's identity: two
 * builds of one app at a time are allowed, and the later one wins.
 */
#include "build/cache.h"
#include "core/str.h"
#include "fmt/hash.h"
#include "sys/fs.h"

#include <errno.h>
#include <stdio.h>
#include <sys/stat.h>

char *vr_cache_key(const char *app, const char *repo_url, const char *buildpack_url,
                   const char *stack)
{
    vr_auto_free char *text = vr_strf("%s\n%s\n%s", repo_url, buildpack_url, stack);
    char md5[VR_MD5_HEX];

    vr_md5_hex(text, strlen(text), md5);
    return vr_strf("%s-%s", app, md5);
}

static int lock_cache(struct vr_worker *worker, const char *work_dir, const char *key,
                      struct vr_err *err)
{
    vr_auto_free char *locks = vr_strf("%s/locks", work_dir);
    vr_auto_free char *path = vr_strf("%s/cache-%s", locks, key);
    int r = vr_fs_mkdir_p(locks, 0700, err);

    return r < 0 ? r : vr_worker_lock(worker, path, "the cache", VR_CACHE_LOCK_MS, err);
}

int vr_cache_load(struct vr_worker *worker, const char *work_dir, const char *key, const char *dir,
                  struct vr_err *err)
{
    vr_auto_free char *cache = vr_strf("%s/cache/%s", work_dir, key);
    vr_auto_close int lock = lock_cache(worker, work_dir, key, err);
    int r = 0;

    if (lock < 0)
        return lock;
    if (vr_fs_exists(cache))
        r = vr_fs_copy_tree(cache, dir, err);
    else
        r = vr_fs_mkdir_p(dir, 0755, err);
    if (!r)
        r = vr_fs_chown_tree(dir, vr_worker_uid(worker), vr_worker_gid(worker), err);
    return r < 0 ? vr_fail_in(err, r, "copy the cache") : 0;
}

int vr_cache_store(struct vr_worker *worker, const char *work_dir, const char *key, const char *dir,
                   const char *old, struct vr_err *err)
{
    vr_auto_free char *caches = vr_strf("%s/cache", work_dir);
    vr_auto_free char *cache = vr_strf("%s/%s", caches, key);
    vr_auto_close int lock = lock_cache(worker, work_dir, key, err);
    int r;

    if (lock < 0)
        return lock;
    r = vr_fs_mkdir_p(caches, 0700, err);
    if (r < 0)
        return r;
    if (rename(cache, old) < 0 && errno != ENOENT)
        return vr_fail_sys(err, "put the old cache %s away", cache);
    if (rename(dir, cache) < 0)
        return vr_fail_sys(err, "keep the cache %s", cache);
    return 0;
}
