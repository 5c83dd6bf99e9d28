/* SPDX-License-Identifier: MIT */
/*
 * JSON as text.
 *
 * jansson's own writer prints 0.1 as 0.10000000000000001 and cannot write Python's form, so there
 * is one writer here for all forms; they differ in separators, order, escapes and indent. Shortest
 * floats are found by trying 15, 16 and 17 digits until one reads back as the same number.
 */
#include "fmt/json.h"

#include "fmt/utf8.h"

#include <float.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

/* Texts of values that are in memory already; what came from outside was limited when read. */
#define DUMP_BYTES (SIZE_MAX / 8)

/* "-d.dddddddddddddddde-308" */
#define DOUBLE_BYTES        32
#define DOUBLE_DIGITS       17
#define DIGITS_ALWAYS_EXACT DBL_DIG

struct form {
    const char *comma;
    const char *colon;
    bool sorted;
    bool ascii;
    int indent; /* spaces a level; 0 is one line */
};

/* `text` in the form d.ddde+XX as digits without their trailing zeros, and the exponent. */
static int split_exponent(const char *text, char digits[DOUBLE_BYTES])
{
    const char *e = strchr(text, 'e');
    size_t n = 0;
    int64_t exponent = 0;
    struct vr_str s = vr_str(e + 1 + (e[1] == '+'));

    for (const char *p = text; p < e; p++) {
        if (*p >= '0' && *p <= '9')
            digits[n++] = *p;
    }
    while (n > 1 && digits[n - 1] == '0')
        n--;
    digits[n] = '\0';
    vr_ignore(vr_parse_i64(s, -400, 400, &exponent, NULL), "written by snprintf");
    return (int)exponent;
}

/*
 * The shortest digits that read back as `d` (finite, > 0). Above a power of two the numbers lie
 * twice as wide as below it, so there the nearest 16 digits may miss while one more in the last
 * place hits; that is the second try at each length.
 */
static int shortest(double d, char digits[DOUBLE_BYTES])
{
    char text[DOUBLE_BYTES];

    for (int n = d < DBL_MIN ? 1 : DIGITS_ALWAYS_EXACT; n < DOUBLE_DIGITS; n++) {
        char *last;

        snprintf(text, sizeof(text), "%.*e", n - 1, d);
        if (strtod(text, NULL) == d)
            return split_exponent(text, digits);
        last = strchr(text, 'e') - 1;
        if (*last < '9') {
            ++*last;
            if (strtod(text, NULL) == d)
                return split_exponent(text, digits);
        }
    }
    snprintf(text, sizeof(text), "%.*e", DOUBLE_DIGITS - 1, d);
    return split_exponent(text, digits);
}

void vr_json_add_double(struct vr_buf *out, double d)
{
    char digits[DOUBLE_BYTES];
    int exponent, n;

    if (signbit(d))
        vr_buf_addc(out, '-');
    d = fabs(d);
    if (d == 0) {
        vr_buf_add(out, "0.0");
        return;
    }
    exponent = shortest(d, digits);
    n = (int)strlen(digits);
    if (exponent < -4 || exponent >= 16) {
        vr_buf_addf(out, "%c%s%se%c%02d", digits[0], n > 1 ? "." : "", digits + 1,
                    exponent < 0 ? '-' : '+', abs(exponent));
    } else if (exponent < 0) {
        vr_buf_addf(out, "0.%.*s%s", -exponent - 1, "0000", digits);
    } else if (n <= exponent + 1) {
        vr_buf_addf(out, "%s%.*s.0", digits, exponent + 1 - n, "0000000000000000");
    } else {
        vr_buf_addf(out, "%.*s.%s", exponent + 1, digits, digits + exponent + 1);
    }
}

static void add_unicode_escape(struct vr_buf *out, uint32_t code)
{
    if (code < 0x10000) {
        vr_buf_addf(out, "\\u%04x", (unsigned)code);
        return;
    }
    code -= 0x10000;
    vr_buf_addf(out, "\\u%04x\\u%04x", 0xd800 + (unsigned)(code >> 10),
                0xdc00 + (unsigned)(code & 0x3ff));
}

