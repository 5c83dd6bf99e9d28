/* SPDX-License-Identifier: MIT */
/*
 * The launcher between a build job and a foreign program.
 *
 * It is a program of its own, started anew for each step, so that nothing here runs between a fork
 * and an exec of a larger process. Three processes take part:
 *
 *   outer   joins the cgroup first, so that all that follows is inside; unshares; makes the root;
 *           waits for pid 1 and exits with its code. It dies with the job (set by who starts it).
 *   pid 1   first of a pid namespace: enters the root, becomes the build user, gives up the system
 *           calls that a build does without, reaps. It dies with `outer`, and the kernel kills the
 *           whole namespace with it: no daemon outlives a step.
 *   pid 2   the program.
 *
 * The root is a tmpfs of mount points that belongs to root and that the build user cannot write;
 * writable are only the mounts that the job names. It is gone with the mount namespace, so a
 * killed job leaves no mount behind. /etc is made, not bound: the host's would show its files.
 */
#include "build/sandbox.h"
#include "build/build_seccomp.h"
#include "core/str.h"
#include "sys/fs.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <inttypes.h>
#include <linux/capability.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#define JOB_WORD       "build-job"
#define NUMBER_BYTES   24
#define FIXED_ARGS_MAX 16
#define CGROUPS_MAX    8
#define ROOT_OPTIONS   "mode=0755,size=4m"
#define SHM_OPTIONS    "mode=1777,size=256m"
#define EXIT_SETUP     125 /* with a reason on the status descriptor */
#define EXIT_SIGNAL    128

struct launcher {
    struct vr_sandbox sandbox; /* root NULL: none */
    const char *cgroups[CGROUPS_MAX];
    size_t cgroup_count;
    const char *cwd;
    uid_t uid;
    gid_t gid;
    int64_t file_bytes;
    int status_fd;
    char *const *program; /* argv */
};

/* ---- the command line ---- */

static size_t count_words(const char *const *words)
{
    size_t n = 0;

    while (words && words[n])
        n++;
    return n;
}

struct words {
    const char **p;
    char *text; /* where the next number is written */
};

static void put(struct words *w, const char *word)
{
    *w->p++ = word;
}

static void put_number(struct words *w, const char *option, int64_t value)
{
    put(w, option);
    put(w, w->text);
    w->text += 1 + snprintf(w->text, NUMBER_BYTES, "%" PRId64, value);
}

const char **vr_sandbox_argv(const struct vr_sandbox_start *start, const char *const *argv)
{
    const struct vr_sandbox *box = start->sandbox;
    size_t cgroups = count_words(start->cgroups), words = count_words(argv);
    size_t slots = FIXED_ARGS_MAX + 2 * cgroups + 3 * VR_SANDBOX_MOUNTS_MAX + 2 + words + 1;
    const char **out = vr_alloc(slots * sizeof(*out) + (size_t)4 * NUMBER_BYTES);
    struct words w = {.p = out, .text = (char *)(out + slots)};

    put(&w, "/proc/self/exe");
    put(&w, JOB_WORD);
    put(&w, VR_SANDBOX_WORD);
    put_number(&w, "--uid", start->uid);
    put_number(&w, "--gid", start->gid);
    put_number(&w, "--file-bytes", start->file_bytes);
    put_number(&w, "--status-fd", start->status_fd);
    put(&w, "--cwd");
    put(&w, start->cwd);
    for (size_t i = 0; i < cgroups; i++) {
        put(&w, "--cgroup");
        put(&w, start->cgroups[i]);
    }
    if (box) {
        put(&w, "--root");
        put(&w, box->root);
    }
    for (size_t i = 0; box && i < box->mount_count; i++) {
        put(&w, box->mounts[i].is_readonly ? "--bind-ro" : "--bind");
        put(&w, box->mounts[i].from);
        put(&w, box->mounts[i].to);
    }
    put(&w, "--");
    for (size_t i = 0; i < words; i++)
        put(&w, argv[i]);
    return out;
}

