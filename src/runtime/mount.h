/* SPDX-License-Identifier: MIT */
/* Slugs and images, mounted once per host in a mount folder of our own, owned by whom a proc needs.
 */
#ifndef VR_RUNTIME_MOUNT_H
#define VR_RUNTIME_MOUNT_H

#include "core/err.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#define VR_MOUNT_LIST_MAX   4096
#define VR_MOUNT_LOOP_TRIES 64 /* races for a free loop device that are retried */
#define VR_SHA256_HEX_CHARS 64

/** The mount folder. Mounts outlive this object and the program: opening again finds them. */
struct vr_mounts;

/**
 * Open the mount folder, making it a shared mount of its own if it is not one yet (so that an
 * unmount here reaches the private namespaces of the shims).
 * @dir        borrowed; made if missing
 * @can_idmap  from vr_runtime_caps.has_idmap
 * @out        given; release with vr_mounts_close(), which unmounts nothing
 */
VR_MUST_USE
int vr_mounts_open(const char *dir, bool can_idmap, struct vr_mounts **out, struct vr_err *err);
struct vr_mounts *vr_mounts_close(struct vr_mounts *m);
VR_DEFINE_OWNED(struct vr_mounts, vr_mounts_close)

/** Whose the files shall be. Slugs are packed all-root, so one owner is enough for them. */
enum vr_mount_owner {
    VR_MOUNT_AS_IS,   /* as packed */
    VR_MOUNT_ONE,     /* root's files belong to uid:gid */
    VR_MOUNT_SHIFTED, /* ids 0..count-1 become base..base+count-1 (images in a user namespace) */
};

struct vr_mount_spec {
    const char *sha256; /* its name: 64 hexadecimal digits, checked */
    const char *file;   /* the squashfs, in a store that only root writes */
    enum vr_mount_owner owner;
    uid_t uid; /* for VR_MOUNT_ONE: ids of the host, i.e. already shifted for a user namespace */
    gid_t gid;
    uint32_t base, count; /* for VR_MOUNT_SHIFTED */
};

#define VR_MOUNT_COPY_ARGS 24

/** A copy that has to be made by a child first, since the kernel has no idmapped squashfs. */
struct vr_mount_copy {
    const char *argv[VR_MOUNT_COPY_ARGS]; /* borrowed from the fields below; NULL-terminated */
    char *source, *temporary, *target;
    char uid[16], gid[16];
};

/**
 * Mount a squashfs, and its clone with the owner that is asked for; what is mounted already is
 * used. Takes about 1 ms, never more than the mounts themselves.
 *
 * Returns 0 with *out_path (given, free()), or -VR_BUSY if the files must be copied first: then
 * *copy is filled (release with vr_mount_copy_fini()); run its argv, some hundred ms, call
 * vr_mount_copy_done() after exit code 0, and this again. -VR_DENIED: VR_MOUNT_SHIFTED cannot be
 * had on this kernel; use no user namespace for that image. `file` may be deleted once it is
 * mounted.
 */
VR_MUST_USE
int vr_mount_prepare(struct vr_mounts *m, const struct vr_mount_spec *spec, char **out_path,
                     struct vr_mount_copy *copy, struct vr_err *err);

/** Put the finished copy in its place. */
VR_MUST_USE
int vr_mount_copy_done(const struct vr_mount_copy *copy, struct vr_err *err);
void vr_mount_copy_fini(struct vr_mount_copy *copy);

bool vr_mount_is_mounted(struct vr_mounts *m, const char *sha256);

/**
 * Unmount a squashfs, all its clones, and forget its copies. Running procs keep what they have; the
 * loop device goes with its last user. Missing is fine.
 */
VR_MUST_USE
int vr_mount_remove(struct vr_mounts *m, const char *sha256, struct vr_err *err);

/**
 * The sha256 of everything that is mounted, sorted, each once.
 * @out  given; release each and the array with free()
 */
VR_MUST_USE
int vr_mount_list(struct vr_mounts *m, char ***out, size_t *out_count, struct vr_err *err);

/**
 * Make sure that a folder is on a tmpfs, mounting a small one there if it is not: for secrets.
 * @size  of the tmpfs to mount, e.g. "16m"
 */
VR_MUST_USE
int vr_mount_ensure_tmpfs(const char *dir, const char *size, struct vr_err *err);

/** Whether the files of a folder can be idmapped (tried on a detached clone of it). */
bool vr_mount_can_idmap(const char *dir);

#endif
