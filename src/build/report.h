/* SPDX-License-Identifier: MIT */
/* What a job says: JSON lines to the agent, and the text of its log to a file. */
#ifndef VR_BUILD_REPORT_H
#define VR_BUILD_REPORT_H

#include "fmt/json.h"

#include <stdbool.h>

/** The log of a job is cut here, and says so. */
#define VR_REPORT_LOG_BYTES_MAX ((size_t)32 << 20)
/** Longest text of one line of the report. */
#define VR_REPORT_TEXT_MAX ((size_t)16 << 10)

struct vr_report;

/** @fd: borrowed. @out: given; release with vr_report_free(). */
struct vr_report *vr_report_new(int fd);
struct vr_report *vr_report_free(struct vr_report *report);
VR_DEFINE_OWNED(struct vr_report, vr_report_free)

/** Keep the log in this file too, from here on. */
VR_MUST_USE
int vr_report_keep(struct vr_report *report, const char *path, struct vr_err *err);

/** A piece of the log; ctx is the report. Bytes that are no UTF-8 become U+FFFD. */
void vr_report_log(void *ctx, const char *text, size_t n);

/** Begin a phase; `name` is borrowed for ever (a literal). */
void vr_report_phase(struct vr_report *report, const char *name);

/** The last line of a job that went well; takes `result`. Returns whether it was written. */
bool vr_report_result(struct vr_report *report, json_t *result);

/** The last line of one that did not; the step is the phase it was in. */
bool vr_report_error(struct vr_report *report, const struct vr_err *err);

#endif
