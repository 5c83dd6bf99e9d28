/* SPDX-License-Identifier: MIT */
/* Files and folders: whole reads, atomic replacement, access that cannot leave a folder. */
#ifndef VR_SYS_FS_H
#define VR_SYS_FS_H

#include "core/err.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/** Write all of it; restarts after EINTR and partial writes. Blocks. */
VR_MUST_USE
int vr_fd_write_all(int fd, const void *bytes, size_t n, struct vr_err *err);

/** Read to the end of the file; more than max_bytes is -VR_LIMIT. *out is NUL-terminated, given;
 * out_len may be NULL. */
VR_MUST_USE
int vr_fd_read_all(int fd, size_t max_bytes, char **out, size_t *out_len, struct vr_err *err);

VR_MUST_USE
int vr_fs_read(const char *path, size_t max_bytes, char **out, size_t *out_len, struct vr_err *err);

/**
 * Replace a file so that a crash leaves the old or the new content: temporary name in the same
 * folder, fsync, rename, fsync of the folder.
 */
VR_MUST_USE
int vr_fs_replace(const char *path, const void *bytes, size_t n, mode_t mode, struct vr_err *err);

/** As vr_fs_replace() without the syncs, for files that a reboot may lose. */
VR_MUST_USE
int vr_fs_write(const char *path, const void *bytes, size_t n, mode_t mode, struct vr_err *err);

/** Make a folder and its parents; existing ones are fine and keep their mode. */
VR_MUST_USE
int vr_fs_mkdir_p(const char *path, mode_t mode, struct vr_err *err);

/**
 * Remove a tree, without following links and without crossing into another mount (a mount point
 * inside is -VR_BUSY, and nothing below it is touched). A missing path is fine.
 */
VR_MUST_USE
int vr_fs_remove_tree(const char *path, struct vr_err *err);

/**
 * Copy the content of a folder into `to`, made if missing (its parent is not). Regular files,
 * folders and links; modes and times are kept, owners and set-id bits are not. Returns -VR_INVALID
 * for any other kind of file, -VR_EXISTS for a file that is there already; what was copied stays.
 */
VR_MUST_USE
int vr_fs_copy_tree(const char *from, const char *to, struct vr_err *err);

/** Change the owner of a tree without following links. */
VR_MUST_USE
int vr_fs_chown_tree(const char *path, uid_t uid, gid_t gid, struct vr_err *err);

/**
 * Open a relative path that must stay beneath dir_fd (openat2, RESOLVE_BENEATH, no magic links);
 * `flags` gets O_CLOEXEC. Returns the descriptor (>= 0).
 */
VR_MUST_USE
int vr_fs_open_beneath(int dir_fd, const char *path, int flags, mode_t mode, struct vr_err *err);

/** A file without a name, to read and write, gone with its descriptor. @folder  that it lies in */
VR_MUST_USE
int vr_fs_open_unnamed(const char *folder, struct vr_err *err);

bool vr_fs_exists(const char *path);

/** Free bytes for an unprivileged writer on the file system of `path`. */
VR_MUST_USE
int vr_fs_free_bytes(const char *path, int64_t *out, struct vr_err *err);

/**
 * Take an exclusive lock on a file (made if missing, 0600) and write our pid into it. Returns the
 * descriptor that holds the lock, or -VR_BUSY if another process has it. Never blocks.
 */
VR_MUST_USE
int vr_fs_lock(const char *path, struct vr_err *err);

/** The pid in a lock file whose lock is held, 0 if nobody holds it. */
pid_t vr_fs_lock_owner(const char *path);

/** Uid and gid of an account; -VR_NOT_FOUND names it. */
VR_MUST_USE
int vr_user_find(const char *name, uid_t *out_uid, gid_t *out_gid, struct vr_err *err);

#endif
