/* SPDX-License-Identifier: MIT */
/* A command of `vr` as an entry of a table: found, its options parsed, run.
 *
 * The words of the command line lead down a tree of tables. A command may have sub-commands and a
 * function of its own: `vr swarm list` is a verb, `vr swarm shop v2` is not.
 */
#include "cli/command.h"

#include "cli/cli.h"
#include "cli/exit.h"
#include "core/str.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define HELP_BYTES (64u << 10)
#define PATH_BYTES 256u

struct call {
    struct vr_cli *cli;
    const struct vr_command *command;
    struct vr_buf path; /* "vr rollout show" */
    int argc;
    char **argv;
};

/* Whether `word` is one of the spellings in `names`, which are separated by spaces. */
static bool is_named(const char *names, const char *word)
{
    size_t n = strlen(word);

    while (*names) {
        size_t len = strcspn(names, " ");

        if (len == n && !memcmp(names, word, n))
            return true;
        names += len + (names[len] == ' ');
    }
    return false;
}

const struct vr_command *vr_command_find(const struct vr_command *table, const char *word)
{
    for (; table && table->name; table++) {
        if (is_named(table->name, word))
            return table;
    }
    return NULL;
}

void vr_command_usage(struct vr_buf *out, const struct vr_command *c, const char *path)
{
    if (c->run)
        vr_buf_addf(out, "%s%s%s%s\n", path, c->args ? " " : "", c->args ? c->args : "",
                    c->opt_count ? " [options]" : "");
    if (c->run && c->subs)
        vr_buf_add(out, "       ");
    if (c->subs)
        vr_buf_addf(out, "%s COMMAND …\n", path);
}

static void add_subs(struct vr_buf *out, const struct vr_command *subs)
{
    for (; subs && subs->name; subs++) {
        vr_auto_free char *left = NULL;

        if (!subs->summary)
            continue;
        if (subs->group)
            vr_buf_addf(out, "\n%s:\n", subs->group);
        left = vr_strf("%.*s%s%s", (int)strcspn(subs->name, " "), subs->name,
                       subs->args && !subs->subs ? " " : "",
                       subs->args && !subs->subs ? subs->args : "");
        vr_opt_help_line(out, left, subs->summary);
    }
}

void vr_command_help(struct vr_buf *out, const struct vr_command *c, const char *path)
{
    vr_buf_add(out, "usage: ");
    vr_command_usage(out, c, path);
    if (c->summary)
        vr_buf_addf(out, "\n%s.\n", c->summary);
    if (c->details)
        vr_buf_addf(out, "\n%s\n", c->details);
    if (c->subs) {
        if (!c->subs->group)
            vr_buf_add(out, "\ncommands:\n");
        add_subs(out, c->subs);
    }
    if (c->opt_count) {
        vr_buf_add(out, "\noptions:\n");
        vr_opt_help(out, c->opts, c->opt_count);
    }
    vr_buf_add(out, "\noptions of every command:\n");
    vr_opt_help(out, vr_cli_options, vr_cli_option_count);
}

static int print_help(const struct call *call, FILE *to)
{
    vr_auto_buf struct vr_buf text = VR_BUF(HELP_BYTES);

    vr_command_help(&text, call->command, vr_buf_text(&call->path));
    fputs(vr_buf_text(&text), to);
    return to == stdout ? VR_EXIT_OK : VR_EXIT_USAGE;
}

static int fail(const struct call *call, const struct vr_err *err)
{
    bool colour = call->cli->out.colour_err;
    vr_auto_buf struct vr_buf text = VR_BUF(HELP_BYTES);

    /* Whoever reads our output has gone: nobody wants to hear of it. */
    if (err->sys == EPIPE)
        return VR_EXIT_FAILED;
    vr_out_add_visible(&text, err->msg, strlen(err->msg));
    fprintf(stderr, "%s%s:%s %s\n", colour ? "\033[31m" : "", vr_buf_text(&call->path),
            colour ? "\033[0m" : "", vr_buf_text(&text));
    return (int)vr_exit_of_code(err->code);
}

