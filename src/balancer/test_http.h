/* SPDX-License-Identifier: MIT */
/* For the tests of this folder: HTTP servers that name themselves, a client, and a light load. */
#ifndef VR_BALANCER_TEST_HTTP_H
#define VR_BALANCER_TEST_HTTP_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#define TEST_BODY_BYTES 64

/** A server of its own process group on a free port of 127.0.0.1; it answers with its name, after
 * a second and a half if the path starts with /slow. */
struct test_server {
    pid_t pid;
    uint16_t port;
};

bool test_server_start(struct test_server *s, const char *name);
void test_server_kill(struct test_server *s);

/** One request on a connection of its own. Gives the status, 0 for none; `body` may be NULL. */
int test_get(uint16_t port, const char *host, const char *path, char body[TEST_BODY_BYTES]);

/** A connection, -1 on failure, and one request on it that leaves it open. */
int test_dial(uint16_t port);
int test_ask(int fd, const char *host, char body[TEST_BODY_BYTES]);

/** A request that runs beside the test, in a process; `wait` gives its status. */
pid_t test_get_start(uint16_t port, const char *host, const char *path);
int test_get_wait(pid_t pid);

/** Requests in a loop, in turn on a fresh and on a kept connection. */
struct test_load {
    pid_t pid;
    struct test_load_counts {
        volatile int stop, ok, failed, closed; /* closed: kept connections that were found shut */
    } * counts;                                /* shared with the process */
};

bool test_load_start(struct test_load *load, uint16_t port, const char *host);
void test_load_stop(struct test_load *load);

#endif
