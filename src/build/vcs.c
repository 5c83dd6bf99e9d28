/* SPDX-License-Identifier: MIT */
/*
 * Foreign repositories, by a mirror on this host.
 *
 * One mirror per URL, one job at a time: its lock waits, since two jobs of one app are common and
 * neither is to fail for it. A fetch that is cut off by a kill may leave lock files and half packs
 * that would break every later fetch; a marker beside the mirror is there while it is written, and
 * a mirror that is opened with one is thrown away. git and hg run as the build user, caged, with
 * our configuration instead of the account's; everything that comes from outside stands behind
 * `--` or in a fixed prefix, and has passed vr_vcs_url_check() or vr_vcs_rev_check().
 */
#include "build/vcs_driver.h"
#include "core/buf.h"
#include "core/str.h"
#include "fmt/hash.h"
#include "sys/fs.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#define COMMIT_DIGITS 40
#define KEY_NAME_MAX  64
#define REASON_MAX    ((size_t)160)
#define PATH_VARIABLE "PATH=/usr/local/bin:/usr/bin:/bin"
#define SSH_COMMAND   "ssh -oBatchMode=yes -oConnectTimeout=15 -oStrictHostKeyChecking=accept-new"
#define REV_ALPHABET  "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_.+/-"

/*
 * `safe.directory` lets git read repositories of other owners; it is heeded in a file only, not on
 * the command line or in GIT_CONFIG_COUNT. Objects are never collected: a commit that a build is
 * pinned to may have no branch any more.
 */
static const char git_config[] = "[safe]\n\tdirectory = *\n"
                                 "[protocol \"ext\"]\n\tallow = never\n"
                                 "[core]\n\thooksPath = /dev/null\n\taskPass = /bin/false\n"
                                 "[credential]\n\thelper =\n"
                                 "[init]\n\ttemplateDir =\n\tdefaultBranch = main\n"
                                 "[gc]\n\tauto = 0\n"
                                 "[maintenance]\n\tauto = false\n"
                                 "[http]\n\tlowSpeedLimit = 1\n\tlowSpeedTime = 60\n"
                                 "[advice]\n\tdetachedHead = false\n";

static const char hg_config[] = "[ui]\ninteractive = False\nreport_untrusted = False\n"
                                "ssh = " SSH_COMMAND "\n"
                                "[subrepos]\ngit:allowed = False\nsvn:allowed = False\n";

int vr_vcs_type_parse(const char *name, enum vr_vcs_type *out, struct vr_err *err)
{
    if (vr_streq(name, "git"))
        *out = VR_VCS_GIT;
    else if (vr_streq(name, "hg"))
        *out = VR_VCS_HG;
    else
        return vr_fail(err, VR_INVALID, "repository type '%s' is neither git nor hg", name);
    return 0;
}

/* A scheme we let through, or none: user@host:path or an absolute path. */
static bool has_good_scheme(const char *url)
{
    static const char *const schemes[] = {"http://", "https://", "ssh://", "git://", "file:///"};
    const char *at = strchr(url, '@'), *colon = strchr(url, ':');

    for (size_t i = 0; i < VR_COUNT(schemes); i++)
        if (vr_str_has_prefix(url, schemes[i]))
            return url[strlen(schemes[i])] != '\0' && url[strlen(schemes[i])] != '-';
    if (*url == '/')
        return true;
    /* git reads `ext::…` as a helper program to run and `-…` as an option of ssh. */
    return at && colon && at < colon && colon[1] != ':' && at[1] != '-' && *url != '-' &&
           !memchr(url, '/', (size_t)(colon - url));
}

int vr_vcs_url_check(const char *url, struct vr_err *err)
{
    size_t n = url ? strlen(url) : 0;

    if (!n)
        return vr_fail(err, VR_INVALID, "repository URL is empty");
    if (n > VR_VCS_URL_MAX)
        return vr_fail(err, VR_INVALID, "repository URL has %zu bytes, %d are allowed", n,
                       VR_VCS_URL_MAX);
    for (const char *p = url; *p; p++)
        if ((unsigned char)*p <= ' ' || *p == 0x7f)
            return vr_fail(err, VR_INVALID, "repository URL '%s' has a space or control character",
                           url);
    if (!has_good_scheme(url))
        return vr_fail(err, VR_INVALID,
                       "repository URL '%s' is none of http, https, ssh, git, file, user@host:path "
                       "or an absolute path",
                       url);
    return 0;
}

