/* SPDX-License-Identifier: MIT */
/* What a command shows: results on standard output, everything said about them on standard error.
 */
#include "cli/out.h"

#include "core/str.h"
#include "fmt/json.h"
#include "fmt/yaml.h"
#include "sys/fs.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

static bool is_utf8_locale(void)
{
    static const char *const names[] = {"LC_ALL", "LC_CTYPE", "LANG"};

    for (size_t i = 0; i < VR_COUNT(names); i++) {
        const char *value = getenv(names[i]);

        if (!vr_str_is_empty(value))
            return strcasestr(value, "utf-8") || strcasestr(value, "utf8");
    }
    return false;
}

void vr_out_init(struct vr_out *out)
{
    const char *term = getenv("TERM");
    bool smart = !vr_str_is_empty(term) && strcmp(term, "dumb") != 0;
    bool plain = !vr_str_is_empty(getenv("NO_COLOR"));
    struct winsize size;

    *out = (struct vr_out){
        .ask = isatty(STDIN_FILENO) && isatty(STDERR_FILENO),
        .live = isatty(STDERR_FILENO) && smart,
        .colour = isatty(STDOUT_FILENO) && smart && !plain,
        .colour_err = isatty(STDERR_FILENO) && smart && !plain,
        .utf8 = is_utf8_locale(),
    };
    if (isatty(STDOUT_FILENO) && !ioctl(STDOUT_FILENO, TIOCGWINSZ, &size))
        out->columns = size.ws_col;
}

int vr_out_format_parse(const char *name, enum vr_out_format *out, struct vr_err *err)
{
    static const char *const names[] = {
        [VR_OUT_TABLE] = "table", [VR_OUT_WIDE] = "wide", [VR_OUT_JSON] = "json",
        [VR_OUT_YAML] = "yaml",   [VR_OUT_NAME] = "name",
    };

    for (size_t i = 0; i < VR_COUNT(names); i++) {
        if (vr_streq(name, names[i])) {
            *out = (enum vr_out_format)i;
            return 0;
        }
    }
    return vr_fail(err, VR_INVALID, "output format '%s' is none of table, wide, json, yaml, name",
                   name);
}

/* ------------------------------------------------------------------ what others wrote */

size_t vr_out_control(const char *text, const char *end)
{
    const unsigned char *p = (const unsigned char *)text;
    size_t n = (size_t)(end - text);

    if (n && (p[0] < ' ' || p[0] == 0x7f))
        return 1;
    if (n >= 2 && p[0] == 0xc2 && p[1] >= 0x80 && p[1] <= 0x9f) /* C1 */
        return 2;
    if (n >= 3 && p[0] == 0xe2 && p[1] == 0x80 && p[2] >= 0xaa && p[2] <= 0xae) /* U+202A… */
        return 3;
    if (n >= 3 && p[0] == 0xe2 && p[1] == 0x81 && p[2] >= 0xa6 && p[2] <= 0xa9) /* U+2066… */
        return 3;
    return 0;
}

/* The length of `ESC [ <digits and ;> m` at `text`; 0: it is something else. */
static size_t colour_at(const char *text, const char *end)
{
    const char *p = text;

    if (end - text < 3 || p[0] != '\033' || p[1] != '[')
        return 0;
    for (p += 2; p < end && ((*p >= '0' && *p <= '9') || *p == ';'); p++)
        ;
    return p < end && *p == 'm' ? (size_t)(p + 1 - text) : 0;
}

void vr_out_add_visible(struct vr_buf *buf, const char *text, size_t n)
{
    const char *end = text + n;

    while (text < end) {
        size_t colour = colour_at(text, end), control = vr_out_control(text, end);

        if (colour || !control || *text == '\n' || *text == '\t') {
            n = colour ? colour : 1;
            vr_buf_add_n(buf, text, n);
        } else {
            n = control;
            vr_buf_addc(buf, '^');
            vr_buf_addc(buf, control == 1 ? (char)(*text ^ 0x40) : '?');
        }
        text += n;
    }
}

int vr_out_write(int fd, const char *text, size_t n, struct vr_err *err)
{
    vr_auto_buf struct vr_buf visible = VR_BUF(2 * n + 1);

    if (!isatty(fd))
        return vr_fd_write_all(fd, text, n, err);
    vr_out_add_visible(&visible, text, n);
    return vr_fd_write_all(fd, vr_buf_text(&visible), visible.len, err);
}

VR_PRINTF(2, 0)
static void say(const char *prefix, const char *fmt, va_list args)
{
    vr_auto_free char *text = NULL;
    vr_auto_buf struct vr_buf line = VR_BUF(VR_OUT_BYTES);

    if (vasprintf(&text, fmt, args) < 0)
        return;
    vr_out_add_visible(&line, text, strlen(text));
    fprintf(stderr, "%s%s\n", prefix, vr_buf_text(&line));
}

