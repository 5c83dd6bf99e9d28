/* SPDX-License-Identifier: MIT */
/* The job program by itself, for tests: `vr-build build-job`, as `vr build-job`. */
#include "build/job.h"
#include "core/str.h"

int main(int argc, char **argv)
{
    if (argc < 2 || !vr_streq(argv[1], "build-job"))
        return 2;
    return vr_build_job_main(argc - 1, argv + 1);
}
