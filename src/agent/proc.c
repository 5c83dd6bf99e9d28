/* SPDX-License-Identifier: MIT */
/*
 * One proc of this host.
 *
 * A proc goes through stages, each of which ends in a callback of the loop and names the next:
 *
 *   slug     vr_slugs_prepare() fetches and mounts what it runs from          (fetching)
 *   launch   bundle written, port looked at, shim started and subscribed to   (starting)
 *   ready    polled until something of its cgroup listens                     (starting → running)
 *   up       the shim says what happens: back-off, running again, fatal
 *   stop     the shim was told to stop; then everything of it is removed      (stopping → stopped)
 *
 * What the shim does alone (restarts) is only followed here, so that nothing depends on this
 * program being alive. A new wish never interrupts a stage half done: reconcile() is called after
 * each and compares wish and stage again.
 */
#include "agent/proc.h"

#include "agent/link.h"
#include "agent/proc_exit.h"
#include "agent/proc_log.h"
#include "agent/slugs.h"
#include "agent/task.h"
#include "agent/uptest.h"
#include "agent/wish.h"
#include "core/clock.h"
#include "fmt/json.h"
#include "fmt/utf8.h"
#include "runtime/listen.h"
#include "runtime/shim_client.h"
#include "sys/fs.h"
#include "sys/sock.h"

#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

enum stage {
    STAGE_IDLE,     /* nothing of it exists */
    STAGE_SLUG,     /* waiting for the slug */
    STAGE_UP,       /* it has a shim */
    STAGE_STOPPING, /* the shim was told to stop, or a dead one's remains are cleaned */
};

static const char *const actual_names[] = {
    [VR_PROC_ASSIGNED] = "assigned", [VR_PROC_FETCHING] = "fetching",
    [VR_PROC_STARTING] = "starting", [VR_PROC_RUNNING] = "running",
    [VR_PROC_BACKOFF] = "backoff",   [VR_PROC_STOPPING] = "stopping",
    [VR_PROC_STOPPED] = "stopped",   [VR_PROC_FATAL] = "fatal",
};

struct vr_proc {
    struct vr_agent *agent;
    struct vr_log log;
    json_t *want;
    int64_t id;
    char id_text[24];
    char container[40]; /* the prefix and the id */
    char *dir;          /* on disk: the overlay's upper layer */
    char *run_dir;      /* on tmpfs: the shim's socket and state, secrets */
    char *log_path;
    bool runs_wanted; /* the wish is `run`, not `stop` or `held` */

    enum stage stage;
    enum vr_proc_actual actual;
    int64_t since_us;
    const char *code; /* of the protocol; "" if nothing is wrong */
    char message[VR_PROC_MESSAGE_BYTES];
    char *log_tail;
    bool dirty;

    struct vr_slug_wait *slug_wait;
    char *slug_path;
    bool userns;
    uid_t uid;
    gid_t gid;

    struct vr_shim *shim;
    struct vr_watch *shim_watch;
    struct vr_shim_state state;
    int64_t generation; /* the one that `ready` is about */
    bool ready;
    bool was_ready; /* any generation was */
    bool adopting;  /* found at our start and not yet seen as it is: nothing is reported of it */
    int adopt_tries;
    bool stopped_well; /* the shim has ended what it ran, and was told to quit */
    struct vr_timer *ready_timer;
    struct vr_timer *adopt_timer; /* until the lock of a dead shim is free */
    int adopt_looks;
    int64_t ready_wait_ms;
    struct vr_mono start_deadline;
    struct vr_task *cleaner;

    struct vr_uptest *test;
    int64_t test_n; /* the number that `test` answers */
    int64_t test_done;
    json_t *test_report;
    size_t test_bytes; /* of its text */
    int64_t restart_done;
    bool restarting;
};

static void reconcile(struct vr_proc *p);
static void launch(struct vr_proc *p, bool adopt);

static const json_t *policy(const struct vr_proc *p)
{
    return json_object_get(p->want, "policy");
}