void vr_say(const struct vr_out *out, const char *fmt, ...)
{
    va_list args;

    if (out->quiet)
        return;
    va_start(args, fmt);
    say("", fmt, args);
    va_end(args);
}

void vr_say_warning(const struct vr_out *out, const char *fmt, ...)
{
    va_list args;

    va_start(args, fmt);
    say(out->colour_err ? "\033[33mwarning:\033[0m " : "warning: ", fmt, args);
    va_end(args);
}

int vr_out_flush(const struct vr_buf *text, struct vr_err *err)
{
    if (text->over)
        return vr_fail(err, VR_LIMIT, "the output has more than %u bytes", VR_OUT_BYTES);
    return vr_out_write(STDOUT_FILENO, vr_buf_text(text), text->len, err);
}

int vr_out_value(const struct vr_out *out, const json_t *value, struct vr_err *err)
{
    vr_auto_free char *text = NULL;
    vr_auto_buf struct vr_buf buf = VR_BUF(VR_OUT_BYTES);

    text = out->format == VR_OUT_YAML ? vr_yaml_dump(value) : vr_json_dump_pretty(value);
    vr_buf_add(&buf, text);
    if (!vr_str_has_suffix(text, "\n"))
        vr_buf_addc(&buf, '\n');
    return vr_out_flush(&buf, err);
}

int vr_out_confirm(const struct vr_out *out, bool yes, const char *question, struct vr_err *err)
{
    char answer[16] = "";

    if (yes || out->old)
        return 1;
    if (!out->ask)
        return vr_fail(err, VR_INVALID, "%s There is no terminal to answer on; add --yes",
                       question);
    fprintf(stderr, "%s [y/N] ", question);
    if (!fgets(answer, sizeof(answer), stdin))
        fputc('\n', stderr);
    answer[strcspn(answer, "\r\n")] = '\0';
    if (!strcasecmp(answer, "y") || !strcasecmp(answer, "yes"))
        return 1;
    vr_say(out, "Nothing was changed.");
    return 0;
}

void vr_style_add(struct vr_buf *buf, bool colour, enum vr_style style, const char *text)
{
    static const char *const codes[] = {
        [VR_STYLE_NONE] = "",   [VR_STYLE_BOLD] = "1",  [VR_STYLE_DIM] = "2",
        [VR_STYLE_GOOD] = "32", [VR_STYLE_BUSY] = "33", [VR_STYLE_BAD] = "31",
    };

    if (!colour || style == VR_STYLE_NONE)
        vr_buf_add(buf, text);
    else
        vr_buf_addf(buf, "\033[%sm%s\033[0m", codes[style], text);
}

static enum vr_style style_of_change(char sign)
{
    switch (sign) {
    case '-':
        return VR_STYLE_BAD;
    case '+':
    case '~':
        return VR_STYLE_GOOD;
    default:
        return VR_STYLE_NONE;
    }
}

void vr_out_add_diff(struct vr_buf *buf, bool colour, const char *first, const json_t *lines)
{
    const json_t *line;
    size_t i;

    json_array_foreach (lines, i, line) {
        const char *text = json_string_value(line);

        vr_buf_addf(buf, "%*s", (int)strlen(first), i ? "" : first);
        vr_style_add(buf, colour, style_of_change(text ? *text : ' '), text ? text : "");
        vr_buf_addc(buf, '\n');
    }
}

enum vr_style vr_style_of_state(const char *word)
{
    static const struct {
        const char *word;
        enum vr_style style;
    } words[] = {
        {"running", VR_STYLE_GOOD},   {"passed", VR_STYLE_GOOD},   {"done", VR_STYLE_GOOD},
        {"success", VR_STYLE_GOOD},   {"up", VR_STYLE_GOOD},       {"online", VR_STYLE_GOOD},
        {"failed", VR_STYLE_BAD},     {"fatal", VR_STYLE_BAD},     {"lost", VR_STYLE_BAD},
        {"exited", VR_STYLE_BAD},     {"starting", VR_STYLE_BUSY}, {"fetching", VR_STYLE_BUSY},
        {"assigned", VR_STYLE_BUSY},  {"backoff", VR_STYLE_BUSY},  {"stopping", VR_STYLE_BUSY},
        {"active", VR_STYLE_BUSY},    {"queued", VR_STYLE_BUSY},   {"pending", VR_STYLE_BUSY},
        {"started", VR_STYLE_BUSY},   {"suspect", VR_STYLE_BUSY},  {"cancelled", VR_STYLE_DIM},
        {"superseded", VR_STYLE_DIM}, {"stopped", VR_STYLE_DIM},   {"expired", VR_STYLE_DIM},
    };

    for (size_t i = 0; i < VR_COUNT(words); i++) {
        if (word && !strcasecmp(word, words[i].word))
            return words[i].style;
    }
    return VR_STYLE_NONE;
}

size_t vr_text_columns(const char *text)
{
    size_t n = 0;

    for (; *text; text++)
        n += ((unsigned char)*text & 0xc0) != 0x80;
    return n;
}
