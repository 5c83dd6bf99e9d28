/* SPDX-License-Identifier: MIT */
/*
 * The four ways to change an object, once for all nouns.
 *
 * What a body does not name stays as it is; keys that are not in the table (read-only ones,
 * computed ones, unknown ones) are ignored, so that a client may send back what it got. Only
 * creation insists on the required fields.
 */
#include "server/api/noun.h"

#include "server/api/version.h"

#include <inttypes.h>
#include <string.h>

static void *field_of(const struct vr_noun_field *field, void *row)
{
    return (char *)row + field->offset;
}

static int64_t int_at(const void *row, size_t offset)
{
    int64_t value;

    memcpy(&value, (const char *)row + offset, sizeof(value));
    return value;
}

void vr_noun_set(char **field, const char *value)
{
    char *copy = vr_strdup(value);

    free(*field);
    *field = copy;
}

/* ------------------------------------------------------------------ reading fields */

static int read_name(const struct vr_noun_field *field, char **out, const json_t *value,
                     struct vr_err *err)
{
    const char *text = json_string_value(value);
    int r;

    if (!text && !json_is_null(value))
        return vr_fail(err, VR_INVALID, "field '%s' is not a text", field->json);
    if (field->kind != VR_NOUN_NAME && vr_str_is_empty(text)) {
        vr_noun_set(out, field->fallback);
        return 0;
    }
    r = vr_name_check(field->name, text, err);
    if (r == 0)
        vr_noun_set(out, text);
    return r;
}

static int read_text(const struct vr_noun_field *field, char **out, const json_t *value,
                     struct vr_err *err)
{
    const char *text = json_is_null(value) ? "" : json_string_value(value);

    if (!text)
        return vr_fail(err, VR_INVALID, "field '%s' is not a text", field->json);
    if (strlen(text) > VR_NOUN_TEXT_MAX)
        return vr_fail(err, VR_INVALID, "field '%s' is longer than %d characters", field->json,
                       VR_NOUN_TEXT_MAX);
    vr_noun_set(out, text);
    return 0;
}

static int read_field(struct vr_write *w, const struct vr_noun_field *field, void *row,
                      const json_t *body, const json_t *value, struct vr_err *err)
{
    void *out = field_of(field, row);

    switch (field->kind) {
    case VR_NOUN_BESIDE:
        return 0;
    case VR_NOUN_NAME:
    case VR_NOUN_OPTION:
    case VR_NOUN_DEFAULT:
        return read_name(field, out, value, err);
    case VR_NOUN_TEXT:
        return read_text(field, out, value, err);
    case VR_NOUN_INT:
        return vr_json_get_i64(body, field->json, field->min, field->max, out, err);
    case VR_NOUN_BOOL:
        return vr_json_get_bool(body, field->json, out, err);
    case VR_NOUN_REF_NULL:
        if (json_is_null(value)) {
            *(int64_t *)out = 0;
            return 0;
        }
        return vr_ref_find(w->tx, field->resource, value, out, err);
    case VR_NOUN_REF:
        return vr_ref_find(w->tx, field->resource, value, out, err);
    case VR_NOUN_OWN:
    case VR_NOUN_OWN_ID:
        return field->read(w, row, value, err);
    }
    return vr_fail(err, VR_BUG, "field '%s' has no kind", field->json);
}

/* ------------------------------------------------------------------ what differs */

static bool is_text(const struct vr_noun_field *field)
{
    switch (field->kind) {
    case VR_NOUN_NAME:
    case VR_NOUN_OPTION:
    case VR_NOUN_DEFAULT:
    case VR_NOUN_TEXT:
    case VR_NOUN_OWN:
    case VR_NOUN_BESIDE:
        return true;
    case VR_NOUN_INT:
    case VR_NOUN_BOOL:
    case VR_NOUN_REF:
    case VR_NOUN_REF_NULL:
    case VR_NOUN_OWN_ID:
        return false;
    }
    return false;
}

/* A value as text, to be compared and shown. Given; NULL: null. */
static char *value_text(const struct vr_noun_field *field, void *row)
{
    void *at = field_of(field, row);

    if (is_text(field))
        return vr_strdup(*(char **)at);
    if (field->kind == VR_NOUN_BOOL)
        return vr_strdup(*(bool *)at ? "yes" : "no");
    return vr_strf("%" PRId64, *(int64_t *)at);
}

/* Names and numbers are short and no secrets: they are shown. */
static bool is_shown(const struct vr_noun_field *field)
{
    return field->kind == VR_NOUN_NAME || field->kind == VR_NOUN_OPTION ||
           field->kind == VR_NOUN_DEFAULT || field->kind == VR_NOUN_INT ||
           field->kind == VR_NOUN_BOOL;
}

static void note_change(struct vr_write *w, const struct vr_noun_field *field, const char *old,
                        const char *now)
{
    if (vr_streq(old, now))
        return;
    if (is_shown(field))
        vr_write_note(w, field->json, old ? old : "", now ? now : "");
    else
        vr_write_note(w, field->json, NULL, NULL);
}

