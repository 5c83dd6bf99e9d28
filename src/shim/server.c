/* SPDX-License-Identifier: MIT */
/* The shim's socket.
 *
 * A client that does not read is dropped when its buffer is full: the shim never waits for anyone.
 * Only root reaches the socket (mode 0600 in a 0700 folder), so requests are not authorised again.
 * For a terminal, the runtime delivers the master to a socket of ours and it is passed on as it is:
 * the client does the I/O, the shim copies no byte of it. */
#include "shim/server.h"
#include "shim/container.h"
#include "shim/frame.h"
#include "shim/io.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

/* A listening socket at a relative path: the absolute one may be too long for sockaddr_un. */
static int listen_at(const char *path, int type)
{
    struct sockaddr_un a = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    mode_t mask;

    if (fd < 0)
        return -1;
    snprintf(a.sun_path, sizeof(a.sun_path), "%s", path);
    unlink(path);
    mask = umask(0177);
    if (bind(fd, (struct sockaddr *)&a, sizeof(a)) < 0 || listen(fd, VR_SHIM_CLIENTS_MAX) < 0) {
        close(fd);
        fd = -1;
    }
    umask(mask);
    return fd;
}

int server_listen(void)
{
    return listen_at(VR_SHIM_SOCK, SOCK_SEQPACKET);
}

void server_accept(struct shim *s)
{
    int fd = accept4(s->listen_fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

    if (fd < 0)
        return;
    for (size_t i = 0; i < COUNT(s->clients); i++)
        if (s->clients[i].fd < 0) {
            s->clients[i] = (struct client){.fd = fd, .console_fd = -1};
            return;
        }
    close(fd);
}

static void close_console(struct client *c)
{
    if (c->console_fd < 0)
        return;
    close(c->console_fd);
    unlink(c->console);
    c->console_fd = -1;
}

static void drop(struct client *c)
{
    close_console(c);
    if (c->exec_pid > 0)
        kill(c->exec_pid, SIGTERM); /* the runtime's exec; it hangs up with its client */
    close(c->fd);
    *c = (struct client){.fd = -1, .console_fd = -1};
}

static void send_or_drop(struct client *c, const struct frame *f, int fd)
{
    if (!frame_send(c->fd, f, fd))
        drop(c);
}

static void send_ok(struct client *c)
{
    struct frame f;

    frame_begin(&f, "ok");
    send_or_drop(c, &f, -1);
}

static void send_error(struct client *c, const char *why)
{
    struct frame f;

    frame_begin(&f, "error");
    frame_add(&f, "why", why);
    send_or_drop(c, &f, -1);
}

static void state_frame(const struct shim *s, const char *verb, struct frame *f)
{
    static const char *const phases[] = VR_SHIM_PHASES;
    int64_t backoff = s->start_at_ns ? (s->start_at_ns - mono_ns()) / NS_PER_MS : 0;

    _Static_assert(COUNT(phases) == VR_SHIM_PHASE_COUNT, "a name for each phase");
    frame_begin(f, verb);
    frame_add_number(f, "v", VR_SHIM_VERSION);
    frame_add(f, "phase", phases[s->phase]);
    frame_add_number(f, "pid", s->app_pid);
    frame_add_number(f, "gen", s->generation);
    frame_add(f, "id", s->id);
    frame_add(f, "cgroup", s->cgroup);
    frame_add_number(f, "started_us", s->started_us);
    frame_add_number(f, "restarts", s->restart.count);
    frame_add_number(f, "backoff_ms", backoff > 0 ? backoff : 0);
    frame_add_number(f, "dropped", s->logs.dropped);
    frame_add(f, "why", s->why);
    frame_add_number(f, "exit_gen", s->last.generation);
    frame_add_number(f, "code", s->last.code);
    frame_add_number(f, "signal", s->last.signal);
    frame_add_number(f, "oom", s->last.is_oom);
    frame_add_number(f, "known", s->last.is_known);
    frame_add_number(f, "uptime_ms", s->last.uptime_ms);
    frame_add_number(f, "exit_us", s->last.at_us);
}

static void send_state(struct shim *s, struct client *c, const char *verb)
{
    struct frame f;

    state_frame(s, verb, &f);
    send_or_drop(c, &f, -1);
}

void server_broadcast(struct shim *s)
{
    for (size_t i = 0; i < COUNT(s->clients); i++)
        if (s->clients[i].fd >= 0 && s->clients[i].subscribed)
            send_state(s, &s->clients[i], "state");
}

void server_tell_stopped(struct shim *s)
{
    for (size_t i = 0; i < COUNT(s->clients); i++) {
        struct client *c = &s->clients[i];

        if (c->fd >= 0 && c->waits_for_stop) {
            c->waits_for_stop = false;
            send_state(s, c, "stopped");
        }
    }
}

static void exec_start(struct shim *s, struct client *c, char *request, size_t len,
                       const int fds[3])
{
    bool tty = frame_number(request, len, "tty", 0) != 0;
    char *words[VR_SHIM_ARGV_MAX + 1];

    if (s->phase != VR_SHIM_RUNNING || c->exec_pid) {
        send_error(c, c->exec_pid ? "one exec a connection" : "the app does not run");
        return;
    }
    if (!frame_words(request, len, words, VR_SHIM_ARGV_MAX + 1) || (!tty && fds[2] < 0)) {
        send_error(c, "exec needs words, and a terminal or three descriptors");
        return;
    }
    if (tty) {
        snprintf(c->console, sizeof(c->console), "console%d", (int)(c - s->clients));
        c->console_fd = listen_at(c->console, SOCK_STREAM);
    }
    if (tty && c->console_fd < 0)
        c->exec_pid = -1;
    else
        c->exec_pid = container_exec(&s->conf, s->id, tty ? c->console : NULL, fds, words);
    if (c->exec_pid < 0) {
        c->exec_pid = 0;
        close_console(c);
        send_error(c, "the runtime cannot be started");
    }
}

void server_pass_console(struct client *c)
{
    int sock = accept4(c->console_fd, NULL, NULL, SOCK_CLOEXEC);
    char name[256];
    int fds[3] = {-1, -1, -1};
    struct frame f;

    if (sock < 0)
        return;
    /* The runtime connects and sends at once; it is ours, so this wait is short. */
    while (frame_receive(sock, name, sizeof(name), fds) < 0 && errno == EAGAIN)
        usleep(200);
    close(sock);
    close_console(c);
    if (fds[0] < 0) {
        send_error(c, "the runtime gave no terminal");
        return;
    }
    frame_begin(&f, "tty");
    send_or_drop(c, &f, fds[0]);
    for (int i = 0; i < 3; i++)
        if (fds[i] >= 0)
            close(fds[i]);
}

bool server_exec_ended(struct shim *s, pid_t pid, int status)
{
    for (size_t i = 0; i < COUNT(s->clients); i++) {
        struct client *c = &s->clients[i];
        struct frame f;

        if (c->fd < 0 || c->exec_pid != pid)
            continue;
        if (c->console_fd >= 0)
            server_pass_console(c); /* a short command: its terminal may still wait here */
        if (c->fd < 0)
            return true;
        close_console(c);
        c->exec_pid = 0;
        frame_begin(&f, "exec_exit");
        frame_add_number(&f, "code",
                         WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status));
        send_or_drop(c, &f, -1);
        return true;
    }
    return false;
}

