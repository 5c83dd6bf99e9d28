/* SPDX-License-Identifier: MIT */
/* Mounts of real squashfs files, idmapped and copied. */
#include "core/str.h"
#include "core/tap.h"
#include "runtime/mount.h"
#include "sys/fs.h"
#include "sys/proc.h"

#include <fcntl.h>
#include <linux/loop.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/stat.h>

#define SHA      "00000000000000000000000000000000000000000000000000000000000000bb"
#define WAIT_MS  20000
#define SOMEBODY 4242

struct folder {
    char *dir, *file;
    struct vr_mounts *m;
};

static bool folder_open(struct folder *f, bool can_idmap)
{
    vr_auto_free char *tree = vr_strf("%s/tree/app", vr_tap_dir());
    vr_auto_free char *source = vr_strf("%s/tree", vr_tap_dir());
    const char *argv[] = {"mksquashfs", source, NULL, "-all-root", "-no-progress", "-quiet", NULL};
    struct vr_spawn_spec spec = {.argv = argv};

    f->dir = vr_strf("%s/mounts", vr_tap_dir());
    f->file = vr_strf("%s/slug", vr_tap_dir());
    argv[2] = f->file;
    return vr_fs_mkdir_p(tree, 0755, NULL) == 0 && vr_run_ok(&spec, WAIT_MS, NULL) == 0 &&
           vr_mounts_open(f->dir, can_idmap, &f->m, NULL) == 0;
}

static void folder_close(struct folder *f)
{
    if (f->m)
        vr_ignore(vr_mount_remove(f->m, SHA, NULL), "usually gone already");
    f->m = vr_mounts_close(f->m);
    umount2(f->dir, MNT_DETACH);
    free(f->dir);
    free(f->file);
}

/* Whether any loop device still holds the file. */
static bool has_loop(const char *file)
{
    for (int i = 0; i < 256; i++) {
        vr_auto_free char *path = vr_strf("/sys/block/loop%d/loop/backing_file", i);
        vr_auto_free char *text = NULL;
        size_t len;

        if (vr_fs_read(path, 4096, &text, &len, NULL) == 0 && vr_str_has_prefix(text, file))
            return true;
    }
    return false;
}

static uid_t owner_of(const char *mounted)
{
    vr_auto_free char *app = vr_strf("%s/app", mounted);
    struct stat st;

    return stat(app, &st) < 0 ? (uid_t)-1 : st.st_uid;
}

static struct vr_mount_spec want(const struct folder *f, enum vr_mount_owner owner)
{
    return (struct vr_mount_spec){
        .sha256 = SHA, .file = f->file, .owner = owner, .uid = SOMEBODY, .gid = SOMEBODY};
}

#define NEEDS_ROOT()                                                                               \
    do {                                                                                           \
        if (geteuid() != 0) {                                                                      \
            vr_tap_skip("needs root");                                                             \
            return;                                                                                \
        }                                                                                          \
    } while (0)

TEST(vr_mount_prepare__twice_and_after_reopening__uses_one_mount)
{
    struct folder f = {.m = NULL};
    struct vr_mount_copy copy = {.source = NULL};
    struct vr_mount_spec spec;
    vr_auto_free char *first = NULL;
    vr_auto_free char *second = NULL;
    char **names;
    size_t count;

    NEEDS_ROOT();
    CHECK(folder_open(&f, true));
    spec = want(&f, VR_MOUNT_AS_IS);
    CHECK(vr_mount_prepare(f.m, &spec, &first, &copy, NULL) == 0);
    CHECK(owner_of(first) == 0 && vr_mount_is_mounted(f.m, SHA));
    f.m = vr_mounts_close(f.m);
    CHECK(vr_mounts_open(f.dir, true, &f.m, NULL) == 0);
    CHECK(vr_mount_is_mounted(f.m, SHA));
    CHECK(vr_mount_prepare(f.m, &spec, &second, &copy, NULL) == 0);
    CHECK_STR(second, first);
    CHECK(vr_mount_list(f.m, &names, &count, NULL) == 0 && count == 1);
    CHECK_STR(names[0], SHA);
    free(names[0]);
    free(names);
    CHECK(has_loop(f.file));
    CHECK(vr_mount_remove(f.m, SHA, NULL) == 0 && !vr_mount_is_mounted(f.m, SHA));
    for (int i = 0; i < 1000 && has_loop(f.file); i++)
        usleep(1000);
    CHECK(!has_loop(f.file)); /* the kernel gives it back on its own */
    folder_close(&f);
}

TEST(vr_mount_prepare__kernel_without_idmap__asks_for_a_copy)
{
    struct folder f = {.m = NULL};
    struct vr_mount_copy copy = {.source = NULL};
    struct vr_mount_spec spec;
    struct vr_spawn_spec child = {.argv = copy.argv};
    vr_auto_free char *path = NULL;

    NEEDS_ROOT();
    CHECK(folder_open(&f, false));
    spec = want(&f, VR_MOUNT_SHIFTED);
    CHECK(vr_mount_prepare(f.m, &spec, &path, &copy, NULL) == -VR_DENIED);
    spec = want(&f, VR_MOUNT_ONE);
    CHECK(vr_mount_prepare(f.m, &spec, &path, &copy, NULL) == -VR_BUSY && !path);
    CHECK(vr_run_ok(&child, WAIT_MS, NULL) == 0);
    CHECK(vr_mount_copy_done(&copy, NULL) == 0);
    vr_mount_copy_fini(&copy);
    CHECK(vr_mount_prepare(f.m, &spec, &path, &copy, NULL) == 0);
    CHECK(owner_of(path) == SOMEBODY);
    CHECK(vr_mount_remove(f.m, SHA, NULL) == 0);
    CHECK(owner_of(path) == (uid_t)-1);
    folder_close(&f);
}

TEST(vr_mount_prepare__name_is_no_sha256__is_refused)
{
    struct folder f = {.m = NULL};
    struct vr_mount_copy copy = {.source = NULL};
    struct vr_mount_spec spec;
    char *path = NULL;

    NEEDS_ROOT();
    CHECK(folder_open(&f, true));
    spec = want(&f, VR_MOUNT_AS_IS);
    spec.sha256 = "../../etc";
    CHECK(vr_mount_prepare(f.m, &spec, &path, &copy, NULL) == -VR_INVALID && !path);
    CHECK(vr_mount_remove(f.m, "..", NULL) == -VR_INVALID);
    folder_close(&f);
}
