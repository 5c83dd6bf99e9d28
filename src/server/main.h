/* SPDX-License-Identifier: MIT */
/* `vr server`: the control plane. */
#ifndef VR_SERVER_MAIN_H
#define VR_SERVER_MAIN_H

/**
 * Run the server until SIGTERM. argv[0] is "server". Returns the exit status.
 */
int vr_server_main(int argc, char **argv);

#endif
