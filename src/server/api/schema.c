/* SPDX-License-Identifier: MIT */
/*
 * The fields of each resource.
 *
 * One word a field, `name:type` and marks: s text, i number, b boolean, d time, u related object,
 * l list, o object; `!` it cannot be written, `?` it may be null, `*` it is unique.
 */
#include "server/api/schema.h"

#include <string.h>

static const struct {
    const char *fields;
    const char *list_methods;
    const char *detail_methods;
} resources[VR_RES_COUNT] = {
    [VR_RES_APPS] = {"id:i! name:s* repo_url:s repo_type:s buildpack:u? stack:u? resolved_url:s! "
                     "resource_uri:s! row_version:i! changed:o!?",
                     "get post patch", "get put patch delete"},
    [VR_RES_BUILDPACKS] = {"id:i! repo_url:s* repo_type:s desc:s order:i resource_uri:s! "
                           "row_version:i! changed:o!?",
                           "get post patch", "get put patch delete"},
    [VR_RES_BUILDS] = {"id:i! app:u tag:s status:s! file:s!? file_md5:s!? compile_log:s!? "
                       "start_time:d!? end_time:d!? hash:s! env_yaml:s! buildpack_url:s! "
                       "buildpack_version:s! resource_uri:s! os_image:s!? app_name:s! commit:s! "
                       "file_sha256:s!? file_bytes:i!? procfile:o! error:s! log_bytes:i! phase:s! "
                       "host:s!? word:s! since:d! usual_ms:i!? created_utc:d! start_time_utc:d!? "
                       "end_time_utc:d!?",
                       "get post", "get delete"},
    [VR_RES_RELEASES] = {"id:i! build:u! compiled_name:s! config_yaml:s! env_yaml:s! volumes:l!? "
                         "hash:s! run_as:s! mem_limit:s!? memsw_limit:s!? resource_uri:s! "
                         "app_name:s! version:s! created_utc:d! pinned:b",
                         "get", "get patch"},
    [VR_RES_INGREDIENTS] = {"id:i! name:s* config_yaml:s env_yaml:s secrets:o swarms:l! usage:l! "
                            "resource_uri:s! row_version:i! changed:o!?",
                            "get post patch", "get put patch delete"},
    [VR_RES_SQUADS] = {"id:i! name:s* hosts:l resource_uri:s! row_version:i! changed:o!?",
                       "get post patch", "get put patch delete"},
    [VR_RES_HOSTS] = {"id:i! name:s* active:b squad:u? procs:l! procs_uri:s! resource_uri:s! "
                      "address:s roles:l state:s! state_since:d!? last_seen:d!? session:i! "
                      "agent_version:s! boot_id:s! facts:o! usage:o! row_version:i! changed:o!?",
                      "get post patch", "get put patch delete"},
    [VR_RES_SWARMS] =
        {"id:i! resource_uri:s! app:u squad:u release:u? version:s config_name:s "
         "proc_name:s run_as:s mem_limit:s? memsw_limit:s? pool:s? balancer:s? "
         "size:i config_yaml:s env_yaml:s secrets:o volumes:l? config_ingredients:l "
         "compiled_config:o! compiled_env:o! shortname:s! app_name:s! squad_name:s! "
         "procs:l! procs_uri:s! policy:o paused:b current_rollout:s!? "
         "running_version:s!? outdated:b! open_rollouts:l! row_version:i! changed:o!?",
         "get post patch", "get put patch delete"},
    [VR_RES_PROCS] =
        {"app_name:s! config_name:s! description:s! exitstatus:i! group:s! hash:s! "
         "host:s! id:s! jsname:s! logfile:s! name:s! now:d! pid:i! port:i! "
         "proc_name:s! spawnerr:s! start_time:d!? state:i! statename:s! "
         "stderr_logfile:s! stdout_logfile:s! stop_time:d!? version:s! proc_id:i! "
         "swarm:u!? rollout:s!? release:u! desired:s! actual:s! word:s! since:d! tested:s! "
         "tested_at:d!? testresults:l! admitted:b! unhealthy_since:d!? epoch:i! "
         "restarts:i! message:s! code:s! log_tail:s! exit:o! usage:o! stale:b! "
         "host_ok:b! host_state:s!",
         "get", "get post delete"},
    [VR_RES_ROLLOUTS] =
        {"id:s! swarm:u! swarm_name:s! kind:s! user:s!? state:s! result:s!? "
         "phase:s! step:s! step_since:d!? word:s! since:d! usual_ms:i!? deadline:d!? "
         "cancel_requested:b! "
         "past_return:b! tag:s! commit:s! build:u!? release:u!? hash:s!? "
         "app_name:s! config_name:s! proc_name:s! size:i! squad:u! pool:s!? "
         "policy:o! steps:l! procs:l! error:o!? leftovers:l! warnings:l! "
         "created:d! started:d!? ended:d!? resource_uri:s! group:s!? "
         "retry_of:s!? retried_by:s!?",
         "get", "get"},
    [VR_RES_COMMANDS] = {"id:i! kind:s! proc_id:i! proc:s! host:s! user:s!? state:s! force:b! "
                         "step:s! result:s! created:d! ended:d!? resource_uri:s!",
                         "get", "get"},
    [VR_RES_BALANCERS] = {"id:i! name:s* driver:s! options:o! hosts:l! resource_uri:s! "
                          "row_version:i!",
                          "get", "get"},
    [VR_RES_POOLS] = {"id:i! name:s! balancer:s! swarm:u! swarm_name:s! nodes:i! generation:i! "
                      "members:l! hosts:l! resource_uri:s!",
                      "get", "get"},
    [VR_RES_EVENTS] = {"id:i! time:d! kind:s! title:s! message:s! tags:l! rollout:s!? swarm:u!? "
                       "proc_id:i!? host:s!? data:o! resource_uri:s!",
                       "get", "get"},
    [VR_RES_LOGS] = {"id:i! type:s! time:d! message:s! user:u!? resource_uri:s! time_utc:d! "
                     "remote:s! username:s! via:s! resource:s! object_id:i!? object_name:s! app:s! "
                     "rollout:s!? detail:s!",
                     "get", "get"},
    [VR_RES_USERS] = {"id:i! username:s* first_name:s last_name:s last_login:d!? date_joined:d! "
                      "profile:o!? resource_uri:s! email:s role:s grants:l? is_active:b "
                      "must_change_password:b row_version:i! changed:o!?",
                      "get post patch", "get put patch delete"},
    [VR_RES_TOKENS] =
        {"id:i! name:s user:u! username:s! role:s app:u? created:d! expires:d? last_used:d!? "
         "resource_uri:s!",
         "get post", "get patch delete"},
    [VR_RES_STACKS] = {"id:i! name:s* desc:s base_image_url:s? provisioning_script:s? "
                       "resource_uri:s! images:l! active_image:s!? row_version:i! changed:o!?",
                       "get post patch", "get put patch delete"},
    [VR_RES_IMAGES] = {"id:i! name:s!* stack:u!? file:s!? file_md5:s!? base_image_url:s! "
                       "base_image_name:s! provisioning_script_url:s! build_log:s!? active:b "
                       "created:d! resource_uri:s! row_version:i! changed:o!?",
                       "get", "get patch"},
    [VR_RES_TESTRUNS] = {"id:i! start:d! end:d!? testresults:l! resource_uri:s! start_utc:d! "
                         "end_utc:d!? pass_count:i! fail_count:i! notests_count:i!",
                         "get", "get"},
    [VR_RES_TESTRESULTS] = {"id:i! testrun:u! time:d! hostname:s! procname:s! passed:b! "
                            "testcount:i! results:s! resource_uri:s! time_utc:d! proc_id:i!? "
                            "state:s! tests:l!",
                            "get", "get"},
    [VR_RES_DASHBOARDS] = {"id:i! name:s slug:s* apps:l resource_uri:s! row_version:i! changed:o!?",
                           "get post patch", "get put patch delete"},
    [VR_RES_PROFILES] = {"id:i! default_dashboard:u? quick_dashboards:l resource_uri:s! "
                         "row_version:i! changed:o!?",
                         "get", "get put patch"},
};

