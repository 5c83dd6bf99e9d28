/* SPDX-License-Identifier: MIT */
/* What goes of a folder that is bounded: by budget, size and age, by owner, by room on the disk. */
#ifndef VR_AGENT_BOUNDS_H
#define VR_AGENT_BOUNDS_H

#include "core/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define VR_BOUNDS_FOLDERS_MAX 4096
#define VR_BOUNDS_LOW_PERCENT 80 /* of a budget: where it stops once it is passed */

struct vr_folder {
    char *path;
    int64_t bytes;
    int64_t used_s; /* when its owner wrote to it last */
};

/** Folders of one kind, measured; `(struct vr_folders){0}` has none. */
struct vr_folders {
    struct vr_folder *v;
    size_t n;
    int64_t bytes; /* of all */
};

/** @path copied. More than VR_BOUNDS_FOLDERS_MAX are left for another time. */
void vr_folders_add(struct vr_folders *f, const char *path, int64_t bytes, int64_t used_s);
void vr_folders_fini(struct vr_folders *f);

struct vr_bound {
    int64_t budget_bytes; /* of all: the oldest go */
    int64_t one_bytes;    /* of one; 0: no limit of its own */
    int64_t age_secs;     /* since it was used; 0: none */
};

/** Remove it, unless it is needed; whether it is gone. */
typedef bool vr_bounds_remove_fn(void *arg, const char *path);

/**
 * Remove, oldest first, what is too old or too big, and what is over the budget. What `remove`
 * keeps counts for the budget all the same.
 * @out_freed  bytes
 * Gives the number of folders that are gone.
 */
int64_t vr_folders_bound(struct vr_folders *f, const struct vr_bound *bound, int64_t now_s,
                         vr_bounds_remove_fn *remove, void *arg, int64_t *out_freed);

/**
 * Hand every entry of a folder that was not written to for `age_secs` to `remove`, which knows
 * whose it is. A folder that cannot be read has none. Gives the number of those that are gone.
 */
int64_t vr_bounds_strays(const char *parent, int64_t now_s, int64_t age_secs,
                         vr_bounds_remove_fn *remove, void *arg);

/**
 * See that a disk has room: if less than `min_free` bytes are free, `make_room` is called once.
 * Returns -VR_LIMIT with both figures if that was not enough. A disk that cannot be measured has
 * room.
 */
VR_MUST_USE
int vr_bounds_room(const char *folder, int64_t min_free, void (*make_room)(void *arg), void *arg,
                   struct vr_err *err);

#endif
