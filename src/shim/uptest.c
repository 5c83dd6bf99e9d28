/* SPDX-License-Identifier: MIT */
/* The uptest runner.
 *
 * It runs inside a container like the proc's, from /app. Each test is a process group of its own,
 * so that a time-out or a forgotten background child ends with it. The result goes to a file of its
 * own: whatever a test prints is only ever its output. */
#include "shim/uptest.h"
#include "shim/io.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

struct test {
    pid_t pid;
    int pidfd, output_fd;
    bool is_cut;
    size_t len;
    char output[UPTEST_OUTPUT_BYTES];
};

/* Length of the valid UTF-8 sequence at p, 0 if it is none. */
static size_t utf8_len(const unsigned char *p, size_t n)
{
    static const struct {
        unsigned char first, mask;
        size_t len;
        uint32_t min;
    } forms[] = {{0x00, 0x80, 1, 0},
                 {0xc0, 0xe0, 2, 0x80},
                 {0xe0, 0xf0, 3, 0x800},
                 {0xf0, 0xf8, 4, 0x10000}};

    for (size_t i = 0; i < COUNT(forms); i++) {
        uint32_t c = p[0] & (unsigned char)~forms[i].mask;

        if ((p[0] & forms[i].mask) != forms[i].first)
            continue;
        if (n < forms[i].len)
            return 0;
        for (size_t k = 1; k < forms[i].len; k++) {
            if ((p[k] & 0xc0) != 0x80)
                return 0;
            c = c << 6 | (p[k] & 0x3f);
        }
        if (c < forms[i].min || c > 0x10ffff || (c >= 0xd800 && c <= 0xdfff))
            return 0;
        return forms[i].len;
    }
    return 0;
}

/* A JSON string; bytes that are no UTF-8 become U+FFFD. */
static void json_string(FILE *out, const char *text, size_t n)
{
    const unsigned char *p = (const unsigned char *)text;

    fputc('"', out);
    for (size_t i = 0; i < n;) {
        size_t len = utf8_len(p + i, n - i);

        if (!len)
            fputs("\\ufffd", out);
        else if (p[i] == '"' || p[i] == '\\')
            fprintf(out, "\\%c", p[i]);
        else if (p[i] == '\n')
            fputs("\\n", out);
        else if (p[i] < ' ' || p[i] == 0x7f)
            fprintf(out, "\\u%04x", p[i]);
        else
            fwrite(p + i, 1, len, out);
        i += len ? len : 1;
    }
    fputc('"', out);
}

static void json_test(FILE *out, bool first, const char *name, const struct test *t, bool passed)
{
    fputs(first ? "{\"Name\":" : ",{\"Name\":", out);
    json_string(out, name, strlen(name));
    fputs(",\"Output\":", out);
    json_string(out, t->output, t->len);
    fprintf(out, ",\"Passed\":%s}", passed ? "true" : "false");
}

static void say(struct test *t, const char *text)
{
    size_t n = strlen(text), room = sizeof(t->output) - t->len;

    if (t->len && t->output[t->len - 1] != '\n' && room)
        t->output[t->len++] = '\n', room--;
    if (n > room) /* the verdict matters more than the last bytes of output */
        t->len = sizeof(t->output) - n;
    memcpy(t->output + t->len, text, n);
    t->len += n;
}

/* In the child: only async-signal-safe calls. Ends with exec, or with errno in the pipe. */
static _Noreturn void become(const char *path, char *const *argv, int output_fd, int error_fd)
{
    sigset_t none;
    int null = open("/dev/null", O_RDONLY);
    int error;

    setpgid(0, 0);
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    dup2(null, 0);
    dup2(output_fd, 1);
    dup2(output_fd, 2);
    execv(path, argv);
    error = errno;
    if (write(error_fd, &error, sizeof(error)) < 0)
        _exit(126);
    _exit(127);
}

