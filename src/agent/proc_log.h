/* SPDX-License-Identifier: MIT */
/* Where the log of a proc is, and how it ends. */
#ifndef VR_AGENT_PROC_LOG_H
#define VR_AGENT_PROC_LOG_H

#include "agent/config.h"

#define VR_PROC_LOG_TAIL_LINES 50
#define VR_PROC_LOG_TAIL_BYTES 8192

/** <state_dir>/logs/<id>/log. Given. */
char *vr_proc_log_path(const struct vr_agent_config *config, int64_t id);

/** The last lines of a log, for a report of something that went wrong; NULL without one. Given. */
char *vr_proc_log_tail(const char *path);

#endif
