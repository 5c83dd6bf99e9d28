/* SPDX-License-Identifier: MIT */
/* The server's configuration: one table of options serves command line, environment and file. */
#include "server/config.h"

#include "core/str.h"
#include "engine/retention.h"
#include "fmt/json.h"
#include "fmt/uri.h"
#include "fmt/yaml.h"
#include "model/name.h"
#include "sys/fs.h"

#include <ctype.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#define CONFIG_BYTES (1 << 20)

struct option {
    const char *name; /* of the flag, without dashes; `_` for `-` in the file */
    size_t at;
    const char *fallback;
    const char *help;
};

#define AT(field) offsetof(struct vr_server_config, field)

static const struct option options[] = {
    {"listen", AT(address), "127.0.0.1:8000", "address and port of the API"},
    {"data-dir", AT(data_dir), "/var/lib/velociraptor/server", "database, blobs, tokens"},
    {"database", AT(database), NULL, "URL of the database (default: sqlite in the data folder)"},
    {"blobs", AT(blobs), NULL, "where slugs are kept (default: blobs/ in the data folder)"},
    {"join-token-file", AT(join_token_file), NULL, "token for new hosts, made if missing"},
    {"port-range", AT(port_range), "5000-5999", "ports that procs get on their hosts"},
    {"trusted-proxies", AT(trusted_proxies), "127.0.0.0/8,::1",
     "addresses whose X-Forwarded-For is believed; none: nobody's"},
    {"tls-cert", AT(tls_cert), NULL, "certificate (PEM); without it plain HTTP"},
    {"tls-key", AT(tls_key), NULL, "its key (PEM)"},
};

static int set(struct vr_server_config *c, const struct option *o, const char *value)
{
    char **at = (char **)((char *)c + o->at);

    free(*at);
    value = *value ? value : o->fallback; /* an empty value is none */
    *at = value ? vr_strdup(value) : NULL;
    return 0;
}

/* "data-dir" as it stands in a file ("data_dir") or the environment ("VR_SERVER_DATA_DIR"). */
static void spell(const struct option *o, bool upper, char *out, size_t n)
{
    size_t at = (size_t)snprintf(out, n, "%s%s", upper ? "VR_SERVER_" : "", o->name);

    for (size_t i = at - strlen(o->name); i < at; i++)
        out[i] = out[i] == '-' ? '_' : upper ? (char)toupper((unsigned char)out[i]) : out[i];
}

static int take_mapping(const json_t *doc, const char *name, json_t **out, struct vr_err *err)
{
    json_t *value = json_object_get(doc, name);

    if (value && !json_is_object(value) && !json_is_null(value))
        return vr_fail(err, VR_INVALID, "%s is not a mapping", name);
    json_decref(*out);
    *out = json_is_object(value) ? json_incref(value) : NULL;
    return 0;
}

/* `bb: https://bitbucket.org/` makes bb://team/shop an address. */
static int check_schemes(const json_t *schemes, struct vr_err *err)
{
    static const char letters[] = "abcdefghijklmnopqrstuvwxyz0123456789+.-";
    static const char *const taken[] = {"http", "https", "ssh", "git", "file"};
    const char *alias;
    json_t *url;

    json_object_foreach ((json_t *)schemes, alias, url) {
        struct vr_err why = VR_ERR_NULL;

        if (!vr_str_is_made_of(alias, letters, 1, 32))
            return vr_fail(err, VR_INVALID, "'%s' is no name of a scheme", alias);
        for (size_t i = 0; i < VR_COUNT(taken); i++)
            if (vr_streq(alias, taken[i]))
                return vr_fail(err, VR_INVALID, "scheme '%s' has a meaning of its own", alias);
        if (vr_name_check(VR_NAME_HTTP_URL, json_string_value(url), &why) < 0)
            return vr_fail(err, VR_INVALID, "scheme '%s': %s", alias, why.msg);
    }
    return 0;
}

static int read_parts(struct vr_server_config *c, const json_t *doc, struct vr_err *err)
{
    int r = vr_schedules_read(json_object_get(doc, "schedules"), c->schedules, err);

    if (r == 0)
        r = vr_retention_read(json_object_get(doc, "retention"), &c->retention, err);
    if (r == 0)
        r = take_mapping(doc, "balancers", &c->balancers, err);
    if (r == 0)
        r = take_mapping(doc, "schemes", &c->schemes, err);
    if (r == 0)
        r = check_schemes(c->schemes, err);
    if (r < 0)
        return r;
    return 0;
}

