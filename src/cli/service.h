/* SPDX-License-Identifier: MIT */
/* One long-lived program of `vr up`: started, watched, adopted, restarted, stopped. */
#ifndef VR_CLI_SERVICE_H
#define VR_CLI_SERVICE_H

#include "core/clock.h"
#include "core/err.h"

#include <stdbool.h>
#include <sys/types.h>

struct vr_service;

/** The variable that tells a started program which lock to hold for its life. */
#define VR_SERVICE_LOCK_ENV "VR_SERVICE_LOCK"

#define VR_SERVICE_LOG_BYTES   (16 << 20) /* a log is rotated beyond this, */
#define VR_SERVICE_LOGS_KEPT   3          /* and so many old ones are kept */
#define VR_SERVICE_BACKOFF_MS  500        /* after the first crash; doubles, */
#define VR_SERVICE_BACKOFF_MAX 30000      /* up to this; forgotten after */
#define VR_SERVICE_STEADY_MS   60000      /* so long without a crash */

struct vr_service_spec {
    const char *name;        /* "server"; for messages */
    const char *const *argv; /* borrowed for the service's life */
    const char *lock_path;   /* borrowed; held by the program as long as it lives */
    const char *log_path;    /* borrowed; gets standard output and error */
    uid_t uid;
    gid_t gid;
    bool set_user;
};

/** @spec borrowed, as its texts are, for the service's life */
struct vr_service *vr_service_new(const struct vr_service_spec *spec);
/** Forgets the program; it goes on. */
struct vr_service *vr_service_free(struct vr_service *service);
VR_DEFINE_OWNED(struct vr_service, vr_service_free)

/**
 * Adopt the program that holds the lock, or start one in a session of its own.
 * Returns 1 if it was adopted, 0 if it was started, or -code.
 */
VR_MUST_USE
int vr_service_start(struct vr_service *service, struct vr_err *err);

/** Adopt the program that holds the lock; false if nobody does. */
bool vr_service_adopt(struct vr_service *service);

/** Becomes readable when the program has ended; -1 while none runs. Borrowed. */
int vr_service_fd(const struct vr_service *service);

/** The program's pid, 0 while none runs. */
pid_t vr_service_pid(const struct vr_service *service);

/**
 * See whether it has ended, start it again when its back-off is over, rotate its log. Says what it
 * does to standard error. Returns the milliseconds until it wants to be called again, -1: none.
 */
int64_t vr_service_tend(struct vr_service *service);

/** SIGTERM, up to grace_ms, SIGKILL. Blocks. */
void vr_service_stop(struct vr_service *service, int64_t grace_ms);

/**
 * In a program started as a service: take the lock that the environment names, and hold it. Does
 * nothing in other programs. -VR_BUSY if another one has it.
 */
VR_MUST_USE
int vr_service_hold_lock(struct vr_err *err);

#endif
