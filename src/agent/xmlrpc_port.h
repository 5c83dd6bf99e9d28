/* SPDX-License-Identifier: MIT */
/* The port where old tools expect a supervisord: off unless it is configured. */
#ifndef VR_AGENT_XMLRPC_PORT_H
#define VR_AGENT_XMLRPC_PORT_H

#include "agent/agent.h"

struct vr_xmlrpc_port;

#define VR_XMLRPC_PORT_CONNECTIONS 64
#define VR_XMLRPC_PORT_TAILS_MAX   16   /* logs that are followed */
#define VR_XMLRPC_PORT_TAIL_BYTES  1024 /* of a log before the place where following begins */
#define VR_XMLRPC_PORT_TAIL_MS     200  /* between looks at a followed log */

/**
 * Listen where the configuration says. It asks for no password, as the tools of the original gave
 * none: only addresses of `xmlrpc-allow` are answered.
 * @agent  borrowed
 * @out    given; NULL if no address is configured
 *
 * Returns -VR_BUSY if the port is taken.
 */
VR_MUST_USE
int vr_xmlrpc_port_open(struct vr_agent *agent, struct vr_xmlrpc_port **out, struct vr_err *err);
struct vr_xmlrpc_port *vr_xmlrpc_port_close(struct vr_xmlrpc_port *port);

#endif
