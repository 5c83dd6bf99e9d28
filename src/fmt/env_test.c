/* SPDX-License-Identifier: MIT */
/* Tests of fmt/env; the quoting is proved by a real shell. */
#include "fmt/env.h"

#include "core/tap.h"

#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

static const char *lookup(void *arg, const char *name)
{
    return vr_streq(name, "DBURL") ? arg : NULL;
}

static char *format(const char *json, bool expand)
{
    static char value[] = "pg://it's";
    vr_auto_json json_t *env = json_loads(json, 0, NULL);
    struct vr_env_spec spec = {.env = env, .expand = expand, .lookup = lookup, .arg = value};
    char *text = NULL;

    return vr_env_format(&spec, &text, NULL) == 0 ? text : NULL;
}

TEST(env_format__types__have_their_text)
{
    vr_auto_free char *text =
        format("{\"T\":true,\"F\":false,\"N\":null,\"I\":7,\"R\":1.5,\"J\":{\"b\":[1],\"a\":\"x\"},"
               "\"S\":\"it's $HOME `x`\"}",
               false);

    CHECK_STR(text, "export F='false'\nexport I='7'\nexport J='{\"a\":\"x\",\"b\":[1]}'\n"
                    "unset N\nexport R='1.5'\nexport S='it'\\''s $HOME `x`'\nexport T='true'\n");
}

TEST(env_format__exact_reference__comes_from_the_lookup)
{
    vr_auto_free char *text =
        format("{\"A\":\"$DBURL\",\"B\":\"$NONE\",\"C\":\"$DBURL/x\"}", false);

    CHECK_STR(text, "export A='pg://it'\\''s'\nexport B=''\nexport C='$DBURL/x'\n");
}

TEST(env_format__expand__leaves_only_names_alive)
{
    vr_auto_free char *text =
        format("{\"A\":\"$X-${Y_1}-$(id)-`id`-\\\\-\\\"-${Z:-1}-$5-$\",\"B\":1}", true);

    CHECK_STR(text, "export A=\"$X-${Y_1}-\\$(id)-\\`id\\`-\\\\-\\\"-\\${Z:-1}-\\$5-\\$\"\n"
                    "export B='1'\n");
}

TEST(env_format__bad_key__is_refused)
{
    vr_auto_json json_t *env = json_loads("{\"A B\":1}", 0, NULL);
    struct vr_err err = VR_ERR_NULL;
    char *text = NULL;

    CHECK(vr_env_format(&(struct vr_env_spec){.env = env}, &text, &err) == -VR_INVALID);
    CHECK_STR(err.msg, "'A B' is not a name of an environment variable");
    CHECK(!vr_env_is_key("") && !vr_env_is_key("1A") && vr_env_is_key("_a1"));
}

TEST(env_format__no_environment__is_an_empty_text)
{
    vr_auto_free char *text = NULL;

    CHECK(vr_env_format(&(struct vr_env_spec){0}, &text, NULL) == 0);
    CHECK_STR(text, "");
}

/* What `bash -c script` prints, at most `n` - 1 bytes. */
static void run_bash(const char *script, char *out, size_t n)
{
    int fds[2];
    pid_t pid;
    size_t len = 0;
    ssize_t k;

    out[0] = '\0';
    if (pipe2(fds, O_CLOEXEC) < 0)
        return;
    pid = fork();
    if (pid == 0) {
        dup2(fds[1], STDOUT_FILENO);
        execl("/bin/bash", "bash", "-c", script, (char *)NULL);
        _exit(127);
    }
    close(fds[1]);
    while (len < n - 1 && (k = read(fds[0], out + len, n - 1 - len)) > 0)
        len += (size_t)k;
    out[len] = '\0';
    close(fds[0]);
    waitpid(pid, NULL, 0);
}

TEST(env_format__nasty_value__survives_a_real_shell)
{
    static const char nasty[] = "a'b\"c$HOME`id`$(id)\\\n\xc3\xa9 ;&|*?~!#";
    vr_auto_json json_t *env = json_object();
    vr_auto_free char *plain = NULL, *expanded = NULL, *script = NULL;
    struct vr_env_spec spec = {.env = env};
    char out[400];

    vr_json_set(env, "V", json_string(nasty));
    CHECK(vr_env_format(&spec, &plain, NULL) == 0);
    spec.expand = true;
    CHECK(vr_env_format(&spec, &expanded, NULL) == 0);
    script = vr_strf("HOME=/h\n%sprintf '%%s|' \"$V\"\n%sprintf %%s \"$V\"", plain, expanded);
    run_bash(script, out, sizeof(out));
    CHECK_STR(out, "a'b\"c$HOME`id`$(id)\\\n\xc3\xa9 ;&|*?~!#|"
                   "a'b\"c/h`id`$(id)\\\n\xc3\xa9 ;&|*?~!#");
}
