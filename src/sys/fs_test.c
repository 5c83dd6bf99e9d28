/* SPDX-License-Identifier: MIT */
/* Files and folders: what survives, what is refused, what is left alone. */
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

static char *in_dir(const char *name)
{
    return vr_strf("%s/%s", vr_tap_dir(), name);
}

static int count_entries(const char *path)
{
    DIR *dir = opendir(path);
    int n = -2;

    while (dir && readdir(dir))
        n++;
    if (dir)
        closedir(dir);
    return n;
}

TEST(fs_replace__twice__new_content_mode_and_no_leftover)
{
    vr_auto_free char *path = in_dir("f");
    vr_auto_free char *text = NULL;
    struct stat st;
    size_t len;

    CHECK(!vr_fs_replace(path, "old content", 11, 0600, NULL));
    CHECK(!vr_fs_replace(path, "new", 3, 0640, NULL));
    CHECK(!vr_fs_read(path, 100, &text, &len, NULL));
    CHECK_STR(text, "new");
    CHECK(len == 3);
    CHECK(!stat(path, &st) && (st.st_mode & 07777) == 0640);
    CHECK(count_entries(vr_tap_dir()) == 1);
}

TEST(fs_replace__onto_a_folder__fails_without_leftover)
{
    vr_auto_free char *path = in_dir("d");

    CHECK(!mkdir(path, 0700));
    CHECK(vr_fs_replace(path, "x", 1, 0600, NULL) < 0);
    CHECK(count_entries(vr_tap_dir()) == 1);
}

TEST(fs_read__limits__exact_is_fine_one_more_is_not)
{
    vr_auto_free char *path = in_dir("f");
    vr_auto_free char *text = NULL;
    struct vr_err err = VR_ERR_NULL;
    size_t len = 0;

    CHECK(!vr_fs_write(path, "12345", 5, 0600, NULL));
    CHECK(!vr_fs_read(path, 5, &text, &len, NULL));
    CHECK(len == 5);
    CHECK(vr_fs_read(path, 4, &text, &len, &err) == -VR_LIMIT);
    CHECK(strstr(err.msg, path));
    CHECK(vr_fs_read("/no/such/file", 4, &text, &len, &err) == -VR_NOT_FOUND);
}

TEST(fs_read__empty_file__is_an_empty_string)
{
    vr_auto_free char *text = NULL;
    size_t len = 9;

    CHECK(!vr_fs_read("/dev/null", 0, &text, &len, NULL));
    CHECK_STR(text, "");
    CHECK(len == 0);
}

TEST(mkdir_p__existing_and_new__modes_and_files_in_the_way)
{
    vr_auto_free char *top = in_dir("a");
    vr_auto_free char *deep = in_dir("a//b/c/");
    vr_auto_free char *file = in_dir("a/f");
    vr_auto_free char *under = in_dir("a/f/x");
    struct stat st;

    CHECK(!mkdir(top, 0711));
    CHECK(!vr_fs_mkdir_p(deep, 0755, NULL));
    CHECK(!vr_fs_mkdir_p(deep, 0700, NULL));
    CHECK(!stat(top, &st) && (st.st_mode & 0777) == 0711);
    CHECK(!stat(deep, &st) && (st.st_mode & 0777) == 0755);
    CHECK(!vr_fs_write(file, "", 0, 0600, NULL));
    CHECK(vr_fs_mkdir_p(file, 0700, NULL) == -VR_EXISTS);
    CHECK(vr_fs_mkdir_p(under, 0700, NULL) < 0);
}

TEST(remove_tree__links__are_removed_not_followed)
{
    vr_auto_free char *keep = in_dir("keep");
    vr_auto_free char *kept = in_dir("keep/file");
    vr_auto_free char *tree = in_dir("tree");
    vr_auto_free char *sub = in_dir("tree/a/b");
    vr_auto_free char *link = in_dir("tree/a/link");

    CHECK(!vr_fs_mkdir_p(keep, 0700, NULL));
    CHECK(!vr_fs_write(kept, "x", 1, 0600, NULL));
    CHECK(!vr_fs_mkdir_p(sub, 0700, NULL));
    CHECK(!symlink(keep, link));
    CHECK(!vr_fs_remove_tree(tree, NULL));
    CHECK(!vr_fs_exists(tree) && vr_fs_exists(kept));
    CHECK(!vr_fs_remove_tree(tree, NULL)); /* missing is fine */
    CHECK(!vr_fs_remove_tree("/no/such/folder/at/all", NULL));
    CHECK(!vr_fs_remove_tree(kept, NULL)); /* a file is a small tree */
    CHECK(!vr_fs_exists(kept));
}

