/* SPDX-License-Identifier: MIT */
/* One event a line, key=value, to stderr; only the layer that stops an error logs it. */
#ifndef VR_CORE_LOG_H
#define VR_CORE_LOG_H

#include "core/err.h"

enum vr_log_level {
    VR_LOG_DEBUG, /* for a developer */
    VR_LOG_INFO,  /* state changed */
    VR_LOG_WARN,  /* we coped */
    VR_LOG_ERROR, /* a human must act */
};

/** A place in the program with one field to say which; the parent's field is printed before. */
struct vr_log {
    const struct vr_log *parent; /* borrowed; NULL at the root */
    const char *key;             /* borrowed */
    const char *value;           /* borrowed */
};

/** Bind `key=value` to a log; all pointers are borrowed for the log's life. */
void vr_log_init(struct vr_log *log, const struct vr_log *parent, const char *key,
                 const char *value);

/** Print nothing below `level`. The level is the process's, set once at its start. */
void vr_log_set_level(enum vr_log_level level);

/** Parse debug, info, warn, error. */
VR_MUST_USE
int vr_log_level_parse(const char *name, enum vr_log_level *out, struct vr_err *err);

/** `log` may be NULL. A line is at most 4 KiB, control characters are shown as `?`. */
void vr_log_write(const struct vr_log *log, enum vr_log_level level, const char *fmt, ...)
    VR_PRINTF(3, 4);

#define vr_debug(log, ...) vr_log_write((log), VR_LOG_DEBUG, __VA_ARGS__)
#define vr_info(log, ...)  vr_log_write((log), VR_LOG_INFO, __VA_ARGS__)
#define vr_warn(log, ...)  vr_log_write((log), VR_LOG_WARN, __VA_ARGS__)
#define vr_error(log, ...) vr_log_write((log), VR_LOG_ERROR, __VA_ARGS__)

#endif
