/* SPDX-License-Identifier: MIT */
/* What is kept over restarts: sealed, and set aside when it is damaged. */
#include "agent/saved.h"

#include "core/tap.h"
#include "fmt/json.h"
#include "sys/fs.h"

#include <sodium.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

static char *path_of(const char *name)
{
    return vr_strf("%s/%s", vr_tap_dir(), name);
}

static bool exists(const char *name)
{
    vr_auto_free char *path = path_of(name);

    return vr_fs_exists(path);
}

static int save(const char *secret)
{
    vr_auto_json json_t *doc = json_pack("{s:s, s:i}", "secret", secret, "rev", 17);

    return sodium_init() < 0 ? -1 : vr_saved_write(vr_tap_dir(), "desired", doc, NULL);
}

static int load(json_t **out)
{
    struct vr_log log;

    vr_log_init(&log, NULL, "part", "saved");
    return vr_saved_read(vr_tap_dir(), "desired", &log, out, NULL);
}

/* Change one byte of a file. */
static bool damage(const char *name, size_t at)
{
    vr_auto_free char *path = path_of(name);
    vr_auto_free char *raw = NULL;
    size_t n = 0;

    if (vr_fs_read(path, VR_SAVED_BYTES, &raw, &n, NULL) < 0 || at >= n)
        return false;
    raw[at] ^= 1;
    return vr_fs_replace(path, raw, n, 0600, NULL) == 0;
}

TEST(saved__written_and_read__is_the_same_and_shows_no_secret)
{
    vr_auto_json json_t *doc = NULL;
    vr_auto_free char *path = path_of("desired");
    vr_auto_free char *raw = NULL;
    struct stat st;
    size_t n = 0;

    CHECK(save("hunter2-hunter2") == 0);
    CHECK(load(&doc) == 0);
    CHECK_STR(json_string_value(json_object_get(doc, "secret")), "hunter2-hunter2");
    CHECK(vr_fs_read(path, VR_SAVED_BYTES, &raw, &n, NULL) == 0);
    CHECK(memmem(raw, n, "hunter2", 7) == NULL);
    CHECK(stat(path, &st) == 0 && (st.st_mode & 0777) == 0600);
    CHECK(save("another") == 0);
    json_decref(doc);
    doc = NULL;
    CHECK(load(&doc) == 0);
    CHECK_STR(json_string_value(json_object_get(doc, "secret")), "another");
}

TEST(saved__never_written__is_not_found)
{
    json_t *doc = NULL;

    CHECK(sodium_init() >= 0);
    CHECK(load(&doc) == -VR_NOT_FOUND);
    CHECK(doc == NULL);
}

TEST(saved__damaged__is_set_aside_and_written_anew)
{
    vr_auto_json json_t *doc = NULL;

    CHECK(save("a") == 0);
    CHECK(damage("desired", 45));
    CHECK(load(&doc) == -VR_PARSE);
    CHECK(!exists("desired") && exists("desired.damaged"));
    CHECK(load(&doc) == -VR_NOT_FOUND);
    CHECK(save("b") == 0);
    CHECK(load(&doc) == 0);
}

TEST(saved__cut_short__is_set_aside)
{
    vr_auto_free char *path = path_of("desired");
    json_t *doc = NULL;

    CHECK(save("a") == 0);
    CHECK(vr_fs_replace(path, "short", 5, 0600, NULL) == 0);
    CHECK(load(&doc) == -VR_PARSE);
    CHECK(exists("desired.damaged"));
}

TEST(saved__with_another_key__is_set_aside)
{
    json_t *doc = NULL;

    CHECK(save("a") == 0);
    CHECK(damage("key", 0));
    CHECK(load(&doc) == -VR_PARSE);
    CHECK(exists("desired.damaged"));
}

TEST(saved__a_key_that_cannot_be_read__leaves_the_file_where_it_is)
{
    vr_auto_free char *key = path_of("key");
    json_t *doc = NULL;
    int r;

    CHECK(save("a") == 0);
    CHECK(remove(key) == 0 && mkdir(key, 0700) == 0);
    r = load(&doc);
    CHECK(r < 0 && r != -VR_PARSE && r != -VR_NOT_FOUND);
    CHECK(exists("desired") && !exists("desired.damaged"));
}
