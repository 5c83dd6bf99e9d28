/* SPDX-License-Identifier: MIT */
/* The environment of a proc: from an object of the API to values and to the text of env.sh. */
#ifndef VR_FMT_ENV_H
#define VR_FMT_ENV_H

#include "fmt/json.h"

#define VR_ENV_BYTES (1u << 20) /* of env.sh */

/**
 * The value of a variable of the agent's configured environment, NULL if it has none. Borrowed
 * until the next call.
 */
typedef const char *(*vr_env_lookup_fn)(void *arg, const char *name);

struct vr_env_spec {
    const json_t *env;       /* borrowed object; NULL or null is empty */
    bool expand;             /* `env_expand: shell`: $NAME and ${NAME} expand at the start */
    vr_env_lookup_fn lookup; /* for values that are exactly `$NAME`; NULL: they become empty */
    void *arg;
};

/** `[A-Za-z_][A-Za-z0-9_]*` */
bool vr_env_is_key(const char *name);

/**
 * The text of one value: texts as they are, booleans true/false, numbers as Python writes them,
 * arrays and objects as compact JSON with sorted keys; `$NAME` alone comes from the lookup.
 * NULL for null, which unsets the variable. Given; release with free().
 */
char *vr_env_value(const struct vr_env_spec *spec, const json_t *value);

/**
 * The text of env.sh: a line `export KEY='value'` or `unset KEY` for each variable, sorted. With
 * `expand` a text value stands in double quotes with all but $NAME and ${NAME} made literal.
 * @out_text  given; release with free()
 *
 * Returns -VR_INVALID for a key outside its grammar, -VR_LIMIT beyond VR_ENV_BYTES.
 */
VR_MUST_USE
int vr_env_format(const struct vr_env_spec *spec, char **out_text, struct vr_err *err);

#endif
