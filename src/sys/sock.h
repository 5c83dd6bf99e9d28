/* SPDX-License-Identifier: MIT */
/* Sockets of both families, with CLOEXEC and deadlines. */
#ifndef VR_SYS_SOCK_H
#define VR_SYS_SOCK_H

#include "core/err.h"

#include <stdbool.h>
#include <stdint.h>

/** Connect to a unix socket (a path over 107 bytes works too). `type` is SOCK_STREAM or
 * SOCK_SEQPACKET. Returns the (blocking) descriptor, or -VR_NOT_FOUND / -VR_BUSY (nobody listens).
 */
VR_MUST_USE
int vr_unix_connect(const char *path, int type, struct vr_err *err);

/** Listen on a unix socket, replacing a stale file; mode 0600. Returns the descriptor, -VR_BUSY if
 * another process listens there, -VR_EXISTS if the path is no socket. */
VR_MUST_USE
int vr_unix_listen(const char *path, int type, struct vr_err *err);

/** Listen on TCP `address:port` (port 0: any). Returns the descriptor, or -VR_INVALID for what is
 * no IPv4 or IPv6 address, or -VR_BUSY if the port is taken. */
VR_MUST_USE
int vr_tcp_listen(const char *address, uint16_t port, int backlog, struct vr_err *err);

/** The port that a TCP socket is bound to, 0 if none. */
uint16_t vr_tcp_port(int fd);

/** Whether TCP `address:port` can be bound now, i.e. no stranger has it. */
bool vr_tcp_port_is_free(const char *address, uint16_t port);

/** A free TCP port of 127.0.0.1, as the kernel gives it. */
VR_MUST_USE
int vr_tcp_free_port(uint16_t *out, struct vr_err *err);

/** Send a request line over a connected stream and read until EOF, within timeout_ms. Blocks. */
VR_MUST_USE
int vr_sock_ask(int fd, const char *request, size_t max_bytes, int64_t timeout_ms, char **out,
                struct vr_err *err);

#endif
