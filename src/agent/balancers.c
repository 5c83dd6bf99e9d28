/* SPDX-License-Identifier: MIT */
/*
 * The balancers of this host.
 *
 * Each runs in a worker program, since changing a balancer may block for seconds (an nginx that
 * waits for its old workers) and this loop must not. The worker is given whole states, so one that
 * died is simply started again and given the last one. Its reports are kept as they came and sent
 * on when they say something new.
 */
#include "agent/balancers.h"

#include "agent/link.h"
#include "agent/task.h"
#include "agent/wish.h"
#include "core/clock.h"
#include "fmt/json.h"
#include "sys/proc.h"

#include <string.h>

struct balancer {
    struct vr_balancers *all;
    char *name;
    json_t *want;   /* the protocol's element */
    json_t *report; /* pools[] of the worker's last report */
    char *error;    /* of the whole balancer; NULL if it is well */
    struct vr_task *worker;
    struct vr_timer *retry;
    bool dirty;
    bool leaving; /* no longer wanted: emptied, then closed */
};

#define SHUTDOWN_MS 10000

struct vr_balancers {
    struct vr_agent *agent;
    struct balancer list[VR_BALANCERS_MAX];
    size_t count;
};

static void start_worker(void *arg);

static json_t *open_line(const struct vr_agent *agent, const json_t *element)
{
    const char *name = json_string_value(json_object_get(element, "name"));
    vr_auto_free char *dir = vr_strf("%s/balancers/%s", agent->config.state_dir, name);

    return json_pack("{s:s, s:s, s:O?, s:O?, s:s}", "cmd", "open", "name", name, "driver",
                     json_object_get(element, "driver"), "options",
                     json_object_get(element, "options"), "state_dir", dir);
}

/* Takes `line`. */
static void tell(struct balancer *b, json_t *line)
{
    vr_auto_free char *text = vr_json_dump(line);
    vr_auto_free char *with_end = vr_strf("%s\n", text);
    struct vr_err err;

    json_decref(line);
    if (b->worker && vr_task_send(b->worker, with_end, strlen(with_end), &err) < 0)
        vr_warn(&b->all->agent->log, "balancer '%s': %s", b->name, err.msg);
}

static void tell_pools(struct balancer *b)
{
    json_t *pools = b->leaving ? json_array() : json_incref(json_object_get(b->want, "pools"));

    tell(b, json_pack("{s:s, s:o}", "cmd", "apply", "pools", pools));
}

static void changed(struct balancer *b)
{
    b->dirty = true;
    vr_link_changed(b->all->agent->link);
}

static void worker_line(void *arg, const char *line, size_t n)
{
    struct balancer *b = arg;
    vr_auto_json json_t *doc = NULL;
    const char *error;
    json_t *pools;

    if (vr_json_parse_object((struct vr_str){line, n}, VR_TASK_LINE_BYTES, &doc, NULL) < 0)
        return;
    error = json_string_value(json_object_get(doc, "error"));
    pools = json_object_get(doc, "pools");
    if (error && !vr_streq(error, b->error))
        vr_warn(&b->all->agent->log, "balancer '%s': %s", b->name, error);
    if (!vr_streq(error, b->error) || (pools && !json_equal(pools, b->report)))
        changed(b);
    free(b->error);
    b->error = vr_strdup(error);
    if (pools) {
        json_decref(b->report);
        b->report = json_incref(pools);
    }
    if (b->leaving && pools && json_array_size(pools) == 0)
        tell(b, json_pack("{s:s}", "cmd", "shutdown"));
}

static void worker_done(void *arg, struct vr_exit how)
{
    struct balancer *b = arg;

    b->worker = vr_task_free(b->worker);
    if (b->leaving)
        return; /* its slot is taken back by the next apply */
    vr_warn(&b->all->agent->log, "the worker of balancer '%s' died (code %d): started again",
            b->name, how.code);
    vr_timer_arm(b->retry, VR_BALANCERS_RETRY_MS);
}

static void start_worker(void *arg)
{
    struct balancer *b = arg;
    const char *argv[] = {b->all->agent->self_path, "balancer-worker", NULL};
    struct vr_task_spec spec = {.argv = argv,
                                .on_line = worker_line,
                                .on_done = worker_done,
                                .arg = b,
                                .keeps_input = true};
    struct vr_err err;

    if (vr_task_start(&b->all->agent->loop, &spec, &b->worker, &err) < 0) {
        vr_error(&b->all->agent->log, "balancer '%s': start its worker: %s", b->name, err.msg);
        vr_timer_arm(b->retry, VR_BALANCERS_RETRY_MS);
        return;
    }
    tell(b, open_line(b->all->agent, b->want));
    tell_pools(b);
}

struct vr_balancers *vr_balancers_new(struct vr_agent *agent)
{
    struct vr_balancers *all = vr_alloc(sizeof(*all));

    all->agent = agent;
    return all;
}

static void fini(struct balancer *b)
{
    b->worker = vr_task_free(b->worker);
    b->retry = vr_timer_free(b->retry);
    json_decref(b->want);
    json_decref(b->report);
    free(b->error);
    free(b->name);
    *b = (struct balancer){0};
}

struct vr_balancers *vr_balancers_free(struct vr_balancers *all)
{
    if (!all)
        return NULL;
    for (size_t i = 0; i < all->count; i++)
        fini(&all->list[i]);
    free(all);
    return NULL;
}

