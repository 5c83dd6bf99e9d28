/* SPDX-License-Identifier: MIT */
/* One container at a time.
 *
 * The mount namespace is private for two reasons: crun 1.8 refuses a hybrid hierarchy that has
 * controllers on v2, so `unified` is unmounted where only our children see it; and the overlay
 * vanishes with us and the container, leaving nothing to clean. It is a slave of the host's, so
 * that an unmounted slug of another proc is not pinned by our copy of its mount.
 *
 * `run -d` makes us, as subreaper, the parent of the container's pid 1. The runtime changes into
 * the bundle, so every path it gets is absolute. */
#include "shim/container.h"
#include "shim/cgroup.h"
#include "shim/io.h"
#include "shim/protocol.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sched.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#define UNIFIED            "/sys/fs/cgroup/unified"
#define TEMPLATE_BYTES_MAX (1 << 20)

extern char **environ;

int container_isolate(void)
{
    if (unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_SLAVE, NULL) < 0) {
        complain("private mounts: %s", strerror(errno));
        return -1;
    }
    if (!cgroup_is_v2())
        umount2(UNIFIED, MNT_DETACH); /* absent on a pure v1 host */
    return 0;
}

int container_mount(const struct conf *conf)
{
    char options[4096]; /* the kernel takes one page */
    int n = snprintf(options, sizeof(options), "lowerdir=%s,upperdir=%s,workdir=%s", conf->lower,
                     conf->upper, conf->work);

    if (n >= (int)sizeof(options)) {
        complain("overlay: paths too long");
        return -1;
    }
    if (mount("overlay", conf->root, "overlay", MS_NODEV | MS_NOSUID, options) < 0) {
        complain("overlay on %s: %s", conf->root, strerror(errno));
        return -1;
    }
    return 0;
}

/* Write the template with its two marks replaced. */
static int render(FILE *out, const char *text, size_t n, const char *id, const char *cgroup)
{
    const char *end = text + n;

    while (text < end) {
        const char *mark = memchr(text, '@', (size_t)(end - text));
        size_t plain = (size_t)((mark ? mark : end) - text);

        fwrite(text, 1, plain, out);
        text += plain;
        if (!mark)
            break;
        if (end - text >= 4 && !memcmp(text, "@ID@", 4)) {
            fputs(id, out);
            text += 4;
        } else if (end - text >= 4 && !memcmp(text, "@CG@", 4)) {
            fputs(cgroup, out);
            text += 4;
        } else {
            fputc(*text++, out);
        }
    }
    return ferror(out) ? -1 : 0;
}

static int write_config(const struct conf *conf, const char *id, const char *cgroup)
{
    char from[PATH_MAX], to[PATH_MAX];
    struct stat st;
    char *text;
    FILE *out;
    int fd, r;

    snprintf(from, sizeof(from), "%s/%s", conf->bundle, VR_SHIM_CONFIG_TEMPLATE);
    snprintf(to, sizeof(to), "%s/config.json", conf->bundle);
    fd = open(from, O_RDONLY | O_CLOEXEC);
    if (fd < 0 || fstat(fd, &st) < 0 || st.st_size <= 0 || st.st_size > TEMPLATE_BYTES_MAX) {
        if (fd >= 0)
            close(fd);
        return -1;
    }
    text = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
    close(fd);
    if (text == MAP_FAILED)
        return -1;
    out = fopen(to, "we");
    r = out ? render(out, text, (size_t)st.st_size, id, cgroup) : -1;
    if (out && fclose(out))
        r = -1;
    munmap(text, (size_t)st.st_size);
    return r;
}

/* Start a program with these descriptors and no signal blocked. */
static pid_t start(const char *const *argv, const int fds[3])
{
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    sigset_t none;
    pid_t pid;
    int r;

    sigemptyset(&none);
    posix_spawn_file_actions_init(&actions);
    posix_spawnattr_init(&attributes);
    posix_spawnattr_setsigmask(&attributes, &none);
    posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK);
    for (int i = 0; i < 3; i++)
        posix_spawn_file_actions_adddup2(&actions, fds[i], i);
    r = posix_spawnp(&pid, argv[0], &actions, &attributes, (char *const *)argv, environ);
    posix_spawn_file_actions_destroy(&actions);
    posix_spawnattr_destroy(&attributes);
    if (r) {
        complain("start %s: %s", argv[0], strerror(r));
        return -1;
    }
    return pid;
}

