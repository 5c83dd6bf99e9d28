/* SPDX-License-Identifier: MIT */
/* Tests of model/policy. */
#include "model/policy.h"

#include "core/tap.h"

/* Merge the JSON into a default policy; the message on failure, "" else. */
static const char *merge(struct vr_policy *policy, const char *json, struct vr_err *err)
{
    vr_auto_json json_t *object = json_loads(json, JSON_DECODE_ANY, NULL);

    return vr_policy_merge(policy, object, err) < 0 ? err->msg : "";
}

TEST(policy_default__is_the_ruled_one)
{
    struct vr_policy p = vr_policy_default();
    vr_auto_json json_t *full = vr_policy_to_json_full(&p), *changed = vr_policy_to_json(&p);
    vr_auto_free char *text = vr_json_dump(full);

    CHECK_STR(text, "{\"resolve_secs\":60,\"build_secs\":3600,\"fetch_secs\":600,"
                    "\"start_timeout_secs\":60,\"start_secs\":-1,\"test_secs\":60,"
                    "\"test_retry_secs\":0,\"route_secs\":30,\"drain_secs\":10,\"stop_secs\":10,"
                    "\"max_restarts\":5,\"restart_window_secs\":60,\"unhealthy_restart_secs\":30,"
                    "\"batch\":0,\"ready\":\"auto\",\"port\":\"auto\"}");
    CHECK(json_object_size(changed) == 0);
    CHECK(vr_policy_start_secs(&p, true) == 0 && vr_policy_start_secs(&p, false) == 1);
}

TEST(policy_merge__given_fields__change_and_come_back)
{
    struct vr_policy p = vr_policy_default();
    struct vr_err err = VR_ERR_NULL;

    CHECK_STR(
        merge(&p, "{\"drain_secs\":0,\"ready\":\"listen\",\"start_secs\":3,\"foreign\":1}", &err),
        "");
    {
        vr_auto_json json_t *changed = vr_policy_to_json(&p);
        vr_auto_free char *text = vr_json_dump_sorted(changed);

        CHECK_STR(text, "{\"drain_secs\":0,\"ready\":\"listen\",\"start_secs\":3}");
    }
    CHECK(vr_policy_start_secs(&p, true) == 3);
    CHECK_STR(merge(&p, "{\"drain_secs\":null,\"ready\":null}", &err), "");
    CHECK(p.drain_secs == 10 && p.ready == VR_READY_AUTO && p.start_secs == 3);
    CHECK_STR(merge(&p, "null", &err), "");
}

TEST(policy_merge__out_of_range__is_refused_and_changes_nothing)
{
    struct vr_policy p = vr_policy_default();
    struct vr_err err = VR_ERR_NULL;

    CHECK_STR(merge(&p, "{\"drain_secs\":1,\"test_secs\":0}", &err),
              "field 'test_secs': 0 is not between 1 and 3600");
    CHECK(p.drain_secs == 10);
    CHECK_STR(merge(&p, "{\"batch\":\"2\"}", &err), "field 'batch' is not a whole number");
    CHECK_STR(merge(&p, "{\"ready\":\"soon\"}", &err),
              "field 'ready': 'soon' is not auto, listen or none");
    CHECK_STR(merge(&p, "{\"port\":8080}", &err), "field 'port' is not a text");
    CHECK_STR(merge(&p, "[]", &err), "the policy is not an object");
}

TEST(policy_merge__listening_without_a_port__is_a_contradiction)
{
    struct vr_policy p = vr_policy_default();
    struct vr_err err = VR_ERR_NULL;

    CHECK_STR(merge(&p, "{\"port\":\"none\"}", &err), "");
    CHECK(p.port_none);
    CHECK_STR(merge(&p, "{\"ready\":\"listen\"}", &err),
              "'ready: listen' needs a port, but 'port' is none");
    CHECK_STR(merge(&p, "{\"ready\":\"listen\",\"port\":\"auto\"}", &err), "");
}

TEST(policy_is_field__knows_numbers_and_words)
{
    CHECK(vr_policy_is_field("batch") && vr_policy_is_field("ready") && vr_policy_is_field("port"));
    CHECK(!vr_policy_is_field("size"));
}
