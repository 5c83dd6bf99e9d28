/* SPDX-License-Identifier: MIT */
/* What goes of a folder that is bounded. */
#include "agent/bounds.h"

#include "core/str.h"
#include "sys/fs.h"

#include <dirent.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

/* ------------------------------------------------------------------ budgets */

void vr_folders_add(struct vr_folders *f, const char *path, int64_t bytes, int64_t used_s)
{
    if (f->n == VR_BOUNDS_FOLDERS_MAX)
        return;
    f->v = vr_realloc_array(f->v, f->n + 1, sizeof(*f->v));
    f->v[f->n++] = (struct vr_folder){vr_strdup(path), bytes, used_s};
    f->bytes += bytes;
}

void vr_folders_fini(struct vr_folders *f)
{
    for (size_t i = 0; i < f->n; i++)
        free(f->v[i].path);
    free(f->v);
    *f = (struct vr_folders){0};
}

static int oldest_first(const void *a, const void *b)
{
    const struct vr_folder *x = a, *y = b;

    return x->used_s < y->used_s ? -1 : x->used_s > y->used_s ? 1 : 0;
}

int64_t vr_folders_bound(struct vr_folders *f, const struct vr_bound *bound, int64_t now_s,
                         vr_bounds_remove_fn *remove, void *arg, int64_t *out_freed)
{
    bool over = f->bytes > bound->budget_bytes;
    int64_t low = bound->budget_bytes / 100 * VR_BOUNDS_LOW_PERCENT;
    int64_t count = 0;

    *out_freed = 0;
    if (f->n)
        qsort(f->v, f->n, sizeof(*f->v), oldest_first);
    for (size_t i = 0; i < f->n; i++) {
        const struct vr_folder *one = &f->v[i];
        bool goes = (bound->age_secs && one->used_s < now_s - bound->age_secs) ||
                    (bound->one_bytes && one->bytes > bound->one_bytes) ||
                    (over && f->bytes - *out_freed > low);

        if (!goes || !remove(arg, one->path))
            continue;
        count++;
        *out_freed += one->bytes;
    }
    return count;
}

/* ------------------------------------------------------------------ strays */

int64_t vr_bounds_strays(const char *parent, int64_t now_s, int64_t age_secs,
                         vr_bounds_remove_fn *remove, void *arg)
{
    DIR *dir = opendir(parent);
    struct dirent *e;
    int64_t count = 0;

    while (dir && (e = readdir(dir))) {
        vr_auto_free char *path = vr_strf("%s/%s", parent, e->d_name);
        struct stat st;

        if (vr_streq(e->d_name, ".") || vr_streq(e->d_name, ".."))
            continue;
        if (lstat(path, &st) == 0 && st.st_mtime < now_s - age_secs)
            count += remove(arg, path);
    }
    if (dir)
        closedir(dir);
    return count;
}

/* ------------------------------------------------------------------ room */

int vr_bounds_room(const char *folder, int64_t min_free, void (*make_room)(void *arg), void *arg,
                   struct vr_err *err)
{
    int64_t free_bytes = 0;

    if (vr_fs_free_bytes(folder, &free_bytes, NULL) < 0 || free_bytes >= min_free)
        return 0;
    make_room(arg);
    if (vr_fs_free_bytes(folder, &free_bytes, NULL) < 0 || free_bytes >= min_free)
        return 0;
    return vr_fail(err, VR_LIMIT,
                   "the disk of '%.100s' has %" PRId64 " MiB free, of which %" PRId64
                   " MiB are to stay free",
                   folder, free_bytes >> 20, min_free >> 20);
}