int vr_noun_read(struct vr_write *w, const struct vr_noun *noun, void *row, const json_t *body,
                 struct vr_err *err)
{
    for (size_t i = 0; i < noun->field_count; i++) {
        const struct vr_noun_field *field = &noun->fields[i];
        const json_t *value = json_object_get(body, field->json);
        vr_auto_free char *old = NULL;
        vr_auto_free char *now = NULL;
        int r;

        if (!value)
            continue;
        if (field->required && json_is_null(value))
            return vr_write_missing(w, field->json, err);
        old = value_text(field, row);
        w->field = field->json;
        r = read_field(w, field, row, body, value, err);
        if (r < 0)
            return r;
        w->field = NULL;
        now = value_text(field, row);
        note_change(w, field, old, now);
    }
    return 0;
}

static int insist_on_required(struct vr_write *w, const struct vr_noun *noun, const json_t *body,
                              struct vr_err *err)
{
    for (size_t i = 0; i < noun->field_count; i++) {
        const struct vr_noun_field *field = &noun->fields[i];
        const json_t *value = json_object_get(body, field->json);

        if (field->required && (!value || json_is_null(value)))
            return vr_write_missing(w, field->json, err);
    }
    return 0;
}

/* ------------------------------------------------------------------ storing */

char *vr_noun_key(const struct vr_noun *noun, const void *row)
{
    if (noun->is_keyed_by_name)
        return noun->label(row);
    return vr_strf("%" PRId64, int_at(row, noun->id_offset));
}

static int tell(struct vr_write *w, const struct vr_noun *noun, const void *row, const char *action,
                struct vr_err *err)
{
    int64_t id = int_at(row, noun->id_offset);
    vr_auto_free char *label = noun->label(row);
    vr_auto_free char *object = vr_strf("%s %s", noun->title, label);
    vr_auto_free char *key = vr_noun_key(noun, row);
    vr_auto_free char *page = noun->page ? vr_strf("%s%s", noun->page, key) : NULL;
    vr_auto_free char *changes = NULL;

    if (w->restores) {
        changes = vr_strf("version %" PRId64 "%s%s", w->restores, w->changes.len ? ": " : "",
                          vr_buf_text(&w->changes));
        action = "restore";
    }
    return vr_write_tell(w,
                         &(struct vr_told){
                             .action = action,
                             .object = object,
                             .detail = changes,
                             .page = page,
                             .swarm_id = noun->resource == VR_RES_SWARMS ? id : 0,
                             .host_id = noun->resource == VR_RES_HOSTS ? id : 0,
                             .resource = vr_resource_name(noun->resource),
                             .object_id = id,
                             .name = label,
                             .app_id = noun->app_of ? noun->app_of(row) : 0,
                         },
                         err);
}

/* A unique key refused: say which object is in the way, not which index. */
static int name_conflict(const struct vr_noun *noun, const void *row, int r, struct vr_err *err)
{
    vr_auto_free char *label = noun->label(row);

    if (r != -VR_EXISTS)
        return r;
    return vr_fail(err, VR_EXISTS, "%s '%s' exists already", noun->title, label);
}

static int check_app(struct vr_write *w, const struct vr_noun *noun, const void *row,
                     struct vr_err *err)
{
    return noun->app_of ? vr_access_app(w->call, noun->app_of(row), err) : 0;
}

static bool is_outdated(struct vr_write *w, const struct vr_noun *noun, const void *row)
{
    return vr_write_is_outdated(w, noun->resource, int_at(row, noun->id_offset),
                                int_at(row, noun->version_offset));
}

int vr_noun_create_in(struct vr_write *w, const struct vr_noun *noun, void *row, const json_t *body,
                      struct vr_err *err)
{
    vr_auto_free char *key = NULL;
    int64_t id = 0;
    int r = insist_on_required(w, noun, body, err);

    if (r == 0 && noun->preset)
        noun->preset(w, row);
    if (r == 0)
        r = vr_noun_read(w, noun, row, body, err);
    if (r == 0)
        r = check_app(w, noun, row, err);
    if (r == 0 && noun->check)
        r = noun->check(w, row, body, err);
    if (r == 0)
        r = name_conflict(noun, row, noun->insert(w->tx, row, &id, err), err);
    if (r < 0)
        return r;
    memcpy((char *)row + noun->id_offset, &id, sizeof(id));
    if (noun->stored)
        r = noun->stored(w, row, body, err);
    if (r == 0)
        r = vr_version_end(w, noun, row, "create", NULL, err);
    vr_buf_clear(&w->changes); /* all of it is new */
    if (r == 0)
        r = tell(w, noun, row, "create", err);
    if (r < 0)
        return r;
    key = vr_noun_key(noun, row);
    return vr_write_answer(w, 201, vr_resource_uri(noun->resource, key), NULL);
}

