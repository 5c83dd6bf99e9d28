/* SPDX-License-Identifier: MIT */
/* The OCI bundle of one proc: root file system, limits, mounts, and the files that start it. */
#ifndef VR_RUNTIME_BUNDLE_H
#define VR_RUNTIME_BUNDLE_H

#include "runtime/probe.h"

#define VR_BUNDLE_PIDS_DEFAULT 1024
#define VR_BUNDLE_TMP_BYTES    (INT64_C(64) << 20) /* default size of /tmp */
#define VR_BUNDLE_VOLUMES_MAX  64
#define VR_BUNDLE_WORDS_MAX    256
#define VR_BUNDLE_WARN_BYTES   256

/** A folder (or file) of the host inside the container. Both paths absolute; the source exists. */
struct vr_bundle_bind {
    const char *source;
    const char *target;
    bool read_only;
};

/** All pointers are borrowed for the call. */
struct vr_bundle_spec {
    const char *id;       /* container id without generation, e.g. "vr-17" */
    const char *dir;      /* the proc's folder on disk; gets bundle/, upper/, work/, root/ */
    const char *run_dir;  /* the proc's folder on tmpfs: secrets and start files; made 0711 */
    const char *slug;     /* mount of the slug (with app/ inside), owned by uid:gid as seen below */
    const char *image;    /* mount of the image, or NULL for the `host` stack */
    const char *skeleton; /* from vr_skeleton_prepare(); only for the `host` stack */
    const char *shim_path; /* bound as /.init */
    const char *user_name; /* run_as */
    uid_t uid;             /* ids inside the container */
    gid_t gid;
    bool userns; /* as vr_bundle_wants_userns() decided */
    uint32_t userns_base, userns_count;
    int64_t memory_bytes; /* 0: no limit, here and below */
    int64_t memsw_bytes;  /* memory and swap together, >= memory_bytes */
    int64_t cpu_milli;    /* thousandths of a CPU */
    int64_t pids;         /* 0: VR_BUNDLE_PIDS_DEFAULT */
    int64_t nofile;
    int64_t tmp_bytes; /* 0: VR_BUNDLE_TMP_BYTES */
    const struct vr_bundle_bind *volumes;
    size_t volume_count;
    const struct vr_bundle_bind *binds; /* such as an uptest's result file; never idmapped */
    size_t bind_count;
    const char *command;      /* command line of the Procfile: shell text */
    const char *const *words; /* NULL-terminated; run these instead of the command */
    uint16_t port;            /* 0: no PORT */
    const char *env_sh;       /* text of /env.sh */
    const char *settings_yaml;
    const char *hostname; /* NULL: the id; cut to what the kernel takes */
};

/** What the shim has to know of it; see vr_shim_spec. */
struct vr_bundle {
    char *bundle_dir;
    char *lower, *upper, *work, *root; /* the overlay */
    char *status_file;                 /* where /.init leaves its exit status */
    uid_t host_uid;                    /* of the app, seen from the host */
    gid_t host_gid;
    char warning[VR_BUNDLE_WARN_BYTES]; /* "" or what was clamped */
};

/**
 * Decide whether this proc gets a user namespace: if the host can, every volume can be idmapped
 * (ownership on the host then stays as it is), and all folders above `dir` and `run_dir` let others
 * pass (mode 0711). If not, `why` says so in a sentence for the user.
 * Ask before the slug is mounted, since its owner depends on it.
 */
bool vr_bundle_wants_userns(const struct vr_bundle_spec *spec, const struct vr_runtime_caps *caps,
                            char why[VR_BUNDLE_WARN_BYTES]);

/**
 * Write the bundle; an older one of the same proc is replaced, its upper layer is kept. Limits that
 * the host cannot set or exceed are clamped with a warning.
 * @out  given; release with vr_bundle_fini()
 *
 * Returns 0, -VR_INVALID for a spec that cannot be expressed (relative path, too many volumes),
 * -VR_DENIED for uid 0 without a user namespace, -VR_NOT_FOUND if a volume's source is missing.
 */
VR_MUST_USE
int vr_bundle_write(const struct vr_bundle_spec *spec, const struct vr_runtime_caps *caps,
                    struct vr_bundle *out, struct vr_err *err);
void vr_bundle_fini(struct vr_bundle *b);

/** Remove everything vr_bundle_write() made; the shim must be gone. */
VR_MUST_USE
int vr_bundle_remove(const char *dir, const char *run_dir, struct vr_err *err);

#endif
