/* SPDX-License-Identifier: MIT */
/*
 * The app's output: one record a line, rotated by size, and never a reason for the app to wait.
 *
 * A place in the log is a number of bytes since the proc's first one, for ever: a file that is not
 * the first begins with a record "sys log goes on at byte N", N being the place of that record.
 */
#ifndef VR_SHIM_LOGS_H
#define VR_SHIM_LOGS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#define LOGS_LINE_BYTES  8192  /* a longer line becomes several records */
#define LOGS_BATCH_BYTES 32768 /* records written at once */
#define LOGS_GOES_ON     "sys log goes on at byte "

struct log_stream {
    const char *name; /* "out", "err" */
    int fd;           /* our end of the FIFO, non-blocking */
    int app_fd;       /* the app's end; also readable, so that our death is no SIGPIPE */
    size_t len;       /* bytes of an unfinished line */
    char line[LOGS_LINE_BYTES];
};

struct logs {
    const char *path;
    int64_t max_bytes, backups, rate_bytes;
    int fd;       /* of the file, -1 while it cannot be opened */
    int64_t base; /* place of the file's first byte in the whole log */
    int64_t size;
    int64_t allowance; /* bytes that may be written now; refilled by rate_bytes a second */
    int64_t refilled_ns;
    int64_t dropped;      /* lines not written, ever */
    int64_t unreported;   /* of them, not yet told in the log */
    int64_t report_at_ns; /* when to tell them, 0: nothing to tell */
    struct log_stream streams[2];
    size_t batch_len, batch_lines;
    char batch[LOGS_BATCH_BYTES];
};

/** Open the FIFOs of the current folder (made if missing) and the log. Returns 0 or -1. */
int logs_open(struct logs *l, uid_t app_uid);

/** Read one stream as far as it goes without waiting, at most one round of 16 reads. */
void logs_pump(struct logs *l, int stream);

/** Read what the app left behind and write unfinished lines: it has ended. */
void logs_finish(struct logs *l);

/** A record of our own, stream "sys". */
void logs_note(struct logs *l, const char *text);

/** Tell of dropped lines if that is due. */
void logs_tick(struct logs *l);

#endif
