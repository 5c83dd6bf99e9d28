/* SPDX-License-Identifier: MIT */
/* Apps: a name and a repository. */
#ifndef VR_STORE_APP_H
#define VR_STORE_APP_H

#include "store/store.h"

#include <jansson.h>

struct vr_app_row {
    int64_t id;
    char *name;
    char *repo_url;
    char *repo_type;
    int64_t buildpack_id; /* 0: detected */
    int64_t stack_id;     /* 0: none, it runs on the host's system */
    char *resolved_url;   /* repo_url with an alias of the configuration replaced; not written */
    int64_t row_version;
};

VR_DECLARE_ROW(app);

VR_MUST_USE
int vr_store_app_find(struct vr_tx *tx, const char *name, struct vr_app_row *out,
                      struct vr_err *err);
VR_MUST_USE
int vr_store_app_find_id(struct vr_tx *tx, int64_t id, struct vr_app_row *out, struct vr_err *err);
VR_MUST_USE
int vr_store_app_insert(struct vr_tx *tx, const struct vr_app_row *row, int64_t *out_id,
                        struct vr_err *err);
VR_MUST_USE
int vr_store_app_update(struct vr_tx *tx, const struct vr_app_row *row, struct vr_err *err);
/**
 * What a repository's URL stands for: with an alias of the configuration replaced, else as it is.
 * @out  given; release with free()
 */
VR_MUST_USE
int vr_store_app_resolve_url(struct vr_tx *tx, const char *repo_url, char **out,
                             struct vr_err *err);
/** Replace all aliases. @schemes `{"alias": "https://host/path/"}`; NULL: none */
VR_MUST_USE
int vr_store_app_set_schemes(struct vr_tx *tx, const json_t *schemes, struct vr_err *err);
/** With its builds and releases; refused while it has swarms or procs. */
VR_MUST_USE
int vr_store_app_delete(struct vr_tx *tx, int64_t id, struct vr_err *err);

#endif
