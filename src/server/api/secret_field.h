/* SPDX-License-Identifier: MIT */
/* The field `secrets` of ingredients and swarms: set, kept, removed, never shown. */
#ifndef VR_SERVER_API_SECRET_FIELD_H
#define VR_SERVER_API_SECRET_FIELD_H

#include "model/secret.h"
#include "server/api/write.h"

/** The texts of a row that the field is about; all owned by the row. */
struct vr_secret_field {
    const char *config_json, *env_json;           /* the plain dicts */
    char **secret_config_json, **secret_env_json; /* replaced by what is read */
};

/**
 * Read `secrets` of a body, if it is there, and check that no name is both plain and secret.
 *
 *   {"env": {"DB_PASSWORD": "value", "OLD": null}, "config": {…}}
 *
 * A text sets a value, null removes one, a name that is not there stays, and so does what a GET
 * shows ({"set": …, "by": …}). Of a version (w->is_restore) it is the whole: names that it does not
 * have are removed, and entries name values that are there already.
 *
 * Sets w->field. Returns -VR_INVALID, -VR_LIMIT. What was read of the body is overwritten.
 */
VR_MUST_USE
int vr_secret_field_read(struct vr_write *w, const struct vr_secret_field *field,
                         const json_t *body, struct vr_err *err);

/** {"config": {…}, "env": {…}} of entries, as a version keeps it. Given. */
json_t *vr_secret_field_version(const char *secret_config_json, const char *secret_env_json);

#endif
