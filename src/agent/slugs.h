/* SPDX-License-Identifier: MIT */
/* Slugs on this host: fetched once, verified, mounted once, owned by whom a proc runs as. */
#ifndef VR_AGENT_SLUGS_H
#define VR_AGENT_SLUGS_H

#include "agent/agent.h"

#include <jansson.h>
#include <sys/types.h>

struct vr_slugs;

#define VR_SLUG_FETCH_TRIES 3

struct vr_slugs_spec {
    struct vr_agent *agent; /* borrowed: its loop, link and capabilities */
    const char *blob_dir;   /* the store, root's */
    const char *mount_dir;
};

VR_MUST_USE
int vr_slugs_new(const struct vr_slugs_spec *spec, struct vr_slugs **out, struct vr_err *err);
struct vr_slugs *vr_slugs_free(struct vr_slugs *s);

/**
 * The slug is ready at `path`, or it is not: then path is NULL, `step` is "fetch" or "mount" and
 * err says why. All borrowed for the call.
 */
typedef void (*vr_slugs_fn)(void *arg, const char *path, const char *step,
                            const struct vr_err *err);

struct vr_slug_wait;

/**
 * Have a slug ready for a user: on the host, whole, mounted. Waits of the same slug share one
 * download. `fn` is called once, later or before this returns (then *out stays NULL).
 * @out  given until fn was called; vr_slugs_cancel() before that calls it off
 */
void vr_slugs_prepare(struct vr_slugs *s, const char *sha256, uid_t uid, gid_t gid, vr_slugs_fn fn,
                      void *arg, struct vr_slug_wait **out);
void vr_slugs_cancel(struct vr_slug_wait *w);

/** Whether the slug is mounted, so that what runs from it can go on. */
bool vr_slugs_is_mounted(struct vr_slugs *s, const char *sha256);

struct vr_slug_copy;

/** The copy is in the store (err NULL), or why it is not. The copy may be freed in here. */
typedef void (*vr_slug_copied_fn)(void *arg, const struct vr_err *err);

#define VR_SLUG_COPY_TURN_BYTES (8 << 20) /* copied in one turn of the loop */

/**
 * Put a file that this host built into the store, by copy, a piece each turn of the loop.
 * @arg  borrowed until `fn` was called, which is never inside this call
 * Gives the copy; release with vr_slug_copy_free(), which calls it off.
 */
struct vr_slug_copy *vr_slugs_keep(struct vr_slugs *s, const char *file, const char *sha256,
                                   vr_slug_copied_fn fn, void *arg);
struct vr_slug_copy *vr_slug_copy_free(struct vr_slug_copy *c);

struct vr_slugs_limits {
    int64_t
        budget_bytes; /* of the whole store: beyond it unused slugs go, the longest unused first */
    int64_t age_secs; /* unused slugs go when they are older */
};

struct vr_slugs_freed {
    int64_t count, bytes;
    int64_t kept_count, kept_bytes; /* what is left, of that: */
    int64_t needed_count;           /* in `keep`, or waited for */
};

/**
 * Unmount what is neither in `keep` (JSON array of sha256; NULL: nothing happens) nor waited for,
 * and delete of it what is beyond the limits. When a slug was used last is kept as the time of its
 * file, which only the agent sets.
 */
void vr_slugs_collect(struct vr_slugs *s, const json_t *keep, const struct vr_slugs_limits *limits,
                      struct vr_slugs_freed *out);

/** Unmount everything: `vr down`. */
void vr_slugs_unmount_all(struct vr_slugs *s);

#endif
