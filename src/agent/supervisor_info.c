/* SPDX-License-Identifier: MIT */
/* A proc in supervisord's words. */
#include "agent/supervisor_info.h"

#include "agent/supervisor.h"
#include "agent/wish.h"
#include "fmt/json.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define DESCRIPTION_BYTES 300

/* ------------------------------------------------------------------ info */

static const struct {
    int code;
    const char *name;
} states[] = {
    [VR_PROC_ASSIGNED] = {10, "STARTING"}, [VR_PROC_FETCHING] = {10, "STARTING"},
    [VR_PROC_STARTING] = {10, "STARTING"}, [VR_PROC_RUNNING] = {20, "RUNNING"},
    [VR_PROC_BACKOFF] = {30, "BACKOFF"},   [VR_PROC_STOPPING] = {40, "STOPPING"},
    [VR_PROC_STOPPED] = {0, "STOPPED"},    [VR_PROC_FATAL] = {200, "FATAL"},
};

static int64_t seconds(int64_t us)
{
    return us / VR_US_PER_S;
}

static void describe(const struct vr_proc_view *view, struct vr_wall now, char *out, size_t n)
{
    int64_t up = now.us > view->since_us ? seconds(now.us - view->since_us) : 0;
    time_t at = (time_t)seconds(view->since_us);
    struct tm tm;

    switch (view->actual) {
    case VR_PROC_RUNNING:
        snprintf(out, n, "pid %d, uptime %" PRId64 ":%02d:%02d", (int)view->pid, up / 3600,
                 (int)(up / 60 % 60), (int)(up % 60));
        break;
    case VR_PROC_STOPPED:
        gmtime_r(&at, &tm);
        strftime(out, n, "%b %d %I:%M %p", &tm);
        break;
    default:
        snprintf(out, n, "%s", view->message);
    }
}

json_t *vr_supervisor_info(const struct vr_proc_view *view, struct vr_wall now)
{
    bool is_up = view->actual == VR_PROC_RUNNING, is_down = view->actual == VR_PROC_STOPPED;
    const char *spawn_error = view->actual == VR_PROC_FATAL ? view->message : "";
    char description[DESCRIPTION_BYTES];
    json_t *info;

    describe(view, now, description, sizeof(description));
    info = json_pack("{s:s, s:s, s:I, s:I, s:I, s:i, s:s, s:i, s:i}", "name", view->name, "group",
                     view->name, "start", (json_int_t)(is_up ? seconds(view->since_us) : 0), "stop",
                     (json_int_t)(is_down ? seconds(view->since_us) : 0), "now",
                     (json_int_t)seconds(now.us), "state", states[view->actual].code, "statename",
                     states[view->actual].name, "exitstatus", view->exit_code, "pid",
                     is_up ? (int)view->pid : 0);
    vr_json_set(info, "description", vr_json_text(description, strlen(description)));
    vr_json_set(info, "spawnerr", vr_json_text(spawn_error, strlen(spawn_error)));
    vr_json_set(info, "logfile", json_string(view->log_path));
    vr_json_set(info, "stdout_logfile", json_string(view->log_path));
    vr_json_set(info, "stderr_logfile", json_string(""));
    return info;
}

json_t *vr_supervisor_proc_yaml(const struct vr_proc_view *view)
{
    /* The wish's name of a member, and proc.yaml's. */
    static const char *const members[][2] = {
        {"app", "app_name"},
        {"version", "version"},
        {"config_name", "config_name"},
        {"proc_name", "proc_name"},
        {"hash", "release_hash"},
        {"host", "host"},
        {"port", "port"},
        {"run_as", "user"},
        {"mem_limit", "mem_limit"},
        {"memsw_limit", "memsw_limit"},
        {"volumes", "volumes"},
    };
    json_t *out = json_object();

    if (!json_object_get(view->want, "app"))
        return out;
    for (size_t i = 0; i < VR_COUNT(members); i++) {
        json_t *value = json_object_get(view->want, members[i][0]);

        vr_json_set(out, members[i][1], value ? json_incref(value) : json_null());
    }
    vr_json_set(out, "group", json_string("nogroup"));
    vr_json_set(out, "env", json_object());
    vr_json_set(out, "settings", json_object());
    return out;
}

/* ------------------------------------------------------------------ log */

/* Bytes [from, to) of a log, at most VR_SUPERVISOR_LOG_BYTES of them. */
static json_t *read_range(int fd, int64_t from, int64_t to)
{
    vr_auto_free char *bytes = NULL;
    size_t n = 0;

    if (to - from > VR_SUPERVISOR_LOG_BYTES)
        to = from + VR_SUPERVISOR_LOG_BYTES;
    if (to <= from)
        return json_string("");
    bytes = vr_alloc((size_t)(to - from));
    while ((int64_t)n < to - from) {
        ssize_t got = pread(fd, bytes + n, (size_t)(to - from) - n, from + (int64_t)n);

        if (got <= 0)
            break;
        n += (size_t)got;
    }
    return vr_json_text(bytes, n);
}

static int open_log(const char *path, int64_t *out_size)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    struct stat st;

    if (fd < 0 || fstat(fd, &st) < 0)
        return fd;
    *out_size = st.st_size;
    return fd;
}

json_t *vr_supervisor_log(const char *path, int64_t offset, int64_t length)
{
    int64_t size = 0;
    vr_auto_close int fd = open_log(path, &size);
    int64_t from = offset;

    if (fd < 0)
        return NULL;
    if (offset < 0)
        from = offset < -size ? 0 : size + offset;
    return read_range(fd, from, length > 0 && length < size - from ? from + length : size);
}

json_t *vr_supervisor_log_tail(const char *path, int64_t offset, int64_t length)
{
    int64_t size = 0;
    vr_auto_close int fd = open_log(path, &size);
    int64_t from = offset < 0 || offset > size ? 0 : offset;
    bool is_cut;

    if (fd < 0)
        return json_pack("[s, I, b]", "", (json_int_t)offset, 0);
    if (length < 0 || length > VR_SUPERVISOR_LOG_BYTES)
        length = length < 0 ? 0 : VR_SUPERVISOR_LOG_BYTES;
    is_cut = size - from > length;
    if (is_cut)
        from = size - length;
    return json_pack("[o, I, b]", read_range(fd, from, size), (json_int_t)size, is_cut);
}
