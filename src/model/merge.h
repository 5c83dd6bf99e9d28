/* SPDX-License-Identifier: MIT */
/* How ingredients, a swarm and a build become one config and one environment. */
#ifndef VR_MODEL_MERGE_H
#define VR_MODEL_MERGE_H

#include "fmt/json.h"

/** A ConfigIngredient as the merge sees it; all borrowed, the dicts may be NULL or null. */
struct vr_merge_ingredient {
    const char *name;
    const json_t *config;
    const json_t *env;
};

/**
 * {} updated by each ingredient's config in the byte order of their names (whatever order they
 * come in), then by the swarm's own. Shallow: a later key replaces the whole earlier value.
 * Gives a new object, never NULL; its values are shared with the inputs and not to be changed.
 */
json_t *vr_merge_config(const struct vr_merge_ingredient *ingredients, size_t count,
                        const json_t *own);

/** The same for the environment, which starts from the build's (NULL: not built, left out). */
json_t *vr_merge_env(const json_t *build_env, const struct vr_merge_ingredient *ingredients,
                     size_t count, const json_t *own);

/** NULL for NULL, null, {}, [] and "", else the value itself: what comparing and hashing use. */
const json_t *vr_merge_normal(const json_t *value);

/** NULL for NULL and "", else the text: memory limits, pools. */
const char *vr_merge_normal_text(const char *text);

/** "nobody" for NULL and "". */
const char *vr_merge_normal_run_as(const char *run_as);

/** Equal as dict or list values, with null equal to empty. */
bool vr_merge_equal(const json_t *a, const json_t *b);

#endif
