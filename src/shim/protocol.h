/* SPDX-License-Identifier: MIT */
/* The words that vr-shim and its clients share: socket frames, configuration keys, file names.
 *
 * A frame is one SEQPACKET message: NUL-terminated strings, first the verb, then `key=value` in any
 * order. Unknown keys are ignored, missing ones have their default, so that an agent and shims of
 * neighbouring versions understand each other; VR_SHIM_VERSION rises only if that no longer holds.
 *
 *   request                                  answer
 *   state                                    state …
 *   subscribe                                state …, and again at every change
 *   stop grace_ms=N signal=N                 stopped … when nothing is left
 *   kill                                     stopped …
 *   start                                    ok | error why=…
 *   signal n=N                               ok | error
 *   exec tty=1 -- ARGV…                      tty + the master (SCM_RIGHTS), then exec_exit code=N
 *   exec tty=0 -- ARGV…  + 3 descriptors     exec_exit code=N
 *   quit                                     ok and the end of the stream | error
 *
 * `state` and `stopped` carry: v phase pid gen id cgroup started_us restarts backoff_ms dropped
 * why, and of the last exit: exit_gen code signal oom known uptime_ms exit_us.
 */
#ifndef VR_SHIM_PROTOCOL_H
#define VR_SHIM_PROTOCOL_H

#define VR_SHIM_VERSION 1

#define VR_SHIM_FRAME_BYTES 16384 /* longest frame either side sends */
#define VR_SHIM_ID_BYTES    128   /* container id with generation */
#define VR_SHIM_PATH_BYTES  256   /* cgroup path */
#define VR_SHIM_WHY_BYTES   256
#define VR_SHIM_ARGV_MAX    128 /* words of an exec */
#define VR_SHIM_CLIENTS_MAX 16  /* connections; more are closed at once */

/* Files of the shim's folder. */
#define VR_SHIM_CONF   "shim.conf"
#define VR_SHIM_SOCK   "sock"
#define VR_SHIM_LOCK   "lock"
#define VR_SHIM_STATE  "state"    /* enough to adopt the app */
#define VR_SHIM_EXITS  "exits"    /* one line per end of the app */
#define VR_SHIM_STATUS "status"   /* exit status left by the container's init */
#define VR_SHIM_DIAG   "shim.log" /* the shim's own complaints */

#define VR_SHIM_CONFIG_TEMPLATE "config.json.in" /* in the bundle; @ID@ and @CG@ are replaced */

enum vr_shim_phase {
    VR_SHIM_STARTING,
    VR_SHIM_RUNNING,
    VR_SHIM_BACKOFF, /* crashed; starts again by itself */
    VR_SHIM_STOPPING,
    VR_SHIM_STOPPED, /* on request */
    VR_SHIM_EXITED,  /* a one-shot ended by itself */
    VR_SHIM_FATAL,   /* crashed too often; waits for start */
};

#define VR_SHIM_PHASES                                                                             \
    {                                                                                              \
        "starting", "running", "backoff", "stopping", "stopped", "exited", "fatal"                 \
    }
#define VR_SHIM_PHASE_COUNT 7

#endif
