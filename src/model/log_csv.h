/* SPDX-License-Identifier: MIT */
/* The audit log as comma-separated values: the one list of its columns. */
#ifndef VR_MODEL_LOG_CSV_H
#define VR_MODEL_LOG_CSV_H

#include "fmt/csv.h"
#include "fmt/json.h"

#define VR_LOG_CSV_ROWS 100000 /* entries of one answer */

/** Append the line of titles: time, user, type, message, object_kind, … */
void vr_log_csv_head(struct vr_buf *out);

/** Append the line of an entry as the API has it; what it lacks, or is null, is empty. */
void vr_log_csv_add(struct vr_buf *out, const json_t *entry);

#endif