/* Start a test; 0, or the errno that prevented it. */
static int start(struct test *t, const char *path, const char *host, const char *port)
{
    char *argv[] = {(char *)path, (char *)host, (char *)port, NULL};
    int output[2], failure[2], error = 0;
    ssize_t n;

    if (pipe2(output, O_CLOEXEC) < 0)
        return errno;
    if (pipe2(failure, O_CLOEXEC) < 0) {
        error = errno;
        close(output[0]);
        close(output[1]);
        return error;
    }
    t->pid = fork();
    if (!t->pid)
        become(path, argv, output[1], failure[1]);
    error = t->pid < 0 ? errno : 0;
    close(output[1]);
    close(failure[1]);
    n = error ? 0 : read(failure[0], &error, sizeof(error));
    close(failure[0]);
    if (n == sizeof(error))
        waitpid(t->pid, NULL, 0);
    if (error) {
        close(output[0]);
        return error;
    }
    setpgid(t->pid, t->pid);
    fcntl(output[0], F_SETFL, O_NONBLOCK);
    t->output_fd = output[0];
    t->pidfd = (int)syscall(SYS_pidfd_open, t->pid, 0);
    return 0;
}

/* Read what is there; false at the end of the stream. */
static bool drain(struct test *t)
{
    char spill[4096];

    for (;;) {
        size_t room = sizeof(t->output) - t->len;
        ssize_t n =
            read(t->output_fd, room ? t->output + t->len : spill, room ? room : sizeof(spill));

        if (n <= 0)
            return n < 0 && errno == EAGAIN;
        if (room)
            t->len += (size_t)n;
    }
}

/* Collect output until the test ends; false if its time was over. */
static bool watch(struct test *t, int64_t limit_ms)
{
    int64_t end = mono_ns() + limit_ms * NS_PER_MS;
    struct pollfd p[2] = {{.fd = t->pidfd, .events = POLLIN},
                          {.fd = t->output_fd, .events = POLLIN}};

    for (;;) {
        int64_t left_ms = (end - mono_ns() + NS_PER_MS - 1) / NS_PER_MS;

        if (left_ms <= 0)
            return false;
        if (poll(p, 2, left_ms > INT_MAX ? INT_MAX : (int)left_ms) < 0 && errno != EINTR)
            return false;
        if ((p[1].revents & (POLLIN | POLLHUP)) && !drain(t))
            p[1].fd = -1;
        if (p[0].revents)
            return true;
    }
}

static bool run_one(struct test *t, const char *path, const char *host, const char *port,
                    int64_t limit_ms)
{
    char text[64];
    bool in_time;
    int status = 0, error;

    t->len = 0;
    error = start(t, path, host, port);
    if (error) {
        say(t, error == EACCES ? "it is not executable" : strerror(error));
        return false;
    }
    in_time = watch(t, limit_ms);
    kill(-t->pid, SIGKILL);
    waitpid(t->pid, &status, 0);
    drain(t);
    close(t->output_fd);
    close(t->pidfd);
    if (!in_time) {
        snprintf(text, sizeof(text), "timed out after %g s", (double)limit_ms / 1000);
        say(t, text);
        return false;
    }
    return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

static int by_bytes(const struct dirent **a, const struct dirent **b)
{
    return strcmp((*a)->d_name, (*b)->d_name);
}

static int is_visible(const struct dirent *e)
{
    return *e->d_name != '.';
}

static void run_all(FILE *out, const char *dir, struct dirent **names, int count, const char *host,
                    const char *port, int64_t limit_ms)
{
    static struct test t; /* 64 KiB are too much for a stack of unknown size */
    char path[PATH_MAX];
    bool first = true, passed;
    struct stat st;

    fputc('[', out);
    for (int i = 0; i < count; i++) {
        snprintf(path, sizeof(path), "%s/%s", dir, names[i]->d_name);
        if (stat(path, &st) < 0 || !S_ISREG(st.st_mode))
            continue;
        passed = run_one(&t, path, host, port, limit_ms);
        json_test(out, first, names[i]->d_name, &t, passed);
        first = false;
    }
    fputs("]\n", out);
}

int uptest_run(const char *dir, const char *host, const char *port, int64_t per_test_ms,
               const char *result_file)
{
    struct dirent **names = NULL;
    int count = scandir(dir, &names, is_visible, by_bytes);
    FILE *out;

    if ((count < 0 && errno != ENOENT) || count > UPTEST_COUNT_MAX) {
        complain("%s: %s", dir, count < 0 ? strerror(errno) : "too many tests");
        return 1;
    }
    out = fopen(result_file, "we");
    if (!out) {
        complain("%s: %s", result_file, strerror(errno));
        return 1;
    }
    run_all(out, dir, names, count < 0 ? 0 : count, host, port, per_test_ms);
    for (int i = 0; i < count; i++)
        free(names[i]);
    free(names);
    return fclose(out) ? 1 : 0;
}
