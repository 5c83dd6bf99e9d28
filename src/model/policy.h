/* SPDX-License-Identifier: MIT */
/* How a swarm wants to be rolled out and kept: its time limits and retry counts, with defaults. */
#ifndef VR_MODEL_POLICY_H
#define VR_MODEL_POLICY_H

#include "fmt/json.h"

/* What holds for all hosts alike (seconds). */
#define VR_HOST_HEARTBEAT_SECS   2
#define VR_HOST_SUSPECT_SECS     5
#define VR_HOST_LOST_SECS        15
#define VR_HOST_GONE_SECS        120
#define VR_HOST_MASS_LOSS_SECS   120
#define VR_HOST_MASS_LOSS_COUNT  2  /* at least so many of a squad, and more than half of it */
#define VR_BALANCER_TIMEOUT_SECS 10 /* an unreachable balancer host is skipped after this */

/** When a proc that was started counts as ready to be tested. */
enum vr_ready {
    VR_READY_AUTO,   /* listens, if its swarm has a pool; else runs for start_secs */
    VR_READY_LISTEN, /* listens on its port */
    VR_READY_NONE,   /* runs for start_secs */
};

/** start_secs: 0 where there are uptests, 1 where there are none. */
#define VR_POLICY_START_AUTO (-1)

struct vr_policy {
    int64_t resolve_secs;       /* find the commit of a tag */
    int64_t build_secs;         /* a whole build */
    int64_t fetch_secs;         /* slug and image on the host */
    int64_t start_timeout_secs; /* from the end of the fetch until ready */
    int64_t start_secs;         /* must have run so long to count; VR_POLICY_START_AUTO */
    int64_t test_secs;          /* one uptest */
    int64_t test_retry_secs;    /* failures are retried so long; 0: a failure is final */
    int64_t route_secs;         /* until all balancer hosts confirm */
    int64_t drain_secs;         /* longest wait for open connections */
    int64_t stop_secs;          /* from SIGTERM to SIGKILL */
    int64_t max_restarts;       /* more in the window is fatal */
    int64_t restart_window_secs;
    int64_t unhealthy_restart_secs; /* runs but does not answer: restarted after this */
    int64_t batch;                  /* procs replaced at a time; 0: all at once */
    enum vr_ready ready;
    bool port_none; /* procs get neither a port nor PORT */
};

/** All defaults. */
struct vr_policy vr_policy_default(void);

/** start_secs with `auto` resolved. */
int64_t vr_policy_start_secs(const struct vr_policy *policy, bool has_uptests);

/**
 * Change what an object names; a field that is null goes back to its default, other keys are
 * ignored. `ready` is "auto", "listen" or "none", `port` is "auto" or "none".
 * @policy  borrowed; untouched on failure
 * @object  NULL or null: nothing
 *
 * Returns -VR_INVALID naming field, value and range.
 */
VR_MUST_USE
int vr_policy_merge(struct vr_policy *policy, const json_t *object, struct vr_err *err);

/** The object of what differs from the defaults; {} for none. Given. */
json_t *vr_policy_to_json(const struct vr_policy *policy);

/** The object of all fields, for the API. Given. */
json_t *vr_policy_to_json_full(const struct vr_policy *policy);

/** Append the text of the same, without making the object: lists have one of each swarm. */
void vr_policy_add_full(struct vr_buf *out, const struct vr_policy *policy);

/** Is this a field of the policy? For callers that refuse unknown keys. */
bool vr_policy_is_field(const char *name);

#endif