/* The words every command of the runtime begins with. */
static int begin(const struct conf *conf, const char **argv)
{
    int n = 0;

    argv[n++] = conf->runtime;
    if (conf->crun)
        argv[n++] = "--cgroup-manager=cgroupfs";
    argv[n++] = "--root";
    argv[n++] = conf->runtime_root;
    return n;
}

pid_t container_run(const struct conf *conf, const char *dir, const char *id, const char *cgroup,
                    int out_fd, int err_fd)
{
    char pid_file[PATH_MAX], log_file[PATH_MAX];
    const char *argv[16];
    int n = begin(conf, argv);
    int null = open("/dev/null", O_RDWR | O_CLOEXEC);
    pid_t pid;

    snprintf(pid_file, sizeof(pid_file), "%s/" CONTAINER_PID_FILE, dir);
    snprintf(log_file, sizeof(log_file), "%s/" CONTAINER_LOG_FILE, dir);
    unlink(pid_file);
    unlink(log_file);
    if (write_config(conf, id, cgroup) < 0) {
        complain("%s: cannot write config.json: %s", id, strerror(errno));
        close(null);
        return -1;
    }
    argv[n++] = "--log";
    argv[n++] = log_file;
    argv[n++] = "run";
    argv[n++] = "-d";
    argv[n++] = "--pid-file";
    argv[n++] = pid_file;
    argv[n++] = "-b";
    argv[n++] = conf->bundle;
    argv[n++] = id;
    argv[n] = NULL;
    pid = start(argv, (const int[3]){null, out_fd, err_fd});
    close(null);
    return pid;
}

pid_t container_delete(const struct conf *conf, const char *id)
{
    const char *argv[16];
    int n = begin(conf, argv);
    int null = open("/dev/null", O_RDWR | O_CLOEXEC);
    pid_t pid;

    argv[n++] = "delete";
    argv[n++] = "-f";
    argv[n++] = id;
    argv[n] = NULL;
    pid = start(argv, (const int[3]){null, null, null});
    close(null);
    return pid;
}

pid_t container_exec(const struct conf *conf, const char *id, const char *console, const int fds[3],
                     char *const *words)
{
    const char *argv[CONTAINER_ARGV_MAX];
    int n = begin(conf, argv);
    int null = open("/dev/null", O_RDWR | O_CLOEXEC);
    pid_t pid;

    argv[n++] = "exec";
    argv[n++] = "--no-new-privs";
    argv[n++] = "--user";
    argv[n++] = conf->user;
    argv[n++] = "--cwd";
    argv[n++] = "/app";
    if (console) {
        argv[n++] = "--tty";
        argv[n++] = "--console-socket";
        argv[n++] = console;
    }
    argv[n++] = id;
    for (int i = 0; words[i] && n < CONTAINER_ARGV_MAX - 1; i++)
        argv[n++] = words[i];
    argv[n] = NULL;
    pid = start(argv, console ? (const int[3]){null, STDERR_FILENO, STDERR_FILENO} : fds);
    close(null);
    return pid;
}

void container_complaint(char *out, size_t size)
{
    char text[2048];
    char *line;

    *out = '\0';
    if (file_read(CONTAINER_LOG_FILE, text, sizeof(text)) <= 0)
        return;
    text[strcspn(text, "\n")] = '\0';
    line = strstr(text, "msg=\""); /* the first line is the cause, later ones follow from it */
    line = line ? line + 5 : text;
    snprintf(out, size, "%s", line);
    out[strcspn(out, "\"")] = '\0';
    for (char *p = out; *p; p++)
        if ((unsigned char)*p < ' ')
            *p = '?';
}

int64_t container_start_time(pid_t pid)
{
    char path[64], text[1024];
    int64_t ticks;
    char *p;

    snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
    if (pid <= 0 || file_read(path, text, sizeof(text)) <= 0)
        return 0;
    p = strrchr(text, ')'); /* the name before it may hold anything */
    for (int field = 2; p && field < 22; field++) {
        p = strchr(p, ' ');
        p = p ? p + 1 : NULL;
    }
    if (!p)
        return 0;
    p[strcspn(p, " ")] = '\0';
    return number_parse(p, &ticks) ? ticks : 0;
}
