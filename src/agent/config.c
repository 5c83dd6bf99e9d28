/* SPDX-License-Identifier: MIT */
/* The agent's configuration: one table of options serves command line, environment and file. */
#include "agent/config.h"

#include "core/buf.h"
#include "fmt/cidr.h"
#include "fmt/json.h"
#include "fmt/yaml.h"
#include "model/name.h"
#include "net/http_client.h"
#include "sys/fs.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#define CONFIG_BYTES (1 << 20)

enum kind { TEXT, SIZE, NUMBER, FLAG, ROLES };

struct option {
    const char *name; /* of the flag, without dashes; `_` for `-` in the file */
    enum kind kind;
    size_t at;
    const char *fallback;
    const char *help;
};

#define AT(field) offsetof(struct vr_agent_config, field)

static const struct option options[] = {
    {"server", TEXT, AT(server), "http://127.0.0.1:8000", "URL of the server"},
    {"name", TEXT, AT(name), NULL, "name of this host (default: its hostname)"},
    {"address", TEXT, AT(address), "127.0.0.1", "IP that balancers and uptests reach procs at"},
    {"squad", TEXT, AT(squad), NULL, "squad to join when this host is new"},
    {"roles", ROLES, 0, "app,build,balancer", "what this host does: app, build, balancer"},
    {"join-token-file", TEXT, AT(join_token_file), "/etc/velociraptor/join-token",
     "file with the token that lets a host enrol"},
    {"state-dir", TEXT, AT(state_dir), VR_AGENT_STATE_DIR, "survives a reboot"},
    {"run-dir", TEXT, AT(run_dir), "/run/velociraptor/agent", "a tmpfs"},
    {"shim", TEXT, AT(shim), NULL, "path of vr-shim (default: beside this program)"},
    {"runtime", TEXT, AT(runtime), NULL, "OCI runtime (default: crun if it works, else runc)"},
    {"buildpack-dir", TEXT, AT(buildpack_dir), NULL, "folder of the built-in buildpacks"},
    {"build-user", TEXT, AT(build_user), "velociraptor-build", "account that builds run as"},
    {"build-memory", SIZE, AT(build_memory_bytes), "2G", "memory that one build may use"},
    {"xmlrpc-listen", TEXT, AT(xmlrpc_listen), NULL,
     "ADDRESS:PORT for supervisorctl and other old tools (default: none)"},
    {"xmlrpc-allow", TEXT, AT(xmlrpc_allow), "127.0.0.1,::1",
     "addresses and networks that may use it; it asks for no password"},
    {"blob-budget", SIZE, AT(blob_budget_bytes), "20G", "bytes of slugs that are kept here"},
    {"blob-age-days", NUMBER, AT(blob_age_days), "7", "days that an unused slug is kept"},
    {"cache-budget", SIZE, AT(cache_budget_bytes), "10G", "bytes of all caches of builds"},
    {"app-cache-budget", SIZE, AT(app_cache_budget_bytes), "2G", "bytes of the cache of one app"},
    {"cache-age-days", NUMBER, AT(cache_age_days), "30", "days that an unused cache is kept"},
    {"mirror-budget", SIZE, AT(mirror_budget_bytes), "10G", "bytes of mirrors of repositories"},
    {"mirror-age-days", NUMBER, AT(mirror_age_days), "90", "days that an unused mirror is kept"},
    {"log-budget", SIZE, AT(log_budget_bytes), "5G", "bytes of logs, those of procs here included"},
    {"min-free", SIZE, AT(min_free_bytes), "256M", "bytes of the disk that are left free"},
    {"disk-low-percent", NUMBER, AT(disk_low_percent), "5", "warn when less of the disk is free"},
    {"ca-file", TEXT, AT(ca_file), NULL, "certificates to trust (default: the system's)"},
    {"userns-base", NUMBER, AT(userns_base), "100000", "first id of user namespaces, 0: none"},
    {"userns-count", NUMBER, AT(userns_count), "65536", "ids of a user namespace"},
    {"insecure", FLAG, AT(insecure), NULL, "allow plain HTTP to another host"},
};

static char **text_at(struct vr_agent_config *c, const struct option *o)
{
    return (char **)((char *)c + o->at);
}

static int set_roles(struct vr_agent_config *c, const char *value, struct vr_err *err)
{
    static const char *const known[] = {"app", "build", "balancer"};
    vr_auto_free char *copy = vr_strdup(value);
    char *rest = copy, *word;

    for (int i = 0; i < c->role_count; i++)
        free(c->roles[i]);
    c->role_count = 0;
    while ((word = strsep(&rest, ", "))) {
        bool ok = false;

        if (!*word)
            continue;
        for (size_t i = 0; i < VR_COUNT(known); i++)
            ok = ok || !strcmp(word, known[i]);
        if (!ok || c->role_count == VR_AGENT_ROLES_MAX)
            return vr_fail(err, VR_INVALID, "role '%s' is not one of app, build, balancer", word);
        c->roles[c->role_count++] = vr_strdup(word);
    }
    return 0;
}

