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

VR_PRINTF(2, 0)
static void say(const char *prefix, const char *fmt, va_list args)
{
    flockfile(stderr);
    fputs(prefix, stderr);
    vfprintf(stderr, fmt, args);
    fputc('\n', stderr);
    funlockfile(stderr);
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
    return vr_fd_write_all(STDOUT_FILENO, vr_buf_text(text), text->len, err);
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
