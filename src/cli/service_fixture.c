/* SPDX-License-Identifier: MIT */
/* A program for the tests of service.h: holds its lock, says so, and waits for SIGTERM. */
#include "cli/service.h"

#include <stdio.h>
#include <unistd.h>

int main(int argc, char **argv)
{
    struct vr_err err = VR_ERR_NULL;

    if (vr_service_hold_lock(&err) < 0) {
        fprintf(stderr, "%s\n", err.msg);
        return 1;
    }
    if (argc > 1)
        return 3;
    puts("ready");
    fflush(stdout);
    pause();
    return 0;
}
