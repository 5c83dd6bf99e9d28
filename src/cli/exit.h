/* SPDX-License-Identifier: MIT */
/* The one table from what went wrong to the exit code of the program. */
#ifndef VR_CLI_EXIT_H
#define VR_CLI_EXIT_H

#include "core/err.h"

enum vr_exit_code {
    VR_EXIT_OK = 0,
    VR_EXIT_FAILED = 1,
    VR_EXIT_USAGE = 2,
    VR_EXIT_CONFLICT = 3,
    VR_EXIT_NOT_FOUND = 4,
    VR_EXIT_UNREACHABLE = 5,
    VR_EXIT_DENIED = 6,
    VR_EXIT_CHANGES = 10, /* --plan --exit-code: something would change */
    VR_EXIT_TIMEOUT = 124,
    VR_EXIT_DETACHED = 130, /* Ctrl-C while waiting: the server goes on */
};

/** The code of an HTTP status of 400 and more. */
enum vr_code vr_exit_code_of_status(int status);

/** The exit code of an error. */
enum vr_exit_code vr_exit_of_code(enum vr_code code);

#endif
