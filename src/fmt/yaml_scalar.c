/* SPDX-License-Identifier: MIT */
/*
 * Plain scalars of YAML 1.1.
 *
 * The forms are those of PyYAML's implicit resolvers, which differ from the specification in
 * details (an exponent needs a sign, a float needs a dot, `.5` takes no sign), and decide both
 * what a text means when it is read and whether a string must be quoted when it is written. Each
 * matcher takes the rest of the scalar and moves `s` behind what it took.
 */
#include "fmt/yaml_scalar.h"

#include <math.h>
#include <stdlib.h>

#define DIGITS      "0123456789"
#define DIGITS_     DIGITS "_"
#define HEX_DIGITS_ DIGITS_ "abcdefABCDEF"
#define OCT_DIGITS_ "01234567_"
#define BASE_60     60

/* A number's text without underscores; longer ones cannot be a number that we keep. */
#define NUMBER_BYTES 400

static bool is_one_of(struct vr_str s, const char *const *words)
{
    for (; *words; words++) {
        if (s.n == strlen(*words) && !memcmp(s.p, *words, s.n))
            return true;
    }
    return false;
}

static bool take_char(struct vr_str *s, const char *set)
{
    if (!s->n || !s->p[0] || !strchr(set, s->p[0]))
        return false;
    s->p++;
    s->n--;
    return true;
}

/* Any number of characters of the set, but at least and at most so many. */
static bool take_run(struct vr_str *s, const char *set, size_t min, size_t max)
{
    size_t n = 0;

    while (n < max && take_char(s, set))
        n++;
    return n >= min;
}

/* (:[0-5]?[0-9])+ */
static bool take_sexagesimal(struct vr_str *s)
{
    size_t parts = 0;

    while (take_char(s, ":")) {
        bool may_have_two = s->n && s->p[0] >= '0' && s->p[0] <= '5';

        if (!take_char(s, DIGITS))
            return false;
        if (may_have_two)
            take_char(s, DIGITS);
        parts++;
    }
    return parts > 0;
}

/* ([eE][-+][0-9]+)? and then the end */
static bool ends_with_exponent(struct vr_str s)
{
    if (!s.n)
        return true;
    return take_char(&s, "eE") && take_char(&s, "-+") && take_run(&s, DIGITS, 1, s.n) && !s.n;
}

static bool is_int(struct vr_str s)
{
    struct vr_str t;

    take_char(&s, "-+");
    if (s.n > 1 && s.p[0] == '0') {
        t = (struct vr_str){s.p + 1, s.n - 1};
        if (take_char(&t, "b"))
            return take_run(&t, "01_", 1, t.n) && !t.n;
        if (take_char(&t, "x"))
            return take_run(&t, HEX_DIGITS_, 1, t.n) && !t.n;
        return take_run(&t, OCT_DIGITS_, 1, t.n) && !t.n;
    }
    if (s.n == 1 && s.p[0] == '0')
        return true;
    if (!take_char(&s, "123456789"))
        return false;
    take_run(&s, DIGITS_, 0, s.n);
    return !s.n || (take_sexagesimal(&s) && !s.n);
}

static bool is_float(struct vr_str s)
{
    static const char *const infinities[] = {".inf", ".Inf", ".INF", NULL};
    static const char *const nans[] = {".nan", ".NaN", ".NAN", NULL};
    bool is_signed;

    if (is_one_of(s, nans))
        return true;
    is_signed = take_char(&s, "-+");
    if (is_one_of(s, infinities))
        return true;
    if (s.n && s.p[0] == '.') {
        take_char(&s, ".");
        return !is_signed && take_char(&s, DIGITS) && take_run(&s, DIGITS_, 0, s.n) &&
               ends_with_exponent(s);
    }
    if (!take_char(&s, DIGITS) || !take_run(&s, DIGITS_, 0, s.n))
        return false;
    if (take_char(&s, "."))
        return take_run(&s, DIGITS_, 0, s.n) && ends_with_exponent(s);
    return take_sexagesimal(&s) && take_char(&s, ".") && take_run(&s, DIGITS_, 0, s.n) && !s.n;
}

