/* SPDX-License-Identifier: MIT */
/*
 * What is kept of a change.
 *
 * A version is made from the table of the noun's fields, so a field that can be written has a
 * history without another line of code. References are kept as {"id", "name"}: the id finds the
 * object also when it was renamed, the name says what it was when it is gone. Equal objects give
 * equal texts, which is how a change that changes nothing is known.
 */
#include "server/api/version.h"

#include "fmt/utf8.h"

#include <inttypes.h>

bool vr_version_is_kept(const struct vr_noun *noun)
{
    return noun->update != NULL;
}

static const void *at(const void *row, size_t offset)
{
    return (const char *)row + offset;
}

/* ------------------------------------------------------------------ the data */

static json_t *text_value(const struct vr_noun_field *field, const void *row)
{
    const char *text = *(char *const *)at(row, field->offset);
    json_t *value = NULL;

    if (!text)
        return json_null();
    if (field->form != VR_FORM_JSON)
        return vr_json_text(text, strlen(text));
    return vr_json_parse(vr_str(text), VR_JSON_BYTES, &value, NULL) < 0 ? json_null() : value;
}

static int ref_value(struct vr_tx *tx, enum vr_resource resource, int64_t id, json_t **out,
                     struct vr_err *err)
{
    vr_auto_free char *name = NULL;
    int r = id ? vr_store_version_name(tx, resource, id, &name, err) : 0;

    if (r < 0 && r != -VR_NOT_FOUND)
        return r;
    *out = id ? json_pack("{s:I, s:o}", "id", (json_int_t)id, "name", vr_json_str_or_null(name))
              : json_null();
    return 0;
}

static int field_value(struct vr_tx *tx, const struct vr_noun_field *field, const void *row,
                       json_t **out, struct vr_err *err)
{
    const void *value = at(row, field->offset);

    *out = NULL;
    if (field->show) {
        *out = field->show(row);
        return 0;
    }
    switch (field->kind) {
    case VR_NOUN_NAME:
    case VR_NOUN_OPTION:
    case VR_NOUN_DEFAULT:
    case VR_NOUN_TEXT:
    case VR_NOUN_OWN:
    case VR_NOUN_BESIDE:
        *out = text_value(field, row);
        return 0;
    case VR_NOUN_INT:
        *out = json_integer(*(const int64_t *)value);
        return 0;
    case VR_NOUN_BOOL:
        *out = json_boolean(*(const bool *)value);
        return 0;
    case VR_NOUN_REF:
    case VR_NOUN_REF_NULL:
    case VR_NOUN_OWN_ID:
        return ref_value(tx, field->resource, *(const int64_t *)value, out, err);
    }
    return vr_fail(err, VR_BUG, "field '%s' has no kind", field->json);
}

int vr_version_data(struct vr_tx *tx, const struct vr_noun *noun, const void *row, json_t **out,
                    struct vr_err *err)
{
    vr_auto_json json_t *data = json_object();
    const int64_t *id = at(row, noun->id_offset);

    for (size_t i = 0; i < noun->field_count; i++) {
        json_t *value;
        int r;

        if (noun->fields[i].form == VR_FORM_NEVER)
            continue;
        r = field_value(tx, &noun->fields[i], row, &value, err);
        if (r < 0)
            return r;
        vr_json_set(data, noun->fields[i].json, value);
    }
    for (const struct vr_noun_list *list = noun->lists; list && list->json; list++) {
        json_t *refs;
        int r = list->get(tx, *id, &refs, err);

        if (r < 0)
            return r;
        vr_json_set(data, list->json, refs);
    }
    *out = vr_take(data);
    return 0;
}

static int data_text(struct vr_tx *tx, const struct vr_noun *noun, const void *row, char **out,
                     struct vr_err *err)
{
    vr_auto_json json_t *data = NULL;
    int r = vr_version_data(tx, noun, row, &data, err);

    if (r == 0)
        *out = vr_json_dump_sorted(data);
    return r;
}

