/* SPDX-License-Identifier: MIT */
/* The policy of a swarm: one table of its numbers, two words beside them. */
#include "model/policy.h"

#define DAY_SECS 86400

/* A numeric field: where it is, what it is by default, what it may be. */
static const struct number {
    const char *name;
    size_t offset;
    int64_t fallback;
    int64_t min;
    int64_t max;
} numbers[] = {
#define NUMBER(field, fallback, min, max)                                                          \
    {                                                                                              \
#field, offsetof(struct vr_policy, field), (fallback), (min), (max)                        \
    }
    NUMBER(resolve_secs, 60, 1, 3600),
    NUMBER(build_secs, 3600, 1, DAY_SECS),
    NUMBER(fetch_secs, 600, 1, DAY_SECS),
    NUMBER(start_timeout_secs, 60, 1, 3600),
    NUMBER(start_secs, VR_POLICY_START_AUTO, VR_POLICY_START_AUTO, 3600),
    NUMBER(test_secs, 60, 1, 3600),
    NUMBER(test_retry_secs, 0, 0, 3600),
    NUMBER(route_secs, 30, 1, 3600),
    NUMBER(drain_secs, 10, 0, DAY_SECS),
    NUMBER(stop_secs, 10, 0, 3600),
    NUMBER(max_restarts, 5, 0, 1000000),
    NUMBER(restart_window_secs, 60, 1, DAY_SECS),
    NUMBER(unhealthy_restart_secs, 30, 1, DAY_SECS),
    NUMBER(batch, 0, 0, 10000),
#undef NUMBER
};

static const char *const ready_names[] = {
    [VR_READY_AUTO] = "auto",
    [VR_READY_LISTEN] = "listen",
    [VR_READY_NONE] = "none",
};

static int64_t *number_of(struct vr_policy *policy, const struct number *n)
{
    return (int64_t *)(void *)((char *)policy + n->offset);
}

static int64_t get_number(const struct vr_policy *policy, const struct number *n)
{
    return *number_of((struct vr_policy *)policy, n);
}

struct vr_policy vr_policy_default(void)
{
    struct vr_policy policy = {.ready = VR_READY_AUTO};

    for (size_t i = 0; i < VR_COUNT(numbers); i++)
        *number_of(&policy, &numbers[i]) = numbers[i].fallback;
    return policy;
}

int64_t vr_policy_start_secs(const struct vr_policy *policy, bool has_uptests)
{
    if (policy->start_secs != VR_POLICY_START_AUTO)
        return policy->start_secs;
    return has_uptests ? 0 : 1;
}

static int merge_ready(struct vr_policy *policy, const json_t *object, struct vr_err *err)
{
    const char *word;
    int r;

    if (!json_object_get(object, "ready"))
        return 0;
    r = vr_json_opt_str(object, "ready", ready_names[VR_READY_AUTO], &word, err);
    if (r < 0)
        return r;
    for (size_t i = 0; i < VR_COUNT(ready_names); i++) {
        if (vr_streq(word, ready_names[i])) {
            policy->ready = (enum vr_ready)i;
            return 0;
        }
    }
    return vr_fail(err, VR_INVALID, "field 'ready': '%.40s' is not auto, listen or none", word);
}

static int merge_port(struct vr_policy *policy, const json_t *object, struct vr_err *err)
{
    const char *word;
    int r;

    if (!json_object_get(object, "port"))
        return 0;
    r = vr_json_opt_str(object, "port", "auto", &word, err);
    if (r < 0)
        return r;
    if (!vr_streq(word, "auto") && !vr_streq(word, "none"))
        return vr_fail(err, VR_INVALID, "field 'port': '%.40s' is not auto or none", word);
    policy->port_none = vr_streq(word, "none");
    return 0;
}

int vr_policy_merge(struct vr_policy *policy, const json_t *object, struct vr_err *err)
{
    struct vr_policy merged = *policy;
    int r = 0;

    if (object && !json_is_null(object) && !json_is_object(object))
        return vr_fail(err, VR_INVALID, "the policy is not an object");
    for (size_t i = 0; i < VR_COUNT(numbers) && r == 0; i++) {
        const struct number *n = &numbers[i];

        if (json_object_get(object, n->name))
            r = vr_json_opt_i64(object, n->name, n->min, n->max, n->fallback, number_of(&merged, n),
                                err);
    }
    if (r == 0)
        r = merge_ready(&merged, object, err);
    if (r == 0)
        r = merge_port(&merged, object, err);
    if (r == 0 && merged.port_none && merged.ready == VR_READY_LISTEN)
        r = vr_fail(err, VR_INVALID, "'ready: listen' needs a port, but 'port' is none");
    if (r == 0)
        *policy = merged;
    return r;
}

static json_t *to_json(const struct vr_policy *policy, bool full)
{
    json_t *object = json_object();

    for (size_t i = 0; i < VR_COUNT(numbers); i++) {
        int64_t value = get_number(policy, &numbers[i]);

        if (full || value != numbers[i].fallback)
            vr_json_set(object, numbers[i].name, json_integer(value));
    }
    if (full || policy->ready != VR_READY_AUTO)
        vr_json_set(object, "ready", vr_json_str_or_null(ready_names[policy->ready]));
    if (full || policy->port_none)
        vr_json_set(object, "port", vr_json_str_or_null(policy->port_none ? "none" : "auto"));
    return object;
}

json_t *vr_policy_to_json(const struct vr_policy *policy)
{
    return to_json(policy, false);
}

json_t *vr_policy_to_json_full(const struct vr_policy *policy)
{
    return to_json(policy, true);
}

void vr_policy_add_full(struct vr_buf *out, const struct vr_policy *policy)
{
    for (size_t i = 0; i < VR_COUNT(numbers); i++) {
        vr_buf_add(out, i ? ",\"" : "{\"");
        vr_buf_add(out, numbers[i].name);
        vr_buf_add(out, "\":");
        vr_buf_add_int(out, get_number(policy, &numbers[i]));
    }
    vr_buf_addf(out, ",\"ready\":\"%s\",\"port\":\"%s\"}", ready_names[policy->ready],
                policy->port_none ? "none" : "auto");
}

bool vr_policy_is_field(const char *name)
{
    for (size_t i = 0; i < VR_COUNT(numbers); i++) {
        if (vr_streq(numbers[i].name, name))
            return true;
    }
    return vr_streq(name, "ready") || vr_streq(name, "port");
}
