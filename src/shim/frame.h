/* SPDX-License-Identifier: MIT */
/* Frames of protocol.h: NUL-terminated strings in one SEQPACKET message. */
#ifndef VR_SHIM_FRAME_H
#define VR_SHIM_FRAME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define FRAME_OUT_BYTES 2048 /* longest answer: the state */

struct frame {
    size_t len;
    char bytes[FRAME_OUT_BYTES];
};

void frame_begin(struct frame *f, const char *verb);
void frame_add(struct frame *f, const char *key, const char *value);
void frame_add_number(struct frame *f, const char *key, int64_t value);

/** Send it with a descriptor (-1: none) without waiting; false if the peer is gone or too slow. */
bool frame_send(int sock, const struct frame *f, int fd);

/**
 * Receive a frame without waiting: its length, 0 at the end of the stream, -1 with errno.
 * @out  NUL-terminated beyond the frame
 * @fds  up to three descriptors that came along, else -1; given
 */
long frame_receive(int sock, char *out, size_t size, int fds[3]);

/** A request's number `key`, or `otherwise`. Looks no further than a string "--". */
int64_t frame_number(const char *bytes, size_t len, const char *key, int64_t otherwise);

/** The strings after "--"; returns their number, at most max - 1, and ends the array with NULL. */
int frame_words(char *bytes, size_t len, char **out, int max);

#endif
