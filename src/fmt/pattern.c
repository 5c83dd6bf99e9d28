/* SPDX-License-Identifier: MIT */
/*
 * Regular expressions by Thompson's construction.
 *
 * A pattern becomes a program of a few instructions. All places where it could be are followed at
 * once, byte by byte, as a set that knows no duplicates; so there is nothing to go back to, and no
 * pattern can be slow. What a backtracking matcher (such as libc's, with back-references) takes
 * exponential time for is refused or linear here.
 *
 * An alternation or repetition is put before what it repeats, so instructions move while a pattern
 * is read; jumps are relative for that reason.
 */
#include "fmt/pattern.h"

#include <ctype.h>
#include <string.h>

enum op {
    OP_SET,   /* one byte out of a set */
    OP_SPLIT, /* go on at both */
    OP_JUMP,
    OP_BEGIN, /* only at the line's begin */
    OP_END,
    OP_MATCH,
};

struct instruction {
    enum op op;
    int a, b; /* relative targets */
    uint8_t set[32];
};

struct vr_pattern {
    bool ignore_case;
    char *literal; /* NULL for a regular expression */
    size_t literal_n;
    struct instruction code[VR_PATTERN_STATES + 2];
    int count;
    int *now, *next; /* places, and when each was entered last */
    int *marks;
    int mark;
};

struct parser {
    struct vr_pattern *p;
    const char *text;
    size_t at, n;
    int depth;
};

/* ------------------------------------------------------------------ sets */

static void set_add(uint8_t set[32], unsigned char c)
{
    set[c / 8] = (uint8_t)(set[c / 8] | 1u << c % 8);
}

static bool set_has(const uint8_t set[32], unsigned char c)
{
    return set[c / 8] >> c % 8 & 1;
}

static void set_invert(uint8_t set[32])
{
    for (int i = 0; i < 32; i++)
        set[i] = (uint8_t)~set[i];
}

static void set_fold(uint8_t set[32])
{
    for (int c = 'a'; c <= 'z'; c++) {
        if (set_has(set, (unsigned char)c) || set_has(set, (unsigned char)toupper(c))) {
            set_add(set, (unsigned char)c);
            set_add(set, (unsigned char)toupper(c));
        }
    }
}

static bool is_word(int c)
{
    return isalnum(c) || c == '_';
}

/* Adds `\d` and its like; false for a letter that names no class. */
static bool set_add_class(uint8_t set[32], char letter)
{
    bool inverted = isupper((unsigned char)letter);

    if (!strchr("dwsDWS", letter))
        return false;
    for (int c = 0; c < 256; c++) {
        bool in = tolower((unsigned char)letter) == 'd'   ? isdigit(c)
                  : tolower((unsigned char)letter) == 'w' ? is_word(c)
                                                          : isspace(c);

        if (in != inverted)
            set_add(set, (unsigned char)c);
    }
    return true;
}

/* ------------------------------------------------------------------ reading a pattern */

static int alternatives(struct parser *s, struct vr_err *err);

static bool at_end(const struct parser *s)
{
    return s->at == s->n;
}

static struct instruction *emit(struct parser *s, enum op op)
{
    struct instruction *i = &s->p->code[s->p->count++];

    *i = (struct instruction){.op = op, .a = 1};
    return i;
}

/* Make room for one instruction before those from `from` on. */
static struct instruction *insert(struct parser *s, int from, enum op op)
{
    struct instruction *code = s->p->code;

    memmove(code + from + 1, code + from, (size_t)(s->p->count - from) * sizeof(*code));
    s->p->count++;
    code[from] = (struct instruction){.op = op, .a = 1};
    return &code[from];
}

static int bad(const struct parser *s, const char *what, struct vr_err *err)
{
    return vr_fail(err, VR_INVALID, "regular expression: %s at byte %zu", what, s->at);
}

/* The byte that a backslash and what follows stand for; false for a class, added to the set. */
static bool escaped(struct parser *s, uint8_t set[32], unsigned char *out)
{
    char c = s->text[s->at++];

    if (set_add_class(set, c))
        return false;
    *out = c == 't' ? '\t' : (unsigned char)c;
    return true;
}

static int bracket_member(struct parser *s, uint8_t set[32], unsigned char *out, bool *is_byte,
                          struct vr_err *err)
{
    *is_byte = true;
    *out = (unsigned char)s->text[s->at++];
    if (*out != '\\')
        return 0;
    if (at_end(s))
        return bad(s, "'\\' without anything", err);
    *is_byte = escaped(s, set, out);
    return 0;
}

