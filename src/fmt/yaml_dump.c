/* SPDX-License-Identifier: MIT */
/*
 * JSON values to YAML, byte for byte as PyYAML's safe_dump(default_flow_style=False).
 *
 * Stored texts, hashes of files and other people's diffs depend on these bytes, so PyYAML's rules
 * are kept with their oddities: a list in a mapping is not indented; a scalar is folded at the
 * first space behind column 80; a key of 123 characters or more is written with `?`; a plain
 * value alone is followed by `...`. Since everything beyond ASCII is escaped, only three styles
 * occur: plain, single quotes (also for line breaks) and double quotes.
 */
#include "fmt/yaml.h"

#include "fmt/utf8.h"
#include "fmt/yaml_scalar.h"

#include <inttypes.h>
#include <stdlib.h>

#define WIDTH  80
#define INDENT 2

/* PyYAML counts the `!!str` that it then leaves out. */
#define SIMPLE_KEY_CHARACTERS (128 - 5)

#define DUMP_BYTES (SIZE_MAX / 8)

enum style {
    STYLE_PLAIN,
    STYLE_SINGLE,
    STYLE_DOUBLE,
};

enum context {
    IN_ROOT,
    IN_SEQUENCE,
    IN_MAPPING,
    IN_SIMPLE_KEY,
};

struct emitter {
    struct vr_buf out;
    int indent; /* -1 before the first collection */
    int column;
    bool whitespace; /* the last character was a blank or a line's start */
    bool indention;  /* only indentation and `-?:` so far on this line */
    bool open_ended; /* the document needs `...` to end */
};

static void put(struct emitter *e, const char *p, size_t n)
{
    vr_buf_add_n(&e->out, p, n);
    e->column += (int)n;
}

static void line_break(struct emitter *e)
{
    vr_buf_addc(&e->out, '\n');
    e->whitespace = true;
    e->indention = true;
    e->column = 0;
}

static void indent(struct emitter *e)
{
    int to = e->indent > 0 ? e->indent : 0;

    if (!e->indention || e->column > to || (e->column == to && !e->whitespace))
        line_break(e);
    if (e->column < to) {
        e->whitespace = true;
        vr_buf_addf(&e->out, "%*s", to - e->column, "");
        e->column = to;
    }
}

/* A sign with a blank before it if one is needed and not there. */
static void indicator(struct emitter *e, const char *sign, bool need_whitespace, bool indention)
{
    if (need_whitespace && !e->whitespace)
        put(e, " ", 1);
    put(e, sign, strlen(sign));
    e->whitespace = false;
    e->indention = e->indention && indention;
    e->open_ended = false;
}

/* What decides the style of a text. */
struct analysis {
    bool plain;
    bool single;
    bool multiline;
};

static bool is_blank(struct vr_str s, size_t i)
{
    return i >= s.n || strchr(" \t\r\n", s.p[i]);
}

/* Would the character at `i` be read as syntax in a plain text? */
static bool is_syntax(struct vr_str s, size_t i)
{
    char c = s.p[i];

    if (i == 0)
        return strchr("#,[]{}&*!|>'\"%@`", c) || (strchr("?:-", c) && is_blank(s, 1));
    return (c == ':' && is_blank(s, i + 1)) || (c == '#' && is_blank(s, i - 1));
}

static bool is_foreign_break(struct vr_str s, size_t i)
{
    static const char *const breaks[] = {"\xc2\x85", "\xe2\x80\xa8", "\xe2\x80\xa9"};

    for (size_t k = 0; k < VR_COUNT(breaks); k++) {
        size_t n = strlen(breaks[k]);

        if (s.n - i >= n && !memcmp(s.p + i, breaks[k], n))
            return true;
    }
    return false;
}

static struct analysis analyze(struct vr_str s)
{
    struct analysis a = {.plain = true, .single = true};
    bool edge_blank = s.n && (strchr(" \n", s.p[0]) || strchr(" \n", s.p[s.n - 1]));

    if (edge_blank || (s.n >= 3 && (!memcmp(s.p, "---", 3) || !memcmp(s.p, "...", 3))))
        a.plain = false;
    for (size_t i = 0; i < s.n; i++) {
        char c = s.p[i], before = i ? s.p[i - 1] : '\0';

        if (is_syntax(s, i))
            a.plain = false;
        if (c == '\n' || is_foreign_break(s, i))
            a.multiline = true;
        if (c != '\n' && (c < 0x20 || c > 0x7e))
            a.single = false;
        if ((c == ' ' && before == '\n') || (c == '\n' && before == ' '))
            a.single = false;
    }
    a.plain = a.plain && a.single && !a.multiline;
    return a;
}

static enum style choose_style(struct vr_str s, bool is_text, enum context context)
{
    struct analysis a = analyze(s);

    if (a.plain && (!is_text || vr_yaml_kind(s) == VR_YAML_STR))
        return STYLE_PLAIN;
    if (a.single && !(context == IN_SIMPLE_KEY && a.multiline))
        return STYLE_SINGLE;
    return STYLE_DOUBLE;
}

