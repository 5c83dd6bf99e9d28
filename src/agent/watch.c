/* SPDX-License-Identifier: MIT */
/* Timers and descriptors of the agent's loop as objects that can be freed at once. */
#include "agent/watch.h"

struct vr_timer {
    uv_timer_t uv;
    vr_timer_fn fn;
    void *arg;
};

struct vr_watch {
    uv_poll_t uv;
    vr_watch_fn fn;
    void *arg;
};

static void closed(uv_handle_t *handle)
{
    free(handle->data);
}

static void timer_fired(uv_timer_t *uv)
{
    struct vr_timer *t = uv->data;

    t->fn(t->arg);
}

struct vr_timer *vr_timer_new(uv_loop_t *loop, vr_timer_fn fn, void *arg)
{
    struct vr_timer *t = vr_alloc(sizeof(*t));

    uv_timer_init(loop, &t->uv);
    t->uv.data = t;
    t->fn = fn;
    t->arg = arg;
    return t;
}

void vr_timer_arm(struct vr_timer *t, int64_t ms)
{
    uv_update_time(t->uv.loop);
    uv_timer_start(&t->uv, timer_fired, ms > 0 ? (uint64_t)ms : 0, 0);
}

void vr_timer_arm_once(struct vr_timer *t, int64_t ms)
{
    if (!uv_is_active((uv_handle_t *)&t->uv))
        vr_timer_arm(t, ms);
}

void vr_timer_disarm(struct vr_timer *t)
{
    uv_timer_stop(&t->uv);
}

struct vr_timer *vr_timer_free(struct vr_timer *t)
{
    if (t) {
        uv_timer_stop(&t->uv);
        uv_close((uv_handle_t *)&t->uv, closed);
    }
    return NULL;
}

static void watch_ready(uv_poll_t *uv, int status, int events)
{
    struct vr_watch *w = uv->data;

    w->fn(w->arg);
}

struct vr_watch *vr_watch_new(uv_loop_t *loop, int fd, vr_watch_fn fn, void *arg)
{
    struct vr_watch *w = vr_alloc(sizeof(*w));

    w->fn = fn;
    w->arg = arg;
    if (uv_poll_init(loop, &w->uv, fd) < 0)
        abort(); /* only a descriptor that epoll cannot have: our bug */
    w->uv.data = w;
    uv_poll_start(&w->uv, UV_READABLE | UV_DISCONNECT, watch_ready);
    return w;
}

struct vr_watch *vr_watch_free(struct vr_watch *w)
{
    if (w) {
        uv_poll_stop(&w->uv);
        uv_close((uv_handle_t *)&w->uv, closed);
    }
    return NULL;
}
