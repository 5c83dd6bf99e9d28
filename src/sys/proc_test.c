/* SPDX-License-Identifier: MIT */
/* Child processes: real programs of the system, every way they fail. */
#include "core/clock.h"
#include "core/str.h"
#include "core/tap.h"
#include "sys/fs.h"
#include "sys/proc.h"

#include <dirent.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#define ARGV(...)                                                                                  \
    (const char *const[])                                                                          \
    {                                                                                              \
        __VA_ARGS__, NULL                                                                          \
    }
#define OUT_BYTES 65536

static int count_fds(void)
{
    DIR *dir = opendir("/proc/self/fd");
    int n = 0;

    while (dir && readdir(dir))
        n++;
    if (dir)
        closedir(dir);
    return n;
}

TEST(spawn__true__exits_with_zero)
{
    struct vr_spawn_spec spec = {.argv = ARGV("true")};
    struct vr_child child = VR_CHILD_NULL;
    struct vr_exit e = {.code = 9};

    CHECK(!vr_spawn(&spec, &child, NULL));
    CHECK(child.pid > 0 && child.pidfd >= 0);
    CHECK(!vr_child_wait(&child, 10000, &e, NULL));
    vr_child_fini(&child);
    CHECK(e.code == 0 && e.signal == 0 && child.pidfd == -1);
}

TEST(spawn__unknown_program__is_not_found_and_names_it)
{
    struct vr_spawn_spec spec = {.argv = ARGV("no-such-program-here")};
    struct vr_child child = VR_CHILD_NULL;
    struct vr_err err = VR_ERR_NULL;

    CHECK(vr_spawn(&spec, &child, &err) == -VR_NOT_FOUND);
    CHECK(strstr(err.msg, "no-such-program-here"));
    spec.argv = ARGV("/nowhere/program");
    CHECK(vr_spawn(&spec, &child, &err) == -VR_NOT_FOUND);
    CHECK(child.pid == 0);
}

TEST(spawn__file_without_x__is_denied)
{
    vr_auto_free char *path = vr_strf("%s/tool", vr_tap_dir());
    struct vr_spawn_spec spec = {.argv = ARGV(path)};
    struct vr_child child = VR_CHILD_NULL;

    CHECK(!vr_fs_write(path, "#!/bin/sh\n", 10, 0644, NULL));
    CHECK(vr_spawn(&spec, &child, NULL) == -VR_DENIED);
}

TEST(spawn__missing_folder__says_which)
{
    struct vr_spawn_spec spec = {.argv = ARGV("true"), .cwd = "/no/such/folder"};
    struct vr_child child = VR_CHILD_NULL;
    struct vr_err err = VR_ERR_NULL;

    CHECK(vr_spawn(&spec, &child, &err) == -VR_NOT_FOUND);
    CHECK(strstr(err.msg, "/no/such/folder"));
}

TEST(spawn__child__has_only_its_descriptors_and_a_clean_signal_state)
{
    vr_auto_close int extra = open("/dev/null", O_RDONLY); /* without CLOEXEC on purpose */
    vr_auto_close int passed = open("/dev/null", O_RDONLY | O_CLOEXEC);
    vr_auto_free char *want = vr_strf("0 1 2 3 %d", passed);
    struct vr_spawn_spec spec = {
        .argv = ARGV("sh", "-c",
                     "grep -E '^Sig(Blk|Ign)' /proc/self/status | grep -v ':.0*$';"
                     "cd /proc/self/fd; echo $(ls | sort -n)"),
        .pass_fds = &passed,
        .pass_fd_count = 1,
    };
    struct vr_run_result result;
    sigset_t block;

    sigemptyset(&block);
    sigaddset(&block, SIGTERM);
    sigprocmask(SIG_BLOCK, &block, NULL);
    CHECK(!vr_run(&spec, NULL, OUT_BYTES, 10000, &result, NULL));
    sigprocmask(SIG_UNBLOCK, &block, NULL);
    result.out[strcspn(result.out, "\n")] = '\0';
    /* 3 is the descriptor with which ls itself reads the folder. */
    CHECK_STR(result.out, want);
    vr_run_result_fini(&result);
    CHECK(extra >= 0);
}

TEST(spawn__out_and_err_swapped__both_arrive)
{
    vr_auto_free char *path = vr_strf("%s/all", vr_tap_dir());
    vr_auto_close int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    struct vr_spawn_spec spec = {
        .argv = ARGV("sh", "-c", "echo a; echo b >&2"), .fd_out = fd, .fd_err = fd};
    struct vr_child child = VR_CHILD_NULL;
    vr_auto_free char *text = NULL;
    struct vr_exit e;
    size_t len;

    CHECK(!vr_spawn(&spec, &child, NULL));
    CHECK(!vr_child_wait(&child, -1, &e, NULL));
    vr_child_fini(&child);
    CHECK(!vr_fs_read(path, OUT_BYTES, &text, &len, NULL));
    CHECK_STR(text, "a\nb\n");
}

