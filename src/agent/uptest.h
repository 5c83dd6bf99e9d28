/* SPDX-License-Identifier: MIT */
/* One run of a proc's uptests, in a container identical to the proc's. */
#ifndef VR_AGENT_UPTEST_H
#define VR_AGENT_UPTEST_H

#include "agent/agent.h"
#include "runtime/bundle.h"

#include <jansson.h>

#define VR_UPTEST_RESULT_BYTES (1 << 20) /* longer results count as none */
#define VR_UPTEST_TESTS_MAX    100       /* bounds the time of a whole run */

#define VR_UPTEST_SUFFIX ".test" /* of the folders of a run: <proc id>.test<number>-<when> */

struct vr_uptest;

/** Over: `results` is the array of {Name, Output, Passed}, `passed` whether all did. Borrowed. */
typedef void (*vr_uptest_fn)(void *arg, bool passed, const json_t *results);

struct vr_uptest_spec {
    struct vr_agent *agent;
    int64_t proc_id;
    int64_t number;
    const char *proc_name;
    const char *address;
    const struct vr_bundle_spec *like; /* the proc's own; copied where needed during the call */
    int64_t test_secs;
    vr_uptest_fn fn;
    void *arg;
};

/** How many tests a mounted slug has for a proc. */
int vr_uptest_count(const char *slug, const char *proc_name);

/**
 * Start the run. A run that cannot be made ends as one failed result named "uptester".
 * `fn` comes later, never inside this call.
 */
struct vr_uptest *vr_uptest_start(const struct vr_uptest_spec *spec);

/** Call it off, or release it after `fn`. */
struct vr_uptest *vr_uptest_free(struct vr_uptest *t);

/** End and remove what a run has in these folders, in the background. */
void vr_uptest_remove(struct vr_agent *agent, const char *dir, const char *run_dir);

#endif
