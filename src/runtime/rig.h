/* SPDX-License-Identifier: MIT */
/* For tests: one proc in a real container, with everything it needs, below the test's folder. */
#ifndef VR_RUNTIME_RIG_H
#define VR_RUNTIME_RIG_H

#include "core/str.h"
#include "core/tap.h"
#include "runtime/mount.h"
#include "runtime/shim_client.h"

#include <stdio.h>

#define WAIT_MS 20000
#define NOBODY  65534

/** Name of the slug in the mount folder. */
#define RIG_SHA "00000000000000000000000000000000000000000000000000000000000000aa"

/* One proc and everything it needs, below the test's folder. */
struct rig {
    char *root, *slug_file, *dir, *run, *mounts_dir, *skeletons, *state, *log, *id;
    char *mounted; /* what vr_mount_prepare() gave */
    struct vr_mounts *mounts;
    struct vr_runtime_caps *caps; /* borrowed */
    struct vr_bundle bundle;
    struct vr_shim *shim;
    struct vr_bundle_spec b; /* changed by the test before rig_start() */
    struct vr_shim_spec s;
    bool copies; /* make the owner by copying instead of idmapping */
};

/** The host's abilities, probed once for crun (NULL) and once for "runc"; borrowed. */
struct vr_runtime_caps *rig_caps(const char *runtime);

void rig_pause_ms(int ms);
bool rig_write(const char *path, const char *text, mode_t mode);

/** Make the app's files and a spec that runs `command`; change r->b and r->s before rig_start(). */
bool rig_init(struct rig *r, const char *name, const char *command);

/** Pack, mount, write the bundle, start the shim, subscribe. Prints why it failed. */
int rig_start(struct rig *r, struct vr_err *err);

/** Wait until the shim tells this phase. */
bool rig_wait_phase(struct rig *r, enum vr_shim_phase phase, struct vr_shim_event *e);

/** Wait until the log holds a text. */
bool rig_wait_log(struct rig *r, const char *text);

/** The log, given; "" if there is none. */
char *rig_read_log(struct rig *r);

/** SIGTERM, grace, kill; *e is the answer when nothing is left. */
bool rig_stop(struct rig *r, int grace_ms, struct vr_shim_event *e);

/** End everything, whatever state it is in; true if nothing is left on the host. */
bool rig_fini(struct rig *r);

#define NEEDS_ROOT()                                                                               \
    do {                                                                                           \
        if (geteuid() != 0) {                                                                      \
            vr_tap_skip("needs root");                                                             \
            return;                                                                                \
        }                                                                                          \
    } while (0)

/* Like CHECK, but tears the rig down first. */
#define CHECK_RIG(rig, cond)                                                                       \
    do {                                                                                           \
        if (!(cond)) {                                                                             \
            vr_auto_free char *log_ = rig_read_log(rig);                                           \
            vr_tap_failed(__FILE__, __LINE__, #cond);                                              \
            printf("# log: %.2000s\n", log_);                                                      \
            rig_fini(rig);                                                                         \
            return;                                                                                \
        }                                                                                          \
    } while (0)

#endif
