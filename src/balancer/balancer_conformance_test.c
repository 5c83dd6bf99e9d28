/* SPDX-License-Identifier: MIT */
/* What every balancer driver must do, against the real programs and real backends. */
#include "balancer/balancer.h"

#include "balancer/daemon.h"
#include "balancer/test_http.h"
#include "core/clock.h"
#include "core/str.h"
#include "core/tap.h"
#include "sys/fs.h"
#include "sys/sock.h"

#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/socket.h>

#define AWAIT_MS 8000

/* A balancer on a free port with three backends. */
struct bench {
    const char *driver;
    uint16_t port;
    json_t *config;
    struct vr_balancer *b;
    struct test_server servers[3];
    struct vr_err err;
    int64_t generation;
};

static bool is_missing(const char *program)
{
    vr_auto_free char *a = vr_strf("/usr/sbin/%s", program);
    vr_auto_free char *b = vr_strf("/usr/bin/%s", program);

    return !vr_fs_exists(a) && !vr_fs_exists(b);
}

static char *state_dir(void)
{
    return vr_strf("%s/state", vr_tap_dir());
}

static bool reopen(struct bench *t)
{
    vr_auto_free char *dir = state_dir();

    t->b = vr_balancer_close(t->b);
    return vr_balancer_open(t->config, dir, NULL, &t->b, &t->err) == 0;
}

static bool set_up(struct bench *t, const char *driver)
{
    static const char *const names[] = {"one", "two", "three"};
    vr_auto_free char *bind = NULL;

    *t = (struct bench){.driver = driver};
    if (!vr_streq(driver, "none") && is_missing(driver)) {
        vr_tap_skip(driver);
        return false;
    }
    for (size_t i = 0; i < VR_COUNT(names); i++)
        if (!test_server_start(&t->servers[i], names[i]))
            return false;
    if (vr_tcp_free_port(&t->port, &t->err) < 0)
        return false;
    bind = vr_strf("127.0.0.1:%u", t->port);
    t->config = vr_streq(driver, "none") ? json_pack("{s:s, s:s}", "name", "test", "driver", driver)
                                         : json_pack("{s:s, s:s, s:{s:s}}", "name", "test",
                                                     "driver", driver, "options", "bind", bind);
    return reopen(t);
}

static void tear_down(struct bench *t)
{
    if (t->b)
        vr_ignore(vr_balancer_shutdown(t->b, &t->err), "the test is over");
    vr_balancer_close(t->b);
    json_decref(t->config);
    for (size_t i = 0; i < VR_COUNT(t->servers); i++)
        test_server_kill(&t->servers[i]);
    if (*t->err.msg)
        printf("# last error: %s\n", t->err.msg);
}

#define BENCH(t, driver)                                                                           \
    __attribute__((cleanup(tear_down))) struct bench t;                                            \
    if (!set_up(&(t), (driver)))                                                                   \
    return

/* Nodes of a pool: "0" is active server 0, "d0" draining server 0, as in "0 d1". */
static size_t make_nodes(const struct bench *t, const char *what, struct vr_balancer_node nodes[3])
{
    static const char *const ids[] = {"p1", "p2", "p3"};
    bool drain = false;
    size_t n = 0;

    for (; *what; what++) {
        int i = *what - '0';

        if (*what == 'd') {
            drain = true;
        } else if (i >= 0 && i <= 2) {
            nodes[n++] = (struct vr_balancer_node){ids[i], "127.0.0.1", t->servers[i].port, drain};
            drain = false;
        }
    }
    return n;
}

/* Apply pools shop and blog; NULL leaves a pool out. */
static int apply(struct bench *t, const char *shop, const char *blog)
{
    struct vr_balancer_node nodes[2][3];
    struct vr_balancer_pool pools[2];
    size_t n = 0;

    t->generation++;
    if (shop) {
        pools[n] = (struct vr_balancer_pool){"shop", t->generation, true, nodes[0], 0};
        pools[n++].node_count = make_nodes(t, shop, nodes[0]);
    }
    if (blog) {
        pools[n] = (struct vr_balancer_pool){"blog.v2", t->generation, true, nodes[1], 0};
        pools[n++].node_count = make_nodes(t, blog, nodes[1]);
    }
    return vr_balancer_apply(t->b, pools, n, &t->err);
}

