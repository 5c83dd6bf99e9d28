/* SPDX-License-Identifier: MIT */
/* vr-shim: supervises one proc, and is the proc's init and uptest runner inside its container.
 *
 *   vr-shim --dir DIR [--adopt]
 *   vr-shim --clean DIR
 *   vr-shim --init [--status FILE] -- COMMAND…
 *   vr-shim --uptest DIR HOST PORT PER_TEST_MS RESULT_FILE
 *
 * The first form returns (0) as soon as the supervisor listens on DIR/sock; it then goes on in the
 * background. The second removes what a shim left; one that still runs a second later is killed.
 * Exit codes: 2 usage, 3 a shim runs there already, 1 anything else. */
#include "shim/init.h"
#include "shim/io.h"
#include "shim/server.h"
#include "shim/shim.h"
#include "shim/uptest.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define EXIT_USAGE   2
#define EXIT_RUNNING 3

#define LOCK_LOOK_MS   10
#define LOCK_LOOKS     100 /* for the lock of a shim that is ending */
#define LOCK_LOOKS_MAX 300 /* and after it was killed */

static int usage(void)
{
    complain("usage: vr-shim --dir DIR [--adopt] | --clean DIR | --init [--status FILE] -- "
             "COMMAND... | --uptest DIR HOST PORT PER_TEST_MS RESULT_FILE");
    return EXIT_USAGE;
}

/* Enter the folder and take its lock; 0, or an exit code. The lock belongs to the open file, so it
 * goes over to our children of go_background(), and a client can test it without taking it. */
static int enter(struct shim *s, const char *dir, int *out_lock)
{
    struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};

    if (chdir(dir) < 0 || !getcwd(s->dir, sizeof(s->dir))) {
        complain("%s: %s", dir, strerror(errno));
        return 1;
    }
    *out_lock = open(VR_SHIM_LOCK, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (*out_lock < 0) {
        complain("%s/" VR_SHIM_LOCK ": %s", dir, strerror(errno));
        return 1;
    }
    if (fcntl(*out_lock, F_OFD_SETLK, &lock) < 0)
        return EXIT_RUNNING;
    return conf_load(&s->conf) < 0 ? 1 : 0;
}

static int go_background(int lock)
{
    char pid[16];
    int n, null, diag;

    n = fork();
    if (n)
        _exit(n < 0); /* whoever started us may go on: the socket listens, the lock is held */
    setsid();
    n = fork();
    if (n)
        _exit(n < 0);
    n = snprintf(pid, sizeof(pid), "%d\n", (int)getpid());
    if (ftruncate(lock, 0) < 0 || pwrite(lock, pid, (size_t)n, 0) < 0)
        complain(VR_SHIM_LOCK ": %s", strerror(errno));
    null = open("/dev/null", O_RDWR | O_CLOEXEC);
    diag = open(VR_SHIM_DIAG, O_WRONLY | O_CREAT | O_TRUNC | O_APPEND | O_CLOEXEC, 0600);
    if (null < 0)
        return -1;
    dup2(null, 0);
    dup2(null, 1);
    dup2(diag >= 0 ? diag : null, 2);
    close(null);
    if (diag >= 0)
        close(diag);
    return 0;
}

static int supervise(const char *dir, bool adopt)
{
    static struct shim s; /* too large for a stack, and zero pages cost nothing */
    int lock, r;

    umask(022);
    r = enter(&s, dir, &lock);
    if (r == EXIT_RUNNING)
        complain("%s: a shim runs here", dir);
    if (r)
        return r;
    s.listen_fd = server_listen();
    if (s.listen_fd < 0) {
        complain("%s/" VR_SHIM_SOCK ": %s", dir, strerror(errno));
        return 1;
    }
    if (go_background(lock) < 0)
        return 1;
    return shim_run(&s, adopt);
}

/* Kill the shim that holds the lock and wrote its pid into it. */
static void kill_holder(int lock)
{
    char text[16];
    int64_t pid;
    ssize_t n = pread(lock, text, sizeof(text) - 1, 0);

    if (n <= 0)
        return;
    text[n] = '\0';
    text[strcspn(text, "\n")] = '\0';
    if (number_parse(text, &pid) && pid > 1)
        kill((pid_t)pid, SIGKILL);
}

/* Were the folder removed under a shim that lives, nobody would ever end its app. */
static int clean(const char *dir)
{
    static struct shim s;
    int lock, r;

    for (int looks = 0; (r = enter(&s, dir, &lock)) == EXIT_RUNNING; looks++) {
        if (looks == LOCK_LOOKS_MAX) {
            complain("%s: its shim does not end", dir);
            return r;
        }
        if (looks == LOCK_LOOKS)
            kill_holder(lock);
        close(lock);
        usleep(LOCK_LOOK_MS * 1000);
    }
    return r ? r : shim_clean(&s);
}

static int init(int argc, char **argv)
{
    const char *status = NULL;
    int at = 2;

    if (at + 1 < argc && !strcmp(argv[at], "--status")) {
        status = argv[at + 1];
        at += 2;
    }
    if (at < argc && !strcmp(argv[at], "--"))
        at++;
    if (at >= argc)
        return usage();
    init_run(status, argv + at);
}

int main(int argc, char **argv)
{
    int64_t limit_ms;

    if (argc >= 3 && !strcmp(argv[1], "--init"))
        return init(argc, argv);
    if (argc == 7 && !strcmp(argv[1], "--uptest") && number_parse(argv[5], &limit_ms))
        return uptest_run(argv[2], argv[3], argv[4], limit_ms, argv[6]);
    if (argc == 3 && !strcmp(argv[1], "--clean"))
        return clean(argv[2]);
    if (argc == 3 && !strcmp(argv[1], "--dir"))
        return supervise(argv[2], false);
    if (argc == 4 && !strcmp(argv[1], "--dir") && !strcmp(argv[3], "--adopt"))
        return supervise(argv[2], true);
    return usage();
}
