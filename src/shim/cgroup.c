/* SPDX-License-Identifier: MIT */
/* The cgroups of the app and of the shim itself, v1 and v2.
 *
 * On v1 a kill is: freeze, SIGKILL to every pid, thaw (kills take effect only then), again until
 * nothing is left; without the freeze a fork bomb outruns the list. v2 has cgroup.kill. */
#include "shim/cgroup.h"
#include "shim/io.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <time.h>
#include <unistd.h>

#define CGROUP2_MAGIC 0x63677270
#define KILL_ROUNDS   2000 /* of 1 ms */

static const char *const hierarchies[] = {"freezer", "memory", "pids"};

bool cgroup_is_v2(void)
{
    struct statfs s;

    return !statfs("/sys/fs/cgroup", &s) && (unsigned long)s.f_type == CGROUP2_MAGIC;
}

static void join_path(char out[PATH_MAX], bool v2, const char *hierarchy, const char *path,
                      const char *file)
{
    snprintf(out, PATH_MAX, "/sys/fs/cgroup%s%s%s%s%s", v2 ? "" : "/", v2 ? "" : hierarchy, path,
             *file ? "/" : "", file);
}

static int write_to(bool v2, const char *hierarchy, const char *path, const char *file,
                    const char *text)
{
    char p[PATH_MAX];

    join_path(p, v2, hierarchy, path, file);
    return file_write(p, text, strlen(text), 0);
}

/* mkdir -p beneath the mount point of the hierarchy. */
static void make(bool v2, const char *hierarchy, const char *path)
{
    char p[PATH_MAX];
    char *from;

    join_path(p, v2, hierarchy, path, "");
    from = p + strlen(p) - strlen(path) + 1;
    for (char *slash = strchr(from, '/'); slash; slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        mkdir(p, 0755);
        *slash = '/';
    }
    mkdir(p, 0755);
}

void cgroup_join(bool v2, const char *path, pid_t pid)
{
    char text[16];

    snprintf(text, sizeof(text), "%d", (int)pid);
    for (size_t i = 0; i < (v2 ? 1 : COUNT(hierarchies)); i++) {
        make(v2, hierarchies[i], path);
        write_to(v2, hierarchies[i], path, "cgroup.procs", text);
    }
}

/* Signal every pid listed; returns how many there were. */
static int signal_all(bool v2, const char *path)
{
    char p[PATH_MAX], line[32];
    int count = 0;
    int64_t pid;
    FILE *f;

    join_path(p, v2, "freezer", path, "cgroup.procs");
    f = fopen(p, "re");
    if (!f)
        return 0;
    while (fgets(line, sizeof(line), f)) {
        line[strcspn(line, "\n")] = '\0';
        if (!number_parse(line, &pid))
            continue;
        count++;
        if (pid > 1) /* 0: not of our pid namespace */
            kill((pid_t)pid, SIGKILL);
    }
    fclose(f);
    return count;
}

void cgroup_kill(bool v2, const char *path)
{
    const struct timespec pause = {.tv_nsec = NS_PER_MS};

    for (int i = 0; i < KILL_ROUNDS; i++) {
        if (v2)
            write_to(true, "", path, "cgroup.kill", "1");
        else
            write_to(false, "freezer", path, "freezer.state", "FROZEN");
        if (!signal_all(v2, path))
            break;
        if (!v2)
            write_to(false, "freezer", path, "freezer.state", "THAWED");
        nanosleep(&pause, NULL);
    }
    if (!v2)
        write_to(false, "freezer", path, "freezer.state", "THAWED");
}

int64_t cgroup_oom_kills(bool v2, const char *path)
{
    char p[PATH_MAX], text[1024];

    join_path(p, v2, "memory", path, v2 ? "memory.events" : "memory.oom_control");
    if (file_read(p, text, sizeof(text)) < 0)
        return 0;
    for (char *c = text; *c; c++)
        if (*c == ' ')
            *c = '=';
    return line_number(text, "oom_kill", 0);
}

/* Where v2 was unmounted for crun, its folder is a plain one, and so is the file crun left in it.
 */
static void remove_one(const char *path)
{
    char file[PATH_MAX];

    if (!rmdir(path) || errno != ENOTEMPTY)
        return;
    snprintf(file, sizeof(file), "%.*s/cgroup.procs", PATH_MAX - 20, path);
    if (!unlink(file)) /* not permitted in a real cgroup */
        rmdir(path);
}

void cgroup_remove_plain(bool v2, const char *path)
{
    char p[PATH_MAX];

    if (v2)
        return;
    join_path(p, false, "unified", path, "");
    remove_one(p);
}

void cgroup_remove(bool v2, const char *path)
{
    char p[PATH_MAX];
    struct dirent *e;
    DIR *d;

    if (v2) {
        join_path(p, true, "", path, "");
        rmdir(p);
        return;
    }
    d = opendir("/sys/fs/cgroup");
    while (d && (e = readdir(d))) {
        if (*e->d_name == '.')
            continue;
        join_path(p, false, e->d_name, path, "");
        remove_one(p);
    }
    if (d)
        closedir(d);
}
