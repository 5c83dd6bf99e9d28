/* SPDX-License-Identifier: MIT */
/* A child program of the agent that talks in lines: builds, balancer workers, clean-ups. */
#ifndef VR_AGENT_TASK_H
#define VR_AGENT_TASK_H

#include "agent/watch.h"
#include "core/err.h"
#include "sys/proc.h"

#define VR_TASK_LINE_BYTES  (8 << 20) /* longest line that a task may print */
#define VR_TASK_INPUT_BYTES (8 << 20) /* input that may wait to be written */

struct vr_task;

/** One line of its standard output, without the newline; borrowed for the call. */
typedef void (*vr_task_line_fn)(void *arg, const char *line, size_t n);

/** It ended and was reaped; the task may be freed in here. */
typedef void (*vr_task_done_fn)(void *arg, struct vr_exit how);

struct vr_task_spec {
    const char *const *argv; /* borrowed for the call */
    vr_task_line_fn on_line; /* NULL: output goes nowhere */
    vr_task_done_fn on_done; /* may be NULL */
    void *arg;               /* borrowed until on_done or vr_task_free() */
    bool keeps_input;        /* standard input stays open after what was sent is written */
};

/**
 * Start a program in a session of its own. Its standard error is the agent's.
 * @out  given; release with vr_task_free()
 */
VR_MUST_USE
int vr_task_start(uv_loop_t *loop, const struct vr_task_spec *spec, struct vr_task **out,
                  struct vr_err *err);

/** Queue text for its standard input; it is written as the child reads. -VR_LIMIT if too much
 * waits. Never blocks. */
VR_MUST_USE
int vr_task_send(struct vr_task *t, const char *text, size_t n, struct vr_err *err);

/** Signal its whole session's leader by pidfd. */
void vr_task_signal(struct vr_task *t, int sig);

/**
 * Forget the task. One that still runs gets SIGTERM now and is reaped when it ends (a task that
 * ignores it lives on); no callback comes any more.
 */
struct vr_task *vr_task_free(struct vr_task *t);

#endif
