/* SPDX-License-Identifier: MIT */
/* `vr NOUN list|show|add|set|rm|history` for every noun of the table.
 *
 * The fields of a noun become options of `add` and `set`, so the option tables are made at the
 * start of the program. The values of such a command are one array of texts, a place for each
 * field, and the options that all nouns have.
 */
#include "cli/noun_cmd.h"

#include "cli/noun_verbs.h"
#include "core/str.h"

#include <ctype.h>
#include <string.h>

#define VERBS       6
#define COMMON_OPTS 7u /* that are added to those of the fields */

static const struct vr_opt opt_set = {"set",         0,
                                      VR_OPT_LIST,   offsetof(struct vr_cli_noun_values, set),
                                      "FIELD=VALUE", "any field of the API"};
static const struct vr_opt opt_env = {"env",       'e',
                                      VR_OPT_LIST, offsetof(struct vr_cli_noun_values, env),
                                      "KEY=VALUE", "set one variable of its environment"};
static const struct vr_opt opt_unset = {"unset-env", 0,
                                        VR_OPT_LIST, offsetof(struct vr_cli_noun_values, unset_env),
                                        "KEY",       "remove one variable of its environment"};
static const struct vr_opt opt_comment = {"comment",   0,
                                          VR_OPT_TEXT, offsetof(struct vr_cli_noun_values, comment),
                                          "TEXT",      "what its history says about the change"};
static const struct vr_opt opt_exclude = {"exclude",   'x',
                                          VR_OPT_LIST, offsetof(struct vr_cli_noun_values, exclude),
                                          "PATTERN",   "leave out swarms whose name contains it"};
static const struct vr_opt opt_if_version = {"if-version",
                                             0,
                                             VR_OPT_INT,
                                             offsetof(struct vr_cli_noun_values, if_version),
                                             "N",
                                             "only if nobody changed it since version N",
                                             1,
                                             INT64_MAX};
static const struct vr_opt opt_yes = {
    "yes", 'y', VR_OPT_FLAG, offsetof(struct vr_cli_noun_values, yes), NULL, "do not ask"};

struct noun_entry {
    struct vr_opt *opts; /* of add and set; those of rm and list are its tail */
    size_t opt_count;
    char *args[VERBS];
    char *summaries[VERBS];
    struct vr_command verbs[VERBS + 1];
};

struct vr_cli_noun_commands {
    struct noun_entry *entries;
};

/* Options of add and set: fields first, then what all nouns have; --comment,
 * --exclude, --if-version and --yes are last. */
static void make_opts(struct noun_entry *e, const struct vr_cli_noun *noun)
{
    bool has_env = vr_cli_noun_field(noun, "env_yaml") != NULL;

    e->opts = vr_alloc_array(noun->field_count + COMMON_OPTS, sizeof(e->opts[0]));
    for (size_t i = 0; i < noun->field_count; i++) {
        const struct vr_field *f = &noun->fields[i];
        char *name = vr_strdup(f->option ? f->option : f->name);

        for (char *c = name; *c; c++)
            *c = *c == '_' ? '-' : *c;
        e->opts[e->opt_count++] = (struct vr_opt){
            .name = name,
            .type = VR_OPT_TEXT,
            .offset = offsetof(struct vr_cli_noun_values, fields) + i * sizeof(const char *),
            .value = f->value,
            .help = f->help,
        };
    }
    e->opts[e->opt_count++] = opt_set;
    if (has_env) {
        e->opts[e->opt_count++] = opt_env;
        e->opts[e->opt_count++] = opt_unset;
    }
    e->opts[e->opt_count++] = opt_comment;
    if (vr_cli_noun_is_swarm(noun))
        e->opts[e->opt_count++] = opt_exclude;
    e->opts[e->opt_count++] = opt_if_version;
    e->opts[e->opt_count++] = opt_yes;
}

static char *added_args(const struct vr_cli_noun *noun)
{
    vr_auto_buf struct vr_buf b = VR_BUF(256);
    char *text = NULL;

    for (const char *c = noun->added; *c; c++) {
        if (!strncmp(c, "_name", 5)) {
            c += 4;
            continue;
        }
        vr_buf_addc(&b, (char)toupper(*c));
    }
    vr_buf_add(&b, " [FIELD=VALUE…]");
    vr_ignore(vr_buf_finish(&b, &text, NULL), "names of fields are short");
    return text;
}

enum verb { LIST, SHOW, ADD, SET, RM, HISTORY };

