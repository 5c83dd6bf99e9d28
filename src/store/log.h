/* SPDX-License-Identifier: MIT */
/* The audit log: who changed what, when and from where. */
#ifndef VR_STORE_LOG_H
#define VR_STORE_LOG_H

#include "store/store.h"

#define VR_LOG_DETAIL_MAX 4000 /* bytes of the text that says what changed; more is cut off */

/** All borrowed; texts may be NULL unless said otherwise. */
struct vr_log_entry {
    const char *type;    /* build, swarm, deploy, destroy, create, …; not NULL */
    int64_t user_id;     /* 0: nobody, or the platform itself */
    const char *message; /* not NULL */
    const char *remote;  /* address of the client */
    const char *username;
    const char *via;      /* how the user logged in: basic, token <name>, session; engine */
    const char *resource; /* "swarms"; NULL: it is about no object */
    int64_t object_id;    /* 0: none */
    const char *object_name;
    int64_t app_id;         /* 0: it belongs to no app */
    const char *app_name;   /* NULL: looked up by app_id */
    const char *rollout_id; /* NULL: none */
    const char *detail;     /* what changed; never a secret */
};

VR_MUST_USE
int vr_store_log_add(struct vr_tx *tx, const struct vr_log_entry *entry, struct vr_wall now,
                     struct vr_err *err);

/** The id of the newest entry; 0 if there is none. */
VR_MUST_USE
int vr_store_log_last(struct vr_tx *tx, int64_t *out, struct vr_err *err);

#endif