TEST(remove_tree__deeper_than_any_path__is_removed)
{
    vr_auto_free char *tree = in_dir("deep");
    int fd;

    CHECK(!mkdir(tree, 0700));
    fd = open(tree, O_PATH | O_DIRECTORY | O_CLOEXEC);
    for (int i = 0; i < 3000; i++) {
        int next;

        CHECK(!mkdirat(fd, "deeper", 0700));
        next = openat(fd, "deeper", O_PATH | O_DIRECTORY | O_CLOEXEC);
        vr_fd_close(fd);
        fd = next;
    }
    vr_fd_close(fd);
    CHECK(!vr_fs_remove_tree(tree, NULL));
    CHECK(!vr_fs_exists(tree));
}

/* Mounts live in a private namespace of a child, so that nothing can be left behind. */
static int try_with_mount(const char *tree, const char *point, const char *source)
{
    vr_auto_free char *inside = vr_strf("%s/precious", source);

    if (unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
        mount(source, point, NULL, MS_BIND, NULL) < 0)
        return 77;
    if (vr_fs_remove_tree(tree, NULL) != -VR_BUSY)
        return 1;
    if (vr_fs_remove_tree(point, NULL) != -VR_BUSY)
        return 2;
    return vr_fs_exists(inside) ? 0 : 3;
}

TEST(remove_tree__bind_mount_inside__is_busy_and_untouched)
{
    vr_auto_free char *tree = in_dir("tree");
    vr_auto_free char *point = in_dir("tree/a/point");
    vr_auto_free char *source = in_dir("source");
    vr_auto_free char *inside = in_dir("source/precious");
    int status;
    pid_t pid;

    if (geteuid()) {
        vr_tap_skip("needs root");
        return;
    }
    CHECK(!vr_fs_mkdir_p(point, 0700, NULL));
    CHECK(!vr_fs_mkdir_p(source, 0700, NULL));
    CHECK(!vr_fs_write(inside, "x", 1, 0600, NULL));
    pid = fork();
    if (!pid)
        _exit(try_with_mount(tree, point, source));
    CHECK(waitpid(pid, &status, 0) == pid && WIFEXITED(status));
    if (WEXITSTATUS(status) == 77) {
        vr_tap_skip("no mount namespace");
        return;
    }
    CHECK(WEXITSTATUS(status) == 0);
}

TEST(copy_tree__files_links_modes__arrive_without_set_id)
{
    vr_auto_free char *from = in_dir("from");
    vr_auto_free char *sub = in_dir("from/sub");
    vr_auto_free char *file = in_dir("from/sub/file");
    vr_auto_free char *link = in_dir("from/link");
    vr_auto_free char *to = in_dir("to");
    vr_auto_free char *copy = in_dir("to/sub/file");
    vr_auto_free char *copy_link = in_dir("to/link");
    vr_auto_free char *text = NULL;
    char target[16] = "";
    struct stat st, copied;
    size_t len;

    CHECK(!vr_fs_mkdir_p(sub, 0750, NULL));
    CHECK(!vr_fs_write(file, "body", 4, 04755, NULL));
    CHECK(!symlink("sub/file", link));
    CHECK(!vr_fs_copy_tree(from, to, NULL));
    CHECK(!vr_fs_read(copy, 100, &text, &len, NULL));
    CHECK_STR(text, "body");
    CHECK(!stat(file, &st) && !stat(copy, &copied));
    CHECK((copied.st_mode & 07777) == 0755 && copied.st_mtim.tv_sec == st.st_mtim.tv_sec);
    CHECK(readlink(copy_link, target, sizeof(target) - 1) == 8);
    CHECK_STR(target, "sub/file");
}