/* Behind `[`. A `]` that comes first is literal. */
static int bracket(struct parser *s, uint8_t set[32], struct vr_err *err)
{
    bool inverted = !at_end(s) && s->text[s->at] == '^';
    size_t begin = s->at += inverted;

    while (!at_end(s) && (s->text[s->at] != ']' || s->at == begin)) {
        unsigned char low, high;
        bool is_byte;
        int r = bracket_member(s, set, &low, &is_byte, err);

        if (r < 0)
            return r;
        high = low;
        if (is_byte && s->at + 1 < s->n && s->text[s->at] == '-' && s->text[s->at + 1] != ']') {
            s->at++;
            r = bracket_member(s, set, &high, &is_byte, err);
            if (r < 0)
                return r;
            if (!is_byte || high < low)
                return bad(s, "a range that is none", err);
        }
        for (int c = low; is_byte && c <= high; c++)
            set_add(set, (unsigned char)c);
    }
    if (at_end(s))
        return bad(s, "'[' without ']'", err);
    s->at++;
    if (s->p->ignore_case)
        set_fold(set);
    if (inverted)
        set_invert(set);
    return 0;
}

static int group(struct parser *s, struct vr_err *err)
{
    int r;

    if (++s->depth > VR_PATTERN_DEPTH)
        return vr_fail(err, VR_LIMIT, "regular expression: more than %d groups in each other",
                       VR_PATTERN_DEPTH);
    r = alternatives(s, err);
    if (r < 0)
        return r;
    if (at_end(s))
        return bad(s, "'(' without ')'", err);
    s->at++;
    s->depth--;
    return 0;
}

static int one(struct parser *s, struct vr_err *err)
{
    unsigned char c = (unsigned char)s->text[s->at++];
    struct instruction *i;

    switch (c) {
    case '(':
        return group(s, err);
    case '^':
        emit(s, OP_BEGIN);
        return 0;
    case '$':
        emit(s, OP_END);
        return 0;
    case '*':
    case '+':
    case '?':
        s->at--;
        return bad(s, "nothing to repeat", err);
    case '[':
        return bracket(s, emit(s, OP_SET)->set, err);
    case '.':
        memset(emit(s, OP_SET)->set, 0xff, 32);
        return 0;
    case '\\':
        if (at_end(s))
            return bad(s, "'\\' without anything", err);
        i = emit(s, OP_SET);
        if (escaped(s, i->set, &c))
            set_add(i->set, c);
        break;
    default:
        i = emit(s, OP_SET);
        set_add(i->set, c);
    }
    if (s->p->ignore_case)
        set_fold(i->set);
    return 0;
}

static void repeat(struct parser *s, int from, char how)
{
    int length = s->p->count - from;
    struct instruction *split;

    if (how == '+') {
        split = emit(s, OP_SPLIT);
        split->a = -length;
        split->b = 1;
        return;
    }
    split = insert(s, from, OP_SPLIT);
    split->b = length + 1;
    if (how == '*') {
        split->b++;
        emit(s, OP_JUMP)->a = -(length + 1);
    }
}

static int sequence(struct parser *s, struct vr_err *err)
{
    while (!at_end(s) && s->text[s->at] != '|' && s->text[s->at] != ')') {
        int from = s->p->count;
        int r = one(s, err);

        if (r < 0)
            return r;
        if (!at_end(s) && strchr("*+?", s->text[s->at])) {
            repeat(s, from, s->text[s->at++]);
            if (!at_end(s) && strchr("*+?", s->text[s->at]))
                return bad(s, "a repetition of a repetition", err);
        }
    }
    return 0;
}

static int alternatives(struct parser *s, struct vr_err *err)
{
    int from = s->p->count;
    struct instruction *split;
    int r = sequence(s, err);

    if (r < 0 || at_end(s) || s->text[s->at] != '|')
        return r;
    s->at++;
    split = insert(s, from, OP_SPLIT);
    split->b = s->p->count - from + 1;
    emit(s, OP_JUMP);
    from = s->p->count - 1; /* the jump over what follows */
    r = alternatives(s, err);
    s->p->code[from].a = s->p->count - from;
    return r;
}

