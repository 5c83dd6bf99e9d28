/* SPDX-License-Identifier: MIT */
/* One container at a time: private mounts, the overlay, and the OCI runtime's commands. */
#ifndef VR_SHIM_CONTAINER_H
#define VR_SHIM_CONTAINER_H

#include "shim/conf.h"

#include <sys/types.h>

#define CONTAINER_PID_FILE "pid"
#define CONTAINER_LOG_FILE "runtime.log"
#define CONTAINER_ARGV_MAX 160

/** Enter a mount namespace in which the runtime finds a hierarchy it understands. 0 or -1. */
int container_isolate(void);

/** Mount the root overlay in it. An older one on the same upper layer must be gone. 0 or -1. */
int container_mount(const struct conf *conf);

/**
 * Start `runtime run -d` for a new generation with the given descriptors as its output. Its pid 1
 * stays after the runtime has ended; its pid is then in CONTAINER_PID_FILE. Returns the runtime's
 * pid or -1.
 */
pid_t container_run(const struct conf *conf, const char *dir, const char *id, const char *cgroup,
                    int out_fd, int err_fd);

/** Start `runtime delete -f`. Returns its pid or -1. */
pid_t container_delete(const struct conf *conf, const char *id);

/**
 * Start `runtime exec` as the app's user without new privileges.
 * @console  socket path that receives the terminal's master, or NULL for the three `fds`
 */
pid_t container_exec(const struct conf *conf, const char *id, const char *console, const int fds[3],
                     char *const *words);

/** The last complaint of the runtime, "" if none. */
void container_complaint(char *out, size_t size);

/** Start time of a process in clock ticks since boot, 0 if there is no such process. */
int64_t container_start_time(pid_t pid);

#endif
