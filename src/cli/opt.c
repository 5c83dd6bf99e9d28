/* SPDX-License-Identifier: MIT */
/* Options as tables.
 *
 * A value is found by its offset in a plain struct of the command, so a command declares a struct
 * and a table beside each other and reads typed fields afterwards. Parsing permutes `argv` in
 * place: what is no option is moved to the front, and nothing is copied.
 */
#include "cli/opt.h"

#include "cli/out.h"
#include "core/str.h"

#include <string.h>

#define HELP_LEFT_COLUMNS 28u
#define HELP_COLUMNS      80u

struct parse {
    const struct vr_opt_set *sets;
    size_t set_count;
    int argc;
    char **argv;
    int at; /* the next word to look at */
};

static void *value_of(const struct vr_opt_set *set, const struct vr_opt *opt)
{
    return (char *)set->values + opt->offset;
}

static const struct vr_opt *find_long(const struct parse *p, struct vr_str name,
                                      const struct vr_opt_set **out_set)
{
    for (size_t s = 0; s < p->set_count; s++) {
        for (size_t i = 0; i < p->sets[s].count; i++) {
            const struct vr_opt *o = &p->sets[s].opts[i];

            if (o->name && strlen(o->name) == name.n && !memcmp(o->name, name.p, name.n)) {
                *out_set = &p->sets[s];
                return o;
            }
        }
    }
    return NULL;
}

static const struct vr_opt *find_letter(const struct parse *p, char letter,
                                        const struct vr_opt_set **out_set)
{
    for (size_t s = 0; s < p->set_count; s++) {
        for (size_t i = 0; i < p->sets[s].count; i++) {
            if (p->sets[s].opts[i].letter == letter) {
                *out_set = &p->sets[s];
                return &p->sets[s].opts[i];
            }
        }
    }
    return NULL;
}

static int list_add(struct vr_opt_list *list, const struct vr_opt *opt, const char *item,
                    struct vr_err *err)
{
    if (list->count >= VR_OPT_ITEMS_MAX)
        return vr_fail(err, VR_INVALID, "option --%s: more than %u values", opt->name,
                       VR_OPT_ITEMS_MAX);
    list->items = vr_realloc_array(list->items, list->count + 1, sizeof(list->items[0]));
    list->items[list->count++] = item;
    return 0;
}

static int store(const struct vr_opt_set *set, const struct vr_opt *opt, const char *text,
                 struct vr_err *err)
{
    void *to = value_of(set, opt);
    struct vr_opt_int *number = to;
    int r;

    switch (opt->type) {
    case VR_OPT_FLAG:
        *(bool *)to = true;
        return 0;
    case VR_OPT_TEXT:
        *(const char **)to = text;
        return 0;
    case VR_OPT_INT:
        r = vr_parse_i64(vr_str(text), opt->min, opt->max, &number->value, err);
        if (r < 0)
            return vr_fail_in(err, r, "option --%s", opt->name);
        number->given = true;
        return 0;
    case VR_OPT_LIST:
    case VR_OPT_WORDS:
        return list_add(to, opt, text, err);
    }
    return vr_fail(err, VR_BUG, "option --%s has no type", opt->name);
}

/* Store `text`, or the next word if that is NULL; and further words of a VR_OPT_WORDS. */
static int take_value(struct parse *p, const struct vr_opt_set *set, const struct vr_opt *opt,
                      const char *text, struct vr_err *err)
{
    int r;

    if (!text) {
        if (p->at >= p->argc)
            return vr_fail(err, VR_INVALID, "option --%s wants a %s", opt->name,
                           opt->value ? opt->value : "value");
        text = p->argv[p->at++];
    }
    r = store(set, opt, text, err);
    while (r >= 0 && opt->type == VR_OPT_WORDS && p->at < p->argc && p->argv[p->at][0] != '-')
        r = store(set, opt, p->argv[p->at++], err);
    return r;
}