static json_t *find_named(json_t *list, const char *key, const char *name)
{
    for (size_t i = 0; i < json_array_size(list); i++)
        if (vr_streq(json_string_value(json_object_get(json_array_get(list, i), key)), name))
            return json_array_get(list, i);
    return NULL;
}

static int64_t pool_number(struct bench *t, const char *pool, const char *key)
{
    json_t *report = NULL;
    int64_t n;

    if (vr_balancer_report(t->b, &report, &t->err) < 0)
        return -1;
    n = json_integer_value(
        json_object_get(find_named(json_object_get(report, "pools"), "name", pool), key));
    json_decref(report);
    return n;
}

static int64_t changes(struct bench *t)
{
    json_t *report = NULL;
    int64_t n;

    if (vr_balancer_report(t->b, &report, &t->err) < 0)
        return -1;
    n = json_integer_value(json_object_get(report, "changes"));
    json_decref(report);
    return n;
}

/* Poll until the pool's newest generation is confirmed. */
static bool await_confirmed(struct bench *t, const char *pool)
{
    struct vr_mono end = vr_mono_add_ms(vr_mono_now(), AWAIT_MS);

    while (pool_number(t, pool, "confirmed") != t->generation) {
        if (!vr_mono_ms_between(vr_mono_now(), end))
            return false;
        poll(NULL, 0, 20);
        if (vr_balancer_poll(t->b, &t->err) < 0)
            continue;
    }
    return true;
}

/* Poll until a node's field reads so ("up", "0", "null"). */
static bool await_node(struct bench *t, const char *pool, const char *id, const char *key,
                       const char *want)
{
    struct vr_mono end = vr_mono_add_ms(vr_mono_now(), AWAIT_MS);

    while (vr_mono_ms_between(vr_mono_now(), end)) {
        vr_auto_free char *got = NULL;
        json_t *report = NULL;
        json_t *p;

        if (vr_balancer_poll(t->b, &t->err) == 0 &&
            vr_balancer_report(t->b, &report, &t->err) == 0) {
            p = find_named(json_object_get(report, "pools"), "name", pool);
            p = find_named(json_object_get(p, "nodes"), "id", id);
            got = json_dumps(json_object_get(p, key), JSON_ENCODE_ANY);
            json_decref(report);
            if (got && (vr_streq(got, want) || (*got == '"' && strstr(got, want))))
                return true;
        }
        poll(NULL, 0, 20);
    }
    return false;
}

/* Who answers for a host: "one", "two", "three", or the status as "404". */
static const char *who(struct bench *t, const char *host, char body[TEST_BODY_BYTES])
{
    int status = test_get(t->port, host, "/", body);

    if (status != 200)
        snprintf(body, TEST_BODY_BYTES, "%d", status);
    return body;
}

/* Only these answer, in some number of requests. */
static bool only(struct bench *t, const char *host, const char *a, const char *b)
{
    char body[TEST_BODY_BYTES];

    for (int i = 0; i < 8; i++) {
        who(t, host, body);
        if (!vr_streq(body, a) && !vr_streq(body, b)) {
            printf("# %s answered for %s\n", body, host);
            return false;
        }
    }
    return true;
}