#define FILE_SCHEME "file://"

static bool is_local(const char *url)
{
    return *url == '/' || vr_str_has_prefix(url, FILE_SCHEME);
}

static int hex_digit(char c)
{
    static const char digits[] = "0123456789abcdef";
    const char *p = c ? strchr(digits, c | 0x20) : NULL;

    return p ? (int)(p - digits) : -1;
}

/* %XX as git and hg read it in file URLs; what is no such escape stays. In place. */
static void unescape(char *text)
{
    char *to = text;

    for (const char *p = text; *p; to++) {
        int high = *p == '%' ? hex_digit(p[1]) : -1;
        int low = high >= 0 ? hex_digit(p[2]) : -1;
        bool is_escape = low >= 0 && (high || low); /* %00 is none */

        *to = is_escape ? (char)(high << 4 | low) : *p;
        p += is_escape ? 3 : 1;
    }
    *to = '\0';
}

/* Whether what is at path + suffix, if anything, is `dir` or below it. */
static bool leads_into(const char *path, const char *suffix, const char *dir)
{
    vr_auto_free char *full = vr_strf("%s%s", path, suffix);
    vr_auto_free char *real = realpath(full, NULL);

    return real && vr_str_has_prefix(real, dir) && strchr("/", real[strlen(dir)]);
}

/* The folder around `work_dir`, or itself if that is the root: then it has the disk for itself. */
static char *state_dir_of(const char *work_dir)
{
    char *dir = realpath(work_dir, NULL);
    char *slash;

    if (!dir)
        return NULL;
    slash = strrchr(dir, '/');
    if (slash != dir)
        *slash = '\0';
    return dir;
}

int vr_vcs_place_check(const char *url, const char *work_dir, struct vr_err *err)
{
    /* As git tries them. */
    static const char *const suffixes[] = {"", ".git", "/.git", ".git/.git"};
    vr_auto_free char *path = NULL;
    vr_auto_free char *dir = NULL;
    bool is_own = false;

    if (!is_local(url))
        return 0;
    dir = state_dir_of(work_dir);
    if (!dir)
        return vr_fail_sys(err, "find %s", work_dir);
    path = vr_strndup(url, strcspn(url, "#"));
    if (*url != '/') {
        memmove(path, path + strlen(FILE_SCHEME), strlen(path) - strlen(FILE_SCHEME) + 1);
        unescape(path);
    }
    for (size_t i = 0; i < VR_COUNT(suffixes) && !is_own; i++)
        is_own = leads_into(path, suffixes[i], dir);
    if (is_own)
        return vr_fail(err, VR_DENIED, "repository '%s' is in a folder of the agent's own", url);
    return 0;
}

int vr_vcs_rev_check(const char *rev, struct vr_err *err)
{
    if (!vr_str_is_made_of(rev, REV_ALPHABET, 1, VR_VCS_REV_MAX) || *rev == '-' || *rev == '/' ||
        strstr(rev, "..") || strstr(rev, "//") || vr_str_has_suffix(rev, "/"))
        return vr_fail(err, VR_INVALID,
                       "'%s' is not a tag, branch or commit: allowed are 1 to %d of A-Z a-z 0-9 _ "
                       ". + / -, not first '-' or '/', no '..'",
                       rev ? rev : "", VR_VCS_REV_MAX);
    return 0;
}

bool vr_vcs_is_commit(const char *rev)
{
    return vr_str_is_made_of(rev, "0123456789abcdef", COMMIT_DIGITS, COMMIT_DIGITS);
}

char *vr_vcs_url_public(const char *url)
{
    const char *begin = strstr(url, "://");
    size_t host;
    const char *at = NULL;

    if (!begin)
        return vr_strdup(url);
    begin += 3;
    host = strcspn(begin, "/?#");
    for (size_t i = 0; i < host; i++)
        if (begin[i] == '@')
            at = begin + i;
    return at ? vr_strf("%.*s%s", (int)(begin - url), url, at + 1) : vr_strdup(url);
}

