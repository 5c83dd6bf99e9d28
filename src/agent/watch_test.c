/* SPDX-License-Identifier: MIT */
/* Timers and descriptors that may be freed inside their own callback. */
#include "agent/watch.h"

#include "core/clock.h"
#include "core/tap.h"

#include <fcntl.h>
#include <unistd.h>

struct seen {
    uv_loop_t loop;
    struct vr_timer *timer;
    struct vr_watch *watch;
    int count, fd;
    bool frees;
};

static void fired(void *arg)
{
    struct seen *s = arg;

    s->count++;
    if (s->frees)
        s->timer = vr_timer_free(s->timer);
}

static void readable(void *arg)
{
    struct seen *s = arg;
    char c;

    if (read(s->fd, &c, 1) == 1)
        s->count++;
    else
        s->frees = true;
    if (s->frees)
        s->watch = vr_watch_free(s->watch);
}

TEST(timer__armed__fires_once)
{
    struct seen s = {0};
    struct vr_mono began;

    uv_loop_init(&s.loop);
    s.timer = vr_timer_new(&s.loop, fired, &s);
    began = vr_mono_now();
    vr_timer_arm(s.timer, 20);
    uv_run(&s.loop, UV_RUN_DEFAULT);
    CHECK(s.count == 1);
    CHECK(vr_mono_ms_between(began, vr_mono_now()) >= 19);
    s.timer = vr_timer_free(s.timer);
    uv_run(&s.loop, UV_RUN_DEFAULT);
    CHECK(uv_loop_close(&s.loop) == 0);
}

TEST(timer__armed_again__moves_and_armed_once_more_does_not)
{
    struct seen s = {0};
    struct vr_mono began;

    uv_loop_init(&s.loop);
    s.timer = vr_timer_new(&s.loop, fired, &s);
    began = vr_mono_now();
    vr_timer_arm(s.timer, 60000);
    vr_timer_arm(s.timer, 10);
    vr_timer_arm_once(s.timer, 60000);
    uv_run(&s.loop, UV_RUN_DEFAULT);
    CHECK(s.count == 1);
    CHECK(vr_mono_ms_between(began, vr_mono_now()) < 30000);
    vr_timer_arm(s.timer, -5); /* the past is now */
    uv_run(&s.loop, UV_RUN_DEFAULT);
    CHECK(s.count == 2);
    vr_timer_arm(s.timer, 60000);
    vr_timer_disarm(s.timer);
    uv_run(&s.loop, UV_RUN_DEFAULT);
    CHECK(s.count == 2);
    s.timer = vr_timer_free(s.timer);
    uv_run(&s.loop, UV_RUN_DEFAULT);
    CHECK(uv_loop_close(&s.loop) == 0);
}

TEST(timer__freed_in_its_callback__is_gone)
{
    struct seen s = {.frees = true};

    uv_loop_init(&s.loop);
    s.timer = vr_timer_new(&s.loop, fired, &s);
    vr_timer_arm(s.timer, 0);
    uv_run(&s.loop, UV_RUN_DEFAULT);
    CHECK(s.count == 1 && s.timer == NULL);
    CHECK(uv_loop_close(&s.loop) == 0);
    CHECK(vr_timer_free(NULL) == NULL && vr_watch_free(NULL) == NULL);
}

TEST(watch__bytes_and_the_end__are_seen_and_it_is_freed_inside)
{
    struct seen s = {0};
    int fds[2];

    uv_loop_init(&s.loop);
    CHECK(pipe2(fds, O_CLOEXEC | O_NONBLOCK) == 0);
    s.fd = fds[0];
    s.watch = vr_watch_new(&s.loop, fds[0], readable, &s);
    CHECK(write(fds[1], "abc", 3) == 3);
    vr_fd_close(fds[1]);
    uv_run(&s.loop, UV_RUN_DEFAULT);
    CHECK(s.count == 3 && s.watch == NULL);
    CHECK(uv_loop_close(&s.loop) == 0);
    vr_fd_close(fds[0]);
}
