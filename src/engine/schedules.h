/* SPDX-License-Identifier: MIT */
/* When scheduled tasks are due: pure, UTC, from a clock that the caller gives. */
#ifndef VR_ENGINE_SCHEDULES_H
#define VR_ENGINE_SCHEDULES_H

#include "core/clock.h"

#include <jansson.h>

enum vr_task {
    VR_TASK_UPTESTS,   /* run the uptests of everything that runs */
    VR_TASK_BUILDS,    /* let builds expire, delete their files */
    VR_TASK_RETENTION, /* delete rows that are past keeping */
    VR_TASK_HOSTS,     /* have hosts remove what they do not need */
    VR_TASK_COUNT,
};

enum vr_schedule_kind { VR_SCHEDULE_OFF, VR_SCHEDULE_EVERY, VR_SCHEDULE_AT };

struct vr_schedule {
    enum vr_schedule_kind kind;
    int64_t secs; /* EVERY: from one start to the next; AT: of the day, UTC */
};

#define VR_SCHEDULE_EVERY_MIN_SECS 1
#define VR_SCHEDULE_EVERY_MAX_SECS (366 * 24 * INT64_C(3600))
#define VR_SCHEDULE_TEXT_BYTES     32

/** The defaults of all tasks. */
void vr_schedules_default(struct vr_schedule out[VR_TASK_COUNT]);

/**
 * Read `schedules:` of the configuration over what is in `out`: {task: {every: 60m}},
 * {task: {at: "12:15"}} or {task: off}. NULL is nothing.
 *
 * Returns -VR_INVALID with a sentence that names task and value; `out` is untouched then.
 */
VR_MUST_USE
int vr_schedules_read(const json_t *config, struct vr_schedule out[VR_TASK_COUNT],
                      struct vr_err *err);

/** The first time after `now`; 0 if it is off. */
int64_t vr_schedule_next(const struct vr_schedule *s, struct vr_wall now);

/**
 * When the next run is due, if `planned_us` (0: nothing) is what was planned at the last one: that
 * time, also if it has passed, so that a run that was missed is made up for once. A plan that a
 * clock set back or another schedule has made too late is made anew. 0 if it is off.
 */
int64_t vr_schedule_due(const struct vr_schedule *s, int64_t planned_us, struct vr_wall now);

/** "every 60m", "at 12:15", "off". */
void vr_schedule_format(const struct vr_schedule *s, char out[VR_SCHEDULE_TEXT_BYTES]);

/** "uptests" and so on. */
const char *vr_task_name(enum vr_task task);
/** -VR_NOT_FOUND with a sentence that lists the tasks. */
VR_MUST_USE
int vr_task_parse(const char *name, enum vr_task *out, struct vr_err *err);

#endif
