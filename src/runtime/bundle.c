/* SPDX-License-Identifier: MIT */
/* The OCI bundle of one proc.
 *
 * The container's root is one overlay: the proc's upper layer, the slug (which holds app/ only),
 * and the image or the host stack's skeleton. The shim mounts it, so here are only its paths. The
 * configuration is a template: container id and cgroup change with each generation and are filled
 * in by the shim. */
#include "runtime/bundle.h"
#include "core/str.h"
#include "fmt/json.h"
#include "runtime/mount.h"
#include "runtime/seccomp.h"
#include "runtime/start_files.h"
#include "shim/protocol.h"
#include "sys/fs.h"

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#define CPU_PERIOD_US 100000
#define PATH_DEFAULT  "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
#define CONFIG_BYTES  (1 << 20)

/* The first folder on a path that others may not pass, cut out of `path`; false if there is none.
 * The container's root user is one of the others to the host. */
static bool find_closed_folder(char *path)
{
    struct stat st;

    for (char *slash = strchr(path + 1, '/');; slash = strchr(slash + 1, '/')) {
        if (slash)
            *slash = '\0';
        if (!stat(path, &st) && !(st.st_mode & S_IXOTH))
            return true;
        if (!slash)
            return false;
        *slash = '/';
    }
}

bool vr_bundle_wants_userns(const struct vr_bundle_spec *spec, const struct vr_runtime_caps *caps,
                            char why[VR_BUNDLE_WARN_BYTES])
{
    why[0] = '\0';
    if (!caps->has_userns) {
        snprintf(why, VR_BUNDLE_WARN_BYTES, "no user namespace: this host cannot run one");
        return false;
    }
    for (size_t i = 0; i < 2; i++) {
        vr_auto_free char *path = vr_strdup(i ? spec->run_dir : spec->dir);

        if (find_closed_folder(path)) {
            snprintf(why, VR_BUNDLE_WARN_BYTES,
                     "no user namespace: %s must let others pass (mode 0711)", path);
            return false;
        }
    }
    if (spec->image && !caps->has_idmap) {
        snprintf(why, VR_BUNDLE_WARN_BYTES,
                 "no user namespace: this kernel cannot shift the owners of an image");
        return false;
    }
    if (spec->volume_count && !caps->is_crun) {
        snprintf(why, VR_BUNDLE_WARN_BYTES,
                 "no user namespace: volumes in one need crun, this host has another runtime");
        return false;
    }
    for (size_t i = 0; i < spec->volume_count; i++)
        if (!vr_mount_can_idmap(spec->volumes[i].source)) {
            snprintf(why, VR_BUNDLE_WARN_BYTES,
                     "no user namespace: the file system of volume %s cannot be idmapped",
                     spec->volumes[i].source);
            return false;
        }
    return true;
}

/* Absolute, and without what the overlay's options or the shim's configuration cannot carry. */
static int check_path(const char *what, const char *path, struct vr_err *err)
{
    if (!path || *path != '/') {
        vr_fail(err, VR_INVALID, "%s '%s' is no absolute path", what, path ? path : "");
        return -VR_INVALID; /* spelled out, so that the analyzer knows that NULL ends here */
    }
    if (strpbrk(path, ",:\\\n"))
        return vr_fail(err, VR_INVALID, "%s '%s' has one of , : \\ or a newline", what, path);
    return 0;
}

static int check_binds(const char *what, const struct vr_bundle_bind *binds, size_t count,
                       struct vr_err *err)
{
    if (count > VR_BUNDLE_VOLUMES_MAX)
        return vr_fail(err, VR_INVALID, "more than %d %ss", VR_BUNDLE_VOLUMES_MAX, what);
    for (size_t i = 0; i < count; i++) {
        if (*binds[i].source != '/' || *binds[i].target != '/' || !binds[i].target[1] ||
            strstr(binds[i].target, "/../"))
            return vr_fail(err, VR_INVALID, "%s %s at %s: need two absolute paths", what,
                           binds[i].source, binds[i].target);
        if (!vr_fs_exists(binds[i].source))
            return vr_fail(err, VR_NOT_FOUND, "%s %s does not exist on this host", what,
                           binds[i].source);
    }
    return 0;
}

