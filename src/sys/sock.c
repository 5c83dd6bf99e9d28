/* SPDX-License-Identifier: MIT */
/*
 * Sockets of both families.
 *
 * A unix socket's address holds 107 bytes of path. Longer paths go through the folder: it is opened
 * and the socket named by /proc/self/fd/<folder>/<name>.
 */
#include "sys/sock.h"
#include "core/buf.h"
#include "core/clock.h"
#include "core/str.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#define LISTEN_BACKLOG 128
#define CHUNK_BYTES    16384

/* The address of `path`; *out_dir_fd must stay open while it is used (-1 if not needed). */
static int unix_address(const char *path, struct sockaddr_un *out, int *out_dir_fd,
                        struct vr_err *err)
{
    const char *slash = strrchr(path, '/');
    vr_auto_free char *folder = NULL;
    vr_auto_close int fd = -1;
    size_t path_len = strlen(path);
    int n;

    *out = (struct sockaddr_un){.sun_family = AF_UNIX};
    *out_dir_fd = -1;
    if (path_len < sizeof(out->sun_path)) {
        memcpy(out->sun_path, path, path_len);
        return 0;
    }
    if (!slash)
        return vr_fail(err, VR_INVALID, "socket name '%s' is too long", path);
    folder = vr_strndup(path, (size_t)(slash - path) + 1);
    fd = open(folder, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return vr_fail_sys(err, "open folder '%s'", folder);
    n = snprintf(out->sun_path, sizeof(out->sun_path), "/proc/self/fd/%d/%s", fd, slash + 1);
    if (n >= (int)sizeof(out->sun_path))
        return vr_fail(err, VR_INVALID, "socket name '%s' is too long", slash + 1);
    *out_dir_fd = vr_take_fd(fd);
    return 0;
}

int vr_unix_connect(const char *path, int type, struct vr_err *err)
{
    struct sockaddr_un address;
    vr_auto_close int dir_fd = -1;
    vr_auto_close int fd = -1;
    int r;

    r = unix_address(path, &address, &dir_fd, err);
    if (r < 0)
        return r;
    /* Not blocking, so that a full backlog is an answer (EAGAIN) and no wait. */
    fd = socket(AF_UNIX, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return vr_fail_sys(err, "socket");
    if (connect(fd, (struct sockaddr *)&address, sizeof(address)) < 0) {
        if (errno == ECONNREFUSED)
            return vr_fail(err, VR_BUSY, "connect to '%s': nobody listens", path);
        return vr_fail_sys(err, "connect to '%s'", path);
    }
    if (fcntl(fd, F_SETFL, 0) < 0)
        return vr_fail_sys(err, "socket flags");
    return vr_take_fd(fd);
}

/* Remove what an ended listener left behind, and nothing else. */
static int remove_stale(const char *path, int type, struct vr_err *err)
{
    struct stat st;
    int fd;

    if (lstat(path, &st) < 0)
        return errno == ENOENT ? 0 : vr_fail_sys(err, "stat '%s'", path);
    if (!S_ISSOCK(st.st_mode))
        return vr_fail(err, VR_EXISTS, "listen on '%s': a file is in the way", path);
    fd = vr_unix_connect(path, type, err);
    if (fd >= 0) {
        vr_fd_close(fd);
        return vr_fail(err, VR_BUSY, "listen on '%s': another process does", path);
    }
    if (unlink(path) < 0 && errno != ENOENT)
        return vr_fail_sys(err, "remove '%s'", path);
    return 0;
}

static int bind_and_listen(int fd, const struct sockaddr_un *address, const char *path,
                           struct vr_err *err)
{
    int r;

    if (bind(fd, (const struct sockaddr *)address, sizeof(*address)) < 0)
        return vr_fail_sys(err, "listen on '%s'", path);
    /* Before listen(), so nobody can connect while the mode is still the umask's. */
    if (!chmod(path, 0600) && !listen(fd, LISTEN_BACKLOG))
        return 0;
    r = vr_fail_sys(err, "listen on '%s'", path);
    unlink(path);
    return r;
}

int vr_unix_listen(const char *path, int type, struct vr_err *err)
{
    struct sockaddr_un address;
    vr_auto_close int dir_fd = -1;
    vr_auto_close int fd = -1;
    int r;

    r = unix_address(path, &address, &dir_fd, err);
    if (!r)
        r = remove_stale(path, type, err);
    if (r < 0)
        return r;
    fd = socket(AF_UNIX, type | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return vr_fail_sys(err, "socket");
    r = bind_and_listen(fd, &address, path, err);
    return r < 0 ? r : vr_take_fd(fd);
}

static int tcp_address(const char *text, uint16_t port, struct sockaddr_storage *out,
                       socklen_t *out_len)
{
    struct sockaddr_in *v4 = (struct sockaddr_in *)out;
    struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)out;

    memset(out, 0, sizeof(*out));
    if (inet_pton(AF_INET, text, &v4->sin_addr) == 1) {
        v4->sin_family = AF_INET;
        v4->sin_port = htons(port);
        *out_len = sizeof(*v4);
        return 0;
    }
    if (inet_pton(AF_INET6, text, &v6->sin6_addr) == 1) {
        v6->sin6_family = AF_INET6;
        v6->sin6_port = htons(port);
        *out_len = sizeof(*v6);
        return 0;
    }
    return -1;
}

/*
 * SO_REUSEADDR lets connections in TIME_WAIT of an ended listener pass. A bound stranger that has
 * not begun to listen would pass as well, which the listen() then finds.
 */
int vr_tcp_listen(const char *address, uint16_t port, int backlog, struct vr_err *err)
{
    struct sockaddr_storage sa;
    socklen_t len;
    vr_auto_close int fd = -1;
    int one = 1;

    if (tcp_address(address, port, &sa, &len) < 0)
        return vr_fail(err, VR_INVALID, "'%s' is not an IP address", address);
    fd = socket(sa.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)) < 0)
        return vr_fail_sys(err, "socket");
    if (!bind(fd, (struct sockaddr *)&sa, len) && !listen(fd, backlog))
        return vr_take_fd(fd);
    if (errno == EADDRINUSE)
        return vr_fail(err, VR_BUSY, "%s:%d is in use", address, port);
    return vr_fail_sys(err, "listen on %s:%d", address, port);
}