static int parse_bind(struct launcher *l, char **words, bool is_readonly, struct vr_err *err)
{
    struct vr_sandbox *box = &l->sandbox;

    if (!words[0] || !words[1] || box->mount_count == VR_SANDBOX_MOUNTS_MAX)
        return vr_fail(err, VR_BUG, "launcher: bad bind");
    box->mounts[box->mount_count++] =
        (struct vr_sandbox_mount){.from = words[0], .to = words[1], .is_readonly = is_readonly};
    return 3;
}

/* One option with its values; returns the number of words used. */
static int parse_option(struct launcher *l, char **words, struct vr_err *err)
{
    const char *name = words[0], *value = words[1];
    int64_t number = 0;

    if (vr_streq(name, "--bind") || vr_streq(name, "--bind-ro"))
        return parse_bind(l, words + 1, vr_streq(name, "--bind-ro"), err);
    if (!value)
        return vr_fail(err, VR_BUG, "launcher: '%s' without a value", name);
    if (vr_streq(name, "--root"))
        l->sandbox.root = value;
    else if (vr_streq(name, "--cwd"))
        l->cwd = value;
    else if (vr_streq(name, "--cgroup") && l->cgroup_count < CGROUPS_MAX)
        l->cgroups[l->cgroup_count++] = value;
    else if (vr_parse_i64(vr_str(value), 0, INT64_MAX, &number, err) < 0)
        return -VR_INVALID;
    else if (vr_streq(name, "--uid"))
        l->uid = (uid_t)number;
    else if (vr_streq(name, "--gid"))
        l->gid = (gid_t)number;
    else if (vr_streq(name, "--file-bytes"))
        l->file_bytes = number;
    else if (vr_streq(name, "--status-fd"))
        l->status_fd = (int)number;
    else
        return vr_fail(err, VR_BUG, "launcher: unknown option '%s'", name);
    return 2;
}

static int parse(struct launcher *l, int argc, char **argv, struct vr_err *err)
{
    int i = 2;

    while (i < argc && !vr_streq(argv[i], "--")) {
        int used = parse_option(l, argv + i, err);

        if (used < 0)
            return used;
        i += used;
    }
    if (i + 1 >= argc || !l->cwd || !l->uid || !l->gid)
        return vr_fail(err, VR_BUG, "launcher: needs --cwd, --uid, --gid and a program");
    l->program = argv + i + 1;
    return 0;
}

/* ---- the root, made by `outer` ---- */

static char *in_root(const struct launcher *l, const char *path)
{
    return vr_strf("%s%s", l->sandbox.root, path);
}

static int make_dir(const struct launcher *l, const char *path, struct vr_err *err)
{
    vr_auto_free char *full = in_root(l, path);

    return vr_fs_mkdir_p(full, 0755, err);
}

/* Bind a folder or file, and what is mounted below, onto a place in the root; take powers away. */
static int bind_at(const struct launcher *l, const char *from, const char *to, uint64_t attributes,
                   struct vr_err *err)
{
    vr_auto_free char *full = in_root(l, to);
    struct mount_attr attr = {.attr_set = MOUNT_ATTR_NOSUID | attributes};

    if (mount(from, full, NULL, MS_BIND | MS_REC, NULL) < 0)
        return vr_fail_sys(err, "bind %s to %s", from, to);
    if (mount_setattr(AT_FDCWD, full, AT_RECURSIVE, &attr, sizeof(attr)) < 0)
        return vr_fail_sys(err, "limit the mount %s", to);
    return 0;
}

/* A file of the host at the same place, if the host has it. */
static int bind_file(const struct launcher *l, const char *path, uint64_t attributes,
                     struct vr_err *err)
{
    vr_auto_free char *full = in_root(l, path);
    vr_auto_close int fd = -1;

