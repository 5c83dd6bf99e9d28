/* SPDX-License-Identifier: MIT */
/*
 * The grammar of every name.
 *
 * Most kinds are an alphabet, a length and perhaps a smaller alphabet for the first character;
 * they are rows of the table. What is more than that (URLs, sizes, words of a list) adds a check
 * of its own, run after the row's.
 */
#include "model/name.h"

#include "fmt/utf8.h"

#define UPPER  "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
#define LOWER  "abcdefghijklmnopqrstuvwxyz"
#define DIGITS "0123456789"
#define WORD   UPPER LOWER DIGITS "_"

#define MAX_VOLUMES    100
#define MIN_MEM_BYTES  (INT64_C(1) << 20)
#define MAX_PATH_BYTES 1024
#define SHOWN_BYTES    60 /* how much of a wrong value a message repeats */

typedef int (*check_fn)(const char *title, const char *value, struct vr_err *err);

struct grammar {
    const char *title;
    size_t max;           /* bytes */
    const char *alphabet; /* NULL: printable UTF-8 */
    const char *first;    /* of the first character; NULL: the alphabet */
    const char *shown;    /* the alphabet in messages */
    check_fn check;       /* NULL: none */
};

static int refuse(const char *title, const char *value, const char *why, struct vr_err *err)
{
    return vr_fail(err, VR_INVALID, "%s '%.*s' %s", title, SHOWN_BYTES, value, why);
}

static int check_repo_type(const char *title, const char *value, struct vr_err *err)
{
    if (vr_streq(value, "git") || vr_streq(value, "hg"))
        return 0;
    return refuse(title, value, "is neither git nor hg", err);
}

/* Is there something behind `scheme://`? */
static bool has_scheme(const char *value, const char *const *schemes)
{
    for (; *schemes; schemes++) {
        size_t n = strlen(*schemes);

        if (vr_str_has_prefix(value, *schemes) && vr_str_has_prefix(value + n, "://"))
            return value[n + 3] && value[n + 3] != '-';
    }
    return false;
}

/* user@host:path, as scp takes it; host and path must not look like options. */
static bool is_scp_like(const char *value)
{
    size_t user = strspn(value, WORD ".-"), host;
    const char *p = value + user;

    if (!user || *p != '@')
        return false;
    p++;
    host = strspn(p, WORD ".-");
    return host && *p != '-' && p[host] == ':' && p[host + 1] && p[host + 1] != '-';
}

/* Values go to git and hg as arguments: no option, no transport that runs a program. */
static int check_repo_url(const char *title, const char *value, struct vr_err *err)
{
    static const char *const schemes[] = {"http", "https", "ssh", "git", "file", NULL};

    if (value[0] == '-')
        return refuse(title, value, "begins with '-'", err);
    if (strstr(value, "::"))
        return refuse(title, value, "names a transport helper ('::')", err);
    if (strchr(value, ' '))
        return refuse(title, value, "has a blank in it", err);
    if (value[0] == '/' || has_scheme(value, schemes) || is_scp_like(value))
        return 0;
    return refuse(title, value,
                  "is no http, https, ssh, git or file URL, user@host:path or absolute path", err);
}

static int check_http_url(const char *title, const char *value, struct vr_err *err)
{
    static const char *const schemes[] = {"http", "https", NULL};

    if (strchr(value, ' '))
        return refuse(title, value, "has a blank in it", err);
    return has_scheme(value, schemes) ? 0 : refuse(title, value, "is no http or https URL", err);
}

static int check_mem(const char *title, const char *value, struct vr_err *err)
{
    int64_t bytes;

    if (vr_parse_bytes(vr_str(value), &bytes, NULL) < 0)
        return refuse(title, value, "is not a size such as 256M or 1G", err);
    return bytes >= MIN_MEM_BYTES ? 0 : refuse(title, value, "is less than 1M", err);
}

static int check_md5(const char *title, const char *value, struct vr_err *err)
{
    return strlen(value) == 32 ? 0 : refuse(title, value, "does not have 32 digits", err);
}

static int check_sha256(const char *title, const char *value, struct vr_err *err)
{
    return strlen(value) == 64 ? 0 : refuse(title, value, "does not have 64 digits", err);
}

