/* SPDX-License-Identifier: MIT */
/* For the tests of this folder: HTTP servers that name themselves, a client, and a light load. */
#include "balancer/test_http.h"

#include "core/clock.h"
#include "core/str.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#define MESSAGE_BYTES    4096
#define SLOW_MS          1500
#define LOAD_PAUSE_MS    3
#define CLIENT_TIMEOUT_S 5

static void pause_ms(int ms)
{
    poll(NULL, 0, ms);
}

/* Read until the empty line after the head; gives the bytes read, 0 at the end, -1 on error. */
static ssize_t read_head(int fd, char *buf)
{
    size_t n = 0;

    while (n < MESSAGE_BYTES - 1) {
        ssize_t r = read(fd, buf + n, MESSAGE_BYTES - 1 - n);

        if (r <= 0)
            return n ? -1 : r;
        n += (size_t)r;
        buf[n] = '\0';
        if (strstr(buf, "\r\n\r\n"))
            return (ssize_t)n;
    }
    return -1;
}

static void serve_one(int fd, const char *name)
{
    char in[MESSAGE_BYTES], out[MESSAGE_BYTES];

    while (read_head(fd, in) > 0) {
        if (vr_str_has_prefix(in, "GET /slow"))
            pause_ms(SLOW_MS);
        int n = snprintf(out, sizeof(out), "HTTP/1.1 200 OK\r\nContent-Length: %zu\r\n\r\n%s",
                         strlen(name), name);
        if (write(fd, out, (size_t)n) != n)
            break;
    }
    _exit(0);
}

static void serve(int listener, const char *name)
{
    signal(SIGCHLD, SIG_IGN);
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    for (;;) {
        int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);

        if (fd >= 0 && !fork()) {
            prctl(PR_SET_PDEATHSIG, SIGKILL);
            serve_one(fd, name);
        }
        close(fd);
    }
}

bool test_server_start(struct test_server *s, const char *name)
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t n = sizeof(a);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    if (fd < 0 || bind(fd, (struct sockaddr *)&a, n) || listen(fd, 128) ||
        getsockname(fd, (struct sockaddr *)&a, &n))
        return false;
    s->port = ntohs(a.sin_port);
    s->pid = fork();
    if (!s->pid)
        serve(fd, name);
    close(fd);
    return s->pid > 0;
}

void test_server_kill(struct test_server *s)
{
    if (s->pid <= 0)
        return;
    kill(s->pid, SIGKILL);
    waitpid(s->pid, NULL, 0);
    s->pid = 0;
}

int test_dial(uint16_t port)
{
    struct sockaddr_in a = {
        .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    struct timeval t = {.tv_sec = CLIENT_TIMEOUT_S};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &t, sizeof(t));
    if (connect(fd, (struct sockaddr *)&a, sizeof(a))) {
        close(fd);
        return -1;
    }
    return fd;
}

/* Gives the status, 0 for a broken answer, -1 if the connection was closed before it. */
static int exchange(int fd, const char *host, const char *path, char *body, bool *out_closes)
{
    char buf[MESSAGE_BYTES];
    char *length, *end;
    uint64_t status, want = 0;
    ssize_t n;

    n = snprintf(buf, sizeof(buf), "GET %s HTTP/1.1\r\nHost: %s\r\n\r\n", path, host);
    if (send(fd, buf, (size_t)n, MSG_NOSIGNAL) != n)
        return -1;
    n = read_head(fd, buf);
    if (n <= 0)
        return -1;
    *out_closes = strcasestr(buf, "connection: close");
    if (vr_parse_u64((struct vr_str){buf + 9, 3}, 100, 599, &status, NULL) < 0)
        return 0;
    end = strstr(buf, "\r\n\r\n") + 4;
    length = strcasestr(buf, "content-length: ");
    if (length) {
        length += strlen("content-length: ");
        if (vr_parse_u64((struct vr_str){length, strcspn(length, "\r")}, 0, 3000, &want, NULL) < 0)
            return 0;
    }
    while (buf + n < end + want) {
        ssize_t r = read(fd, buf + n, sizeof(buf) - 1 - (size_t)n);

        if (r <= 0)
            return 0;
        n += r;
    }
    buf[n] = '\0';
    if (body)
        snprintf(body, TEST_BODY_BYTES, "%s", end);
    return (int)status;
}

int test_ask(int fd, const char *host, char body[TEST_BODY_BYTES])
{
    bool closes;

    return exchange(fd, host, "/", body, &closes);
}

int test_get(uint16_t port, const char *host, const char *path, char body[TEST_BODY_BYTES])
{
    bool closes;
    int fd = test_dial(port);
    int status = fd < 0 ? 0 : exchange(fd, host, path, body, &closes);

    close(fd);
    return status < 0 ? 0 : status;
}

pid_t test_get_start(uint16_t port, const char *host, const char *path)
{
    pid_t pid = fork();

    if (!pid)
        _exit(test_get(port, host, path, NULL) == 200 ? 0 : 1);
    return pid;
}

int test_get_wait(pid_t pid)
{
    int status = -1;

    waitpid(pid, &status, 0);
    return WIFEXITED(status) && WEXITSTATUS(status) == 0 ? 200 : 0;
}

static void load_loop(struct test_load_counts *c, uint16_t port, const char *host)
{
    int kept = -1;

    for (bool fresh = false; !c->stop; fresh = !fresh) {
        int fd = fresh || kept < 0 ? test_dial(port) : kept;
        bool closes = false;
        int status = fd < 0 ? 0 : exchange(fd, host, "/", NULL, &closes);

        if (status < 0 && fd == kept) {
            c->closed++;
        } else if (status == 200) {
            c->ok++;
        } else {
            c->failed++;
        }
        if (fresh || closes || status <= 0) {
            close(fd);
            if (fd == kept)
                kept = -1;
        } else {
            kept = fd;
        }
        pause_ms(LOAD_PAUSE_MS);
    }
    _exit(0);
}

bool test_load_start(struct test_load *load, uint16_t port, const char *host)
{
    load->counts = mmap(NULL, sizeof(*load->counts), PROT_READ | PROT_WRITE,
                        MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    load->pid = fork();
    if (!load->pid) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        load_loop(load->counts, port, host);
    }
    return load->pid > 0;
}

void test_load_stop(struct test_load *load)
{
    load->counts->stop = 1;
    waitpid(load->pid, NULL, 0);
}