    if (access(path, F_OK) < 0)
        return 0;
    fd = open(full, O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0644);
    if (fd < 0)
        return vr_fail_sys(err, "make %s", path);
    return bind_at(l, path, path, attributes, err);
}

static int bind_dir(const struct launcher *l, const char *path, struct vr_err *err)
{
    int r;

    if (access(path, F_OK) < 0)
        return 0;
    r = make_dir(l, path, err);
    return r < 0 ? r : bind_at(l, path, path, MOUNT_ATTR_RDONLY | MOUNT_ATTR_NODEV, err);
}

/* /bin and its like: a link into /usr on merged systems, a folder on others. */
static int add_system_dir(const struct launcher *l, const char *path, struct vr_err *err)
{
    vr_auto_free char *full = in_root(l, path);
    char target[64];
    ssize_t n = readlink(path, target, sizeof(target) - 1);

    if (n < 0)
        return bind_dir(l, path, err);
    target[n] = '\0';
    if (symlink(target, full) < 0)
        return vr_fail_sys(err, "link %s", path);
    return 0;
}

static int add_system(const struct launcher *l, struct vr_err *err)
{
    static const char *const dirs[] = {"/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32"};
    int r = bind_dir(l, "/usr", err);

    for (size_t i = 0; !r && i < VR_COUNT(dirs); i++)
        r = add_system_dir(l, dirs[i], err);
    return r;
}

static int write_accounts(const struct launcher *l, struct vr_err *err)
{
    vr_auto_free char *passwd_path = in_root(l, "/etc/passwd");
    vr_auto_free char *group_path = in_root(l, "/etc/group");
    vr_auto_free char *passwd = vr_strf("root:x:0:0:root:/:/bin/sh\n"
                                        "app:x:%u:%u:app:/app:/bin/sh\n",
                                        l->uid, l->gid);
    vr_auto_free char *group = vr_strf("root:x:0:\napp:x:%u:\n", l->gid);
    int r = vr_fs_write(passwd_path, passwd, strlen(passwd), 0644, err);

    return r < 0 ? r : vr_fs_write(group_path, group, strlen(group), 0644, err);
}

static int add_etc(const struct launcher *l, struct vr_err *err)
{
    static const char *const files[] = {
        "/etc/hosts",     "/etc/resolv.conf", "/etc/nsswitch.conf", "/etc/ld.so.cache",
        "/etc/localtime", "/etc/mime.types",  "/etc/services",      "/etc/protocols",
    };
    static const char *const dirs[] = {"/etc/ssl", "/etc/alternatives", "/etc/ca-certificates"};
    int r = make_dir(l, "/etc", err);

    if (!r)
        r = write_accounts(l, err);
    for (size_t i = 0; !r && i < VR_COUNT(files); i++)
        r = bind_file(l, files[i], MOUNT_ATTR_RDONLY | MOUNT_ATTR_NODEV, err);
    for (size_t i = 0; !r && i < VR_COUNT(dirs); i++)
        r = bind_dir(l, dirs[i], err);
    return r;
}

static int add_dev(const struct launcher *l, struct vr_err *err)
{
    static const char *const nodes[] = {"/dev/null", "/dev/zero", "/dev/full", "/dev/random",
                                        "/dev/urandom"};
    static const char *const links[][2] = {{"/proc/self/fd", "/dev/fd"},
                                           {"/proc/self/fd/0", "/dev/stdin"},
                                           {"/proc/self/fd/1", "/dev/stdout"},
                                           {"/proc/self/fd/2", "/dev/stderr"}};
    vr_auto_free char *shm = in_root(l, "/dev/shm");
    int r = make_dir(l, "/dev/shm", err);

    for (size_t i = 0; !r && i < VR_COUNT(nodes); i++)
        r = bind_file(l, nodes[i], 0, err);
    for (size_t i = 0; !r && i < VR_COUNT(links); i++) {
        vr_auto_free char *full = in_root(l, links[i][1]);

        if (symlink(links[i][0], full) < 0)
            r = vr_fail_sys(err, "link %s", links[i][1]);
    }
    if (!r && mount("tmpfs", shm, "tmpfs", MS_NOSUID | MS_NODEV | MS_NOEXEC, SHM_OPTIONS) < 0)
        r = vr_fail_sys(err, "mount /dev/shm");
    return r;
}