static int check_spec(const struct vr_bundle_spec *spec, struct vr_err *err)
{
    const struct {
        const char *what, *path;
    } paths[] = {
        {"proc folder", spec->dir},
        {"run folder", spec->run_dir},
        {"slug", spec->slug},
        {spec->image ? "image" : "skeleton", spec->image ? spec->image : spec->skeleton},
        {"shim", spec->shim_path},
    };
    int r = 0;

    for (size_t i = 0; r == 0 && i < VR_COUNT(paths); i++)
        r = check_path(paths[i].what, paths[i].path, err);
    if (r == 0)
        r = check_binds("volume", spec->volumes, spec->volume_count, err);
    if (r == 0)
        r = check_binds("bind", spec->binds, spec->bind_count, err);
    if (r < 0)
        return r;
    if (!spec->uid && !spec->userns)
        return vr_fail(err, VR_DENIED, "run_as root needs a user namespace");
    if (spec->userns && (spec->uid >= spec->userns_count || spec->gid >= spec->userns_count))
        return vr_fail(err, VR_INVALID, "uid %u is outside the user namespace's range",
                       (unsigned)spec->uid);
    return 0;
}

static json_t *options(const char *const *words)
{
    json_t *a = json_array();

    for (; *words; words++)
        vr_json_push(a, json_string(*words));
    return a;
}

#define OPTIONS(...) options((const char *const[]){__VA_ARGS__, NULL})

static json_t *mount_of(const char *type, const char *source, const char *target, json_t *opts)
{
    return json_pack("{s:s, s:s, s:s, s:o}", "destination", target, "type", type, "source", source,
                     "options", opts);
}

static void bind_file(json_t *mounts, const char *dir, const char *name, const char *target,
                      bool writable)
{
    vr_auto_free char *source = name ? vr_strf("%s/%s", dir, name) : vr_strdup(dir);

    vr_json_push(mounts, mount_of("bind", source, target,
                                  OPTIONS("bind", writable ? "rw" : "ro", "nosuid", "nodev")));
}

static void add_kernel_mounts(json_t *mounts, const struct vr_bundle_spec *spec)
{
    vr_auto_free char *tmp_size =
        vr_strf("size=%" PRId64, spec->tmp_bytes ? spec->tmp_bytes : VR_BUNDLE_TMP_BYTES);

    vr_json_push(mounts, mount_of("proc", "proc", "/proc", OPTIONS("nosuid", "noexec", "nodev")));
    vr_json_push(mounts, mount_of("tmpfs", "tmpfs", "/dev",
                                  OPTIONS("nosuid", "strictatime", "mode=755", "size=64k")));
    vr_json_push(
        mounts, mount_of("devpts", "devpts", "/dev/pts",
                         OPTIONS("nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620")));
    vr_json_push(mounts, mount_of("tmpfs", "shm", "/dev/shm",
                                  OPTIONS("nosuid", "noexec", "nodev", "mode=1777", "size=64m")));
    vr_json_push(mounts, mount_of("tmpfs", "tmpfs", "/tmp",
                                  OPTIONS("nosuid", "nodev", "mode=1777", tmp_size)));
    /* The kernel gives a sysfs only to the owner of the network namespace, which is the host's. */
    if (!spec->userns)
        vr_json_push(
            mounts, mount_of("sysfs", "sysfs", "/sys", OPTIONS("nosuid", "noexec", "nodev", "ro")));
}

static void add_volumes(json_t *mounts, const struct vr_bundle_spec *spec)
{
    for (size_t i = 0; i < spec->volume_count; i++) {
        const struct vr_bundle_bind *v = &spec->volumes[i];
        json_t *opts = OPTIONS("bind", v->read_only ? "ro" : "rw", "nosuid", "nodev");

        if (spec->userns)
            vr_json_push(opts, json_string("idmap"));
        vr_json_push(mounts, mount_of("bind", v->source, v->target, opts));
    }
    for (size_t i = 0; i < spec->bind_count; i++)
        bind_file(mounts, spec->binds[i].source, NULL, spec->binds[i].target,
                  !spec->binds[i].read_only);
}

