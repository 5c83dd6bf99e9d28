/* SPDX-License-Identifier: MIT */
/* The process that holds one balancer for the agent: JSON lines in, JSON lines out.
 *
 * A balancer's calls may block for seconds, which the agent's loop must not; hence a process of
 * its own. It keeps nothing that matters: the agent may kill it at any moment and start another. */
#include "balancer/worker.h"

#include "balancer/balancer.h"
#include "balancer/pools_json.h"
#include "core/buf.h"
#include "core/clock.h"
#include "core/str.h"
#include "sys/fs.h"

#include <errno.h>
#include <poll.h>

#define READ_BYTES   65536
#define REPORT_BYTES ((size_t)64 * 1024 * 1024)

struct worker {
    struct vr_log log;
    struct vr_balancer *balancer; /* NULL until "open" */
    json_t *apply;                /* the newest "apply" that waits, owned; NULL if none */
    bool has_pools;
    bool is_done;
    bool is_broken; /* standard output is gone */
    bool skips;     /* the rest of a line that was too long */
    char last_error[VR_ERR_MSG_BYTES];
    json_t *last_report; /* owned */
    struct vr_mono report_at;
};

static void write_line(struct worker *w, const json_t *value)
{
    vr_auto_free char *text = json_dumps(value, JSON_COMPACT);
    vr_auto_free char *line = text ? vr_strf("%s\n", text) : NULL;

    if (line && vr_fd_write_all(STDOUT_FILENO, line, strlen(line), NULL) < 0)
        w->is_broken = w->is_done = true;
}

static void write_error(struct worker *w, const char *what)
{
    json_t *value = json_pack("{s:s%}", "error", what, strlen(what));

    if (!value)
        value = json_pack("{s:s}", "error", "the line is not UTF-8");
    write_line(w, value);
    json_decref(value);
}

/* Send the report if it is new, asked for, or due. */
static void report(struct worker *w, bool always)
{
    struct vr_mono now = vr_mono_now();
    json_t *value = NULL;

    if (vr_balancer_report(w->balancer, &value, NULL) < 0)
        return;
    if (always || !json_equal(value, w->last_report) || !vr_mono_ms_between(now, w->report_at)) {
        write_line(w, value);
        w->report_at = vr_mono_add_ms(now, VR_BALANCER_WORKER_REPORT_MS);
    }
    json_decref(w->last_report);
    w->last_report = value;
}

/* The balancer's failure is in the report too; the log gets it when it is another one. */
static void note(struct worker *w, int r, const struct vr_err *err)
{
    const char *now = r < 0 ? err->msg : "";

    if (vr_streq(now, w->last_error))
        return;
    if (*now)
        vr_warn(&w->log, "%s", now);
    else
        vr_info(&w->log, "works again");
    memcpy(w->last_error, now, strlen(now) + 1);
}

static void open_balancer(struct worker *w, const json_t *line)
{
    const char *dir = json_string_value(json_object_get(line, "state_dir"));
    struct vr_err err = VR_ERR_NULL;
    int r;

    if (w->balancer)
        r = vr_fail(&err, VR_EXISTS, "a balancer is open already");
    else if (vr_str_is_empty(dir))
        r = vr_fail(&err, VR_INVALID, "open: state_dir is missing");
    else
        r = vr_balancer_open(line, dir, &w->log, &w->balancer, &err);
    if (r < 0)
        write_error(w, err.msg);
}

static void apply_waiting(struct worker *w)
{
    json_t *line = vr_take(w->apply);
    struct vr_err err = VR_ERR_NULL;
    struct vr_pools pools = {0};
    int r;

    r = vr_pools_read(json_object_get(line, "pools"), &pools, &err);
    if (!r)
        r = vr_balancer_apply(w->balancer, pools.list, pools.count, &err);
    vr_pools_fini(&pools);
    json_decref(line);
    if (r == -VR_PARSE || r == -VR_INVALID) {
        write_error(w, err.msg);
        return;
    }
    w->has_pools = true;
    note(w, r, &err);
    report(w, true);
}

static void shut_down(struct worker *w)
{
    struct vr_err err = VR_ERR_NULL;

    json_decref(w->apply);
    w->apply = NULL;
    if (vr_balancer_shutdown(w->balancer, &err) < 0)
        write_error(w, err.msg);
    w->is_done = true;
}

static void command(struct worker *w, json_t *line)
{
    const char *cmd = json_string_value(json_object_get(line, "cmd"));

    if (vr_streq(cmd, "quit")) {
        w->is_done = true;
    } else if (vr_streq(cmd, "open")) {
        open_balancer(w, line);
    } else if (!w->balancer) {
        write_error(w, "no balancer is open");
    } else if (vr_streq(cmd, "apply")) {
        json_decref(w->apply);
        w->apply = json_incref(line);
    } else if (vr_streq(cmd, "shutdown")) {
        shut_down(w);
    } else {
        write_error(w, "unknown command");
    }
}

static void take_line(struct worker *w, const char *text, size_t n)
{
    json_error_t problem;
    json_t *line = json_loadb(text, n, 0, &problem);

    if (line)
        command(w, line);
    else
        write_error(w, problem.text);
    json_decref(line);
}

/* Read what is there and take its whole lines. */
static void read_input(struct worker *w, struct vr_buf *in)
{
    char chunk[READ_BYTES];
    ssize_t n = read(STDIN_FILENO, chunk, sizeof(chunk));
    char *end;

    if (n < 0 && (errno == EINTR || errno == EAGAIN))
        return;
    if (n <= 0) {
        w->is_done = true;
        return;
    }
    vr_buf_add_n(in, chunk, (size_t)n);
    if (in->over) {
        write_error(w, "line is too long");
        vr_buf_clear(in);
        end = memchr(chunk, '\n', (size_t)n);
        w->skips = !end;
        if (end)
            vr_buf_add_n(in, end + 1, (size_t)(chunk + n - end - 1));
    }
    while (in->len && (end = memchr(in->p, '\n', in->len)) && !w->is_done) {
        size_t len = (size_t)(end - in->p);

        if (!w->skips && len)
            take_line(w, in->p, len);
        w->skips = false;
        vr_buf_drop(in, len + 1);
    }
    if (w->skips)
        vr_buf_clear(in);
}

static bool has_input(int timeout_ms)
{
    struct pollfd p = {.fd = STDIN_FILENO, .events = POLLIN};

    return poll(&p, 1, timeout_ms) > 0;
}

static void run(struct worker *w)
{
    vr_auto_buf struct vr_buf in = VR_BUF(VR_BALANCER_WORKER_LINE_BYTES);

    while (!w->is_done) {
        /* Everything that waits is read before anything is done: the newest state wins. */
        if (has_input(w->apply ? 0 : w->has_pools ? VR_BALANCER_WORKER_POLL_MS : -1)) {
            read_input(w, &in);
        } else if (w->apply) {
            apply_waiting(w);
        } else if (w->has_pools) {
            struct vr_err err = VR_ERR_NULL;

            note(w, vr_balancer_poll(w->balancer, &err), &err);
            report(w, false);
        }
    }
}

int vr_balancer_worker_main(int argc, char **argv)
{
    struct worker w = {0};

    vr_log_init(&w.log, NULL, "program", "balancer-worker");
    run(&w);
    if (w.apply) /* it was said before the end was */
        apply_waiting(&w);
    json_decref(w.last_report);
    vr_balancer_close(w.balancer);
    return w.is_broken ? 1 : 0;
}