static size_t run_of(struct vr_str s, size_t from, char c)
{
    size_t n = 0;

    while (from + n < s.n && s.p[from + n] == c)
        n++;
    return n;
}

/* A single blank behind the width becomes a line break; other blanks are written as they are. */
static void put_blanks(struct emitter *e, struct vr_str s, size_t from, size_t n, bool fold)
{
    if (n == 1 && e->column > WIDTH && fold)
        indent(e);
    else
        put(e, s.p + from, n);
}

static void put_plain(struct emitter *e, struct vr_str s, enum context context)
{
    bool fold = context != IN_SIMPLE_KEY;
    size_t n;

    if (context == IN_ROOT)
        e->open_ended = true;
    if (!e->whitespace)
        put(e, " ", 1);
    for (size_t i = 0; i < s.n; i += n) {
        e->whitespace = false;
        e->indention = false;
        n = run_of(s, i, ' ');
        if (n) {
            put_blanks(e, s, i, n, fold);
        } else {
            const char *blank = memchr(s.p + i, ' ', s.n - i);

            n = blank ? (size_t)(blank - s.p) - i : s.n - i;
            put(e, s.p + i, n);
        }
    }
    e->whitespace = false;
    e->indention = false;
}

/* In single quotes one line break reads as a blank, so each run of them gets one more. */
static void put_breaks(struct emitter *e, size_t n)
{
    for (size_t i = 0; i < n + 1; i++)
        line_break(e);
    indent(e);
}

static void put_single_quoted(struct emitter *e, struct vr_str s, bool fold)
{
    size_t n;

    indicator(e, "'", true, false);
    for (size_t i = 0; i < s.n; i += n) {
        if (s.p[i] == ' ') {
            n = run_of(s, i, ' ');
            put_blanks(e, s, i, n, fold && i != 0 && i + n != s.n);
        } else if (s.p[i] == '\n') {
            n = run_of(s, i, '\n');
            put_breaks(e, n);
        } else if (s.p[i] == '\'') {
            n = 1;
            put(e, "''", 2);
        } else {
            for (n = 1; i + n < s.n && !strchr(" \n'", s.p[i + n]); n++)
                ;
            put(e, s.p + i, n);
        }
    }
    indicator(e, "'", false, false);
}

/* How a character is written in double quotes; empty if it stands for itself. */
static void escape(uint32_t c, char out[12])
{
    static const char named[] = "\a\b\t\n\v\f\r\x1b\"\\", names[] = "abtnvfre\"\\";
    const char *at = c && c < 0x80 ? strchr(named, (int)c) : NULL;

    out[0] = '\0';
    if (at)
        snprintf(out, 12, "\\%c", names[at - named]);
    else if (c >= 0x20 && c <= 0x7e)
        return;
    else if (c == 0x85 || c == 0xa0 || c == 0x2028 || c == 0x2029)
        snprintf(out, 12, "\\%c", c == 0x85 ? 'N' : c == 0xa0 ? '_' : c == 0x2028 ? 'L' : 'P');
    else if (c <= 0xff)
        snprintf(out, 12, "\\x%02X", (unsigned)c);
    else if (c <= 0xffff)
        snprintf(out, 12, "\\u%04X", (unsigned)c);
    else
        snprintf(out, 12, "\\U%08X", (unsigned)c);
}

/* End the line inside a text: a backslash, and one more if the next line begins with a blank. */
static void fold_double_quoted(struct emitter *e, char next)
{
    put(e, "\\", 1);
    indent(e);
    e->whitespace = false;
    e->indention = false;
    if (next == ' ')
        put(e, "\\", 1);
}

/*
 * Characters that stand for themselves wait between `start` and the current one. A line may end
 * at a blank, and behind an escape; there the waiting text counts as -1 column, as in PyYAML.
 */
static void put_double_quoted(struct emitter *e, struct vr_str s, bool fold)
{
    size_t start = 0, n;

    indicator(e, "\"", true, false);
    for (size_t i = 0; i < s.n; i += n) {
        char text[12];
        uint32_t c = 0;
        bool escaped;

        n = vr_utf8_next((struct vr_str){s.p + i, s.n - i}, &c);
        n = n ? n : 1;
        escape(c, text);
        escaped = text[0];
        if (escaped) {
            put(e, s.p + start, i - start);
            put(e, text, strlen(text));
            start = i + n;
        }
        if (i > 0 && i + n < s.n && (c == ' ' || start >= i) && fold &&
            e->column + (escaped ? -1 : (int)(i - start)) > WIDTH) {
            if (start < i) {
                put(e, s.p + start, i - start);
                start = i;
            }
            fold_double_quoted(e, s.p[start]);
        }
    }
    put(e, s.p + start, s.n - start);
    indicator(e, "\"", false, false);
}

static int deeper(int now, bool flow)
{
    if (now < 0)
        return flow ? INDENT : 0;
    return now + INDENT;
}

