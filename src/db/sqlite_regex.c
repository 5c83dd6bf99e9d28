/* SPDX-License-Identifier: MIT */
/* Regular expressions in SQLite, which has the operator but no engine. */
#include "db/sqlite_regex.h"

#include "core/str.h"
#include "db/posix_regex.h"

static void pattern_free(void *pattern)
{
    regfree(pattern);
    free(pattern);
}

/* The pattern is the same for all rows of a statement: SQLite keeps its compiled form. */
static void match(sqlite3_context *context, int count, sqlite3_value **args)
{
    const char *text = (const char *)sqlite3_value_text(args[0]);
    const char *pattern = (const char *)sqlite3_value_text(args[1]);
    regex_t *compiled = sqlite3_get_auxdata(context, 1);
    struct vr_err err;

    if (!text || !pattern)
        return; /* null */
    if (!compiled) {
        compiled = vr_alloc(sizeof(*compiled));
        if (vr_regex_compile(pattern, sqlite3_user_data(context) != NULL, compiled, &err) < 0) {
            free(compiled);
            sqlite3_result_error(context, err.msg, -1);
            return;
        }
        sqlite3_result_int(context, regexec(compiled, text, 0, NULL, 0) == 0);
        sqlite3_set_auxdata(context, 1, compiled, pattern_free); /* may free it at once */
        return;
    }
    sqlite3_result_int(context, regexec(compiled, text, 0, NULL, 0) == 0);
}

int vr_sqlite_add_regex(sqlite3 *db, struct vr_err *err)
{
    static const char fold = 1; /* its address is the mark */
    int flags = SQLITE_UTF8 | SQLITE_DETERMINISTIC | SQLITE_DIRECTONLY;

    if (sqlite3_create_function(db, "vr_regex", 2, flags, NULL, match, NULL, NULL) != SQLITE_OK ||
        sqlite3_create_function(db, "vr_iregex", 2, flags, (void *)&fold, match, NULL, NULL) !=
            SQLITE_OK)
        return vr_fail(err, VR_IO, "%s", sqlite3_errmsg(db));
    return 0;
}