static void changed(struct vr_proc *p)
{
    p->dirty = true;
    vr_link_changed(p->agent->link);
}

static void set_actual(struct vr_proc *p, enum vr_proc_actual actual)
{
    if (p->actual == actual)
        return;
    vr_info(&p->log, "%s -> %s", actual_names[p->actual], actual_names[actual]);
    p->actual = actual;
    p->since_us = vr_wall_now().us;
    changed(p);
}

static void set_message(struct vr_proc *p, const char *code, const char *message)
{
    p->code = code;
    snprintf(p->message, sizeof(p->message), "%s", message);
    /* Cut where a character ends: half a one is no text for a report. */
    p->message[vr_utf8_valid_bytes(vr_str(p->message))] = '\0';
    changed(p);
}

static void keep_log_tail(struct vr_proc *p)
{
    free(p->log_tail);
    p->log_tail = vr_proc_log_tail(p->log_path);
}

/* It failed for good: nothing happens until the wish changes. */
static void fatal(struct vr_proc *p, const char *code, const char *message)
{
    p->adopting = false;
    vr_warn(&p->log, "fatal (%s): %s", code, message);
    keep_log_tail(p);
    set_message(p, code, message);
    set_actual(p, VR_PROC_FATAL);
}

static void drop_shim(struct vr_proc *p)
{
    p->shim_watch = vr_watch_free(p->shim_watch);
    p->shim = vr_shim_close(p->shim);
}

/* ------------------------------------------------------------------ removal */

static void removed(struct vr_proc *p)
{
    struct vr_err err;

    if (vr_bundle_remove(p->dir, p->run_dir, &err) < 0)
        vr_warn(&p->log, "remove its folders: %s", err.msg);
    p->stage = STAGE_IDLE;
    p->ready = p->was_ready = p->adopting = p->stopped_well = false;
    p->generation = 0;
    p->state = (struct vr_shim_state){0};
    p->adopt_tries = 0;
    free(p->slug_path);
    p->slug_path = NULL;
    if (p->restarting || p->runs_wanted) {
        set_actual(p, VR_PROC_ASSIGNED);
    } else {
        set_actual(p, VR_PROC_STOPPED);
    }
    p->restarting = false;
    reconcile(p);
}

static void cleaned(void *arg, struct vr_exit how)
{
    struct vr_proc *p = arg;

    p->cleaner = vr_task_free(p->cleaner);
    if (how.code != 0)
        vr_warn(&p->log, "the clean-up ended with code %d", how.code);
    removed(p);
}

/* Whatever a shim left behind goes: container, cgroup, then the folders. */
static void clean(struct vr_proc *p)
{
    const char *argv[4];
    struct vr_task_spec spec = {.argv = argv, .on_done = cleaned, .arg = p};
    struct vr_err err;

    drop_shim(p);
    vr_timer_disarm(p->adopt_timer);
    p->stage = STAGE_STOPPING;
    if (!vr_fs_exists(p->run_dir)) {
        removed(p);
        return;
    }
    vr_shim_clean_argv(p->agent->config.shim, p->run_dir, argv);
    if (vr_task_start(&p->agent->loop, &spec, &p->cleaner, &err) < 0) {
        vr_warn(&p->log, "clean up: %s", err.msg);
        removed(p);
    }
}

static bool is_forced(const struct vr_proc *p)
{
    return json_is_true(json_object_get(p->want, "force"));
}

static void stop(struct vr_proc *p)
{
    int64_t grace_ms = vr_wish_number(policy(p), "stop_secs", 10) * 1000;
    int r;

    vr_slugs_cancel(p->slug_wait);
    p->slug_wait = NULL;
    p->test = vr_uptest_free(p->test);
    vr_timer_disarm(p->ready_timer);
    if (p->stage == STAGE_SLUG || (p->stage == STAGE_UP && !p->shim)) {
        clean(p);
        return;
    }
    if (p->stage != STAGE_UP)
        return;
    p->stage = STAGE_STOPPING;
    set_actual(p, VR_PROC_STOPPING);
    r = is_forced(p) ? vr_shim_kill(p->shim, NULL) : vr_shim_stop(p->shim, grace_ms, SIGTERM, NULL);
    if (r < 0)
        clean(p);
}