TEST(spawn__as_a_user__has_no_groups_and_no_new_privileges)
{
    struct vr_spawn_spec spec = {
        .argv = ARGV("sh", "-c", "id -u; id -G; grep NoNewPrivs /proc/self/status"),
        .set_user = true,
        .uid = 65534,
        .gid = 65534,
        .cwd = "/",
    };
    struct vr_run_result result;

    if (geteuid()) {
        vr_tap_skip("needs root");
        return;
    }
    CHECK(!vr_run(&spec, NULL, OUT_BYTES, 10000, &result, NULL));
    CHECK_STR(result.out, "65534\n65534\nNoNewPrivs:\t1\n");
    vr_run_result_fini(&result);
}

TEST(spawn__file_limit__stops_the_writer)
{
    vr_auto_free char *path = vr_strf("%s/big", vr_tap_dir());
    vr_auto_free char *of = vr_strf("of=%s", path);
    struct vr_spawn_spec spec = {.argv = ARGV("dd", "if=/dev/zero", of, "bs=64k", "count=64"),
                                 .max_file_bytes = 65536};
    struct vr_run_result result;
    struct stat st;

    CHECK(!vr_run(&spec, NULL, OUT_BYTES, 10000, &result, NULL));
    CHECK(result.exit.code != 0);
    vr_run_result_fini(&result);
    CHECK(!stat(path, &st) && st.st_size <= 65536);
}

TEST(spawn__environment_given__is_all_there_is)
{
    struct vr_spawn_spec spec = {.argv = ARGV("/usr/bin/env"), .envp = ARGV("A=1", "B=2")};
    struct vr_run_result result;

    CHECK(!vr_run(&spec, NULL, OUT_BYTES, 10000, &result, NULL));
    CHECK_STR(result.out, "A=1\nB=2\n");
    vr_run_result_fini(&result);
}

TEST(child_stop__ignores_sigterm__is_killed_after_the_grace)
{
    struct vr_spawn_spec spec = {
        .argv = ARGV("sh", "-c", "trap '' TERM; while :; do sleep 60; done"), .new_session = true};
    struct vr_child child = VR_CHILD_NULL;
    struct vr_exit e;
    pid_t group;

    CHECK(!vr_spawn(&spec, &child, NULL));
    group = child.pid;
    CHECK(vr_child_poll(&child, &e, NULL) == 0);
    CHECK(vr_child_wait(&child, 50, &e, NULL) == -VR_TIMEOUT);
    vr_child_stop(&child, 50);
    CHECK(vr_child_poll(&child, &e, NULL) < 0); /* reaped already */
    vr_child_fini(&child);
    kill(-group, SIGKILL); /* its sleep */
}

TEST(child_poll__killed__reports_the_signal)
{
    struct vr_spawn_spec spec = {.argv = ARGV("sleep", "60")};
    struct vr_child child = VR_CHILD_NULL;
    struct vr_exit e = {0};
    char text[64];

    CHECK(!vr_spawn(&spec, &child, NULL));
    vr_child_signal(&child, SIGKILL);
    CHECK(!vr_child_wait(&child, -1, &e, NULL));
    vr_child_signal(&child, SIGKILL); /* no error */
    vr_child_fini(&child);
    vr_exit_format(e, text, sizeof(text));
    CHECK_STR(text, "signal 9 (Killed)");
    vr_exit_format((struct vr_exit){.code = 3}, text, sizeof(text));
    CHECK_STR(text, "exit code 3");
}

TEST(run__input__is_echoed_and_stderr_kept)
{
    struct vr_spawn_spec spec = {.argv = ARGV("sh", "-c", "cat; echo oops >&2; exit 3")};
    struct vr_run_result result;

    CHECK(!vr_run(&spec, "hello", OUT_BYTES, 10000, &result, NULL));
    CHECK_STR(result.out, "hello");
    CHECK_STR(result.err, "oops\n");
    CHECK(result.exit.code == 3);
    vr_run_result_fini(&result);
}

