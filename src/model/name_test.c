/* SPDX-License-Identifier: MIT */
/* Tests of model/name: what each grammar takes, refuses, and says. */
#include "model/name.h"

#include "core/tap.h"

#define X10  "xxxxxxxxxx"
#define X50  X10 X10 X10 X10 X10
#define X200 X50 X50 X50 X50

static const struct {
    enum vr_name_kind kind;
    const char *value;
} good[] = {
    {VR_NAME_APP, "node_example.2"},
    {VR_NAME_APP, X50},
    {VR_NAME_TAG, "v1.0-3-gabc+dirty"},
    {VR_NAME_TAG, "+x"},
    {VR_NAME_CONFIG, "prod_2"},
    {VR_NAME_PROC, "web.1"},
    {VR_NAME_POOL, "my-pool.x"},
    {VR_NAME_HOST, "h1.example.com"},
    {VR_NAME_HOST, X200},
    {VR_NAME_USERNAME, "jane.doe@example.com"},
    {VR_NAME_RUN_AS, "nobody"},
    {VR_NAME_RUN_AS, "www-data"},
    {VR_NAME_ENV_KEY, "_PATH2"},
    {VR_NAME_DISPLAY, "Tor, n\xc3\xa4mlich: 1"},
    {VR_NAME_REPO_TYPE, "hg"},
    {VR_NAME_REPO_URL, "https://github.com/x/y.git"},
    {VR_NAME_REPO_URL, "ssh://git@host:2222/x"},
    {VR_NAME_REPO_URL, "file:///srv/repo"},
    {VR_NAME_REPO_URL, "git@github.com:x/y.git"},
    {VR_NAME_REPO_URL, "/srv/repo.git"},
    {VR_NAME_HTTP_URL, "http://x/base.tar.gz"},
    {VR_NAME_MEM_SIZE, "256M"},
    {VR_NAME_MEM_SIZE, "512mb"},
    {VR_NAME_MEM_SIZE, "1073741824"},
    {VR_NAME_MD5, "9e107d9d372bb6826bd81d3542a419d6"},
};

TEST(name_check__good_values__pass)
{
    for (size_t i = 0; i < VR_COUNT(good); i++) {
        struct vr_err err = VR_ERR_NULL;

        CHECK_STR(vr_name_check(good[i].kind, good[i].value, &err) ? err.msg : "", "");
    }
}

static const struct {
    enum vr_name_kind kind;
    const char *value;
    const char *message;
} bad[] = {
    {VR_NAME_APP, NULL, "app name is empty"},
    {VR_NAME_APP, "", "app name is empty"},
    {VR_NAME_APP, "my-app", "app name 'my-app' has the character '-'; allowed are A-Z a-z 0-9 _ ."},
    {VR_NAME_APP, "a b", "app name 'a b' has the character ' '; allowed are A-Z a-z 0-9 _ ."},
    {VR_NAME_APP, "a\nb", "app name has the control character U+000A"},
    {VR_NAME_APP, "a\xff", "app name is not UTF-8"},
    {VR_NAME_APP, "..", "app name '..' means a folder"},
    {VR_NAME_APP, X50 "x", "app name 'xxxxxxxxxxxxxxxxxxxx…' is longer than 50 characters"},
    {VR_NAME_TAG, "-v1", "tag '-v1' begins with '-'"},
    {VR_NAME_TAG, "a/b", "tag 'a/b' has the character '/'; allowed are A-Z a-z 0-9 _ . + -"},
    {VR_NAME_CONFIG, "a.b", "config name 'a.b' has the character '.'; allowed are A-Z a-z 0-9 _"},
    {VR_NAME_PROC, "..", "proc name '..' means a folder"},
    {VR_NAME_PROC, "a-b", "proc name 'a-b' has the character '-'; allowed are A-Z a-z 0-9 _ ."},
    {VR_NAME_POOL, "-x", "pool name '-x' begins with '-'"},
    {VR_NAME_HOST, "h:1", "host name 'h:1' has the character ':'; allowed are A-Z a-z 0-9 _ . -"},
    {VR_NAME_RUN_AS, "Root", "account 'Root' has the character 'R'; allowed are a-z 0-9 _ -"},
    {VR_NAME_RUN_AS, "0", "account '0' begins with '0'"},
    {VR_NAME_ENV_KEY, "1A", "variable name '1A' begins with '1'"},
    {VR_NAME_ENV_KEY, "A=B",
     "variable name 'A=B' has the character '='; allowed are A-Z a-z 0-9 _"},
    {VR_NAME_DISPLAY, "a\xc2\x85", "name has the control character U+0085"},
    {VR_NAME_REPO_TYPE, "svn", "repository type 'svn' is neither git nor hg"},
    {VR_NAME_REPO_URL, "--upload-pack=x", "repository URL '--upload-pack=x' begins with '-'"},
    {VR_NAME_REPO_URL, "ext::sh -c id",
     "repository URL 'ext::sh -c id' names a transport helper ('::')"},
    {VR_NAME_REPO_URL, "https://a b", "repository URL 'https://a b' has a blank in it"},
    {VR_NAME_REPO_URL, "ftp://x/y",
     "repository URL 'ftp://x/y' is no http, https, ssh, git or file URL, user@host:path or "
     "absolute path"},
    {VR_NAME_REPO_URL, "ssh://-oProxyCommand=x/y",
     "repository URL 'ssh://-oProxyCommand=x/y' is no http, https, ssh, git or file URL, "
     "user@host:path or absolute path"},
    {VR_NAME_REPO_URL, "x/y",
     "repository URL 'x/y' is no http, https, ssh, git or file URL, user@host:path or absolute "
     "path"},
    {VR_NAME_REPO_URL, "git@-x:y",
     "repository URL 'git@-x:y' is no http, https, ssh, git or file URL, user@host:path or "
     "absolute path"},
    {VR_NAME_HTTP_URL, "file:///x", "URL 'file:///x' is no http or https URL"},
    {VR_NAME_MEM_SIZE, "lots", "memory size 'lots' is not a size such as 256M or 1G"},
    {VR_NAME_MEM_SIZE, "-1", "memory size '-1' is not a size such as 256M or 1G"},
    {VR_NAME_MEM_SIZE, "5", "memory size '5' is less than 1M"},
    {VR_NAME_MD5, "abc", "MD5 'abc' does not have 32 digits"},
};