static int add_mounts(const struct launcher *l, struct vr_err *err)
{
    for (size_t i = 0; i < l->sandbox.mount_count; i++) {
        const struct vr_sandbox_mount *m = &l->sandbox.mounts[i];
        int r = make_dir(l, m->to, err);

        if (!r)
            r = bind_at(l, m->from, m->to,
                        MOUNT_ATTR_NODEV | (m->is_readonly ? MOUNT_ATTR_RDONLY : 0), err);
        if (r < 0)
            return r;
    }
    return make_dir(l, "/proc", err);
}

static int make_root(const struct launcher *l, struct vr_err *err)
{
    static int (*const parts[])(const struct launcher *, struct vr_err *) = {add_system, add_etc,
                                                                             add_dev, add_mounts};
    int r = 0;

    if (mount(NULL, "/", NULL, MS_REC | MS_SLAVE, NULL) < 0)
        return vr_fail_sys(err, "make the mounts private");
    if (mount("tmpfs", l->sandbox.root, "tmpfs", MS_NOSUID | MS_NODEV, ROOT_OPTIONS) < 0)
        return vr_fail_sys(err, "mount the root on %s", l->sandbox.root);
    for (size_t i = 0; !r && i < VR_COUNT(parts); i++)
        r = parts[i](l, err);
    if (!r && sethostname("build", strlen("build")) < 0)
        r = vr_fail_sys(err, "set the host name");
    return r;
}

/* ---- pid 1 ---- */