static char *without_fragment(const char *url)
{
    return vr_strndup(url, strcspn(url, "#"));
}

/* The last part of a URL as a file name: what is not harmless becomes '_'. */
static char *base_name(const char *url)
{
    size_t n = strlen(url);
    char *name;
    const char *p;

    while (n && url[n - 1] == '/')
        n--;
    if (n > 4 && !memcmp(url + n - 4, ".git", 4))
        n -= 4;
    p = url + n;
    while (p > url && p[-1] != '/' && p[-1] != ':' && url + n - p < KEY_NAME_MAX)
        p--;
    name = vr_strndup(p, (size_t)(url + n - p));
    for (char *c = name; *c; c++)
        if (!strchr(REV_ALPHABET, *c) || (c == name && *c == '.'))
            *c = '_';
    return name;
}

char *vr_vcs_url_key(const char *url)
{
    vr_auto_free char *bare = without_fragment(url);
    vr_auto_free char *name = base_name(bare);
    char md5[VR_MD5_HEX];

    vr_md5_hex(bare, strlen(bare), md5);
    return vr_strf("%s-%s", name, md5);
}

/* ---- running git and hg ---- */

/* The line that says why, without the words before it; "" if none was printed. Cuts `text`. */
static const char *reason_line(char *text)
{
    static const char *const marks[] = {"fatal: ", "abort: ", "error: "};
    const char *last = "";
    char *save = NULL;

    for (char *line = strtok_r(text, "\r\n", &save); line; line = strtok_r(NULL, "\r\n", &save)) {
        for (size_t i = 0; i < VR_COUNT(marks); i++)
            if (vr_str_has_prefix(line, marks[i]))
                return line + strlen(marks[i]);
        last = line;
    }
    return last;
}

/* As vr_fail() with the reason, in which the URL shows no password. */
static int fail_with_reason(const struct vr_vcs *vcs, const char *name, struct vr_exit e,
                            char *printed, struct vr_err *err)
{
    vr_auto_buf struct vr_buf text = VR_BUF(VR_WORKER_TAIL_BYTES * 2);
    const char *p = reason_line(printed), *hit;
    char ended[64];

    for (; (hit = strstr(p, vcs->url)); p = hit + strlen(vcs->url)) {
        vr_buf_add_n(&text, p, (size_t)(hit - p));
        vr_buf_add(&text, vcs->public_url);
    }
    vr_buf_add(&text, p);
    vr_exit_format(e, ended, sizeof(ended));
    return vr_fail(err, VR_IO, "%s: %.*s", name, (int)REASON_MAX,
                   text.len ? vr_buf_text(&text) : ended);
}

int vr_vcs_command(struct vr_vcs *vcs, const char *name, const char *const *argv,
                   const char *const *extra_env, int64_t timeout_ms, char **out, struct vr_err *err)
{
    vr_auto_free char *home = vr_strf("HOME=%s", vcs->home);
    vr_auto_free char *git = vr_strf("GIT_CONFIG_GLOBAL=%s/gitconfig", vcs->home);
    vr_auto_free char *hg = vr_strf("HGRCPATH=%s/hgrc", vcs->home);
    const char *env[VR_VCS_ENV_MAX] = {
        home,
        git,
        hg,
        PATH_VARIABLE,
        "LC_ALL=C.UTF-8",
        "GIT_CONFIG_NOSYSTEM=1",
        "GIT_TERMINAL_PROMPT=0",
        "GIT_ASKPASS=/bin/false",
        "SSH_ASKPASS=/bin/false",
        "GIT_SSH_COMMAND=" SSH_COMMAND,
        "GIT_ATTR_NOSYSTEM=1",
        "HGPLAIN=1",
    };
    vr_auto_worker_result struct vr_worker_result result = {0};
    size_t n = 0;
    int r;

    while (env[n])
        n++;
    for (; extra_env && *extra_env; extra_env++)
        env[n++] = *extra_env;
    vr_worker_add_proxies(env, n, VR_COUNT(env));
    r = vr_worker_run(vcs->worker,
                      &(struct vr_worker_task){
                          .name = name,
                          .argv = argv,
                          .env = env,
                          .cwd = vcs->dir,
                          .timeout_ms = timeout_ms,
                          .quiet = true,
                      },
                      &result, err);
    if (r < 0)
        return r;
    if (result.exit.code)
        return fail_with_reason(vcs, name, result.exit, result.tail, err);
    if (out)
        *out = vr_take(result.out);
    return 0;
}

