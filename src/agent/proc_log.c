/* SPDX-License-Identifier: MIT */
/* Where the log of a proc is, and how it ends. */
#include "agent/proc_log.h"

#include <fcntl.h>
#include <inttypes.h>
#include <unistd.h>

char *vr_proc_log_path(const struct vr_agent_config *config, int64_t id)
{
    return vr_strf("%s/logs/%" PRId64 "/log", config->state_dir, id);
}

char *vr_proc_log_tail(const char *path)
{
    vr_auto_close int fd = open(path, O_RDONLY | O_CLOEXEC);
    char raw[VR_PROC_LOG_TAIL_BYTES + 1];
    off_t size;
    ssize_t n;
    char *start;
    int lines = 0;

    if (fd < 0)
        return NULL;
    size = lseek(fd, 0, SEEK_END);
    n = pread(fd, raw, VR_PROC_LOG_TAIL_BYTES,
              size > VR_PROC_LOG_TAIL_BYTES ? size - VR_PROC_LOG_TAIL_BYTES : 0);
    if (n <= 0)
        return NULL;
    raw[n] = '\0';
    for (start = raw + n; start > raw; start--)
        if (start[-1] == '\n' && start != raw + n && ++lines == VR_PROC_LOG_TAIL_LINES)
            break;
    return vr_strdup(start);
}