static void pools_and_hosts(const char *driver)
{
    char body[TEST_BODY_BYTES];
    int64_t before;
    BENCH(t, driver);

    CHECK(apply(&t, "0", "1 2") == 0);
    CHECK(await_confirmed(&t, "shop") && await_confirmed(&t, "blog.v2"));
    CHECK(pool_number(&t, "shop", "applied") == t.generation);
    before = changes(&t);
    CHECK(vr_balancer_poll(t.b, &t.err) == 0);
    t.generation--; /* the very same again */
    CHECK(apply(&t, "0", "1 2") == 0);
    CHECK(changes(&t) == before);
    if (vr_streq(driver, "none"))
        return;
    CHECK_STR(who(&t, "shop.example", body), "one");
    CHECK_STR(who(&t, "SHOP.example:8080", body), "one");
    CHECK_STR(who(&t, "shopping.example", body), "one"); /* no pool: the first made is default */
    CHECK_STR(who(&t, "10.0.0.1", body), "one");
    CHECK(only(&t, "blog.v2.example", "two", "three"));
    CHECK(apply(&t, NULL, "1") == 0 && await_confirmed(&t, "blog.v2"));
    CHECK_STR(who(&t, "shop.example", body), "two"); /* gone: the default, which is now blog */
    CHECK(apply(&t, NULL, "") == 0 && await_confirmed(&t, "blog.v2"));
    CHECK(vr_streq(who(&t, "blog.v2.x", body), "503") || vr_streq(body, "502"));
    CHECK(apply(&t, NULL, NULL) == 0);
    CHECK_STR(who(&t, "blog.v2.x", body), "404");
    CHECK(apply(&t, "2", NULL) == 0 && await_confirmed(&t, "shop"));
    CHECK_STR(who(&t, "shop.example", body), "three");
}

/* Let the load make some more requests, so that each state of the pool meets a few. */
static bool let_pass(struct test_load *load, int requests)
{
    int until = load->counts->ok + requests;

    for (int i = 0; i < AWAIT_MS / 5 && load->counts->ok < until; i++)
        poll(NULL, 0, 5);
    return load->counts->ok >= until;
}

static void swaps_under_load(const char *driver)
{
    struct test_load load;
    BENCH(t, driver);

    CHECK(apply(&t, "0", NULL) == 0 && await_confirmed(&t, "shop"));
    CHECK(test_load_start(&load, t.port, "shop.x"));
    for (int i = 0; i < 4; i++) {
        const char *wider = i % 2 ? "0 1" : "1 0";
        const char *drain = i % 2 ? "d1 0" : "d0 1";
        const char *after = i % 2 ? "0" : "1";

        CHECK(let_pass(&load, 20));
        CHECK(apply(&t, wider, NULL) == 0 && await_confirmed(&t, "shop"));
        CHECK(let_pass(&load, 20));
        CHECK(apply(&t, drain, NULL) == 0 && await_confirmed(&t, "shop"));
        CHECK(await_node(&t, "shop", i % 2 ? "p2" : "p1", "connections",
                         vr_streq(driver, "haproxy") ? "0" : "null"));
        test_server_kill(&t.servers[i % 2]);
        CHECK(let_pass(&load, 20));
        CHECK(apply(&t, after, NULL) == 0 && await_confirmed(&t, "shop"));
        CHECK(test_server_start(&t.servers[i % 2], i % 2 ? "two" : "one"));
    }
    test_load_stop(&load);
    printf("# %s: %d ok, %d failed, %d kept connections closed\n", driver, load.counts->ok,
           load.counts->failed, load.counts->closed);
    CHECK(load.counts->ok > 200);
    CHECK(load.counts->failed == 0);
    CHECK(vr_streq(driver, "nginx") || load.counts->closed == 0);
}

static void long_request_survives_drain(const char *driver)
{
    char body[TEST_BODY_BYTES];
    pid_t slow;
    BENCH(t, driver);

    CHECK(apply(&t, "0", NULL) == 0 && await_confirmed(&t, "shop"));
    slow = test_get_start(t.port, "shop.x", "/slow");
    if (vr_streq(driver, "haproxy"))
        CHECK(await_node(&t, "shop", "p1", "connections", "1"));
    else
        poll(NULL, 0, 300); /* nothing tells that nginx has passed it on */
    CHECK(apply(&t, "d0 1", NULL) == 0);
    CHECK_STR(who(&t, "shop.x", body), vr_streq(driver, "haproxy") ? "two" : body);
    CHECK(test_get_wait(slow) == 200);
    CHECK(await_confirmed(&t, "shop"));
    CHECK(only(&t, "shop.x", "two", NULL));
}

