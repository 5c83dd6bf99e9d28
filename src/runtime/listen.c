/* SPDX-License-Identifier: MIT */
/* Who listens on a TCP port.
 *
 * sock_diag gives the inodes of the port's listeners without reading all of /proc/net/tcp; the
 * descriptors of the cgroup's processes are then looked through for one of them. Only when none is
 * there are the other processes of the host asked, to give the stranger a name. */
#include "runtime/listen.h"
#include "core/str.h"
#include "sys/fs.h"

#include <dirent.h>
#include <errno.h>
#include <linux/inet_diag.h>
#include <linux/netlink.h>
#include <linux/sock_diag.h>
#include <netinet/in.h>
#include <stdio.h>
#include <sys/socket.h>

#define LISTENERS_MAX  16
#define TCP_LISTEN_BIT (1u << 10)
#define REPLY_BYTES    16384
#define REPLY_WAIT_MS  1000

struct inodes {
    uint64_t p[LISTENERS_MAX];
    size_t count;
};

static int send_request(int sock, int family, uint16_t port, struct vr_err *err)
{
    struct {
        struct nlmsghdr header;
        struct inet_diag_req_v2 diag;
    } request = {
        .header = {.nlmsg_len = sizeof(request),
                   .nlmsg_type = SOCK_DIAG_BY_FAMILY,
                   .nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP},
        .diag = {.sdiag_family = (uint8_t)family,
                 .sdiag_protocol = IPPROTO_TCP,
                 .idiag_states = TCP_LISTEN_BIT,
                 .id = {.idiag_sport = htons(port)}},
    };

    if (send(sock, &request, sizeof(request), 0) < 0)
        return vr_fail_sys(err, "sock_diag");
    return 0;
}

/* Take the inodes out of one message; 1 at the end of the dump. */
static int read_reply(int sock, uint16_t port, struct inodes *out, struct vr_err *err)
{
    union {
        struct nlmsghdr header;
        char bytes[REPLY_BYTES];
    } reply;
    ssize_t n = recv(sock, &reply, sizeof(reply), 0);
    int left = (int)n;

    if (n < 0)
        return vr_fail_sys(err, "sock_diag");
    for (struct nlmsghdr *h = &reply.header; NLMSG_OK(h, (unsigned)left); h = NLMSG_NEXT(h, left)) {
        const struct inet_diag_msg *m = NLMSG_DATA(h);

        if (h->nlmsg_type == NLMSG_DONE)
            return 1;
        if (h->nlmsg_type == NLMSG_ERROR)
            return vr_fail(err, VR_IO, "sock_diag: the kernel refused");
        /* The dump ignores the port on some kernels. */
        if (ntohs(m->id.idiag_sport) == port && out->count < LISTENERS_MAX)
            out->p[out->count++] = m->idiag_inode;
    }
    return 0;
}

static int find_inodes(int family, uint16_t port, struct inodes *out, struct vr_err *err)
{
    const struct timeval limit = {.tv_sec = REPLY_WAIT_MS / 1000};
    vr_auto_close int sock = socket(AF_NETLINK, SOCK_DGRAM | SOCK_CLOEXEC, NETLINK_SOCK_DIAG);
    int r;

    if (sock < 0)
        return vr_fail_sys(err, "open sock_diag");
    if (setsockopt(sock, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit)) < 0)
        return vr_fail_sys(err, "sock_diag");
    r = send_request(sock, family, port, err);
    while (r == 0)
        r = read_reply(sock, port, out, err);
    return r < 0 ? r : 0;
}

/* Whether one of the process's descriptors is one of the sockets. */
static bool has_socket(pid_t pid, const struct inodes *inodes)
{
    char path[64], link[64];
    struct dirent *e;
    uint64_t inode;
    bool found = false;
    DIR *d;

    snprintf(path, sizeof(path), "/proc/%d/fd", (int)pid);
    d = opendir(path);
    while (d && !found && (e = readdir(d))) {
        ssize_t n = readlinkat(dirfd(d), e->d_name, link, sizeof(link));
        struct vr_str number = {link + 8, n > 9 ? (size_t)n - 9 : 0}; /* socket:[N] */

        if (n <= 9 || strncmp(link, "socket:[", 8) != 0 ||
            vr_parse_u64(number, 0, UINT64_MAX, &inode, NULL) < 0)
            continue;
        for (size_t i = 0; i < inodes->count; i++)
            found |= inodes->p[i] == inode;
    }
    if (d)
        closedir(d);
    return found;
}

static void name_stranger(const struct inodes *inodes, struct vr_listener *out)
{
    struct dirent *e;
    uint64_t pid;
    DIR *d = opendir("/proc");

    while (d && !out->pid && (e = readdir(d)))
        if (vr_parse_u64(vr_str(e->d_name), 1, INT32_MAX, &pid, NULL) == 0 &&
            has_socket((pid_t)pid, inodes))
            out->pid = (pid_t)pid;
    if (d)
        closedir(d);
    if (out->pid) {
        vr_auto_free char *path = vr_strf("/proc/%d/comm", (int)out->pid);
        vr_auto_free char *comm = NULL;
        size_t len;

        if (vr_fs_read(path, 64, &comm, &len, NULL) == 0)
            snprintf(out->comm, sizeof(out->comm), "%.*s", (int)strcspn(comm, "\n"), comm);
    }
}

int vr_listen_check(enum vr_cgroup_layout layout, const char *cgroup, uint16_t port,
                    struct vr_listener *out, struct vr_err *err)
{
    vr_auto_free pid_t *pids = vr_alloc_array(VR_CGROUP_PIDS_MAX, sizeof(*pids));
    struct inodes inodes = {.count = 0};
    int r = find_inodes(AF_INET, port, &inodes, err);
    int count;

    if (r == 0)
        r = find_inodes(AF_INET6, port, &inodes, err);
    if (r < 0)
        return r;
    *out = (struct vr_listener){.who = VR_LISTEN_NOBODY};
    if (!inodes.count)
        return 0;
    count = vr_cgroup_pids(layout, cgroup, pids, VR_CGROUP_PIDS_MAX, err);
    if (count < 0)
        return count;
    out->who = VR_LISTEN_STRANGER;
    for (int i = 0; i < count && out->who == VR_LISTEN_STRANGER; i++)
        if (has_socket(pids[i], &inodes))
            out->who = VR_LISTEN_OURS;
    if (out->who == VR_LISTEN_STRANGER)
        name_stranger(&inodes, out);
    return 0;
}
