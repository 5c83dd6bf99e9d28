/* SPDX-License-Identifier: MIT */
/* Following rollouts until they end: live on a terminal, a line for each change elsewhere. */
#ifndef VR_CLI_WATCH_H
#define VR_CLI_WATCH_H

#include "cli/cli.h"

#include <jansson.h>

/**
 * Follow rollouts (their ids, an array of texts) to the end. Progress goes to standard error, the
 * cause of every failure with what was left, the last log lines and the next command too.
 * Ctrl-C leaves them running and says how to follow them again.
 * @timeout_s  0: no limit
 *
 * Returns the exit code: 0 if all are done, VR_EXIT_FAILED, VR_EXIT_TIMEOUT, VR_EXIT_DETACHED;
 * or -code if the server cannot be asked.
 */
VR_MUST_USE
int vr_watch_rollouts(struct vr_cli *cli, const json_t *ids, int64_t timeout_s, struct vr_err *err);

#endif
