/* SPDX-License-Identifier: MIT */
/* The shim's socket: connections, requests, and telling clients what changed. */
#ifndef VR_SHIM_SERVER_H
#define VR_SHIM_SERVER_H

#include "shim/shim.h"

/** Listen in the current folder. Returns the descriptor or -1. */
int server_listen(void);

void server_accept(struct shim *s);

/** Answer what one connection has sent; drops it at its end. */
void server_serve(struct shim *s, struct client *c);

/** Pass a terminal that the runtime delivers on to the client that asked for it. */
void server_pass_console(struct client *c);

/** Tell every subscriber the state. */
void server_broadcast(struct shim *s);

/** Tell everyone who waits for it that nothing is left. */
void server_tell_stopped(struct shim *s);

/** An exec may have ended: tell its client. False if the pid is of no exec. */
bool server_exec_ended(struct shim *s, pid_t pid, int status);

#endif
