/* SPDX-License-Identifier: MIT */
/* The program `vr`: one tree of commands. */
#include "cli/cli.h"
#include "cli/commands.h"
#include "cli/tree.h"
#include "core/str.h"

#include <string.h>

/* The order of the help, in which the first of a group carries its heading. */
static const struct vr_command *const families[] = {
    /* deploy */
    vr_swarm_commands,
    vr_release_commands,
    vr_rollout_commands,
    vr_build_commands,
    vr_testrun_commands,
    /* look */
    vr_overview_commands,
    vr_proc_commands,
    vr_log_commands,
    vr_event_commands,
    vr_apply_commands,
    vr_find_commands,
    /* look back, look after */
    vr_audit_commands,
    vr_history_commands,
    vr_secret_commands,
    vr_schedule_commands,
    /* people */
    vr_account_commands,
    vr_user_commands,
    /* programs */
    vr_up_commands,
    vr_internal_commands,
    vr_complete_commands,
    vr_help_commands,
    vr_old_commands,
    /* objects; the nouns without commands of their own follow */
    vr_host_commands,
    vr_stack_commands,
    vr_ingredient_commands,
};

/* Whether the program was called by the name of the original's client. */
static bool is_old_name(const char *program)
{
    const char *slash = strrchr(program, '/');

    return vr_streq(slash ? slash + 1 : program, "vr.cli");
}

int main(int argc, char **argv)
{
    VR_OWNED(vr_tree_free) struct vr_tree *tree = vr_tree_new(families, VR_COUNT(families));
    struct vr_cli cli = {.flags = {NULL}};
    int code;

    vr_out_init(&cli.out);
    cli.out.old = argc && is_old_name(argv[0]);
    code = vr_command_main(&cli, vr_tree_root(tree), argc - 1, argv + 1);
    vr_cli_fini(&cli);
    return code;
}
