/* SPDX-License-Identifier: MIT */
/* Which swarms a pattern means. */
#include "cli/filter.h"

#include "core/tap.h"

#include <stdio.h>
#include <string.h>

static bool match(const char *pattern, const char *name)
{
    VR_OWNED(vr_filter_free) struct vr_filter *f = NULL;
    char app[64], config[64], proc[64];
    const char *d1 = strchr(name, '-'), *d2 = strchr(d1 + 1, '-');

    snprintf(app, sizeof(app), "%.*s", (int)(d1 - name), name);
    snprintf(config, sizeof(config), "%.*s", (int)(d2 - d1 - 1), d1 + 1);
    snprintf(proc, sizeof(proc), "%s", d2 + 1);
    return !vr_filter_compile(pattern, NULL, 0, &f, NULL) && vr_filter_match(f, app, config, proc);
}

static char *query(const char *pattern)
{
    VR_OWNED(vr_filter_free) struct vr_filter *f = NULL;
    struct vr_buf b = VR_BUF(256);
    char *text = NULL;

    if (vr_filter_compile(pattern, NULL, 0, &f, NULL))
        return NULL;
    vr_filter_query(f, &b);
    vr_ignore(vr_buf_finish(&b, &text, NULL), "the test sees NULL");
    return text;
}

TEST(filter_match__nothing_given__matches_all)
{
    CHECK(match("", "shop-prod-web"));
    CHECK(match(NULL, "shop-prod-web"));
}

TEST(filter_match__plain_parts__are_whole_names)
{
    CHECK(match("shop", "shop-prod-web"));
    CHECK(!match("shop", "shopping-prod-web"));
    CHECK(match("shop-prod", "shop-prod-worker"));
    CHECK(!match("shop-prod", "shop-prod2-worker"));
    CHECK(match("shop-prod-web", "shop-prod-web"));
    CHECK(!match("shop-prod-web", "shop-prod-web2"));
}

TEST(filter_match__regular_expression__is_anchored_at_the_start_only)
{
    CHECK(match("sho.*", "shop-prod-web"));
    CHECK(match("sh", "sh-prod-web") && !match("op.*", "shop-prod-web"));
    CHECK(match(".*-prod", "shop-prod-web"));
    CHECK(match("s.*-w", "shop-prod-web"));
    CHECK(!match("S.*", "shop-prod-web"));
    CHECK(match("shop-(prod|test)-w[a-z]+", "shop-test-web"));
}

TEST(filter_match__alternatives__each_has_its_own_parts)
{
    CHECK(match("a-b-c|d-e-f", "a-b-c"));
    CHECK(match("a-b-c|d-e-f", "d-e-f"));
    CHECK(!match("a-b-c|d-e-f", "a-b-f"));
    CHECK(match("shop|blog", "blog-prod-web"));
    CHECK(!match("shop|blog", "blogger-prod-web"));
    CHECK(match("(a-b|c-d)-x", "c-d-x"));
}

TEST(filter_match__three_parts_with_a_wild_one__names_the_others)
{
    CHECK(match(".*-prod-web", "shop-prod-web"));
    CHECK(!match(".*-prod-web", "shop-prod-web2"));
}

TEST(filter_match__excludes__search_anywhere_in_any_case)
{
    VR_OWNED(vr_filter_free) struct vr_filter *f = NULL;
    const char *const excludes[] = {"WORK", "-test-"};

    CHECK(!vr_filter_compile("shop", excludes, 2, &f, NULL));
    CHECK(vr_filter_match(f, "shop", "prod", "web"));
    CHECK(!vr_filter_match(f, "shop", "prod", "worker"));
    CHECK(!vr_filter_match(f, "shop", "test", "web"));
}

TEST(filter_compile__not_a_regular_expression__is_refused)
{
    VR_OWNED(vr_filter_free) struct vr_filter *f = NULL;
    struct vr_err err = VR_ERR_NULL;

    CHECK(vr_filter_compile("shop-[a", NULL, 0, &f, &err) == -VR_INVALID);
    CHECK(strstr(err.msg, "shop-[a"));
    CHECK(!f);
}

TEST(filter_query__plain_parts__narrow_on_the_server)
{
    vr_auto_free char *all = query(""), *app = query("shop"), *three = query("a-b-c");
    vr_auto_free char *either = query("a|b"), *wild = query("sh.*-prod"), *mid = query(".*-p-w");

    CHECK_STR(all, "");
    CHECK_STR(app, "app__name=shop");
    CHECK_STR(three, "app__name=a&config_name=b&proc_name=c");
    CHECK_STR(either, "");
    CHECK_STR(wild, "");
    CHECK_STR(mid, "config_name=p&proc_name=w");
}
