/* SPDX-License-Identifier: MIT */
/* Changes of many objects of a noun in one transaction. */
#include "server/api/noun.h"

static int patch_one(struct vr_write *w, const struct vr_noun *noun, const json_t *object,
                     struct vr_err *err)
{
    const json_t *uri = json_object_get(object, "resource_uri");
    vr_auto_free char *key = NULL;
    int r;

    if (!json_is_object(object))
        return vr_fail(err, VR_INVALID, "it is not an object");
    if (!uri)
        return vr_noun_write(w, noun, VR_NOUN_CREATE, NULL, object, err);
    if (!json_is_string(uri))
        return vr_fail(err, VR_INVALID, "its resource_uri is not a text");
    r = vr_resource_parse_uri(noun->resource, json_string_value(uri), &key, err);
    return r < 0 ? r : vr_noun_write(w, noun, VR_NOUN_PATCH, key, object, err);
}

static int delete_one(struct vr_write *w, const struct vr_noun *noun, const json_t *uri,
                      struct vr_err *err)
{
    vr_auto_free char *key = NULL;
    int r;

    if (!json_is_string(uri))
        return vr_fail(err, VR_INVALID, "it is not a URI");
    r = vr_resource_parse_uri(noun->resource, json_string_value(uri), &key, err);
    return r < 0 ? r : vr_noun_write(w, noun, VR_NOUN_DELETE, key, NULL, err);
}

/* Run `one` for each of a list of the body; an answer of 400 and more is the answer to all. */
static int for_each(struct vr_write *w, const struct vr_noun *noun, const char *name,
                    int (*one)(struct vr_write *, const struct vr_noun *, const json_t *,
                               struct vr_err *),
                    struct vr_err *err)
{
    const json_t *list = json_object_get(w->call->body, name);
    const json_t *value;
    size_t i;

    if (!list)
        return 0;
    w->field = name;
    if (!json_is_array(list))
        return vr_fail(err, VR_INVALID, "field '%s' is not a list", name);
    if (json_array_size(list) > VR_NOUN_LIST_MAX)
        return vr_fail(err, VR_INVALID, "field '%s' has more than %d elements", name,
                       VR_NOUN_LIST_MAX);
    json_array_foreach (list, i, value) {
        int r;

        vr_buf_clear(&w->changes);
        w->field = NULL;
        r = one(w, noun, value, err);
        if (r < 0 && !w->field)
            w->field = name;
        if (r < 0)
            return vr_fail_in(err, r, "%s[%zu]", name, i);
        if (w->status >= 400)
            return 0;
    }
    w->field = NULL;
    return 0;
}

static int patch_all(struct vr_write *w, struct vr_err *err)
{
    const struct vr_noun *noun = w->arg;
    const json_t *body = w->call->body;
    int r;

    if (!json_object_get(body, "objects") && !json_object_get(body, "deleted_objects"))
        return vr_write_missing(w, "objects", err);
    r = for_each(w, noun, "objects", patch_one, err);
    if (r == 0 && w->status < 400)
        r = for_each(w, noun, "deleted_objects", delete_one, err);
    if (r < 0 || w->status >= 400)
        return r;
    return vr_write_answer(w, 202, NULL, NULL);
}

int vr_noun_patch_list(struct vr_call *call, const struct vr_noun *noun, struct vr_err *err)
{
    return vr_write_run(call, patch_all, noun, err);
}