static int enter_root(const struct launcher *l, struct vr_err *err)
{
    vr_auto_free char *proc = in_root(l, "/proc");

    if (mount("proc", proc, "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL) < 0)
        return vr_fail_sys(err, "mount /proc");
    /* pivot_root on one and the same folder stacks the old root over the new one. */
    if (chdir(l->sandbox.root) < 0 || syscall(SYS_pivot_root, ".", ".") < 0 ||
        umount2(".", MNT_DETACH) < 0 || chdir("/") < 0)
        return vr_fail_sys(err, "enter the root %s", l->sandbox.root);
    return 0;
}

static int limit_files(int64_t bytes, struct vr_err *err)
{
    struct rlimit none = {0, 0}, files;

    if (setrlimit(RLIMIT_CORE, &none) < 0 || getrlimit(RLIMIT_FSIZE, &files) < 0)
        return vr_fail_sys(err, "limit core files");
    if (!bytes || files.rlim_max < (rlim_t)bytes)
        return 0;
    files.rlim_cur = files.rlim_max = (rlim_t)bytes;
    if (setrlimit(RLIMIT_FSIZE, &files) < 0)
        return vr_fail_sys(err, "limit the size of files");
    return 0;
}

static int drop_privileges(const struct launcher *l, struct vr_err *err)
{
    for (int cap = 0; prctl(PR_CAPBSET_READ, cap, 0, 0, 0) >= 0; cap++)
        if (prctl(PR_CAPBSET_DROP, cap, 0, 0, 0) < 0)
            return vr_fail_sys(err, "drop capability %d", cap);
    if (setgroups(0, NULL) < 0 || setresgid(l->gid, l->gid, l->gid) < 0 ||
        setresuid(l->uid, l->uid, l->uid) < 0)
        return vr_fail_sys(err, "become user %u", l->uid);
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
        return vr_fail_sys(err, "give up new privileges");
    /* A change of user forgets it, so only now. */
    if (prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) < 0)
        return vr_fail_sys(err, "die with the launcher");
    umask(022);
    return 0;
}

static void report(const struct launcher *l, const struct vr_err *err)
{
    vr_ignore(vr_fd_write_all(l->status_fd, err->msg, strlen(err->msg), NULL), "nobody listens");
}

VR_NORETURN static void run_program(const struct launcher *l)
{
    struct vr_err err = VR_ERR_NULL;

    execvp(l->program[0], l->program);
    vr_ignore(vr_fail_sys(&err, "start '%s'", l->program[0]), "reported in the next line");
    report(l, &err);
    _exit(EXIT_SETUP);
}

static int exit_code_of(int status)
{
    return WIFEXITED(status) ? WEXITSTATUS(status) : EXIT_SIGNAL + WTERMSIG(status);
}

/* Wait for any child until `pid` ends: only pid 1 gets orphans, so this loop has its own waits. */
static int reap_until(pid_t pid)
{
    for (;;) {
        int status;
        pid_t ended = waitpid(-1, &status, 0);

        if (ended == pid)
            return exit_code_of(status);
        if (ended < 0 && errno != EINTR)
            return EXIT_SETUP;
    }
}

/* Give up everything and start the program; its pid. */
static int start_program(const struct launcher *l, struct vr_err *err)
{
    pid_t program;
    int r = l->sandbox.root ? enter_root(l, err) : 0;

    if (!r)
        r = limit_files(l->file_bytes, err);
    if (!r)
        r = drop_privileges(l, err);
    if (r < 0)
        return r;
    if (chdir(l->cwd) < 0)
        return vr_fail_sys(err, "user %u: enter %s", l->uid, l->cwd);
    r = vr_build_seccomp_install(err);
    if (r < 0)
        return r;
    program = fork();
    if (program < 0)
        return vr_fail_sys(err, "fork");
    if (!program)
        run_program(l);
    return program;
}

VR_NORETURN static void run_pid_1(const struct launcher *l)
{
    struct vr_err err = VR_ERR_NULL;
    int r = start_program(l, &err);

    if (r < 0) {
        report(l, &err);
        _exit(EXIT_SETUP);
    }
    /* The program could reach this descriptor as /proc/1/fd and forge a report. */
    vr_fd_close(l->status_fd);
    _exit(reap_until(r));
}

/* ---- outer ---- */

static int join_cgroups(const struct launcher *l, struct vr_err *err)
{
    for (size_t i = 0; i < l->cgroup_count; i++) {
        vr_auto_free char *path = vr_strf("%s/cgroup.procs", l->cgroups[i]);
        vr_auto_close int fd = open(path, O_WRONLY | O_CLOEXEC);

        if (fd < 0 || write(fd, "0", 1) != 1)
            return vr_fail_sys(err, "join cgroup %s", l->cgroups[i]);
    }
    return 0;
}

static int launch(const struct launcher *l, struct vr_err *err)
{
    int flags = CLONE_NEWPID | CLONE_NEWIPC;
    pid_t pid;
    int r;

    if (fcntl(l->status_fd, F_SETFD, FD_CLOEXEC) < 0)
        return vr_fail_sys(err, "status descriptor %d", l->status_fd);
    r = join_cgroups(l, err);
    if (r < 0)
        return r;
    if (l->sandbox.root)
        flags |= CLONE_NEWNS | CLONE_NEWUTS;
    if (unshare(flags) < 0)
        return vr_fail_sys(err, "make namespaces");
    if (l->sandbox.root) {
        r = make_root(l, err);
        if (r < 0)
            return r;
    }
    pid = fork();
    if (pid < 0)
        return vr_fail_sys(err, "fork");
    if (!pid)
        run_pid_1(l);
    _exit(reap_until(pid));
}

int vr_sandbox_main(int argc, char **argv)
{
    struct launcher l = {.status_fd = STDERR_FILENO};
    struct vr_err err = VR_ERR_NULL;
    int r;

    r = parse(&l, argc, argv, &err);
    if (!r)
        r = launch(&l, &err);
    if (r < 0)
        report(&l, &err);
    _exit(EXIT_SETUP);
}