static bool is_timestamp(struct vr_str s)
{
    struct vr_str month;

    if (!take_run(&s, DIGITS, 4, 4) || !take_char(&s, "-"))
        return false;
    month = s;
    if (!take_run(&s, DIGITS, 1, 2) || !take_char(&s, "-") || !take_run(&s, DIGITS, 1, 2))
        return false;
    if (!s.n)
        return month.n == 5; /* a date alone has two digits each */
    if (!take_char(&s, "Tt") && !take_run(&s, " \t", 1, s.n))
        return false;
    if (!take_run(&s, DIGITS, 1, 2) || !take_char(&s, ":") || !take_run(&s, DIGITS, 2, 2) ||
        !take_char(&s, ":") || !take_run(&s, DIGITS, 2, 2))
        return false;
    if (take_char(&s, "."))
        take_run(&s, DIGITS, 0, s.n);
    if (!s.n)
        return true;
    take_run(&s, " \t", 0, s.n);
    if (take_char(&s, "Z"))
        return !s.n;
    if (!take_char(&s, "-+") || !take_run(&s, DIGITS, 1, 2))
        return false;
    return !s.n || (take_char(&s, ":") && take_run(&s, DIGITS, 2, 2) && !s.n);
}

static const char *const true_words[] = {"yes",  "Yes", "YES", "true", "True",
                                         "TRUE", "on",  "On",  "ON",   NULL};
static const char *const false_words[] = {"no",    "No",  "NO",  "false", "False",
                                          "FALSE", "off", "Off", "OFF",   NULL};
static const char *const null_words[] = {"", "~", "null", "Null", "NULL", NULL};

enum vr_yaml_kind vr_yaml_kind(struct vr_str s)
{
    if (is_one_of(s, null_words))
        return VR_YAML_NULL;
    if (is_one_of(s, true_words) || is_one_of(s, false_words))
        return VR_YAML_BOOL;
    if (is_float(s))
        return VR_YAML_FLOAT;
    if (is_int(s))
        return VR_YAML_INT;
    if (is_timestamp(s))
        return VR_YAML_TIMESTAMP;
    if (s.n == 2 && !memcmp(s.p, "<<", 2))
        return VR_YAML_MERGE;
    if (s.n == 1 && s.p[0] == '=')
        return VR_YAML_VALUE;
    return VR_YAML_STR;
}

const char *vr_yaml_kind_title(enum vr_yaml_kind kind)
{
    switch (kind) {
    case VR_YAML_NULL:
        return "null";
    case VR_YAML_BOOL:
        return "a boolean";
    case VR_YAML_INT:
        return "a whole number";
    case VR_YAML_FLOAT:
        return "a number";
    case VR_YAML_TIMESTAMP:
        return "a timestamp";
    case VR_YAML_STR:
    case VR_YAML_MERGE:
    case VR_YAML_VALUE:
        break;
    }
    return "a text";
}

/* A number's sign and its text without sign and underscores. */
struct number {
    bool negative;
    char text[NUMBER_BYTES];
};

static int split_number(struct vr_str s, struct number *out, struct vr_err *err)
{
    size_t n = 0;

    out->negative = s.n && s.p[0] == '-';
    take_char(&s, "-+");
    for (size_t i = 0; i < s.n; i++) {
        if (s.p[i] == '_')
            continue;
        if (n == NUMBER_BYTES - 1)
            return vr_fail(err, VR_PARSE, "a number of %zu characters is too long", s.n);
        out->text[n++] = s.p[i];
    }
    out->text[n] = '\0';
    return 0;
}

static uint64_t digit_value(char c)
{
    if (c >= '0' && c <= '9')
        return (uint64_t)(c - '0');
    return (uint64_t)((c | 0x20) - 'a' + 10);
}

/* Digits of one base up to the end or a colon; false if they exceed 64 bits. */
static bool read_digits(const char **p, uint64_t base, uint64_t *out)
{
    uint64_t v = 0;

    for (; **p && **p != ':'; ++*p) {
        if (__builtin_mul_overflow(v, base, &v) || __builtin_add_overflow(v, digit_value(**p), &v))
            return false;
    }
    *out = v;
    return true;
}

/* The magnitude of an integer in any of its forms. */
static bool read_magnitude(const char *p, uint64_t *out)
{
    uint64_t v = 0, part;

    if (p[0] == '0' && p[1] == 'b')
        return p += 2, *p && read_digits(&p, 2, out);
    if (p[0] == '0' && p[1] == 'x')
        return p += 2, *p && read_digits(&p, 16, out);
    if (p[0] == '0')
        return read_digits(&p, 8, out);
    for (;;) {
        if (!read_digits(&p, 10, &part) || __builtin_mul_overflow(v, (uint64_t)BASE_60, &v) ||
            __builtin_add_overflow(v, part, &v))
            return false;
        if (!*p)
            break;
        p++;
    }
    *out = v;
    return true;
}

