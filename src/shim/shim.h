/* SPDX-License-Identifier: MIT */
/* One supervised app: its container, its phase, and what clients may ask of it. */
#ifndef VR_SHIM_SHIM_H
#define VR_SHIM_SHIM_H

#include "shim/conf.h"
#include "shim/logs.h"
#include "shim/protocol.h"
#include "shim/restart.h"

#include <limits.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#define SHIM_EARLY_MAX 32 /* unknown children remembered while the runtime starts a container */

/** How a generation ended. */
struct exit_record {
    int64_t generation;
    int code, signal;
    bool is_oom, is_known;
    int64_t uptime_ms, at_us;
};

struct client {
    int fd; /* -1: free slot */
    bool subscribed;
    bool waits_for_stop;
    pid_t exec_pid;
    int console_fd; /* where the runtime delivers a terminal, -1: none */
    char console[32];
};

/** A child that was reaped before we knew whose it was. */
struct early {
    pid_t pid;
    int status;
};

struct shim {
    struct conf conf;
    char dir[PATH_MAX];
    bool v2;
    int listen_fd, signal_fd;
    struct logs logs;
    struct restart restart;
    struct client clients[VR_SHIM_CLIENTS_MAX];

    enum vr_shim_phase phase;
    int64_t generation;
    char id[VR_SHIM_ID_BYTES];
    char cgroup[VR_SHIM_PATH_BYTES];
    char old_id[VR_SHIM_ID_BYTES]; /* generation to delete once its successor runs; "": none */
    pid_t runtime_pid;             /* `run` in progress */
    pid_t delete_pid;              /* `delete` that the end of a stop waits for */
    pid_t app_pid;                 /* the container's pid 1 */
    int app_pidfd;
    bool is_adopted; /* the app is not our child: its end shows in the pidfd only */
    bool is_mounted; /* the overlay is in our namespace */
    bool wants_stop; /* a client, or SIGTERM, wants it gone */
    bool quits;      /* leave as soon as nothing runs */
    bool leaves;     /* leave now */
    int stop_signal;
    int64_t kill_at_ns;          /* end of the grace; 0: none, as below */
    int64_t start_at_ns;         /* end of the back-off */
    int64_t runtime_deadline_ns; /* of `run` */
    int64_t started_ns, started_us;
    struct early early[SHIM_EARLY_MAX];
    unsigned early_count;
    struct exit_record last;
    char why[VR_SHIM_WHY_BYTES];
};

/** Become the supervisor of the current folder's app; returns the exit code when it is over. */
int shim_run(struct shim *s, bool adopt);

/** End the app: signal, grace, kill. Every client that waits is told when nothing is left. */
void shim_stop(struct shim *s, int sig, int64_t grace_ms);

/** Start again after an end; false if something runs. */
bool shim_start_again(struct shim *s);

/** Signal the container's pid 1; false if there is none. */
bool shim_signal(struct shim *s, int sig);

/** Whether nothing of the app is left or comes back by itself. */
bool shim_is_idle(const struct shim *s);

/** Kill and delete all that a dead shim left behind; returns the exit code. */
int shim_clean(struct shim *s);

#endif
