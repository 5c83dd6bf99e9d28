/* SPDX-License-Identifier: MIT */
/* What could stand at the end of a command line that is not finished. */
#ifndef VR_CLI_COMPLETE_H
#define VR_CLI_COMPLETE_H

#include "cli/cli.h"

#define VR_COMPLETE_MS        800 /* the server may take so long; later there are no names */
#define VR_COMPLETE_FRESH_S   10  /* names are asked for again after this */
#define VR_COMPLETE_NAMES_MAX 1000u
#define VR_COMPLETE_BYTES     (1u << 20)

/** What the words before the last one say about it. */
struct vr_complete_place {
    const struct vr_command *command; /* borrowed; as far as the words lead */
    const struct vr_opt *option;      /* whose value the last word is; NULL: an argument */
    const char *arg;                  /* the command's words for its arguments; NULL: none */
    const char *first;                /* the first argument, NULL if it is not there yet */
    const char *second;
    int position;       /* of the argument that the last word is, from 0 */
    const char *prefix; /* what of the last word stands before its value: "--squad=" or "a,b," */
    size_t prefix_len;
    const char *word;   /* the part that is to be completed */
    bool wants_options; /* it begins with a dash */
};

/** Look at all words but `vr`; the last one is the unfinished one, "" if nothing is typed. */
void vr_complete_find(const struct vr_command *root, int argc, char **argv,
                      struct vr_complete_place *out);

/** The word in `args` ("FILTER TAG [PROC…]") of an argument, without brackets; given, "" if none.
 */
char *vr_complete_placeholder(const char *args, int position);

/**
 * Append a line for each word that could stand there: the word, a tab, what it is. Names come from
 * the server, or from what it said some seconds ago; if it does not answer in time there are none.
 */
void vr_complete(struct vr_cli *cli, int argc, char **argv, struct vr_buf *out);

#endif
