/* SPDX-License-Identifier: MIT */
/* Slugs: a built tree as one squashfs file, the same tree always the same bytes. */
#ifndef VR_BUILD_SLUG_H
#define VR_BUILD_SLUG_H

#include "build/worker.h"

#define VR_SLUG_NAME "slug.squashfs"

struct vr_slug {
    char *path; /* given; `<out_dir>/slug.squashfs` */
    char md5[33];
    char sha256[65];
    int64_t size_bytes;
};

void vr_slug_fini(struct vr_slug *slug);

/**
 * Pack the folder `tree`, whose only entry is `app`, into out_dir, replacing an older slug.
 *
 * Returns -VR_LIMIT "disk full while packing slug of app 'x'"; on any failure out_dir is as before.
 */
VR_MUST_USE
int vr_slug_pack(struct vr_worker *worker, const char *app, const char *tree, const char *out_dir,
                 struct vr_slug *out, struct vr_err *err);

#endif