/* ---- the mirror ---- */

static int write_config(const char *home, struct vr_err *err)
{
    vr_auto_free char *git = vr_strf("%s/gitconfig", home);
    vr_auto_free char *hg = vr_strf("%s/hgrc", home);
    int r = vr_fs_mkdir_p(home, 0755, err);

    if (!r)
        r = vr_fs_write(git, git_config, sizeof(git_config) - 1, 0644, err);
    if (!r)
        r = vr_fs_write(hg, hg_config, sizeof(hg_config) - 1, 0644, err);
    return r;
}

/* The mirror is about to change: from here to end_change() a kill makes it void. */
static int begin_change(const struct vr_vcs *vcs, struct vr_err *err)
{
    return vr_fs_write(vcs->marker, "", 0, 0600, err);
}

static void end_change(const struct vr_vcs *vcs)
{
    vr_ignore(unlink(vcs->marker), "at worst the mirror is made anew");
}

static int make_mirror(struct vr_vcs *vcs, struct vr_err *err)
{
    int r = begin_change(vcs, err);

    if (r < 0)
        return r;
    if (mkdir(vcs->dir, 0755) < 0 ||
        chown(vcs->dir, vr_worker_uid(vcs->worker), vr_worker_gid(vcs->worker)) < 0)
        return vr_fail_sys(err, "make %s", vcs->dir);
    r = vcs->driver->init(vcs, err);
    if (!r)
        end_change(vcs);
    return r;
}

static int prepare(struct vr_vcs *vcs, const char *work_dir, const char *key, struct vr_err *err)
{
    vr_auto_free char *locks = vr_strf("%s/locks", work_dir);
    vr_auto_free char *lock = vr_strf("%s/%s", locks, key);
    vr_auto_free char *repo = vr_strf("%s/repo", work_dir);
    int r = vr_fs_mkdir_p(locks, 0700, err);

    if (!r)
        r = vr_fs_mkdir_p(repo, 0755, err);
    if (!r)
        r = vcs->lock_fd = vr_worker_lock(vcs->worker, lock, vcs->public_url, VR_VCS_LOCK_MS, err);
    if (r >= 0)
        r = 0;
    if (!r)
        r = write_config(vcs->home, err);
    if (!r && vr_fs_exists(vcs->marker))
        r = vr_fs_remove_tree(vcs->dir, err);
    if (!r && !vr_fs_exists(vcs->dir))
        r = make_mirror(vcs, err);
    if (!r) /* the host's janitor goes by when a mirror was used */
        vr_ignore(utimensat(AT_FDCWD, vcs->dir, NULL, 0), "at worst it is fetched anew one day");
    return r;
}

int vr_vcs_open(struct vr_worker *worker, const char *work_dir, enum vr_vcs_type type,
                const char *url, struct vr_vcs **out, struct vr_err *err)
{
    VR_OWNED(vr_vcs_close) struct vr_vcs *vcs = vr_alloc(sizeof(*vcs));
    vr_auto_free char *key = NULL;
    int r;

    vcs->lock_fd = -1;
    r = vr_vcs_url_check(url, err);
    if (!r)
        r = vr_vcs_place_check(url, work_dir, err);
    if (r < 0)
        return r;
    key = vr_vcs_url_key(url);
    vcs->worker = worker;
    vcs->driver = type == VR_VCS_GIT ? &vr_vcs_git : &vr_vcs_hg;
    vcs->url = without_fragment(url);
    vcs->public_url = vr_vcs_url_public(vcs->url);
    vcs->dir = vr_strf("%s/repo/%s", work_dir, key);
    vcs->marker = vr_strf("%s.changing", vcs->dir);
    vcs->home = vr_strf("%s/vcs", work_dir);
    vcs->is_local = is_local(url);
    r = prepare(vcs, work_dir, key, err);
    if (r < 0)
        return vr_fail_in(err, r, "mirror of '%s'", vcs->public_url);
    *out = vr_take(vcs);
    return 0;
}

