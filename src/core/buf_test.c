/* SPDX-License-Identifier: MIT */
#include "core/buf.h"
#include "core/tap.h"

#include <string.h>

TEST(buf_add__past_the_limit__latches_and_finish_reports_it)
{
    struct vr_buf b = VR_BUF(4);
    char *text = NULL;

    vr_buf_add(&b, "1234");
    vr_buf_add(&b, "5");
    CHECK(vr_buf_finish(&b, &text, NULL) == -VR_LIMIT);
    CHECK(text == NULL);
    vr_buf_fini(&b);
}

TEST(buf_addf__grows_over_its_first_block)
{
    vr_auto_buf struct vr_buf b = VR_BUF(10000);
    vr_auto_free char *text = NULL;

    for (int i = 0; i < 1000; i++)
        vr_buf_addf(&b, "%03d,", i);
    CHECK(b.len == 4000);
    CHECK(vr_buf_finish(&b, &text, NULL) == 0);
    CHECK(!strncmp(text + 3996, "999,", 4));
}

TEST(buf_finish__of_nothing__is_an_empty_text)
{
    struct vr_buf b = VR_BUF(0);
    vr_auto_free char *text = NULL;

    CHECK(vr_buf_finish(&b, &text, NULL) == 0);
    CHECK_STR(text, "");
}

TEST(buf_drop__keeps_the_rest)
{
    vr_auto_buf struct vr_buf b = VR_BUF(100);

    vr_buf_add(&b, "hello world");
    vr_buf_drop(&b, 6);
    CHECK_STR(vr_buf_text(&b), "world");
}