uint16_t vr_tcp_port(int fd)
{
    struct sockaddr_storage sa = {.ss_family = AF_UNSPEC};
    socklen_t len = sizeof(sa);

    if (getsockname(fd, (struct sockaddr *)&sa, &len) < 0)
        return 0;
    if (sa.ss_family == AF_INET)
        return ntohs(((struct sockaddr_in *)&sa)->sin_port);
    return sa.ss_family == AF_INET6 ? ntohs(((struct sockaddr_in6 *)&sa)->sin6_port) : 0;
}

bool vr_tcp_port_is_free(const char *address, uint16_t port)
{
    int fd = vr_tcp_listen(address, port, 1, NULL);

    if (fd >= 0)
        vr_fd_close(fd);
    return fd >= 0;
}

int vr_tcp_free_port(uint16_t *out, struct vr_err *err)
{
    int fd = vr_tcp_listen("127.0.0.1", 0, 1, err);

    if (fd < 0)
        return fd;
    *out = vr_tcp_port(fd);
    vr_fd_close(fd);
    return 0;
}

static int wait_for(int fd, short events, struct vr_mono end, struct vr_err *err)
{
    for (;;) {
        struct pollfd pfd = {.fd = fd, .events = events};
        int64_t left = vr_mono_ms_between(vr_mono_now(), end);
        int n = poll(&pfd, 1, left > INT32_MAX ? INT32_MAX : (int)left);

        if (n > 0)
            return 0;
        if (n < 0 && errno != EINTR)
            return vr_fail_sys(err, "poll");
        if (n == 0 && !left)
            return vr_fail(err, VR_TIMEOUT, "no answer in time");
    }
}

static int send_all(int fd, const char *text, size_t n, struct vr_mono end, struct vr_err *err)
{
    while (n) {
        ssize_t done = send(fd, text, n, MSG_NOSIGNAL | MSG_DONTWAIT);

        if (done < 0 && errno != EAGAIN && errno != EINTR)
            return vr_fail_sys(err, "send");
        if (done < 0) {
            int r = wait_for(fd, POLLOUT, end, err);

            if (r < 0)
                return r;
            continue;
        }
        text += done;
        n -= (size_t)done;
    }
    return 0;
}

static int receive_all(int fd, struct vr_buf *b, struct vr_mono end, struct vr_err *err)
{
    char bytes[CHUNK_BYTES];
    ssize_t n;
    int r;

    while (!b->over) {
        n = recv(fd, bytes, sizeof(bytes), MSG_DONTWAIT);
        if (n == 0)
            break;
        if (n > 0) {
            vr_buf_add_n(b, bytes, (size_t)n);
            continue;
        }
        if (errno != EAGAIN && errno != EINTR)
            return vr_fail_sys(err, "receive");
        r = wait_for(fd, POLLIN, end, err);
        if (r < 0)
            return r;
    }
    return 0;
}

int vr_sock_ask(int fd, const char *request, size_t max_bytes, int64_t timeout_ms, char **out,
                struct vr_err *err)
{
    struct vr_mono end = vr_mono_add_ms(vr_mono_now(), timeout_ms);
    vr_auto_buf struct vr_buf b = VR_BUF(max_bytes);
    int r;

    r = send_all(fd, request, strlen(request), end, err);
    if (!r && !vr_str_has_suffix(request, "\n"))
        r = send_all(fd, "\n", 1, end, err);
    if (!r)
        r = receive_all(fd, &b, end, err);
    return r < 0 ? r : vr_buf_finish(&b, out, err);
}
