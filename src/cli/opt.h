/* SPDX-License-Identifier: MIT */
/* Options as tables: one table parses the command line and writes its own help. */
#ifndef VR_CLI_OPT_H
#define VR_CLI_OPT_H

#include "core/buf.h"

#include <stdbool.h>
#include <stdint.h>

enum vr_opt_type {
    VR_OPT_FLAG,  /* bool */
    VR_OPT_TEXT,  /* const char *, the last one wins */
    VR_OPT_INT,   /* struct vr_opt_int, within [min, max] */
    VR_OPT_LIST,  /* struct vr_opt_list, one item each time */
    VR_OPT_WORDS, /* struct vr_opt_list, every word up to the next option */
};

struct vr_opt_int {
    int64_t value;
    bool given;
};

/** Items are borrowed from the argument vector. */
struct vr_opt_list {
    const char **items; /* owned; vr_opt_fini() */
    size_t count;
};

#define VR_OPT_ITEMS_MAX 1000u

struct vr_opt {
    const char *name; /* without the two dashes */
    char letter;      /* 0: none */
    enum vr_opt_type type;
    size_t offset;     /* of the value in the command's struct of values */
    const char *value; /* what the help calls the value */
    const char *help;  /* NULL: works, but is not shown */
    int64_t min, max;  /* of VR_OPT_INT */
};

/** Some options and where their values go; values start zeroed. */
struct vr_opt_set {
    const struct vr_opt *opts; /* borrowed */
    size_t count;
    void *values; /* borrowed */
};

/**
 * Parse `argv` against all sets, the first that knows an option takes it. Options may stand
 * anywhere; `--` ends them; a single `-` is an argument. With `stop_at_arg` the first argument
 * ends them too. Arguments are moved to the front of `argv`, in their order.
 * Returns their number, or -VR_INVALID with a message that names the option.
 */
VR_MUST_USE
int vr_opt_parse(const struct vr_opt_set *sets, size_t set_count, bool stop_at_arg, int argc,
                 char **argv, struct vr_err *err);

/** Release the lists of a set's values. */
void vr_opt_fini(const struct vr_opt_set *set);

/** Append one aligned line or more for every option that has a help text. */
void vr_opt_help(struct vr_buf *out, const struct vr_opt *opts, size_t count);

/** Append two columns as the help has them: `left` indented by two, `right` wrapped beside it. */
void vr_opt_help_line(struct vr_buf *out, const char *left, const char *right);

#endif
