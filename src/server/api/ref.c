/* SPDX-License-Identifier: MIT */
/* References to other objects in the body of a request. */
#include "server/api/ref.h"

#include "core/clock.h"
#include "fmt/uri.h"

#include <inttypes.h>

#define REF_COUNT_MAX 1000 /* of one array */

static int wrong(enum vr_resource resource, const json_t *value, struct vr_err *err)
{
    vr_auto_free char *text = value ? json_dumps(value, JSON_ENCODE_ANY | JSON_COMPACT) : NULL;

    return vr_fail(err, VR_INVALID, "%.100s is no reference to one of %s: give its resource_uri",
                   text ? text : "null", vr_resource_name(resource));
}

static int parse_field(const json_t *value, const char *name, struct vr_ref *out)
{
    const json_t *field = json_object_get(value, name);

    if (json_is_integer(field))
        out->key = vr_strf("%" JSON_INTEGER_FORMAT, json_integer_value(field));
    else if (json_is_string(field))
        out->key = vr_strdup(json_string_value(field));
    else
        return 0;
    out->by = name;
    return 1;
}

int vr_ref_parse(enum vr_resource resource, const json_t *value, struct vr_ref *out,
                 struct vr_err *err)
{
    const json_t *uri = json_is_object(value) ? json_object_get(value, "resource_uri") : value;

    *out = (struct vr_ref){0};
    if (json_is_string(uri)) {
        if (vr_resource_parse_uri(resource, json_string_value(uri), &out->key, NULL) == 0)
            return 0;
        return wrong(resource, uri, err);
    }
    if (parse_field(value, "id", out) || parse_field(value, "name", out))
        return 0;
    return wrong(resource, value, err);
}

/* The objects in which a field has a value: a list of at most one. */
static int list_by_field(struct vr_tx *tx, enum vr_resource resource, const struct vr_ref *ref,
                         char **out, struct vr_err *err)
{
    vr_auto_free char *encoded = vr_uri_encode(ref->key);
    vr_auto_free char *text = vr_strf("%s=%s&fields=id,%s", ref->by, encoded, ref->by);
    VR_OWNED(vr_query_free) struct vr_query *query = NULL;
    vr_auto_list struct vr_list list = {0};
    int r = vr_query_parse(vr_str(text), &query, err);

    if (r == 0)
        r = vr_store_list(tx,
                          &(struct vr_list_spec){.resource = resource, .query = query, .limit = 1},
                          &list, err);
    if (r < 0)
        return r;
    if (!*ref->key || list.count == 0)
        return vr_fail(err, VR_NOT_FOUND, "there is none");
    *out = vr_take(list.objects);
    return 0;
}

int vr_ref_find(struct vr_tx *tx, enum vr_resource resource, const json_t *value, int64_t *out_id,
                struct vr_err *err)
{
    struct vr_ref ref;
    vr_auto_free char *text = NULL;
    vr_auto_free char *uri = NULL;
    vr_auto_json json_t *found = NULL;
    const json_t *object;
    int r = vr_ref_parse(resource, value, &ref, err);

    if (r < 0)
        return r;
    uri = vr_resource_uri(resource, ref.key);
    if (ref.by)
        r = list_by_field(tx, resource, &ref, &text, err);
    else
        r = vr_store_object(tx, resource, ref.key, "id", (struct vr_wall){0}, &text, err);
    free(ref.key);
    if (r == -VR_NOT_FOUND || r == -VR_INVALID)
        return vr_fail(err, VR_INVALID, "Could not find the provided object via resource URI '%s'.",
                       uri);
    if (r == 0)
        r = vr_json_parse(vr_str(text), VR_JSON_BYTES, &found, err);
    if (r < 0)
        return r;
    object = ref.by ? json_array_get(found, 0) : found;
    if (ref.by && !json_object_get(object, ref.by)) /* then it was no filter either */
        return wrong(resource, value, err);
    return vr_json_get_i64(object, "id", 1, INT64_MAX, out_id, err);
}

int vr_ref_find_all(struct vr_tx *tx, enum vr_resource resource, const json_t *array,
                    int64_t **out_ids, size_t *out_n, struct vr_err *err)
{
    vr_auto_free int64_t *ids = NULL;
    size_t i, n = 0;
    json_t *value;

    if (!json_is_array(array))
        return vr_fail(err, VR_INVALID, "a list of references to %s is needed",
                       vr_resource_name(resource));
    if (json_array_size(array) > REF_COUNT_MAX)
        return vr_fail(err, VR_INVALID, "more than %d references", REF_COUNT_MAX);
    ids = vr_alloc_array(json_array_size(array) + 1, sizeof(*ids));
    json_array_foreach (array, i, value) {
        int r = vr_ref_find(tx, resource, value, &ids[n], err);
        bool seen = false;

        if (r < 0)
            return r;
        for (size_t k = 0; k < n; k++)
            seen = seen || ids[k] == ids[n];
        n += !seen;
    }
    *out_ids = vr_take(ids);
    *out_n = n;
    return 0;
}

int vr_ref_id(const char *noun, const char *key, int64_t *out, struct vr_err *err)
{
    if (vr_parse_i64(vr_str(key), 1, INT64_MAX, out, NULL) < 0)
        return vr_fail(err, VR_NOT_FOUND, "%s '%s' does not exist", noun, key);
    return 0;
}

char *vr_ref_uri(enum vr_resource resource, int64_t id)
{
    vr_auto_free char *key = vr_strf("%" PRId64, id);

    return vr_resource_uri(resource, key);
}