TEST(name_check__bad_values__are_named_with_the_rule)
{
    for (size_t i = 0; i < VR_COUNT(bad); i++) {
        struct vr_err err = VR_ERR_NULL;

        CHECK_STR(vr_name_check(bad[i].kind, bad[i].value, &err) == -VR_INVALID ? err.msg : "taken",
                  bad[i].message);
    }
}

TEST(name_table__every_kind__has_a_title_and_a_length)
{
    for (int kind = 0; kind < VR_NAME_KIND_COUNT; kind++) {
        CHECK(vr_name_title((enum vr_name_kind)kind));
        CHECK(vr_name_max((enum vr_name_kind)kind) > 0);
    }
}

static const char *volumes(const char *json, struct vr_err *err)
{
    vr_auto_json json_t *value = json_loads(json, JSON_DECODE_ANY, NULL);

    return vr_name_check_volumes(value, err) < 0 ? err->msg : "";
}

TEST(name_check_volumes__pairs_of_absolute_paths)
{
    struct vr_err err = VR_ERR_NULL;

    CHECK_STR(volumes("[[\"/var/data\",\"/data\"],[\"/\",\"/host\"]]", &err), "");
    CHECK_STR(volumes("null", &err), "");
    CHECK_STR(volumes("{}", &err), "Invalid list");
    CHECK_STR(volumes("[[\"/a\"]]", &err), "volume 1 is not [host folder, mount point]");
    CHECK_STR(volumes("[[\"/a\",\"b\"]]", &err), "volume path 'b' is not absolute");
    CHECK_STR(volumes("[[\"/a/../etc\",\"/b\"]]", &err),
              "volume path '/a/../etc' has '.' or '..' in it");
    CHECK_STR(volumes("[[\"/a/..\",\"/b\"]]", &err), "volume path '/a/..' has '.' or '..' in it");
    CHECK_STR(volumes("[[\"/a\",\"/\"]]", &err), "a volume cannot be mounted on '/'");
    CHECK_STR(volumes("[[\"/a\",\"/x\"],[\"/b\",\"/x\"]]", &err),
              "two volumes are mounted on '/x'");
    CHECK_STR(volumes("[[\"/a\",1]]", &err), "volume path '' is not absolute");
}

TEST(name_check_mem__swap_needs_memory)
{
    struct vr_err err = VR_ERR_NULL;

    CHECK(vr_name_check_mem(NULL, NULL, &err) == 0);
    CHECK(vr_name_check_mem("256M", NULL, &err) == 0);
    CHECK(vr_name_check_mem("256M", "1G", &err) == 0);
    CHECK(vr_name_check_mem(NULL, "1G", &err) == -VR_INVALID);
    CHECK_STR(err.msg, "memsw_limit '1G' needs a mem_limit");
    CHECK(vr_name_check_mem("1G", "256M", &err) == -VR_INVALID);
    CHECK_STR(err.msg, "memsw_limit '256M' is less than mem_limit '1G'");
}
