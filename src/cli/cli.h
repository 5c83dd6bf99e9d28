/* SPDX-License-Identifier: MIT */
/* What every command of the command line shares: common options, output, and the server. */
#ifndef VR_CLI_CLI_H
#define VR_CLI_CLI_H

#include "cli/command.h"
#include "cli/config.h"
#include "cli/out.h"

struct vr_api;

/** The values of the options that every command takes. */
struct vr_cli_flags {
    const char *url;
    const char *username;
    const char *output;
    const char *log_level;
    bool insecure;
    bool quiet;
    bool json;
    bool help;
    bool version;
};

struct vr_cli {
    struct vr_cli_flags flags;
    struct vr_out out;
    bool trace;                       /* show every request */
    const struct vr_command *root;    /* borrowed; the whole tree */
    const struct vr_command *command; /* borrowed; the one that runs */
    struct vr_api *api;               /* owned; opened by vr_cli_api() */
};

extern const struct vr_opt vr_cli_options[];
extern const size_t vr_cli_option_count;

/**
 * The server of this command: from options, environment and configuration. Opened on first use and
 * kept; *out is borrowed. Nothing is sent yet.
 */
VR_MUST_USE
int vr_cli_api(struct vr_cli *cli, struct vr_api **out, struct vr_err *err);

/** Settle the output format after the options were parsed. */
VR_MUST_USE
int vr_cli_settle(struct vr_cli *cli, struct vr_err *err);

void vr_cli_fini(struct vr_cli *cli);

#endif
