/* SPDX-License-Identifier: MIT */
/*
 * A child program of the agent that talks in lines.
 *
 * A task is alive until its child was reaped and its output read to the end; only then is on_done
 * called, so that no line comes after it. A freed task that still runs stays as an orphan object,
 * without callbacks, until the pidfd says that it can be reaped: nobody else waits for it.
 */
#include "agent/task.h"
#include "core/buf.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#define PIPE_BYTES 65536 /* what a pipe holds unless it is told otherwise */

struct vr_task {
    uv_loop_t *loop;
    struct vr_child child;
    struct vr_exit how;
    bool ended;
    bool forgotten;
    bool keeps_input;
    int in, out;
    struct vr_watch *out_watch, *end_watch;
    uv_poll_t *in_poll;
    struct vr_buf line, input;
    vr_task_line_fn on_line;
    vr_task_done_fn on_done;
    void *arg;
};

static void input_closed(uv_handle_t *handle)
{
    free(handle);
}

static void close_input(struct vr_task *t)
{
    if (t->in_poll) {
        uv_poll_stop(t->in_poll);
        uv_close((uv_handle_t *)t->in_poll, input_closed);
        t->in_poll = NULL;
    }
    vr_fd_close(vr_take_fd(t->in));
}

static void destroy(struct vr_task *t)
{
    close_input(t);
    t->out_watch = vr_watch_free(t->out_watch);
    t->end_watch = vr_watch_free(t->end_watch);
    vr_fd_close(t->out);
    vr_child_fini(&t->child);
    vr_buf_fini(&t->line);
    vr_buf_fini(&t->input);
    free(t);
}

static void finish_if_over(struct vr_task *t)
{
    vr_task_done_fn on_done = t->on_done;
    void *arg = t->arg;
    struct vr_exit how = t->how;

    if (!t->ended || t->out >= 0)
        return;
    if (t->forgotten) {
        destroy(t);
        return;
    }
    t->on_done = NULL;
    if (on_done)
        on_done(arg, how);
}

static void give_lines(struct vr_task *t)
{
    const char *end;

    while (!t->forgotten && t->line.len && (end = memchr(t->line.p, '\n', t->line.len))) {
        size_t n = (size_t)(end - t->line.p);
        vr_auto_free char *line = vr_strndup(t->line.p, n);

        vr_buf_drop(&t->line, n + 1);
        if (t->on_line)
            t->on_line(t->arg, line, n);
    }
}

static void end_of_output(struct vr_task *t)
{
    t->out_watch = vr_watch_free(t->out_watch);
    vr_fd_close(vr_take_fd(t->out));
    finish_if_over(t);
}

static void output_ready(void *arg)
{
    struct vr_task *t = arg;
    char chunk[65536];
    ssize_t n = read(t->out, chunk, sizeof(chunk));

    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (n <= 0) {
        end_of_output(t);
        return;
    }
    vr_buf_add_n(&t->line, chunk, (size_t)n);
    if (t->line.over) /* a line without end: its program is broken */
        vr_buf_clear(&t->line);
    give_lines(t);
}

/* A grandchild may hold the pipe and write on: no more than a pipe holds is taken of it. */
static void read_rest(struct vr_task *t)
{
    char chunk[65536];

    for (size_t left = PIPE_BYTES; t->out >= 0 && left > 0;) {
        ssize_t n = read(t->out, chunk, left < sizeof(chunk) ? left : sizeof(chunk));

        if (n <= 0)
            break;
        vr_buf_add_n(&t->line, chunk, (size_t)n);
        left -= (size_t)n;
    }
    if (t->line.over)
        vr_buf_clear(&t->line);
}

static void child_ended(void *arg)
{
    struct vr_task *t = arg;

    if (vr_child_poll(&t->child, &t->how, NULL) <= 0)
        return;
    t->end_watch = vr_watch_free(t->end_watch);
    close_input(t);
    read_rest(t);
    give_lines(t);
    t->ended = true; /* only now: a callback above may have freed the task */
    t->out_watch = vr_watch_free(t->out_watch);
    vr_fd_close(vr_take_fd(t->out));
    finish_if_over(t);
}

