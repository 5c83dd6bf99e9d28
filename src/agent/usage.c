/* SPDX-License-Identifier: MIT */
/* What this host is and how much of it is in use. */
#include "agent/usage.h"

#include "fmt/json.h"
#include "sys/fs.h"

#include <string.h>
#include <sys/sysinfo.h>
#include <sys/utsname.h>

#define MEMINFO_BYTES 16384

json_t *vr_usage_boot_id(void)
{
    vr_auto_free char *text = NULL;

    if (vr_fs_read("/proc/sys/kernel/random/boot_id", 256, &text, NULL, NULL) < 0)
        return json_string("");
    text[strcspn(text, "\n")] = '\0';
    return json_string(text);
}

/* A line of /proc/meminfo in bytes, 0 if it is not there. */
static int64_t meminfo(const char *text, const char *name)
{
    const char *at = strstr(text, name);
    int64_t kib;
    size_t n;

    if (!at)
        return 0;
    at += strlen(name);
    at += strspn(at, ": ");
    n = strspn(at, "0123456789");
    if (vr_parse_i64((struct vr_str){at, n}, 0, INT64_MAX >> 10, &kib, NULL) < 0)
        return 0;
    return kib << 10;
}

json_t *vr_usage_facts(const struct vr_agent *agent)
{
    const struct vr_runtime_caps *caps = &agent->caps;
    json_t *warnings = json_array();
    struct utsname u = {0};
    struct sysinfo info = {0};
    json_t *facts;

    uname(&u);
    sysinfo(&info);
    for (size_t i = 0; i < caps->warning_count; i++)
        vr_json_push(warnings, json_string(caps->warnings[i]));
    facts = json_pack("{s:s, s:s, s:i, s:I, s:s, s:b, s:b, s:o, s:s}", "kernel", u.release,
                      "machine", u.machine, "cpus", get_nprocs(), "mem_total_bytes",
                      (json_int_t)info.totalram * info.mem_unit, "cgroups",
                      vr_cgroup_layout_name(caps->cgroups), "userns", caps->has_userns, "idmap",
                      caps->has_idmap, "warnings", warnings, "version", VR_VERSION);
    vr_json_set(facts, "runtime", vr_json_str_or_null(caps->runtime));
    return facts;
}

json_t *vr_usage_now(const struct vr_agent *agent)
{
    vr_auto_free char *text = NULL;
    struct sysinfo info = {0};
    int64_t disk = 0;

    sysinfo(&info);
    if (vr_fs_read("/proc/meminfo", MEMINFO_BYTES, &text, NULL, NULL) < 0)
        text = vr_strdup("");
    vr_ignore(vr_fs_free_bytes(agent->config.state_dir, &disk, NULL), "shown as 0");
    return json_pack("{s:I, s:I, s:I, s:f}", "mem_total_bytes",
                     (json_int_t)meminfo(text, "MemTotal"), "mem_available_bytes",
                     (json_int_t)meminfo(text, "MemAvailable"), "disk_free_bytes", (json_int_t)disk,
                     "load1", (double)info.loads[0] / 65536.0);
}