#define NAME_SHOWN "A-Z a-z 0-9 _ . -"
#define NAME_ROW(what, bytes)                                                                      \
    {                                                                                              \
        .title = (what), .max = (bytes), .alphabet = WORD ".-", .first = WORD ".",                 \
        .shown = NAME_SHOWN                                                                        \
    }

static const struct grammar grammars[VR_NAME_KIND_COUNT] = {
    [VR_NAME_APP] = {"app name", 50, WORD ".", .shown = "A-Z a-z 0-9 _ ."},
    [VR_NAME_TAG] = {"tag", 50, WORD ".+-", WORD ".+", .shown = "A-Z a-z 0-9 _ . + -"},
    [VR_NAME_CONFIG] = {"config name", 50, WORD, .shown = "A-Z a-z 0-9 _"},
    [VR_NAME_PROC] = {"proc name", 50, WORD ".", .shown = "A-Z a-z 0-9 _ ."},
    [VR_NAME_POOL] = NAME_ROW("pool name", 50),
    [VR_NAME_BALANCER] = NAME_ROW("balancer name", 50),
    [VR_NAME_SQUAD] = NAME_ROW("squad name", 50),
    [VR_NAME_INGREDIENT] = NAME_ROW("ingredient name", 50),
    [VR_NAME_DASHBOARD_SLUG] = NAME_ROW("dashboard slug", 50),
    [VR_NAME_HOST] = NAME_ROW("host name", 200),
    [VR_NAME_STACK] = NAME_ROW("stack name", 200),
    [VR_NAME_IMAGE] = NAME_ROW("image name", 200),
    [VR_NAME_USERNAME] = {"username", 150, WORD ".@+-", WORD, .shown = "A-Z a-z 0-9 _ . @ + -"},
    [VR_NAME_RUN_AS] = {"account", 32, LOWER DIGITS "_-", LOWER "_", .shown = "a-z 0-9 _ -"},
    [VR_NAME_ENV_KEY] = {"variable name", 255, WORD, UPPER LOWER "_", .shown = "A-Z a-z 0-9 _"},
    [VR_NAME_DISPLAY] = {"name", 50},
    [VR_NAME_REPO_TYPE] = {"repository type", 10, .check = check_repo_type},
    [VR_NAME_REPO_URL] = {"repository URL", 200, .check = check_repo_url},
    [VR_NAME_HTTP_URL] = {"URL", 200, .check = check_http_url},
    [VR_NAME_MEM_SIZE] = {"memory size", 32, .check = check_mem},
    [VR_NAME_MD5] = {"MD5", 32, DIGITS "abcdef", .shown = "0-9 a-f", .check = check_md5},
    [VR_NAME_SHA256] = {"SHA-256", 64, DIGITS "abcdef", .shown = "0-9 a-f", .check = check_sha256},
};

const char *vr_name_title(enum vr_name_kind kind)
{
    return grammars[kind].title;
}

size_t vr_name_max(enum vr_name_kind kind)
{
    return grammars[kind].max;
}

static bool is_control(uint32_t c)
{
    return c < 0x20 || (c >= 0x7f && c < 0xa0) || c == 0x2028 || c == 0x2029;
}

static int check_printable(const struct grammar *g, const char *value, struct vr_err *err)
{
    struct vr_str s = vr_str(value);

    while (s.n) {
        uint32_t code;
        size_t n = vr_utf8_next(s, &code);

        if (!n)
            return vr_fail(err, VR_INVALID, "%s is not UTF-8", g->title);
        if (is_control(code))
            return vr_fail(err, VR_INVALID, "%s has the control character U+%04X", g->title,
                           (unsigned)code);
        s = (struct vr_str){s.p + n, s.n - n};
    }
    return 0;
}

static int check_alphabet(const struct grammar *g, const char *value, struct vr_err *err)
{
    size_t good = strspn(value, g->alphabet);

    if (value[good])
        return vr_fail(err, VR_INVALID, "%s '%.*s' has the character '%c'; allowed are %s",
                       g->title, SHOWN_BYTES, value, value[good], g->shown);
    if (g->first && !strchr(g->first, value[0]))
        return vr_fail(err, VR_INVALID, "%s '%.*s' begins with '%c'", g->title, SHOWN_BYTES, value,
                       value[0]);
    if (vr_streq(value, ".") || vr_streq(value, ".."))
        return vr_fail(err, VR_INVALID, "%s '%s' means a folder", g->title, value);
    return 0;
}