static void input_ready(uv_poll_t *uv, int status, int events)
{
    struct vr_task *t = uv->data;
    ssize_t n;

    if (t->input.len) {
        n = write(t->in, t->input.p, t->input.len);
        if (n > 0)
            vr_buf_drop(&t->input, (size_t)n);
        else if (n < 0 && errno != EAGAIN && errno != EINTR) {
            close_input(t);
            return;
        }
    }
    if (t->input.len)
        return;
    if (t->keeps_input)
        uv_poll_stop(t->in_poll);
    else
        close_input(t);
}

static void set_nonblocking(int fd)
{
    fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
}

int vr_task_start(uv_loop_t *loop, const struct vr_task_spec *spec, struct vr_task **out,
                  struct vr_err *err)
{
    int in[2] = {-1, -1}, outp[2] = {-1, -1};
    struct vr_spawn_spec spawn = {.argv = spec->argv, .fd_err = STDERR_FILENO, .new_session = true};
    struct vr_task *t;
    int r;

    if (pipe2(in, O_CLOEXEC) < 0)
        return vr_fail_sys(err, "make a pipe");
    if (pipe2(outp, O_CLOEXEC) < 0) {
        r = vr_fail_sys(err, "make a pipe");
        vr_fd_close(in[0]);
        vr_fd_close(in[1]);
        return r;
    }
    t = vr_alloc(sizeof(*t));
    *t = (struct vr_task){.loop = loop,
                          .child = VR_CHILD_NULL,
                          .in = in[1],
                          .out = outp[0],
                          .keeps_input = spec->keeps_input,
                          .line = VR_BUF(VR_TASK_LINE_BYTES),
                          .input = VR_BUF(VR_TASK_INPUT_BYTES),
                          .on_line = spec->on_line,
                          .on_done = spec->on_done,
                          .arg = spec->arg};
    spawn.fd_in = in[0];
    spawn.fd_out = outp[1];
    r = vr_spawn(&spawn, &t->child, err);
    vr_fd_close(in[0]);
    vr_fd_close(outp[1]);
    if (r < 0) {
        destroy(t);
        return r;
    }
    set_nonblocking(t->in);
    set_nonblocking(t->out);
    t->in_poll = vr_alloc(sizeof(*t->in_poll));
    uv_poll_init(loop, t->in_poll, t->in);
    t->in_poll->data = t;
    t->out_watch = vr_watch_new(loop, t->out, output_ready, t);
    t->end_watch = vr_watch_new(loop, t->child.pidfd, child_ended, t);
    if (!t->keeps_input)
        uv_poll_start(t->in_poll, UV_WRITABLE, input_ready);
    *out = t;
    return 0;
}

int vr_task_send(struct vr_task *t, const char *text, size_t n, struct vr_err *err)
{
    if (t->in < 0)
        return vr_fail(err, VR_IO, "the program has closed its input");
    if (n > VR_TASK_INPUT_BYTES - t->input.len)
        return vr_fail(err, VR_LIMIT, "more than %d bytes wait to be read", VR_TASK_INPUT_BYTES);
    vr_buf_add_n(&t->input, text, n);
    uv_poll_start(t->in_poll, UV_WRITABLE, input_ready);
    return 0;
}

void vr_task_signal(struct vr_task *t, int sig)
{
    if (!t->ended)
        vr_child_signal(&t->child, sig);
}

struct vr_task *vr_task_free(struct vr_task *t)
{
    if (!t)
        return NULL;
    t->forgotten = true;
    t->on_line = NULL;
    t->on_done = NULL;
    if (t->ended) {
        destroy(t);
        return NULL;
    }
    close_input(t);
    t->out_watch = vr_watch_free(t->out_watch);
    vr_fd_close(vr_take_fd(t->out));
    vr_child_signal(&t->child, SIGTERM);
    return NULL;
}
