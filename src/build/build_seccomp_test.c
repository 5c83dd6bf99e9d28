/* SPDX-License-Identifier: MIT */
/* What a program of a build may not ask of the kernel, and what it still may. */
#include "build/build_seccomp.h"
#include "core/str.h"
#include "core/tap.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#define EXIT_NO_FILTER 99

/* Run `part` behind the filter, in a process of its own; what it returns, or -signal. */
static int behind_filter(int (*part)(void))
{
    int status;
    pid_t pid = fork();

    if (pid < 0)
        return EXIT_NO_FILTER;
    if (!pid) {
        if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 || vr_build_seccomp_install(NULL) < 0)
            _exit(EXIT_NO_FILTER);
        _exit(part());
    }
    if (waitpid(pid, &status, 0) != pid)
        return EXIT_NO_FILTER;
    return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

/* The errno of a call that failed, 0 if it did not. */
static int outcome(long result)
{
    return result < 0 ? errno : 0;
}

static int make_namespace(void)
{
    return outcome(unshare(CLONE_NEWUSER));
}

/* As the C library's fork() does it, but for the flag; no stack: the child goes on here. */
static int clone_namespace(void)
{
    long pid = syscall(SYS_clone, CLONE_NEWUSER | CLONE_NEWNET | SIGCHLD, 0, 0, 0, 0);

    if (!pid)
        _exit(0);
    return outcome(pid);
}

static int clone_anew(void)
{
    return outcome(syscall(SYS_clone3, NULL, 0));
}

static int mount_something(void)
{
    return outcome(mount("none", "/nonexistent", "tmpfs", 0, NULL));
}

static int trace(void)
{
    return outcome(ptrace(PTRACE_TRACEME, 0, NULL, NULL));
}

static int set_up_uring(void)
{
    return outcome(syscall(SYS_io_uring_setup, 1, NULL));
}

static void *return_it(void *arg)
{
    return arg;
}

static int start_thread(void)
{
    int word = 0;
    void *got = NULL;
    pthread_t thread;

    if (pthread_create(&thread, NULL, return_it, &word) != 0 || pthread_join(thread, &got) != 0)
        return 1;
    return got != &word;
}

static int start_program(void)
{
    int status;
    pid_t pid = fork();

    if (!pid) {
        execl("/bin/sh", "sh", "-c", "echo x | grep -q x", NULL);
        _exit(1);
    }
    return waitpid(pid, &status, 0) != pid || status;
}

TEST(build_seccomp__namespaces_and_mounts__not_permitted)
{
    CHECK(behind_filter(make_namespace) == EPERM);
    CHECK(behind_filter(clone_namespace) == EPERM);
    CHECK(behind_filter(mount_something) == EPERM);
}

TEST(build_seccomp__tracing_and_rings__not_permitted)
{
    CHECK(behind_filter(trace) == EPERM);
    CHECK(behind_filter(set_up_uring) == EPERM);
}

TEST(build_seccomp__clone3__is_missing)
{
    CHECK(behind_filter(clone_anew) == ENOSYS);
}

TEST(build_seccomp__threads_and_programs__start)
{
    CHECK(behind_filter(start_thread) == 0);
    CHECK(behind_filter(start_program) == 0);
}

#ifdef __x86_64__
static int call_as_x32(void)
{
    return outcome(syscall(0x40000000L | SYS_getpid));
}

/* getpid by the numbers of 32 bits. */
static int call_as_i386(void)
{
    long result = 20;

    __asm__ volatile("int $0x80" : "+a"(result) : : "memory");
    return result > 0;
}

TEST(build_seccomp__other_abis__do_not_get_around_it)
{
    int ended = behind_filter(call_as_i386);

    CHECK(behind_filter(call_as_x32) == EPERM);
    CHECK(ended == -SIGSYS || ended == -SIGSEGV); /* the latter: a kernel without 32 bits */
}
#endif
