/* SPDX-License-Identifier: MIT */
/*
 * Versions of objects through the API.
 *
 * Restoring is a change like any other: the noun's own replace, or create if the object is gone,
 * with what the version has as body. So the same is checked, the same is refused and the same is
 * written down; what cannot be restored any more leaves nothing behind.
 */
#include "server/api/noun_history.h"

#include "server/api/page.h"
#include "server/api/version.h"

#include <inttypes.h>

#define LIST_LIMIT     20  /* versions of a page that names no limit */
#define LIST_LIMIT_MAX 100 /* each is compared with the one before */

/* ------------------------------------------------------------------ finding */

static int parse_id(const char *text, int64_t *out, struct vr_err *err)
{
    if (vr_parse_i64(vr_str(text), 1, INT64_MAX, out, NULL) < 0)
        return vr_fail(err, VR_NOT_FOUND, "version '%s' does not exist", text);
    return 0;
}

/* The object of a key, also if it is deleted and only its versions are left. */
static int find_object(struct vr_tx *tx, const struct vr_noun *noun, const char *key,
                       int64_t *out_id, struct vr_err *err)
{
    vr_auto_free void *row = vr_alloc(noun->row_bytes);
    VR_ROW(version) version = {0};
    int64_t id = 0;
    int r = noun->find(tx, key, row, err);

    if (r == 0)
        *out_id = *(const int64_t *)((const char *)row + noun->id_offset);
    noun->fini(row);
    if (r != -VR_NOT_FOUND)
        return r;
    if (noun->is_keyed_by_name)
        r = vr_store_version_newest_named(tx, noun->resource, key, &version, NULL);
    else if (vr_parse_i64(vr_str(key), 1, INT64_MAX, &id, NULL) == 0)
        r = vr_store_version_newest(tx, noun->resource, id, &version, NULL);
    if (r == 0)
        *out_id = version.object_id;
    return r; /* the sentence in `err` is that of the object */
}

/* A version of this noun. @object_id  0: of any object */
static int find_version(struct vr_tx *tx, const struct vr_noun *noun, int64_t object_id,
                        const char *text, struct vr_version_row *out, struct vr_err *err)
{
    int64_t id;
    int r = parse_id(text, &id, err);

    if (r == 0)
        r = vr_store_version_find_id(tx, id, out, err);
    if (r == 0 && (!vr_streq(out->resource, vr_resource_name(noun->resource)) ||
                   (object_id && out->object_id != object_id)))
        return vr_fail(err, VR_NOT_FOUND, "version %" PRId64 " is not one of this %s", id,
                       noun->title);
    return r;
}

static int parse_data(const struct vr_version_row *version, json_t **out, struct vr_err *err)
{
    int r = vr_json_parse_object(vr_str(version->data_json), VR_JSON_BYTES, out, err);

    return r < 0 ? vr_fail_in(err, r, "version %" PRId64, version->id) : 0;
}

/* ------------------------------------------------------------------ showing */

static json_t *head_of(const struct vr_version_row *version)
{
    char time[VR_WALL_TEXT_BYTES];

    vr_wall_format((struct vr_wall){version->time_us}, false, time);
    return json_pack(
        "{s:I, s:s, s:I, s:s, s:I, s:s, s:o, s:o, s:s, s:s}", "id", (json_int_t)version->id,
        "resource", version->resource, "object_id", (json_int_t)version->object_id, "object_name",
        version->object_name, "row_version", (json_int_t)version->row_version, "action",
        version->action, "user",
        vr_json_str_or_null(vr_str_is_empty(version->username) ? NULL : version->username),
        "user_id", version->user_id ? json_integer(version->user_id) : json_null(), "time", time,
        "comment", version->comment);
}

/* @before  NULL: there is none */
static int add_changes(json_t *out, const struct vr_noun *noun, const struct vr_version_row *before,
                       const struct vr_version_row *version, struct vr_err *err)
{
    vr_auto_json json_t *old = NULL;
    vr_auto_json json_t *now = NULL;
    int r = before ? parse_data(before, &old, err) : 0;

    if (r == 0)
        r = parse_data(version, &now, err);
    if (r == 0) /* the first says what it was, not what it became */
        vr_json_set(out, "changes",
                    before || vr_streq(version->action, "create")
                        ? vr_version_changes(noun, old, now)
                        : json_array());
    return r;
}

