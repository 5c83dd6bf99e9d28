/* SPDX-License-Identifier: MIT */
/* What the agent keeps over restarts: who it is, and the last desired state, sealed. */
#ifndef VR_AGENT_SAVED_H
#define VR_AGENT_SAVED_H

#include "core/err.h"
#include "core/log.h"

#include <jansson.h>

#define VR_SAVED_BYTES (32 << 20)

/**
 * Read a document from `<dir>/<name>`, sealed with the host's key `<dir>/key` (made if missing,
 * 0600). -VR_NOT_FOUND if there is none. A damaged file is set aside as `<name>.damaged`, said in
 * the log, and -VR_PARSE returned.
 * @out  given
 */
VR_MUST_USE
int vr_saved_read(const char *dir, const char *name, const struct vr_log *log, json_t **out,
                  struct vr_err *err);

/** Write it so that a crash leaves the old or the new one. Blocks for two fsyncs. */
VR_MUST_USE
int vr_saved_write(const char *dir, const char *name, const json_t *doc, struct vr_err *err);

#endif
