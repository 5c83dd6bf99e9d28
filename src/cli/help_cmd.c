/* SPDX-License-Identifier: MIT */
/* vr help, vr version, and the manual page that the table of commands makes. */
#include "cli/cli.h"
#include "cli/commands.h"
#include "cli/exit.h"
#include "cli/tree.h"
#include "core/str.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

struct values {
    bool man;
};

static const struct vr_opt help_opts[] = {
    {"man", 0, VR_OPT_FLAG, offsetof(struct values, man), NULL,
     "print all of it as a manual page: vr help --man | man -l -"},
};

/* Text as troff wants it: a dot or quote at the start of a line would be a command. */
static void add_text(struct vr_buf *out, const char *text)
{
    bool start = true;

    for (; *text; text++) {
        if (start && (*text == '.' || *text == '\''))
            vr_buf_add(out, "\\&");
        if (*text == '\\')
            vr_buf_add(out, "\\e");
        else if (*text == '-')
            vr_buf_add(out, "\\-");
        else
            vr_buf_addc(out, *text);
        start = *text == '\n';
    }
}

static void add_options(struct vr_buf *out, const struct vr_opt *opts, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (!opts[i].help)
            continue;
        vr_buf_add(out, ".TP\n\\fB");
        if (opts[i].letter)
            vr_buf_addf(out, "\\-%c, ", opts[i].letter);
        vr_buf_add(out, "\\-\\-");
        add_text(out, opts[i].name);
        vr_buf_add(out, "\\fR");
        if (opts[i].type != VR_OPT_FLAG) {
            vr_buf_add(out, " \\fI");
            add_text(out, opts[i].value ? opts[i].value : "VALUE");
            vr_buf_add(out, "\\fR");
        }
        vr_buf_addc(out, '\n');
        add_text(out, opts[i].help);
        vr_buf_addc(out, '\n');
    }
}

static void add_command(void *user, const char *path, const struct vr_command *c)
{
    struct vr_buf *out = user;

    vr_buf_add(out, ".SS ");
    add_text(out, path);
    vr_buf_addc(out, ' ');
    add_text(out, c->args ? c->args : "");
    vr_buf_addc(out, '\n');
    add_text(out, c->summary);
    vr_buf_add(out, ".\n");
    if (c->details) {
        vr_buf_add(out, ".PP\n.nf\n");
        add_text(out, c->details);
        vr_buf_add(out, "\n.fi\n");
    }
    add_options(out, c->opts, c->opt_count);
}

static int print_manual(const struct vr_cli *cli, struct vr_err *err)
{
    vr_auto_buf struct vr_buf out = VR_BUF(VR_OUT_BYTES);

    vr_buf_add(&out,
               ".TH VR 1 \"\" \"velociraptor " VR_VERSION "\" \"Velociraptor\"\n"
               ".SH NAME\nvr \\- Velociraptor, a platform for your own hosts\n"
               ".SH SYNOPSIS\n.B vr\n\\fICOMMAND\\fR [\\fIoptions\\fR]\n.SH DESCRIPTION\n.nf\n");
    add_text(&out, cli->root->details);
    vr_buf_add(&out, "\n.fi\n.SH OPTIONS OF EVERY COMMAND\n");
    add_options(&out, vr_cli_options, vr_cli_option_count);
    vr_buf_add(&out, ".SH COMMANDS\n");
    vr_tree_each(cli->root, add_command, &out);
    vr_buf_add(&out,
               ".SH EXIT STATUS\n"
               "0 done, 1 failed, 2 usage or input that is not valid, 3 conflict, 4 not found, "
               "5 unreachable, 6 not allowed or not logged in, 10 \\-\\-plan \\-\\-exit\\-code and "
               "something would change, 124 time is over, 130 Ctrl\\-C while waiting.\n");
    return vr_out_flush(&out, err);
}

static int run_help(struct vr_cli *cli, const void *opts, int argc, char **argv, struct vr_err *err)
{
    const struct values *v = opts;
    const struct vr_command *c = cli->root;
    vr_auto_buf struct vr_buf path = VR_BUF(VR_OUT_BYTES), text = VR_BUF(VR_OUT_BYTES);

    if (v->man)
        return print_manual(cli, err);
    vr_buf_add(&path, c->name);
    for (int i = 0; i < argc; i++) {
        c = vr_command_find(c->subs, argv[i]);
        if (!c)
            return vr_fail(err, VR_INVALID, "there is no command '%s %s'", vr_buf_text(&path),
                           argv[i]);
        vr_buf_addf(&path, " %.*s", (int)strcspn(c->name, " "), c->name);
    }
    vr_command_help(&text, c, vr_buf_text(&path));
    return vr_out_flush(&text, err);
}

static int run_version(struct vr_cli *cli, const void *opts, int argc, char **argv,
                       struct vr_err *err)
{
    printf("vr %s\n", VR_VERSION);
    return VR_EXIT_OK;
}

const struct vr_command vr_help_commands[] = {
    {.name = "help",
     .args = "[COMMAND…]",
     .summary = "Explain a command, as its -h does",
     VR_COMMAND_OPTS(help_opts, struct values),
     .max_args = 2,
     .run = run_help},
    {.name = "version", .summary = "Show the version of this program", .run = run_version},
    {NULL},
};
