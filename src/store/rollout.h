/* SPDX-License-Identifier: MIT */
/* Rollouts: one dispatch of a swarm from request to end, with what it froze. */
#ifndef VR_STORE_ROLLOUT_H
#define VR_STORE_ROLLOUT_H

#include "store/store.h"

struct vr_rollout_row {
    char *id; /* 32 hex digits */
    int64_t swarm_id;
    char *kind;      /* dispatch, rollback, scale, heal, move, restart */
    int64_t user_id; /* 0: the platform */
    char *state;     /* queued, active, ended */
    char *result;    /* NULL; done, failed, cancelled, superseded */
    char *phase;     /* normal, failing, cancelling, superseding */
    char *step;      /* "", resolve build release place start test route drain stop */
    int64_t step_us;
    int64_t deadline_us;
    bool cancel_requested;
    bool past_return; /* procs of the old generation were told to stop */
    char *tag;
    char *commit_id;
    int64_t build_id;   /* 0: none yet */
    int64_t release_id; /* 0: none yet */
    char *proc_name;
    char *config_name;
    int64_t size;
    int64_t squad_id;
    int64_t pool_id; /* 0: none */
    char *policy_json;
    char *wish_json;
    char *resolve_json;
    char *error_step; /* "": no cause recorded */
    char *error_host;
    char *error_proc;
    char *error_message;
    char *leftovers_json;
    char *warnings_json;
    int64_t created_us;
    int64_t started_us; /* 0: not yet */
    int64_t ended_us;
    char *group_id; /* common to those of one action on many swarms; NULL: none */
    char *retry_of; /* the one whose inputs it took over; NULL: none */
};

VR_DECLARE_ROW(rollout);

VR_MUST_USE
int vr_store_rollout_find(struct vr_tx *tx, const char *id, struct vr_rollout_row *out,
                          struct vr_err *err);
/** The open ones (active first, then queued) of a swarm: at most two. */
VR_MUST_USE
int vr_store_rollout_list_open(struct vr_tx *tx, int64_t swarm_id, struct vr_rollout_rows *out,
                               struct vr_err *err);
/** The newest ended ones of a swarm that were done, newest first. */
VR_MUST_USE
int vr_store_rollout_list_done(struct vr_tx *tx, int64_t swarm_id, int64_t limit,
                               struct vr_rollout_rows *out, struct vr_err *err);

/**
 * Insert with the row's state (queued or active). Of the row are read: id (NULL: a new one is
 * made), swarm_id to resolve_json, created_us, started_us, tag to release_id.
 * @out_id  given; release with free(). May be NULL.
 *
 * Returns -VR_EXISTS when the swarm has one in that state already.
 */
VR_MUST_USE
int vr_store_rollout_insert(struct vr_tx *tx, const struct vr_rollout_row *row, char **out_id,
                            struct vr_err *err);

/** The sums of the wishes of open and current rollouts that have none: older than that column. */
VR_MUST_USE
int vr_store_rollout_fill_sums(struct vr_tx *tx, struct vr_err *err);

/** queued → active with started_us = now; -VR_EXISTS if another one is active. */
VR_MUST_USE
int vr_store_rollout_activate(struct vr_tx *tx, const char *id, struct vr_wall now,
                              struct vr_err *err);
/**
 * End the open step row and begin one; the same step again only moves the deadline. past_return
 * is set and never cleared.
 */
VR_MUST_USE
int vr_store_rollout_step(struct vr_tx *tx, const char *id, const char *step,
                          struct vr_wall deadline, bool past_return, struct vr_wall now,
                          struct vr_err *err);
/**
 * A noteworthy fact within a step. Without host and proc it is the message of the step itself, if
 * that is open and has none.
 * @host, @proc  may be NULL
 */
VR_MUST_USE
int vr_store_rollout_note(struct vr_tx *tx, const char *id, const char *step, const char *host,
                          const char *proc, const char *message, struct vr_wall now,
                          struct vr_err *err);
VR_MUST_USE
int vr_store_rollout_set_phase(struct vr_tx *tx, const char *id, const char *phase,
                               struct vr_wall deadline, struct vr_err *err);

struct vr_rollout_cause {
    const char *step;
    const char *host; /* NULL: none */
    const char *proc; /* NULL: none */
    const char *message;
};
/** Record why it fails; the first cause stays. */
VR_MUST_USE
int vr_store_rollout_set_cause(struct vr_tx *tx, const char *id,
                               const struct vr_rollout_cause *cause, struct vr_err *err);
/** commit and resolve_json, once the tag is resolved. */
VR_MUST_USE
int vr_store_rollout_set_resolved(struct vr_tx *tx, const char *id, const char *commit_id,
                                  const char *resolve_json, struct vr_err *err);
VR_MUST_USE
int vr_store_rollout_set_build(struct vr_tx *tx, const char *id, int64_t build_id,
                               struct vr_err *err);
VR_MUST_USE
int vr_store_rollout_set_release(struct vr_tx *tx, const char *id, int64_t release_id,
                                 struct vr_err *err);
/** Append one JSON value to `leftovers` or `warnings`. */
VR_MUST_USE
int vr_store_rollout_add_leftover(struct vr_tx *tx, const char *id, const char *json,
                                  struct vr_err *err);
VR_MUST_USE
int vr_store_rollout_add_warning(struct vr_tx *tx, const char *id, const char *json,
                                 struct vr_err *err);
/** -VR_EXISTS if it has ended. */
VR_MUST_USE
int vr_store_rollout_request_cancel(struct vr_tx *tx, const char *id, struct vr_err *err);
/** Clear cancel_requested: it is past the point of return. */
VR_MUST_USE
int vr_store_rollout_refuse_cancel(struct vr_tx *tx, const char *id, struct vr_err *err);
/** Ends its open step too. Result done makes it the swarm's current rollout. */
VR_MUST_USE
int vr_store_rollout_end(struct vr_tx *tx, const char *id, const char *result, struct vr_wall now,
                         struct vr_err *err);

#endif
