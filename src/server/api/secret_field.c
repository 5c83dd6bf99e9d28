/* SPDX-License-Identifier: MIT */
/*
 * The field `secrets`.
 *
 * It is read when the plain dicts of the row are what they will be, so that a key can become
 * secret in one request: out of `env_yaml` and into `secrets`. The log entry names what was set and
 * removed. Where a value was read, in the body and in the bytes it came in, it is overwritten.
 */
#include "server/api/secret_field.h"

#include "model/name.h"
#include "store/secret.h"

#include <sodium.h>

enum part {
    PART_CONFIG,
    PART_ENV,
};

static const char *const part_names[] = {[PART_CONFIG] = "config", [PART_ENV] = "env"};

static json_t *parsed(const char *text)
{
    json_t *value = NULL;

    if (vr_str_is_empty(text) || vr_json_parse(vr_str(text), VR_JSON_BYTES, &value, NULL) < 0)
        return json_object();
    return value;
}

static void note(struct vr_write *w, enum part part, const char *name, const char *old,
                 const char *now)
{
    vr_auto_free char *what = vr_strf("secret %s of %s", name, part_names[part]);

    vr_write_note(w, what, old, now);
}

/* ------------------------------------------------------------------ one value */

static int check_name(enum part part, const char *name, struct vr_err *err)
{
    if (part == PART_ENV)
        return vr_name_check(VR_NAME_ENV_KEY, name, err);
    if (!*name || strlen(name) > VR_SECRET_NAME_MAX || vr_streq(name, VR_SECRET_KEY))
        return vr_fail(err, VR_INVALID, "'%.40s' is no name of a secret: it has 1 to %d bytes",
                       name, VR_SECRET_NAME_MAX);
    return 0;
}

static void put(struct vr_write *w, json_t *entries, const char *name, int64_t id)
{
    char set[VR_WALL_TEXT_BYTES];

    vr_wall_format(w->call->now, false, set);
    vr_json_set(entries, name,
                json_pack("{s:I, s:s, s:s}", VR_SECRET_KEY, (json_int_t)id, "set", set, "by",
                          w->call->who.username));
}

static int set(struct vr_write *w, enum part part, json_t *entries, const char *name,
               const json_t *value, struct vr_err *err)
{
    const char *text = json_string_value(value);
    int64_t old = vr_secret_id(json_object_get(entries, name)), id;
    int r = check_name(part, name, err);

    if (r < 0)
        return r;
    if (vr_streq(text, VR_SECRET_MASK))
        return vr_fail(err, VR_INVALID, "secret '%s': this is its mask, not its value", name);
    r = vr_store_secret_take(w->tx, text, w->call->who.id, w->call->now, &id, err);
    sodium_memzero((char *)text, json_string_length(value)); /* the body is ours */
    if (r < 0)
        return vr_fail_in(err, r, "secret '%s'", name);
    put(w, entries, name, id);
    note(w, part, name, old ? "set" : "", "set anew");
    return 0;
}

/* What a GET gave comes back, or an entry of a version: the value is there already. */
static int keep(struct vr_write *w, json_t *entries, const char *name, json_t *value,
                struct vr_err *err)
{
    int r;

    if (w->is_restore && vr_secret_id(value)) {
        r = vr_store_secret_check(w->tx, vr_secret_id(value), err);
        if (r < 0)
            return vr_fail_in(err, VR_INVALID, "secret '%s'", name);
        vr_json_set(entries, name, json_incref(value));
        return 0;
    }
    if (!json_object_get(value, "set") || vr_secret_is_mentioned(value))
        return vr_fail(err, VR_INVALID, "secret '%s' is not a text", name);
    if (!json_object_get(entries, name))
        return vr_fail(err, VR_INVALID, "secret '%s' has no value yet: send one", name);
    return 0;
}

static int change(struct vr_write *w, enum part part, json_t *entries, const char *name,
                  json_t *value, struct vr_err *err)
{
    if (json_is_string(value))
        return set(w, part, entries, name, value, err);
    if (json_is_object(value))
        return keep(w, entries, name, value, err);
    if (!json_is_null(value))
        return vr_fail(err, VR_INVALID, "secret '%s' is not a text", name);
    if (json_object_get(entries, name))
        note(w, part, name, "set", "");
    json_object_del(entries, name);
    return 0;
}

/* ------------------------------------------------------------------ the field */

static int read_part(struct vr_write *w, enum part part, const json_t *values, char **stored,
                     struct vr_err *err)
{
    vr_auto_json json_t *entries = w->is_restore ? json_object() : parsed(*stored);
    const char *name;
    json_t *value;
    int r = 0;

    if (values && !json_is_null(values) && !json_is_object(values))
        return vr_fail(err, VR_INVALID, "'%s' of 'secrets' is not an object", part_names[part]);
    json_object_foreach ((json_t *)values, name, value) {
        r = change(w, part, entries, name, value, err);
        if (r < 0)
            return r;
    }
    if (json_object_size(entries) > VR_SECRET_COUNT_MAX)
        return vr_fail(err, VR_LIMIT, "'%s' of 'secrets' has more than %d names", part_names[part],
                       VR_SECRET_COUNT_MAX);
    free(*stored);
    *stored = vr_json_dump_sorted(entries);
    return 0;
}

static int read_secrets(struct vr_write *w, const struct vr_secret_field *field,
                        const json_t *secrets, struct vr_err *err)
{
    const char *key;
    json_t *value;
    int r;

    if (!json_is_object(secrets) && !json_is_null(secrets))
        return vr_fail(err, VR_INVALID, "field 'secrets' is not an object");
    json_object_foreach ((json_t *)secrets, key, value)
        if (!vr_streq(key, "config") && !vr_streq(key, "env"))
            return vr_fail(err, VR_INVALID, "'secrets' has 'config' and 'env', and not '%.40s'",
                           key);
    r = read_part(w, PART_CONFIG, json_object_get(secrets, "config"), field->secret_config_json,
                  err);
    if (r == 0)
        r = read_part(w, PART_ENV, json_object_get(secrets, "env"), field->secret_env_json, err);
    return r;
}

static int check_apart(enum part part, const char *plain_json, const char *secret_json,
                       struct vr_err *err)
{
    vr_auto_json json_t *plain = NULL;
    vr_auto_json json_t *entries = NULL;
    const char *name;
    json_t *entry;

    if (vr_str_is_empty(secret_json) || vr_streq(secret_json, "{}"))
        return 0;
    plain = parsed(plain_json);
    entries = parsed(secret_json);
    json_object_foreach (entries, name, entry)
        if (json_object_get(plain, name))
            return vr_fail(err, VR_INVALID,
                           "'%s' stands in %s_yaml and is a secret: take it out of one of them",
                           name, part_names[part]);
    return 0;
}

int vr_secret_field_read(struct vr_write *w, const struct vr_secret_field *field,
                         const json_t *body, struct vr_err *err)
{
    const json_t *secrets = json_object_get(body, "secrets");
    int r = 0;

    w->field = "secrets";
    if (secrets) {
        r = read_secrets(w, field, secrets, err);
        vr_http_req_wipe_body(w->call->req);
    }
    if (r == 0)
        r = check_apart(PART_CONFIG, field->config_json, *field->secret_config_json, err);
    if (r == 0)
        r = check_apart(PART_ENV, field->env_json, *field->secret_env_json, err);
    if (r == 0)
        w->field = NULL;
    return r;
}

json_t *vr_secret_field_version(const char *secret_config_json, const char *secret_env_json)
{
    return json_pack("{s:o, s:o}", "config", parsed(secret_config_json), "env",
                     parsed(secret_env_json));
}
