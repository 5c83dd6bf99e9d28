/* SPDX-License-Identifier: MIT */
/* How states are said. */
#include "model/words.h"

#include "core/tap.h"

static struct vr_words_proc proc(const char *actual)
{
    return (struct vr_words_proc){.actual = actual, .reported = "running", .tested = "no"};
}

TEST(words__procs__are_said_as_the_pages_show_them)
{
    struct vr_words_proc p = proc("running");
    char out[VR_WORDS_BYTES];

    vr_words_of_proc(&p, out);
    CHECK_STR(out, "running, untested");
    p.passed = true;
    vr_words_of_proc(&p, out);
    CHECK_STR(out, "running");
    p.is_stale = true;
    vr_words_of_proc(&p, out);
    CHECK_STR(out, "last known: running");
    p = proc("backoff");
    p.restarts = 3;
    vr_words_of_proc(&p, out);
    CHECK_STR(out, "restarting, try 4");
    p = proc("exited");
    p.exit_signal = 9;
    p.oom = true;
    vr_words_of_proc(&p, out);
    CHECK_STR(out, "exited 137 (OOM)");
    p = proc("unknown");
    vr_words_of_proc(&p, out);
    CHECK_STR(out, "last known: running, untested");
}

TEST(words__rollouts_and_builds__have_their_outcome)
{
    char out[VR_WORDS_BYTES];

    vr_words_of_rollout("active", NULL, "normal", "test", false, out);
    CHECK_STR(out, "running, step test");
    vr_words_of_rollout("ended", "done", "normal", "stop", true, out);
    CHECK_STR(out, "done with leftovers");
    vr_words_of_rollout("ended", "failed", "failing", "route", false, out);
    CHECK_STR(out, "failed at route");
    vr_words_of_rollout("active", "", "cancelling", "start", false, out);
    CHECK_STR(out, "cancelling, stopping what was begun");
    CHECK_STR(vr_words_of_build("started"), "building");
    CHECK(vr_words_step_number("resolve") == 1 && vr_words_step_number("stop") == 9);
}