/* Find the private program and kill it with all its processes. */
static bool kill_program(const struct bench *t)
{
    vr_auto_free char *dir = state_dir();
    vr_auto_free char *pid_file = vr_strf("%s/%s.pid", dir, t->driver);
    struct vr_child daemon = VR_CHILD_NULL;
    bool ok;

    if (vr_daemon_find(pid_file, t->driver, dir, &daemon, NULL) < 0)
        return false;
    vr_child_signal(&daemon, SIGKILL);
    ok = vr_daemon_wait(&daemon, AWAIT_MS, NULL) == 0;
    vr_child_fini(&daemon);
    return ok;
}

static pid_t find_program(const struct bench *t)
{
    vr_auto_free char *dir = state_dir();
    vr_auto_free char *pid_file = vr_strf("%s/%s.pid", dir, t->driver);
    struct vr_child daemon = VR_CHILD_NULL;
    pid_t pid = vr_daemon_find(pid_file, t->driver, dir, &daemon, NULL) < 0 ? 0 : daemon.pid;

    vr_child_fini(&daemon);
    return pid;
}

static void program_outlives_us_and_is_restarted(const char *driver)
{
    char body[TEST_BODY_BYTES];
    pid_t pid;
    BENCH(t, driver);

    CHECK(apply(&t, "0", "1") == 0 && await_confirmed(&t, "shop"));
    pid = find_program(&t);
    CHECK(pid > 0 && reopen(&t));
    CHECK_STR(who(&t, "shop.x", body), "one");
    CHECK(apply(&t, "2", "1") == 0 && await_confirmed(&t, "shop"));
    CHECK(find_program(&t) == pid);
    CHECK(only(&t, "shop.x", "three", NULL) && only(&t, "blog.v2.x", "two", NULL));
    CHECK(kill_program(&t));
    CHECK(await_confirmed(&t, "shop"));
    for (int i = 0; i < 100 && !find_program(&t); i++)
        vr_ignore(vr_balancer_poll(t.b, &t.err), "tried again");
    CHECK(find_program(&t) != pid && await_confirmed(&t, "shop"));
    CHECK(only(&t, "shop.x", "three", NULL) && only(&t, "blog.v2.x", "two", NULL));
}

static void first_pool_made_stays_the_default(const char *driver)
{
    char body[TEST_BODY_BYTES];
    BENCH(t, driver);

    CHECK(apply(&t, NULL, "1") == 0 && await_confirmed(&t, "blog.v2"));
    CHECK(apply(&t, "0", "1") == 0 && await_confirmed(&t, "shop")); /* shop is listed first */
    CHECK_STR(who(&t, "other.x", body), "two");
    CHECK(reopen(&t) && apply(&t, "0", "1") == 0 && await_confirmed(&t, "shop"));
    CHECK_STR(who(&t, "other.x", body), "two");
}

static void bad_options_keep_the_old_program(const char *driver)
{
    char body[TEST_BODY_BYTES];
    BENCH(t, driver);

    CHECK(apply(&t, "0", NULL) == 0 && await_confirmed(&t, "shop"));
    json_object_set_new(json_object_get(t.config, "options"), "bind",
                        json_string("nonsense:99999"));
    CHECK(reopen(&t));
    CHECK(apply(&t, "1", NULL) < 0);
    CHECK(strstr(t.err.msg, "nonsense") || strstr(t.err.msg, "99999"));
    CHECK_STR(who(&t, "shop.x", body), "one");
    json_object_set_new(json_object_get(t.config, "options"), "bund", json_string("x"));
    CHECK(!reopen(&t) && strstr(t.err.msg, "unknown option 'bund'"));
    json_object_del(json_object_get(t.config, "options"), "bund");
    CHECK(reopen(&t));
}