static int read_page(const struct vr_call *call, struct vr_page *out, struct vr_err *err)
{
    const struct vr_query *query = vr_http_req_query(call->req);
    int r = vr_page_read(query, out, err);

    if (r == 0 && vr_str_is_empty(vr_query_find(query, "limit")))
        out->limit = LIST_LIMIT;
    if (r == 0 && out->limit > LIST_LIMIT_MAX)
        out->limit = LIST_LIMIT_MAX;
    return r;
}

int vr_noun_versions(struct vr_call *call, const struct vr_noun *noun, struct vr_err *err)
{
    VR_OWNED(vr_tx_free) struct vr_tx *tx = NULL;
    VR_ROWS(version) rows = {0};
    vr_auto_json json_t *objects = json_array();
    struct vr_page page;
    int64_t id = 0, count = 0;
    int r = read_page(call, &page, err);

    if (r == 0)
        r = vr_store_begin(call->server->store, VR_DB_READ, &tx, err);
    if (r == 0)
        r = find_object(tx, noun, call->args[0], &id, err);
    if (r == 0)
        r = vr_store_version_count(tx, noun->resource, id, &count, err);
    if (r == 0) /* one more: what the last of the page is compared with */
        r = vr_store_version_list(tx, noun->resource, id, page.limit + 1, page.offset, &rows, err);
    for (size_t i = 0; r == 0 && i < rows.n && (int64_t)i < page.limit; i++) {
        json_t *object = head_of(&rows.v[i]);

        vr_json_push(objects, object);
        r = add_changes(object, noun, i + 1 < rows.n ? &rows.v[i + 1] : NULL, &rows.v[i], err);
    }
    if (r < 0)
        return r;
    vr_reply_json(call, 200,
                  json_pack("{s:o, s:O}", "meta",
                            vr_page_meta(&page, vr_http_req_path(call->req),
                                         vr_http_req_query(call->req), count),
                            "objects", objects));
    return 0;
}

/* What the object is now, as if it were a version. */
static int find_current(struct vr_tx *tx, const struct vr_noun *noun, const char *key,
                        struct vr_version_row *out, struct vr_err *err)
{
    vr_auto_free void *row = vr_alloc(noun->row_bytes);
    vr_auto_json json_t *data = NULL;
    int r = noun->find(tx, key, row, err);

    if (r == 0)
        r = vr_version_data(tx, noun, row, &data, err);
    noun->fini(row);
    if (r == 0)
        out->data_json = vr_json_dump_sorted(data);
    return r;
}

int vr_noun_version(struct vr_call *call, const struct vr_noun *noun, struct vr_err *err)
{
    const char *against = vr_query_find(vr_http_req_query(call->req), "against");
    VR_OWNED(vr_tx_free) struct vr_tx *tx = NULL;
    VR_ROW(version) version = {0};
    VR_ROW(version) other = {0};
    vr_auto_json json_t *out = NULL;
    vr_auto_json json_t *data = NULL;
    int64_t id = 0;
    int r = vr_store_begin(call->server->store, VR_DB_READ, &tx, err);

    if (r == 0)
        r = find_object(tx, noun, call->args[0], &id, err);
    if (r == 0)
        r = find_version(tx, noun, id, call->args[1], &version, err);
    if (r < 0)
        return r;
    if (vr_streq(against, "current"))
        r = find_current(tx, noun, call->args[0], &other, err);
    else if (!vr_str_is_empty(against))
        r = find_version(tx, noun, id, against, &other, err);
    else if (vr_store_version_before(tx, &version, &other, err) < 0)
        r = 0; /* it is the first */
    if (r == 0)
        r = parse_data(&version, &data, err);
    if (r < 0)
        return r;
    out = head_of(&version);
    vr_json_set(out, "state", vr_version_shown(noun, data));
    r = add_changes(out, noun, other.data_json ? &other : NULL, &version, err);
    if (r == 0)
        vr_reply_json(call, 200, json_incref(out));
    return r;
}

