/* SPDX-License-Identifier: MIT */
/* Services: started, adopted by their lock, started again, stopped. */
#include "cli/service.h"

#include "core/own.h"
#include "core/tap.h"
#include "sys/fs.h"

#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#define WAIT_MS 10000

/* Wait until the program holds its lock: it can be adopted from then on. */
static bool is_locked(const char *path)
{
    struct vr_mono until = vr_mono_add_ms(vr_mono_now(), WAIT_MS);

    while (vr_mono_now().ns < until.ns) {
        if (vr_fs_lock_owner(path) > 0)
            return true;
        poll(NULL, 0, 5);
    }
    return false;
}

struct paths {
    char *lock, *log;
};

static struct paths make_paths(void)
{
    return (struct paths){vr_strf("%s/lock", vr_tap_dir()), vr_strf("%s/log", vr_tap_dir())};
}

static void paths_fini(struct paths *p)
{
    free(p->lock);
    free(p->log);
}

#define auto_paths __attribute__((cleanup(paths_fini))) struct paths

TEST(service_start__when_one_runs__adopts_it_and_can_stop_it)
{
    auto_paths p = make_paths();
    const char *argv[] = {VR_TEST_SERVICE, NULL};
    struct vr_service_spec spec = {"test", argv, p.lock, p.log};
    VR_OWNED(vr_service_free) struct vr_service *first = vr_service_new(&spec);
    VR_OWNED(vr_service_free) struct vr_service *second = vr_service_new(&spec);

    CHECK(vr_service_start(first, NULL) == 0);
    CHECK(is_locked(p.lock));
    CHECK(vr_service_start(second, NULL) == 1);
    CHECK(vr_service_pid(second) == vr_service_pid(first));
    vr_service_stop(second, WAIT_MS);
    CHECK(vr_fs_lock_owner(p.lock) == 0);
    CHECK(vr_service_pid(second) == 0);
    vr_service_stop(first, WAIT_MS);
}

TEST(service_tend__a_program_that_was_killed__is_started_again)
{
    auto_paths p = make_paths();
    const char *argv[] = {VR_TEST_SERVICE, NULL};
    struct vr_service_spec spec = {"test", argv, p.lock, p.log};
    VR_OWNED(vr_service_free) struct vr_service *s = vr_service_new(&spec);
    struct pollfd ended;
    int64_t ms;
    pid_t before;

    CHECK(vr_service_start(s, NULL) == 0 && is_locked(p.lock));
    before = vr_service_pid(s);
    ended = (struct pollfd){.fd = vr_service_fd(s), .events = POLLIN};
    kill(before, SIGKILL);
    CHECK(poll(&ended, 1, WAIT_MS) == 1);
    ms = vr_service_tend(s);
    CHECK(vr_service_pid(s) == 0 && ms > 0 && ms <= VR_SERVICE_BACKOFF_MS);
    poll(NULL, 0, (int)ms);
    vr_service_tend(s);
    CHECK(vr_service_pid(s) > 0 && vr_service_pid(s) != before);
    vr_service_stop(s, WAIT_MS);
}

TEST(service_tend__a_program_that_keeps_ending__backs_off)
{
    auto_paths p = make_paths();
    const char *argv[] = {VR_TEST_SERVICE, "end", NULL};
    struct vr_service_spec spec = {"test", argv, p.lock, p.log};
    VR_OWNED(vr_service_free) struct vr_service *s = vr_service_new(&spec);
    int64_t waits[2];

    CHECK(vr_service_start(s, NULL) == 0);
    for (size_t i = 0; i < VR_COUNT(waits); i++) {
        struct pollfd ended = {.fd = vr_service_fd(s), .events = POLLIN};

        CHECK(poll(&ended, 1, WAIT_MS) == 1);
        waits[i] = vr_service_tend(s);
        CHECK(vr_service_fd(s) < 0);
        poll(NULL, 0, (int)waits[i]);
        vr_service_tend(s);
    }
    CHECK(waits[0] <= VR_SERVICE_BACKOFF_MS && waits[1] > VR_SERVICE_BACKOFF_MS);
    vr_service_stop(s, WAIT_MS);
}

TEST(service_tend__a_log_that_has_grown__is_rotated_under_the_program)
{
    auto_paths p = make_paths();
    vr_auto_free char *old = vr_strf("%s.1", p.log);
    const char *argv[] = {VR_TEST_SERVICE, NULL};
    struct vr_service_spec spec = {"test", argv, p.lock, p.log};
    VR_OWNED(vr_service_free) struct vr_service *s = vr_service_new(&spec);
    FILE *log;

    log = fopen(p.log, "we");
    CHECK(log && !fseek(log, VR_SERVICE_LOG_BYTES, SEEK_SET) && fputc('x', log) == 'x');
    fclose(log);
    CHECK(vr_service_start(s, NULL) == 0 && is_locked(p.lock));
    vr_service_tend(s);
    CHECK(vr_fs_exists(old));
    CHECK(truncate(old, 0) == 0);
    vr_service_stop(s, WAIT_MS);
}

TEST(service_start__a_program_that_is_not_there__says_so)
{
    auto_paths p = make_paths();
    const char *argv[] = {"/nonexistent/vr", NULL};
    struct vr_service_spec spec = {"test", argv, p.lock, p.log};
    VR_OWNED(vr_service_free) struct vr_service *s = vr_service_new(&spec);
    struct vr_err err = VR_ERR_NULL;

    CHECK(vr_service_start(s, &err) == -VR_NOT_FOUND);
    CHECK(strstr(err.msg, "start test"));
    CHECK(vr_service_pid(s) == 0);
}
