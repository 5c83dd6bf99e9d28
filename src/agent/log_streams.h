/* SPDX-License-Identifier: MIT */
/* Logs that somebody follows or searches: sent to the server for as long as there is a reader. */
#ifndef VR_AGENT_LOG_STREAMS_H
#define VR_AGENT_LOG_STREAMS_H

#include "agent/agent.h"

#include <jansson.h>

struct vr_log_streams;

#define VR_LOG_STREAMS_MAX    256
#define VR_LOG_STREAM_BYTES   (256 << 10) /* of one piece */
#define VR_LOG_STREAM_LOOK_MS 100
#define VR_LOG_STREAM_POST_MS 60000 /* the server answers late when its reader is behind */
#define VR_LOG_STREAM_LINES   10000 /* of history */

/** @agent borrowed. */
struct vr_log_streams *vr_log_streams_new(struct vr_agent *agent);
struct vr_log_streams *vr_log_streams_free(struct vr_log_streams *s);

/** Start what is new on the protocol's streams[]; end what is no longer there. */
void vr_log_streams_apply(struct vr_log_streams *s, const json_t *list);

#endif
