/* SPDX-License-Identifier: MIT */
/*
 * The temporary folders of a job.
 *
 * A lock file beside the folder is held as long as the job lives, so a folder whose lock nobody
 * holds belongs to a job that was killed. Each job begins by removing those: there is no list to
 * keep and no cleaner to run.
 */
#include "build/scratch.h"
#include "build/cage.h"
#include "core/clock.h"
#include "core/str.h"
#include "sys/fs.h"

#include <dirent.h>
#include <poll.h>
#include <sys/stat.h>

#define ID_RANDOM_BYTES 8
#define LOCK_SUFFIX     ".lock"
#define ENV_FOLDER      "builds"
#define START_MS        INT64_C(60000)
#define START_POLL_MS   20

static void remove_remains(const char *tmp, const char *run_dir, const char *id)
{
    vr_auto_free char *dir = vr_strf("%s/%s", tmp, id);
    vr_auto_free char *env = vr_strf("%s/" ENV_FOLDER "/%s", run_dir, id);
    vr_auto_free char *lock = vr_strf("%s/%s" LOCK_SUFFIX, tmp, id);

    if (vr_fs_lock_owner(lock))
        return;
    vr_cage_sweep(id);
    if (vr_fs_remove_tree(env, NULL) < 0 || vr_fs_remove_tree(dir, NULL) < 0)
        return; /* the lock file stays, so the next job tries again */
    vr_ignore(unlink(lock), "the next job tries again");
}

static void sweep(const char *tmp, const char *run_dir)
{
    DIR *dir = opendir(tmp);
    struct dirent *e;

    while (dir && (e = readdir(dir))) {
        vr_auto_free char *id = NULL;

        if (!vr_str_has_suffix(e->d_name, LOCK_SUFFIX))
            continue;
        id = vr_strndup(e->d_name, strlen(e->d_name) - strlen(LOCK_SUFFIX));
        remove_remains(tmp, run_dir, id);
    }
    if (dir)
        closedir(dir);
}

/*
 * A lock file is young for a moment, made but not locked yet, and then looks like one left behind.
 * So sweeping and making happen under one lock, for which jobs wait here.
 */
static int lock_start(const char *work_dir, struct vr_err *err)
{
    struct vr_mono end = vr_mono_add_ms(vr_mono_now(), START_MS);
    vr_auto_free char *locks = vr_strf("%s/locks", work_dir);
    vr_auto_free char *path = vr_strf("%s/start", locks);
    int r = vr_fs_mkdir_p(locks, 0700, err);

    if (r < 0)
        return r;
    while ((r = vr_fs_lock(path, err)) == -VR_BUSY && vr_mono_ms_between(vr_mono_now(), end))
        poll(NULL, 0, START_POLL_MS);
    return r;
}

int vr_scratch_init(struct vr_scratch *out, const char *work_dir, const char *run_dir,
                    const char *app, struct vr_err *err)
{
    vr_auto_free char *tmp = vr_strf("%s/tmp", work_dir);
    vr_auto_free char *random = vr_random_hex(ID_RANDOM_BYTES);
    struct vr_scratch s = VR_SCRATCH_NULL;
    vr_auto_close int start = -1;
    int r;

    r = vr_fs_mkdir_p(work_dir, 0755, err);
    if (!r)
        r = vr_fs_mkdir_p(tmp, 0711, err);
    if (!r)
        r = start = lock_start(work_dir, err);
    if (r < 0)
        return r;
    sweep(tmp, run_dir);
    s.id = vr_strf("%s-%s", app, random);
    s.dir = vr_strf("%s/%s", tmp, s.id);
    s.env = vr_strf("%s/" ENV_FOLDER "/%s", run_dir, s.id);
    s.lock = vr_strf("%s" LOCK_SUFFIX, s.dir);
    r = s.lock_fd = vr_fs_lock(s.lock, err);
    if (r >= 0)
        r = vr_fs_mkdir_p(s.dir, 0711, err);
    if (r < 0) {
        vr_scratch_fini(&s);
        return vr_fail_in(err, r, "temporary folder of app '%s'", app);
    }
    *out = s;
    return 0;
}

void vr_scratch_fini(struct vr_scratch *scratch)
{
    if (scratch->lock_fd >= 0 && vr_fs_remove_tree(scratch->env, NULL) == 0 &&
        vr_fs_remove_tree(scratch->dir, NULL) == 0)
        vr_ignore(unlink(scratch->lock), "the next job tries again");
    vr_fd_close(scratch->lock_fd);
    free(scratch->id);
    free(scratch->dir);
    free(scratch->env);
    free(scratch->lock);
    *scratch = VR_SCRATCH_NULL;
}

char *vr_scratch_path(const struct vr_scratch *scratch, const char *name)
{
    return vr_strf("%s/%s", scratch->dir, name);
}

int vr_scratch_mkdir(const struct vr_scratch *scratch, const char *name, uid_t uid, gid_t gid,
                     struct vr_err *err)
{
    vr_auto_free char *path = vr_scratch_path(scratch, name);

    if (mkdir(path, 0755) < 0 || chown(path, uid, gid) < 0)
        return vr_fail_sys(err, "make %s", path);
    return 0;
}
