/* SPDX-License-Identifier: MIT */
/* References to other objects in the body of a request. */
#ifndef VR_SERVER_API_REF_H
#define VR_SERVER_API_REF_H

#include "fmt/json.h"
#include "store/resource.h"

/** What a reference says: the key of its path, or a field of the object. */
struct vr_ref {
    const char *by; /* "id" or "name"; NULL: `key` is the key of the path */
    char *key;      /* given; release with free() */
};

/**
 * Read `"/api/v1/squads/x/"`, `{"resource_uri": …}`, `{"id": 3}` or `{"name": "x"}`.
 * @value  borrowed
 *
 * Returns -VR_INVALID with a sentence that names value and resource.
 */
VR_MUST_USE
int vr_ref_parse(enum vr_resource resource, const json_t *value, struct vr_ref *out,
                 struct vr_err *err);

/** The database id of what is referred to; -VR_INVALID if there is no such object. */
VR_MUST_USE
int vr_ref_find(struct vr_tx *tx, enum vr_resource resource, const json_t *value, int64_t *out_id,
                struct vr_err *err);

/** The ids of an array of references. @out_ids given: free(). */
VR_MUST_USE
int vr_ref_find_all(struct vr_tx *tx, enum vr_resource resource, const json_t *array,
                    int64_t **out_ids, size_t *out_n, struct vr_err *err);

/** An id as the path has it; -VR_NOT_FOUND with "build 'x' does not exist". */
VR_MUST_USE
int vr_ref_id(const char *noun, const char *key, int64_t *out, struct vr_err *err);

/** "/api/v1/swarms/5/"; given, release with free(). */
char *vr_ref_uri(enum vr_resource resource, int64_t id);

#endif