/* Slots never move while a worker's callbacks point into them. */
static struct balancer *find(struct vr_balancers *all, const char *name)
{
    for (size_t i = 0; i < all->count; i++)
        if (vr_streq(all->list[i].name, name))
            return &all->list[i];
    return NULL;
}

static struct balancer *new_slot(struct vr_balancers *all)
{
    for (size_t i = 0; i < all->count; i++) {
        if (all->list[i].leaving && !all->list[i].worker) {
            fini(&all->list[i]);
            return &all->list[i];
        }
    }
    return all->count < VR_BALANCERS_MAX ? &all->list[all->count++] : NULL;
}

static void want(struct vr_balancers *all, const char *name, json_t *element)
{
    struct balancer *b = find(all, name);
    bool is_new = !b;
    bool was_leaving = b && b->leaving;
    bool reopen;

    if (is_new && !(b = new_slot(all))) {
        vr_error(&all->agent->log, "more than %d balancers: '%s' is not served", VR_BALANCERS_MAX,
                 name);
        return;
    }
    if (is_new) {
        b->all = all;
        b->name = vr_strdup(name);
        b->retry = vr_timer_new(&all->agent->loop, start_worker, b);
    }
    reopen =
        !is_new &&
        (!json_equal(json_object_get(b->want, "options"), json_object_get(element, "options")) ||
         !json_equal(json_object_get(b->want, "driver"), json_object_get(element, "driver")));
    b->leaving = false;
    if (!is_new && !was_leaving && !reopen && json_equal(b->want, element))
        return;
    json_decref(b->want);
    b->want = json_incref(element);
    if (!b->worker) { /* new, or it has left before; else its next start is due already */
        if (is_new || was_leaving) {
            vr_timer_disarm(b->retry);
            start_worker(b);
        }
        return;
    }
    if (reopen)
        tell(b, open_line(b->all->agent, b->want));
    tell_pools(b);
}

void vr_balancers_apply(struct vr_balancers *all, const json_t *list)
{
    size_t i;
    json_t *element;

    for (size_t k = 0; k < all->count; k++) {
        struct balancer *b = &all->list[k];

        if (b->name && !b->leaving && !vr_wish_lists_text(list, "name", b->name)) {
            b->leaving = true;
            tell_pools(b);
        }
    }
    json_array_foreach (list, i, element) {
        const char *name = json_string_value(json_object_get(element, "name"));

        if (name)
            want(all, name, element);
    }
}

static void report_one(struct balancer *b, json_t *out)
{
    size_t i;
    json_t *pool;

    json_array_foreach (b->report, i, pool) {
        json_t *one = json_pack(
            "{s:s, s:O, s:O, s:O, s:O}", "balancer", b->name, "pool", json_object_get(pool, "name"),
            "applied", json_object_get(pool, "applied"), "confirmed",
            json_object_get(pool, "confirmed"), "nodes", json_object_get(pool, "nodes"));
        const char *error = json_string_value(json_object_get(pool, "error"));

        if (!one)
            continue;
        if (!error)
            error = b->error ? b->error : "";
        vr_json_set(one, "error", vr_json_text(error, strlen(error)));
        vr_json_push(out, one);
    }
}

/* A balancer that could not even be opened has no report: its pools get its error. */
static void report_error(struct balancer *b, json_t *out)
{
    size_t i;
    json_t *pool;

    json_array_foreach (json_object_get(b->want, "pools"), i, pool)
        vr_json_push(out, json_pack("{s:s, s:O, s:i, s:i, s:[], s:o}", "balancer", b->name, "pool",
                                    json_object_get(pool, "name"), "applied", 0, "confirmed", 0,
                                    "nodes", "error", vr_json_text(b->error, strlen(b->error))));
}

void vr_balancers_report(struct vr_balancers *all, json_t *out, bool full)
{
    for (size_t i = 0; i < all->count; i++) {
        struct balancer *b = &all->list[i];

        if (!b->name || b->leaving || (!b->dirty && !full))
            continue;
        b->dirty = false;
        if (b->report)
            report_one(b, out);
        else if (b->error)
            report_error(b, out);
    }
}

static void shut_down(struct vr_agent *agent, const json_t *element)
{
    const char *argv[] = {agent->self_path, "balancer-worker", NULL};
    struct vr_spawn_spec spec = {.argv = argv, .fd_err = STDERR_FILENO};
    const char *name = json_string_value(json_object_get(element, "name"));
    vr_auto_json json_t *line = open_line(agent, element);
    vr_auto_free char *open = vr_json_dump(line);
    vr_auto_free char *input = vr_strf("%s\n{\"cmd\": \"shutdown\"}\n", open);
    struct vr_run_result result = {0};
    struct vr_err err;

    if (vr_run(&spec, input, VR_TASK_LINE_BYTES, SHUTDOWN_MS, &result, &err) < 0)
        vr_warn(&agent->log, "end balancer '%s': %s", name, err.msg);
    vr_run_result_fini(&result);
}

void vr_balancers_shutdown(struct vr_agent *agent, const json_t *list)
{
    size_t i;
    json_t *element;

    json_array_foreach (list, i, element)
        if (json_object_get(element, "name"))
            shut_down(agent, element);
}