static void add_string(struct vr_buf *out, const struct form *form, struct vr_str s)
{
    static const char named[] = "\"\\\b\f\n\r\t", names[] = "\"\\bfnrt";
    size_t plain = 0, n;

    vr_buf_addc(out, '"');
    for (size_t i = 0; i < s.n; i += n) {
        unsigned char c = (unsigned char)s.p[i];
        const char *at;
        uint32_t code = c;

        n = 1;
        if (c >= 0x20 && c != '"' && c != '\\' && (!form->ascii || c < 0x7f))
            continue;
        vr_buf_add_n(out, s.p + plain, i - plain);
        at = c ? strchr(named, c) : NULL;
        if (at) {
            vr_buf_addc(out, '\\');
            vr_buf_addc(out, names[at - named]);
        } else {
            n = vr_utf8_next((struct vr_str){s.p + i, s.n - i}, &code);
            n = n ? n : 1;
            add_unicode_escape(out, code);
        }
        plain = i + n;
    }
    vr_buf_add_n(out, s.p + plain, s.n - plain);
    vr_buf_addc(out, '"');
}

static void add_break(struct vr_buf *out, const struct form *form, int level)
{
    if (form->indent)
        vr_buf_addf(out, "\n%*s", level * form->indent, "");
}

static void add_value(struct vr_buf *out, const struct form *form, const json_t *value, int level);

static int compare_keys(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static void add_object(struct vr_buf *out, const struct form *form, const json_t *object, int level)
{
    size_t count = json_object_size(object), i = 0;
    vr_auto_free const char **keys = vr_alloc_array(count + 1, sizeof(*keys));
    const char *key;
    json_t *child;

    json_object_foreach ((json_t *)object, key, child)
        keys[i++] = key;
    if (form->sorted)
        qsort(keys, count, sizeof(*keys), compare_keys);
    vr_buf_addc(out, '{');
    for (i = 0; i < count; i++) {
        if (i)
            vr_buf_add(out, form->comma);
        add_break(out, form, level + 1);
        add_string(out, form, vr_str(keys[i]));
        vr_buf_add(out, form->colon);
        add_value(out, form, json_object_get(object, keys[i]), level + 1);
    }
    if (count)
        add_break(out, form, level);
    vr_buf_addc(out, '}');
}

static void add_array(struct vr_buf *out, const struct form *form, const json_t *array, int level)
{
    size_t i;
    json_t *child;

    vr_buf_addc(out, '[');
    json_array_foreach (array, i, child) {
        if (i)
            vr_buf_add(out, form->comma);
        add_break(out, form, level + 1);
        add_value(out, form, child, level + 1);
    }
    if (json_array_size(array))
        add_break(out, form, level);
    vr_buf_addc(out, ']');
}

static void add_value(struct vr_buf *out, const struct form *form, const json_t *value, int level)
{
    switch (value ? json_typeof(value) : JSON_NULL) {
    case JSON_OBJECT:
        add_object(out, form, value, level);
        return;
    case JSON_ARRAY:
        add_array(out, form, value, level);
        return;
    case JSON_STRING:
        add_string(out, form, (struct vr_str){json_string_value(value), json_string_length(value)});
        return;
    case JSON_INTEGER:
        vr_buf_addf(out, "%" PRId64, (int64_t)json_integer_value(value));
        return;
    case JSON_REAL:
        vr_json_add_double(out, json_real_value(value));
        return;
    case JSON_TRUE:
        vr_buf_add(out, "true");
        return;
    case JSON_FALSE:
        vr_buf_add(out, "false");
        return;
    case JSON_NULL:
        vr_buf_add(out, "null");
        return;
    }
}

static char *dump(const json_t *value, const struct form *form)
{
    struct vr_buf out = VR_BUF(DUMP_BYTES);
    char *text = NULL;

    add_value(&out, form, value, 0);
    if (vr_buf_finish(&out, &text, NULL) < 0)
        abort();
    return text;
}

char *vr_json_dump(const json_t *value)
{
    return dump(value, &(struct form){.comma = ",", .colon = ":"});
}

char *vr_json_dump_sorted(const json_t *value)
{
    return dump(value, &(struct form){.comma = ",", .colon = ":", .sorted = true});
}

char *vr_json_dump_pretty(const json_t *value)
{
    return dump(value, &(struct form){.comma = ",", .colon = ": ", .indent = 2});
}

void vr_json_python_dumps(struct vr_buf *out, const json_t *value)
{
    add_value(out, &(struct form){.comma = ", ", .colon = ": ", .sorted = true, .ascii = true},
              value, 0);
}