static int construct_int(struct vr_str s, json_t **out, struct vr_err *err)
{
    struct number number;
    uint64_t magnitude;
    int r;

    r = split_number(s, &number, err);
    if (r < 0)
        return r;
    if (!read_magnitude(number.text, &magnitude) ||
        magnitude > (uint64_t)INT64_MAX + (number.negative ? 1 : 0))
        return vr_fail(err, VR_PARSE, "'%.*s' is not a whole number of 64 bits",
                       (int)(s.n > 40 ? 40 : s.n), s.p);
    *out = json_integer((int64_t)(number.negative ? 0 - magnitude : magnitude));
    return 0;
}

static int construct_float(struct vr_str s, json_t **out, struct vr_err *err)
{
    struct number number;
    double v = 0;
    char *end;
    int r;

    r = split_number(s, &number, err);
    if (r < 0)
        return r;
    for (const char *p = number.text;; p = end + 1) {
        v = v * BASE_60 + strtod(p, &end);
        if (*end != ':')
            break;
    }
    if (*end || !isfinite(v))
        return vr_fail(err, VR_PARSE, "'%.*s' is not a finite number", (int)(s.n > 40 ? 40 : s.n),
                       s.p);
    *out = json_real(number.negative ? -v : v);
    return 0;
}

/* Digits up to the next other character, as a number; the text is known to be a timestamp. */
static unsigned read_part(struct vr_str *s)
{
    unsigned v = 0;

    while (s->n && s->p[0] >= '0' && s->p[0] <= '9') {
        v = v * 10 + (unsigned)(s->p[0] - '0');
        take_char(s, DIGITS);
    }
    return v;
}

/* Microseconds from the digits of a fraction: six of them count. */
static unsigned read_fraction(struct vr_str *s)
{
    unsigned v = 0, digits = 0;

    for (; s->n && s->p[0] >= '0' && s->p[0] <= '9'; take_char(s, DIGITS)) {
        if (digits < 6)
            v = v * 10 + (unsigned)(s->p[0] - '0');
        digits++;
    }
    for (; digits < 6; digits++)
        v *= 10;
    return v;
}

/* `2001-12-14t21:59:43.1 -5` as `2001-12-14T21:59:43.100000-05:00`; a date stays as it is. */
static json_t *construct_timestamp(struct vr_str s)
{
    vr_auto_buf struct vr_buf text = VR_BUF(NUMBER_BYTES);
    unsigned year = read_part(&s), month, day, fraction;

    take_char(&s, "-");
    month = read_part(&s);
    take_char(&s, "-");
    day = read_part(&s);
    vr_buf_addf(&text, "%04u-%02u-%02u", year, month, day);
    if (!s.n)
        return json_string(vr_buf_text(&text));
    take_run(&s, "Tt \t", 1, s.n);
    vr_buf_addf(&text, "T%02u", read_part(&s));
    for (int i = 0; i < 2; i++) {
        take_char(&s, ":");
        vr_buf_addf(&text, ":%02u", read_part(&s));
    }
    fraction = take_char(&s, ".") ? read_fraction(&s) : 0;
    if (fraction)
        vr_buf_addf(&text, ".%06u", fraction);
    take_run(&s, " \t", 0, s.n);
    if (take_char(&s, "Z")) {
        vr_buf_add(&text, "+00:00");
    } else if (s.n) {
        char sign = s.p[0];
        unsigned hours;

        take_char(&s, "-+");
        hours = read_part(&s);
        take_char(&s, ":");
        vr_buf_addf(&text, "%c%02u:%02u", sign, hours, read_part(&s));
    }
    return json_string(vr_buf_text(&text));
}

int vr_yaml_construct(enum vr_yaml_kind kind, struct vr_str s, json_t **out, struct vr_err *err)
{
    json_t *value = NULL;

    switch (kind) {
    case VR_YAML_INT:
        return construct_int(s, out, err);
    case VR_YAML_FLOAT:
        return construct_float(s, out, err);
    case VR_YAML_NULL:
        value = json_null();
        break;
    case VR_YAML_BOOL:
        value = json_boolean(is_one_of(s, true_words));
        break;
    case VR_YAML_TIMESTAMP:
        value = construct_timestamp(s);
        break;
    case VR_YAML_STR:
    case VR_YAML_MERGE:
    case VR_YAML_VALUE:
        if (memchr(s.n ? s.p : "", '\0', s.n))
            return vr_fail(err, VR_PARSE, "a NUL character in a text");
        value = json_stringn(s.n ? s.p : "", s.n);
        break;
    }
    if (!value)
        return vr_fail(err, VR_PARSE, "a text that is not UTF-8");
    *out = value;
    return 0;
}
