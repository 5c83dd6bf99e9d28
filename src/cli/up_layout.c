/* SPDX-License-Identifier: MIT */
/* What `vr up` keeps where on one machine, and the files it writes there. */
#include "cli/up_layout.h"

#include "core/buf.h"
#include "core/str.h"
#include "fmt/json.h"
#include "fmt/yaml.h"
#include "sys/fs.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define CONFIG_BYTES (64u << 10)
#define MOUNTS_BYTES (4u << 20)

static char *absolute(const char *path)
{
    vr_auto_free char *here = NULL;
    char *out;

    if (*path == '/') {
        out = vr_strdup(path);
    } else {
        here = getcwd(NULL, 0);
        out = vr_strf("%s/%s", here ? here : "", path);
    }
    for (size_t n = strlen(out); n > 1 && out[n - 1] == '/'; n--)
        out[n - 1] = '\0';
    return out;
}

int vr_up_layout_init(struct vr_up_layout *l, const char *state_dir, const char *run_dir,
                      struct vr_err *err)
{
    char *state = absolute(state_dir);

    *l = (struct vr_up_layout){
        .state_dir = state,
        .run_dir = absolute(run_dir),
        .server_dir = vr_strf("%s/server", state),
        .agent_dir = vr_strf("%s/agent", state),
        .log_dir = vr_strf("%s/log", state),
        .server_yaml = vr_strf("%s/server.yaml", state),
        .agent_yaml = vr_strf("%s/agent.yaml", state),
        .server_lock = vr_strf("%s/server.lock", state),
        .agent_lock = vr_strf("%s/agent.lock", state),
        .up_lock = vr_strf("%s/up.lock", state),
        .server_log = vr_strf("%s/log/server.log", state),
        .agent_log = vr_strf("%s/log/agent.log", state),
        .up_log = vr_strf("%s/log/up.log", state),
        .join_token = vr_strf("%s/server/join-token", state),
        .password_file = vr_strf("%s/server/initial-password", state),
    };
    if (vr_streq(l->state_dir, "/") || vr_streq(l->run_dir, "/"))
        return vr_fail(err, VR_INVALID, "the root folder is no place for state");
    return 0;
}

void vr_up_layout_fini(struct vr_up_layout *l)
{
    char **all[] = {&l->state_dir,  &l->run_dir,     &l->server_dir,   &l->agent_dir,
                    &l->log_dir,    &l->server_yaml, &l->agent_yaml,   &l->server_lock,
                    &l->agent_lock, &l->up_lock,     &l->server_log,   &l->agent_log,
                    &l->up_log,     &l->join_token,  &l->password_file};

    for (size_t i = 0; i < VR_COUNT(all); i++)
        free(vr_take(*all[i]));
}

static int write_yaml(const char *path, const json_t *value, gid_t gid, struct vr_err *err)
{
    vr_auto_free char *text = vr_yaml_dump(value);
    int r = vr_fs_replace(path, text, strlen(text), 0640, err);

    /* The server, which is of this group, reads its file; nobody but root changes it. */
    if (r >= 0 && chown(path, 0, gid) < 0)
        return vr_fail_sys(err, "owner of %s", path);
    return r;
}

static int write_server_yaml(const struct vr_up_layout *l, const struct vr_up_settings *s,
                             gid_t gid, struct vr_err *err)
{
    vr_auto_json json_t *config = json_pack(
        "{s:s,s:s,s:s,s:s,s:{s:{s:s,s:[s],s:{s:s}}}}", "listen", s->listen, "data_dir",
        l->server_dir, "join_token_file", l->join_token, "port_range", s->port_range, "balancers",
        "default", "BACKEND", "haproxy", "hosts", s->name, "options", "bind", s->http);

    if (!config)
        return vr_fail(err, VR_INVALID, "a setting is not UTF-8");
    return write_yaml(l->server_yaml, config, gid, err);
}