static json_t *mounts_of(const struct vr_bundle_spec *spec)
{
    static const char *const host_files[] = {"/etc/hosts", "/etc/resolv.conf"};
    json_t *mounts = json_array();

    add_kernel_mounts(mounts, spec);
    if (!spec->image)
        vr_json_push(mounts,
                     mount_of("bind", "/usr", "/usr", OPTIONS("rbind", "ro", "nosuid", "nodev")));
    for (size_t i = 0; i < VR_COUNT(host_files); i++)
        if (vr_fs_exists(host_files[i]))
            bind_file(mounts, host_files[i], NULL, host_files[i], false);
    bind_file(mounts, spec->shim_path, NULL, "/.init", false);
    bind_file(mounts, spec->run_dir, VR_SHIM_STATUS, "/.exit", true);
    bind_file(mounts, spec->run_dir, "env.sh", "/env.sh", false);
    bind_file(mounts, spec->run_dir, "settings.yaml", "/settings.yaml", false);
    bind_file(mounts, spec->run_dir, "proc.sh", "/proc.sh", false);
    add_volumes(mounts, spec);
    return mounts;
}

/* bash if the root has one, looked up as the container would see it. */
static const char *shell_of(const struct vr_bundle_spec *spec)
{
    struct open_how how = {.flags = O_PATH | O_CLOEXEC, .resolve = RESOLVE_IN_ROOT};
    vr_auto_close int root = open(spec->image ? spec->image : "/", O_PATH | O_CLOEXEC);
    vr_auto_close int fd =
        root < 0 ? -1 : (int)syscall(SYS_openat2, root, "bin/bash", &how, sizeof(how));

    return fd >= 0 ? "/bin/bash" : "/bin/sh";
}

static json_t *args_of(const struct vr_bundle_spec *spec)
{
    static const char *const run[] = {"run", NULL};
    const char *const *words = spec->words ? spec->words : run;
    const char *shell = shell_of(spec);
    /* /proc.sh is sourced and not executed: the same words, and one shell less to start. */
    json_t *args = OPTIONS("/.init", "--init", "--status", "/.exit", "--", shell, "-c",
                           "cd /app; . /env.sh; . /proc.sh", shell);

    for (int i = 0; words[i] && i < VR_BUNDLE_WORDS_MAX; i++)
        vr_json_push(args, vr_json_text(words[i], strlen(words[i])));
    return args;
}

static void warn(struct vr_bundle *out, const char *text)
{
    size_t n = strlen(out->warning);

    snprintf(out->warning + n, sizeof(out->warning) - n, "%s%s", n ? "; " : "", text);
}

static json_t *rlimits_of(const struct vr_bundle_spec *spec, const struct vr_runtime_caps *caps,
                          struct vr_bundle *out)
{
    uint64_t nofile = (uint64_t)spec->nofile;

    if (!spec->nofile)
        return json_array();
    if (nofile > caps->nofile_hard && !caps->can_raise_rlimits) {
        nofile = caps->nofile_hard;
        warn(out, "open files clamped to this host's hard limit");
    }
    return json_pack("[{s:s, s:I, s:I}]", "type", "RLIMIT_NOFILE", "hard", (json_int_t)nofile,
                     "soft", (json_int_t)nofile);
}

static json_t *process_of(const struct vr_bundle_spec *spec, const struct vr_runtime_caps *caps,
                          struct vr_bundle *out)
{
    return json_pack("{s:b, s:{s:i, s:i}, s:o, s:[s], s:s, s:{s:[], s:[], s:[], s:[], s:[]}, s:o,"
                     " s:b}",
                     "terminal", 0, "user", "uid", (int)spec->uid, "gid", (int)spec->gid, "args",
                     args_of(spec), "env", PATH_DEFAULT, "cwd", "/app", "capabilities", "bounding",
                     "effective", "inheritable", "permitted", "ambient", "rlimits",
                     rlimits_of(spec, caps, out), "noNewPrivileges", 1);
}

/* Only the devices that the runtime makes in /dev, and terminals. */
static json_t *devices_of(void)
{
    static const int allowed[][2] = {{1, 3}, {1, 5}, {1, 7}, {1, 8}, {1, 9}, {5, 0}, {5, 2}};
    json_t *devices = json_pack("[{s:b, s:s}]", "allow", 0, "access", "rwm");

    for (size_t i = 0; i < VR_COUNT(allowed); i++)
        vr_json_push(devices,
                     json_pack("{s:b, s:s, s:i, s:i, s:s}", "allow", 1, "type", "c", "major",
                               allowed[i][0], "minor", allowed[i][1], "access", "rwm"));
    vr_json_push(devices, json_pack("{s:b, s:s, s:i, s:s}", "allow", 1, "type", "c", "major", 136,
                                    "access", "rwm"));
    return devices;
}

