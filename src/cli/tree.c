/* SPDX-License-Identifier: MIT */
/* The whole tree of commands: families of commands, and the verbs of every noun. */
#include "cli/tree.h"

#include "cli/noun.h"
#include "cli/noun_cmd.h"
#include "core/str.h"

#include <string.h>

static const char details[] =
    "A repository and a tag become a build, the build and its configuration a release, and a\n"
    "release N tested procs behind a balancer.\n\n"
    "  vr up --background                         a whole platform on this machine\n"
    "  vr login\n"
    "  vr app add hello --repo-url https://example.com/hello.git\n"
    "  vr swarm add hello prod web --squad default --size 2 --pool hello\n"
    "  vr swarm hello-prod-web v1 --wait\n"
    "  vr ps; vr logs -f hello; vr rollback hello";

struct vr_tree {
    struct vr_cli_noun_commands *nouns;
    struct vr_command root;
    struct vr_command *commands; /* ended by an entry without name */
    size_t count;
    struct vr_command **merged; /* lists of verbs that were made here */
    size_t merged_count;
};

static size_t length(const struct vr_command *table)
{
    size_t n = 0;

    while (table && table[n].name)
        n++;
    return n;
}

/* The first spelling of a command. */
static char *word_of(const struct vr_command *c)
{
    return vr_strndup(c->name, strcspn(c->name, " "));
}

/* The command's own verbs, then those of the noun that it does not have itself. */
static const struct vr_command *merge(struct vr_tree *t, const struct vr_command *own,
                                      const struct vr_command *verbs)
{
    struct vr_command *list = vr_alloc_array(length(own) + length(verbs) + 1, sizeof(list[0]));
    size_t n = 0;

    for (const struct vr_command *c = own; c && c->name; c++)
        list[n++] = *c;
    for (const struct vr_command *c = verbs; c && c->name; c++) {
        vr_auto_free char *word = word_of(c);

        if (!vr_command_find(own, word))
            list[n++] = *c;
    }
    t->merged = vr_realloc_array(t->merged, t->merged_count + 1, sizeof(t->merged[0]));
    t->merged[t->merged_count++] = list;
    return list;
}

static void add(struct vr_tree *t, const struct vr_command *c)
{
    t->commands = vr_realloc_array(t->commands, t->count + 2, sizeof(t->commands[0]));
    t->commands[t->count++] = *c;
    t->commands[t->count] = (struct vr_command){NULL};
}

static void add_family(struct vr_tree *t, const struct vr_command *family)
{
    for (const struct vr_command *c = family; c->name; c++) {
        vr_auto_free char *word = word_of(c);
        const struct vr_cli_noun *noun = vr_cli_noun_find(word);
        struct vr_command made = *c;

        if (noun) {
            made.subs = merge(t, c->subs, vr_cli_noun_commands_verbs(t->nouns, word));
            made.summary = c->summary ? c->summary : noun->about;
        }
        add(t, &made);
    }
}

static void add_nouns(struct vr_tree *t)
{
    for (size_t i = 0; i < vr_cli_noun_count; i++) {
        const struct vr_cli_noun *noun = &vr_cli_nouns[i];
        struct vr_command made = {.name = noun->name, .summary = noun->about};

        if (vr_command_find(t->commands, noun->name))
            continue;
        made.subs = vr_cli_noun_commands_verbs(t->nouns, noun->name);
        add(t, &made);
    }
}

struct vr_tree *vr_tree_new(const struct vr_command *const *families, size_t count)
{
    struct vr_tree *t = vr_alloc(sizeof(*t));

    t->nouns = vr_cli_noun_commands_new();
    for (size_t i = 0; i < count; i++)
        add_family(t, families[i]);
    add_nouns(t);
    t->root = (struct vr_command){.name = "vr",
                                  .summary = "Velociraptor, a platform for your own hosts",
                                  .details = details,
                                  .subs = t->commands};
    return t;
}

struct vr_tree *vr_tree_free(struct vr_tree *t)
{
    if (!t)
        return NULL;
    for (size_t i = 0; i < t->merged_count; i++)
        free(t->merged[i]);
    free(t->merged);
    free(t->commands);
    vr_cli_noun_commands_free(t->nouns);
    free(t);
    return NULL;
}

const struct vr_command *vr_tree_root(const struct vr_tree *t)
{
    return &t->root;
}

void vr_tree_each(const struct vr_command *root, vr_tree_fn fn, void *user)
{
    for (const struct vr_command *c = root->subs; c && c->name; c++) {
        vr_auto_free char *word = word_of(c);
        vr_auto_free char *path = vr_strf("%s %s", root->name, word);

        if (c->run && c->summary)
            fn(user, path, c);
        for (const struct vr_command *v = c->subs; v && v->name; v++) {
            vr_auto_free char *verb = word_of(v);
            vr_auto_free char *longer = vr_strf("%s %s", path, verb);

            if (v->run && v->summary)
                fn(user, longer, v);
        }
    }
}