static int read_file(struct vr_server_config *c, const char *path, struct vr_err *err)
{
    vr_auto_free char *raw = NULL;
    vr_auto_json json_t *doc = NULL;
    size_t n = 0;
    int r;

    r = vr_fs_read(path, CONFIG_BYTES, &raw, &n, err);
    if (r == 0)
        r = vr_yaml_parse((struct vr_str){raw, n}, &doc, err);
    if (r < 0)
        return vr_fail_in(err, r, "'%s'", path);
    if (doc && !json_is_object(doc) && !json_is_null(doc))
        return vr_fail(err, VR_INVALID, "'%s' is not a mapping", path);
    for (size_t i = 0; i < VR_COUNT(options); i++) {
        char key[64];
        const json_t *value;

        spell(&options[i], false, key, sizeof(key));
        value = json_object_get(doc, key);
        if (value && !json_is_string(value) && !json_is_null(value))
            return vr_fail(err, VR_INVALID, "'%s': %s is not a text", path, key);
        if (json_is_string(value))
            set(c, &options[i], json_string_value(value));
    }
    r = read_parts(c, doc, err);
    return r < 0 ? vr_fail_in(err, r, "'%s'", path) : 0;
}

static void read_environment(struct vr_server_config *c)
{
    for (size_t i = 0; i < VR_COUNT(options); i++) {
        char name[64];
        const char *value;

        spell(&options[i], true, name, sizeof(name));
        value = getenv(name);
        if (value)
            set(c, &options[i], value);
    }
}

static void print_help(void)
{
    printf("usage: vr server [--config FILE] [options]\n\n"
           "The control plane: API, engine, event streams.\n\n");
    for (size_t i = 0; i < VR_COUNT(options); i++)
        printf("  --%-17s %s%s%s%s\n", options[i].name, options[i].help,
               options[i].fallback ? " (default: " : "",
               options[i].fallback ? options[i].fallback : "", options[i].fallback ? ")" : "");
}

/* One pass over the flags: with `config_file` only --config is looked at. */
static int read_flags(struct vr_server_config *c, int argc, char **argv, const char **config_file,
                      struct vr_err *err)
{
    for (int i = 1; i < argc; i++) {
        const char *word = argv[i], *value = strchr(word, '=');
        const struct option *o = NULL;
        size_t n;

        if (strncmp(word, "--", 2) != 0)
            return vr_fail(err, VR_INVALID, "unknown argument '%s'", word);
        word += 2;
        n = value ? (size_t)(value - word) : strlen(word);
        if (!strcmp(word, "help")) {
            print_help();
            return 1;
        }
        for (size_t k = 0; k < VR_COUNT(options); k++)
            if (strlen(options[k].name) == n && !strncmp(options[k].name, word, n))
                o = &options[k];
        if (!o && (n != strlen("config") || strncmp(word, "config", n) != 0))
            return vr_fail(err, VR_INVALID, "unknown option '--%.*s'", (int)n, word);
        if (value)
            value++;
        else if (++i < argc)
            value = argv[i];
        else
            return vr_fail(err, VR_INVALID, "option '--%.*s' needs a value", (int)n, word);
        if (!o && config_file)
            *config_file = value;
        if (o && !config_file)
            set(c, o, value);
    }
    return 0;
}

static int fill_in(struct vr_server_config *c, struct vr_err *err)
{
    vr_auto_free char *listen = vr_take(c->address);
    int r = vr_uri_split_address(listen, &c->address, &c->port, err);

    if (r < 0)
        return vr_fail_in(err, r, "option 'listen'");
    if (!c->database)
        c->database = vr_strf("sqlite:%s/velociraptor.db", c->data_dir);
    if (!c->blobs)
        c->blobs = vr_strf("%s/blobs", c->data_dir);
    if (!c->join_token_file)
        c->join_token_file = vr_strf("%s/join-token", c->data_dir);
    r = vr_cidr_parse(vr_streq(c->trusted_proxies, "none") ? "" : c->trusted_proxies, &c->trusted,
                      err);
    if (r < 0)
        return vr_fail_in(err, r, "option 'trusted-proxies'");
    if (!c->tls_cert != !c->tls_key)
        return vr_fail(err, VR_INVALID, "--tls-cert and --tls-key go together");
    return 0;
}

int vr_server_config_read(int argc, char **argv, struct vr_server_config *out, struct vr_err *err)
{
    struct vr_server_config c = {0};
    const char *file = getenv("VR_SERVER_CONFIG");
    int r;

    vr_schedules_default(c.schedules);
    vr_retention_default(&c.retention);
    for (size_t i = 0; i < VR_COUNT(options); i++)
        if (options[i].fallback)
            set(&c, &options[i], options[i].fallback);
    r = read_flags(&c, argc, argv, &file, err);
    if (r == 0 && file)
        r = read_file(&c, file, err);
    if (r == 0) {
        read_environment(&c);
        r = read_flags(&c, argc, argv, NULL, err);
    }
    if (r == 0)
        r = fill_in(&c, err);
    if (r != 0) {
        vr_server_config_fini(&c);
        return r;
    }
    *out = c;
    return 0;
}

void vr_server_config_fini(struct vr_server_config *c)
{
    for (size_t i = 0; i < VR_COUNT(options); i++)
        free(*(char **)((char *)c + options[i].at));
    json_decref(c->balancers);
    json_decref(c->schemes);
    *c = (struct vr_server_config){0};
}
