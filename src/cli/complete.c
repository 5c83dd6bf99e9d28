/* SPDX-License-Identifier: MIT */
/* What could stand at the end of a command line that is not finished.
 *
 * The tables of commands and options say all: a command's usage line names its arguments (`FILTER
 * TAG`), an option its value (`SQUAD`), and such a word in capitals leads to the names that the
 * server has for it. So a new command completes without a line here. Nothing here fails: a shell
 * that completes must not print errors between the words that somebody types.
 */
#include "cli/complete.h"

#include "cli/api.h"
#include "cli/noun.h"
#include "cli/swarms.h"
#include "core/str.h"
#include "fmt/hash.h"
#include "fmt/json.h"
#include "fmt/uri.h"
#include "sys/fs.h"

#include <ctype.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#define WORD_BYTES 64u

/* --- where we are --- */

static const struct vr_opt *find_option(const struct vr_opt *opts, size_t count, const char *word)
{
    size_t n = strcspn(word, "=");

    for (size_t i = 0; i < count; i++) {
        if (n > 2 && word[1] == '-' && strlen(opts[i].name) == n - 2 &&
            !memcmp(opts[i].name, word + 2, n - 2))
            return &opts[i];
        if (word[1] && word[1] != '-' && !word[2] && opts[i].letter == word[1])
            return &opts[i];
    }
    return NULL;
}

static const struct vr_opt *option_of(const struct vr_command *c, const char *word)
{
    const struct vr_opt *o = find_option(c->opts, c->opt_count, word);

    return o ? o : find_option(vr_cli_options, vr_cli_option_count, word);
}

static void take_argument(struct vr_complete_place *p, const char *word)
{
    const struct vr_command *sub = p->position ? NULL : vr_command_find(p->command->subs, word);

    if (sub) {
        p->command = sub;
        return;
    }
    if (!p->position)
        p->first = word;
    if (p->position == 1)
        p->second = word;
    p->position++;
}

/* Cut off what is not completed: "--squad=", and all but the last of a list with commas. */
static void find_prefix(struct vr_complete_place *p, const char *word)
{
    const char *eq = strchr(word, '='), *comma = strrchr(word, ',');

    p->prefix = p->word = word;
    if (word[0] == '-' && word[1] == '-' && eq) {
        p->option = option_of(p->command, word);
        p->word = eq + 1;
    }
    if (comma && comma >= p->word)
        p->word = comma + 1;
    p->prefix_len = (size_t)(p->word - word);
    p->wants_options = word[0] == '-' && !p->option;
}

void vr_complete_find(const struct vr_command *root, int argc, char **argv,
                      struct vr_complete_place *out)
{
    struct vr_complete_place p = {.command = root};
    const struct vr_opt *option = NULL;

    for (int i = 0; i + 1 < argc; i++) {
        if (option && (option->type != VR_OPT_WORDS || argv[i][0] != '-')) {
            option = option->type == VR_OPT_WORDS ? option : NULL;
            continue;
        }
        option = NULL;
        if (argv[i][0] != '-' || !argv[i][1]) {
            take_argument(&p, argv[i]);
            continue;
        }
        option = strchr(argv[i], '=') ? NULL : option_of(p.command, argv[i]);
        option = option && option->type == VR_OPT_FLAG ? NULL : option;
    }
    p.option = option;
    if (argc && option && option->type == VR_OPT_WORDS && argv[argc - 1][0] == '-')
        p.option = NULL;
    find_prefix(&p, argc ? argv[argc - 1] : "");
    p.arg = p.command->run ? p.command->args : NULL;
    *out = p;
}

char *vr_complete_placeholder(const char *args, int position)
{
    const char *word = args ? args : "";
    size_t n = strcspn(word, " ");

    /* The last word stands for all that follow if it ends in "…". */
    while (position-- > 0 && *word) {
        if (memmem(word, n, "…", strlen("…")))
            break;
        word += n;
        word += *word == ' ';
        n = strcspn(word, " ");
    }
    while (n && *word == '[') {
        word++;
        n--;
    }
    for (size_t i = 0; i < n; i++) {
        if (!isupper((unsigned char)word[i]) && !strchr("=-_|,", word[i]) &&
            !islower((unsigned char)word[i]))
            n = i;
    }
    while (n && word[n - 1] == ',')
        n--;
    return vr_strndup(word, n);
}

/* --- names from the server --- */

struct source {
    const char *word;  /* in usage lines and options */
    const char *path;  /* %s: the app that the first argument means */
    const char *field; /* of each object; NULL: the name of a swarm */
    size_t cut;        /* so much of it is enough */
    const char *about; /* a field that says what it is */
};

