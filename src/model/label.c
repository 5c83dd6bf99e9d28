/* SPDX-License-Identifier: MIT */
/* Names that are composed. */
#include "model/label.h"

#include "core/str.h"

#include <inttypes.h>

char *vr_label_proc(const char *app, const char *version, const char *config, const char *hash,
                    const char *proc, int port)
{
    return vr_strf("%s-%s-%s-%s-%s-%d", app, version, config, hash, proc, port);
}

char *vr_label_proc_short(const char *app, const char *version, const char *proc)
{
    return vr_strf("%s-%s-%s", app, version, proc);
}

char *vr_label_proc_id(const char *host, const char *name)
{
    return vr_strf("%s-%s", host, name);
}

char *vr_label_proc_js(const char *name)
{
    char *js = vr_alloc(3 * strlen(name) + 1);
    char *out = js;

    for (; *name; name++) {
        if (*name == '.') {
            memcpy(out, "dot", 3);
            out += 3;
        } else {
            *out++ = *name;
        }
    }
    return js;
}

char *vr_label_node(const char *host, int port)
{
    return vr_strf("%s:%d", host, port);
}

char *vr_label_container(int64_t proc_id, int64_t generation)
{
    return vr_strf("vr-%" PRId64 ".%" PRId64, proc_id, generation);
}

char *vr_label_swarm(const char *app, const char *version, const char *config, const char *hash,
                     const char *proc)
{
    return vr_strf("%s-%s-%s-%s-%s", app, version, config, vr_str_is_empty(hash) ? "None" : hash,
                   proc);
}

char *vr_label_swarm_short(const char *app, const char *version, const char *config,
                           const char *proc)
{
    return vr_strf("%s-%s-%s-%s", app, version, config, proc);
}

char *vr_label_swarm_cli(const char *app, const char *config, const char *proc)
{
    return vr_strf("%s-%s-%s", app, config, proc);
}

char *vr_label_release(const char *app, const char *tag, const char *hash)
{
    return vr_strf("%s-%s-%s", app, tag, hash ? hash : "");
}

char *vr_label_build(const char *app, const char *tag)
{
    return vr_strf("%s-%s", app, tag);
}

char *vr_label_build_file(const char *app, const char *version, const char *md5)
{
    return vr_strf("%s-%s-%s.squashfs", app, version, md5);
}

char *vr_label_buildpack(const char *repo_url)
{
    size_t from = strspn(repo_url, " \t\r\n");
    const char *p = repo_url + from, *slash;
    size_t n = strcspn(p, "#");

    while (n && strchr(" \t\r\n", p[n - 1]))
        n--;
    if (n && p[n - 1] == '/')
        n--;
    slash = memrchr(p, '/', n);
    if (slash) {
        n -= (size_t)(slash + 1 - p);
        p = slash + 1;
    }
    if (n >= 4 && !memcmp(p + n - 4, ".git", 4))
        n -= 4;
    return vr_strndup(p, n);
}

char *vr_label_host_short(const char *host)
{
    return vr_strndup(host, strcspn(host, "."));
}

char *vr_label_memory(const char *mem_limit, const char *memsw_limit)
{
    bool has_mem = !vr_str_is_empty(mem_limit), has_swap = !vr_str_is_empty(memsw_limit);

    return vr_strf("%s%s%s%s%s", has_mem ? "RAM=" : "", has_mem ? mem_limit : "",
                   has_mem && has_swap ? "/" : "", has_swap ? "RAM+Swap=" : "",
                   has_swap ? memsw_limit : "");
}
