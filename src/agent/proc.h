/* SPDX-License-Identifier: MIT */
/* One proc of this host: brings what runs to what is desired, and says how far it is. */
#ifndef VR_AGENT_PROC_H
#define VR_AGENT_PROC_H

#include "agent/agent.h"

#include <jansson.h>

struct vr_proc;

#define VR_PROC_MESSAGE_BYTES    256
#define VR_PROC_READY_FIRST_MS   5 /* first look for the listener, then ever slower */
#define VR_PROC_READY_SLOWEST_MS 100
#define VR_PROC_ADOPT_TRIES      3  /* shims that die one after the other */
#define VR_PROC_ADOPT_LOOKS      40 /* for the lock of a dead shim, */
#define VR_PROC_ADOPT_LOOK_MS    5  /* so far apart */

/** How a proc is, in the words of the protocol. */
enum vr_proc_actual {
    VR_PROC_ASSIGNED,
    VR_PROC_FETCHING,
    VR_PROC_STARTING,
    VR_PROC_RUNNING,
    VR_PROC_BACKOFF,
    VR_PROC_STOPPING,
    VR_PROC_STOPPED,
    VR_PROC_FATAL,
};

/**
 * A proc as `desired` (an element of the protocol's procs[]) says.
 * @agent  borrowed
 * @found  a shim of it, alive or dead, was found on this host: it is adopted if that can be
 * Never fails: what is wrong shows as `fatal` in its report.
 */
struct vr_proc *vr_proc_new(struct vr_agent *agent, const json_t *desired, bool found);

/** Forget it; its app goes on. */
struct vr_proc *vr_proc_free(struct vr_proc *p);

int64_t vr_proc_id(const struct vr_proc *p);
enum vr_proc_actual vr_proc_actual(const struct vr_proc *p);

/** A proc for those who ask this host itself. Borrowed until the loop goes on. */
struct vr_proc_view {
    int64_t id;
    const char *name; /* its id as text if no wish names it */
    const json_t *want;
    enum vr_proc_actual actual;
    int64_t since_us;
    pid_t pid;
    int exit_code; /* of the newest end, 0 if there was none */
    bool runs_wanted;
    const char *message;
    const char *log_path;
};

void vr_proc_view(const struct vr_proc *p, struct vr_proc_view *out);

/** The slug it runs from. */
const char *vr_proc_slug(const struct vr_proc *p);

/** Take a newer wish over; starts, tests, restarts or stops as it asks. */
void vr_proc_want(struct vr_proc *p, const json_t *desired);

/** Stop it whatever the last wish was: it is no longer on this host's list. */
void vr_proc_stop(struct vr_proc *p);

/**
 * Its element of a report if it changed since the last one (or `all`), else NULL. Given.
 * @test_room  bytes that results of tests may still take, lowered; those that do not fit come with
 *             a later report
 */
json_t *vr_proc_report(struct vr_proc *p, bool all, size_t *test_room);

#endif
