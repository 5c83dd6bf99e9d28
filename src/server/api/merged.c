/* SPDX-License-Identifier: MIT */
/*
 * Where each key of a swarm's config and environment comes from.
 *
 * The layers are those of the merge (model/merge.h), from the one that gives way to the one that
 * wins: the build of the swarm's version, if there is a usable one, the ingredients by name, the
 * swarm itself. A secret shows its mask and who set it.
 */
#include "server/api/merged.h"

#include "model/secret.h"
#include "store/build.h"
#include "store/ingredient.h"

#include <stdlib.h>

struct layer {
    char *by;
    json_t *config, *env; /* plain keys and entries of secrets */
};

struct layers {
    struct layer *v;
    size_t n;
};

static json_t *parsed(const char *text)
{
    json_t *value = NULL;

    if (vr_str_is_empty(text) || vr_json_parse(vr_str(text), VR_JSON_BYTES, &value, NULL) < 0)
        return json_object();
    return value;
}

/* Both dicts in one; no name is in both. */
static json_t *joined(const char *plain_json, const char *secret_json)
{
    json_t *all = parsed(plain_json);
    vr_auto_json json_t *entries = parsed(secret_json);

    json_object_update(all, entries);
    return all;
}

static void layers_fini(struct layers *layers)
{
    for (size_t i = 0; i < layers->n; i++) {
        free(layers->v[i].by);
        json_decref(layers->v[i].config);
        json_decref(layers->v[i].env);
    }
    free(layers->v);
}

static int by_name(const void *a, const void *b)
{
    const struct vr_ingredient_row *x = a, *y = b;

    return strcmp(x->name, y->name);
}

static int add_build(struct vr_tx *tx, const struct vr_swarm_row *swarm, struct layers *layers,
                     struct vr_err *err)
{
    VR_ROW(build) build = {0};
    int r = vr_store_build_find_usable(tx, swarm->app_id, swarm->tag, &build, err);

    if (r == -VR_NOT_FOUND)
        return 0;
    if (r == 0)
        layers->v[layers->n++] =
            (struct layer){vr_strdup("build"), json_object(), parsed(build.env_json)};
    return r;
}

static int load(struct vr_tx *tx, const struct vr_swarm_row *swarm, struct layers *out,
                struct vr_err *err)
{
    VR_ROWS(ingredient) rows = {0};
    int r = vr_store_ingredient_list_of_swarm(tx, swarm->id, &rows, err);

    if (r < 0)
        return r;
    out->v = vr_alloc_array(rows.n + 2, sizeof(*out->v));
    r = add_build(tx, swarm, out, err);
    if (r < 0)
        return r;
    if (rows.n)
        qsort(rows.v, rows.n, sizeof(*rows.v), by_name);
    for (size_t i = 0; i < rows.n; i++)
        out->v[out->n++] =
            (struct layer){vr_strf("ingredient %s", rows.v[i].name),
                           joined(rows.v[i].config_json, rows.v[i].secret_config_json),
                           joined(rows.v[i].env_json, rows.v[i].secret_env_json)};
    out->v[out->n++] =
        (struct layer){vr_strdup("swarm"), joined(swarm->config_json, swarm->secret_config_json),
                       joined(swarm->env_json, swarm->secret_env_json)};
    return 0;
}

/* {"value", "by"}, and of a secret {"set", "by"} beside. */
static json_t *shown(const char *by, json_t *value)
{
    json_t *one = json_pack("{s:s}", "by", by);

    if (!vr_secret_id(value)) {
        vr_json_set(one, "value", json_incref(value));
        return one;
    }
    vr_json_set(one, "value", json_string(VR_SECRET_MASK));
    vr_json_set(one, "secret",
                json_pack("{s:O?, s:O?}", "set", json_object_get(value, "set"), "by",
                          json_object_get(value, "by")));
    return one;
}

/* What wins last; what it goes over is listed with it, the nearest first. */
static void put(json_t *keys, const char *by, const char *key, json_t *value)
{
    json_t *one = shown(by, value), *before = json_object_get(keys, key);
    json_t *overrides = json_array();

    if (before) {
        vr_auto_json json_t *older = json_copy(before);

        json_object_del(older, "overrides");
        json_object_del(older, "key");
        vr_json_push(overrides, json_incref(older));
        json_array_extend(overrides, json_object_get(before, "overrides"));
    }
    vr_json_set(one, "key", json_string(key));
    vr_json_set(one, "overrides", overrides);
    vr_json_set(keys, key, one);
}

static int by_key(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* The values of `keys` in byte order of the keys. */
static json_t *sorted(json_t *keys)
{
    size_t n = 0;
    vr_auto_free const char **names = vr_alloc_array(json_object_size(keys) + 1, sizeof(*names));
    json_t *list = json_array();
    const char *key;
    json_t *value;

    json_object_foreach (keys, key, value)
        names[n++] = key;
    qsort(names, n, sizeof(*names), by_key);
    for (size_t i = 0; i < n; i++)
        vr_json_push(list, json_incref(json_object_get(keys, names[i])));
    return list;
}

static json_t *merge(const struct layers *layers, bool is_env)
{
    vr_auto_json json_t *keys = json_object();

    for (size_t i = 0; i < layers->n; i++) {
        const struct layer *layer = &layers->v[i];
        const char *key;
        json_t *value;

        json_object_foreach (is_env ? layer->env : layer->config, key, value)
            put(keys, layer->by, key, value);
    }
    return sorted(keys);
}

int vr_merged_document(struct vr_tx *tx, const struct vr_swarm_row *swarm, json_t **out,
                       struct vr_err *err)
{
    struct layers layers = {0};
    int r = load(tx, swarm, &layers, err);

    if (r == 0)
        *out =
            json_pack("{s:o, s:o}", "config", merge(&layers, false), "env", merge(&layers, true));
    layers_fini(&layers);
    return r;
}