struct vr_vcs *vr_vcs_close(struct vr_vcs *vcs)
{
    if (!vcs)
        return NULL;
    vr_fd_close(vcs->lock_fd);
    free(vcs->url);
    free(vcs->public_url);
    free(vcs->dir);
    free(vcs->marker);
    free(vcs->home);
    free(vcs);
    return NULL;
}

/* A fetch that ends by itself, well or not, leaves a sound mirror; one that is killed does not. */
static int change(struct vr_vcs *vcs, const char *commit, struct vr_err *err)
{
    int r = begin_change(vcs, err);

    if (r < 0)
        return r;
    vr_worker_say(vcs->worker, "Fetching %s", vcs->public_url);
    r = commit ? vcs->driver->fetch_commit(vcs, commit, err) : vcs->driver->fetch(vcs, err);
    if (!r || r == -VR_IO || r == -VR_NOT_FOUND)
        end_change(vcs);
    if (r < 0)
        return vr_fail_in(err, r, "repository '%s'", vcs->public_url);
    vcs->was_fetched = true;
    return 0;
}

static bool has_commit(struct vr_vcs *vcs, const char *commit)
{
    vr_auto_free char *found = NULL;

    return vcs->driver->find(vcs, commit, &found, NULL) == 0 && vr_streq(found, commit);
}

/* Make sure that the mirror has a full commit, at the price of the network if need be. */
static int need_commit(struct vr_vcs *vcs, const char *commit, struct vr_err *err)
{
    int r = 0;

    if (has_commit(vcs, commit))
        return 0;
    if (!vcs->was_fetched)
        r = change(vcs, NULL, err);
    if (r < 0 || has_commit(vcs, commit))
        return r;
    r = change(vcs, commit, NULL);
    if (r == -VR_BUSY || r == -VR_TIMEOUT)
        return vr_fail(err, (enum vr_code) - r, "repository '%s': fetch of a single commit cut off",
                       vcs->public_url);
    if (r < 0 || !has_commit(vcs, commit))
        return vr_fail(err, VR_NOT_FOUND, "repository '%s' has no commit '%s'", vcs->public_url,
                       commit);
    return 0;
}

int vr_vcs_resolve(struct vr_vcs *vcs, const char *rev, char **out_commit, struct vr_err *err)
{
    int r;

    if (rev) {
        r = vr_vcs_rev_check(rev, err);
        if (r < 0)
            return r;
    }
    if (rev && vr_vcs_is_commit(rev) && has_commit(vcs, rev)) {
        *out_commit = vr_strdup(rev);
        return 0;
    }
    r = vcs->was_fetched ? 0 : change(vcs, NULL, err);
    if (r < 0)
        return r;
    r = vcs->driver->find(vcs, rev, out_commit, err);
    if (r != -VR_NOT_FOUND)
        return r;
    if (!rev)
        return vr_fail(err, VR_NOT_FOUND, "repository '%s' is empty", vcs->public_url);
    if (vr_vcs_is_commit(rev) && need_commit(vcs, rev, NULL) == 0) {
        *out_commit = vr_strdup(rev);
        return 0;
    }
    return vr_fail(err, VR_NOT_FOUND, "repository '%s' has no tag, branch or commit '%s'",
                   vcs->public_url, rev);
}

int vr_vcs_checkout(struct vr_vcs *vcs, const char *commit, const char *dir, struct vr_err *err)
{
    int r;

    if (!vr_vcs_is_commit(commit))
        return vr_fail(err, VR_INVALID, "'%s' is not a full commit", commit);
    r = need_commit(vcs, commit, err);
    if (r < 0)
        return r;
    r = vcs->driver->checkout(vcs, commit, dir, err);
    return r < 0 ? vr_fail_in(err, r, "check out '%s' of '%s'", commit, vcs->public_url) : 0;
}
