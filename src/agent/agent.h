/* SPDX-License-Identifier: MIT */
/* What the parts of the agent share: its configuration, its loop, and each other. */
#ifndef VR_AGENT_AGENT_H
#define VR_AGENT_AGENT_H

#include "agent/config.h"
#include "core/log.h"
#include "runtime/probe.h"

#include <uv.h>

struct vr_balancers;
struct vr_http_loop;
struct vr_jobs;
struct vr_link;
struct vr_log_streams;
struct vr_procs;
struct vr_slugs;
struct vr_tidy;
struct vr_xmlrpc_port;

/** Built by main.c, which owns everything in it; parts keep a borrowed pointer. */
struct vr_agent {
    struct vr_agent_config config;
    struct vr_log log;
    uv_loop_t loop;
    char *self_path;        /* this program, for children */
    char *skeleton;         /* root of the `host` stack */
    char *container_prefix; /* of container ids: no two agents of a machine share one */
    struct vr_runtime_caps caps;
    struct vr_http_loop *http;
    struct vr_link *link;
    struct vr_slugs *slugs;
    struct vr_procs *procs;
    struct vr_jobs *jobs;
    struct vr_balancers *balancers;
    struct vr_log_streams *streams;
    struct vr_tidy *tidy;
    struct vr_xmlrpc_port *xmlrpc; /* NULL: off */
    size_t leftover_count;         /* containers of uptests that are being removed */
};

#endif
