/* SPDX-License-Identifier: MIT */
/* `vr agent`: the program of a host. */
#ifndef VR_AGENT_MAIN_H
#define VR_AGENT_MAIN_H

/**
 * Run the agent until SIGTERM; its procs go on. argv[0] is "agent". `vr agent down …` stops every
 * proc and balancer of the state folder's agent, unmounts what it mounted, and ends; no other agent
 * may run on that folder then.
 * Returns the exit status.
 */
int vr_agent_main(int argc, char **argv);

#endif