TEST(copy_tree__fifo__is_refused)
{
    vr_auto_free char *from = in_dir("from");
    vr_auto_free char *fifo = in_dir("from/fifo");
    vr_auto_free char *to = in_dir("to");
    struct vr_err err = VR_ERR_NULL;

    CHECK(!mkdir(from, 0700) && !mkfifo(fifo, 0600));
    CHECK(vr_fs_copy_tree(from, to, &err) == -VR_INVALID);
    CHECK(strstr(err.msg, "fifo"));
}

TEST(chown_tree__link_to_outside__owner_of_the_target_stays)
{
    vr_auto_free char *outside = in_dir("outside");
    vr_auto_free char *tree = in_dir("tree");
    vr_auto_free char *link = in_dir("tree/link");
    struct stat st;

    if (geteuid()) {
        vr_tap_skip("needs root");
        return;
    }
    CHECK(!vr_fs_write(outside, "", 0, 0600, NULL));
    CHECK(!mkdir(tree, 0700) && !symlink(outside, link));
    CHECK(!vr_fs_chown_tree(tree, 65534, 65533, NULL));
    CHECK(!lstat(tree, &st) && st.st_uid == 65534 && st.st_gid == 65533);
    CHECK(!lstat(link, &st) && st.st_uid == 65534);
    CHECK(!stat(outside, &st) && st.st_uid == 0);
}

TEST(open_beneath__ways_out__are_denied)
{
    vr_auto_free char *sub = in_dir("sub");
    vr_auto_free char *out = in_dir("sub/out");
    vr_auto_free char *in = in_dir("sub/in");
    vr_auto_close int dir = -1, fd = -1;

    CHECK(!mkdir(sub, 0700) && !symlink("/etc/passwd", out) && !symlink("file", in));
    dir = open(sub, O_PATH | O_DIRECTORY | O_CLOEXEC);
    fd = vr_fs_open_beneath(dir, "file", O_WRONLY | O_CREAT, 0600, NULL);
    CHECK(fd >= 0 && fcntl(fd, F_GETFD) == FD_CLOEXEC);
    vr_fd_close(vr_take_fd(fd));
    fd = vr_fs_open_beneath(dir, "in", O_RDONLY, 0, NULL);
    CHECK(fd >= 0);
    CHECK(vr_fs_open_beneath(dir, "out", O_RDONLY, 0, NULL) == -VR_DENIED);
    CHECK(vr_fs_open_beneath(dir, "../sub/file", O_RDONLY, 0, NULL) == -VR_DENIED);
    CHECK(vr_fs_open_beneath(dir, "/etc/passwd", O_RDONLY, 0, NULL) == -VR_DENIED);
    CHECK(vr_fs_open_beneath(dir, "none", O_RDONLY, 0, NULL) == -VR_NOT_FOUND);
}

TEST(lock__held__second_is_busy_and_owner_is_known)
{
    vr_auto_free char *path = in_dir("lock");
    vr_auto_close int fd = -1;

    CHECK(vr_fs_lock_owner(path) == 0);
    fd = vr_fs_lock(path, NULL);
    CHECK(fd >= 0);
    CHECK(vr_fs_lock(path, NULL) == -VR_BUSY);
    CHECK(vr_fs_lock_owner(path) == getpid());
    CHECK(vr_fs_lock(path, NULL) == -VR_BUSY); /* asking does not drop it */
    vr_fd_close(vr_take_fd(fd));
    CHECK(vr_fs_lock_owner(path) == 0);
    fd = vr_fs_lock(path, NULL);
    CHECK(fd >= 0);
}

TEST(user_find__root_and_unknown)
{
    struct vr_err err = VR_ERR_NULL;
    uid_t uid = 1;
    gid_t gid = 1;

    CHECK(!vr_user_find("root", &uid, &gid, NULL));
    CHECK(uid == 0 && gid == 0);
    CHECK(vr_user_find("no-such-user", &uid, &gid, &err) == -VR_NOT_FOUND);
    CHECK_STR(err.msg, "no user 'no-such-user'");
}

TEST(free_bytes__of_a_folder__is_positive)
{
    int64_t bytes = 0;

    CHECK(!vr_fs_free_bytes(vr_tap_dir(), &bytes, NULL));
    CHECK(bytes > 0);
}
