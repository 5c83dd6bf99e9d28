/* SPDX-License-Identifier: MIT */
/* Frames of protocol.h. */
#include "shim/frame.h"
#include "shim/io.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

void frame_begin(struct frame *f, const char *verb)
{
    f->len = (size_t)snprintf(f->bytes, sizeof(f->bytes), "%s", verb) + 1;
}

void frame_add(struct frame *f, const char *key, const char *value)
{
    size_t room = sizeof(f->bytes) - f->len;
    int n = snprintf(f->bytes + f->len, room, "%s=%s", key, value);

    if (n >= 0 && (size_t)n < room)
        f->len += (size_t)n + 1;
}

void frame_add_number(struct frame *f, const char *key, int64_t value)
{
    char text[24];

    snprintf(text, sizeof(text), "%lld", (long long)value);
    frame_add(f, key, text);
}

bool frame_send(int sock, const struct frame *f, int fd)
{
    union {
        struct cmsghdr header;
        char bytes[CMSG_SPACE(sizeof(int))];
    } control = {.header = {0}};
    struct iovec part = {.iov_base = (void *)f->bytes, .iov_len = f->len};
    struct msghdr m = {.msg_iov = &part, .msg_iovlen = 1};

    if (fd >= 0) {
        m.msg_control = &control;
        m.msg_controllen = sizeof(control.bytes);
        control.header.cmsg_level = SOL_SOCKET;
        control.header.cmsg_type = SCM_RIGHTS;
        control.header.cmsg_len = CMSG_LEN(sizeof(int));
        memcpy(CMSG_DATA(&control.header), &fd, sizeof(fd));
    }
    return sendmsg(sock, &m, MSG_NOSIGNAL | MSG_DONTWAIT) >= 0;
}

/* Keep the first three descriptors, close the rest. */
static void take_fds(struct msghdr *m, int fds[3])
{
    int count = 0, fd;

    for (struct cmsghdr *h = CMSG_FIRSTHDR(m); h; h = CMSG_NXTHDR(m, h)) {
        if (h->cmsg_level != SOL_SOCKET || h->cmsg_type != SCM_RIGHTS)
            continue;
        for (size_t at = 0; at + sizeof(fd) <= h->cmsg_len - CMSG_LEN(0); at += sizeof(fd)) {
            memcpy(&fd, CMSG_DATA(h) + at, sizeof(fd));
            if (count < 3)
                fds[count++] = fd;
            else
                close(fd);
        }
    }
}

long frame_receive(int sock, char *out, size_t size, int fds[3])
{
    union {
        struct cmsghdr header;
        char bytes[CMSG_SPACE(8 * sizeof(int))];
    } control;
    struct iovec part = {.iov_base = out, .iov_len = size - 1};
    struct msghdr m = {.msg_iov = &part,
                       .msg_iovlen = 1,
                       .msg_control = &control,
                       .msg_controllen = sizeof(control)};
    ssize_t n;

    fds[0] = fds[1] = fds[2] = -1;
    n = recvmsg(sock, &m, MSG_CMSG_CLOEXEC | MSG_DONTWAIT);
    if (n < 0)
        return -1;
    take_fds(&m, fds);
    out[n] = '\0';
    if (m.msg_flags & MSG_TRUNC)
        out[0] = '\0'; /* an unknown verb, answered as such */
    return n;
}

int64_t frame_number(const char *bytes, size_t len, const char *key, int64_t otherwise)
{
    size_t key_len = strlen(key);
    int64_t n;

    for (const char *p = bytes; p < bytes + len && strcmp(p, "--") != 0; p += strlen(p) + 1)
        if (!strncmp(p, key, key_len) && p[key_len] == '=')
            return number_parse(p + key_len + 1, &n) ? n : otherwise;
    return otherwise;
}

int frame_words(char *bytes, size_t len, char **out, int max)
{
    bool found = false;
    int n = 0;

    for (char *p = bytes; p < bytes + len && n < max - 1; p += strlen(p) + 1) {
        if (found)
            out[n++] = p;
        else
            found = !strcmp(p, "--");
    }
    out[n] = NULL;
    return n;
}
