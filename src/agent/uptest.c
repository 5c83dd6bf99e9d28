/* SPDX-License-Identifier: MIT */
/*
 * One run of a proc's uptests.
 *
 * The run is a container of its own, made from the proc's bundle with other words: the shim's own
 * program as test runner, which writes its results to a file of ours that is bound into the
 * container. What the tests print can therefore never be taken for a result.
 */
#include "agent/uptest.h"

#include "agent/task.h"
#include "core/clock.h"
#include "fmt/json.h"
#include "runtime/shim_client.h"
#include "sys/fs.h"

#include <dirent.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#define RESULT_TARGET "/.results"

struct vr_uptest {
    struct vr_agent *agent;
    char *dir, *run_dir, *result_path;
    char mark[32]; /* of this run: what a killed agent's run left may still be there */
    struct vr_shim *shim;
    struct vr_watch *watch;
    struct vr_timer *timer; /* end of the whole run; then the call that gives the results */
    json_t *results;
    bool given;
    vr_uptest_fn fn;
    void *arg;
};

int vr_uptest_count(const char *slug, const char *proc_name)
{
    vr_auto_free char *path = vr_strf("%s/app/uptests/%s", slug ? slug : "", proc_name);
    DIR *dir = opendir(path);
    struct dirent *e;
    int n = 0;

    if (!dir)
        return 0;
    while ((e = readdir(dir)))
        n += e->d_name[0] != '.' && e->d_type != DT_DIR;
    closedir(dir);
    return n;
}

static json_t *failed_run(const char *why)
{
    return json_pack("[{s:s, s:o, s:b}]", "Name", "uptester", "Output",
                     vr_json_text(why, strlen(why)), "Passed", 0);
}

static bool all_passed(const json_t *results)
{
    size_t i;
    json_t *one;

    json_array_foreach (results, i, one)
        if (!json_is_true(json_object_get(one, "Passed")))
            return false;
    return true;
}

static void give(void *arg)
{
    struct vr_uptest *t = arg;

    if (t->given)
        return;
    t->given = true;
    t->fn(t->arg, all_passed(t->results), t->results);
}

/*
 * What a run leaves, removed in the background: nobody waits for it. A shim that lives is told to
 * end what it runs and then itself; what a dead one left is cleaned by a child.
 */
struct leftovers {
    struct vr_agent *agent;
    char *dir, *run_dir;
    struct vr_shim *shim;
    struct vr_watch *watch;
    struct vr_task *cleaner;
};

static void leftovers_gone(struct leftovers *l)
{
    vr_ignore(vr_bundle_remove(l->dir, l->run_dir, NULL), "the next start of the agent finds it");
    l->agent->leftover_count--;
    free(l->dir);
    free(l->run_dir);
    free(l);
}

static void leftovers_cleaned(void *arg, struct vr_exit how)
{
    struct leftovers *l = arg;

    l->cleaner = vr_task_free(l->cleaner);
    leftovers_gone(l);
}

static void leftovers_clean(struct leftovers *l)
{
    const char *argv[4];
    struct vr_task_spec spec = {.argv = argv, .on_done = leftovers_cleaned, .arg = l};
    struct vr_err err;

    vr_shim_clean_argv(l->agent->config.shim, l->run_dir, argv);
    if (vr_task_start(&l->agent->loop, &spec, &l->cleaner, &err) < 0) {
        vr_warn(&l->agent->log, "clean up after an uptest: %s", err.msg);
        leftovers_gone(l);
    }
}

static void leftovers_speak(void *arg)
{
    struct leftovers *l = arg;
    struct vr_shim_event event;
    int r;

    while ((r = vr_shim_next(l->shim, &event, NULL)) > 0)
        if (event.kind == VR_SHIM_EVENT_STOPPED)
            vr_ignore(vr_shim_quit(l->shim, NULL), "then the connection ends all the same");
    if (r == 0)
        return;
    l->watch = vr_watch_free(l->watch);
    l->shim = vr_shim_close(l->shim);
    leftovers_clean(l);
}