TEST(run__child_that_never_reads__large_input_is_no_sigpipe)
{
    vr_auto_free char *input = vr_alloc(1 << 20);
    struct vr_spawn_spec spec = {.argv = ARGV("true")};
    struct vr_run_result result;
    struct sigaction dfl = {.sa_handler = SIG_DFL}, old;

    memset(input, 'x', (1 << 20) - 1);
    sigaction(SIGPIPE, &dfl, &old);
    CHECK(!vr_run(&spec, input, OUT_BYTES, 10000, &result, NULL));
    sigaction(SIGPIPE, &old, NULL);
    CHECK(result.exit.code == 0);
    vr_run_result_fini(&result);
}

TEST(run__too_much_output__is_limit_and_the_child_is_gone)
{
    struct vr_spawn_spec spec = {.argv = ARGV("sh", "-c", "exec yes")};
    struct vr_run_result result;
    struct vr_err err = VR_ERR_NULL;
    int fds = count_fds();

    CHECK(vr_run(&spec, NULL, 100000, 10000, &result, &err) == -VR_LIMIT);
    CHECK(strstr(err.msg, "100000"));
    CHECK(count_fds() == fds);
}

TEST(run__exactly_the_limit__is_fine)
{
    struct vr_spawn_spec spec = {.argv = ARGV("printf", "1234")};
    struct vr_run_result result;

    CHECK(!vr_run(&spec, NULL, 4, 10000, &result, NULL));
    CHECK_STR(result.out, "1234");
    vr_run_result_fini(&result);
    CHECK(vr_run(&spec, NULL, 3, 10000, &result, NULL) == -VR_LIMIT);
}

TEST(run__timeout__kills_grandchildren_in_other_groups_too)
{
    vr_auto_free char *path = vr_strf("%s/pids", vr_tap_dir());
    vr_auto_free char *script =
        vr_strf("set -m; sleep 1000 & echo $! > %s; sleep 1001 & echo $! >> %s; wait", path, path);
    struct vr_spawn_spec spec = {.argv = ARGV("bash", "-c", script)};
    struct vr_run_result result;
    vr_auto_free char *text = NULL;
    char *save = NULL;
    size_t len;
    int fds = count_fds(), seen = 0;

    CHECK(vr_run(&spec, NULL, OUT_BYTES, 500, &result, NULL) == -VR_TIMEOUT);
    CHECK(!vr_fs_read(path, OUT_BYTES, &text, &len, NULL));
    for (char *p = strtok_r(text, "\n", &save); p; p = strtok_r(NULL, "\n", &save), seen++) {
        vr_auto_free char *stat_path = vr_strf("/proc/%s/stat", p);
        vr_auto_free char *stat_text = NULL;

        /* Gone, or a zombie that its new parent has not reaped yet. */
        if (!vr_fs_read(stat_path, OUT_BYTES, &stat_text, &len, NULL))
            CHECK(strstr(stat_text, ") Z ") || strstr(stat_text, ") X "));
    }
    CHECK(seen == 2);
    CHECK(count_fds() == fds);
}

TEST(run__daemon_keeps_the_pipe__does_not_wait_for_it)
{
    struct vr_spawn_spec spec = {.argv = ARGV("sh", "-c", "sleep 1000 & echo $!")};
    struct vr_run_result result;
    struct vr_mono begin = vr_mono_now();
    uint64_t pid;

    CHECK(!vr_run(&spec, NULL, OUT_BYTES, 20000, &result, NULL));
    CHECK(vr_mono_ms_between(begin, vr_mono_now()) < 15000);
    CHECK(!vr_parse_u64((struct vr_str){result.out, strcspn(result.out, "\n")}, 2, INT32_MAX, &pid,
                        NULL));
    kill((pid_t)pid, SIGKILL);
    vr_run_result_fini(&result);
}

TEST(run__long_stderr__keeps_its_end)
{
    struct vr_spawn_spec spec = {.argv = ARGV("sh", "-c", "seq 1 100000 >&2")};
    struct vr_run_result result;

    CHECK(!vr_run(&spec, NULL, OUT_BYTES, 20000, &result, NULL));
    CHECK(strlen(result.err) == VR_RUN_ERR_BYTES);
    CHECK(vr_str_has_suffix(result.err, "\n99999\n100000\n"));
    vr_run_result_fini(&result);
}

TEST(run_ok__failure__carries_the_last_line_of_stderr)
{
    struct vr_spawn_spec spec = {.argv = ARGV("sh", "-c", "echo one >&2; echo two >&2; exit 4")};
    struct vr_err err = VR_ERR_NULL;

    CHECK(vr_run_ok(&spec, 10000, &err) == -VR_IO);
    CHECK_STR(err.msg, "'sh': exit code 4: two");
    spec.argv = ARGV("seq", "1", "1000000"); /* output nobody wants is no limit */
    CHECK(!vr_run_ok(&spec, 10000, &err));
}