/* {"time", "user"} of a version; given. */
static json_t *changed_of(const struct vr_version_row *version)
{
    char time[VR_WALL_TEXT_BYTES];

    vr_wall_format((struct vr_wall){version->time_us}, false, time);
    return json_pack(
        "{s:s, s:o}", "time", time, "user",
        vr_json_str_or_null(vr_str_is_empty(version->username) ? NULL : version->username));
}

int vr_noun_add_changed(struct vr_tx *tx, enum vr_resource resource, int64_t id, char **text,
                        struct vr_err *err)
{
    VR_ROW(version) newest = {0};
    vr_auto_json json_t *changed = NULL;
    vr_auto_free char *member = NULL;
    char *longer;
    int r = vr_store_version_newest(tx, resource, id, &newest, err);

    if (r < 0 && r != -VR_NOT_FOUND)
        return r;
    changed = r == 0 ? changed_of(&newest) : json_null();
    member = vr_json_dump(changed);
    longer = vr_strf("%.*s,\"changed\":%s}", (int)strlen(*text) - 1, *text, member);
    free(*text);
    *text = longer;
    return 0;
}

/* ------------------------------------------------------------------ restoring */

/* {"id", "name"} to {"id"} of what has the id or, if that is gone, the name. */
static int resolve(struct vr_tx *tx, enum vr_resource resource, json_t *ref, struct vr_err *err)
{
    int64_t id = json_integer_value(json_object_get(ref, "id"));
    const char *name = json_string_value(json_object_get(ref, "name"));
    vr_auto_free char *found = NULL;
    int r;

    if (!json_is_object(ref))
        return 0;
    r = vr_store_version_name(tx, resource, id, &found, err);
    if (r == -VR_NOT_FOUND && name)
        r = vr_store_version_id(tx, resource, name, &id, err);
    if (r == 0) {
        vr_json_set(ref, "id", json_integer(id));
        json_object_del(ref, "name");
    }
    return r;
}

static int resolve_all(struct vr_tx *tx, const struct vr_noun *noun, json_t *data,
                       struct vr_err *err)
{
    int r = 0;

    for (size_t i = 0; r == 0 && i < noun->field_count; i++) {
        const struct vr_noun_field *field = &noun->fields[i];

        if (field->kind == VR_NOUN_REF || field->kind == VR_NOUN_REF_NULL ||
            field->kind == VR_NOUN_OWN_ID)
            r = resolve(tx, field->resource, json_object_get(data, field->json), err);
    }
    for (const struct vr_noun_list *list = noun->lists; r == 0 && list && list->json; list++) {
        json_t *ref;
        size_t i;

        json_array_foreach (json_object_get(data, list->json), i, ref) {
            if (r == 0)
                r = resolve(tx, list->resource, ref, err);
            if (r == 0 && list->item)
                json_array_set_new(json_object_get(data, list->json), i, list->item(ref));
        }
    }
    return r;
}

/* Finds the object of a version by its id; the path may name another, or one that is renamed. */
static int find_row(struct vr_tx *tx, const struct vr_noun *noun, int64_t id, void *row,
                    struct vr_err *err)
{
    vr_auto_free char *key = NULL;
    int r = 0;

    if (noun->is_keyed_by_name)
        r = vr_store_version_name(tx, noun->resource, id, &key, err);
    else
        key = vr_strf("%" PRId64, id);
    return r < 0 ? r : noun->find(tx, key, row, err);
}

/* The request is right: what is wrong is that the version does not fit what there is now. */
static int refuse(struct vr_write *w, int r, struct vr_err *err)
{
    struct vr_err why = *err;

    if (r == -VR_INVALID || r == -VR_PARSE || r == -VR_LIMIT || r == -VR_NOT_FOUND)
        r = -VR_EXISTS;
    if (r != -VR_EXISTS)
        return r;
    r = vr_fail(err, VR_EXISTS, "version %" PRId64 " cannot be restored: %s%s%s", w->restores,
                w->field ? w->field : "", w->field ? ": " : "", why.msg);
    w->field = NULL;
    return r;
}