static int set_flag(bool *flag, const char *value, struct vr_err *err)
{
    bool on = vr_streq(value, "true") || vr_streq(value, "1");

    if (!on && !vr_streq(value, "false") && !vr_streq(value, "0"))
        return vr_fail(err, VR_INVALID, "'%s' is neither true nor false", value);
    *flag = on;
    return 0;
}

static int set(struct vr_agent_config *c, const struct option *o, const char *value,
               struct vr_err *err)
{
    int64_t *number = (int64_t *)((char *)c + o->at);
    int r = 0;

    switch (o->kind) {
    case TEXT:
        value = *value ? value : o->fallback; /* an empty value is none */
        free(*text_at(c, o));
        *text_at(c, o) = value ? vr_strdup(value) : NULL;
        break;
    case SIZE:
        r = vr_parse_bytes(vr_str(value), number, err);
        break;
    case NUMBER:
        r = vr_parse_i64(vr_str(value), 0, UINT32_MAX, number, err);
        break;
    case FLAG:
        r = set_flag((bool *)((char *)c + o->at), value, err);
        break;
    case ROLES:
        r = set_roles(c, value, err);
        break;
    }
    return r < 0 ? vr_fail_in(err, r, "option '%s'", o->name) : 0;
}

/* "state-dir" as it stands in a file ("state_dir") or the environment ("VR_AGENT_STATE_DIR"). */
static void spell(const struct option *o, bool upper, char *out, size_t n)
{
    size_t at = (size_t)snprintf(out, n, "%s%s", upper ? "VR_AGENT_" : "", o->name);

    for (size_t i = at - strlen(o->name); i < at; i++)
        out[i] = out[i] == '-' ? '_' : upper ? (char)toupper((unsigned char)out[i]) : out[i];
}

static int read_file(struct vr_agent_config *c, const char *path, struct vr_err *err)
{
    vr_auto_free char *raw = NULL;
    vr_auto_json json_t *doc = NULL;
    size_t n = 0;
    int r;

    r = vr_fs_read(path, CONFIG_BYTES, &raw, &n, err);
    if (r < 0)
        return r;
    r = vr_yaml_parse((struct vr_str){raw, n}, &doc, err);
    if (r < 0)
        return vr_fail_in(err, r, "'%s'", path);
    json_decref(c->environment);
    c->environment = json_incref(json_object_get(doc, "environment"));
    if (c->environment && !json_is_object(c->environment))
        return vr_fail(err, VR_INVALID, "'%s': environment is not a mapping", path);
    for (size_t i = 0; i < VR_COUNT(options); i++) {
        char key[64];
        const json_t *value;
        vr_auto_free char *text = NULL;

        spell(&options[i], false, key, sizeof(key));
        value = json_object_get(doc, key);
        if (!value || json_is_null(value))
            continue;
        if (json_is_array(value)) {
            vr_auto_buf struct vr_buf list = VR_BUF(1024);
            size_t k;
            json_t *word;

            json_array_foreach (value, k, word)
                vr_buf_addf(&list, "%s,", json_is_string(word) ? json_string_value(word) : "?");
            text = vr_strdup(vr_buf_text(&list));
        } else {
            text =
                json_is_string(value) ? vr_strdup(json_string_value(value)) : vr_json_dump(value);
        }
        r = set(c, &options[i], text, err);
        if (r < 0)
            return vr_fail_in(err, r, "'%s'", path);
    }
    return 0;
}

static int read_environment(struct vr_agent_config *c, struct vr_err *err)
{
    for (size_t i = 0; i < VR_COUNT(options); i++) {
        char name[64];
        const char *value;
        int r;

        spell(&options[i], true, name, sizeof(name));
        value = getenv(name);
        r = value ? set(c, &options[i], value, err) : 0;
        if (r < 0)
            return r;
    }
    return 0;
}

static void print_help(void)
{
    printf("usage: vr agent [down] [--config FILE] [options]\n\n"
           "The program of a host: runs procs, builds and balancers as the server says.\n"
           "`vr agent down` stops all of them and unmounts what was mounted.\n\n");
    for (size_t i = 0; i < VR_COUNT(options); i++)
        printf("  --%-17s %s%s%s%s\n", options[i].name, options[i].help,
               options[i].fallback ? " (default: " : "",
               options[i].fallback ? options[i].fallback : "", options[i].fallback ? ")" : "");
}

static const struct option *find_option(const char *word, size_t n)
{
    for (size_t i = 0; i < VR_COUNT(options); i++)
        if (strlen(options[i].name) == n && !strncmp(options[i].name, word, n))
            return &options[i];
    return NULL;
}

