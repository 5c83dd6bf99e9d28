/* SPDX-License-Identifier: MIT */
/* Applies the scripts that a database has not seen, in one transaction. */
#include "db/migrate.h"

#include "core/clock.h"
#include "db/db_driver.h"

#include <inttypes.h>

#define NUMBER_DIGITS 4

static int number_of(const struct vr_embed *file, int64_t *out, struct vr_err *err)
{
    if (strlen(file->name) <= NUMBER_DIGITS || file->name[NUMBER_DIGITS] != '_')
        return vr_fail(err, VR_BUG, "migration '%s' has no number", file->name);
    return vr_parse_i64((struct vr_str){file->name, NUMBER_DIGITS}, 1, 9999, out, err);
}

static int applied_version(struct vr_db_tx *tx, int64_t *out, struct vr_err *err)
{
    int r =
        vr_db_exec(tx, NULL, err,
                   "CREATE TABLE IF NOT EXISTS schema_migrations ("
                   "number BIGINT PRIMARY KEY, name TEXT NOT NULL, applied_us BIGINT NOT NULL)");

    if (r < 0)
        return r;
    return vr_db_get_i64(tx, out, err, "SELECT coalesce(max(number), 0) FROM schema_migrations");
}

static int apply(struct vr_db_tx *tx, const struct vr_embed *file, int64_t number,
                 struct vr_err *err)
{
    int r = vr_db_script(tx, (const char *)file->bytes, err);

    if (r == 0)
        r = vr_db_exec(tx, NULL, err,
                       "INSERT INTO schema_migrations (number, name, applied_us)"
                       " VALUES ($1, $2, $3)",
                       VR_I(number), VR_T(file->name), VR_I(vr_wall_now().us));
    return r < 0 ? vr_fail_in(err, r, "migration '%s'", file->name) : 0;
}

static int apply_all(struct vr_db_tx *tx, const struct vr_embed *files, size_t count,
                     int64_t version, struct vr_err *err)
{
    for (size_t i = 0; i < count; i++) {
        int64_t number;
        int r = number_of(&files[i], &number, err);

        if (r < 0)
            return r;
        if (number != (int64_t)i + 1)
            return vr_fail(err, VR_BUG, "migration '%s' is not number %zu", files[i].name, i + 1);
        if (number <= version)
            continue;
        r = apply(tx, &files[i], number, err);
        if (r < 0)
            return r;
    }
    return 0;
}

int vr_db_migrate(struct vr_db *db, const struct vr_embed *files, size_t count,
                  int64_t *out_version, struct vr_err *err)
{
    VR_OWNED(vr_db_tx_free) struct vr_db_tx *tx = NULL;
    const char *lock = vr_db_driver_of(db)->migrate_lock;
    int64_t version;
    int r = vr_db_begin(db, VR_DB_WRITE, &tx, err);

    if (r == 0 && lock)
        r = vr_db_script(tx, lock, err);
    if (r == 0)
        r = applied_version(tx, &version, err);
    if (r < 0)
        return r;
    if (version > (int64_t)count)
        return vr_fail(err, VR_DENIED,
                       "the database has schema %" PRId64 ", this program knows %zu: it was used "
                       "by a newer version; start that one, or restore a backup",
                       version, count);
    r = apply_all(tx, files, count, version, err);
    if (r == 0)
        r = vr_db_commit(tx, err);
    if (r == 0 && out_version)
        *out_version = (int64_t)count;
    return r;
}
