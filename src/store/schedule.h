/* SPDX-License-Identifier: MIT */
/* Scheduled tasks: their last run and the next one. */
#ifndef VR_STORE_SCHEDULE_H
#define VR_STORE_SCHEDULE_H

#include "store/store.h"

struct vr_schedule_row {
    char *task;
    int64_t planned_us; /* 0: nothing planned yet */
    bool asked;         /* somebody wants it now */
    int64_t runs;       /* begun so far */
    int64_t started_us; /* 0: never */
    int64_t ended_us;   /* 0: never, or it runs */
    char *result;       /* one sentence */
};

VR_DECLARE_ROW(schedule);

/** The row of a task; an empty one if it has none yet. */
VR_MUST_USE
int vr_store_schedule_find(struct vr_tx *tx, const char *task, struct vr_schedule_row *out,
                           struct vr_err *err);
/** When it is due next. */
VR_MUST_USE
int vr_store_schedule_plan(struct vr_tx *tx, const char *task, int64_t planned_us,
                           struct vr_err *err);
/** It shall run as soon as it can. */
VR_MUST_USE
int vr_store_schedule_ask(struct vr_tx *tx, const char *task, struct vr_err *err);
/** It begins: runs + 1, nobody asks any more, the next one is planned. */
VR_MUST_USE
int vr_store_schedule_start(struct vr_tx *tx, const char *task, int64_t planned_us,
                            struct vr_wall now, struct vr_err *err);
/** It ended with this sentence; nothing if it does not run. */
VR_MUST_USE
int vr_store_schedule_end(struct vr_tx *tx, const char *task, const char *result,
                          struct vr_wall now, struct vr_err *err);

/** Have every host remove what it does not need: their desired states carry a new number. */
VR_MUST_USE
int vr_store_schedule_touch_hosts(struct vr_tx *tx, struct vr_err *err);

#endif