/* ------------------------------------------------------------------ readiness */

static bool is_listening(struct vr_proc *p, bool *out_stranger)
{
    int64_t port = vr_wish_number(p->want, "port", 0);
    struct vr_listener who;
    struct vr_err err;

    *out_stranger = false;
    if (port == 0 || !json_is_true(json_object_get(policy(p), "listen")))
        return true;
    if (vr_listen_check(p->agent->caps.cgroups, p->state.cgroup, (uint16_t)port, &who, &err) < 0)
        return false;
    if (who.who == VR_LISTEN_STRANGER) {
        char message[VR_PROC_MESSAGE_BYTES];

        snprintf(message, sizeof(message), "port %" PRId64 " is taken by %s (pid %d)", port,
                 *who.comm ? who.comm : "another program", (int)who.pid);
        *out_stranger = true;
        fatal(p, "port_taken", message);
    }
    return who.who == VR_LISTEN_OURS;
}

static int64_t uptime_ms(const struct vr_proc *p)
{
    return (vr_wall_now().us - p->state.started_us) / 1000;
}

static int64_t start_secs(const struct vr_proc *p)
{
    int64_t secs = vr_wish_number(policy(p), "start_secs", -1);

    if (secs >= 0)
        return secs;
    return vr_uptest_count(p->slug_path, vr_wish_text(p->want, "proc_name")) ? 0 : 1;
}

static void start_timed_out(struct vr_proc *p)
{
    char message[VR_PROC_MESSAGE_BYTES];
    int64_t port = vr_wish_number(p->want, "port", 0);

    snprintf(message, sizeof(message), "nothing listened on port %" PRId64 " within %" PRId64 " s",
             port, vr_wish_number(policy(p), "start_timeout_secs", 60));
    fatal(p, "start_timeout", message);
    vr_ignore(vr_shim_kill(p->shim, NULL), "a dead shim is noticed by its socket");
}

/* Look whether the running generation is ready; ask again soon if it is not. */
static void check_ready(void *arg)
{
    struct vr_proc *p = arg;
    bool stranger;

    if (p->stage != STAGE_UP || !p->shim || p->state.phase != VR_SHIM_RUNNING || p->ready)
        return;
    if (is_listening(p, &stranger) && uptime_ms(p) >= start_secs(p) * 1000) {
        p->ready = p->was_ready = true;
        p->adopting = false;
        set_message(p, "", "");
        set_actual(p, VR_PROC_RUNNING);
        reconcile(p);
        return;
    }
    if (stranger) {
        vr_ignore(vr_shim_kill(p->shim, NULL), "a dead shim is noticed by its socket");
        return;
    }
    if (p->adopting) { /* it runs, and has stopped listening while nobody looked */
        p->adopting = false;
        set_actual(p, VR_PROC_STARTING);
    }
    if (!p->was_ready && vr_mono_now().ns >= p->start_deadline.ns) {
        start_timed_out(p);
        return;
    }
    p->ready_wait_ms += p->ready_wait_ms / 2 + 1;
    if (p->ready_wait_ms > VR_PROC_READY_SLOWEST_MS)
        p->ready_wait_ms = VR_PROC_READY_SLOWEST_MS;
    vr_timer_arm(p->ready_timer, p->ready_wait_ms);
}

static void watch_readiness(struct vr_proc *p)
{
    p->ready_wait_ms = VR_PROC_READY_FIRST_MS;
    vr_timer_arm(p->ready_timer, p->ready_wait_ms);
}

/* ------------------------------------------------------------------ the shim's news */

static void lost_generation(struct vr_proc *p)
{
    p->ready = false;
    vr_timer_disarm(p->ready_timer);
    p->test = vr_uptest_free(p->test);
}