static int compile(struct vr_pattern *p, const char *text, struct vr_err *err)
{
    struct parser s = {.p = p, .text = text, .n = strlen(text)};
    int r = alternatives(&s, err);

    if (r == 0 && !at_end(&s))
        r = bad(&s, "')' without '('", err);
    if (r < 0)
        return r;
    emit(&s, OP_MATCH);
    p->now = vr_alloc_array((size_t)p->count, sizeof(*p->now));
    p->next = vr_alloc_array((size_t)p->count, sizeof(*p->next));
    p->marks = vr_alloc_array((size_t)p->count, sizeof(*p->marks));
    return 0;
}

int vr_pattern_new(enum vr_pattern_kind kind, const char *text, bool ignore_case,
                   struct vr_pattern **out, struct vr_err *err)
{
    VR_OWNED(vr_pattern_free) struct vr_pattern *p = NULL;
    size_t n = strlen(text);

    if (!n)
        return vr_fail(err, VR_INVALID, "there is nothing to search for");
    if (n > VR_PATTERN_BYTES)
        return vr_fail(err, VR_LIMIT, "a pattern has at most %d bytes", VR_PATTERN_BYTES);
    p = vr_alloc(sizeof(*p));
    p->ignore_case = ignore_case;
    if (kind == VR_PATTERN_LITERAL) {
        p->literal = vr_strdup(text);
        p->literal_n = n;
    } else {
        int r = compile(p, text, err);

        if (r < 0)
            return r;
    }
    *out = vr_take(p);
    return 0;
}

struct vr_pattern *vr_pattern_free(struct vr_pattern *p)
{
    if (!p)
        return NULL;
    free(p->literal);
    free(p->now);
    free(p->next);
    free(p->marks);
    free(p);
    return NULL;
}

/* ------------------------------------------------------------------ matching */

static bool literal_is_in(const struct vr_pattern *p, struct vr_str line)
{
    if (!p->ignore_case)
        return memmem(line.p, line.n, p->literal, p->literal_n) != NULL;
    for (size_t i = 0; i + p->literal_n <= line.n; i++) {
        size_t k = 0;

        while (k < p->literal_n &&
               tolower((unsigned char)line.p[i + k]) == tolower((unsigned char)p->literal[k]))
            k++;
        if (k == p->literal_n)
            return true;
    }
    return false;
}

/*
 * Enter a place and all that it leads to without a byte. True if the match is among them. A place
 * is entered once a byte, so the stack needs no more than all of them, twice.
 */
static bool enter(struct vr_pattern *p, int start, bool begin, bool end, int *list, int *n)
{
    int stack[2 * VR_PATTERN_STATES + 8];
    int depth = 0;

    stack[depth++] = start;
    while (depth) {
        int at = stack[--depth];
        const struct instruction *i = &p->code[at];

        if (p->marks[at] == p->mark)
            continue;
        p->marks[at] = p->mark;
        switch (i->op) {
        case OP_MATCH:
            return true;
        case OP_SET:
            list[(*n)++] = at;
            break;
        case OP_SPLIT:
            stack[depth++] = at + i->b;
            stack[depth++] = at + i->a;
            break;
        case OP_JUMP:
            stack[depth++] = at + i->a;
            break;
        case OP_BEGIN:
            if (begin)
                stack[depth++] = at + 1;
            break;
        case OP_END:
            if (end)
                stack[depth++] = at + 1;
            break;
        }
    }
    return false;
}

static bool regex_is_in(struct vr_pattern *p, struct vr_str line)
{
    int n = 0;

    memset(p->marks, 0, (size_t)p->count * sizeof(*p->marks));
    p->mark = 0;
    for (size_t i = 0; i <= line.n; i++) {
        int count = 0, *swap;

        p->mark++;
        if (i > 0) {
            for (int k = 0; k < n; k++)
                if (set_has(p->code[p->now[k]].set, (unsigned char)line.p[i - 1]) &&
                    enter(p, p->now[k] + 1, false, i == line.n, p->next, &count))
                    return true;
        }
        if (enter(p, 0, i == 0, i == line.n, p->next, &count)) /* it may begin anywhere */
            return true;
        swap = p->now;
        p->now = p->next;
        p->next = swap;
        n = count;
    }
    return false;
}

bool vr_pattern_is_in(struct vr_pattern *p, struct vr_str line)
{
    return p->literal ? literal_is_in(p, line) : regex_is_in(p, line);
}
