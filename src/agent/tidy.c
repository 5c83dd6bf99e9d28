/* SPDX-License-Identifier: MIT */
/*
 * The janitor of a host.
 *
 * Once a minute mounts and slugs are looked over and the disk is measured. A pass besides removes
 * folders and cgroups of procs that are on no list, and what caches of builds, mirrors of
 * repositories and logs take beyond their budgets. Measuring folders and deleting trees is for
 * children: `du` prints the sizes, what goes is moved to a folder of its own, which vanishes from
 * where it could be used at once, and `rm` deletes that. All of it lies below the agent's own
 * folders, and in cgroups with its own prefix; nothing else is ever looked at.
 */
#include "agent/tidy.h"

#include "agent/bounds.h"
#include "agent/jobs.h"
#include "agent/link.h"
#include "agent/procs.h"
#include "agent/slugs.h"
#include "agent/task.h"
#include "core/clock.h"
#include "fmt/json.h"
#include "runtime/cgroup.h"
#include "runtime/shim_client.h"
#include "sys/fs.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <time.h>

#define DISK_WELL_FACTOR 3 / 2 /* of the low mark: above it the disk is well again */
#define DAY_SECS         86400

/* What is bounded together: the caches of builds, mirrors of repositories, the logs of procs. */
struct kind {
    const char *name, *place; /* below the state folder */
    struct vr_folders folders;
};

enum { CACHES, MIRRORS, LOGS, KINDS };

struct note {
    const char *kind; /* freed, disk */
    char *message;
};

struct vr_tidy {
    struct vr_agent *agent;
    struct vr_log log;
    struct vr_timer *timer;
    struct vr_task *du, *rm;
    struct vr_mono next_pass;
    int64_t wanted_n; /* -1: the server has not spoken */
    struct kind kinds[KINDS];
    char **suspects; /* cgroups without an owner in the last pass */
    size_t suspect_count;
    struct vr_buf told; /* of this pass */
    int64_t trash_n;
    bool disk_is_low;
    struct note notes[VR_TIDY_NOTES_MAX];
    size_t note_count, notes_sent;
};

/* ------------------------------------------------------------------ what is told */

static void note(struct vr_tidy *t, const char *kind, const char *message)
{
    if (vr_streq(kind, "disk"))
        vr_warn(&t->log, "%s", message);
    else
        vr_info(&t->log, "%s", message);
    if (t->note_count == VR_TIDY_NOTES_MAX)
        return;
    t->notes[t->note_count++] = (struct note){kind, vr_strdup(message)};
    vr_link_changed(t->agent->link);
}

json_t *vr_tidy_report(struct vr_tidy *t)
{
    json_t *out;

    t->notes_sent = t->note_count;
    if (!t->note_count)
        return NULL;
    out = json_array();
    for (size_t i = 0; i < t->note_count; i++)
        vr_json_push(
            out, json_pack("{s:s, s:s}", "kind", t->notes[i].kind, "message", t->notes[i].message));
    return out;
}

void vr_tidy_reported(struct vr_tidy *t, bool arrived)
{
    size_t n = arrived ? t->notes_sent : 0;

    for (size_t i = 0; i < n; i++)
        free(t->notes[i].message);
    memmove(t->notes, t->notes + n, (t->note_count - n) * sizeof(*t->notes));
    t->note_count -= n;
    t->notes_sent = 0;
}

static void tell(struct vr_tidy *t, int64_t count, const char *what, int64_t bytes)
{
    if (count)
        vr_buf_addf(&t->told, "%s%" PRId64 " %s (%" PRId64 " MiB)", t->told.len ? ", " : "removed ",
                    count, what, bytes >> 20);
}

/* ------------------------------------------------------------------ the disk */

static void look_at_disk(struct vr_tidy *t)
{
    const struct vr_agent_config *c = &t->agent->config;
    struct statvfs fs;
    int64_t free_bytes, total, low;
    char message[300];

    if (statvfs(c->state_dir, &fs) < 0)
        return;
    free_bytes = (int64_t)fs.f_bavail * (int64_t)fs.f_frsize;
    total = (int64_t)fs.f_blocks * (int64_t)fs.f_frsize;
    low = total / 100 * c->disk_low_percent;
    if (low < c->min_free_bytes)
        low = c->min_free_bytes;
    if (t->disk_is_low && free_bytes > low * DISK_WELL_FACTOR) {
        t->disk_is_low = false;
        snprintf(message, sizeof(message), "the disk of '%.150s' has room again: %" PRId64 " MiB",
                 c->state_dir, free_bytes >> 20);
        note(t, "disk", message);
    } else if (!t->disk_is_low && free_bytes < low) {
        t->disk_is_low = true;
        snprintf(message, sizeof(message),
                 "the disk of '%.150s' is nearly full: %" PRId64 " of %" PRId64 " MiB are free",
                 c->state_dir, free_bytes >> 20, total >> 20);
        note(t, "disk", message);
    }
}

