/* SPDX-License-Identifier: MIT */
/* Ownership: memory that is released by scope, and allocation that never fails. */
#ifndef VR_CORE_OWN_H
#define VR_CORE_OWN_H

#include <stddef.h>
#include <stdlib.h>
#include <unistd.h>

#define VR_MUST_USE                __attribute__((warn_unused_result))
#define VR_PRINTF(fmt_arg, va_arg) __attribute__((format(printf, fmt_arg, va_arg)))
#define VR_NORETURN                __attribute__((noreturn))

/** Number of elements of a real array (not of a pointer). */
#define VR_COUNT(a) (sizeof(a) / sizeof((a)[0]))

/** Run `fn##_p(&var)` when the variable leaves its scope. */
#define VR_OWNED(fn) __attribute__((cleanup(fn##_p)))

/** For types whose destructor returns NULL: `VR_DEFINE_OWNED(struct vr_proc, vr_proc_free)`. */
#define VR_DEFINE_OWNED(type, fn)                                                                  \
    static inline void fn##_p(type **p)                                                            \
    {                                                                                              \
        *p = fn(*p);                                                                               \
    }

/** Hand a pointer over: yields its value and leaves NULL behind. */
#define vr_take(p)                                                                                 \
    __extension__({                                                                                \
        __typeof__(p) t_ = (p);                                                                    \
        (p) = NULL;                                                                                \
        t_;                                                                                        \
    })

/** Hand a descriptor over: yields its value and leaves -1 behind. */
#define vr_take_fd(fd)                                                                             \
    __extension__({                                                                                \
        int t_ = (fd);                                                                             \
        (fd) = -1;                                                                                 \
        t_;                                                                                        \
    })

/** Ignore the result of a fallible call on purpose; the reason is for the reader. */
#define vr_ignore(call, reason)                                                                    \
    do {                                                                                           \
        if (call) {                                                                                \
        }                                                                                          \
    } while (0)

static inline void vr_free_p(void *p)
{
    free(*(void **)p);
}

/** Close a descriptor if there is one; keeps errno. Never retried: the number is gone either way.
 */
void vr_fd_close(int fd);

static inline void vr_fd_close_p(int *fd)
{
    vr_fd_close(*fd);
}

#define vr_auto_free  __attribute__((cleanup(vr_free_p)))
#define vr_auto_close __attribute__((cleanup(vr_fd_close_p)))

/**
 * Allocation for small things. Memory is zeroed; aborts the program when there is none, since
 * processes of users outlive any of our programs. Sizes that come from outside are checked
 * against a limit before they get here.
 */
void *vr_alloc(size_t bytes) __attribute__((malloc, returns_nonnull, alloc_size(1)));
void *vr_alloc_array(size_t count, size_t bytes)
    __attribute__((malloc, returns_nonnull, alloc_size(1, 2)));
/** As realloc(); what lies beyond the old size is not zeroed. Pair with free(). */
void *vr_realloc_array(void *p, size_t count, size_t bytes) __attribute__((returns_nonnull));
/** NULL gives NULL. Pair with free(). */
char *vr_strdup(const char *s);
char *vr_strndup(const char *s, size_t n);
/** Formatted text on the heap; pair with free(). */
char *vr_strf(const char *fmt, ...) VR_PRINTF(1, 2) __attribute__((returns_nonnull));

#endif
