/* SPDX-License-Identifier: MIT */
/* The table of exit codes, as the documentation promises it. */
#include "cli/exit.h"

#include "core/tap.h"

static enum vr_exit_code of_status(int status)
{
    return vr_exit_of_code(vr_exit_code_of_status(status));
}

TEST(exit_of_status__answers_of_the_server__are_as_documented)
{
    CHECK(of_status(400) == 2);
    CHECK(of_status(401) == 6 && of_status(403) == 6);
    CHECK(of_status(404) == 4);
    CHECK(of_status(409) == 3 && of_status(412) == 3);
    CHECK(of_status(413) == 1 && of_status(429) == 1);
    CHECK(of_status(500) == 1 && of_status(418) == 1);
    CHECK(of_status(502) == 5 && of_status(503) == 5);
}

TEST(exit_of_code__own_errors__are_as_documented)
{
    CHECK(vr_exit_of_code(VR_OK) == 0);
    CHECK(vr_exit_of_code(VR_INVALID) == 2);
    CHECK(vr_exit_of_code(VR_TIMEOUT) == 124);
    CHECK(vr_exit_of_code(VR_BUSY) == 5);
    CHECK(vr_exit_of_code(VR_BUG) == 1);
}
