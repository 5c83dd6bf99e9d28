/* SPDX-License-Identifier: MIT */
/* Where the server is and who we are there: from options, environment, file, defaults.
 *
 * The file remembers one account for each server:
 *
 *     current: http://127.0.0.1:8000/
 *     servers:
 *       http://127.0.0.1:8000/:
 *         token: …
 *         username: admin
 *
 * so that a token never goes to a server other than the one that made it.
 */
#include "cli/config.h"

#include "core/str.h"
#include "fmt/yaml.h"
#include "sys/fs.h"

#include <string.h>

static const char *first_env(const struct vr_config_spec *spec, const char *name, const char *old)
{
    const char *value = spec->env(name);

    if (vr_str_is_empty(value) && old)
        value = spec->env(old);
    return vr_str_is_empty(value) ? NULL : value;
}

static const char *text_in(const json_t *object, const char *name)
{
    return object ? json_string_value(json_object_get(object, name)) : NULL;
}

static int read_file(const char *path, json_t **out, struct vr_err *err)
{
    vr_auto_free char *text = NULL;
    vr_auto_json json_t *value = NULL;
    size_t n = 0;
    int r;

    if (!path || !vr_fs_exists(path)) {
        *out = json_object();
        return 0;
    }
    r = vr_fs_read(path, VR_CONFIG_BYTES, &text, &n, err);
    if (r < 0)
        return r;
    r = vr_yaml_parse((struct vr_str){text, n}, &value, err);
    if (r < 0)
        return vr_fail_in(err, r, "%s", path);
    if (!json_is_object(value) && !json_is_null(value))
        return vr_fail(err, VR_PARSE, "%s: not a mapping", path);
    *out = json_is_null(value) ? json_object() : json_incref(value);
    return 0;
}

bool vr_config_is_loopback(const char *url)
{
    const char *host = strstr(url, "://");
    const char *end, *at;
    size_t n;

    host = host ? host + 3 : url;
    end = host + strcspn(host, "/?#");
    at = memchr(host, '@', (size_t)(end - host));
    host = at ? at + 1 : host;
    if (*host == '[')
        return !strncmp(host, "[::1]", 5);
    n = strcspn(host, ":/?#");
    if (n == strlen("localhost") && !strncmp(host, "localhost", n))
        return true;
    /* 127.x.y.z only: a name such as 127.example.com is not this machine. */
    return !strncmp(host, "127.", 4) && strspn(host, "0123456789.") == n;
}

static int check_url(const char *url, bool insecure, struct vr_err *err)
{
    if (vr_str_has_prefix(url, "https://"))
        return 0;
    if (!vr_str_has_prefix(url, "http://"))
        return vr_fail(err, VR_INVALID, "URL '%s' does not begin with http:// or https://", url);
    if (insecure || vr_config_is_loopback(url))
        return 0;
    return vr_fail(err, VR_DENIED,
                   "%s would send your password in clear; use https://, or give --insecure", url);
}

int vr_config_load(const struct vr_config_spec *spec, struct vr_config *out, struct vr_err *err)
{
    vr_auto_json json_t *file = NULL;
    const char *url, *username, *password, *token;
    struct vr_config c = VR_CONFIG_NULL;
    const json_t *account;
    int r = read_file(spec->path, &file, err);

    if (r < 0)
        return r;
    url = spec->url ? spec->url : first_env(spec, "VR_URL", "VELOCIRAPTOR_URL");
    if (!url)
        url = text_in(file, "current");
    if (!url)
        url = VR_CONFIG_DEFAULT_URL;
    c.insecure = spec->insecure;
    r = check_url(url, c.insecure, err);
    if (r < 0)
        return r;
    c.url = vr_strf("%s%s", url, vr_str_has_suffix(url, "/") ? "" : "/");

    account = json_object_get(json_object_get(file, "servers"), c.url);
    username = spec->username;
    if (!username)
        username = first_env(spec, "VR_USERNAME", "VELOCIRAPTOR_USERNAME");
    password = first_env(spec, "VR_PASSWORD", "VELOCIRAPTOR_PASSWORD");
    token = first_env(spec, "VR_TOKEN", NULL);
    /* Who names an account or a password means that one, not the stored one. */
    if (!token && !password && (!username || vr_streq(username, text_in(account, "username"))))
        token = text_in(account, "token");
    if (token && token == text_in(account, "token"))
        c.token_id = json_integer_value(json_object_get(account, "token_id"));
    c.username = vr_strdup(username ? username : text_in(account, "username"));
    c.password = vr_strdup(password);
    c.token = vr_strdup(token);
    *out = c;
    return 0;
}

static void wipe(char *secret)
{
    if (secret)
        explicit_bzero(secret, strlen(secret));
    free(secret);
}

void vr_config_fini(struct vr_config *c)
{
    free(c->url);
    free(c->username);
    wipe(c->password);
    wipe(c->token);
    *c = VR_CONFIG_NULL;
}

char *vr_config_path(void)
{
    const char *base = getenv("XDG_CONFIG_HOME");
    const char *home = getenv("HOME");

    if (!vr_str_is_empty(base))
        return vr_strf("%s/velociraptor/config.yaml", base);
    return vr_strf("%s/.config/velociraptor/config.yaml", vr_str_is_empty(home) ? "" : home);
}

static int make_folder_of(const char *path, struct vr_err *err)
{
    vr_auto_free char *folder = vr_strdup(path);
    char *slash = strrchr(folder, '/');

    if (!slash || slash == folder)
        return 0;
    *slash = '\0';
    return vr_fs_mkdir_p(folder, 0700, err);
}

int vr_config_store(const char *path, const char *url, const char *username, const char *token,
                    int64_t token_id, struct vr_err *err)
{
    vr_auto_json json_t *file = NULL;
    vr_auto_free char *text = NULL;
    json_t *servers;
    int r = read_file(path, &file, err);

    if (r < 0)
        return r;
    servers = json_object_get(file, "servers");
    if (!json_is_object(servers)) {
        servers = json_object();
        vr_json_set(file, "servers", servers);
    }
    if (token) {
        vr_json_set(servers, url,
                    json_pack("{s:s,s:s,s:I}", "username", username, "token", token, "token_id",
                              (json_int_t)token_id));
        vr_json_set(file, "current", json_string(url));
    } else {
        json_object_del(servers, url);
    }
    r = make_folder_of(path, err);
    if (r < 0)
        return r;
    text = vr_yaml_dump(file);
    return vr_fs_replace(path, text, strlen(text), 0600, err);
}
