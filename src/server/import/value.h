/* SPDX-License-Identifier: MIT */
/* Values of PostgreSQL's text format as those of our columns. */
#ifndef VR_SERVER_IMPORT_VALUE_H
#define VR_SERVER_IMPORT_VALUE_H

#include "core/err.h"

#include <jansson.h>
#include <stdint.h>

/*
 * How a column of the original becomes one of ours. All read the value `text` (NULL for null) and
 * add members to `out`.
 */
enum vr_import_kind {
    VR_IMPORT_INT,
    VR_IMPORT_INT_NULL,
    VR_IMPORT_BOOL,
    VR_IMPORT_TEXT,      /* null is "" */
    VR_IMPORT_TEXT_NULL, /* "" is null */
    VR_IMPORT_TIME,      /* microseconds; null is 0 */
    VR_IMPORT_TIME_NULL,
    VR_IMPORT_DICT,    /* YAML: members <to>_yaml and <to>_json */
    VR_IMPORT_ENV,     /* the same with names of variables as keys */
    VR_IMPORT_VOLUMES, /* YAML: member <to>_json */
    VR_IMPORT_RESULTS, /* YAML list of uptest results: member <to>_json */
};

/** -VR_INVALID with a sentence about the value. */
VR_MUST_USE
int vr_import_value(enum vr_import_kind kind, const char *text, const char *to, json_t *out,
                    struct vr_err *err);

/** `2015-07-10 15:21:04.84+02` (or without zone: UTC) in microseconds since 1970. */
VR_MUST_USE
int vr_import_time(const char *text, int64_t *out_us, struct vr_err *err);

#endif
