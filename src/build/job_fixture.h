/* SPDX-License-Identifier: MIT */
/* What the tests of the job program share: repositories, orders, and the lines of a report. */
#ifndef VR_BUILD_JOB_FIXTURE_H
#define VR_BUILD_JOB_FIXTURE_H

#include "fmt/json.h"
#include "sys/proc.h"

#include <stdbool.h>

/** Whether jobs can run here (root); else skips the running test. Makes the test's folder. */
bool fx_is_ready(void);

/** The name of the app in orders: this test program's own, as cgroups are the whole host's. */
const char *fx_app(void);

/** A path in the test's folder; release with free(). */
char *fx_path(const char *name);

/** Write a file of the test's folder, with its parents; aborts the program on failure. */
void fx_put(const char *name, const char *text, mode_t mode);

/** Run a program in a folder of the test's folder; its output without the last newline. Aborts. */
char *fx_run(const char *folder, const char *const *argv);

/** Make `folder` a git repository with what is in it, tagged. The commit; release with free(). */
char *fx_git(const char *folder, const char *tag);

/** An order with the test's folders, buildpacks of the source tree, and an app at `repo_url`. */
json_t *fx_order(const char *kind, const char *repo_url, const char *tag);

/**
 * A buildpack in the folder `pack`, tagged v1, that always detects. The scripts are shell text;
 * `release` may be NULL. The order gets it as its only candidate.
 */
void fx_pack(json_t *order, const char *compile, const char *release);

/** Start the job with an order; its report can be read from *out_fd. Aborts on failure. */
struct vr_child fx_start(const json_t *order, int *out_fd);

/** Read the report to its end, reap: the last line (an object); NULL if there is none. Given. */
json_t *fx_finish(struct vr_child *child, int fd);

/** fx_start() and fx_finish(). */
json_t *fx_job(const json_t *order);

/** `{"result": …}` or NULL, and the fields of `{"error": …}`; borrowed. */
json_t *fx_result(const json_t *last);
const char *fx_text(const json_t *last, const char *field);

/** The job left no folder below state/work/tmp or run/, no cgroup and no mount. */
bool fx_is_clean(void);

#endif
