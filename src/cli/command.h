/* SPDX-License-Identifier: MIT */
/* A command of `vr` as an entry of a table: its words, options, arguments and function. */
#ifndef VR_CLI_COMMAND_H
#define VR_CLI_COMMAND_H

#include "cli/opt.h"

struct vr_cli;

/**
 * Do the command. `opts` is its struct of option values, `argv` its arguments without the words
 * that named it. Returns an exit code, or -code with `err` filled, which the caller prints.
 */
typedef int (*vr_command_fn)(struct vr_cli *cli, const void *opts, int argc, char **argv,
                             struct vr_err *err);

struct vr_command {
    const char *name;    /* "rollout"; further spellings follow, each after a space */
    const char *args;    /* for the usage line: "FILTER TAG" */
    const char *summary; /* one line; NULL: works, but is not listed */
    const char *group;   /* a heading of the help that begins with this command; may be NULL */
    const char *details; /* a paragraph or more for its own help; may be NULL */
    const struct vr_opt *opts;
    size_t opt_count;
    size_t opts_size; /* of the struct of values */
    int min_args;
    int max_args;                  /* -1: any number */
    bool raw;                      /* nothing is parsed: all that follows belongs to the function */
    vr_command_fn run;             /* NULL if there are only sub-commands */
    const struct vr_command *subs; /* ended by an entry without name; may be NULL */
    const void *arg;               /* for `run`, as cli->command->arg */
};

/** Fields of an entry for a table of options that fills a struct. */
#define VR_COMMAND_OPTS(table, type)                                                               \
    .opts = (table), .opt_count = VR_COUNT(table), .opts_size = sizeof(type)

/** The entry of `word` in a table ended by an entry without name, NULL if there is none. */
const struct vr_command *vr_command_find(const struct vr_command *table, const char *word);

/** Append usage, details, sub-commands and options. `path` is what was typed: "vr swarm". */
void vr_command_help(struct vr_buf *out, const struct vr_command *command, const char *path);

/** Append the one line that follows "usage: ". */
void vr_command_usage(struct vr_buf *out, const struct vr_command *command, const char *path);

/**
 * Find the command that `argv` names below `root`, parse its options and run it. Prints help, usage
 * and errors. Returns the exit code of the program.
 */
int vr_command_main(struct vr_cli *cli, const struct vr_command *root, int argc, char **argv);

#endif
