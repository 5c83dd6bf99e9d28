/* SPDX-License-Identifier: MIT */
/* The worker's protocol, spoken to a process as the agent does. */
#include "balancer/worker.h"

#include "core/buf.h"
#include "core/clock.h"
#include "core/str.h"
#include "core/tap.h"
#include "sys/fs.h"

#include <fcntl.h>
#include <jansson.h>
#include <poll.h>
#include <stdio.h>
#include <sys/wait.h>

#define AWAIT_MS 5000

struct talk {
    pid_t pid;
    int in, out;
    struct vr_buf text;
};

static bool start(struct talk *t)
{
    int in[2], out[2];

    if (pipe2(in, O_CLOEXEC) || pipe2(out, O_CLOEXEC))
        return false;
    fflush(stdout);
    t->pid = fork();
    if (!t->pid) {
        dup2(in[0], STDIN_FILENO);
        dup2(out[1], STDOUT_FILENO);
        close(in[0]);
        close(in[1]);
        close(out[0]);
        close(out[1]);
        _exit(vr_balancer_worker_main(1, NULL));
    }
    close(in[0]);
    close(out[1]);
    t->in = in[1];
    t->out = out[0];
    t->text = VR_BUF(1 << 20);
    return true;
}

static void say(struct talk *t, const char *line)
{
    vr_ignore(vr_fd_write_all(t->in, line, strlen(line), NULL), "the answer is what is checked");
    vr_ignore(vr_fd_write_all(t->in, "\n", 1, NULL), "the answer is what is checked");
}

/* The next line, NULL if none comes. */
static json_t *hear(struct talk *t)
{
    struct vr_mono end = vr_mono_add_ms(vr_mono_now(), AWAIT_MS);
    char chunk[4096], *newline;

    while (!t->text.len || !(newline = memchr(t->text.p, '\n', t->text.len))) {
        struct pollfd p = {.fd = t->out, .events = POLLIN};
        ssize_t n;

        if (poll(&p, 1, (int)vr_mono_ms_between(vr_mono_now(), end)) <= 0)
            return NULL;
        n = read(t->out, chunk, sizeof(chunk));
        if (n <= 0)
            return NULL;
        vr_buf_add_n(&t->text, chunk, (size_t)n);
    }
    json_t *value = json_loadb(t->text.p, (size_t)(newline - t->text.p), 0, NULL);
    vr_buf_drop(&t->text, (size_t)(newline - t->text.p) + 1);
    return value;
}

static bool hears_error(struct talk *t, const char *part)
{
    json_t *value = hear(t);
    const char *error = json_string_value(json_object_get(value, "error"));
    bool ok = error && strstr(error, part);

    if (!ok)
        printf("# heard '%s', not '%s'\n", error ? error : "(no error)", part);
    json_decref(value);
    return ok;
}

/* The confirmed generation of the first pool in the next report. */
static int64_t hear_confirmed(struct talk *t)
{
    json_t *value = hear(t);
    json_t *pool = json_array_get(json_object_get(value, "pools"), 0);
    int64_t n = pool ? json_integer_value(json_object_get(pool, "confirmed")) : -1;

    json_decref(value);
    return n;
}

static int finish(struct talk *t)
{
    int status = -1;

    close(t->in);
    waitpid(t->pid, &status, 0);
    close(t->out);
    vr_buf_fini(&t->text);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static void say_open(struct talk *t, const char *driver)
{
    vr_auto_free char *line =
        vr_strf("{\"cmd\":\"open\",\"name\":\"b\",\"driver\":\"%s\",\"state_dir\":\"%s/b\"}",
                driver, vr_tap_dir());

    say(t, line);
}

TEST(worker__lines_it_does_not_understand__are_answered_by_errors)
{
    struct talk t;

    CHECK(start(&t));
    say(&t, "{\"cmd\":\"apply\",\"pools\":[]}");
    CHECK(hears_error(&t, "no balancer is open"));
    say(&t, "{nonsense");
    CHECK(hears_error(&t, "expected"));
    say(&t, "[1,2]");
    CHECK(hears_error(&t, "no balancer"));
    say_open(&t, "varnish");
    CHECK(hears_error(&t, "'varnish' is not built in"));
    say_open(&t, "none");
    say(&t, "{\"cmd\":\"dance\"}");
    CHECK(hears_error(&t, "unknown command"));
    say(&t, "{\"cmd\":\"apply\",\"pools\":[{\"name\":3}]}");
    CHECK(hears_error(&t, "a pool is not"));
    say(&t, "{\"cmd\":\"apply\",\"pools\":[{\"name\":\"a/b\",\"generation\":1,\"nodes\":[]}]}");
    CHECK(hears_error(&t, "is not a name"));
    CHECK(finish(&t) == 0);
}

TEST(worker__apply__is_reported_at_once_and_again)
{
    struct talk t;

    CHECK(start(&t));
    say_open(&t, "vr.common.balancer.dummy.DummyBalancer");
    say(&t, "{\"cmd\":\"apply\",\"pools\":[{\"name\":\"shop\",\"generation\":7,\"nodes\":"
            "[{\"id\":\"p1\",\"address\":\"127.0.0.1\",\"port\":80}]}]}");
    CHECK(hear_confirmed(&t) == 7);
    CHECK(hear_confirmed(&t) == 7); /* without a change, after VR_BALANCER_WORKER_REPORT_MS */
    CHECK(finish(&t) == 0);
}

TEST(worker__a_line_that_is_too_long__is_skipped_and_the_next_is_taken)
{
    vr_auto_free char *x = vr_alloc(VR_BALANCER_WORKER_LINE_BYTES + 100);
    struct talk t;

    memset(x, 'x', VR_BALANCER_WORKER_LINE_BYTES + 50);
    CHECK(start(&t));
    say(&t, x);
    CHECK(hears_error(&t, "too long"));
    say_open(&t, "none");
    say(&t, "{\"cmd\":\"apply\",\"pools\":[{\"name\":\"shop\",\"generation\":2,\"nodes\":[]}]}");
    say(&t, "{\"cmd\":\"quit\"}");
    CHECK(hear_confirmed(&t) == 2);
    CHECK(finish(&t) == 0);
}
