/* SPDX-License-Identifier: MIT */
/* .slugignore: what of a built tree does not go into the slug. */
#ifndef VR_BUILD_SLUGIGNORE_H
#define VR_BUILD_SLUGIGNORE_H

#include "core/err.h"

#define VR_SLUGIGNORE_BYTES_MAX ((size_t)64 << 10)
#define VR_SLUGIGNORE_LINES_MAX 1000

/** Told about each pattern that is refused. */
typedef void (*vr_slugignore_fn)(void *ctx, const char *message);

/**
 * Delete every match of the globs in `<root>/.slugignore`, one a line, relative to the root; `#`
 * lines and empty ones say nothing. `*` matches neither '/' nor a leading dot. Only what lies
 * strictly inside the root is deleted, links themselves instead of what they point to; an absolute
 * pattern or one with ".." is refused and reported. Nobody may be changing the tree.
 *
 * @refused      may be NULL
 * @out_removed  number of matches deleted; 0 without a .slugignore
 */
VR_MUST_USE
int vr_slugignore_apply(const char *root, vr_slugignore_fn refused, void *ctx, size_t *out_removed,
                        struct vr_err *err);

#endif
