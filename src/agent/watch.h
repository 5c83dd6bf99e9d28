/* SPDX-License-Identifier: MIT */
/* Timers and descriptors of the agent's loop as objects that can be freed at once. */
#ifndef VR_AGENT_WATCH_H
#define VR_AGENT_WATCH_H

#include "core/own.h"

#include <stdbool.h>
#include <stdint.h>
#include <uv.h>

/*
 * libuv closes a handle some time after it is told to; these wrappers own the handle until then, so
 * that their users may free themselves inside their own callback.
 */

struct vr_timer;
typedef void (*vr_timer_fn)(void *arg);

/** A timer that is not armed. @arg borrowed. */
struct vr_timer *vr_timer_new(uv_loop_t *loop, vr_timer_fn fn, void *arg);
/** Call back once after `ms`; arming again moves it. */
void vr_timer_arm(struct vr_timer *t, int64_t ms);
/** As vr_timer_arm(), unless it is armed already: coalesces. */
void vr_timer_arm_once(struct vr_timer *t, int64_t ms);
void vr_timer_disarm(struct vr_timer *t);
struct vr_timer *vr_timer_free(struct vr_timer *t);

struct vr_watch;
typedef void (*vr_watch_fn)(void *arg);

/** Call back whenever `fd` is readable (or hung up). @fd borrowed, must outlive the watch. */
struct vr_watch *vr_watch_new(uv_loop_t *loop, int fd, vr_watch_fn fn, void *arg);
struct vr_watch *vr_watch_free(struct vr_watch *w);

#endif
