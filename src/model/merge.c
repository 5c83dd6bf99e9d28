/* SPDX-License-Identifier: MIT */
/* How ingredients, a swarm and a build become one config and one environment. */
#include "model/merge.h"

#include <stdlib.h>

const json_t *vr_merge_normal(const json_t *value)
{
    if (!value || json_is_null(value))
        return NULL;
    if (json_is_object(value) && !json_object_size(value))
        return NULL;
    if (json_is_array(value) && !json_array_size(value))
        return NULL;
    if (json_is_string(value) && !json_string_length(value))
        return NULL;
    return value;
}

const char *vr_merge_normal_text(const char *text)
{
    return vr_str_is_empty(text) ? NULL : text;
}

const char *vr_merge_normal_run_as(const char *run_as)
{
    return vr_str_is_empty(run_as) ? "nobody" : run_as;
}

bool vr_merge_equal(const json_t *a, const json_t *b)
{
    a = vr_merge_normal(a);
    b = vr_merge_normal(b);
    return a == b || (a && b && json_equal(a, b));
}

static void update(json_t *into, const json_t *layer)
{
    const char *key;
    json_t *value;

    json_object_foreach ((json_t *)layer, key, value)
        vr_json_set(into, key, json_incref(value));
}

static int compare_names(const void *a, const void *b)
{
    const struct vr_merge_ingredient *const *x = a, *const *y = b;

    return strcmp((*x)->name, (*y)->name);
}

enum part {
    PART_CONFIG,
    PART_ENV,
};

static json_t *merge(const json_t *base, const struct vr_merge_ingredient *ingredients,
                     size_t count, const json_t *own, enum part part)
{
    vr_auto_free const struct vr_merge_ingredient **sorted =
        vr_alloc_array(count + 1, sizeof(*sorted));
    json_t *merged = json_object();

    for (size_t i = 0; i < count; i++)
        sorted[i] = &ingredients[i];
    qsort(sorted, count, sizeof(*sorted), compare_names);
    update(merged, base);
    for (size_t i = 0; i < count; i++)
        update(merged, part == PART_CONFIG ? sorted[i]->config : sorted[i]->env);
    update(merged, own);
    return merged;
}

json_t *vr_merge_config(const struct vr_merge_ingredient *ingredients, size_t count,
                        const json_t *own)
{
    return merge(NULL, ingredients, count, own, PART_CONFIG);
}

json_t *vr_merge_env(const json_t *build_env, const struct vr_merge_ingredient *ingredients,
                     size_t count, const json_t *own)
{
    return merge(build_env, ingredients, count, own, PART_ENV);
}