/* ------------------------------------------------------------------ slugs */

static void tidy_slugs(struct vr_tidy *t)
{
    const struct vr_agent_config *c = &t->agent->config;
    const json_t *desired = vr_link_current(t->agent->link);
    struct vr_slugs_limits limits = {c->blob_budget_bytes, c->blob_age_days * DAY_SECS};
    struct vr_slugs_freed freed = {0};
    vr_auto_free char *message = NULL;

    vr_slugs_collect(t->agent->slugs, json_object_get(desired, "blobs_keep"), &limits, &freed);
    if (!freed.count)
        return;
    message = vr_strf("removed %" PRId64 " slugs (%" PRId64 " MiB); %" PRId64 " stay (%" PRId64
                      " MiB), %" PRId64 " of them are needed",
                      freed.count, freed.bytes >> 20, freed.kept_count, freed.kept_bytes >> 20,
                      freed.needed_count);
    note(t, "freed", message);
}

/* ------------------------------------------------------------------ strays */

/* "12", "12.test3-5": the number of a proc; 0 if it is none. */
static int64_t id_of(const char *name)
{
    size_t n = strspn(name, "0123456789");
    int64_t id;

    if (name[n] != '\0' && name[n] != '.')
        return 0;
    return vr_parse_i64((struct vr_str){name, n}, 1, INT64_MAX, &id, NULL) == 0 ? id : 0;
}

static bool has_owner(const struct vr_tidy *t, int64_t id, const char *name)
{
    vr_auto_free char *run_dir = vr_strf("%s/procs/%s", t->agent->config.run_dir, name);

    return vr_procs_of_id(t->agent->procs, id) || vr_shim_is_alive(run_dir);
}

static bool move_to_trash(struct vr_tidy *t, const char *path)
{
    vr_auto_free char *trash = vr_strf("%s/trash", t->agent->config.state_dir);
    vr_auto_free char *to = vr_strf("%s/%" PRId64 ".%" PRId64, trash, vr_wall_now().us, t->trash_n);

    t->trash_n++;
    if (vr_fs_mkdir_p(trash, 0700, NULL) == 0 && rename(path, to) == 0)
        return true;
    vr_warn(&t->log, "remove '%s': %s", path, strerrordesc_np(errno));
    return false;
}

static bool remove_stray(void *arg, const char *path)
{
    struct vr_tidy *t = arg;
    const char *name = strrchr(path, '/') + 1;
    int64_t id = id_of(name);

    return id && !has_owner(t, id, name) && move_to_trash(t, path);
}

/* Folders of procs that are on no list and have no shim. */
static void tidy_folders(struct vr_tidy *t)
{
    vr_auto_free char *parent = vr_strf("%s/procs", t->agent->config.state_dir);

    tell(t, vr_bounds_strays(parent, time(NULL), VR_TIDY_STRAY_SECS, remove_stray, t),
         "folders of procs that are gone", 0);
}

static bool was_suspect(const struct vr_tidy *t, const char *name)
{
    for (size_t i = 0; i < t->suspect_count; i++)
        if (vr_streq(t->suspects[i], name))
            return true;
    return false;
}

static void remove_cgroup(struct vr_tidy *t, const char *name)
{
    vr_auto_free char *path = vr_strf(VR_CGROUP_PROCS "/%s", name);
    enum vr_cgroup_layout layout = t->agent->caps.cgroups;
    struct vr_err err;

    if (vr_cgroup_kill(layout, path, &err) < 0 || vr_cgroup_remove(layout, path, &err) < 0)
        vr_warn(&t->log, "remove cgroup '%s': %s", path, err.msg);
}

/*
 * Cgroups with our prefix that belong to no proc of ours. One that is about to get its proc, or to
 * lose its last process, is not there for two passes.
 */
