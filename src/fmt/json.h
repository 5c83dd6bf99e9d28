/* SPDX-License-Identifier: MIT */
/* A thin layer on jansson: limits on what is read, errors with a place, Python's way of writing. */
#ifndef VR_FMT_JSON_H
#define VR_FMT_JSON_H

#include "core/buf.h"
#include "core/str.h"

#include <jansson.h>

/*
 * `json_t` is the value type of the whole project; jansson's own constructors and json_pack() are
 * used as they are. A `vr_auto_json json_t *` variable drops its reference when it leaves its
 * scope. Texts in a value are UTF-8 without NUL bytes; numbers are finite; integers have 64 bits.
 */
#define vr_auto_json __attribute__((cleanup(vr_json_decref_p)))

static inline void vr_json_decref_p(json_t **value)
{
    json_decref(*value);
}

/** Deepest nesting of arrays and objects that any reader of this project accepts. */
#define VR_JSON_DEPTH 64

/** Ceiling for callers without a better one: bodies of requests, reports of agents. */
#define VR_JSON_BYTES (4u << 20)

/**
 * Parse one JSON value of any type.
 * @max_bytes  -VR_LIMIT if the text is longer
 * @out        given; release with json_decref()
 *
 * Returns 0, -VR_PARSE with line and column (also for duplicate keys, NUL characters, bytes
 * behind the value and integers beyond 64 bits), or -VR_LIMIT beyond VR_JSON_DEPTH.
 */
VR_MUST_USE
int vr_json_parse(struct vr_str text, size_t max_bytes, json_t **out, struct vr_err *err);

/** As vr_json_parse(), and -VR_INVALID unless the value is an object. */
VR_MUST_USE
int vr_json_parse_object(struct vr_str text, size_t max_bytes, json_t **out, struct vr_err *err);

/** Compact text in the order of insertion; given, release with free(). */
char *vr_json_dump(const json_t *value);

/** Compact text with sorted keys: equal values give equal bytes. */
char *vr_json_dump_sorted(const json_t *value);

/** Indented text for people, two spaces a level, in the order of insertion. */
char *vr_json_dump_pretty(const json_t *value);

/**
 * Append what Python's json.dumps(value, sort_keys=True) gives: separators ", " and ": ",
 * non-ASCII as \uXXXX with surrogate pairs, floats in their shortest form (1.5, 1e+16, 1e-05).
 * NULL is written as null. Hashes of the contract are made of this text.
 */
void vr_json_python_dumps(struct vr_buf *out, const json_t *value);

/** Append the shortest decimal that reads back as `d`, as Python's repr: 1.0, 1e-05, 1e+16. */
void vr_json_add_double(struct vr_buf *out, double d);

/** A string from foreign bytes: what is not UTF-8, and NUL, becomes U+FFFD. Given. */
json_t *vr_json_text(const char *p, size_t n);

/** A string from text known to be UTF-8, or null for NULL. Given. */
json_t *vr_json_str_or_null(const char *text);

/** Set `name` of an object; takes `value`. Aborts on what can only be a bug or lack of memory. */
void vr_json_set(json_t *object, const char *name, json_t *value);

/** Append to an array; takes `value`. */
void vr_json_push(json_t *array, json_t *value);

/*
 * Typed fields. `get` wants the field, `opt` takes the fallback when it is absent or null; both
 * return -VR_INVALID with a sentence such as "field 'size' is not a whole number" otherwise.
 * Texts, objects and arrays are borrowed from `object`.
 */
VR_MUST_USE
int vr_json_get_str(const json_t *object, const char *name, const char **out, struct vr_err *err);
VR_MUST_USE
int vr_json_opt_str(const json_t *object, const char *name, const char *fallback, const char **out,
                    struct vr_err *err);
VR_MUST_USE
int vr_json_get_i64(const json_t *object, const char *name, int64_t min, int64_t max, int64_t *out,
                    struct vr_err *err);
VR_MUST_USE
int vr_json_opt_i64(const json_t *object, const char *name, int64_t min, int64_t max,
                    int64_t fallback, int64_t *out, struct vr_err *err);
VR_MUST_USE
int vr_json_get_bool(const json_t *object, const char *name, bool *out, struct vr_err *err);
VR_MUST_USE
int vr_json_opt_bool(const json_t *object, const char *name, bool fallback, bool *out,
                     struct vr_err *err);
VR_MUST_USE
int vr_json_get_object(const json_t *object, const char *name, json_t **out, struct vr_err *err);
VR_MUST_USE
int vr_json_get_array(const json_t *object, const char *name, json_t **out, struct vr_err *err);
/** As get, but *out is NULL when the field is absent or null. */
VR_MUST_USE
int vr_json_opt_object(const json_t *object, const char *name, json_t **out, struct vr_err *err);
VR_MUST_USE
int vr_json_opt_array(const json_t *object, const char *name, json_t **out, struct vr_err *err);

/** Values in a tree, itself included. */
size_t vr_json_count(const json_t *value);

/** Bytes that the compact text of a tree needs at least: for budgets, without writing it. */
size_t vr_json_bytes(const json_t *value);

/** Levels of arrays and objects: 0 for a plain value, 1 for `[]`. */
size_t vr_json_depth(const json_t *value);

#endif