static void follow_shim(struct vr_proc *p, const struct vr_shim_state *s)
{
    char how[VR_PROC_MESSAGE_BYTES];

    if (s->generation != p->generation || s->phase != VR_SHIM_RUNNING)
        lost_generation(p);
    p->state = *s;
    if (*s->why)
        snprintf(how, sizeof(how), "%s", s->why);
    else
        vr_proc_exit_describe(&s->exit, how, sizeof(how));
    switch (s->phase) {
    case VR_SHIM_RUNNING:
        if (p->generation == s->generation && p->ready)
            return;
        p->generation = s->generation;
        if (p->adopting) {
            p->since_us = s->started_us;
            check_ready(p);
            return;
        }
        /* An app that came back is in back-off until it is seen to be ready again. */
        if (p->actual != VR_PROC_BACKOFF && p->actual != VR_PROC_FATAL)
            set_actual(p, p->was_ready ? VR_PROC_BACKOFF : VR_PROC_STARTING);
        watch_readiness(p);
        break;
    case VR_SHIM_STARTING:
    case VR_SHIM_BACKOFF:
        p->adopting = false;
        if (s->exit.generation) {
            set_message(p, "crashed", how);
            set_actual(p, VR_PROC_BACKOFF);
        }
        break;
    case VR_SHIM_FATAL:
    case VR_SHIM_EXITED:
        fatal(p,
              vr_proc_exit_is_refused(&s->exit) ? "runtime_failed"
              : p->was_ready                    ? "crashed"
                                                : "exited",
              how);
        break;
    case VR_SHIM_STOPPED:
        /* The agent before us was stopping it, only to start it again. */
        if (p->adopting) {
            p->adopting = false;
            p->restarting = true;
            stop(p);
            return;
        }
        break;
    case VR_SHIM_STOPPING:
        break;
    }
    changed(p);
}

/* A process that is being killed closes its socket a moment before its lock: wait for that. */
static void take_over(void *arg)
{
    struct vr_proc *p = arg;

    if (p->stage != STAGE_UP || p->shim)
        return;
    if (vr_shim_is_alive(p->run_dir) && p->adopt_looks++ < VR_PROC_ADOPT_LOOKS)
        vr_timer_arm(p->adopt_timer, VR_PROC_ADOPT_LOOK_MS);
    else
        launch(p, true);
}

/* The shim is gone without having been told: a new one takes the app over. */
static void lost_shim(struct vr_proc *p)
{
    drop_shim(p);
    if (p->stopped_well) {
        removed(p);
        return;
    }
    if (p->stage == STAGE_STOPPING || p->adopt_tries++ >= VR_PROC_ADOPT_TRIES) {
        clean(p);
        return;
    }
    vr_warn(&p->log, "its shim died; a new one takes over");
    p->adopt_looks = 0;
    take_over(p);
}

static void shim_speaks(void *arg)
{
    struct vr_proc *p = arg;
    struct vr_shim_event event;
    struct vr_err err;
    int r;

    while (p->shim && (r = vr_shim_next(p->shim, &event, &err)) != 0) {
        if (r < 0) {
            lost_shim(p);
            return;
        }
        if (event.kind == VR_SHIM_EVENT_STOPPED && p->stage == STAGE_STOPPING) {
            p->state = event.state;
            p->stopped_well = vr_shim_quit(p->shim, NULL) == 0;
            continue; /* its end of the connection is the end of the shim */
        }
        if (event.kind == VR_SHIM_EVENT_STATE && p->stage == STAGE_UP)
            follow_shim(p, &event.state);
        else if (event.kind == VR_SHIM_EVENT_ERROR)
            vr_warn(&p->log, "shim: %s", event.message);
    }
}

/* ------------------------------------------------------------------ launching */

