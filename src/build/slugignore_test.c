/* SPDX-License-Identifier: MIT */
/* Deleting by .slugignore: what matches, what never may. */
#include "build/slugignore.h"
#include "core/str.h"
#include "core/tap.h"
#include "sys/fs.h"

#include <stdio.h>
#include <sys/stat.h>

/* The app lies one level below the test's folder, so that there is something above it. */
static char *in_app(const char *name)
{
    return vr_strf("%s/app/%s", vr_tap_dir(), name);
}

static bool put(const char *name, const char *text)
{
    vr_auto_free char *path = in_app(name);
    vr_auto_free char *parent = vr_strndup(path, (size_t)(strrchr(path, '/') - path));

    return vr_fs_mkdir_p(parent, 0755, NULL) == 0 &&
           vr_fs_write(path, text, strlen(text), 0644, NULL) == 0;
}

static bool is_there(const char *name)
{
    vr_auto_free char *path = in_app(name);
    struct stat st;

    return lstat(path, &st) == 0;
}

static void count_refusal(void *ctx, const char *message)
{
    ++*(int *)ctx;
}

static int apply(const char *patterns, size_t *removed, int *refused)
{
    vr_auto_free char *app = vr_strf("%s/app", vr_tap_dir());

    *removed = 0;
    *refused = 0;
    if (patterns && !put(".slugignore", patterns))
        return -VR_BUG;
    return vr_slugignore_apply(app, count_refusal, refused, removed, NULL);
}

TEST(slugignore_apply__no_file__deletes_nothing)
{
    size_t removed;
    int refused;

    CHECK(put("a.txt", ""));
    CHECK(apply(NULL, &removed, &refused) == 0);
    CHECK(removed == 0 && is_there("a.txt"));
}

TEST(slugignore_apply__nested_glob_and_folder__deletes_just_them)
{
    size_t removed;
    int refused;

    CHECK(put("docs/a.pdf", "") && put("docs/b.txt", "") && put("tests/deep/x", ""));
    CHECK(put("keep.pdf", "") && put(".env", ""));
    CHECK(apply("docs/*.pdf\ntests/\n", &removed, &refused) == 0);
    CHECK(removed == 2 && refused == 0);
    CHECK(!is_there("docs/a.pdf") && !is_there("tests"));
    CHECK(is_there("docs/b.txt") && is_there("keep.pdf"));
}

TEST(slugignore_apply__star__leaves_dot_files)
{
    size_t removed;
    int refused;

    CHECK(put("a", "") && put(".env", ""));
    CHECK(apply("*\n", &removed, &refused) == 0);
    CHECK(removed == 1 && is_there(".env") && is_there(".slugignore"));
}

TEST(slugignore_apply__comments_empty_lines_and_cr__say_nothing)
{
    size_t removed;
    int refused;

    CHECK(put("a", "") && put("b", ""));
    CHECK(apply("# *\n\n   \n#b\nb\r\n", &removed, &refused) == 0);
    CHECK(removed == 1 && refused == 0 && is_there("a") && !is_there("b"));
}

TEST(slugignore_apply__outside_and_root__refused)
{
    vr_auto_free char *outside = vr_strf("%s/precious", vr_tap_dir());
    size_t removed;
    int refused;

    CHECK(put("a", ""));
    CHECK(vr_fs_write(outside, "x", 1, 0644, NULL) == 0);
    CHECK(apply("..\n../precious\na/../../precious\n/etc/passwd\n.\n./\n", &removed, &refused) ==
          0);
    CHECK(removed == 0 && refused == 6);
    CHECK(vr_fs_exists(outside) && is_there("a"));
}

TEST(slugignore_apply__links__not_followed)
{
    vr_auto_free char *outside = vr_strf("%s/outside", vr_tap_dir());
    vr_auto_free char *precious = vr_strf("%s/precious", outside);
    vr_auto_free char *folder_link = in_app("out");
    vr_auto_free char *file_link = in_app("link.txt");
    size_t removed;
    int refused;

    CHECK(put("a", "") && vr_fs_mkdir_p(outside, 0755, NULL) == 0);
    CHECK(vr_fs_write(precious, "x", 1, 0644, NULL) == 0);
    CHECK(symlink(outside, folder_link) == 0 && symlink(precious, file_link) == 0);
    CHECK(apply("out/*\nlink.txt\n", &removed, &refused) == 0);
    CHECK(removed == 1 && vr_fs_exists(precious));
    CHECK(is_there("out") && !is_there("link.txt"));
}
