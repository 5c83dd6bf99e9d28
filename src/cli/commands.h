/* SPDX-License-Identifier: MIT */
/* The tables of commands that the main table is made of; each ended by an entry without name. */
#ifndef VR_CLI_COMMANDS_H
#define VR_CLI_COMMANDS_H

#include "cli/command.h"

extern const struct vr_command vr_account_commands[];    /* login, logout, whoami, token, passwd */
extern const struct vr_command vr_swarm_commands[];      /* swarm, restart, scale */
extern const struct vr_command vr_release_commands[];    /* releases, rollback, release, deploy */
extern const struct vr_command vr_rollout_commands[];    /* rollout */
extern const struct vr_command vr_proc_commands[];       /* ps, proc */
extern const struct vr_command vr_log_commands[];        /* logs */
extern const struct vr_command vr_event_commands[];      /* events */
extern const struct vr_command vr_build_commands[];      /* build, rebuild-all */
extern const struct vr_command vr_stack_commands[];      /* more of stack and image */
extern const struct vr_command vr_host_commands[];       /* more of host and squad */
extern const struct vr_command vr_testrun_commands[];    /* testrun, uptests */
extern const struct vr_command vr_user_commands[];       /* more of user; profile */
extern const struct vr_command vr_secret_commands[];     /* secret, keys */
extern const struct vr_command vr_history_commands[];    /* history, restore */
extern const struct vr_command vr_audit_commands[];      /* log */
extern const struct vr_command vr_schedule_commands[];   /* schedule, retention */
extern const struct vr_command vr_find_commands[];       /* search, open */
extern const struct vr_command vr_ingredient_commands[]; /* more of ingredient */
extern const struct vr_command vr_overview_commands[];   /* overview */
extern const struct vr_command vr_apply_commands[];      /* export, apply */
extern const struct vr_command vr_old_commands[];        /* list-swarms, procs, compare-releases */
extern const struct vr_command vr_complete_commands[];   /* completion, and the table of commands */
extern const struct vr_command vr_help_commands[];       /* help, version */
extern const struct vr_command vr_up_commands[];         /* up, down */
extern const struct vr_command vr_internal_commands[];   /* server, agent and their helpers */

#endif
