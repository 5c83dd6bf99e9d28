/* SPDX-License-Identifier: MIT */
/* Children that talk in lines: what they say, how they end, what a flood does. */
#include "agent/task.h"

#include "core/clock.h"
#include "core/tap.h"
#include "sys/signals.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#define PATIENCE_MS 20000

struct talk {
    uv_loop_t loop;
    struct vr_task *task;
    struct vr_timer *patience;
    int signals;
    size_t lines, bytes;
    char last[256];
    struct vr_exit how;
    bool done, late_line, timed_out;
    size_t free_at; /* free the task at this line */
    bool free_in_done;
};

#define TALK(t) __attribute__((cleanup(talk_fini))) struct talk t

static void give_up(void *arg)
{
    struct talk *t = arg;

    t->timed_out = true;
    uv_stop(&t->loop);
}

static void talk_init(struct talk *t)
{
    memset(t, 0, sizeof(*t));
    t->signals = vr_signals_open(NULL); /* ignores SIGPIPE, as the agent does */
    uv_loop_init(&t->loop);
    t->patience = vr_timer_new(&t->loop, give_up, t);
    vr_timer_arm(t->patience, PATIENCE_MS);
}

/* The loop of a program whose handles are all closed ends and can be closed. */
static bool talk_close(struct talk *t)
{
    t->task = vr_task_free(t->task);
    t->patience = vr_timer_free(t->patience);
    uv_run(&t->loop, UV_RUN_DEFAULT);
    vr_fd_close(vr_take_fd(t->signals));
    return uv_loop_close(&t->loop) == 0;
}

static void talk_fini(struct talk *t)
{
    if (t->patience)
        talk_close(t);
}

static void on_line(void *arg, const char *line, size_t n)
{
    struct talk *t = arg;

    t->late_line = t->late_line || t->done;
    t->lines++;
    t->bytes += n;
    snprintf(t->last, sizeof(t->last), "%s", line);
    if (t->free_at && t->lines == t->free_at) {
        t->task = vr_task_free(t->task);
        uv_stop(&t->loop);
    }
}

static void on_done(void *arg, struct vr_exit how)
{
    struct talk *t = arg;

    t->how = how;
    t->done = true;
    if (t->free_in_done)
        t->task = vr_task_free(t->task);
    uv_stop(&t->loop);
}

static bool start(struct talk *t, const char *script, bool keeps_input)
{
    const char *argv[] = {"/bin/sh", "-c", script, NULL};
    struct vr_task_spec spec = {
        .argv = argv, .on_line = on_line, .on_done = on_done, .arg = t, .keeps_input = keeps_input};

    return vr_task_start(&t->loop, &spec, &t->task, NULL) == 0;
}

static bool run(struct talk *t)
{
    uv_run(&t->loop, UV_RUN_DEFAULT);
    return !t->timed_out;
}

TEST(task__lines__come_whole_and_before_the_end)
{
    TALK(t);

    talk_init(&t);
    CHECK(start(&t, "printf 'one\\ntwo\\n\\nthree\\nunfinished'", false));
    CHECK(run(&t));
    CHECK(t.done && t.how.code == 0 && t.how.signal == 0);
    CHECK(t.lines == 4);
    CHECK_STR(t.last, "three");
    CHECK(!t.late_line);
    CHECK(talk_close(&t));
}

TEST(task__a_child_that_fails__says_how)
{
    TALK(t);

    talk_init(&t);
    CHECK(start(&t, "exit 7", false));
    CHECK(run(&t));
    CHECK(t.how.code == 7);
}

TEST(task__a_child_that_is_killed__says_by_what)
{
    TALK(t);

    talk_init(&t);
    CHECK(start(&t, "echo up; exec sleep 100", false));
    while (!t.lines && !t.timed_out)
        uv_run(&t.loop, UV_RUN_ONCE);
    vr_task_signal(t.task, SIGKILL);
    CHECK(run(&t));
    CHECK(t.how.signal == SIGKILL);
}

TEST(task__a_program_that_does_not_exist__fails_at_once)
{
    const char *argv[] = {"/nowhere/program", NULL};
    struct vr_task_spec spec = {.argv = argv};
    TALK(t);

    talk_init(&t);
    CHECK(vr_task_start(&t.loop, &spec, &t.task, NULL) < 0);
    CHECK(t.task == NULL);
    CHECK(talk_close(&t));
}