/* Takes the connection, which may be NULL. */
static void remove_run(struct vr_agent *agent, const char *dir, const char *run_dir,
                       struct vr_shim *shim)
{
    struct leftovers *l = vr_alloc(sizeof(*l));

    *l = (struct leftovers){
        .agent = agent, .dir = vr_strdup(dir), .run_dir = vr_strdup(run_dir), .shim = shim};
    agent->leftover_count++;
    if (!shim && vr_shim_is_alive(run_dir))
        vr_ignore(vr_shim_connect(run_dir, &l->shim, NULL), "then it is cleaned as a dead one");
    if (l->shim && vr_shim_kill(l->shim, NULL) == 0) {
        l->watch = vr_watch_new(&agent->loop, vr_shim_fd(l->shim), leftovers_speak, l);
        return;
    }
    l->shim = vr_shim_close(l->shim);
    leftovers_clean(l);
}

void vr_uptest_remove(struct vr_agent *agent, const char *dir, const char *run_dir)
{
    remove_run(agent, dir, run_dir, NULL);
}

static void remove_container(struct vr_uptest *t)
{
    t->watch = vr_watch_free(t->watch);
    remove_run(t->agent, t->dir, t->run_dir, vr_take(t->shim));
}

/* The run is over, one way or the other. */
static void finish(struct vr_uptest *t, json_t *results)
{
    t->results = results;
    remove_container(t);
    vr_timer_arm(t->timer, 0);
}

static void read_results(struct vr_uptest *t, const struct vr_shim_state *s)
{
    vr_auto_free char *raw = NULL;
    char why[VR_ERR_MSG_BYTES + 64];
    json_t *results = NULL;
    struct vr_err err;
    size_t n = 0;
    int r;

    r = vr_fs_read(t->result_path, VR_UPTEST_RESULT_BYTES, &raw, &n, &err);
    if (r == 0)
        r = vr_json_parse((struct vr_str){raw, n}, VR_UPTEST_RESULT_BYTES, &results, &err);
    if (r == 0 && !json_is_array(results)) {
        json_decref(results);
        r = vr_fail(&err, VR_PARSE, "the results are not a list");
    }
    if (r < 0) {
        snprintf(why, sizeof(why), "the test container ended with code %d and no results (%s)",
                 s->exit.code, err.msg);
        results = failed_run(why);
    }
    finish(t, results);
}

static void shim_speaks(void *arg)
{
    struct vr_uptest *t = arg;
    struct vr_shim_event event;
    struct vr_err err;
    int r;

    while (t->shim && (r = vr_shim_next(t->shim, &event, &err)) != 0) {
        if (r < 0) {
            finish(t, failed_run("the container of the tests was lost"));
            return;
        }
        if (event.kind != VR_SHIM_EVENT_STATE)
            continue;
        switch (event.state.phase) {
        case VR_SHIM_EXITED:
            read_results(t, &event.state);
            return;
        case VR_SHIM_FATAL:
        case VR_SHIM_STOPPED:
            finish(t, failed_run(*event.state.why ? event.state.why
                                                  : "the container of the tests did not start"));
            return;
        case VR_SHIM_STARTING:
        case VR_SHIM_RUNNING:
        case VR_SHIM_BACKOFF:
        case VR_SHIM_STOPPING:
            break;
        }
    }
}

static void timed_out(void *arg)
{
    struct vr_uptest *t = arg;

    if (t->results)
        give(t);
    else
        finish(t, failed_run("the tests took too long and were ended"));
}

static int make_result_file(struct vr_uptest *t, const struct vr_bundle *bundle, struct vr_err *err)
{
    int r = vr_fs_write(t->result_path, "", 0, 0600, err);

    if (r < 0)
        return r;
    if (chown(t->result_path, bundle->host_uid, bundle->host_gid) < 0)
        return vr_fail_sys(err, "give '%s' to the tests", t->result_path);
    return 0;
}

