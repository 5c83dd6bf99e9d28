/* SPDX-License-Identifier: MIT */
/* Errors as values on the caller's stack. */
#include "core/err.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static const char *const code_names[] = {
    [VR_OK] = "ok",           [VR_INVALID] = "invalid", [VR_NOT_FOUND] = "not_found",
    [VR_EXISTS] = "exists",   [VR_DENIED] = "denied",   [VR_LIMIT] = "limit",
    [VR_TIMEOUT] = "timeout", [VR_BUSY] = "busy",       [VR_PARSE] = "parse",
    [VR_IO] = "io",           [VR_BUG] = "bug",
};

static enum vr_code code_of_errno(int e)
{
    switch (e) {
    case ENOENT:
        return VR_NOT_FOUND;
    case EEXIST:
        return VR_EXISTS;
    case EACCES:
    case EPERM:
        return VR_DENIED;
    case ENOSPC:
    case EDQUOT:
    case EMFILE:
    case ENFILE:
    case ENOMEM:
        return VR_LIMIT;
    case ETIMEDOUT:
        return VR_TIMEOUT;
    case EAGAIN:
    case EBUSY:
        return VR_BUSY;
    default:
        return VR_IO;
    }
}

int(vr_fail)(struct vr_err *err, enum vr_code code, const char *fmt, ...)
{
    va_list ap;

    if (err) {
        /* Formatted aside, since an argument may be err->msg itself. */
        char text[VR_ERR_MSG_BYTES];

        va_start(ap, fmt);
        vsnprintf(text, sizeof(text), fmt, ap);
        va_end(ap);
        memcpy(err->msg, text, sizeof(text));
        err->code = code;
        err->sys = 0;
    }
    return -(int)code;
}

int(vr_fail_sys)(struct vr_err *err, const char *fmt, ...)
{
    int e = errno;
    enum vr_code code = code_of_errno(e);
    va_list ap;

    if (err) {
        char text[VR_ERR_MSG_BYTES];
        size_t n;

        va_start(ap, fmt);
        vsnprintf(text, sizeof(text), fmt, ap);
        va_end(ap);
        n = strlen(text);
        snprintf(text + n, sizeof(text) - n, ": %s", strerrordesc_np(e) ?: "unknown error");
        memcpy(err->msg, text, sizeof(text));
        err->code = code;
        err->sys = e;
    }
    return -(int)code;
}

int vr_fail_in(struct vr_err *err, int r, const char *fmt, ...)
{
    va_list ap;

    if (err) {
        char text[VR_ERR_MSG_BYTES];
        size_t n;

        va_start(ap, fmt);
        vsnprintf(text, sizeof(text), fmt, ap);
        va_end(ap);
        n = strlen(text);
        snprintf(text + n, sizeof(text) - n, ": %s", err->msg);
        memcpy(err->msg, text, sizeof(text));
    }
    return r;
}

const char *vr_code_name(enum vr_code code)
{
    return (size_t)code < VR_COUNT(code_names) ? code_names[code] : "bug";
}

enum vr_code vr_code_parse(const char *name)
{
    for (size_t i = 0; i < VR_COUNT(code_names); i++)
        if (!strcmp(name, code_names[i]))
            return (enum vr_code)i;
    return VR_BUG;
}
