/* SPDX-License-Identifier: MIT */
/* What of a URL or revision gets through to git and hg. */
#include "build/vcs.h"
#include "core/str.h"
#include "core/tap.h"
#include "sys/fs.h"

#include <stdio.h>
#include <unistd.h>

static bool url_ok(const char *url)
{
    return vr_vcs_url_check(url, NULL) == 0;
}

static bool rev_ok(const char *rev)
{
    return vr_vcs_rev_check(rev, NULL) == 0;
}

TEST(vcs_url_check__usual_urls__allowed)
{
    CHECK(url_ok("https://example.com/a/b.git"));
    CHECK(url_ok("http://user:secret@127.0.0.1:8080/a"));
    CHECK(url_ok("ssh://git@example.com:22/a"));
    CHECK(url_ok("git@example.com:a/b.git"));
    CHECK(url_ok("git://example.com/a"));
    CHECK(url_ok("/srv/git/a"));
    CHECK(url_ok("file:///srv/git/a"));
}

TEST(vcs_url_check__helpers_options_and_junk__refused)
{
    CHECK(!url_ok("ext::sh -c id"));
    CHECK(!url_ok("ext::sh"));
    CHECK(!url_ok("x@ext::sh"));
    CHECK(!url_ok("fd::7"));
    CHECK(!url_ok("--upload-pack=id"));
    CHECK(!url_ok("-oProxyCommand=id@host:x"));
    CHECK(!url_ok("git@-oProxyCommand=id:x"));
    CHECK(!url_ok("ssh://-oProxyCommand=id/x"));
    CHECK(!url_ok("relative/path"));
    CHECK(!url_ok("https://example.com/a b"));
    CHECK(!url_ok("https://example.com/a\nb"));
    CHECK(!url_ok(""));
    CHECK(!url_ok(NULL));
}

/* Whether `scheme` + `<test's folder>/name` may be built, for a job at state/build. */
static int place(const char *scheme, const char *name)
{
    vr_auto_free char *url = vr_strf("%s%s/%s", scheme, vr_tap_dir(), name);
    vr_auto_free char *work = vr_strf("%s/state/build", vr_tap_dir());

    return vr_vcs_place_check(url, work, NULL);
}

static bool make_places(void)
{
    static const char *const dirs[] = {"state/build/repo/a", "state/slugs", "statement", "repos/a"};
    vr_auto_free char *link = vr_strf("%s/link", vr_tap_dir());
    vr_auto_free char *hidden = vr_strf("%s/hidden.git", vr_tap_dir());
    bool ok = symlink("state/build", link) == 0 && symlink("state/slugs", hidden) == 0;

    for (size_t i = 0; i < VR_COUNT(dirs); i++) {
        vr_auto_free char *dir = vr_strf("%s/%s", vr_tap_dir(), dirs[i]);

        ok = ok && vr_fs_mkdir_p(dir, 0755, NULL) == 0;
    }
    return ok;
}

TEST(vcs_place_check__in_the_agents_folder__denied)
{
    CHECK(make_places());
    CHECK(place("", "state") == -VR_DENIED);
    CHECK(place("", "state/build/repo/a") == -VR_DENIED);
    CHECK(place("", "state/build/repo/a#v1") == -VR_DENIED);
    CHECK(place("file://", "state/slugs/") == -VR_DENIED);
    CHECK(place("file://", "st%61te/slugs") == -VR_DENIED);
    CHECK(place("", "repos/../state/slugs") == -VR_DENIED);
    CHECK(place("", "link/repo/a") == -VR_DENIED);
    CHECK(place("file://", "hidden") == -VR_DENIED);
}

TEST(vcs_place_check__elsewhere__allowed)
{
    CHECK(make_places());
    CHECK(place("", "repos/a") == 0);
    CHECK(place("file://", "repos/a") == 0);
    CHECK(place("", "statement") == 0);
    CHECK(place("", "missing") == 0);
    CHECK(place("", "st%61te/slugs") == 0); /* no URL: a folder of that very name */
    CHECK(vr_vcs_place_check("https://example.com/a.git", "/nonexistent", NULL) == 0);
}

TEST(vcs_rev_check__grammar__kept)
{
    CHECK(rev_ok("v1.0"));
    CHECK(rev_ok("feature/x-1"));
    CHECK(rev_ok("1.0+2"));
    CHECK(!rev_ok("-f"));
    CHECK(!rev_ok("--exec=id"));
    CHECK(!rev_ok("a..b"));
    CHECK(!rev_ok("a b"));
    CHECK(!rev_ok("a^{tree}"));
    CHECK(!rev_ok("a:b"));
    CHECK(!rev_ok("/a"));
    CHECK(!rev_ok("a\""));
    CHECK(!rev_ok(""));
    CHECK(!rev_ok(NULL));
}

TEST(vcs_url_public__password__is_not_shown)
{
    vr_auto_free char *a = vr_vcs_url_public("https://u:p@example.com/x@y");
    vr_auto_free char *b = vr_vcs_url_public("git@example.com:x");
    vr_auto_free char *c = vr_vcs_url_public("https://u:p@w@example.com");

    CHECK_STR(a, "https://example.com/x@y");
    CHECK_STR(b, "git@example.com:x");
    CHECK_STR(c, "https://example.com");
}

TEST(vcs_url_key__fragment_and_git_suffix__left_out)
{
    vr_auto_free char *a = vr_vcs_url_key("https://example.com/a/pack.git#v1");
    vr_auto_free char *b = vr_vcs_url_key("https://example.com/a/pack.git");
    vr_auto_free char *c = vr_vcs_url_key("/srv/../..");

    CHECK_STR(a, b);
    CHECK(vr_str_has_prefix(a, "pack-"));
    CHECK(!strchr(c, '/') && *c != '.');
}
