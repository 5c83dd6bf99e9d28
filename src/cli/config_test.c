/* SPDX-License-Identifier: MIT */
/* Which server and account win: option, environment, file, default. */
#include "cli/config.h"

#include "core/tap.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

/* The environment of a test: NAME=VALUE, ended by NULL. */
static const char *const *environment;

static const char *env(const char *name)
{
    size_t n = strlen(name);

    for (size_t i = 0; environment && environment[i]; i++) {
        if (!strncmp(environment[i], name, n) && environment[i][n] == '=')
            return environment[i] + n + 1;
    }
    return NULL;
}

static struct vr_config load(struct vr_config_spec spec, int *r, struct vr_err *err)
{
    struct vr_config c = VR_CONFIG_NULL;

    spec.env = env;
    *r = vr_config_load(&spec, &c, err);
    return c;
}

#define auto_config __attribute__((cleanup(vr_config_fini))) struct vr_config

TEST(config_load__nothing_given__is_this_machine)
{
    int r;
    environment = NULL;
    auto_config c = load((struct vr_config_spec){0}, &r, NULL);

    CHECK(!r);
    CHECK_STR(c.url, "http://127.0.0.1:8000/");
    CHECK(!c.username && !c.password && !c.token);
}

TEST(config_load__option_and_environment__option_wins)
{
    static const char *const vars[] = {"VR_URL=https://env", "VELOCIRAPTOR_URL=https://old",
                                       "VELOCIRAPTOR_USERNAME=old", "VR_PASSWORD=secret", NULL};
    int r;
    environment = vars;
    auto_config a = load((struct vr_config_spec){.url = "https://flag/x"}, &r, NULL);
    CHECK(!r);
    auto_config b = load((struct vr_config_spec){.username = "flag"}, &r, NULL);

    CHECK(!r);
    CHECK_STR(a.url, "https://flag/x/");
    CHECK_STR(a.username, "old");
    CHECK_STR(b.url, "https://env/");
    CHECK_STR(b.username, "flag");
    CHECK_STR(b.password, "secret");
}

TEST(config_load__token_of_the_file__goes_to_its_server_and_account_only)
{
    vr_auto_free char *path = vr_strf("%s/a/config.yaml", vr_tap_dir());
    struct vr_config_spec spec = {.path = path};
    struct stat st;
    int r;

    environment = NULL;
    CHECK(!vr_config_store(path, "https://one/", "ann", "t1", 7, NULL));
    CHECK(!vr_config_store(path, "https://two/", "bob", "t2", 8, NULL));
    CHECK(!stat(path, &st) && (st.st_mode & 0777) == 0600);
    auto_config current = load(spec, &r, NULL);
    CHECK_STR(current.url, "https://two/");
    CHECK_STR(current.username, "bob");
    CHECK_STR(current.token, "t2");
    spec.url = "https://one";
    auto_config one = load(spec, &r, NULL);
    CHECK_STR(one.token, "t1");
    CHECK(one.token_id == 7);
    spec.username = "eve";
    auto_config other = load(spec, &r, NULL);
    CHECK(!other.token);
    spec.url = "https://three";
    spec.username = NULL;
    auto_config third = load(spec, &r, NULL);
    CHECK(!third.token && !third.username);
}

TEST(config_store__without_token__forgets_the_server)
{
    vr_auto_free char *path = vr_strf("%s/config.yaml", vr_tap_dir());
    int r;

    environment = NULL;
    CHECK(!vr_config_store(path, "https://one/", "ann", "t1", 7, NULL));
    CHECK(!vr_config_store(path, "https://one/", NULL, NULL, 0, NULL));
    auto_config c = load((struct vr_config_spec){.path = path}, &r, NULL);
    CHECK_STR(c.url, "https://one/");
    CHECK(!c.token);
}

TEST(config_load__plain_http_to_another_machine__is_refused)
{
    struct vr_err err = VR_ERR_NULL;
    int r;

    environment = NULL;
    auto_config a = load((struct vr_config_spec){.url = "http://deploy.example.com"}, &r, &err);
    CHECK(r == -VR_DENIED && strstr(err.msg, "--insecure"));
    auto_config b = load(
        (struct vr_config_spec){.url = "http://deploy.example.com", .insecure = true}, &r, &err);
    CHECK(!r && b.insecure && !a.url);
    auto_config c = load((struct vr_config_spec){.url = "deploy"}, &r, &err);
    CHECK(r == -VR_INVALID && !c.url);
}

TEST(config_is_loopback__names_that_look_like_it__are_not)
{
    CHECK(vr_config_is_loopback("http://127.0.0.1:8000/"));
    CHECK(vr_config_is_loopback("http://localhost/"));
    CHECK(vr_config_is_loopback("http://[::1]:8000"));
    CHECK(!vr_config_is_loopback("http://127.evil.example/"));
    CHECK(!vr_config_is_loopback("http://localhost.evil/"));
    CHECK(!vr_config_is_loopback("http://localhost@evil/"));
}