static json_t *memory_of(const struct vr_bundle_spec *spec, const struct vr_runtime_caps *caps,
                         struct vr_bundle *out)
{
    json_t *memory = json_object();

    if (spec->memory_bytes && !caps->has_memory)
        warn(out, "no memory limit: this host has no memory controller");
    else if (spec->memory_bytes)
        vr_json_set(memory, "limit", json_integer(spec->memory_bytes));
    if (spec->memsw_bytes && !caps->has_memsw)
        warn(out, "no swap limit: this host does not account swap");
    else if (spec->memsw_bytes)
        vr_json_set(memory, "swap", json_integer(spec->memsw_bytes));
    return memory;
}

static json_t *resources_of(const struct vr_bundle_spec *spec, const struct vr_runtime_caps *caps,
                            struct vr_bundle *out)
{
    json_t *resources = json_object();
    json_t *memory = memory_of(spec, caps, out);

    vr_json_set(resources, "devices", devices_of());
    if (json_object_size(memory))
        vr_json_set(resources, "memory", json_incref(memory));
    json_decref(memory);
    if (caps->has_pids)
        vr_json_set(resources, "pids",
                    json_pack("{s:I}", "limit",
                              (json_int_t)(spec->pids ? spec->pids : VR_BUNDLE_PIDS_DEFAULT)));
    else
        warn(out, "no limit of processes: this host has no pids controller");
    if (spec->cpu_milli && caps->has_cpu)
        vr_json_set(resources, "cpu",
                    json_pack("{s:I, s:i}", "quota",
                              (json_int_t)(spec->cpu_milli * CPU_PERIOD_US / 1000), "period",
                              CPU_PERIOD_US));
    else if (spec->cpu_milli)
        warn(out, "no CPU limit: this host has no cpu controller");
    return resources;
}

static json_t *namespaces_of(const struct vr_bundle_spec *spec)
{
    static const char *const types[] = {"pid", "mount", "ipc", "uts", "cgroup"};
    json_t *namespaces = json_array();

    for (size_t i = 0; i < VR_COUNT(types); i++)
        vr_json_push(namespaces, json_pack("{s:s}", "type", types[i]));
    if (spec->userns)
        vr_json_push(namespaces, json_pack("{s:s}", "type", "user"));
    return namespaces;
}

static json_t *id_mapping(const struct vr_bundle_spec *spec)
{
    return json_pack("[{s:i, s:I, s:I}]", "containerID", 0, "hostID", (json_int_t)spec->userns_base,
                     "size", (json_int_t)spec->userns_count);
}

static json_t *linux_of(const struct vr_bundle_spec *spec, const struct vr_runtime_caps *caps,
                        struct vr_bundle *out)
{
    json_t *o =
        json_pack("{s:s, s:o, s:o, s:o}", "cgroupsPath", "@CG@", "namespaces", namespaces_of(spec),
                  "resources", resources_of(spec, caps, out), "seccomp", vr_seccomp_profile());

    vr_json_set(o, "maskedPaths",
                OPTIONS("/proc/acpi", "/proc/asound", "/proc/interrupts", "/proc/kcore",
                        "/proc/keys", "/proc/latency_stats", "/proc/timer_list",
                        "/proc/timer_stats", "/proc/sched_debug", "/proc/scsi", "/sys/firmware",
                        "/sys/devices/virtual/powercap", "/sys/fs/cgroup"));
    vr_json_set(o, "readonlyPaths",
                OPTIONS("/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"));
    if (spec->userns) {
        vr_json_set(o, "uidMappings", id_mapping(spec));
        vr_json_set(o, "gidMappings", id_mapping(spec));
    }
    return o;
}