int vr_noun_change_in(struct vr_write *w, const struct vr_noun *noun, void *row, const json_t *body,
                      int status, struct vr_err *err)
{
    vr_auto_free char *before = NULL;
    int r = check_app(w, noun, row, err);

    if (r < 0)
        return r;
    if (is_outdated(w, noun, row))
        return 0;
    r = vr_version_begin(w, noun, row, &before, err);
    if (r == 0)
        r = vr_noun_read(w, noun, row, body, err);
    if (r == 0)
        r = check_app(w, noun, row, err);
    if (r == 0 && noun->check)
        r = noun->check(w, row, body, err);
    if (r == 0)
        r = name_conflict(noun, row, noun->update(w->tx, row, err), err);
    if (r == 0 && noun->stored)
        r = noun->stored(w, row, body, err);
    if (r == 0)
        r = vr_version_end(w, noun, row, "update", before, err);
    if (r == 0)
        r = tell(w, noun, row, "change", err);
    return r < 0 ? r : vr_write_answer(w, status, NULL, NULL);
}

/* ------------------------------------------------------------------ handlers */

/* What a change of vr_write_run() needs besides the call: which noun and what to do with it. */
struct noun_write {
    const struct vr_noun *noun;
    enum vr_noun_verb verb;
};

static int replace(struct vr_write *w, const struct vr_noun *noun, void *row, const char *key,
                   const json_t *body, struct vr_err *err)
{
    vr_auto_json json_t *named = NULL;
    int r = noun->find(w->tx, key, row, err);

    if (r == 0)
        return vr_noun_change_in(w, noun, row, body, 204, err);
    if (r != -VR_NOT_FOUND || !noun->is_keyed_by_name)
        return r;
    if (vr_http_req_header(w->call->req, "if-match"))
        return r;
    named = json_copy((json_t *)body);
    if (!json_object_get(named, "name"))
        vr_json_set(named, "name", vr_json_text(key, strlen(key)));
    return vr_noun_create_in(w, noun, row, named, err);
}

static int patch(struct vr_write *w, const struct vr_noun *noun, void *row, const char *key,
                 const json_t *body, struct vr_err *err)
{
    int r = noun->find(w->tx, key, row, err);

    return r < 0 ? r : vr_noun_change_in(w, noun, row, body, 202, err);
}

static int delete (struct vr_write *w, const struct vr_noun *noun, void *row, const char *key,
                   struct vr_err *err)
{
    vr_auto_free char *before = NULL;
    int r = noun->find(w->tx, key, row, err);

    if (r == 0)
        r = check_app(w, noun, row, err);
    if (r < 0)
        return r;
    if (noun->update && is_outdated(w, noun, row))
        return 0;
    r = vr_version_begin(w, noun, row, &before, err);
    if (r == 0 && noun->leaving)
        r = noun->leaving(w, row, err);
    if (r == 0)
        r = noun->remove(w->tx, int_at(row, noun->id_offset), err);
    if (r == 0)
        r = vr_version_end(w, noun, row, "delete", before, err);
    if (r == 0)
        r = tell(w, noun, row, "delete", err);
    return r < 0 ? r : vr_write_answer(w, 204, NULL, NULL);
}

int vr_noun_write(struct vr_write *w, const struct vr_noun *noun, enum vr_noun_verb verb,
                  const char *key, const json_t *body, struct vr_err *err)
{
    vr_auto_free void *row = vr_alloc(noun->row_bytes);
    int r = 0;

    switch (verb) {
    case VR_NOUN_CREATE:
        r = vr_noun_create_in(w, noun, row, body, err);
        break;
    case VR_NOUN_REPLACE:
        r = replace(w, noun, row, key, body, err);
        break;
    case VR_NOUN_PATCH:
        r = patch(w, noun, row, key, body, err);
        break;
    case VR_NOUN_DELETE:
        r = delete (w, noun, row, key, err);
        break;
    }
    noun->fini(row);
    return r;
}

static int run(struct vr_write *w, struct vr_err *err)
{
    const struct noun_write *what = w->arg;

    return vr_noun_write(w, what->noun, what->verb, w->call->args[0], w->call->body, err);
}

int vr_noun_create(struct vr_call *call, const struct vr_noun *noun, struct vr_err *err)
{
    return vr_write_run(call, run, &(struct noun_write){noun, VR_NOUN_CREATE}, err);
}

int vr_noun_replace(struct vr_call *call, const struct vr_noun *noun, struct vr_err *err)
{
    return vr_write_run(call, run, &(struct noun_write){noun, VR_NOUN_REPLACE}, err);
}

int vr_noun_patch(struct vr_call *call, const struct vr_noun *noun, struct vr_err *err)
{
    return vr_write_run(call, run, &(struct noun_write){noun, VR_NOUN_PATCH}, err);
}

int vr_noun_delete(struct vr_call *call, const struct vr_noun *noun, struct vr_err *err)
{
    return vr_write_run(call, run, &(struct noun_write){noun, VR_NOUN_DELETE}, err);
}
