/* SPDX-License-Identifier: MIT */
/* Releases: a build and frozen config; written once. */
#ifndef VR_STORE_RELEASE_H
#define VR_STORE_RELEASE_H

#include "store/store.h"

struct vr_release_row {
    int64_t id;
    int64_t build_id;
    char *config_yaml; /* secrets masked */
    char *config_json; /* secrets as references (model/secret.h) */
    char *env_yaml;
    char *env_json;
    char *volumes_json;
    char *run_as;
    char *mem_limit;   /* NULL: none */
    char *memsw_limit; /* NULL: none */
    char *newer_json;
    char *hash;
    char *content_sha256;
    int64_t config_bytes; /* of config and environment as hosts get them, secrets in plain */
    int64_t created_us;
    char *app_name; /* joined; ignored on write */
    char *tag;
    int64_t app_id;
};

VR_DECLARE_ROW(release);

VR_MUST_USE
int vr_store_release_find_id(struct vr_tx *tx, int64_t id, struct vr_release_row *out,
                             struct vr_err *err);
/** The release of the same build and content, or a new one. */
VR_MUST_USE
int vr_store_release_take(struct vr_tx *tx, const struct vr_release_row *row, int64_t *out_id,
                          bool *out_made, struct vr_err *err);
/** Is there a release of this hash with other content? (Then the next eight digits are used.) */
VR_MUST_USE
int vr_store_release_hash_taken(struct vr_tx *tx, const char *hash, const char *content_sha256,
                                bool *out_taken, struct vr_err *err);
/** Refused while procs or rollouts refer to it. */
VR_MUST_USE
int vr_store_release_delete(struct vr_tx *tx, int64_t id, struct vr_err *err);

/** A pinned release is never collected. */
VR_MUST_USE
int vr_store_release_pin(struct vr_tx *tx, int64_t id, bool pinned, struct vr_err *err);

#endif