static int write_config(const struct vr_bundle_spec *spec, const struct vr_runtime_caps *caps,
                        struct vr_bundle *out, struct vr_err *err)
{
    vr_auto_free char *path = vr_strf("%s/" VR_SHIM_CONFIG_TEMPLATE, out->bundle_dir);
    /* A display name may be longer than a host's name can be. */
    vr_auto_free char *hostname =
        vr_strndup(vr_str_is_empty(spec->hostname) ? spec->id : spec->hostname, HOST_NAME_MAX);
    vr_auto_json json_t *config =
        json_pack("{s:s, s:o, s:{s:s, s:b}, s:s, s:o, s:o}", "ociVersion", "1.0.0", "process",
                  process_of(spec, caps, out), "root", "path", out->root, "readonly", 0, "hostname",
                  hostname, "mounts", mounts_of(spec), "linux", linux_of(spec, caps, out));
    vr_auto_free char *text = NULL;

    if (!config)
        return vr_fail(err, VR_INVALID, "a path or the hostname is not UTF-8");
    text = vr_json_dump(config);
    if (strlen(text) > CONFIG_BYTES)
        return vr_fail(err, VR_LIMIT, "configuration of the container over %d bytes", CONFIG_BYTES);
    return vr_fs_write(path, text, strlen(text), 0600, err);
}

static int make_dir(const char *path, mode_t mode, uid_t owner, struct vr_err *err)
{
    int r = vr_fs_mkdir_p(path, mode, err);

    if (r == 0 && (chmod(path, mode) < 0 || chown(path, owner, owner) < 0))
        r = vr_fail_sys(err, "%s", path);
    return r;
}

/* The folders; those above the root are passed by the container's root user, who may be nobody to
 * the host, on the way to it. */
static int make_dirs(const struct vr_bundle_spec *spec, const struct vr_bundle *b, uid_t owner,
                     struct vr_err *err)
{
    const struct {
        const char *path;
        mode_t mode;
        uid_t owner;
    } dirs[] = {
        {spec->dir, 0711, 0},    {spec->run_dir, 0711, 0}, {b->bundle_dir, 0711, 0},
        {b->upper, 0755, owner}, {b->work, 0755, owner},   {b->root, 0755, owner},
    };
    int r = 0;

    for (size_t i = 0; r == 0 && i < VR_COUNT(dirs); i++)
        r = make_dir(dirs[i].path, dirs[i].mode, dirs[i].owner, err);
    return r;
}

static void name_paths(const struct vr_bundle_spec *spec, struct vr_bundle *b)
{
    uint32_t shift = spec->userns ? spec->userns_base : 0;

    b->bundle_dir = vr_strf("%s/bundle", spec->dir);
    b->upper = vr_strf("%s/upper", spec->dir);
    b->work = vr_strf("%s/work", spec->dir);
    b->root = vr_strf("%s/root", spec->dir);
    b->lower = vr_strf("%s:%s", spec->slug, spec->image ? spec->image : spec->skeleton);
    b->status_file = vr_strf("%s/" VR_SHIM_STATUS, spec->run_dir);
    b->host_uid = spec->uid + shift;
    b->host_gid = spec->gid + shift;
}

int vr_bundle_write(const struct vr_bundle_spec *spec, const struct vr_runtime_caps *caps,
                    struct vr_bundle *out, struct vr_err *err)
{
    uid_t owner = spec->userns ? spec->userns_base : 0;
    struct vr_bundle b = {.warning = ""};
    int r = check_spec(spec, err);

    if (r < 0)
        return vr_fail_in(err, r, "container %s", spec->id);
    name_paths(spec, &b);
    r = make_dirs(spec, &b, owner, err);
    if (r == 0)
        r = vr_start_files_write(spec, b.host_uid, b.host_gid, err);
    if (r == 0 && !spec->image)
        r = vr_start_accounts_write(spec, b.upper, owner, err);
    if (r == 0)
        r = write_config(spec, caps, &b, err);
    if (r < 0) {
        vr_bundle_fini(&b);
        return vr_fail_in(err, r, "container %s", spec->id);
    }
    *out = b;
    return 0;
}

void vr_bundle_fini(struct vr_bundle *b)
{
    free(b->bundle_dir);
    free(b->lower);
    free(b->upper);
    free(b->work);
    free(b->root);
    free(b->status_file);
    *b = (struct vr_bundle){.warning = ""};
}

int vr_bundle_remove(const char *dir, const char *run_dir, struct vr_err *err)
{
    int r = vr_fs_remove_tree(dir, err);
    int r2 = vr_fs_remove_tree(run_dir, r < 0 ? NULL : err);

    return r < 0 ? r : r2;
}
