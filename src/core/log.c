/* SPDX-License-Identifier: MIT */
/* One event a line, key=value, to stderr, in one write so that lines of threads do not mix. */
#include "core/log.h"
#include "core/buf.h"
#include "core/clock.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define LOG_LINE_BYTES 4096
#define LOG_DEPTH      8

static const char *const level_names[] = {
    [VR_LOG_DEBUG] = "debug",
    [VR_LOG_INFO] = "info",
    [VR_LOG_WARN] = "warn",
    [VR_LOG_ERROR] = "error",
};

static enum vr_log_level threshold = VR_LOG_INFO;

void vr_log_set_level(enum vr_log_level level)
{
    threshold = level;
}

int vr_log_level_parse(const char *name, enum vr_log_level *out, struct vr_err *err)
{
    for (size_t i = 0; i < VR_COUNT(level_names); i++) {
        if (!strcmp(name, level_names[i])) {
            *out = (enum vr_log_level)i;
            return 0;
        }
    }
    return vr_fail(err, VR_INVALID, "'%s' is not one of debug, info, warn, error", name);
}

void vr_log_init(struct vr_log *log, const struct vr_log *parent, const char *key,
                 const char *value)
{
    *log = (struct vr_log){.parent = parent, .key = key, .value = value};
}

void vr_log_write(const struct vr_log *log, enum vr_log_level level, const char *fmt, ...)
{
    const struct vr_log *chain[LOG_DEPTH];
    char line[LOG_LINE_BYTES];
    char when[VR_WALL_TEXT_BYTES];
    int depth = 0;
    size_t n;
    va_list ap;

    if (level < threshold)
        return;
    vr_wall_format(vr_wall_now(), false, when);
    n = (size_t)snprintf(line, sizeof(line), "%s %-5s ", when, level_names[level]);
    for (; log && depth < LOG_DEPTH; log = log->parent)
        chain[depth++] = log;
    while (depth-- > 0 && n < sizeof(line) / 2)
        if (chain[depth]->key)
            n += (size_t)snprintf(line + n, sizeof(line) / 2 - n + 64, "%s=%.64s ",
                                  chain[depth]->key, chain[depth]->value);
    va_start(ap, fmt);
    n += (size_t)vsnprintf(line + n, sizeof(line) - n - 1, fmt, ap);
    va_end(ap);
    if (n > sizeof(line) - 2)
        n = sizeof(line) - 2;
    for (size_t i = 0; i < n; i++)
        if ((unsigned char)line[i] < 0x20 || line[i] == 0x7f)
            line[i] = '?';
    line[n++] = '\n';
    vr_ignore(write(STDERR_FILENO, line, n) < 0, "there is nowhere left to complain");
}