static int parse_long(struct parse *p, const char *word, struct vr_err *err)
{
    const char *eq = strchr(word, '=');
    struct vr_str name = {word, eq ? (size_t)(eq - word) : strlen(word)};
    const struct vr_opt_set *set = NULL;
    const struct vr_opt *opt = find_long(p, name, &set);

    if (!opt)
        return vr_fail(err, VR_INVALID, "unknown option --%.*s", (int)name.n, name.p);
    if (opt->type == VR_OPT_FLAG) {
        if (eq)
            return vr_fail(err, VR_INVALID, "option --%s takes no value", opt->name);
        return store(set, opt, NULL, err);
    }
    return take_value(p, set, opt, eq ? eq + 1 : NULL, err);
}

/* `-fq` are two flags; in `-xPATTERN` the rest of the word is the value. */
static int parse_letters(struct parse *p, const char *word, struct vr_err *err)
{
    for (; *word; word++) {
        const struct vr_opt_set *set = NULL;
        const struct vr_opt *opt = find_letter(p, *word, &set);
        int r;

        if (!opt)
            return vr_fail(err, VR_INVALID, "unknown option -%c", *word);
        if (opt->type != VR_OPT_FLAG)
            return take_value(p, set, opt, word[1] ? word + 1 : NULL, err);
        r = store(set, opt, NULL, err);
        if (r < 0)
            return r;
    }
    return 0;
}

int vr_opt_parse(const struct vr_opt_set *sets, size_t set_count, bool stop_at_arg, int argc,
                 char **argv, struct vr_err *err)
{
    struct parse p = {.sets = sets, .set_count = set_count, .argc = argc, .argv = argv};
    int args = 0;
    bool ended = false;

    while (p.at < argc) {
        char *word = argv[p.at++];
        int r = 0;

        if (ended || word[0] != '-' || !word[1]) {
            argv[args++] = word;
            ended = ended || stop_at_arg;
        } else if (vr_streq(word, "--")) {
            ended = true;
        } else if (word[1] == '-') {
            r = parse_long(&p, word + 2, err);
        } else {
            r = parse_letters(&p, word + 1, err);
        }
        if (r < 0)
            return r;
    }
    if (args < argc)
        argv[args] = NULL;
    return args;
}

void vr_opt_fini(const struct vr_opt_set *set)
{
    for (size_t i = 0; i < set->count; i++) {
        const struct vr_opt *opt = &set->opts[i];
        struct vr_opt_list *list = value_of(set, opt);

        if (opt->type != VR_OPT_LIST && opt->type != VR_OPT_WORDS)
            continue;
        free(list->items);
        *list = (struct vr_opt_list){0};
    }
}

/* The length of the longest piece of `text` that ends at a space and fits. */
static size_t piece_length(const char *text, size_t columns)
{
    size_t n = strlen(text);

    if (n <= columns)
        return n;
    for (size_t i = columns; i > 0; i--) {
        if (text[i] == ' ')
            return i;
    }
    return n;
}

void vr_opt_help_line(struct vr_buf *out, const char *left, const char *right)
{
    size_t used = 2 + vr_text_columns(left);

    vr_buf_addf(out, "  %s", left);
    if (used + 2 > HELP_LEFT_COLUMNS && *right) {
        vr_buf_addc(out, '\n');
        used = 0;
    }
    while (*right) {
        size_t n = piece_length(right, HELP_COLUMNS - HELP_LEFT_COLUMNS);

        vr_buf_addf(out, "%*s%.*s", (int)(HELP_LEFT_COLUMNS - used), "", (int)n, right);
        right += n;
        while (*right == ' ')
            right++;
        if (*right)
            vr_buf_addc(out, '\n');
        used = 0;
    }
    vr_buf_addc(out, '\n');
}

void vr_opt_help(struct vr_buf *out, const struct vr_opt *opts, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        const struct vr_opt *o = &opts[i];
        vr_auto_free char *left = NULL;
        const char *value = o->value ? o->value : "VALUE";

        if (!o->help)
            continue;
        left = vr_strf("%c%c%s--%s%s%s%s", o->letter ? '-' : ' ', o->letter ? o->letter : ' ',
                       o->letter ? ", " : "  ", o->name, o->type == VR_OPT_FLAG ? "" : " ",
                       o->type == VR_OPT_FLAG ? "" : value, o->type == VR_OPT_WORDS ? "…" : "");
        vr_opt_help_line(out, left, o->help);
    }
}
