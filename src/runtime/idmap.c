/* SPDX-License-Identifier: MIT */
/* Mounts whose files belong to someone else than on disk.
 *
 * The kernel takes such a mapping only as a user namespace, and a user namespace exists only while
 * someone has it: a child enters one, its maps are written, the namespace is opened, the child
 * ends. This is the one child outside sys/proc: it never executes anything. */
#include "runtime/idmap.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/wait.h>

#ifndef MOUNT_ATTR_IDMAP
#define MOUNT_ATTR_IDMAP 0x00100000
#endif

static int write_map(pid_t pid, const char *file, uint32_t inside, uint32_t outside, uint32_t count,
                     struct vr_err *err)
{
    char path[64], text[64];
    int n = snprintf(text, sizeof(text), "%u %u %u", inside, outside, count);
    vr_auto_close int fd = -1;

    snprintf(path, sizeof(path), "/proc/%d/%s", (int)pid, file);
    fd = open(path, O_WRONLY | O_CLOEXEC);
    if (fd < 0 || write(fd, text, (size_t)n) != n)
        return vr_fail_sys(err, "%s", file);
    return 0;
}

/* A child that has entered a user namespace and waits to be killed; its pid. */
static pid_t start_holder(struct vr_err *err)
{
    vr_auto_close int ready = -1;
    int pipe_fds[2];
    char byte;
    pid_t pid;

    if (pipe2(pipe_fds, O_CLOEXEC) < 0)
        return vr_fail_sys(err, "pipe");
    ready = pipe_fds[0];
    pid = fork();
    if (!pid) {
        if (unshare(CLONE_NEWUSER) < 0 || write(pipe_fds[1], "+", 1) < 0)
            _exit(1);
        for (;;)
            pause();
    }
    close(pipe_fds[1]);
    if (pid < 0)
        return vr_fail_sys(err, "fork");
    if (read(ready, &byte, 1) == 1)
        return pid;
    waitpid(pid, NULL, 0);
    return vr_fail(err, VR_DENIED, "user namespaces are not allowed here");
}

static int open_namespace(const struct vr_idmap *map, struct vr_err *err)
{
    pid_t pid = start_holder(err);
    char path[64];
    int r;

    if (pid < 0)
        return pid;
    r = write_map(pid, "uid_map", map->inside, map->outside_uid, map->count, err);
    if (r == 0)
        r = write_map(pid, "gid_map", map->inside, map->outside_gid, map->count, err);
    if (r == 0) {
        snprintf(path, sizeof(path), "/proc/%d/ns/user", (int)pid);
        r = open(path, O_RDONLY | O_CLOEXEC);
        if (r < 0)
            r = vr_fail_sys(err, "open user namespace");
    }
    kill(pid, SIGKILL);
    while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
        continue;
    return r;
}

int vr_idmap_clone(const char *source, const struct vr_idmap *map, struct vr_err *err)
{
    vr_auto_close int ns = open_namespace(map, err);
    vr_auto_close int tree = -1;
    struct mount_attr attr = {
        .attr_set = MOUNT_ATTR_IDMAP | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV,
    };

    if (ns < 0)
        return vr_fail(err, VR_DENIED, "idmap %s: no user namespace", source);
    tree = open_tree(AT_FDCWD, source, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);
    if (tree < 0)
        return vr_fail_sys(err, "clone mount %s", source);
    attr.userns_fd = (uint64_t)ns;
    if (mount_setattr(tree, "", AT_EMPTY_PATH, &attr, sizeof(attr)) < 0)
        return vr_fail(err, VR_DENIED, "idmap %s: %s", source, strerror(errno));
    return vr_take_fd(tree);
}
