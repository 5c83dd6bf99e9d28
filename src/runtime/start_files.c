/* SPDX-License-Identifier: MIT */
/* The files of a container that start the app. */
#include "runtime/start_files.h"
#include "core/buf.h"
#include "core/str.h"
#include "shim/protocol.h"
#include "sys/fs.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>

#define PROC_SH_BYTES  (1 << 20)
#define ACCOUNTS_BYTES 4096

char *vr_start_proc_sh(const char *command, uint16_t port)
{
    vr_auto_buf struct vr_buf b = VR_BUF(PROC_SH_BYTES);
    char *text = NULL;

    vr_buf_add(&b, "export TMPDIR=/tmp\n"
                   "export HOME=/app\n"
                   "if [ -d /app/.profile.d ]; then\n"
                   "    for vr_profile in /app/.profile.d/*; do\n"
                   "        if [ -f \"$vr_profile\" ]; then . \"$vr_profile\"; fi\n"
                   "    done\n"
                   "    unset vr_profile\n"
                   "fi\n"
                   ". /env.sh\n"
                   "export APP_SETTINGS_YAML=/settings.yaml\n");
    if (port)
        vr_buf_addf(&b, "export PORT=%u\n", port);
    vr_buf_add(&b, "if [ \"$1\" = run ]; then\n");
    /*
     * Shell text on purpose: `exec` of a pipeline or a list is what the Procfile says it is. Many
     * Procfiles say `exec` themselves.
     */
    if (vr_str_is_empty(command))
        command = "true";
    vr_buf_addf(&b, "%s%s\n", vr_str_has_prefix(command, "exec ") ? "" : "exec ", command);
    vr_buf_add(&b, "else\nexec \"$@\"\nfi\n");
    vr_ignore(vr_buf_finish(&b, &text, NULL), "NULL tells it");
    return text;
}

/* 0640 root:gid from its first moment on, as it may hold secrets. */
static int write_secret(const char *dir, const char *name, const char *text, gid_t gid,
                        struct vr_err *err)
{
    vr_auto_free char *path = vr_strf("%s/%s", dir, name);
    int r = vr_fs_write(path, text, strlen(text), 0600, err);

    if (r < 0)
        return r;
    if (chown(path, 0, gid) < 0 || chmod(path, 0640) < 0)
        return vr_fail_sys(err, "%s", path);
    return 0;
}

int vr_start_files_write(const struct vr_bundle_spec *spec, uid_t host_uid, gid_t host_gid,
                         struct vr_err *err)
{
    vr_auto_free char *proc_sh = vr_start_proc_sh(spec->command, spec->port);
    vr_auto_free char *status = vr_strf("%s/" VR_SHIM_STATUS, spec->run_dir);
    int r;

    if (!proc_sh)
        return vr_fail(err, VR_LIMIT, "command line longer than %d bytes", PROC_SH_BYTES);
    r = write_secret(spec->run_dir, "proc.sh", proc_sh, host_gid, err);
    if (r == 0)
        r = write_secret(spec->run_dir, "env.sh", spec->env_sh ? spec->env_sh : "", host_gid, err);
    if (r == 0)
        r = write_secret(spec->run_dir, "settings.yaml",
                         spec->settings_yaml ? spec->settings_yaml : "{}\n", host_gid, err);
    /* The shim empties it at every start; it must exist to be bound. */
    if (r == 0)
        r = vr_fs_write(status, "", 0, 0600, err);
    if (r == 0 && chown(status, host_uid, (gid_t)-1) < 0)
        r = vr_fail_sys(err, "%s", status);
    return r;
}

static int write_public(const char *dir, const char *name, struct vr_buf *text, uid_t owner,
                        struct vr_err *err)
{
    vr_auto_free char *path = vr_strf("%s/%s", dir, name);
    vr_auto_free char *bytes = NULL;
    int r = vr_buf_finish(text, &bytes, err);

    if (r == 0)
        r = vr_fs_write(path, bytes, strlen(bytes), 0644, err);
    if (r == 0 && chown(path, owner, owner) < 0)
        r = vr_fail_sys(err, "%s", path);
    return r;
}

int vr_start_accounts_write(const struct vr_bundle_spec *spec, const char *upper, uid_t root_owner,
                            struct vr_err *err)
{
    vr_auto_free char *etc = vr_strf("%s/etc", upper);
    vr_auto_buf struct vr_buf passwd = VR_BUF(ACCOUNTS_BYTES);
    vr_auto_buf struct vr_buf group = VR_BUF(ACCOUNTS_BYTES);
    const char *user = vr_str_is_empty(spec->user_name) ? "app" : spec->user_name;
    int r = vr_fs_mkdir_p(etc, 0755, err);

    if (r < 0)
        return r;
    if (chown(etc, root_owner, root_owner) < 0)
        return vr_fail_sys(err, "%s", etc);
    vr_buf_add(&passwd, "root:x:0:0:root:/root:/bin/bash\n");
    vr_buf_add(&group, "root:x:0:\n");
    if (spec->uid)
        vr_buf_addf(&passwd, "%s:x:%u:%u::/app:/bin/bash\n", user, (unsigned)spec->uid,
                    (unsigned)spec->gid);
    if (spec->gid)
        vr_buf_addf(&group, "%s:x:%u:\n", spec->gid == 65534 ? "nogroup" : user,
                    (unsigned)spec->gid);
    if (spec->uid != 65534)
        vr_buf_add(&passwd, "nobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin\n");
    if (spec->gid != 65534)
        vr_buf_add(&group, "nogroup:x:65534:\n");
    r = write_public(etc, "passwd", &passwd, root_owner, err);
    return r < 0 ? r : write_public(etc, "group", &group, root_owner, err);
}
