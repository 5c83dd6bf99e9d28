/* SPDX-License-Identifier: MIT */
/* Words for states, as tables. */
#include "model/words.h"

#include "core/own.h"
#include "core/str.h"

#include <inttypes.h>
#include <stdio.h>

struct word {
    const char *state, *said;
};

static const char *said(const struct word *table, size_t n, const char *state)
{
    for (size_t i = 0; i < n; i++)
        if (vr_streq(table[i].state, state))
            return table[i].said;
    return state;
}

static void say_exited(const struct vr_words_proc *p, char out[VR_WORDS_BYTES])
{
    int64_t code = p->exit_signal ? 128 + p->exit_signal : p->exit_code;

    snprintf(out, VR_WORDS_BYTES, "exited %" PRId64 "%s", code, p->oom ? " (OOM)" : "");
}

static void say_state(const struct vr_words_proc *p, const char *actual, char out[VR_WORDS_BYTES])
{
    static const struct word words[] = {
        {"assigned", "starting"},
        {"fetching", "starting, fetching"},
        {"backoff", "restarting"},
    };

    if (vr_streq(actual, "running"))
        snprintf(out, VR_WORDS_BYTES, "running%s",
                 p->passed                        ? ""
                 : vr_streq(p->tested, "pending") ? ", being tested"
                 : vr_streq(p->tested, "failed")  ? ", test failed"
                                                  : ", untested");
    else if (vr_streq(actual, "backoff"))
        snprintf(out, VR_WORDS_BYTES, "restarting, try %" PRId64, p->restarts + 1);
    else if (vr_streq(actual, "exited"))
        say_exited(p, out);
    else
        snprintf(out, VR_WORDS_BYTES, "%s", said(words, VR_COUNT(words), actual));
}

void vr_words_of_proc(const struct vr_words_proc *p, char out[VR_WORDS_BYTES])
{
    char known[VR_WORDS_BYTES];

    if (!p->is_stale && !vr_streq(p->actual, "unknown")) {
        say_state(p, p->actual, out);
        return;
    }
    say_state(p, p->reported, known);
    known[VR_WORDS_BYTES - sizeof("last known: ")] = '\0';
    snprintf(out, VR_WORDS_BYTES, "last known: %s", known);
}

void vr_words_of_rollout(const char *state, const char *result, const char *phase, const char *step,
                         bool leftovers, char out[VR_WORDS_BYTES])
{
    static const struct word phases[] = {
        {"failing", "failing, stopping what was begun"},
        {"cancelling", "cancelling, stopping what was begun"},
        {"superseding", "giving way to a newer one"},
    };

    if (vr_streq(result, "done"))
        snprintf(out, VR_WORDS_BYTES, "done%s", leftovers ? " with leftovers" : "");
    else if (vr_streq(result, "failed") && !vr_str_is_empty(step))
        snprintf(out, VR_WORDS_BYTES, "failed at %.20s", step);
    else if (!vr_str_is_empty(result))
        snprintf(out, VR_WORDS_BYTES, "%.40s", result);
    else if (vr_streq(state, "queued"))
        snprintf(out, VR_WORDS_BYTES, "waiting");
    else if (vr_streq(phase, "normal"))
        snprintf(out, VR_WORDS_BYTES, "running%s%.20s", vr_str_is_empty(step) ? "" : ", step ",
                 step);
    else
        snprintf(out, VR_WORDS_BYTES, "%s", said(phases, VR_COUNT(phases), phase));
}

const char *vr_words_of_build(const char *status)
{
    static const struct word words[] = {
        {"pending", "waiting"}, {"started", "building"}, {"success", "built"}};

    return said(words, VR_COUNT(words), status);
}

int vr_words_step_number(const char *step)
{
    static const char *const steps[VR_WORDS_STEPS] = {
        "resolve", "build", "release", "place", "start", "test", "route", "drain", "stop"};

    for (int i = 0; i < VR_WORDS_STEPS; i++)
        if (vr_streq(steps[i], step))
            return i + 1;
    return 0;
}