/* Also equal: what lacks fields that were added since, as long as they are null. */
static bool says_the_same(const struct vr_noun *noun, const char *a, const char *b)
{
    vr_auto_json json_t *old = NULL;
    vr_auto_json json_t *now = NULL;
    vr_auto_json json_t *changes = NULL;

    if (vr_streq(a, b))
        return true;
    if (vr_json_parse(vr_str(a), VR_JSON_BYTES, &old, NULL) < 0 ||
        vr_json_parse(vr_str(b), VR_JSON_BYTES, &now, NULL) < 0)
        return false;
    changes = vr_version_changes(noun, old, now);
    return json_array_size(changes) == 0;
}

/* ------------------------------------------------------------------ writing */

/* What the user says about the change, or what is said of it otherwise. Given. */
static int read_comment(const struct vr_write *w, const char *action, char **out,
                        struct vr_err *err)
{
    const char *header = vr_http_req_header(w->call->req, "x-comment");
    const char *text = header ? header : vr_query_find(vr_http_req_query(w->call->req), "comment");

    if (text && *text) {
        if (vr_utf8_valid_bytes(vr_str(text)) != strlen(text))
            return vr_fail(err, VR_INVALID, "the comment is not UTF-8");
        if (vr_utf8_count(vr_str(text)) > VR_VERSION_COMMENT_MAX)
            return vr_fail(err, VR_INVALID, "the comment is longer than %d characters",
                           VR_VERSION_COMMENT_MAX);
        *out = vr_strdup(text);
    } else if (w->restores) {
        *out = vr_strf("Restored version %" PRId64 ".", w->restores);
    } else {
        *out = vr_strf("%s from the API.", vr_streq(action, "create")   ? "Created"
                                           : vr_streq(action, "delete") ? "Deleted"
                                                                        : "Updated");
    }
    return 0;
}

static int found(struct vr_write *w, const struct vr_noun *noun, const void *row, char *data,
                 struct vr_err *err)
{
    vr_auto_free char *label = noun->label(row);
    struct vr_version_row version = {.object_id = *(const int64_t *)at(row, noun->id_offset),
                                     .object_name = label,
                                     .action = (char *)"found",
                                     .time_us = w->call->now.us,
                                     .comment = (char *)"As found.",
                                     .data_json = data};
    int64_t id;

    return vr_store_version_insert(w->tx, noun->resource, &version, &id, err);
}

int vr_version_begin(struct vr_write *w, const struct vr_noun *noun, const void *row,
                     char **out_before, struct vr_err *err)
{
    vr_auto_free char *before = NULL;
    VR_ROW(version) newest = {0};
    int r;

    *out_before = NULL;
    if (!vr_version_is_kept(noun))
        return 0;
    r = data_text(w->tx, noun, row, &before, err);
    if (r == 0)
        r = vr_store_version_newest(w->tx, noun->resource,
                                    *(const int64_t *)at(row, noun->id_offset), &newest, err);
    if (r < 0 && r != -VR_NOT_FOUND)
        return r;
    if (r == -VR_NOT_FOUND || !says_the_same(noun, newest.data_json, before)) {
        r = found(w, noun, row, before, err);
        if (r < 0)
            return r;
    }
    *out_before = vr_take(before);
    return 0;
}

int vr_version_end(struct vr_write *w, const struct vr_noun *noun, const void *row,
                   const char *action, const char *before, struct vr_err *err)
{
    bool is_gone = vr_streq(action, "delete");
    vr_auto_free char *data = NULL;
    vr_auto_free char *comment = NULL;
    vr_auto_free char *label = noun->label(row);
    struct vr_version_row version = {.object_id = *(const int64_t *)at(row, noun->id_offset),
                                     .object_name = label,
                                     .action = (char *)(w->restores ? "restore" : action),
                                     .user_id = w->call->who.id,
                                     .username = w->call->who.username,
                                     .time_us = w->call->now.us};
    int r;

    if (!vr_version_is_kept(noun))
        return 0;
    r = read_comment(w, action, &comment, err);
    if (r == 0)
        r = is_gone ? 0 : data_text(w->tx, noun, row, &data, err);
    if (r < 0 || (!is_gone && before && says_the_same(noun, before, data)))
        return r;
    if (is_gone)
        version.row_version = *(const int64_t *)at(row, noun->version_offset);
    version.comment = comment;
    version.data_json = is_gone ? (char *)before : data;
    return vr_store_version_insert(w->tx, noun->resource, &version, &w->version, err);
}