static const struct source sources[] = {
    {"FILTER", "/api/v1/swarms/?limit=1000&fields=app_name,config_name,proc_name,version", NULL, 0,
     "version"},
    {"TAG", "/api/v1/builds/?limit=100&fields=tag,status&app__name=%s", "tag", 0, "status"},
    {"ROLLOUT", "/api/v1/rollouts/?limit=20&fields=id,swarm_name", "id", 8, "swarm_name"},
    {"RELEASE", "/api/v1/releases/?limit=50&fields=id,compiled_name", "id", 0, "compiled_name"},
    {"BUILD", "/api/v1/builds/?limit=50&fields=id,app,tag", "id", 0, "tag"},
};

/* Words that stand for something with another name. */
static const char *const same[][2] = {
    {"SWARM", "FILTER"},
    {"PROC", "FILTER"},
};

static const char *const choices[][2] = {
    {"FORMAT", "table|wide|json|yaml|name"},
    {"LEVEL", "DEBUG|INFO|WARNING|ERROR"},
    {"ROLE", "viewer|deployer|admin"},
};

/* The app that an argument means: all of it, or the first part of a filter; given, "" if unclear.
 */
static char *app_of(const char *argument)
{
    vr_auto_free char *name = argument ? vr_strndup(argument, strcspn(argument, "-")) : NULL;

    return name && !strpbrk(name, "|.*()[]{}?+^$\\") ? vr_uri_encode(name) : vr_strdup("");
}

static void add_names(struct vr_buf *out, const json_t *answer, const struct source *s)
{
    const json_t *list = json_is_array(answer) ? answer : json_object_get(answer, "objects");
    const json_t *object;
    size_t i;

    json_array_foreach (list, i, object) {
        vr_auto_free char *name = NULL, *about = NULL;

        if (json_is_string(object))
            name = vr_strdup(json_string_value(object));
        else
            name = s->field ? vr_cli_noun_cell(object, s->field) : vr_swarm_name(object);
        about = s->about ? vr_cli_noun_cell(object, s->about) : vr_strdup("");
        if (s->cut && strlen(name) > s->cut)
            name[s->cut] = '\0';
        if (*name && !strpbrk(name, "\t\n"))
            vr_buf_addf(out, "%s\t%s\n", name, about);
    }
}

/* The file that remembers the answer of one path of one server; given, NULL if there is no home. */
static char *cache_file(struct vr_api *api, const char *path)
{
    const char *base = getenv("XDG_CACHE_HOME"), *home = getenv("HOME");
    vr_auto_free char *folder = NULL, *key = vr_strf("%s%s", vr_api_url(api), path);
    char hash[VR_SHA256_HEX];

    if (vr_str_is_empty(base) && vr_str_is_empty(home))
        return NULL;
    folder = vr_str_is_empty(base) ? vr_strf("%s/.cache/velociraptor/complete", home)
                                   : vr_strf("%s/velociraptor/complete", base);
    if (vr_fs_mkdir_p(folder, 0700, NULL) < 0)
        return NULL;
    vr_sha256_hex(key, strlen(key), hash);
    return vr_strf("%s/%.16s", folder, hash);
}

static bool is_fresh(const char *file)
{
    struct stat st;
    time_t now = time(NULL);

    return !stat(file, &st) && st.st_mtime <= now && now - st.st_mtime < VR_COMPLETE_FRESH_S;
}

/* The lines of a source: kept ones, or the server's, which are kept then. */
static void fetch(struct vr_cli *cli, const struct source *s, const char *path, struct vr_buf *out)
{
    vr_auto_json json_t *answer = NULL;
    vr_auto_free char *file = NULL, *text = NULL;
    struct vr_api *api;
    size_t n;

    if (vr_cli_api(cli, &api, NULL) < 0)
        return;
    file = cache_file(api, path);
    if (file && is_fresh(file) && !vr_fs_read(file, VR_COMPLETE_BYTES, &text, &n, NULL)) {
        vr_buf_add(out, text);
        return;
    }
    vr_api_limit(api, VR_COMPLETE_MS);
    if (vr_api_get(api, path, &answer, NULL) < 0)
        return;
    add_names(out, answer, s);
    if (file && !out->over)
        vr_ignore(vr_fs_replace(file, vr_buf_text(out), out->len, 0600, NULL),
                  "then it is asked for again");
}

/* --- candidates --- */

struct list { /* of what fits the word */
    const struct vr_complete_place *place;
    struct vr_buf *out;
};

static void offer(const struct list *l, const char *name, const char *about)
{
    if (!vr_str_has_prefix(name, l->place->word))
        return;
    vr_buf_add_n(l->out, l->place->prefix, l->place->prefix_len);
    vr_buf_addf(l->out, "%s\t%s\n", name, about ? about : "");
}

static void offer_lines(const struct list *l, char *text)
{
    char *line;

    while ((line = strsep(&text, "\n"))) {
        char *about = strchr(line, '\t');

        if (about)
            *about++ = '\0';
        if (*line)
            offer(l, line, about);
    }
}

