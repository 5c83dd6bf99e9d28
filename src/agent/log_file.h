/* SPDX-License-Identifier: MIT */
/* A proc's log as one sequence of bytes, though its shim rotates the file (shim/logs.h). */
#ifndef VR_AGENT_LOG_FILE_H
#define VR_AGENT_LOG_FILE_H

#include "core/own.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#define VR_LOG_FILES_MAX 16 /* the newest and its backups */

struct vr_log_file {
    char *path;   /* of the newest file */
    int fd;       /* of the one that was read last; -1: none */
    int64_t base; /* place of its first byte */
};

/** @path copied; nothing need be there yet */
void vr_log_file_init(struct vr_log_file *f, const char *path);
void vr_log_file_fini(struct vr_log_file *f);

bool vr_log_file_exists(const struct vr_log_file *f);

/** The places of the oldest byte that is kept and behind the newest; both 0 if there is none. */
void vr_log_file_range(const struct vr_log_file *f, int64_t *out_first, int64_t *out_end);

/** Where the last `lines` lines begin, as far as they are kept. */
int64_t vr_log_file_tail(const struct vr_log_file *f, int64_t lines);

/**
 * Read from a place; if it is not kept any more, from the next that is.
 * @at  in: the place; out: the place of the first byte read
 *
 * Returns the number of bytes, 0 at the end (for now), never negative. A file that was rotated
 * away while it was read is read to its end. Blocks on the disk only.
 */
size_t vr_log_file_read(struct vr_log_file *f, int64_t *at, char *out, size_t max);

#endif