int vr_name_check(enum vr_name_kind kind, const char *value, struct vr_err *err)
{
    const struct grammar *g = &grammars[kind];
    int r;

    if (vr_str_is_empty(value))
        return vr_fail(err, VR_INVALID, "%s is empty", g->title);
    /* First, so that every value in a message below is fit to be shown. */
    r = check_printable(g, value, err);
    if (r < 0)
        return r;
    if (strlen(value) > g->max)
        return vr_fail(err, VR_INVALID, "%s '%.*s…' is longer than %zu characters", g->title, 20,
                       value, g->max);
    r = g->alphabet ? check_alphabet(g, value, err) : 0;
    return r == 0 && g->check ? g->check(g->title, value, err) : r;
}

/* Absolute, without `.` and `..` parts. */
static int check_path(const json_t *value, struct vr_err *err)
{
    const char *path = json_string_value(value);
    int r;

    if (!path || path[0] != '/')
        return vr_fail(err, VR_INVALID, "volume path '%.*s' is not absolute", SHOWN_BYTES,
                       path ? path : "");
    if (strlen(path) > MAX_PATH_BYTES)
        return vr_fail(err, VR_INVALID, "a volume path is longer than %d bytes", MAX_PATH_BYTES);
    r = check_printable(&(struct grammar){.title = "volume path"}, path, err);
    if (r < 0)
        return r;
    for (const char *p = path; p; p = strchr(p + 1, '/')) {
        size_t n = strcspn(p + 1, "/");

        if ((n == 1 && p[1] == '.') || (n == 2 && p[1] == '.' && p[2] == '.'))
            return vr_fail(err, VR_INVALID, "volume path '%.*s' has '.' or '..' in it", SHOWN_BYTES,
                           path);
    }
    return 0;
}

static int check_volume(const json_t *volumes, size_t at, struct vr_err *err)
{
    const json_t *volume = json_array_get(volumes, at);
    const char *mount;
    int r = 0;

    if (!json_is_array(volume) || json_array_size(volume) != 2)
        return vr_fail(err, VR_INVALID, "volume %zu is not [host folder, mount point]", at + 1);
    for (size_t i = 0; i < 2 && r == 0; i++)
        r = check_path(json_array_get(volume, i), err);
    if (r < 0)
        return r;
    mount = json_string_value(json_array_get(volume, 1));
    if (vr_streq(mount, "/"))
        return vr_fail(err, VR_INVALID, "a volume cannot be mounted on '/'");
    for (size_t i = 0; i < at; i++) {
        const json_t *other = json_array_get(json_array_get(volumes, i), 1);

        if (vr_streq(json_string_value(other), mount))
            return vr_fail(err, VR_INVALID, "two volumes are mounted on '%.*s'", SHOWN_BYTES,
                           mount);
    }
    return 0;
}

int vr_name_check_volumes(const json_t *volumes, struct vr_err *err)
{
    if (!volumes || json_is_null(volumes))
        return 0;
    if (!json_is_array(volumes))
        return vr_fail(err, VR_INVALID, "Invalid list");
    if (json_array_size(volumes) > MAX_VOLUMES)
        return vr_fail(err, VR_LIMIT, "more than %d volumes", MAX_VOLUMES);
    for (size_t i = 0; i < json_array_size(volumes); i++) {
        int r = check_volume(volumes, i, err);

        if (r < 0)
            return r;
    }
    return 0;
}

int vr_name_check_mem(const char *mem_limit, const char *memsw_limit, struct vr_err *err)
{
    int64_t mem = 0, memsw = 0;
    int r;

    if (mem_limit) {
        r = vr_name_check(VR_NAME_MEM_SIZE, mem_limit, err);
        if (r < 0)
            return r;
    }
    if (!memsw_limit)
        return 0;
    r = vr_name_check(VR_NAME_MEM_SIZE, memsw_limit, err);
    if (r < 0)
        return r;
    if (!mem_limit)
        return vr_fail(err, VR_INVALID, "memsw_limit '%s' needs a mem_limit", memsw_limit);
    r = vr_parse_bytes(vr_str(mem_limit), &mem, err);
    if (r == 0)
        r = vr_parse_bytes(vr_str(memsw_limit), &memsw, err);
    if (r == 0 && memsw < mem)
        r = vr_fail(err, VR_INVALID, "memsw_limit '%s' is less than mem_limit '%s'", memsw_limit,
                    mem_limit);
    return r;
}