static void offer_choices(const struct list *l, const char *words)
{
    while (*words) {
        size_t n = strcspn(words, "|");
        vr_auto_free char *word = vr_strndup(words, n);

        offer(l, word, NULL);
        words += n + (words[n] == '|');
    }
}

static void offer_names(struct vr_cli *cli, const struct list *l, const struct source *s)
{
    vr_auto_buf struct vr_buf lines = VR_BUF(VR_COMPLETE_BYTES);
    vr_auto_free char *app = app_of(l->place->first);
    vr_auto_free char *path = NULL, *text = NULL;
    const char *hole = strstr(s->path, "%s");

    if (hole && !*app)
        return;
    path = hole ? vr_strf("%.*s%s%s", (int)(hole - s->path), s->path, app, hole + 2)
                : vr_strdup(s->path);
    fetch(cli, s, path, &lines);
    text = vr_strdup(vr_buf_text(&lines));
    offer_lines(l, text);
}

/* The objects of a noun by the name of people. */
static void offer_objects(struct vr_cli *cli, const struct list *l, const struct vr_cli_noun *noun)
{
    vr_auto_free char *path =
        vr_strf("%s?limit=%u&fields=%s", noun->path, VR_COMPLETE_NAMES_MAX, noun->label);
    struct source s = {noun->name, path, noun->label, 0, NULL};

    offer_names(cli, l, vr_streq(noun->name, "swarm") ? &sources[0] : &s);
}

/* FIELD= of the noun whose verb the command is. */
static void offer_fields(const struct list *l)
{
    const struct vr_cli_noun *noun = l->place->command->arg;

    if ((uintptr_t)noun < (uintptr_t)vr_cli_nouns ||
        (uintptr_t)noun >= (uintptr_t)(vr_cli_nouns + vr_cli_noun_count))
        return;
    for (size_t i = 0; i < noun->field_count; i++) {
        vr_auto_free char *text = vr_strf("%s=", noun->fields[i].name);

        offer(l, text, noun->fields[i].help);
    }
}

static void offer_nouns(const struct list *l)
{
    for (size_t i = 0; i < vr_cli_noun_count; i++)
        offer(l, vr_cli_nouns[i].name, vr_cli_nouns[i].about);
}

/* What a word in capitals stands for. */
static void offer_placeholder(struct vr_cli *cli, const struct list *l, const char *word)
{
    char lower[WORD_BYTES] = "";
    const struct vr_cli_noun *noun;

    for (size_t i = 0; i < VR_COUNT(same); i++)
        word = vr_streq(word, same[i][0]) ? same[i][1] : word;
    for (size_t i = 0; i < VR_COUNT(choices); i++) {
        if (vr_streq(word, choices[i][0])) {
            offer_choices(l, choices[i][1]);
            return;
        }
    }
    for (size_t i = 0; i < VR_COUNT(sources); i++) {
        if (vr_streq(word, sources[i].word)) {
            offer_names(cli, l, &sources[i]);
            return;
        }
    }
    for (size_t i = 0; word[i] && i + 1 < sizeof(lower); i++)
        lower[i] = (char)tolower(word[i]);
    noun = vr_cli_noun_find(lower);
    if (noun)
        offer_objects(cli, l, noun);
    else if (vr_streq(word, "NOUN"))
        offer_nouns(l);
    else if (vr_streq(word, "FIELD=VALUE"))
        offer_fields(l);
    else if (vr_streq(word, "NAME") && vr_cli_noun_find(l->place->first))
        offer_objects(cli, l, vr_cli_noun_find(l->place->first));
    else if (strchr(word, '|'))
        offer_choices(l, word);
}

static void offer_options(const struct list *l, const struct vr_opt *opts, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        vr_auto_free char *name = vr_strf("--%s", opts[i].name);

        if (opts[i].help)
            offer(l, name, opts[i].help);
    }
}

static void offer_commands(const struct list *l, const struct vr_command *subs)
{
    for (; subs && subs->name; subs++) {
        vr_auto_free char *name = vr_strndup(subs->name, strcspn(subs->name, " "));

        if (subs->summary)
            offer(l, name, subs->summary);
    }
}

void vr_complete(struct vr_cli *cli, int argc, char **argv, struct vr_buf *out)
{
    vr_auto_free char *word = NULL;
    struct vr_complete_place p;
    struct list l = {&p, out};

    vr_complete_find(cli->root, argc, argv, &p);
    cli->out.ask = false; /* a password is not asked for in the middle of a line */
    if (p.wants_options) {
        offer_options(&l, p.command->opts, p.command->opt_count);
        offer_options(&l, vr_cli_options, vr_cli_option_count);
        return;
    }
    if (!p.option && !p.position)
        offer_commands(&l, p.command->subs);
    word = p.option ? vr_complete_placeholder(p.option->value, 0)
                    : vr_complete_placeholder(p.arg, p.position);
    offer_placeholder(cli, &l, word);
}
