/* SPDX-License-Identifier: MIT */
/* `vr server`: the control plane. */
#ifndef VR_SERVER_MAIN_H
#define VR_SERVER_MAIN_H

/**
 * Run the server until SIGTERM. argv[0] is "server". Returns the exit status.
 */
int vr_server_main(int argc, char **argv);

/** `vr import`: the rows of the original's database become those of a new one. */
int vr_import_main(int argc, char **argv);

#endif
