/* SPDX-License-Identifier: MIT */
/* All procs of this host. */
#include "agent/procs.h"

#include "agent/proc.h"
#include "agent/uptest.h"
#include "agent/wish.h"
#include "fmt/json.h"
#include "runtime/shim_client.h"
#include "sys/fs.h"

#include <dirent.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

struct vr_procs {
    struct vr_agent *agent;
    struct vr_proc *list[VR_PROCS_MAX];
    size_t count;
    struct vr_shim_found *found; /* shims of before this program, not claimed yet */
    size_t found_count;
    bool strangers_stopped; /* shims that nobody claims were dealt with */
};

/* Uptests that a former process had under way: nobody waits for them any more. */
static void end_old_uptests(struct vr_procs *procs)
{
    for (size_t i = 0; i < procs->found_count; i++) {
        const char *name = procs->found[i].name;
        vr_auto_free char *dir = vr_strf("%s/procs/%s", procs->agent->config.state_dir, name);
        vr_auto_free char *run_dir = vr_strf("%s/procs/%s", procs->agent->config.run_dir, name);

        if (strstr(name, VR_UPTEST_SUFFIX))
            vr_uptest_remove(procs->agent, dir, run_dir);
    }
}

static bool was_found(const struct vr_procs *procs, const char *name)
{
    for (size_t i = 0; i < procs->found_count; i++)
        if (vr_streq(procs->found[i].name, name))
            return true;
    return false;
}

/* Folders that no shim stands for: of before a reboot, or of a start that was cut short. */
static void remove_strays(const struct vr_procs *procs, const char *parent)
{
    vr_auto_free char *folders = vr_strf("%s/procs", parent);
    DIR *dir = opendir(folders);
    struct dirent *e;

    while (dir && (e = readdir(dir))) {
        vr_auto_free char *path = vr_strf("%s/%s", folders, e->d_name);
        vr_auto_free char *run_dir =
            vr_strf("%s/procs/%s", procs->agent->config.run_dir, e->d_name);

        if (*e->d_name != '.' && !was_found(procs, e->d_name) && !vr_shim_is_alive(run_dir))
            vr_ignore(vr_fs_remove_tree(path, NULL), "tried again at the next start");
    }
    if (dir)
        closedir(dir);
}

struct vr_procs *vr_procs_new(struct vr_agent *agent)
{
    vr_auto_free char *folders = vr_strf("%s/procs", agent->config.run_dir);
    struct vr_procs *procs = vr_alloc(sizeof(*procs));
    struct vr_err err;

    procs->agent = agent;
    if (vr_shim_list(folders, &procs->found, &procs->found_count, &err) < 0) {
        vr_warn(&agent->log, "look for shims: %s", err.msg);
    } else {
        remove_strays(procs, agent->config.state_dir);
        remove_strays(procs, agent->config.run_dir);
    }
    end_old_uptests(procs);
    return procs;
}

struct vr_procs *vr_procs_free(struct vr_procs *procs)
{
    if (!procs)
        return NULL;
    for (size_t i = 0; i < procs->count; i++)
        vr_proc_free(procs->list[i]);
    vr_shim_found_free(procs->found, procs->found_count);
    free(procs);
    return NULL;
}

static struct vr_proc *find(const struct vr_procs *procs, int64_t id)
{
    for (size_t i = 0; i < procs->count; i++)
        if (vr_proc_id(procs->list[i]) == id)
            return procs->list[i];
    return NULL;
}

bool vr_procs_has(const struct vr_procs *procs, int64_t id)
{
    return find(procs, id) != NULL;
}

/* Whether a shim of this proc was found at the start; each is claimed once. */
static bool claim(struct vr_procs *procs, int64_t id)
{
    char name[24];

    snprintf(name, sizeof(name), "%" PRId64, id);
    for (size_t i = 0; i < procs->found_count; i++) {
        if (vr_streq(procs->found[i].name, name)) {
            procs->found[i].name[0] = '\0';
            return true;
        }
    }
    return false;
}

/* The least that a proc needs to be found and stopped, when no wish for it is known. */
static json_t *unwanted(int64_t id)
{
    return json_pack("{s:I, s:I, s:s, s:{s:i}}", "id", (json_int_t)id, "epoch", (json_int_t)0,
                     "desired", "stop", "policy", "stop_secs", 10);
}