/* One pass over the flags: with `config_file` only --config is looked at. */
static int read_flags(struct vr_agent_config *c, int argc, char **argv, const char **config_file,
                      struct vr_err *err)
{
    for (int i = 1; i < argc; i++) {
        const char *word = argv[i], *value = strchr(word, '=');
        const struct option *o;
        size_t n;
        int r;

        if (!strcmp(word, "down")) {
            c->down = true;
            continue;
        }
        if (strncmp(word, "--", 2) != 0)
            return vr_fail(err, VR_INVALID, "unknown argument '%s'", word);
        word += 2;
        n = value ? (size_t)(value - word) : strlen(word);
        if (!strcmp(word, "help")) {
            print_help();
            return 1;
        }
        o = find_option(word, n);
        if (!o && (n != strlen("config") || strncmp(word, "config", n) != 0))
            return vr_fail(err, VR_INVALID, "unknown option '--%.*s'", (int)n, word);
        if (!value && o && o->kind == FLAG)
            value = "true";
        else if (value)
            value++;
        else if (++i < argc)
            value = argv[i];
        else
            return vr_fail(err, VR_INVALID, "option '--%.*s' needs a value", (int)n, word);
        if (!o && config_file)
            *config_file = value;
        r = o && !config_file ? set(c, o, value, err) : 0;
        if (r < 0)
            return r;
    }
    return 0;
}

/* A path of ours beside this program: in the build folder, or installed. */
static char *beside(const char *const *candidates)
{
    char self[4096];
    ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);

    if (n <= 0)
        return NULL;
    self[n] = '\0';
    *strrchr(self, '/') = '\0';
    for (; *candidates; candidates++) {
        char *path = vr_strf("%s/%s", self, *candidates);

        if (vr_fs_exists(path))
            return path;
        free(path);
    }
    return NULL;
}

static bool is_ip(const char *text)
{
    struct in6_addr any;

    return inet_pton(AF_INET, text, &any) == 1 || inet_pton(AF_INET6, text, &any) == 1;
}

static int fill_in(struct vr_agent_config *c, struct vr_err *err)
{
    static const char *const shims[] = {"vr-shim", "../libexec/velociraptor/vr-shim",
                                        "../shim/vr-shim", NULL};
    static const char *const packs[] = {"../share/velociraptor/buildpacks", "buildpacks",
                                        "../../../buildpacks", NULL};
    char host[256] = "localhost";
    size_t n = strlen(c->server);
    struct vr_cidr_list nets;
    int r;

    while (n && c->server[n - 1] == '/')
        c->server[--n] = '\0';
    if (!c->name) {
        gethostname(host, sizeof(host) - 1);
        c->name = vr_strdup(host);
    }
    if (!c->shim)
        c->shim = beside(shims);
    if (!c->buildpack_dir)
        c->buildpack_dir = beside(packs);
    if (!c->shim)
        return vr_fail(err, VR_NOT_FOUND, "vr-shim is not beside this program: give --shim PATH");
    if (!c->insecure && !vr_http_url_is_private(c->server))
        return vr_fail(err, VR_DENIED,
                       "server '%s' is plain HTTP to another host: use https, or --insecure",
                       c->server);
    if (!is_ip(c->address))
        return vr_fail(err, VR_INVALID, "option 'address': '%s' is not an IP address", c->address);
    r = vr_cidr_parse(c->xmlrpc_allow, &nets, err);
    if (r < 0)
        return vr_fail_in(err, r, "option 'xmlrpc-allow'");
    return vr_name_check(VR_NAME_HOST, c->name, err);
}

int vr_agent_config_read(int argc, char **argv, struct vr_agent_config *out, struct vr_err *err)
{
    struct vr_agent_config c = {0};
    const char *file = getenv("VR_AGENT_CONFIG");
    int r = 0;

    for (size_t i = 0; i < VR_COUNT(options) && r == 0; i++)
        r = options[i].fallback ? set(&c, &options[i], options[i].fallback, err) : 0;
    if (r == 0)
        r = read_flags(&c, argc, argv, &file, err);
    if (r == 0 && file)
        r = read_file(&c, file, err);
    if (r == 0)
        r = read_environment(&c, err);
    if (r == 0)
        r = read_flags(&c, argc, argv, NULL, err);
    if (r == 0)
        r = fill_in(&c, err);
    if (r != 0) {
        vr_agent_config_fini(&c);
        return r;
    }
    *out = c;
    return 0;
}

void vr_agent_config_fini(struct vr_agent_config *c)
{
    for (size_t i = 0; i < VR_COUNT(options); i++)
        if (options[i].kind == TEXT)
            free(*text_at(c, &options[i]));
    for (int i = 0; i < c->role_count; i++)
        free(c->roles[i]);
    json_decref(c->environment);
    *c = (struct vr_agent_config){0};
}
