/* SPDX-License-Identifier: MIT */
/* Allocation that never fails, and descriptors that close once. */
#include "core/own.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static void *need(void *p)
{
    if (!p) {
        static const char text[] = "velociraptor: out of memory\n";

        vr_ignore(write(STDERR_FILENO, text, sizeof(text) - 1) < 0, "we abort next");
        abort();
    }
    return p;
}

void vr_fd_close(int fd)
{
    int saved = errno;

    if (fd >= 0)
        close(fd);
    errno = saved;
}

void *vr_alloc(size_t bytes)
{
    return need(calloc(1, bytes ? bytes : 1));
}

void *vr_alloc_array(size_t count, size_t bytes)
{
    return need(calloc(count ? count : 1, bytes ? bytes : 1));
}

void *vr_realloc_array(void *p, size_t count, size_t bytes)
{
    return need(reallocarray(p, count ? count : 1, bytes ? bytes : 1));
}

char *vr_strdup(const char *s)
{
    return s ? need(strdup(s)) : NULL;
}

char *vr_strndup(const char *s, size_t n)
{
    return s ? need(strndup(s, n)) : NULL;
}

char *vr_strf(const char *fmt, ...)
{
    char *text = NULL;
    va_list ap;
    int n;

    va_start(ap, fmt);
    n = vasprintf(&text, fmt, ap);
    va_end(ap);
    return need(n < 0 ? NULL : text);
}
