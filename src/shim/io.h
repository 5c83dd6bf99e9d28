/* SPDX-License-Identifier: MIT */
/* Small whole files, numbers, time and complaints: the shim links nothing but libc. */
#ifndef VR_SHIM_IO_H
#define VR_SHIM_IO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define COUNT(a)  (sizeof(a) / sizeof((a)[0]))
#define NS_PER_MS INT64_C(1000000)
#define NS_PER_S  INT64_C(1000000000)

/** One line on stderr, which is the shim's own log; cut at 512 bytes. */
void complain(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/** Read a file into `out`, NUL-terminated, cut at `size`. Returns its length, -1 with errno. */
ssize_t file_read(const char *path, char *out, size_t size);

/** Write a file in place. Returns 0, or -1 with errno. `flags` is added to O_WRONLY. */
int file_write(const char *path, const char *text, size_t n, int flags);

/** Replace a file by rename, without sync: a reboot ends everything it could tell. */
int file_replace(const char *path, const char *text, size_t n);

/** Decimal digits only, with one leading '-'; false for anything else or an overflow. */
bool number_parse(const char *s, int64_t *out);

/** Text after `key` + '=' in `lines` (separated by newline), copied and cut; false if absent. */
bool line_value(const char *lines, const char *key, char *out, size_t size);

/** As line_value() for a number; `otherwise` if it is absent or none. */
int64_t line_number(const char *lines, const char *key, int64_t otherwise);

int64_t mono_ns(void);
int64_t wall_us(void);

#endif
