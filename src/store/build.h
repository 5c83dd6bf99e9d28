/* SPDX-License-Identifier: MIT */
/* Builds: what was made of a commit, and its log. */
#ifndef VR_STORE_BUILD_H
#define VR_STORE_BUILD_H

#include "store/store.h"

#include <jansson.h>

struct vr_build_row {
    int64_t id;
    int64_t app_id;
    char *tag;
    char *commit_id;     /* "" until resolved */
    char *inputs_sha256; /* NULL until resolved */
    char *inputs_json;
    char *status; /* pending, started, success, failed, expired */
    char *file;   /* NULL until built; builds/<app>-<version>-<md5>.squashfs */
    char *file_md5;
    char *file_sha256;
    int64_t file_bytes;
    char *hash;
    char *env_yaml;
    char *env_json;
    char *procfile_json;
    char *buildpack_url;
    char *buildpack_version;
    int64_t job_id; /* 0: none */
    char *error;
    int64_t log_bytes;
    int64_t created_us;
    int64_t start_us;
    int64_t end_us;
};

VR_DECLARE_ROW(build);

VR_MUST_USE
int vr_store_build_find_id(struct vr_tx *tx, int64_t id, struct vr_build_row *out,
                           struct vr_err *err);
/** The one build of these inputs that is pending, started or success. */
VR_MUST_USE
int vr_store_build_find_inputs(struct vr_tx *tx, const char *inputs_sha256,
                               struct vr_build_row *out, struct vr_err *err);
/** The newest that has this file (`builds/<name>`). */
VR_MUST_USE
int vr_store_build_find_file(struct vr_tx *tx, const char *file, struct vr_build_row *out,
                             struct vr_err *err);
/** The newest of app and tag that succeeded. */
VR_MUST_USE
int vr_store_build_find_usable(struct vr_tx *tx, int64_t app_id, const char *tag,
                               struct vr_build_row *out, struct vr_err *err);
/** app_id, tag, commit_id, inputs_*, created_us of the row; the rest starts empty. */
VR_MUST_USE
int vr_store_build_insert(struct vr_tx *tx, const struct vr_build_row *row, int64_t *out_id,
                          struct vr_err *err);
/**
 * Take the build of the row's inputs_sha256, or make it.
 * @out_made  true: it was made and needs a job
 */
VR_MUST_USE
int vr_store_build_take(struct vr_tx *tx, const struct vr_build_row *row, int64_t *out_id,
                        bool *out_made, struct vr_err *err);
/** commit and inputs of one that was made before they were known; -VR_EXISTS: another has them. */
VR_MUST_USE
int vr_store_build_set_inputs(struct vr_tx *tx, int64_t id, const char *commit_id,
                              const char *inputs_sha256, const char *inputs_json,
                              struct vr_err *err);
VR_MUST_USE
int vr_store_build_set_job(struct vr_tx *tx, int64_t id, int64_t job_id, struct vr_err *err);
VR_MUST_USE
int vr_store_build_start(struct vr_tx *tx, int64_t id, struct vr_wall now, struct vr_err *err);
/** Success with file*, hash, env_*, procfile_json, buildpack_*, commit_id of the row. */
VR_MUST_USE
int vr_store_build_succeed(struct vr_tx *tx, const struct vr_build_row *row, struct vr_wall now,
                           struct vr_err *err);
VR_MUST_USE
int vr_store_build_fail(struct vr_tx *tx, int64_t id, const char *error, struct vr_wall now,
                        struct vr_err *err);
/** No longer to be used for new releases: status expired. */
VR_MUST_USE
int vr_store_build_expire(struct vr_tx *tx, int64_t id, struct vr_err *err);
/** Back to pending for another try: log and result are emptied. */
VR_MUST_USE
int vr_store_build_reset(struct vr_tx *tx, int64_t id, struct vr_err *err);
/** Swarms whose open rollout waits for this build are touched. */
VR_MUST_USE
int vr_store_build_touch_waiting(struct vr_tx *tx, int64_t id, struct vr_err *err);
/** Refused while releases were made of it. */
VR_MUST_USE
int vr_store_build_delete(struct vr_tx *tx, int64_t id, struct vr_err *err);

#define VR_BUILD_TAGS_MAX 200 /* of one app, newest first */

/**
 * What was asked to be built of an app: [{"tag", "commit", "built", "build"}], each tag once with
 * its newest build that succeeded, or else its newest; `commit` and `build` are null where unknown.
 * Given.
 */
VR_MUST_USE
int vr_store_build_tags_json(struct vr_tx *tx, int64_t app_id, json_t **out, struct vr_err *err);

#define VR_BUILD_LOG_BYTES (16u << 20) /* of one build; what comes after is dropped */

/**
 * Append a chunk that begins at byte `at` of the whole log. What is there already is skipped;
 * a gap is not stored (the agent sends from the offset that was acknowledged).
 * @out_bytes  length of the stored log; may be NULL
 */
VR_MUST_USE
int vr_store_build_log_add(struct vr_tx *tx, int64_t id, int64_t at, struct vr_str text,
                           int64_t *out_bytes, struct vr_err *err);
/** The log from byte `at`, at most max_bytes of it. @out_text given: free(). */
VR_MUST_USE
int vr_store_build_log_read(struct vr_tx *tx, int64_t id, int64_t at, size_t max_bytes,
                            char **out_text, size_t *out_n, struct vr_err *err);

#endif