TEST(task__big_input__arrives_whole_and_is_closed)
{
    const size_t n = 4 << 20;
    vr_auto_free char *text = vr_alloc(n);
    TALK(t);

    memset(text, 'x', n);
    talk_init(&t);
    CHECK(start(&t, "wc -c", false));
    CHECK(vr_task_send(t.task, text, n, NULL) == 0);
    CHECK(run(&t));
    CHECK_STR(t.last, "4194304");
}

TEST(task__more_input_than_may_wait__is_refused)
{
    vr_auto_free char *text = vr_alloc(VR_TASK_INPUT_BYTES);
    TALK(t);

    memset(text, 'x', VR_TASK_INPUT_BYTES);
    talk_init(&t);
    CHECK(start(&t, "exec sleep 100", true));
    CHECK(vr_task_send(t.task, text, VR_TASK_INPUT_BYTES, NULL) == 0);
    CHECK(vr_task_send(t.task, "y", 1, NULL) == -VR_LIMIT);
    CHECK(talk_close(&t));
}

TEST(task__input_that_stays_open__is_answered_line_by_line)
{
    TALK(t);

    talk_init(&t);
    CHECK(start(&t, "while read -r x; do echo \"got $x\"; done", true));
    CHECK(vr_task_send(t.task, "a\n", 2, NULL) == 0);
    while (t.lines < 1 && !t.timed_out)
        uv_run(&t.loop, UV_RUN_ONCE);
    CHECK_STR(t.last, "got a");
    CHECK(vr_task_send(t.task, "b\n", 2, NULL) == 0);
    while (t.lines < 2 && !t.timed_out)
        uv_run(&t.loop, UV_RUN_ONCE);
    CHECK_STR(t.last, "got b");
}

TEST(task__a_child_that_closes_its_input__does_not_stop_us)
{
    vr_auto_free char *text = vr_alloc(1 << 20);
    TALK(t);

    memset(text, 'x', 1 << 20);
    talk_init(&t);
    CHECK(start(&t, "exec 0<&-; echo closed; sleep 0.2; echo end", true));
    CHECK(vr_task_send(t.task, text, 1 << 20, NULL) == 0);
    CHECK(run(&t));
    CHECK(t.how.code == 0);
    CHECK_STR(t.last, "end");
    CHECK(vr_task_send(t.task, "z", 1, NULL) == -VR_IO);
}

TEST(task__a_line_without_end__is_dropped_and_the_next_are_read)
{
    TALK(t);

    talk_init(&t);
    CHECK(start(&t, "head -c 20000000 /dev/zero | tr '\\0' x; echo; echo after", false));
    CHECK(run(&t));
    CHECK_STR(t.last, "after");
    CHECK(t.how.code == 0);
}

TEST(task__freed_while_it_runs__is_ended_and_reaped_without_a_callback)
{
    TALK(t);

    talk_init(&t);
    CHECK(start(&t, "echo up; exec sleep 100", false));
    t.free_at = 1;
    CHECK(run(&t));
    CHECK(t.lines == 1 && t.task == NULL);
    CHECK(talk_close(&t)); /* returns only when the child was reaped */
    CHECK(!t.done && !t.timed_out);
}

TEST(task__freed_in_its_last_callback__leaves_nothing)
{
    TALK(t);

    talk_init(&t);
    t.free_in_done = true;
    CHECK(start(&t, "echo a", false));
    CHECK(run(&t));
    CHECK(t.task == NULL && t.done);
    CHECK(talk_close(&t));
}

/* The child is gone; a grandchild that has its output writes for ever. */
TEST(task__a_grandchild_that_floods__does_not_hold_up_the_end)
{
    TALK(t);

    talk_init(&t);
    CHECK(start(&t, "yes flood & exit 3", false));
    CHECK(run(&t));
    CHECK(t.done && t.how.code == 3);
    CHECK(!t.late_line);
    CHECK(talk_close(&t)); /* the flood ends by SIGPIPE: nobody reads any more */
}
