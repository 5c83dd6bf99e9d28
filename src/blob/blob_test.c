/* SPDX-License-Identifier: MIT */
/* What every blob driver must do; run over each of them. */
#include "blob/blob.h"
#include "core/str.h"
#include "core/tap.h"
#include "sys/fs.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>

#define HELLO_SHA256 "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824"
#define HELLO_MD5    "5d41402abc4b2a76b9719d911017c592"
#define NO_SHA256    "0000000000000000000000000000000000000000000000000000000000000000"

/* One line a driver: how a fresh store of it is named inside the test's folder. */
static const char *const url_formats[] = {"file://%s/blobs"};

typedef void (*conform_fn)(struct vr_blobs *blobs);

static struct vr_blobs *open_store(size_t driver)
{
    const char *mark = strstr(url_formats[driver], "%s");
    vr_auto_free char *url = vr_strf("%.*s%s%s", (int)(mark - url_formats[driver]),
                                     url_formats[driver], vr_tap_dir(), mark + 2);
    struct vr_blobs *blobs = NULL;

    vr_ignore(vr_blobs_open(url, &blobs, NULL), "NULL says it");
    return blobs;
}

static void over_all_drivers(conform_fn fn)
{
    for (size_t i = 0; i < VR_COUNT(url_formats); i++) {
        VR_OWNED(vr_blobs_close) struct vr_blobs *blobs = open_store(i);

        CHECK(blobs);
        fn(blobs);
    }
}

static int put(struct vr_blobs *blobs, const char *text, const char *expected,
               struct vr_blob_name *name, struct vr_err *err)
{
    VR_OWNED(vr_blob_abort) struct vr_blob_writer *w = NULL;
    int r;

    r = vr_blob_begin(blobs, &w, err);
    for (const char *p = text; !r && *p; p++)
        r = vr_blob_write(w, p, 1, err);
    return r < 0 ? r : vr_blob_commit(w, expected, name, err);
}

static int count_one(void *user, const char *sha256, int64_t bytes, struct vr_err *err)
{
    ++*(int *)user;
    return 0;
}

static int count(struct vr_blobs *blobs)
{
    int n = 0;

    return vr_blob_each(blobs, count_one, &n, NULL) < 0 ? -1 : n;
}

static void check_round_trip(struct vr_blobs *blobs)
{
    struct vr_blob_name name;
    vr_auto_free char *text = NULL;
    vr_auto_close int fd = -1;
    int64_t bytes = 0;
    size_t len;

    CHECK(!vr_blob_has(blobs, HELLO_SHA256));
    CHECK(!put(blobs, "hello", HELLO_SHA256, &name, NULL));
    CHECK_STR(name.sha256, HELLO_SHA256);
    CHECK_STR(name.md5, HELLO_MD5);
    CHECK(name.bytes == 5);
    CHECK(vr_blob_has(blobs, HELLO_SHA256));
    CHECK(!vr_blob_size(blobs, HELLO_SHA256, &bytes, NULL) && bytes == 5);
    fd = vr_blob_open(blobs, HELLO_SHA256, NULL);
    CHECK(fd >= 0);
    CHECK(!vr_blob_delete(blobs, HELLO_SHA256, NULL));
    CHECK(!vr_blob_has(blobs, HELLO_SHA256));
    CHECK(!vr_fd_read_all(fd, 100, &text, &len, NULL));
    CHECK_STR(text, "hello");
    CHECK(vr_blob_delete(blobs, HELLO_SHA256, NULL) == -VR_NOT_FOUND);
}

TEST(blob__write_read_delete__round_trip)
{
    over_all_drivers(check_round_trip);
}

static void check_mismatch(struct vr_blobs *blobs)
{
    struct vr_err err = VR_ERR_NULL;

    CHECK(put(blobs, "hello", NO_SHA256, NULL, &err) == -VR_PARSE);
    CHECK(strstr(err.msg, HELLO_SHA256));
    CHECK(count(blobs) == 0);
}

TEST(blob_commit__other_hash_expected__nothing_is_stored)
{
    over_all_drivers(check_mismatch);
}

static void check_twice(struct vr_blobs *blobs)
{
    CHECK(!put(blobs, "hello", NULL, NULL, NULL));
    CHECK(!put(blobs, "hello", NULL, NULL, NULL));
    CHECK(!put(blobs, "", NULL, NULL, NULL));
    CHECK(count(blobs) == 2);
    CHECK(!vr_blob_verify(blobs, HELLO_SHA256, NULL));
}

TEST(blob_commit__equal_content__is_kept_once)
{
    over_all_drivers(check_twice);
}

static void check_abort(struct vr_blobs *blobs)
{
    VR_OWNED(vr_blob_abort) struct vr_blob_writer *w = NULL;

    CHECK(!vr_blob_begin(blobs, &w, NULL));
    CHECK(!vr_blob_write(w, "x", 1, NULL));
    w = vr_blob_abort(w);
    CHECK(count(blobs) == 0);
    CHECK(!vr_blob_begin(blobs, &w, NULL));
    CHECK(!vr_blob_commit(w, NULL, NULL, NULL));
    CHECK(vr_blob_write(w, "x", 1, NULL) == -VR_BUG);
    CHECK(vr_blob_commit(w, NULL, NULL, NULL) == -VR_BUG);
}

TEST(blob_abort__and_use_after_the_end)
{
    over_all_drivers(check_abort);
}

