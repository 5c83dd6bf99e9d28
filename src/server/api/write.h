/* SPDX-License-Identifier: MIT */
/* One change asked for through the API: its transaction, its record, its answer. */
#ifndef VR_SERVER_API_WRITE_H
#define VR_SERVER_API_WRITE_H

#include "fmt/hash.h"
#include "server/route.h"
#include "store/resource.h"

#define VR_WRITE_KEY_MAX   200         /* characters of an Idempotency-Key */
#define VR_WRITE_KEPT_MAX  (64u << 10) /* of an answer that is kept under one */
#define VR_WRITE_CHANGES   2000        /* bytes of the text that says what changed */
#define VR_WRITE_WAIT_SECS 30          /* longest ?wait= of any request */

/** From the request to its answer; made by vr_write_run(). */
struct vr_write {
    struct vr_call *call; /* borrowed */
    const void *arg;      /* of vr_write_run() */
    struct vr_tx *tx;     /* a write transaction; NULL once it is committed */
    /* The field that is being read: if the change fails as invalid, the answer names it. Borrowed,
     * NULL for none. */
    const char *field;

    /* The answer, set by the change. A status of 400 and more rolls everything back. */
    int status;
    char *path; /* of what was made: "/api/v1/apps/shop/"; owned */
    char *body; /* JSON text; owned, NULL: none */

    /* Gives the answer itself, after the commit; NULL: what is set above is the answer. */
    void (*reply)(struct vr_write *w);
    void *reply_data;               /* what `reply` wants to know; taken by it */
    void (*reply_free)(void *data); /* if `reply` is not called */

    struct vr_buf changes; /* what differs now, for the log: "version: v1 → v2, env_yaml" */

    /* A version is being restored, and its id. The body is what the version has: references as
     * {"id"}, secrets as the entries of values that are there already. */
    bool is_restore;
    int64_t restores;
    int64_t version; /* id of the version that was written; 0: none, as nothing is different */

    int64_t forgets; /* id of the user whose remembered log-ins end with the commit; 0: none */

    bool is_secret;                       /* the answer is not kept under an Idempotency-Key */
    bool is_dry;                          /* everything is rolled back, whatever the status */
    char request_sum[VR_HASH_SECRET_HEX]; /* keyed; of method, path and body */
};

/** Makes the change in w->tx and sets the answer. */
typedef int vr_write_fn(struct vr_write *w, struct vr_err *err);

/**
 * Run a change in one write transaction, commit it, answer. A POST with an Idempotency-Key whose
 * answer is kept gets that answer again, and nothing is changed.
 * @arg  borrowed; w->arg
 *
 * A handler returns what this returns. Blocks on the database.
 */
VR_MUST_USE
int vr_write_run(struct vr_call *call, vr_write_fn *fn, const void *arg, struct vr_err *err);

/** Set the answer. @path and @body taken, may be NULL. Returns 0, for the last line of a change. */
int vr_write_answer(struct vr_write *w, int status, char *path, char *body);
/** The same, of a JSON value; taken. */
int vr_write_answer_json(struct vr_write *w, int status, char *path, json_t *value);

/**
 * Compare If-Match, if it was sent, with the version of what is to be changed.
 * Returns true if it differs: the answer 412 is set then, which says who changed it since, and
 * nothing is to be done.
 */
bool vr_write_is_outdated(struct vr_write *w, enum vr_resource resource, int64_t id,
                          int64_t row_version);

/** A field that must be there is not: sets w->field, returns -VR_INVALID with the contract's text.
 */
int vr_write_missing(struct vr_write *w, const char *field, struct vr_err *err);

/** Add to w->changes that a field differs now. @old and @now NULL: not shown */
void vr_write_note(struct vr_write *w, const char *field, const char *old, const char *now);

/** What a user did, for the log and for those who watch. All borrowed. */
struct vr_told {
    const char *action;  /* "swarm", "create", … */
    const char *object;  /* "shop-v2-prod-web" */
    const char *detail;  /* what changed; NULL: what was noted, or else the title again */
    const char *page;    /* where the user interface shows it; NULL: nowhere */
    const char *rollout; /* id; NULL: none */
    int64_t swarm_id;    /* 0: none; so the next two */
    int64_t proc_id;
    int64_t host_id;
    const char *resource; /* of the object, for the log: "swarms"; NULL: none */
    int64_t object_id;    /* 0: none */
    const char *name;     /* of the object; NULL: `object` */
    int64_t app_id;       /* that it belongs to; 0: none */
};

/**
 * Write the log entry "<action> <object>" and collect the event "<user>: <action> <object>". The
 * one place that does: every change calls it once, with whom and from where taken from the call.
 */
VR_MUST_USE
int vr_write_tell(struct vr_write *w, const struct vr_told *told, struct vr_err *err);

#endif
