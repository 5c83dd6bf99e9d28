/* SPDX-License-Identifier: MIT */
/* The functions that stand for @REGEX@ and @IREGEX@ in SQLite. */
#ifndef VR_DB_SQLITE_REGEX_H
#define VR_DB_SQLITE_REGEX_H

#include "core/err.h"

#include <sqlite3.h>

/** Make `vr_regex(text, pattern)` and `vr_iregex(text, pattern)` known to a connection. */
VR_MUST_USE
int vr_sqlite_add_regex(sqlite3 *db, struct vr_err *err);

#endif