static int write_agent_yaml(const struct vr_up_layout *l, const struct vr_up_settings *s,
                            struct vr_err *err)
{
    vr_auto_free char *url = vr_strf("http://%s", s->listen);
    vr_auto_free char *run_dir = vr_strf("%s/agent", l->run_dir);
    vr_auto_json json_t *config =
        json_pack("{s:s,s:s,s:s,s:s,s:[s,s,s],s:s,s:s,s:o,s:s}", "server", url, "name", s->name,
                  "address", "127.0.0.1", "squad", "default", "roles", "app", "build", "balancer",
                  "join_token_file", l->join_token, "state_dir", l->agent_dir, "run_dir",
                  vr_json_text(run_dir, strlen(run_dir)), "build_user", s->build_user);

    if (!config)
        return vr_fail(err, VR_INVALID, "a setting is not UTF-8");
    return write_yaml(l->agent_yaml, config, 0, err);
}

static int make_dir(const char *path, mode_t mode, uid_t uid, gid_t gid, struct vr_err *err)
{
    int r = vr_fs_mkdir_p(path, mode, err);

    if (r >= 0 && (chown(path, uid, gid) < 0 || chmod(path, mode) < 0))
        return vr_fail_sys(err, "folder %s", path);
    return r;
}

int vr_up_layout_make(const struct vr_up_layout *l, const struct vr_up_settings *s, uid_t uid,
                      gid_t gid, struct vr_err *err)
{
    bool known = vr_fs_exists(l->server_yaml) || vr_fs_exists(l->agent_yaml);
    int r = make_dir(l->state_dir, 0755, 0, 0, err);

    if (r >= 0)
        r = make_dir(l->server_dir, 0700, uid, gid, err);
    if (r >= 0)
        r = make_dir(l->agent_dir, 0711, 0, 0, err);
    if (r >= 0)
        r = make_dir(l->log_dir, 0750, 0, gid, err);
    if (r >= 0)
        r = vr_fs_mkdir_p(l->run_dir, 0755, err);
    if (r >= 0 && !vr_fs_exists(l->server_yaml))
        r = write_server_yaml(l, s, gid, err);
    if (r >= 0 && !vr_fs_exists(l->agent_yaml))
        r = write_agent_yaml(l, s, err);
    return r < 0 ? r : known;
}

int vr_up_layout_url(const struct vr_up_layout *l, char **out, struct vr_err *err)
{
    vr_auto_free char *text = NULL;
    vr_auto_json json_t *config = NULL;
    const char *listen;
    size_t n;
    int r = vr_fs_read(l->server_yaml, CONFIG_BYTES, &text, &n, err);

    if (r >= 0)
        r = vr_yaml_parse((struct vr_str){text, n}, &config, err);
    if (r >= 0)
        r = vr_json_opt_str(config, "listen", "127.0.0.1:8000", &listen, err);
    if (r < 0)
        return vr_fail_in(err, r, "%s", l->server_yaml);
    /* An address of all interfaces is not one to talk to. */
    if (vr_str_has_prefix(listen, "0.0.0.0:"))
        *out = vr_strf("http://127.0.0.1:%s/", listen + strlen("0.0.0.0:"));
    else
        *out = vr_strf("http://%s/", listen);
    return 0;
}

static bool is_below(struct vr_str path, const char *folder)
{
    size_t n = strlen(folder);

    return path.n >= n && !memcmp(path.p, folder, n) && (path.n == n || path.p[n] == '/');
}

int vr_up_layout_mounts(const struct vr_up_layout *l, char **out, struct vr_err *err)
{
    vr_auto_free char *text = NULL;
    vr_auto_buf struct vr_buf found = VR_BUF(MOUNTS_BYTES);
    size_t n;
    int r = vr_fs_read("/proc/self/mountinfo", MOUNTS_BYTES, &text, &n, err);

    if (r < 0)
        return r;
    for (const char *line = text; *line;) {
        size_t len = strcspn(line, "\n");
        const char *at = line;

        for (int field = 0; field < 4; field++)
            at += strcspn(at, " ") + 1;
        struct vr_str path = {at, strcspn(at, " \n")};
        if (is_below(path, l->state_dir) || is_below(path, l->run_dir))
            vr_buf_addf(&found, "%.*s\n", (int)path.n, path.p);
        line += len + (line[len] == '\n');
    }
    return vr_buf_finish(&found, out, err);
}