/* The terms of its containers; released by vr_wish_bundle_fini() in any case. */
static int fill_spec(struct vr_proc *p, struct vr_wish_bundle *out, struct vr_err *err)
{
    struct vr_wish_place place = {.agent = p->agent,
                                  .container = p->container,
                                  .dir = p->dir,
                                  .run_dir = p->run_dir,
                                  .slug = p->slug_path,
                                  .uid = p->uid,
                                  .gid = p->gid,
                                  .userns = p->userns};

    return vr_wish_bundle_init(out, &place, p->want, err);
}

static int write_bundle(struct vr_proc *p, struct vr_bundle *out, struct vr_err *err)
{
    struct vr_wish_bundle made;
    int r = fill_spec(p, &made, err);

    if (r == 0)
        r = vr_wish_bundle_complete(&made, p->agent, p->want, err);
    if (r == 0)
        r = vr_bundle_write(&made.spec, &p->agent->caps, out, err);
    vr_wish_bundle_fini(&made);
    return r;
}

static int start_shim(struct vr_proc *p, bool adopt, struct vr_err *err)
{
    struct vr_bundle bundle = {0};
    vr_auto_free char *runtime_root = vr_strf("%s/runtime", p->agent->config.run_dir);
    struct vr_shim_spec spec = {
        .dir = p->run_dir,
        .log = p->log_path,
        .id = p->container,
        .bundle = &bundle,
        .caps = &p->agent->caps,
        .runtime_root = runtime_root,
        .uid = p->uid,
        .gid = p->gid,
        .max_restarts = (int)vr_wish_number(policy(p), "max_restarts", 5),
        .restart_window_ms = vr_wish_number(policy(p), "restart_window_secs", 60) * 1000,
    };
    int r;

    if (!adopt) {
        r = write_bundle(p, &bundle, err);
        if (r == 0 && *bundle.warning)
            vr_warn(&p->log, "%s", bundle.warning);
        if (r == 0)
            r = vr_shim_configure(&spec, err);
        vr_bundle_fini(&bundle);
        if (r < 0)
            return r;
    }
    r = vr_shim_start(p->agent->config.shim, p->run_dir, adopt, err);
    return r == -VR_BUSY ? 0 : r; /* one that runs there is what we want */
}

static int follow(struct vr_proc *p, struct vr_err *err)
{
    int r = vr_shim_connect(p->run_dir, &p->shim, err);

    if (r == 0)
        r = vr_shim_subscribe(p->shim, err);
    if (r < 0) {
        p->shim = vr_shim_close(p->shim);
        return r;
    }
    p->shim_watch = vr_watch_new(&p->agent->loop, vr_shim_fd(p->shim), shim_speaks, p);
    return 0;
}

static bool port_is_ours(struct vr_proc *p)
{
    int64_t port = vr_wish_number(p->want, "port", 0);
    char message[VR_PROC_MESSAGE_BYTES];
    struct vr_listener who = {0};

    if (port == 0 || vr_tcp_port_is_free("0.0.0.0", (uint16_t)port))
        return true;
    vr_ignore(
        vr_listen_check(p->agent->caps.cgroups, "/velociraptor/none", (uint16_t)port, &who, NULL),
        "then the stranger has no name");
    snprintf(message, sizeof(message), "port %" PRId64 " is taken by %s (pid %d)", port,
             *who.comm ? who.comm : "another program", (int)who.pid);
    fatal(p, "port_taken", message);
    return false;
}

/* Start a shim, or have one take over what a dead one left, or just talk to one that lives. */
static void launch(struct vr_proc *p, bool adopt)
{
    vr_auto_free char *log_dir = vr_strndup(p->log_path, strlen(p->log_path) - strlen("/log"));
    struct vr_err err;
    int r;

    p->stage = STAGE_UP;
    r = vr_fs_mkdir_p(log_dir, 0750, &err);
    if (r == 0 && !vr_shim_is_alive(p->run_dir)) {
        if (!adopt && !port_is_ours(p))
            return;
        r = start_shim(p, adopt, &err);
    }
    if (r == 0)
        r = follow(p, &err);
    if (r < 0) {
        fatal(p, p->agent->caps.runtime ? "start_failed" : "runtime_failed", err.msg);
        return;
    }
    p->start_deadline =
        vr_mono_add_ms(vr_mono_now(), vr_wish_number(policy(p), "start_timeout_secs", 60) * 1000);
    if (!adopt)
        set_actual(p, VR_PROC_STARTING);
}