static void tidy_cgroups(struct vr_tidy *t)
{
    const char *prefix = t->agent->container_prefix;
    char **names = NULL;
    size_t n = 0, kept = 0;
    int64_t count = 0;
    struct vr_err err;

    if (vr_cgroup_list(t->agent->caps.cgroups, VR_CGROUP_PROCS, &names, &n, &err) < 0)
        return;
    for (size_t i = 0; i < n; i++) {
        int64_t id = vr_str_has_prefix(names[i], prefix) ? id_of(names[i] + strlen(prefix)) : 0;
        vr_auto_free char *name = vr_strf("%" PRId64, id);
        bool is_stray = id && !has_owner(t, id, name);

        if (is_stray && was_suspect(t, names[i])) {
            remove_cgroup(t, names[i]);
            count++;
        } else if (is_stray) {
            char *first = names[kept];

            names[kept++] = names[i];
            names[i] = first;
        }
    }
    vr_cgroup_list_free(t->suspects, t->suspect_count);
    for (size_t i = kept; i < n; i++)
        free(names[i]);
    t->suspects = names;
    t->suspect_count = kept;
    tell(t, count, "cgroups without an owner", 0);
}

/* ------------------------------------------------------------------ caches and logs */

/* A line of du: bytes, a tab, a path. */
static void measured(void *arg, const char *line, size_t n)
{
    struct vr_tidy *t = arg;
    const char *tab = memchr(line, '\t', n);
    struct stat st;
    int64_t bytes;

    if (!tab ||
        vr_parse_i64((struct vr_str){line, (size_t)(tab - line)}, 0, INT64_MAX, &bytes, NULL) < 0)
        return;
    for (int i = 0; i < KINDS; i++) {
        struct kind *k = &t->kinds[i];
        vr_auto_free char *place = vr_strf("%s/%s/", t->agent->config.state_dir, k->place);
        vr_auto_free char *path = vr_strndup(tab + 1, n - (size_t)(tab - line) - 1);

        if (vr_str_has_prefix(path, place) && lstat(path, &st) == 0)
            vr_folders_add(&k->folders, path, bytes, st.st_mtime);
    }
}

static bool remove_cache(void *arg, const char *path)
{
    return move_to_trash(arg, path);
}

/* A mirror is whose lock of the same name (build/vcs.h) is held. */
static bool remove_mirror(void *arg, const char *path)
{
    struct vr_tidy *t = arg;
    vr_auto_free char *lock =
        vr_strf("%s/build/locks/%s", t->agent->config.state_dir, strrchr(path, '/') + 1);
    vr_auto_close int fd = vr_fs_lock(lock, NULL);

    return fd >= 0 && move_to_trash(t, path);
}

static bool remove_log(void *arg, const char *path)
{
    struct vr_tidy *t = arg;
    int64_t id = id_of(strrchr(path, '/') + 1);

    return id && !vr_procs_of_id(t->agent->procs, id) && move_to_trash(t, path);
}

static void bound(struct vr_tidy *t, int which, struct vr_bound limits, vr_bounds_remove_fn *remove)
{
    struct kind *k = &t->kinds[which];
    int64_t freed = 0;
    int64_t count = vr_folders_bound(&k->folders, &limits, time(NULL), remove, t, &freed);

    tell(t, count, k->name, freed);
}

static void removed(void *arg, struct vr_exit how)
{
    struct vr_tidy *t = arg;

    t->rm = vr_task_free(t->rm);
}

/* The pass is over: its trash is taken out, and what it did is told. */
static void finish(struct vr_tidy *t)
{
    vr_auto_free char *trash = vr_strf("%s/trash", t->agent->config.state_dir);
    const char *argv[] = {"/bin/rm", "-rf", "--one-file-system", "--", trash, NULL};
    struct vr_task_spec spec = {.argv = argv, .on_done = removed, .arg = t};
    struct vr_err err;

    if (vr_fs_exists(trash) && !t->rm && vr_task_start(&t->agent->loop, &spec, &t->rm, &err) < 0)
        vr_warn(&t->log, "remove '%s': %s", trash, err.msg);
    if (t->told.len)
        note(t, "freed", vr_buf_text(&t->told));
    vr_buf_fini(&t->told);
    for (int i = 0; i < KINDS; i++)
        vr_folders_fini(&t->kinds[i].folders);
}

