/* SPDX-License-Identifier: MIT */
/* Rows that come from another installation. */
#include "store/import.h"

#include "core/buf.h"
#include "fmt/json.h"
#include "store/row.h"

#define SQL_BYTES   4096
#define NAME_LETTER "abcdefghijklmnopqrstuvwxyz0123456789_"

static bool is_name(const char *text)
{
    return vr_str_is_made_of(text, NAME_LETTER, 1, 63);
}

static struct vr_db_value value_of(const json_t *value)
{
    if (json_is_integer(value))
        return VR_I(json_integer_value(value));
    if (json_is_boolean(value))
        return VR_B(json_is_true(value));
    return VR_T(json_string_value(value));
}

/* What the functions of apps and buildpacks write beside the URL of a repository. */
static json_t *completed(const json_t *row)
{
    const char *url = json_string_value(json_object_get(row, "repo_url"));
    vr_auto_free char *shown = vr_row_shown_url(url);
    json_t *out = json_copy((json_t *)row);

    if (shown)
        json_object_set_new(out, "shown_url", json_string(shown));
    return out;
}

int vr_store_import_row(struct vr_tx *tx, const char *table, const json_t *given,
                        struct vr_err *err)
{
    vr_auto_json json_t *row = completed(given);
    struct vr_db_value values[VR_IMPORT_COLUMNS_MAX];
    vr_auto_buf struct vr_buf sql = VR_BUF(SQL_BYTES);
    vr_auto_buf struct vr_buf places = VR_BUF(SQL_BYTES);
    size_t n = 0;
    const char *column;
    json_t *value;

    vr_buf_addf(&sql, "INSERT INTO %s (", table);
    json_object_foreach (row, column, value) {
        if (n == VR_IMPORT_COLUMNS_MAX || !is_name(column) || !is_name(table))
            return vr_fail(err, VR_BUG, "'%s.%s' is no column to import", table, column);
        values[n++] = value_of(value);
        vr_buf_addf(&sql, "%s%s", n > 1 ? ", " : "", column);
        vr_buf_addf(&places, "%s$%zu", n > 1 ? ", " : "", n);
    }
    vr_buf_addf(&sql, ") VALUES (%s)", vr_buf_text(&places));
    return vr_db_exec_values(tx->db, NULL, err, vr_buf_text(&sql), values, n);
}

int vr_store_import_begin(struct vr_tx *tx, struct vr_err *err)
{
    /* What must not be there, and how it is asked for. */
    static const struct {
        const char *title, *sql;
    } tables[] = {
        {"apps", "SELECT count(*) FROM apps"},
        {"squads", "SELECT count(*) FROM squads"},
        {"hosts", "SELECT count(*) FROM hosts"},
        {"ingredients", "SELECT count(*) FROM ingredients"},
        {"stacks", "SELECT count(*) FROM stacks"},
        {"dashboards", "SELECT count(*) FROM dashboards"},
        {"buildpacks of its own",
         "SELECT count(*) FROM buildpacks WHERE repo_url NOT LIKE 'builtin:%'"},
        {"users who have logged in", "SELECT count(*) FROM users WHERE last_login_us IS NOT NULL"},
        {"users", "SELECT CASE WHEN count(*) > 1 THEN count(*) ELSE 0 END FROM users"},
    };
    static const char *const first_start[] = {"DELETE FROM buildpacks", "DELETE FROM tokens",
                                              "DELETE FROM sessions", "DELETE FROM users"};
    int r = 0;

    for (size_t i = 0; i < VR_COUNT(tables) && r == 0; i++) {
        int64_t count;

        r = vr_db_get_i64(tx->db, &count, err, tables[i].sql);
        if (r == 0 && count)
            return vr_fail(err, VR_EXISTS,
                           "the database has %" PRId64 " %s already: import into a new one", count,
                           tables[i].title);
    }
    for (size_t i = 0; i < VR_COUNT(first_start) && r == 0; i++)
        r = vr_db_exec(tx->db, NULL, err, first_start[i]);
    return r;
}