static void slug_ready(void *arg, const char *path, const char *step, const struct vr_err *err)
{
    struct vr_proc *p = arg;

    p->slug_wait = NULL;
    if (p->stage != STAGE_SLUG)
        return;
    if (!path) {
        p->stage = STAGE_UP;
        fatal(p, vr_streq(step, "fetch") ? "fetch_failed" : "mount_failed", err->msg);
        return;
    }
    free(p->slug_path);
    p->slug_path = vr_strdup(path);
    launch(p, p->adopting);
}

static void begin(struct vr_proc *p)
{
    char why[VR_BUNDLE_WARN_BYTES] = "";
    struct vr_wish_bundle made;
    struct vr_err err;
    uid_t uid;
    gid_t gid;
    int r;

    free(p->log_tail);
    p->log_tail = NULL;
    set_message(p, "", "");
    r = vr_wish_user(p->want, &p->uid, &p->gid, &err);
    if (r == 0)
        r = fill_spec(p, &made, &err);
    if (r < 0) {
        p->stage = STAGE_UP;
        fatal(p, "start_failed", err.msg);
        return;
    }
    p->userns =
        p->agent->config.userns_base && vr_bundle_wants_userns(&made.spec, &p->agent->caps, why);
    if (*why)
        vr_warn(&p->log, "%s", why);
    uid = p->userns ? (uid_t)p->agent->config.userns_base + p->uid : p->uid;
    gid = p->userns ? (gid_t)p->agent->config.userns_base + p->gid : p->gid;
    p->stage = STAGE_SLUG;
    if (!p->adopting)
        set_actual(p, VR_PROC_FETCHING);
    vr_slugs_prepare(p->agent->slugs, vr_proc_slug(p), uid, gid, slug_ready, p, &p->slug_wait);
}

/* ------------------------------------------------------------------ tests */

/* "uptest '01_logo' failed: the page has no logo" of the first that did. */
static void tell_failure(struct vr_proc *p, const json_t *results)
{
    char message[VR_PROC_MESSAGE_BYTES];
    json_t *one;
    size_t i;

    json_array_foreach (results, i, one) {
        const char *output = vr_wish_text(one, "Output");

        if (json_is_true(json_object_get(one, "Passed")))
            continue;
        output += strspn(output, " \t\r\n");
        snprintf(message, sizeof(message), "uptest '%s' failed%s%.*s", vr_wish_text(one, "Name"),
                 *output ? ": " : "", (int)strcspn(output, "\r\n"), output);
        set_message(p, "test_failed", message);
        return;
    }
}

static void tested(void *arg, bool passed, const json_t *results)
{
    struct vr_proc *p = arg;
    vr_auto_free char *dump = NULL;

    p->test_done = p->test_n;
    json_decref(p->test_report);
    p->test_report = json_pack("{s:I, s:s, s:O}", "n", (json_int_t)p->test_done, "state",
                               passed ? "passed" : "failed", "results", results);
    dump = vr_json_dump(p->test_report);
    p->test_bytes = strlen(dump);
    if (!passed) {
        tell_failure(p, results);
        keep_log_tail(p);
    } else if (vr_streq(p->code, "test_failed")) {
        set_message(p, "", "");
    }
    p->test = vr_uptest_free(p->test);
    changed(p);
    reconcile(p);
}