/* Apply `count` pools "a0", "a1", … all of server 0, or 1 for odd ones. */
static int apply_many(struct bench *t, int count)
{
    struct vr_balancer_node nodes[2] = {{"p1", "127.0.0.1", t->servers[0].port, false},
                                        {"p2", "127.0.0.1", t->servers[1].port, false}};
    vr_auto_free struct vr_balancer_pool *pools = vr_alloc_array((size_t)count, sizeof(*pools));
    int r;

    t->generation++;
    for (int i = 0; i < count; i++)
        pools[i] =
            (struct vr_balancer_pool){vr_strf("a%d", i), t->generation, true, &nodes[i % 2], 1};
    r = vr_balancer_apply(t->b, pools, (size_t)count, &t->err);
    for (int i = 0; i < count; i++)
        free((char *)pools[i].name);
    return r;
}

/* What HAProxy answers on the socket that is for operators. */
static char *tell(const char *command)
{
    vr_auto_free char *path = vr_strf("%s/state/admin.sock", vr_tap_dir());
    vr_auto_close int fd = vr_unix_connect(path, SOCK_STREAM, NULL);
    char *answer = NULL;

    if (fd < 0 || vr_sock_ask(fd, command, 1 << 20, 2000, &answer, NULL) < 0)
        return vr_strdup("");
    return answer;
}

TEST(haproxy__more_pools_than_slots__reloads_without_a_loss)
{
    struct test_load load;
    char body[TEST_BODY_BYTES];
    vr_auto_free char *names = NULL;
    BENCH(t, "haproxy");

    CHECK(apply_many(&t, 2) == 0 && await_confirmed(&t, "a1"));
    CHECK(test_load_start(&load, t.port, "a1.x"));
    CHECK(let_pass(&load, 20));
    CHECK(apply_many(&t, 55) == 0 && await_confirmed(&t, "a54"));
    names = tell("show backend");
    CHECK(strstr(names, "slot_064") && !strstr(names, "slot_065"));
    CHECK(apply_many(&t, 80) == 0 && await_confirmed(&t, "a79"));
    CHECK(let_pass(&load, 20));
    free(names);
    names = tell("show backend");
    CHECK(strstr(names, "slot_128"));
    CHECK_STR(who(&t, "a79.x", body), "two");
    CHECK_STR(who(&t, "a78.x", body), "one");
    CHECK(reopen(&t) && apply_many(&t, 80) == 0 && await_confirmed(&t, "a79"));
    CHECK(changes(&t) == 0);
    test_load_stop(&load);
    CHECK(load.counts->failed == 0 && load.counts->closed == 0);
}

TEST(haproxy__clients_of_an_old_worker__get_the_new_members_too)
{
    char body[TEST_BODY_BYTES];
    int kept;
    BENCH(t, "haproxy");

    CHECK(apply_many(&t, 2) == 0 && await_confirmed(&t, "a0"));
    kept = test_dial(t.port);
    CHECK(test_ask(kept, "a0.x", body) == 200);
    CHECK(apply_many(&t, 60) == 0 && await_confirmed(&t, "a0")); /* a reload: `kept` is old */
    t.generation++;
    CHECK(
        vr_balancer_apply(t.b,
                          &(struct vr_balancer_pool){
                              "a0", t.generation, true,
                              &(struct vr_balancer_node){"p3", "127.0.0.1", t.servers[2].port}, 1},
                          1, &t.err) == 0);
    CHECK(await_confirmed(&t, "a0"));
    test_server_kill(&t.servers[0]);
    CHECK(test_ask(kept, "a0.x", body) == 200);
    CHECK_STR(body, "three");
    close(kept);
}

TEST(haproxy__strangers_in_its_memory__are_removed)
{
    vr_auto_free char *add = NULL, *map = NULL, *state = NULL, *route = NULL;
    char body[TEST_BODY_BYTES];
    BENCH(t, "haproxy");

    CHECK(apply(&t, "0", NULL) == 0 && await_confirmed(&t, "shop"));
    state = vr_strf("add server slot_001/p9 127.0.0.1:%u", t.servers[1].port);
    add = tell(state);
    free(state);
    CHECK(strstr(add, "registered"));
    state = tell("set server slot_001/p9 state ready");
    map = tell("add map hosts.map evil. slot_001");
    route = tell("set server slot_001/p1 state maint");
    CHECK(vr_balancer_poll(t.b, &t.err) == 0 && await_confirmed(&t, "shop"));
    free(state);
    state = tell("show servers state");
    CHECK(!strstr(state, "p9"));
    free(map);
    map = tell("show map hosts.map");
    CHECK(!strstr(map, "evil"));
    CHECK_STR(who(&t, "shop.x", body), "one");
}

