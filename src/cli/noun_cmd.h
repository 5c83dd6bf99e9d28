/* SPDX-License-Identifier: MIT */
/* `vr NOUN list|show|add|set|rm` for every noun of the table. */
#ifndef VR_CLI_NOUN_CMD_H
#define VR_CLI_NOUN_CMD_H

#include "cli/command.h"

struct vr_cli_noun_commands;

/** The commands of all nouns, made from their tables. */
struct vr_cli_noun_commands *vr_cli_noun_commands_new(void);
struct vr_cli_noun_commands *vr_cli_noun_commands_free(struct vr_cli_noun_commands *commands);
VR_DEFINE_OWNED(struct vr_cli_noun_commands, vr_cli_noun_commands_free)

/** The verbs of a noun, ended by an entry without name; borrowed. */
const struct vr_command *vr_cli_noun_commands_verbs(const struct vr_cli_noun_commands *commands,
                                                    const char *noun);

#endif