static const char *type_name(char letter)
{
    switch (letter) {
    case 'i':
        return "integer";
    case 'b':
        return "boolean";
    case 'd':
        return "datetime";
    case 'u':
        return "related";
    case 'l':
        return "list";
    case 'o':
        return "dict";
    default:
        return "string";
    }
}

static void add_field(json_t *fields, const char *word, size_t n)
{
    size_t name = strcspn(word, ":");
    const char *type = word + name + 1;
    const char *marks = type + 1;
    size_t mark_count = n - name - 2;
    vr_auto_free char *key = vr_strndup(word, name);
    bool is_null = memchr(marks, '?', mark_count) != NULL;

    vr_json_set(fields, key,
                json_pack("{s:b, s:s, s:s, s:b, s:b, s:s, s:b}", "blank", is_null, "default",
                          "No default provided.", "help_text", "", "nullable", is_null, "readonly",
                          memchr(marks, '!', mark_count) != NULL, "type", type_name(*type),
                          "unique", memchr(marks, '*', mark_count) != NULL));
}

static json_t *words_of(const char *text)
{
    json_t *words = json_array();

    while (*text) {
        size_t n = strcspn(text, " ");

        vr_json_push(words, json_stringn(text, n));
        text += n + (text[n] == ' ');
    }
    return words;
}

json_t *vr_schema_of(enum vr_resource resource)
{
    json_t *fields = json_object();
    const char *word = resources[resource].fields;

    while (*word) {
        size_t n = strcspn(word, " ");

        add_field(fields, word, n);
        word += n + (word[n] == ' ');
    }
    add_field(fields, "can:l!", strlen("can:l!"));
    return json_pack("{s:o, s:o, s:s, s:i, s:o, s:o}", "allowed_list_http_methods",
                     words_of(resources[resource].list_methods), "allowed_detail_http_methods",
                     words_of(resources[resource].detail_methods), "default_format",
                     "application/json", "default_limit", 100, "fields", fields, "filtering",
                     vr_resource_filtering(resource));
}
