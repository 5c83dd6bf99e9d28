/* SPDX-License-Identifier: MIT */
/* What outlives the shim. */
#include "shim/record.h"
#include "shim/container.h"
#include "shim/io.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

void record_state(const struct shim *s)
{
    char text[1024];
    int n = snprintf(text, sizeof(text),
                     "gen=%lld\nid=%s\nold_id=%s\ncgroup=%s\npid=%d\nstart_time=%lld\n"
                     "started_us=%lld\nrestarts=%lld\nphase=%d\n",
                     (long long)s->generation, s->id, s->old_id, s->cgroup, (int)s->app_pid,
                     (long long)container_start_time(s->app_pid), (long long)s->started_us,
                     (long long)s->restart.count, (int)s->phase);

    if (file_replace(VR_SHIM_STATE, text, (size_t)n) < 0)
        complain(VR_SHIM_STATE ": %s", strerror(errno));
}

void record_exit(const struct shim *s)
{
    char text[256];
    struct stat st;
    int n = snprintf(text, sizeof(text),
                     "gen=%lld code=%d signal=%d oom=%d known=%d uptime_ms=%lld at_us=%lld\n",
                     (long long)s->last.generation, s->last.code, s->last.signal, s->last.is_oom,
                     s->last.is_known, (long long)s->last.uptime_ms, (long long)s->last.at_us);

    if (!stat(VR_SHIM_EXITS, &st) && st.st_size + n > RECORD_EXITS_BYTES)
        rename(VR_SHIM_EXITS, VR_SHIM_EXITS ".1");
    if (file_write(VR_SHIM_EXITS, text, (size_t)n, O_CREAT | O_APPEND) < 0)
        complain(VR_SHIM_EXITS ": %s", strerror(errno));
}

/* Whether the process is in the container's cgroup. */
static bool is_in_cgroup(pid_t pid, const char *cgroup)
{
    char path[64], text[8192];

    snprintf(path, sizeof(path), "/proc/%d/cgroup", (int)pid);
    return file_read(path, text, sizeof(text)) > 0 && *cgroup && strstr(text, cgroup);
}

/* A predecessor that died while the runtime worked knew no pid, but the runtime wrote one. */
static pid_t pid_from_runtime(void)
{
    char text[16];
    int64_t pid;

    if (file_read(CONTAINER_PID_FILE, text, sizeof(text)) <= 0)
        return 0;
    text[strcspn(text, "\n")] = '\0';
    return number_parse(text, &pid) ? (pid_t)pid : 0;
}

static bool is_app(const char *state, pid_t pid, const char *cgroup)
{
    int64_t wanted = line_number(state, "start_time", 0);

    return pid > 0 && is_in_cgroup(pid, cgroup) && (!wanted || container_start_time(pid) == wanted);
}

bool record_adopt(struct shim *s)
{
    char text[2048];
    pid_t pid;

    if (file_read(VR_SHIM_STATE, text, sizeof(text)) < 0)
        return false;
    s->generation = line_number(text, "gen", 0);
    s->started_us = line_number(text, "started_us", 0);
    s->restart.count = line_number(text, "restarts", 0);
    s->phase = (enum vr_shim_phase)line_number(text, "phase", VR_SHIM_RUNNING);
    line_value(text, "id", s->id, sizeof(s->id));
    line_value(text, "old_id", s->old_id, sizeof(s->old_id));
    line_value(text, "cgroup", s->cgroup, sizeof(s->cgroup));
    pid = (pid_t)line_number(text, "pid", 0);
    if (!pid && s->phase == VR_SHIM_STARTING)
        pid = pid_from_runtime();
    if (!is_app(text, pid, s->cgroup))
        return false;
    s->app_pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
    if (s->app_pidfd < 0 || !is_app(text, pid, s->cgroup)) /* the pid cannot change hands now */
        return false;
    s->app_pid = pid;
    return true;
}

int record_status(void)
{
    char text[16];
    int64_t code;

    if (file_read(VR_SHIM_STATUS, text, sizeof(text)) <= 0)
        return -1;
    text[strcspn(text, "\n")] = '\0';
    return number_parse(text, &code) ? (int)code : -1;
}

void record_status_reset(const struct shim *s)
{
    /* Bound into the container, so it is emptied and not replaced. */
    if (file_write(VR_SHIM_STATUS, "", 0, O_CREAT | O_TRUNC) < 0 ||
        chown(VR_SHIM_STATUS, (uid_t)s->conf.host_uid, (gid_t)-1) < 0)
        complain(VR_SHIM_STATUS ": %s", strerror(errno));
}

void record_decode(int code, struct exit_record *out)
{
    bool is_signal = code > 128 && code < 128 + NSIG;

    out->code = is_signal ? -1 : code;
    out->signal = is_signal ? code - 128 : 0;
}