static void check_bad_keys(struct vr_blobs *blobs)
{
    static const char *const keys[] = {
        "", "../../etc/passwd", "abc",
        "2CF24DBA5FB0A30E26E83B2AC5B9E29E1B161E5C1FA7425E73043362938B9824"};
    int64_t bytes;

    for (size_t i = 0; i < VR_COUNT(keys); i++) {
        CHECK(vr_blob_open(blobs, keys[i], NULL) == -VR_INVALID);
        CHECK(vr_blob_size(blobs, keys[i], &bytes, NULL) == -VR_INVALID);
        CHECK(vr_blob_delete(blobs, keys[i], NULL) == -VR_INVALID);
        CHECK(!vr_blob_has(blobs, keys[i]));
    }
    CHECK(vr_blob_open(blobs, NO_SHA256, NULL) == -VR_NOT_FOUND);
}

TEST(blob__what_is_no_key__is_refused)
{
    over_all_drivers(check_bad_keys);
}

static int delete_each(void *user, const char *sha256, int64_t bytes, struct vr_err *err)
{
    return vr_blob_delete(user, sha256, err);
}

static void check_each(struct vr_blobs *blobs)
{
    for (int i = 0; i < 300; i++) {
        vr_auto_free char *text = vr_strf("blob %d", i);

        CHECK(!put(blobs, text, NULL, NULL, NULL));
    }
    CHECK(count(blobs) == 300);
    CHECK(!vr_blob_each(blobs, delete_each, blobs, NULL));
    CHECK(count(blobs) == 0);
}

TEST(blob_each__deleting_what_it_finds__sees_all)
{
    over_all_drivers(check_each);
}

/* From here on the driver "file" alone. */

TEST(file__opened_again__parts_of_the_dead_are_gone_and_blobs_stay)
{
    vr_auto_free char *folder = vr_strf("%s/b", vr_tap_dir());
    vr_auto_free char *leftover = vr_strf("%s/b/tmp/dead", vr_tap_dir());
    struct vr_blobs *blobs = NULL;

    CHECK(!vr_blobs_open(folder, &blobs, NULL));
    CHECK(!put(blobs, "hello", NULL, NULL, NULL));
    blobs = vr_blobs_close(blobs);
    CHECK(!vr_fs_write(leftover, "half", 4, 0600, NULL));
    CHECK(!vr_blobs_open(folder, &blobs, NULL));
    CHECK(!vr_fs_exists(leftover));
    CHECK(vr_blob_has(blobs, HELLO_SHA256));
    vr_blobs_close(blobs);
}

TEST(file__damaged_on_disk__verify_says_so)
{
    vr_auto_free char *folder = vr_strf("%s/b", vr_tap_dir());
    VR_OWNED(vr_blobs_close) struct vr_blobs *blobs = NULL;
    vr_auto_free char *path = NULL;
    vr_auto_close int fd = -1;
    struct stat st;

    CHECK(!vr_blobs_open(folder, &blobs, NULL));
    CHECK(!put(blobs, "hello", NULL, NULL, NULL));
    CHECK(!vr_blob_path(blobs, HELLO_SHA256, &path, NULL));
    CHECK(!stat(path, &st) && (st.st_mode & 0777) == 0444);
    CHECK(vr_str_has_suffix(path, "/2c/" HELLO_SHA256));
    CHECK(!chmod(path, 0600));
    fd = open(path, O_WRONLY | O_CLOEXEC);
    CHECK(fd >= 0 && write(fd, "j", 1) == 1);
    CHECK(vr_blob_verify(blobs, HELLO_SHA256, NULL) == -VR_PARSE);
}

TEST(open__unknown_kind__is_invalid)
{
    struct vr_blobs *blobs = NULL;

    CHECK(vr_blobs_open("s3://bucket", &blobs, NULL) == -VR_INVALID);
}

/* In a mount namespace of its own, so that nothing is left behind. */
static int fill_tiny_disk(const char *folder)
{
    VR_OWNED(vr_blobs_close) struct vr_blobs *blobs = NULL;
    VR_OWNED(vr_blob_abort) struct vr_blob_writer *w = NULL;
    vr_auto_free char *bytes = vr_alloc(65536);
    struct vr_err err = VR_ERR_NULL;
    int r = 0;

    if (unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
        mount("tmpfs", folder, "tmpfs", 0, "size=256k") < 0)
        return 77;
    if (vr_blobs_open(folder, &blobs, NULL) < 0 || vr_blob_begin(blobs, &w, NULL) < 0)
        return 1;
    for (int i = 0; !r && i < 10; i++)
        r = vr_blob_write(w, bytes, 65536, &err);
    if (r != -VR_LIMIT || !strstr(err.msg, "disk full"))
        return 2;
    if (vr_blob_commit(w, NULL, NULL, NULL) != -VR_BUG)
        return 3;
    w = vr_blob_abort(w);
    return put(blobs, "hello", HELLO_SHA256, NULL, NULL) < 0 ? 4 : 0; /* there is room again */
}

TEST(file__disk_full__is_a_limit_and_the_part_is_removed)
{
    const char *folder = vr_tap_dir(); /* made here, so that this process removes it */
    int status;
    pid_t pid;

    if (geteuid()) {
        vr_tap_skip("needs root");
        return;
    }
    pid = fork();
    if (!pid)
        _exit(fill_tiny_disk(folder));
    CHECK(waitpid(pid, &status, 0) == pid && WIFEXITED(status));
    if (WEXITSTATUS(status) == 77) {
        vr_tap_skip("no mount namespace");
        return;
    }
    CHECK(WEXITSTATUS(status) == 0);
}