static int fail_usage(const struct call *call, const struct vr_err *err)
{
    vr_auto_buf struct vr_buf usage = VR_BUF(HELP_BYTES);
    int code = fail(call, err);

    vr_command_usage(&usage, call->command, vr_buf_text(&call->path));
    fprintf(stderr, "usage: %stry '%s --help'\n", vr_buf_text(&usage), vr_buf_text(&call->path));
    return code;
}

/* Go down as far as the words name commands. Returns -1 to go on, or an exit code. */
static int descend(struct call *call)
{
    struct vr_opt_set globals = {vr_cli_options, vr_cli_option_count, &call->cli->flags};
    struct vr_err err = VR_ERR_NULL;

    while (call->command->subs) {
        const struct vr_command *sub = NULL;
        int n;

        /* With a function of its own, options may be the function's: they are left alone. */
        if (!call->command->run) {
            n = vr_opt_parse(&globals, 1, true, call->argc, call->argv, &err);
            if (n < 0)
                return fail_usage(call, &err);
            call->argc = n;
            if (call->cli->flags.version) {
                printf("vr %s\n", VR_VERSION);
                return VR_EXIT_OK;
            }
            if (!n && call->cli->out.old) {
                print_help(call, stdout);
                return VR_EXIT_FAILED;
            }
            if (!n || call->cli->flags.help)
                return print_help(call, call->cli->flags.help ? stdout : stderr);
        }
        if (call->argc)
            sub = vr_command_find(call->command->subs, call->argv[0]);
        if (!sub && call->command->run)
            return -1;
        if (!sub) {
            vr_fail(&err, VR_INVALID, "unknown command '%s'", call->argv[0]);
            return fail_usage(call, &err);
        }
        vr_buf_addf(&call->path, " %.*s", (int)strcspn(sub->name, " "), sub->name);
        call->command = sub;
        call->argc--;
        call->argv++;
    }
    return -1;
}

static int check_arg_count(const struct vr_command *c, int n, char **argv, struct vr_err *err)
{
    if (n < c->min_args)
        return vr_fail(err, VR_INVALID, "%s wanted", n || !c->args ? "more arguments" : c->args);
    if (c->max_args >= 0 && n > c->max_args)
        return vr_fail(err, VR_INVALID, "unexpected argument '%s'", argv[c->max_args]);
    return 0;
}

static int run(struct call *call)
{
    const struct vr_command *c = call->command;
    vr_auto_free void *values = vr_alloc(c->opts_size + 1);
    struct vr_opt_set sets[] = {{c->opts, c->opt_count, values},
                                {vr_cli_options, vr_cli_option_count, &call->cli->flags}};
    struct vr_err err = VR_ERR_NULL;
    int n = vr_opt_parse(sets, VR_COUNT(sets), false, call->argc, call->argv, &err);
    int r = n;

    if (r >= 0 && call->cli->flags.help) {
        vr_opt_fini(&sets[0]);
        return print_help(call, stdout);
    }
    if (r >= 0)
        r = check_arg_count(c, n, call->argv, &err);
    if (r >= 0)
        r = vr_cli_settle(call->cli, &err);
    if (r < 0) {
        vr_opt_fini(&sets[0]);
        return fail_usage(call, &err);
    }
    call->cli->command = c;
    r = c->run(call->cli, values, n, call->argv, &err);
    vr_opt_fini(&sets[0]);
    return r < 0 ? fail(call, &err) : r;
}

int vr_command_main(struct vr_cli *cli, const struct vr_command *root, int argc, char **argv)
{
    struct call call = {
        .cli = cli, .command = root, .path = VR_BUF(PATH_BYTES), .argc = argc, .argv = argv};
    struct vr_err err = VR_ERR_NULL;
    int code;

    cli->root = root;
    vr_buf_add(&call.path, root->name);
    code = descend(&call);
    if (code < 0 && call.command->raw) {
        code = call.command->run(cli, NULL, call.argc, call.argv, &err);
        if (code < 0)
            code = fail(&call, &err);
    } else if (code < 0) {
        code = run(&call);
    }
    vr_buf_fini(&call.path);
    return code;
}
