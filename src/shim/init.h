/* SPDX-License-Identifier: MIT */
/* Pid 1 of a container: forwards signals, reaps, and leaves the exit status behind. */
#ifndef VR_SHIM_INIT_H
#define VR_SHIM_INIT_H

/**
 * Run a command as the container's init; never returns. Exits with the command's code, 128 + n
 * after a signal, 127 or 126 if it cannot be started. The kernel then kills whatever is left.
 * @status_file  the code is written there too, for a shim that is not our parent; may be NULL
 */
_Noreturn void init_run(const char *status_file, char **argv);

#endif