/* Shims that were found and are on nobody's list: their procs were destroyed while we were away. */
static void stop_strangers(struct vr_procs *procs)
{
    if (procs->strangers_stopped)
        return;
    procs->strangers_stopped = true;
    for (size_t i = 0; i < procs->found_count && procs->count < VR_PROCS_MAX; i++) {
        vr_auto_json json_t *want = NULL;
        int64_t id;

        if (vr_parse_i64(vr_str(procs->found[i].name), 1, INT64_MAX, &id, NULL) < 0)
            continue; /* claimed, or an uptest's */
        vr_warn(&procs->agent->log, "proc %" PRId64 " is on no list: it is stopped", id);
        want = unwanted(id);
        procs->list[procs->count++] = vr_proc_new(procs->agent, want, true);
    }
}

/* Stop what is not on the list, and forget what has stopped and is not on it. */
static void drop_unlisted(struct vr_procs *procs, const json_t *list)
{
    size_t kept = 0;

    for (size_t i = 0; i < procs->count; i++) {
        struct vr_proc *p = procs->list[i];

        if (vr_wish_lists_id(list, vr_proc_id(p))) {
            procs->list[kept++] = p;
            continue;
        }
        if (vr_proc_actual(p) == VR_PROC_STOPPED) {
            vr_proc_free(p);
            continue;
        }
        vr_proc_stop(p);
        procs->list[kept++] = p;
    }
    procs->count = kept;
}

struct log_folder {
    int64_t id;
};

static int newest_first(const void *a, const void *b)
{
    const struct log_folder *x = a, *y = b;

    return x->id < y->id ? 1 : x->id > y->id ? -1 : 0;
}

/* Logs outlive their procs, so that a failed deploy can be read; ids rise, so the newest stay. */
static void prune_logs(struct vr_procs *procs)
{
    vr_auto_free char *parent = vr_strf("%s/logs", procs->agent->config.state_dir);
    struct log_folder found[4096];
    size_t count = 0;
    struct dirent *e;
    DIR *dir = opendir(parent);

    if (!dir)
        return;
    while ((e = readdir(dir)) && count < VR_COUNT(found)) {
        int64_t id;

        if (vr_parse_i64(vr_str(e->d_name), 1, INT64_MAX, &id, NULL) == 0 && !find(procs, id))
            found[count++].id = id;
    }
    closedir(dir);
    qsort(found, count, sizeof(found[0]), newest_first);
    for (size_t i = VR_PROCS_LOGS_KEPT; i < count; i++) {
        vr_auto_free char *path = vr_strf("%s/%" PRId64, parent, found[i].id);

        vr_ignore(vr_fs_remove_tree(path, NULL), "tried again the next time");
    }
}

void vr_procs_apply(struct vr_procs *procs, const json_t *list, bool is_current)
{
    size_t i;
    json_t *desired;

    json_array_foreach (list, i, desired) {
        int64_t id = json_integer_value(json_object_get(desired, "id"));
        struct vr_proc *p = find(procs, id);

        if (id <= 0)
            continue;
        if (p)
            vr_proc_want(p, desired);
        else if (procs->count < VR_PROCS_MAX)
            procs->list[procs->count++] = vr_proc_new(procs->agent, desired, claim(procs, id));
        else
            vr_error(&procs->agent->log, "more than %d procs: %" PRId64 " is not started",
                     VR_PROCS_MAX, id);
    }
    if (is_current) {
        stop_strangers(procs);
        drop_unlisted(procs, list);
        prune_logs(procs);
    }
}

void vr_procs_report(struct vr_procs *procs, json_t *out, bool all)
{
    size_t test_room = VR_PROCS_TEST_BYTES;

    for (size_t i = 0; i < procs->count; i++) {
        json_t *one = vr_proc_report(procs->list[i], all, &test_room);

        if (one)
            vr_json_push(out, one);
    }
}

size_t vr_procs_count(const struct vr_procs *procs)
{
    return procs->count;
}

const struct vr_proc *vr_procs_at(const struct vr_procs *procs, size_t i)
{
    return procs->list[i];
}

const struct vr_proc *vr_procs_of_id(const struct vr_procs *procs, int64_t id)
{
    return find(procs, id);
}

size_t vr_procs_active(const struct vr_procs *procs)
{
    size_t n = 0;

    for (size_t i = 0; i < procs->count; i++)
        n += vr_proc_actual(procs->list[i]) != VR_PROC_STOPPED;
    return n;
}

void vr_procs_stop_all(struct vr_procs *procs)
{
    stop_strangers(procs);
    for (size_t i = 0; i < procs->count; i++)
        vr_proc_stop(procs->list[i]);
}
