/* SPDX-License-Identifier: MIT */
/* The program `vr`: one table of commands. */
#include "cli/cli.h"
#include "cli/commands.h"
#include "cli/noun_cmd.h"
#include "core/str.h"

#define COMMANDS_MAX 64u

static const char details[] =
    "A repository and a tag become a build, the build and its configuration a release, and a\n"
    "release N tested procs behind a balancer.\n\n"
    "  vr up --background                         a whole platform on this machine\n"
    "  vr login\n"
    "  vr app add hello --repo-url https://example.com/hello.git\n"
    "  vr swarm add hello prod web --squad default --size 2 --pool hello\n"
    "  vr swarm hello-prod-web v1 --wait\n"
    "  vr ps; vr logs -f hello; vr rollback hello";

/* The order of the help: what is used daily first. */
static const struct vr_command *const tables[] = {
    vr_swarm_commands,   vr_proc_commands,    vr_log_commands,
    vr_release_commands, vr_rollout_commands, vr_build_commands,
    vr_account_commands, vr_up_commands,      vr_internal_commands,
};

/* Nouns that have commands of their own too: their verbs go below those. */
static const struct vr_command *
merge_verbs(const struct vr_command *own, const struct vr_command *verbs, struct vr_command out[16])
{
    size_t n = 0;

    for (; own && own->name && n < 8; own++)
        out[n++] = *own;
    for (; verbs && verbs->name && n < 15; verbs++)
        out[n++] = *verbs;
    out[n] = (struct vr_command){NULL};
    return out;
}

/* Everything that hangs below `vr`; lives in the caller's frame. */
struct tree {
    struct vr_command commands[COMMANDS_MAX];
    struct vr_command verbs[2][16]; /* of swarm and build */
    size_t count;
};

static void add_own(struct tree *t, const struct vr_cli_noun_commands *nouns)
{
    size_t merged = 0;

    for (size_t i = 0; i < VR_COUNT(tables); i++) {
        for (const struct vr_command *c = tables[i]; c->name; c++) {
            const struct vr_command *verbs = vr_cli_noun_commands_verbs(nouns, c->name);
            struct vr_command *to = &t->commands[t->count++];

            *to = *c;
            if (verbs && merged < VR_COUNT(t->verbs))
                to->subs = merge_verbs(c->subs, verbs, t->verbs[merged++]);
        }
    }
}

static void add_nouns(struct tree *t, const struct vr_cli_noun_commands *nouns)
{
    static const struct {
        const char *name;
        const char *summary;
    } rest[] = {
        {"app", "Apps: repositories that are deployed"},
        {"ingredient", "Ingredients: configuration that swarms share"},
        {"buildpack", "Buildpacks: how code becomes a build"},
        {"squad", "Squads: groups of hosts"},
        {"host", "Hosts: machines with an agent"},
        {"release", "Releases: builds with their configuration"},
        {"balancer", "Balancers: what routes traffic"},
        {"pool", "Pools: the nodes that serve a name"},
        {"user", "Users: list and show"},
    };

    for (size_t i = 0; i < VR_COUNT(rest); i++) {
        t->commands[t->count++] =
            (struct vr_command){.name = rest[i].name,
                                .summary = rest[i].summary,
                                .subs = vr_cli_noun_commands_verbs(nouns, rest[i].name)};
    }
}

int main(int argc, char **argv)
{
    VR_OWNED(vr_cli_noun_commands_free)
    struct vr_cli_noun_commands *nouns = vr_cli_noun_commands_new();
    struct tree tree = {.count = 0};
    struct vr_command root = {.name = "vr",
                              .summary = "Velociraptor, a platform for your own hosts",
                              .details = details,
                              .subs = tree.commands};
    struct vr_cli cli = {.flags = {NULL}};
    int code;

    add_own(&tree, nouns);
    add_nouns(&tree, nouns);
    vr_out_init(&cli.out);
    code = vr_command_main(&cli, &root, argc - 1, argv + 1);
    vr_cli_fini(&cli);
    return code;
}
