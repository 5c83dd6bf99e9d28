/* SPDX-License-Identifier: MIT */
/* An app that is there at once: says when it began, listens on $PORT, answers with its version.
 *
 * One thread, epoll, keep-alive. SIGTERM ends it; it is sent only after the pool is drained. */
#define _GNU_SOURCE
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define REQUEST_BYTES 4096
#define EVENTS        64

static char answer[256];
static size_t answer_len;

static void say_when(const char *what)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    printf("%s %lld.%09ld\n", what, (long long)t.tv_sec, t.tv_nsec);
    fflush(stdout);
}

static void read_version(void)
{
    char version[64] = "unknown";
    FILE *f = fopen("/app/VERSION", "r");

    if (f) {
        if (fgets(version, sizeof(version), f))
            version[strcspn(version, "\n")] = '\0';
        fclose(f);
    }
    answer_len =
        (size_t)snprintf(answer, sizeof(answer), "HTTP/1.1 200 OK\r\nContent-Length: %zu\r\n\r\n%s",
                         strlen(version), version);
}

/* Requests here are one small segment each: count their ends in what came. */
static int serve(int fd)
{
    char in[REQUEST_BYTES + 1];
    ssize_t n = recv(fd, in, REQUEST_BYTES, MSG_DONTWAIT);

    if (n <= 0)
        return -1;
    in[n] = '\0';
    for (char *p = in; (p = strstr(p, "\r\n\r\n")); p += 4)
        if (send(fd, answer, answer_len, MSG_NOSIGNAL) < 0)
            return -1;
    return 0;
}

static int listen_on(int port)
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    int one = 1, s = socket(AF_INET, SOCK_STREAM, 0);

    setsockopt(s, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
    return !bind(s, (struct sockaddr *)&a, sizeof(a)) && !listen(s, 1024) ? s : -1;
}

static void take(int poll, int s)
{
    struct epoll_event e = {.events = EPOLLIN};
    int one = 1;

    e.data.fd = accept(s, NULL, NULL);
    if (e.data.fd < 0)
        return;
    setsockopt(e.data.fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
    epoll_ctl(poll, EPOLL_CTL_ADD, e.data.fd, &e);
}

static void end(int sig)
{
    (void)sig;
    _exit(0);
}

int main(void)
{
    const char *port = getenv("PORT");
    struct epoll_event e = {.events = EPOLLIN}, events[EVENTS];
    int s, poll;

    say_when("begins");
    signal(SIGTERM, end);
    read_version();
    s = port ? listen_on((int)strtol(port, NULL, 10)) : -1;
    if (s < 0)
        return port ? 1 : 0; /* without a port: only to say when it began */
    say_when("listens");
    poll = epoll_create1(0);
    e.data.fd = s;
    epoll_ctl(poll, EPOLL_CTL_ADD, s, &e);
    for (;;) {
        int n = epoll_wait(poll, events, EVENTS, -1);

        for (int i = 0; i < n; i++) {
            if (events[i].data.fd == s)
                take(poll, s);
            else if (serve(events[i].data.fd) < 0)
                close(events[i].data.fd);
        }
    }
}
