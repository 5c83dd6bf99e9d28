/* SPDX-License-Identifier: MIT */
/* How states are said to people: the one place, so that API, command line and pages say the same.
 */
#ifndef VR_MODEL_WORDS_H
#define VR_MODEL_WORDS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define VR_WORDS_BYTES 96 /* fits the longest, and its NUL */

/** What is known of a proc. Texts borrowed, never NULL. */
struct vr_words_proc {
    const char *actual;   /* `unknown` while its host is away */
    const char *reported; /* what its host said last */
    const char *tested;   /* no, pending, passed, failed */
    bool passed;          /* its tests passed in this life */
    bool is_stale;        /* its host is not live */
    int64_t restarts;
    int64_t exit_code, exit_signal; /* of the last life; 0 if there was none */
    bool oom;
};

/** "running, untested", "restarting, try 4", "exited 137 (OOM)", "last known: running". */
void vr_words_of_proc(const struct vr_words_proc *p, char out[VR_WORDS_BYTES]);

/** "waiting", "running, step test", "stopping what was begun", "done with leftovers", "failed at
 * route". @result NULL or "" unless it ended */
void vr_words_of_rollout(const char *state, const char *result, const char *phase, const char *step,
                         bool leftovers, char out[VR_WORDS_BYTES]);

/** "waiting", "building", "built", "failed", "expired". Static. */
const char *vr_words_of_build(const char *status);

/** Number of a rollout's step, from 1 to VR_WORDS_STEPS; 0 for none. */
int vr_words_step_number(const char *step);
#define VR_WORDS_STEPS 9

#endif