static const struct {
    const char *name;
    const char *summary; /* before "apps" or "an app" */
    const char *args;    /* %s is the noun; NULL: made from what `add` wants */
    const char *swarm_args;
    int min_args, max_args;
    vr_command_fn run;
} verbs[VERBS] = {
    [LIST] = {"list ls", "List", "[PATTERN]", "[FILTER]", 0, 1, vr_cli_noun_list_run},
    [SHOW] = {"show", "Show all of", "%s…", "FILTER…", 1, -1, vr_cli_noun_show_run},
    [ADD] = {"add create", "Add", NULL, NULL, 0, -1, vr_cli_noun_add_run},
    [SET] = {"set", "Change", "%s [FIELD=VALUE…]", "FILTER [FIELD=VALUE…]", 1, -1,
             vr_cli_noun_set_run},
    [RM] = {"rm remove delete", "Remove", "%s…", "FILTER…", 1, -1, vr_cli_noun_rm_run},
    [HISTORY] = {"history", "List the versions of", "%s", "SWARM", 1, 1, vr_cli_noun_history_run},
};

/* The part of the noun's options that a verb takes. */
static void set_opts(struct vr_command *c, const struct noun_entry *e,
                     const struct vr_cli_noun *noun, enum verb verb)
{
    size_t swarm = vr_cli_noun_is_swarm(noun); /* has --exclude before the last two */
    size_t first = 0, end = e->opt_count;

    switch (verb) {
    case LIST:
    case SHOW:
        first = end - 2 - swarm;
        end -= 2;
        break;
    case ADD:
        /* What its arguments name comes first in the table, and is no option. */
        while (first < noun->field_count && strstr(noun->added, noun->fields[first].name))
            first++;
        end -= 2 + swarm;
        break;
    case SET:
        break;
    case HISTORY:
        return;
    case RM:
        first = end - 3 - swarm;
        break;
    }
    c->opts = e->opts + first;
    c->opt_count = end - first;
    c->opts_size = sizeof(struct vr_cli_noun_values);
}

/* The arguments of a verb, with the noun in capitals where its name goes. */
static char *args_of(const struct vr_cli_noun *noun, enum verb v)
{
    const char *text = vr_cli_noun_is_swarm(noun) ? verbs[v].swarm_args : verbs[v].args;
    const char *hole = strstr(text, "%s");
    vr_auto_free char *name = vr_strdup(noun->name);

    if (!hole)
        return vr_strdup(text);
    for (char *c = name; *c; c++)
        *c = (char)toupper(*c);
    return vr_strf("%.*s%s%s", (int)(hole - text), text, name, hole + 2);
}

static void make_verbs(struct noun_entry *e, const struct vr_cli_noun *noun)
{
    const char *article = strchr("aeio", noun->name[0]) ? "an" : "a";
    vr_auto_free char *many = vr_strf("%ss", noun->name);
    vr_auto_free char *one = vr_strf("%s %s", article, noun->name);
    struct vr_command *to = e->verbs;

    for (size_t v = 0; v < VERBS; v++) {
        if ((v == ADD && !noun->added) || (v >= SET && !noun->field_count))
            continue;
        e->args[v] = v == ADD ? added_args(noun) : args_of(noun, (enum verb)v);
        e->summaries[v] = vr_strf("%s %s", verbs[v].summary, v == LIST ? many : one);
        *to = (struct vr_command){.name = verbs[v].name,
                                  .args = e->args[v],
                                  .summary = e->summaries[v],
                                  .min_args =
                                      v == ADD ? vr_cli_noun_added_count(noun) : verbs[v].min_args,
                                  .max_args = verbs[v].max_args,
                                  .run = verbs[v].run,
                                  .arg = noun};
        set_opts(to++, e, noun, (enum verb)v);
    }
}

struct vr_cli_noun_commands *vr_cli_noun_commands_new(void)
{
    struct vr_cli_noun_commands *c = vr_alloc(sizeof(*c));

    c->entries = vr_alloc_array(vr_cli_noun_count, sizeof(c->entries[0]));
    for (size_t i = 0; i < vr_cli_noun_count; i++) {
        make_opts(&c->entries[i], &vr_cli_nouns[i]);
        make_verbs(&c->entries[i], &vr_cli_nouns[i]);
    }
    return c;
}

struct vr_cli_noun_commands *vr_cli_noun_commands_free(struct vr_cli_noun_commands *c)
{
    if (!c)
        return NULL;
    for (size_t i = 0; i < vr_cli_noun_count; i++) {
        struct noun_entry *e = &c->entries[i];

        for (size_t o = 0; o < vr_cli_nouns[i].field_count; o++)
            free((char *)e->opts[o].name);
        free(e->opts);
        for (size_t v = 0; v < VERBS; v++) {
            free(e->args[v]);
            free(e->summaries[v]);
        }
    }
    free(c->entries);
    free(c);
    return NULL;
}

const struct vr_command *vr_cli_noun_commands_verbs(const struct vr_cli_noun_commands *c,
                                                    const char *noun)
{
    for (size_t i = 0; i < vr_cli_noun_count; i++) {
        if (vr_streq(vr_cli_nouns[i].name, noun))
            return c->entries[i].verbs;
    }
    return NULL;
}