static int launch(struct vr_uptest *t, const struct vr_uptest_spec *spec, struct vr_err *err)
{
    vr_auto_free char *runtime_root = vr_strf("%s/runtime", t->agent->config.run_dir);
    vr_auto_free char *id = vr_strf("%s.t%s", spec->like->id, t->mark);
    vr_auto_free char *folder = vr_strf("/app/uptests/%s", spec->proc_name);
    vr_auto_free char *port = vr_strf("%d", (int)spec->like->port);
    vr_auto_free char *limit = vr_strf("%" PRId64, spec->test_secs * 1000);
    vr_auto_free char *log = vr_strf("%s/log", t->run_dir);
    const char *words[] = {"/.init", "--uptest", folder,        spec->address,
                           port,     limit,      RESULT_TARGET, NULL};
    struct vr_bundle_bind bind = {.source = t->result_path, .target = RESULT_TARGET};
    struct vr_bundle_spec like = *spec->like;
    struct vr_bundle bundle = {0};
    struct vr_shim_spec shim = {.dir = t->run_dir,
                                .log = log,
                                .id = id,
                                .bundle = &bundle,
                                .caps = &t->agent->caps,
                                .runtime_root = runtime_root,
                                .uid = like.uid,
                                .gid = like.gid,
                                .one_shot = true};
    int r;

    like.id = id;
    like.dir = t->dir;
    like.run_dir = t->run_dir;
    like.words = words;
    like.command = NULL;
    like.binds = &bind;
    like.bind_count = 1;
    r = vr_fs_mkdir_p(t->run_dir, 0700, err);
    if (r == 0)
        r = vr_fs_write(t->result_path, "", 0, 0600, err);
    if (r == 0)
        r = vr_bundle_write(&like, &t->agent->caps, &bundle, err);
    if (r == 0)
        r = make_result_file(t, &bundle, err);
    if (r == 0)
        r = vr_shim_configure(&shim, err);
    if (r == 0)
        r = vr_shim_start(t->agent->config.shim, t->run_dir, false, err);
    if (r == 0)
        r = vr_shim_connect(t->run_dir, &t->shim, err);
    if (r == 0)
        r = vr_shim_subscribe(t->shim, err);
    vr_bundle_fini(&bundle);
    return r;
}

struct vr_uptest *vr_uptest_start(const struct vr_uptest_spec *spec)
{
    const struct vr_agent_config *config = &spec->agent->config;
    int tests = vr_uptest_count(spec->like->slug, spec->proc_name);
    struct vr_uptest *t = vr_alloc(sizeof(*t));
    struct vr_err err;

    t->agent = spec->agent;
    t->fn = spec->fn;
    t->arg = spec->arg;
    snprintf(t->mark, sizeof(t->mark), "%" PRId64 "-%06x", spec->number,
             (unsigned)(vr_wall_now().us / 1000) & 0xffffff);
    t->dir = vr_strf("%s/procs/%" PRId64 VR_UPTEST_SUFFIX "%s", config->state_dir, spec->proc_id,
                     t->mark);
    t->run_dir =
        vr_strf("%s/procs/%" PRId64 VR_UPTEST_SUFFIX "%s", config->run_dir, spec->proc_id, t->mark);
    t->result_path = vr_strf("%s/results", t->run_dir);
    t->timer = vr_timer_new(&t->agent->loop, timed_out, t);
    if (tests == 0) { /* nothing to run: passed, and the report says that there are none */
        t->results = json_array();
        vr_timer_arm(t->timer, 0);
        return t;
    }
    if (tests > VR_UPTEST_TESTS_MAX)
        tests = VR_UPTEST_TESTS_MAX;
    if (launch(t, spec, &err) < 0) {
        finish(t, failed_run(err.msg));
        return t;
    }
    t->watch = vr_watch_new(&t->agent->loop, vr_shim_fd(t->shim), shim_speaks, t);
    vr_timer_arm(t->timer, (spec->test_secs * tests + 30) * 1000);
    return t;
}

struct vr_uptest *vr_uptest_free(struct vr_uptest *t)
{
    if (!t)
        return NULL;
    if (!t->results) /* called off */
        remove_container(t);
    t->timer = vr_timer_free(t->timer);
    t->watch = vr_watch_free(t->watch);
    t->shim = vr_shim_close(t->shim);
    json_decref(t->results);
    free(t->dir);
    free(t->run_dir);
    free(t->result_path);
    free(t);
    return NULL;
}
