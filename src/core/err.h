/* SPDX-License-Identifier: MIT */
/* Errors as values on the caller's stack: a code to branch on, and a sentence for an operator. */
#ifndef VR_CORE_ERR_H
#define VR_CORE_ERR_H

#include "core/own.h"

/** Closed list; a new code needs a caller that branches on it. */
enum vr_code {
    VR_OK,
    VR_INVALID,   /* the input is outside its grammar or range */
    VR_NOT_FOUND, /* the named thing does not exist */
    VR_EXISTS,    /* it exists already, or conflicts with something that does */
    VR_DENIED,    /* not allowed */
    VR_LIMIT,     /* a named limit was reached */
    VR_TIMEOUT,   /* a deadline passed */
    VR_BUSY,      /* cannot be done now; trying again may help */
    VR_PARSE,     /* the bytes are not what their format says */
    VR_IO,        /* disk, network or another program failed */
    VR_BUG,       /* we are wrong */
};

#define VR_ERR_MSG_BYTES 256

struct vr_err {
    enum vr_code code;
    int sys;                    /* errno behind it, 0 if none */
    char msg[VR_ERR_MSG_BYTES]; /* lower-case fragment; truncated, always terminated */
};

#define VR_ERR_NULL                                                                                \
    {                                                                                              \
        .code = VR_OK                                                                              \
    }

/*
 * All return the negative code, so that a failing line is one return. `err` may be NULL.
 * vr_fail_sys() derives the code from errno (ENOENT: VR_NOT_FOUND, EEXIST: VR_EXISTS,
 * EACCES/EPERM: VR_DENIED, ENOSPC/EDQUOT/EMFILE/ENFILE/ENOMEM: VR_LIMIT, ETIMEDOUT: VR_TIMEOUT,
 * EAGAIN/EBUSY: VR_BUSY, else VR_IO) and appends its text. vr_fail_in() puts context before the
 * message that is there; `r` is the negative code being passed up and is returned as it is.
 */
int vr_fail(struct vr_err *err, enum vr_code code, const char *fmt, ...) VR_PRINTF(3, 4);
int vr_fail_sys(struct vr_err *err, const char *fmt, ...) VR_PRINTF(2, 3);
int vr_fail_in(struct vr_err *err, int r, const char *fmt, ...) VR_PRINTF(3, 4);

/*
 * What a failing call returns is negative: said here, so that compilers and analyzers know that the
 * way on after `if (r < 0) return r;` is not the failing one.
 */
static inline int vr_negative(int r)
{
    if (r >= 0)
        __builtin_unreachable();
    return r;
}

#define vr_fail(...)     vr_negative(vr_fail(__VA_ARGS__))
#define vr_fail_sys(...) vr_negative(vr_fail_sys(__VA_ARGS__))

/** The code's stable name ("invalid", "not_found", …) for logs and protocols. */
const char *vr_code_name(enum vr_code code);

/** The code of a stable name, VR_BUG if there is none. */
enum vr_code vr_code_parse(const char *name);

#endif
