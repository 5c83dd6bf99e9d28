/* SPDX-License-Identifier: MIT */
#include "core/err.h"
#include "core/tap.h"

#include <errno.h>
#include <string.h>

TEST(fail_in__puts_context_before_the_message)
{
    struct vr_err err;
    int r = vr_fail(&err, VR_TIMEOUT, "no answer in %d s", 5);

    r = vr_fail_in(&err, r, "release %d", 12);
    CHECK(r == -VR_TIMEOUT);
    CHECK_STR(err.msg, "release 12: no answer in 5 s");
}

TEST(fail_sys__names_the_error)
{
    struct vr_err err;

    errno = ENOENT;
    CHECK(vr_fail_sys(&err, "open '%s'", "x") == -VR_NOT_FOUND);
    CHECK(err.sys == ENOENT);
    CHECK_STR(err.msg, "open 'x': No such file or directory");
}

TEST(fail__its_own_message_as_argument__is_not_mangled)
{
    struct vr_err err;

    vr_fail(&err, VR_IO, "inner");
    vr_fail(&err, VR_IO, "outer (%s)", err.msg);
    CHECK_STR(err.msg, "outer (inner)");
}

TEST(fail__too_long__is_cut_and_terminated)
{
    struct vr_err err;
    char big[1000];

    memset(big, 'x', sizeof(big) - 1);
    big[sizeof(big) - 1] = '\0';
    vr_fail(&err, VR_IO, "%s", big);
    CHECK(strlen(err.msg) == VR_ERR_MSG_BYTES - 1);
}

TEST(code_name__every_code__parses_back)
{
    for (int c = VR_OK; c <= VR_BUG; c++)
        CHECK(vr_code_parse(vr_code_name((enum vr_code)c)) == (enum vr_code)c);
}
