/* SPDX-License-Identifier: MIT */
/* Writers of words for states: the same in the overview, in lists and in details. */
#include "fmt/json.h"
#include "model/words.h"
#include "store/shape.h"

/* Columns: actual, reported, tested, passed, restarts, exit_json, state of the host. */
void vr_write_proc_words(struct vr_buf *out, struct vr_db_rows *rows, int column,
                         struct vr_wall now)
{
    vr_auto_json json_t *exit = NULL;
    struct vr_words_proc p = {.actual = vr_db_text(rows, column),
                              .reported = vr_db_text(rows, column + 1),
                              .tested = vr_db_text(rows, column + 2),
                              .passed = vr_db_bool(rows, column + 3),
                              .restarts = vr_db_i64(rows, column + 4),
                              .is_stale = !vr_streq(vr_db_text(rows, column + 6), "live")};
    char text[VR_WORDS_BYTES];

    if (vr_streq(p.actual, "exited") &&
        vr_json_parse(vr_db_str(rows, column + 5), VR_JSON_BYTES, &exit, NULL) == 0) {
        p.exit_code = json_integer_value(json_object_get(exit, "code"));
        p.exit_signal = json_integer_value(json_object_get(exit, "signal"));
        p.oom = json_is_true(json_object_get(exit, "oom"));
    }
    vr_words_of_proc(&p, text);
    vr_shape_quote(out, vr_str(text));
}

/* Columns: state, result, phase, step, leftovers_json. */
void vr_write_rollout_words(struct vr_buf *out, struct vr_db_rows *rows, int column,
                            struct vr_wall now)
{
    char text[VR_WORDS_BYTES];

    vr_words_of_rollout(vr_db_text(rows, column), vr_db_text(rows, column + 1),
                        vr_db_text(rows, column + 2), vr_db_text(rows, column + 3),
                        vr_db_str(rows, column + 4).n > 2, text);
    vr_shape_quote(out, vr_str(text));
}

void vr_write_build_words(struct vr_buf *out, struct vr_db_rows *rows, int column,
                          struct vr_wall now)
{
    vr_shape_quote(out, vr_str(vr_words_of_build(vr_db_text(rows, column))));
}