/* What is left of a request once its verb is known; `len` includes the verb. */
struct request {
    char *bytes;
    size_t len;
    const int *fds;
};

static void on_state(struct shim *s, struct client *c, const struct request *r)
{
    send_state(s, c, "state");
}

static void on_subscribe(struct shim *s, struct client *c, const struct request *r)
{
    c->subscribed = true;
    send_state(s, c, "state");
}

static void on_stop(struct shim *s, struct client *c, const struct request *r)
{
    c->waits_for_stop = true;
    shim_stop(s, (int)frame_number(r->bytes, r->len, "signal", SIGTERM),
              frame_number(r->bytes, r->len, "grace_ms", 0));
}

static void on_kill(struct shim *s, struct client *c, const struct request *r)
{
    c->waits_for_stop = true;
    shim_stop(s, SIGKILL, 0);
}

static void on_start(struct shim *s, struct client *c, const struct request *r)
{
    if (shim_start_again(s))
        send_ok(c);
    else
        send_error(c, "it has not ended");
}

static void on_signal(struct shim *s, struct client *c, const struct request *r)
{
    int64_t sig = frame_number(r->bytes, r->len, "n", 0);

    if (sig > 0 && sig < NSIG && shim_signal(s, (int)sig))
        send_ok(c);
    else
        send_error(c, "no such signal, or nothing runs");
}

static void on_exec(struct shim *s, struct client *c, const struct request *r)
{
    exec_start(s, c, r->bytes, r->len, r->fds);
}

static void on_quit(struct shim *s, struct client *c, const struct request *r)
{
    if (!shim_is_idle(s)) {
        send_error(c, "the app has not ended");
        return;
    }
    send_ok(c);
    s->leaves = true;
}

static const struct {
    const char *verb;
    void (*handle)(struct shim *s, struct client *c, const struct request *r);
} requests[] = {
    {"state", on_state}, {"subscribe", on_subscribe}, {"stop", on_stop}, {"kill", on_kill},
    {"start", on_start}, {"signal", on_signal},       {"exec", on_exec}, {"quit", on_quit},
};

void server_serve(struct shim *s, struct client *c)
{
    char bytes[VR_SHIM_FRAME_BYTES + 1];
    int fds[3];
    long n = frame_receive(c->fd, bytes, sizeof(bytes), fds);
    struct request r = {.bytes = bytes, .len = (size_t)n, .fds = fds};
    bool known = false;

    if (n < 0 && errno == EAGAIN)
        return;
    if (n <= 0) {
        drop(c);
        return;
    }
    for (size_t i = 0; i < COUNT(requests) && !known; i++) {
        known = !strcmp(bytes, requests[i].verb);
        if (known)
            requests[i].handle(s, c, &r);
    }
    if (!known)
        send_error(c, "unknown request");
    for (int i = 0; i < 3; i++)
        if (fds[i] >= 0)
            close(fds[i]);
}