static int apply(struct vr_write *w, const struct vr_noun *noun, void *row,
                 const struct vr_version_row *version, struct vr_err *err)
{
    vr_auto_json json_t *data = NULL;
    bool is_there;
    int r = find_row(w->tx, noun, version->object_id, row, err);

    if (r < 0 && r != -VR_NOT_FOUND)
        return r;
    is_there = r == 0;
    if (!is_there && vr_http_req_header(w->call->req, "if-match"))
        return r;
    w->is_restore = true;
    w->restores = version->id;
    r = parse_data(version, &data, err);
    if (r == 0)
        r = resolve_all(w->tx, noun, data, err);
    if (r == 0)
        r = is_there ? vr_noun_change_in(w, noun, row, data, 200, err)
                     : vr_noun_create_in(w, noun, row, data, err);
    return r < 0 ? refuse(w, r, err) : 0;
}

/* {"id", "resource_uri", "version", "created", "changes"}; of a plan what it would be. */
static int answer(struct vr_write *w, const struct vr_noun *noun, const void *row,
                  struct vr_err *err)
{
    const char *plan = vr_query_find(vr_http_req_query(w->call->req), "plan");
    int64_t id = *(const int64_t *)((const char *)row + noun->id_offset);
    bool is_plan = vr_streq(plan, "1") || vr_streq(plan, "true");
    bool is_new = w->status == 201;
    vr_auto_free char *key = vr_noun_key(noun, row);
    vr_auto_free char *uri = vr_resource_uri(noun->resource, key);
    vr_auto_json json_t *out =
        json_pack("{s:I, s:s, s:b, s:o}", "id", (json_int_t)id, "resource_uri", uri, "created",
                  is_new, "version", w->version ? json_integer(w->version) : json_null());
    VR_ROW(version) now = {0};
    VR_ROW(version) before = {0};
    int r = w->version ? vr_store_version_find_id(w->tx, w->version, &now, err) : 0;

    if (r == 0 && w->version && !is_new)
        r = vr_store_version_before(w->tx, &now, &before, err);
    if (r == 0 && w->version && !is_new)
        r = add_changes(out, noun, &before, &now, err);
    else if (r == 0)
        vr_json_set(out, "changes", json_array());
    if (r < 0)
        return r;
    w->is_dry = is_plan;
    if (is_plan) {
        json_object_del(out, "version");
        if (is_new)
            vr_json_set(out, "id", json_null());
        return vr_write_answer_json(w, 200, NULL, json_pack("{s:O}", "plan", out));
    }
    return vr_write_answer_json(w, is_new ? 201 : 200, is_new ? vr_take(uri) : NULL,
                                json_incref(out));
}

struct restore {
    const struct vr_noun *noun;
    bool is_keyed; /* the path has a key before the version's id */
};

static int restore_in(struct vr_write *w, struct vr_err *err)
{
    const struct restore *what = w->arg;
    const struct vr_noun *noun = what->noun;
    const char *const *args = w->call->args;
    vr_auto_free void *row = NULL;
    VR_ROW(version) version = {0};
    int64_t id = 0;
    int r = what->is_keyed ? find_object(w->tx, noun, args[0], &id, err) : 0;

    if (r == 0)
        r = find_version(w->tx, noun, id, args[what->is_keyed ? 1 : 0], &version, err);
    if (r < 0)
        return r;
    row = vr_alloc(noun->row_bytes);
    r = apply(w, noun, row, &version, err);
    if (r == 0 && w->status < 400)
        r = answer(w, noun, row, err);
    noun->fini(row);
    return r;
}

int vr_noun_restore(struct vr_call *call, const struct vr_noun *noun, struct vr_err *err)
{
    return vr_write_run(call, restore_in, &(struct restore){noun, true}, err);
}

int vr_noun_revive(struct vr_call *call, const struct vr_noun *noun, struct vr_err *err)
{
    return vr_write_run(call, restore_in, &(struct restore){noun, false}, err);
}