static void put_scalar(struct emitter *e, struct vr_str s, bool is_text, enum context context)
{
    int outer = e->indent;

    e->indent = deeper(outer, true);
    switch (choose_style(s, is_text, context)) {
    case STYLE_PLAIN:
        put_plain(e, s, context);
        break;
    case STYLE_SINGLE:
        put_single_quoted(e, s, context != IN_SIMPLE_KEY);
        break;
    case STYLE_DOUBLE:
        put_double_quoted(e, s, context != IN_SIMPLE_KEY);
        break;
    }
    e->indent = outer;
}

static void put_value(struct emitter *e, const json_t *value, enum context context);

static void put_sequence(struct emitter *e, const json_t *array, enum context context)
{
    int outer = e->indent;
    const json_t *item;
    size_t i;

    if (!(context == IN_MAPPING && !e->indention))
        e->indent = deeper(outer, false);
    json_array_foreach (array, i, item) {
        indent(e);
        indicator(e, "-", true, true);
        put_value(e, item, IN_SEQUENCE);
    }
    e->indent = outer;
}

static void put_pair(struct emitter *e, const char *key, const json_t *value)
{
    struct vr_str s = vr_str(key);

    indent(e);
    if (s.n && vr_utf8_count(s) < SIMPLE_KEY_CHARACTERS && !analyze(s).multiline) {
        put_scalar(e, s, true, IN_SIMPLE_KEY);
        indicator(e, ":", false, false);
    } else {
        indicator(e, "?", true, true);
        put_scalar(e, s, true, IN_MAPPING);
        indent(e);
        indicator(e, ":", true, true);
    }
    put_value(e, value, IN_MAPPING);
}

static int compare_keys(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static void put_mapping(struct emitter *e, const json_t *object)
{
    size_t count = json_object_size(object), i = 0;
    vr_auto_free const char **keys = vr_alloc_array(count + 1, sizeof(*keys));
    int outer = e->indent;
    const char *key;
    json_t *value;

    json_object_foreach ((json_t *)object, key, value)
        keys[i++] = key;
    qsort(keys, count, sizeof(*keys), compare_keys);
    e->indent = deeper(outer, false);
    for (i = 0; i < count; i++)
        put_pair(e, keys[i], json_object_get(object, keys[i]));
    e->indent = outer;
}

static void put_real(struct emitter *e, double d, enum context context)
{
    vr_auto_buf struct vr_buf text = VR_BUF(64);
    vr_auto_buf struct vr_buf dotted = VR_BUF(64);
    const char *exponent;

    vr_json_add_double(&text, d);
    exponent = strchr(vr_buf_text(&text), 'e');
    if (exponent && !strchr(vr_buf_text(&text), '.')) {
        /* In YAML 1.1 a number without a dot is no float: 1e+16 is written 1.0e+16. */
        vr_buf_add_n(&dotted, vr_buf_text(&text), (size_t)(exponent - vr_buf_text(&text)));
        vr_buf_addf(&dotted, ".0%s", exponent);
    } else {
        vr_buf_add(&dotted, vr_buf_text(&text));
    }
    put_scalar(e, vr_str(vr_buf_text(&dotted)), false, context);
}

static void put_integer(struct emitter *e, int64_t value, enum context context)
{
    vr_auto_buf struct vr_buf text = VR_BUF(32);

    vr_buf_addf(&text, "%" PRId64, value);
    put_scalar(e, vr_str(vr_buf_text(&text)), false, context);
}

static void put_empty(struct emitter *e, const char *open, const char *close)
{
    indicator(e, open, true, false);
    indicator(e, close, false, false);
}

static void put_value(struct emitter *e, const json_t *value, enum context context)
{
    switch (value ? json_typeof(value) : JSON_NULL) {
    case JSON_OBJECT:
        if (json_object_size(value))
            put_mapping(e, value);
        else
            put_empty(e, "{", "}");
        return;
    case JSON_ARRAY:
        if (json_array_size(value))
            put_sequence(e, value, context);
        else
            put_empty(e, "[", "]");
        return;
    case JSON_STRING:
        put_scalar(e, (struct vr_str){json_string_value(value), json_string_length(value)}, true,
                   context);
        return;
    case JSON_INTEGER:
        put_integer(e, json_integer_value(value), context);
        return;
    case JSON_REAL:
        put_real(e, json_real_value(value), context);
        return;
    case JSON_TRUE:
        put_scalar(e, vr_str("true"), false, context);
        return;
    case JSON_FALSE:
        put_scalar(e, vr_str("false"), false, context);
        return;
    case JSON_NULL:
        put_scalar(e, vr_str("null"), false, context);
        return;
    }
}

char *vr_yaml_dump(const json_t *value)
{
    struct emitter e = {
        .out = VR_BUF(DUMP_BYTES), .indent = -1, .whitespace = true, .indention = true};
    char *text = NULL;

    put_value(&e, value, IN_ROOT);
    indent(&e);
    if (e.open_ended) {
        indicator(&e, "...", true, false);
        indent(&e);
    }
    if (vr_buf_finish(&e.out, &text, NULL) < 0)
        abort();
    return text;
}
