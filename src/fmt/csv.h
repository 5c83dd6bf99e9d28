/* SPDX-License-Identifier: MIT */
/* Comma-separated values (RFC 4180) that a spreadsheet shows and does not execute. */
#ifndef VR_FMT_CSV_H
#define VR_FMT_CSV_H

#include "core/buf.h"
#include "core/str.h"

#define VR_CSV_TYPE "text/csv; charset=utf-8; header=present"

/**
 * Append a cell, in quotes where it needs them. One that begins with = + - @, a tab or a carriage
 * return would be a formula to a spreadsheet: it gets a ' before it.
 * @is_first  of its line: no comma before it
 */
void vr_csv_cell(struct vr_buf *out, struct vr_str cell, bool is_first);

/** End the line. */
void vr_csv_end(struct vr_buf *out);

#endif