TEST(haproxy__a_node_that_does_not_answer__is_seen_down_and_skipped)
{
    BENCH(t, "haproxy");

    CHECK(apply(&t, "0 1", NULL) == 0 && await_confirmed(&t, "shop"));
    CHECK(await_node(&t, "shop", "p1", "check", "up"));
    test_server_kill(&t.servers[0]);
    CHECK(await_node(&t, "shop", "p1", "check", "down"));
    CHECK(await_node(&t, "shop", "p2", "check", "up"));
    CHECK(only(&t, "shop.x", "two", NULL));
}

TEST(nginx__joined_to_a_host__writes_the_files_of_the_original)
{
    vr_auto_free char *dir = vr_strf("%s/sites", vr_tap_dir());
    vr_auto_free char *conf = vr_strf("%s/shop.conf", dir);
    vr_auto_free char *want = NULL, *got = NULL;
    size_t n;
    BENCH(t, "nginx");

    CHECK(vr_fs_mkdir_p(dir, 0755, &t.err) == 0);
    json_decref(t.config);
    t.config = json_pack("{s:s, s:s, s:{s:b, s:s, s:s, s:s}}", "name", "test", "driver",
                         "vr.common.balancer.nginx.NginxBalancer", "options", "private", 0,
                         "include_dir", dir, "pid_file", "/nonexistent/pid", "program", "true");
    CHECK(reopen(&t));
    CHECK(apply(&t, "0 1 d2", NULL) == -VR_NOT_FOUND); /* written, but nobody to tell */
    want = vr_strf("\nupstream shop {\n  server 127.0.0.1:%u;\n  server 127.0.0.1:%u;\n}\n",
                   t.servers[0].port, t.servers[1].port);
    CHECK(vr_fs_read(conf, 4096, &got, &n, &t.err) == 0);
    CHECK_STR(got, want);
}

TEST(apply__names_and_addresses_out_of_their_grammar__are_refused)
{
    struct vr_balancer_node node = {"p1", "127.0.0.1", 80, false};
    struct vr_balancer_pool pool = {"shop", 1, true, &node, 1};
    BENCH(t, "none");

    CHECK(vr_balancer_apply(t.b, &pool, 1, &t.err) == 0);
    node.address = "localhost";
    CHECK(vr_balancer_apply(t.b, &pool, 1, &t.err) == -VR_INVALID);
    node.address = "::1";
    node.id = "p1 ;";
    CHECK(vr_balancer_apply(t.b, &pool, 1, &t.err) == -VR_INVALID);
    node.id = "p1";
    pool.name = "../x";
    CHECK(vr_balancer_apply(t.b, &pool, 1, &t.err) == -VR_INVALID);
    pool.name = "x y";
    CHECK(vr_balancer_apply(t.b, &pool, 1, &t.err) == -VR_INVALID);
}

#define ALL_DRIVERS(story)                                                                         \
    TEST(haproxy__##story)                                                                         \
    {                                                                                              \
        story("haproxy");                                                                          \
    }                                                                                              \
    TEST(nginx__##story)                                                                           \
    {                                                                                              \
        story("nginx");                                                                            \
    }

ALL_DRIVERS(pools_and_hosts)
ALL_DRIVERS(swaps_under_load)
ALL_DRIVERS(long_request_survives_drain)
ALL_DRIVERS(program_outlives_us_and_is_restarted)
ALL_DRIVERS(first_pool_made_stays_the_default)
ALL_DRIVERS(bad_options_keep_the_old_program)

TEST(none__pools_and_hosts)
{
    pools_and_hosts("none");
}
