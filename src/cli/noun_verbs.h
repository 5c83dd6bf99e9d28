/* SPDX-License-Identifier: MIT */
/* What the verbs of a noun do: list, show, add, set, rm, history. The noun is the `arg` of the
 * command. */
#ifndef VR_CLI_NOUN_VERBS_H
#define VR_CLI_NOUN_VERBS_H

#include "cli/command.h"
#include "cli/noun.h"

/** The values of the options of every verb. */
struct vr_cli_noun_values {
    const char *fields[VR_CLI_NOUN_FIELDS_MAX]; /* text of the option of the same place */
    struct vr_opt_list set;                     /* FIELD=VALUE for any field of the API */
    struct vr_opt_list env, unset_env;          /* KEY=VALUE, KEY */
    struct vr_opt_list exclude;
    struct vr_opt_int if_version;
    const char *comment;
    bool yes;
};

int vr_cli_noun_list_run(struct vr_cli *cli, const void *opts, int argc, char **argv,
                         struct vr_err *err);
int vr_cli_noun_show_run(struct vr_cli *cli, const void *opts, int argc, char **argv,
                         struct vr_err *err);
int vr_cli_noun_add_run(struct vr_cli *cli, const void *opts, int argc, char **argv,
                        struct vr_err *err);
int vr_cli_noun_set_run(struct vr_cli *cli, const void *opts, int argc, char **argv,
                        struct vr_err *err);
int vr_cli_noun_rm_run(struct vr_cli *cli, const void *opts, int argc, char **argv,
                       struct vr_err *err);
int vr_cli_noun_history_run(struct vr_cli *cli, const void *opts, int argc, char **argv,
                            struct vr_err *err);

/** Swarms are named by a filter, which may mean several. */
bool vr_cli_noun_is_swarm(const struct vr_cli_noun *noun);

/** The number of arguments that `add` wants. */
int vr_cli_noun_added_count(const struct vr_cli_noun *noun);

#endif
