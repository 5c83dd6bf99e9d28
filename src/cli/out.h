/* SPDX-License-Identifier: MIT */
/* What a command shows: results on standard output, everything said about them on standard error.
 */
#ifndef VR_CLI_OUT_H
#define VR_CLI_OUT_H

#include "core/buf.h"

#include <jansson.h>
#include <stdbool.h>

enum vr_out_format { VR_OUT_TABLE, VR_OUT_WIDE, VR_OUT_JSON, VR_OUT_YAML, VR_OUT_NAME };

enum vr_style {
    VR_STYLE_NONE,
    VR_STYLE_BOLD,
    VR_STYLE_DIM,
    VR_STYLE_GOOD,
    VR_STYLE_BUSY,
    VR_STYLE_BAD,
};

struct vr_out {
    enum vr_out_format format;
    bool quiet;
    bool old;        /* called as the original's client: speak as it did, and never ask */
    bool ask;        /* both standard input and error are terminals: questions make sense */
    bool live;       /* standard error is a terminal that can be redrawn */
    bool colour;     /* of standard output */
    bool colour_err; /* of standard error */
    bool utf8;       /* signs beyond ASCII may be shown */
    size_t columns;  /* of the terminal that is standard output; 0: none, nothing is cut */
};

/** A text of a command's output may have this many bytes. */
#define VR_OUT_BYTES (64u << 20)

/** Look at the terminals and the environment (NO_COLOR, TERM, LC_ALL, LC_CTYPE, LANG). */
void vr_out_init(struct vr_out *out);

/** Parse table, wide, json, yaml or name. */
VR_MUST_USE
int vr_out_format_parse(const char *name, enum vr_out_format *out, struct vr_err *err);

/** One line about what happens, to standard error; nothing with --quiet. */
void vr_say(const struct vr_out *out, const char *fmt, ...) VR_PRINTF(2, 3);

/** One line that matters also with --quiet: `warning: …`. */
void vr_say_warning(const struct vr_out *out, const char *fmt, ...) VR_PRINTF(2, 3);

/**
 * How many bytes at `text` are one character that a terminal obeys instead of showing it: control
 * characters (of C1, too) and those that turn the direction of writing. 0: none.
 */
size_t vr_out_control(const char *text, const char *end);

/**
 * Append text that others wrote: colours (ESC [ … m), line ends and tabs stay, other characters
 * that a terminal would obey are shown as ^[ and the like.
 */
void vr_out_add_visible(struct vr_buf *buf, const char *text, size_t n);

/** Write text of others to a descriptor: to a terminal made visible, elsewhere as it is. */
VR_MUST_USE
int vr_out_write(int fd, const char *text, size_t n, struct vr_err *err);

/**
 * Write a buffer to standard output, as vr_out_write() does; -VR_IO if that fails (a closed pipe
 * ends in silence).
 */
VR_MUST_USE
int vr_out_flush(const struct vr_buf *text, struct vr_err *err);

/** Write a value as JSON or YAML, as the format says (JSON if it says neither). */
VR_MUST_USE
int vr_out_value(const struct vr_out *out, const json_t *value, struct vr_err *err);

/**
 * Ask a yes-or-no question. Returns 1 for yes (answered by y or yes, or already by `yes`), 0 for no
 * (and says that nothing was changed), or -VR_INVALID, which names --yes, without a terminal.
 */
VR_MUST_USE
int vr_out_confirm(const struct vr_out *out, bool yes, const char *question, struct vr_err *err);

/** Append `text`, dressed if `colour`. */
void vr_style_add(struct vr_buf *buf, bool colour, enum vr_style style, const char *text);

/**
 * Append lines of a difference as the server and fmt/diff.h write them ("- a: 1", "+ a: 2", "~ …",
 * or two spaces), each behind `first` and the others behind as many spaces.
 */
void vr_out_add_diff(struct vr_buf *buf, bool colour, const char *first, const json_t *lines);

/** The style of a word of state: running is good, fatal is bad, starting is busy. */
enum vr_style vr_style_of_state(const char *word);

/** Columns that UTF-8 text takes, each character counted as one. */
size_t vr_text_columns(const char *text);

#endif