static void all_measured(void *arg, struct vr_exit how)
{
    struct vr_tidy *t = arg;
    const struct vr_agent_config *c = &t->agent->config;

    t->du = vr_task_free(t->du);
    if (vr_jobs_count(t->agent->jobs) == 0) { /* a build may be copying its cache */
        bound(t, CACHES,
              (struct vr_bound){c->cache_budget_bytes, c->app_cache_budget_bytes,
                                c->cache_age_days * DAY_SECS},
              remove_cache);
        bound(t, MIRRORS,
              (struct vr_bound){c->mirror_budget_bytes, 0, c->mirror_age_days * DAY_SECS},
              remove_mirror);
    }
    bound(t, LOGS, (struct vr_bound){c->log_budget_bytes, 0, 0}, remove_log);
    finish(t);
}

static void measure(struct vr_tidy *t)
{
    const char *argv[6 + KINDS] = {"/usr/bin/du", "-x", "-B1", "--max-depth=1", "--"};
    char *places[KINDS] = {NULL};
    size_t n = 5;
    struct vr_task_spec spec = {
        .argv = argv, .on_line = measured, .on_done = all_measured, .arg = t};
    struct vr_err err;
    int r;

    for (int i = 0; i < KINDS; i++) {
        places[i] = vr_strf("%s/%s", t->agent->config.state_dir, t->kinds[i].place);
        if (vr_fs_exists(places[i]))
            argv[n++] = places[i];
    }
    r = n == 5 ? 0 : vr_task_start(&t->agent->loop, &spec, &t->du, &err);
    for (int i = 0; i < KINDS; i++)
        free(places[i]);
    if (n > 5 && r == 0)
        return;
    if (r < 0)
        vr_warn(&t->log, "measure folders: %s", err.msg);
    finish(t);
}

/* ------------------------------------------------------------------ passes */

static void pass(struct vr_tidy *t)
{
    t->next_pass = vr_mono_add_ms(vr_mono_now(), VR_TIDY_PASS_MS);
    t->told = VR_BUF(4000);
    if (t->agent->leftover_count == 0) { /* else something is being removed right now */
        tidy_folders(t);
        tidy_cgroups(t);
    }
    measure(t);
}

static void look(void *arg)
{
    struct vr_tidy *t = arg;

    vr_timer_arm(t->timer, VR_TIDY_LOOK_MS);
    look_at_disk(t);
    if (!vr_link_current(t->agent->link))
        return;
    tidy_slugs(t);
    if (!t->du && vr_mono_now().ns >= t->next_pass.ns)
        pass(t);
}

void vr_tidy_want(struct vr_tidy *t, int64_t n)
{
    bool is_new = t->wanted_n >= 0 && n != t->wanted_n;

    t->wanted_n = n;
    if (!is_new)
        return;
    t->next_pass = (struct vr_mono){0};
    vr_timer_arm(t->timer, 0);
}

void vr_tidy_start(struct vr_tidy *t)
{
    vr_timer_arm(t->timer, VR_TIDY_LOOK_MS);
}

struct vr_tidy *vr_tidy_new(struct vr_agent *agent)
{
    struct vr_tidy *t = vr_alloc(sizeof(*t));

    t->agent = agent;
    vr_log_init(&t->log, &agent->log, "part", "janitor");
    t->timer = vr_timer_new(&agent->loop, look, t);
    t->next_pass = vr_mono_add_ms(vr_mono_now(), VR_TIDY_PASS_MS);
    t->wanted_n = -1;
    t->kinds[CACHES] = (struct kind){.name = "caches of builds", .place = "build/cache"};
    t->kinds[MIRRORS] = (struct kind){.name = "mirrors of repositories", .place = "build/repo"};
    t->kinds[LOGS] = (struct kind){.name = "logs of procs that are gone", .place = "logs"};
    return t;
}

struct vr_tidy *vr_tidy_free(struct vr_tidy *t)
{
    if (!t)
        return NULL;
    t->timer = vr_timer_free(t->timer);
    t->du = vr_task_free(t->du);
    t->rm = vr_task_free(t->rm);
    t->notes_sent = t->note_count;
    vr_tidy_reported(t, true);
    vr_cgroup_list_free(t->suspects, t->suspect_count);
    for (int i = 0; i < KINDS; i++)
        vr_folders_fini(&t->kinds[i].folders);
    vr_buf_fini(&t->told);
    free(t);
    return NULL;
}
