/* SPDX-License-Identifier: MIT */
/* Tests of fmt/procfile. */
#include "fmt/procfile.h"

#include "core/tap.h"

static struct vr_procfile *parse(const char *text, struct vr_err *err)
{
    struct vr_procfile *pf = NULL;

    *err = (struct vr_err)VR_ERR_NULL;
    return vr_procfile_parse(vr_str(text), &pf, err) == 0 ? pf : NULL;
}

TEST(procfile_parse__yaml_mapping__keeps_the_order)
{
    struct vr_err err;
    VR_OWNED(vr_procfile_free)
    struct vr_procfile *pf =
        parse("web: node server.js\n# jobs\nclock: \"python -c 'a: b'\"\nadmin: x #y\n", &err);

    CHECK(pf && vr_procfile_count(pf) == 3);
    CHECK_STR(vr_procfile_name(pf, 0), "web");
    CHECK_STR(vr_procfile_command(pf, 1), "python -c 'a: b'");
    CHECK_STR(vr_procfile_command(pf, 2), "x");
}

TEST(procfile_parse__lines_that_yaml_rejects__are_read_as_heroku_does)
{
    struct vr_err err;
    VR_OWNED(vr_procfile_free)
    struct vr_procfile *pf =
        parse("web: run --header a: b\r\n\n# note\nworker-1:  @reboot  \nlast:[x\n", &err);

    CHECK(pf && vr_procfile_count(pf) == 3);
    CHECK_STR(vr_procfile_command(pf, 0), "run --header a: b");
    CHECK_STR(vr_procfile_name(pf, 1), "worker-1");
    CHECK_STR(vr_procfile_command(pf, 1), "@reboot");
    CHECK_STR(vr_procfile_command(pf, 2), "[x");
}

TEST(procfile_parse__neither__names_the_line)
{
    struct vr_err err;

    CHECK(!parse("web: a: b\nnot a line\n", &err));
    CHECK_STR(err.msg, "Procfile: line 2 is not `name: command`: not a line");
    CHECK(!parse("web: a: b\nweb: c\n", &err));
    CHECK_STR(err.msg, "Procfile: line 2: 'web' is there twice");
    CHECK(!parse("web: [a, b]\n", &err));
    CHECK_STR(err.msg, "Procfile: the command of 'web' is not a text");
    CHECK(!parse("just words\n", &err));
    CHECK(!parse("web: \xff\n", &err));
}

TEST(procfile_get__missing_proc__lists_those_there_are)
{
    struct vr_err err;
    VR_OWNED(vr_procfile_free) struct vr_procfile *pf = parse("web: a\nworker: b\n", &err);
    VR_OWNED(vr_procfile_free) struct vr_procfile *empty = parse("\n", &err);
    const char *command = NULL;

    CHECK(pf && empty && vr_procfile_count(empty) == 0);
    CHECK(vr_procfile_get(pf, "wbe", &command, &err) == -VR_NOT_FOUND);
    CHECK_STR(err.msg, "no proc 'wbe' in the Procfile; it has: web, worker");
    CHECK(vr_procfile_get(empty, "web", &command, &err) == -VR_NOT_FOUND);
    CHECK_STR(err.msg, "no proc 'web': the Procfile is empty");
    CHECK(vr_procfile_get(pf, "worker", &command, &err) == 0);
    CHECK_STR(command, "b");
}

TEST(procfile_add__defaults_of_the_buildpack__do_not_replace)
{
    struct vr_err err;
    VR_OWNED(vr_procfile_free) struct vr_procfile *pf = parse("web: a\n", &err);

    CHECK(vr_procfile_add(pf, "web", "other", &err) == 0);
    CHECK(vr_procfile_add(pf, "console", "irb", &err) == 0);
    CHECK(vr_procfile_count(pf) == 2);
    CHECK_STR(vr_procfile_command(pf, 0), "a");
}