static void test(struct vr_proc *p)
{
    struct vr_wish_bundle made;
    struct vr_uptest_spec spec = {.agent = p->agent,
                                  .proc_id = p->id,
                                  .number = p->test_n,
                                  .proc_name = vr_wish_text(p->want, "proc_name"),
                                  .address = vr_wish_text(p->want, "address"),
                                  .like = &made.spec,
                                  .test_secs = vr_wish_number(policy(p), "test_secs", 60),
                                  .fn = tested,
                                  .arg = p};
    struct vr_err err;
    int r = fill_spec(p, &made, &err);

    if (r == 0)
        r = vr_wish_bundle_complete(&made, p->agent, p->want, &err);
    if (r < 0)
        fatal(p, "start_failed", err.msg);
    else
        p->test = vr_uptest_start(&spec);
    vr_wish_bundle_fini(&made);
}

/* ------------------------------------------------------------------ wish and stage */

static void reconcile(struct vr_proc *p)
{
    if (p->stage == STAGE_STOPPING) {
        /* Force may be asked for while the grace of a stop is not over. */
        if (!p->runs_wanted && is_forced(p) && p->shim && !p->stopped_well)
            vr_ignore(vr_shim_kill(p->shim, NULL), "a dead shim is noticed by its socket");
        return;
    }
    if (!p->runs_wanted) {
        if (p->stage == STAGE_IDLE)
            set_actual(p, VR_PROC_STOPPED);
        else
            stop(p);
        return;
    }
    if (vr_wish_number(p->want, "restart_n", 0) > p->restart_done) {
        p->restart_done = vr_wish_number(p->want, "restart_n", 0);
        if (p->stage != STAGE_IDLE) {
            p->restarting = true;
            stop(p);
            return;
        }
    }
    if (p->stage == STAGE_IDLE) {
        begin(p);
        return;
    }
    if (p->actual == VR_PROC_RUNNING && p->ready && !p->test &&
        vr_wish_number(p->want, "test_n", 0) > p->test_done) {
        p->test_n = vr_wish_number(p->want, "test_n", 0);
        test(p);
    }
}

/*
 * Where to begin. What was found goes on if its shim lives, or if what it stands on is still there
 * for a new shim: not after a reboot. What is not wanted is taken over only to be stopped.
 */
static void take_up(struct vr_proc *p, bool found)
{
    bool alive = found && vr_shim_is_alive(p->run_dir);
    bool mounted = found && vr_slugs_is_mounted(p->agent->slugs, vr_proc_slug(p));

    p->adopting = p->runs_wanted && (alive || mounted);
    if (p->adopting) {
        begin(p);
        return;
    }
    if (alive)
        launch(p, true);
    else if (found)
        clean(p);
    reconcile(p);
}

struct vr_proc *vr_proc_new(struct vr_agent *agent, const json_t *desired, bool found)
{
    struct vr_proc *p = vr_alloc(sizeof(*p));

    p->agent = agent;
    p->id = vr_wish_number(desired, "id", 0);
    snprintf(p->id_text, sizeof(p->id_text), "%" PRId64, p->id);
    snprintf(p->container, sizeof(p->container), "%s%" PRId64, agent->container_prefix, p->id);
    vr_log_init(&p->log, &agent->log, "proc", p->id_text);
    p->dir = vr_strf("%s/procs/%s", agent->config.state_dir, p->id_text);
    p->run_dir = vr_strf("%s/procs/%s", agent->config.run_dir, p->id_text);
    p->log_path = vr_proc_log_path(&agent->config, p->id);
    p->since_us = vr_wall_now().us;
    p->code = "";
    p->ready_timer = vr_timer_new(&agent->loop, check_ready, p);
    p->adopt_timer = vr_timer_new(&agent->loop, take_over, p);
    p->restart_done = vr_wish_number(desired, "restart_n", 0);
    p->dirty = true;
    p->want = json_deep_copy(desired);
    p->runs_wanted = vr_streq(vr_wish_text(desired, "desired"), "run");
    take_up(p, found);
    return p;
}

