/* SPDX-License-Identifier: MIT */
/* Small whole files, numbers, time and complaints. */
#include "shim/io.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

void complain(const char *fmt, ...)
{
    char line[512];
    va_list ap;
    int n;

    va_start(ap, fmt);
    n = vsnprintf(line, sizeof(line) - 1, fmt, ap);
    va_end(ap);
    if (n < 0)
        return;
    if (n > (int)sizeof(line) - 2)
        n = sizeof(line) - 2;
    line[n] = '\n';
    if (write(STDERR_FILENO, line, (size_t)n + 1) < 0)
        return; /* there is nowhere left to complain */
}

ssize_t file_read(const char *path, char *out, size_t size)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    size_t len = 0;
    ssize_t n = 0;

    if (fd < 0)
        return -1;
    while (len < size - 1 && (n = read(fd, out + len, size - 1 - len)) > 0)
        len += (size_t)n;
    close(fd);
    out[len] = '\0';
    return n < 0 ? -1 : (ssize_t)len;
}

int file_write(const char *path, const char *text, size_t n, int flags)
{
    int fd = open(path, O_WRONLY | O_CLOEXEC | flags, 0600);
    ssize_t r;
    int saved;

    if (fd < 0)
        return -1;
    r = write(fd, text, n);
    saved = errno;
    close(fd);
    errno = r < 0 ? saved : ENOSPC;
    return r == (ssize_t)n ? 0 : -1;
}

int file_replace(const char *path, const char *text, size_t n)
{
    char temporary[PATH_MAX];

    if (snprintf(temporary, sizeof(temporary), "%s.new", path) >= (int)sizeof(temporary))
        return -1;
    if (file_write(temporary, text, n, O_CREAT | O_TRUNC) < 0)
        return -1;
    return rename(temporary, path);
}

bool number_parse(const char *s, int64_t *out)
{
    bool negative = *s == '-';
    int64_t n = 0;

    s += negative;
    if (!*s)
        return false;
    for (; *s; s++) {
        if (*s < '0' || *s > '9')
            return false;
        if (__builtin_mul_overflow(n, 10, &n) || __builtin_add_overflow(n, *s - '0', &n))
            return false;
    }
    *out = negative ? -n : n;
    return true;
}

bool line_value(const char *lines, const char *key, char *out, size_t size)
{
    size_t key_len = strlen(key), n;

    for (const char *p = lines; *p;) {
        n = strcspn(p, "\n");
        if (n > key_len && !strncmp(p, key, key_len) && p[key_len] == '=') {
            snprintf(out, size, "%.*s", (int)(n - key_len - 1), p + key_len + 1);
            return true;
        }
        p += n + (p[n] == '\n');
    }
    return false;
}

int64_t line_number(const char *lines, const char *key, int64_t otherwise)
{
    char text[32];
    int64_t n;

    return line_value(lines, key, text, sizeof(text)) && number_parse(text, &n) ? n : otherwise;
}

int64_t mono_ns(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * NS_PER_S + t.tv_nsec;
}

int64_t wall_us(void)
{
    struct timespec t;

    clock_gettime(CLOCK_REALTIME, &t);
    return t.tv_sec * INT64_C(1000000) + t.tv_nsec / 1000;
}