struct vr_proc *vr_proc_free(struct vr_proc *p)
{
    if (!p)
        return NULL;
    vr_slugs_cancel(p->slug_wait);
    p->test = vr_uptest_free(p->test);
    p->cleaner = vr_task_free(p->cleaner);
    p->ready_timer = vr_timer_free(p->ready_timer);
    p->adopt_timer = vr_timer_free(p->adopt_timer);
    drop_shim(p);
    json_decref(p->want);
    json_decref(p->test_report);
    free(p->log_tail);
    free(p->slug_path);
    free(p->dir);
    free(p->run_dir);
    free(p->log_path);
    free(p);
    return NULL;
}

int64_t vr_proc_id(const struct vr_proc *p)
{
    return p->id;
}

enum vr_proc_actual vr_proc_actual(const struct vr_proc *p)
{
    return p->actual;
}

void vr_proc_view(const struct vr_proc *p, struct vr_proc_view *out)
{
    const char *name = vr_wish_text(p->want, "name");

    *out = (struct vr_proc_view){.id = p->id,
                                 .name = *name ? name : p->id_text,
                                 .want = p->want,
                                 .actual = p->actual,
                                 .since_us = p->since_us,
                                 .pid = p->state.pid,
                                 .exit_code = p->state.exit.code,
                                 .runs_wanted = p->runs_wanted,
                                 .message = p->message,
                                 .log_path = p->log_path};
}

const char *vr_proc_slug(const struct vr_proc *p)
{
    return vr_wish_text(json_object_get(p->want, "slug"), "sha256");
}

void vr_proc_want(struct vr_proc *p, const json_t *desired)
{
    if (vr_wish_number(desired, "epoch", 0) != vr_wish_number(p->want, "epoch", 0))
        p->dirty = true;
    json_decref(p->want);
    p->want = json_deep_copy(desired);
    p->runs_wanted = vr_streq(vr_wish_text(desired, "desired"), "run");
    reconcile(p);
    if (p->dirty)
        vr_link_changed(p->agent->link);
}

void vr_proc_stop(struct vr_proc *p)
{
    p->runs_wanted = false;
    reconcile(p);
}

/* ------------------------------------------------------------------ report */

static void add_usage(struct vr_proc *p, json_t *out)
{
    struct vr_cgroup_usage use;

    if (!p->shim || !*p->state.cgroup ||
        vr_cgroup_usage(p->agent->caps.cgroups, p->state.cgroup, &use, NULL) < 0)
        return;
    vr_json_set(out, "rss_bytes", json_integer(use.memory_bytes));
    vr_json_set(out, "cpu_us", json_integer(use.cpu_us));
}

/* Until they are answered: results may be long, and a report goes out every other second. */
static void add_test(struct vr_proc *p, size_t *room, json_t *out)
{
    if (!p->test_report || vr_wish_number(p->want, "test_n", 0) != p->test_done)
        return;
    if (p->test_bytes > *room) {
        changed(p);
        return;
    }
    *room -= p->test_bytes;
    vr_json_set(out, "test", json_incref(p->test_report));
}

json_t *vr_proc_report(struct vr_proc *p, bool all, size_t *test_room)
{
    json_t *out;

    if (p->adopting || (!p->dirty && !all))
        return NULL;
    p->dirty = false;
    out = json_pack("{s:I, s:I, s:s, s:I, s:I, s:I, s:I, s:s, s:s, s:o}", "id", (json_int_t)p->id,
                    "epoch", (json_int_t)vr_wish_number(p->want, "epoch", 0), "actual",
                    actual_names[p->actual], "since_us", (json_int_t)p->since_us, "pid",
                    (json_int_t)p->state.pid, "generation", (json_int_t)p->state.generation,
                    "restarts", (json_int_t)p->state.restarts, "message", p->message, "code",
                    p->code, "exit", vr_proc_exit_json(&p->state.exit));
    add_test(p, test_room, out);
    if (p->log_tail)
        vr_json_set(out, "log_tail", vr_json_text(p->log_tail, strlen(p->log_tail)));
    add_usage(p, out);
    return out;
}
