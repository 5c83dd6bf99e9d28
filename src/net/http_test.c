/* SPDX-License-Identifier: MIT */
/* Server and client against each other: plain requests, bodies, files, broken clients, TLS. */
#include "core/clock.h"
#include "core/tap.h"
#include "net/http_fixture.h"
#include "sys/fs.h"
#include "sys/proc.h"
#include "sys/sock.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>

#define UPLOAD_BYTES (200LL << 20)
#define HEADERS(...)                                                                               \
    (const char *const[])                                                                          \
    {                                                                                              \
        __VA_ARGS__, NULL                                                                          \
    }

static int call_path(struct fixture *f, struct vr_http_client *client, struct vr_http_call call,
                     const char *path, struct vr_http_result *out, struct vr_err *err)
{
    vr_auto_free char *url = vr_strf("%s%s", f->base, path);

    call.url = url;
    return vr_http_call(client, &call, out, err);
}

/* The status of one call, -1 if it failed. */
static int status_of_call(struct fixture *f, struct vr_http_call call, const char *path)
{
    VR_OWNED(vr_http_client_free) struct vr_http_client *client = vr_http_client_new();
    struct vr_http_result result = {0};
    int status = -1;

    if (!call_path(f, client, call, path, &result, NULL))
        status = result.status;
    vr_http_result_fini(&result);
    return status;
}

static int connect_raw(struct fixture *f)
{
    struct sockaddr_in sa = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    sa.sin_port = htons(vr_http_server_port(f->server));
    if (fd >= 0 && connect(fd, (struct sockaddr *)&sa, sizeof(sa)) < 0)
        vr_fd_close(vr_take_fd(fd));
    return fd;
}

TEST(http__echo__all_parts_of_the_request_arrive)
{
    struct fixture f;
    VR_OWNED(vr_http_client_free) struct vr_http_client *client = vr_http_client_new();
    struct vr_http_call call = {
        .method = "PUT", .body = "hi\0you", .body_bytes = 6, .user = "u", .password = "p"};
    struct vr_http_result result = {0};

    CHECK(fixture_start(&f, 0, NULL, NULL));
    CHECK(!call_path(&f, client, call, "/echo/a%2Fb//?q=x+y&z", &result, NULL));
    CHECK(result.status == 200);
    CHECK_STR(result.body, "{\"auth\":\"Basic dTpw\",\"body\":\"hi\xef\xbf\xbdyou\",\"bytes\":6,"
                           "\"method\":\"PUT\",\"part\":\"a/b\",\"path\":\"/echo/a%2Fb//\","
                           "\"q\":\"x y\",\"remote\":\"127.0.0.1\"}");
    CHECK_STR(vr_http_result_header(&result, "content-type"), "application/json");
    CHECK_STR(vr_http_result_header(&result, "x-odd"), "a  Set-Cookie: b");
    CHECK(vr_http_result_header(&result, "x-request-id"));
    CHECK(!vr_http_result_header(&result, "set-cookie"));
    vr_http_result_fini(&result);
    fixture_stop(&f);
    CHECK(f.released == 1);
}

TEST(http__bearer_and_own_headers__are_sent)
{
    struct fixture f;
    VR_OWNED(vr_http_client_free) struct vr_http_client *client = vr_http_client_new();
    struct vr_http_call call = {.bearer = "tok", .headers = HEADERS("X-A: b")};
    struct vr_http_result result = {0};

    CHECK(fixture_start(&f, 0, NULL, NULL));
    CHECK(!call_path(&f, client, call, "/echo", &result, NULL));
    CHECK(strstr(result.body, "\"auth\":\"Bearer tok\""));
    vr_http_result_fini(&result);
    fixture_stop(&f);
}

TEST(http__many_calls__one_connection_and_no_leak)
{
    struct fixture f;
    int before = fixture_fds(), fds[2] = {0, 0};

    CHECK(fixture_start(&f, 0, NULL, NULL));
    {
        VR_OWNED(vr_http_client_free) struct vr_http_client *client = vr_http_client_new();

        for (int i = 0; i < 200; i++) {
            struct vr_http_result result = {0};

            CHECK(!fixture_get(&f, client, "/echo", &result));
            CHECK(result.status == 200);
            vr_http_result_fini(&result);
            fds[i > 0] = fixture_fds();
        }
    }
    CHECK(fds[0] == fds[1]);
    fixture_stop(&f);
    CHECK(fixture_fds() == before);
    CHECK(f.released == 200);
}

TEST(http__head__has_the_length_and_no_body)
{
    struct fixture f;
    VR_OWNED(vr_http_client_free) struct vr_http_client *client = vr_http_client_new();
    struct vr_http_call call = {.method = "HEAD"};
    struct vr_http_result result = {0};

    CHECK(fixture_start(&f, 0, NULL, NULL));
    CHECK(!call_path(&f, client, call, "/echo", &result, NULL));
    CHECK(result.status == 200 && !result.body_bytes);
    CHECK(!vr_streq(vr_http_result_header(&result, "content-length"), "0"));
    vr_http_result_fini(&result);
    fixture_stop(&f);
}

TEST(http__handler_without_an_answer__is_500)
{
    struct fixture f;

    CHECK(fixture_start(&f, 0, NULL, NULL));
    CHECK(status_of_call(&f, (struct vr_http_call){0}, "/silent") == 500);
    fixture_stop(&f);
}

TEST(http__bad_paths_and_queries__are_400)
{
    struct fixture f;

    CHECK(fixture_start(&f, 0, NULL, NULL));
    CHECK(status_of_call(&f, (struct vr_http_call){0}, "/echo/%zz") == 400);
    CHECK(status_of_call(&f, (struct vr_http_call){0}, "/echo/%00") == 400);
    CHECK(status_of_call(&f, (struct vr_http_call){0}, "/echo?q=%ff") == 400);
    CHECK(status_of_call(&f, (struct vr_http_call){0},
                         "/1/2/3/4/5/6/7/8/9/10/11/12/13/14/15/16/17"
                         "/18/19/20/21/22/23/24/25/26/27/28/29/30/31"
                         "/32/33") == 400);
    fixture_stop(&f);
}

TEST(http__body_over_the_limit__is_413_and_a_small_one_keeps_the_connection)
{
    struct fixture f;
    VR_OWNED(vr_http_client_free) struct vr_http_client *client = vr_http_client_new();
    vr_auto_free char *big = vr_alloc(8 << 20);
    struct vr_http_result result = {0};
    struct vr_http_call call = {.method = "POST", .body = "12345678901", .body_bytes = 11};
    int fds;

    memset(big, 'x', 8 << 20);
    CHECK(fixture_start(&f, 0, NULL, NULL));
    CHECK(!call_path(&f, client, call, "/small", &result, NULL));
    CHECK(result.status == 413);
    CHECK_STR(result.body, "{\"error\":\"body is larger than 10 bytes\"}");
    vr_http_result_fini(&result);
    fds = fixture_fds();
    call.body_bytes = 10;
    CHECK(!call_path(&f, client, call, "/small", &result, NULL));
    CHECK(result.status == 200 && fixture_fds() == fds);
    vr_http_result_fini(&result);
    call.body = big;
    call.body_bytes = 8 << 20;
    CHECK(status_of_call(&f, call, "/small") == 413);
    CHECK(status_of_call(&f, call, "/secret") == 401);
    fixture_stop(&f);
}

TEST(http__chunked_body__over_the_limit_is_413_too)
{
    struct fixture f;
    vr_auto_free char *big = vr_alloc(100000);
    struct vr_http_call call = {
        .method = "POST", .body = big, .headers = HEADERS("Transfer-Encoding: chunked")};

    memset(big, 'x', 100000);
    CHECK(fixture_start(&f, 0, NULL, NULL));
    call.body_bytes = 5;
    CHECK(status_of_call(&f, call, "/small") == 200);
    call.body_bytes = 100000;
    CHECK(status_of_call(&f, call, "/small") == 413);
    fixture_stop(&f);
}

TEST(http__sink_that_fails__answers_with_its_reason)
{
    struct fixture f;
    VR_OWNED(vr_http_client_free) struct vr_http_client *client = vr_http_client_new();
    struct vr_http_call call = {.method = "POST", .body = "x", .body_bytes = 1};
    struct vr_http_result result = {0};

    CHECK(fixture_start(&f, 0, NULL, NULL));
    CHECK(!call_path(&f, client, call, "/full", &result, NULL));
    CHECK(result.status == 507);
    CHECK_STR(result.body, "{\"error\":\"disk full\"}");
    vr_http_result_fini(&result);
    fixture_stop(&f);
}

TEST(http__upload_of_200_mb__streams_in_little_memory)
{
    struct fixture f;
    VR_OWNED(vr_http_client_free) struct vr_http_client *client = vr_http_client_new();
    vr_auto_free char *path = vr_strf("%s/big", vr_tap_dir());
    vr_auto_close int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    struct vr_http_call call = {.method = "POST", .body_fd = fd};
    struct vr_http_result result = {0};
    struct rusage before, after;

    CHECK(fd >= 0 && !ftruncate(fd, UPLOAD_BYTES));
    CHECK(fixture_start(&f, 0, NULL, NULL));
    f.upload_bytes = UPLOAD_BYTES;
    getrusage(RUSAGE_SELF, &before);
    CHECK(!call_path(&f, client, call, "/upload", &result, NULL));
    getrusage(RUSAGE_SELF, &after);
    CHECK(result.status == 200 && f.sunk_bytes == UPLOAD_BYTES);
    vr_http_result_fini(&result);
    CHECK(after.ru_maxrss - before.ru_maxrss < 16 * 1024); /* kB */
    f.upload_bytes--;
    CHECK(status_of_call(&f, call, "/upload") == 413);
    fixture_stop(&f);
}

static bool make_file(struct fixture *f, const char *text)
{
    snprintf(f->file, sizeof(f->file), "%s/file", vr_tap_dir());
    return !vr_fs_write(f->file, text, strlen(text), 0600, NULL);
}

TEST(file__ranges__206_416_and_the_whole)
{
    static const struct {
        const char *range;
        int status;
        const char *body;
        const char *content_range;
    } cases[] = {
        {"Range: bytes=2-4", 206, "234", "bytes 2-4/10"},
        {"Range: bytes=7-", 206, "789", "bytes 7-9/10"},
        {"Range: bytes=-2", 206, "89", "bytes 8-9/10"},
        {"Range: bytes=-99", 206, "0123456789", "bytes 0-9/10"},
        {"Range: bytes=5-99", 206, "56789", "bytes 5-9/10"},
        {"Range: bytes=10-", 416, "", "bytes */10"},
        {"Range: bytes=-0", 416, "", "bytes */10"},
        {"Range: bytes=4-2", 200, "0123456789", NULL},
        {"Range: bytes=0-1,4-5", 200, "0123456789", NULL},
        {"Range: lines=1-2", 200, "0123456789", NULL},
        {"X-None: 1", 200, "0123456789", NULL},
    };
    struct fixture f;
    VR_OWNED(vr_http_client_free) struct vr_http_client *client = vr_http_client_new();

    CHECK(fixture_start(&f, 0, NULL, NULL));
    CHECK(make_file(&f, "0123456789"));
    for (size_t i = 0; i < VR_COUNT(cases); i++) {
        struct vr_http_call call = {.headers = HEADERS(cases[i].range)};
        struct vr_http_result result = {0};

        CHECK(!call_path(&f, client, call, "/file", &result, NULL));
        CHECK(result.status == cases[i].status);
        CHECK_STR(result.body, cases[i].body);
        CHECK_STR(vr_http_result_header(&result, "content-range"), cases[i].content_range);
        CHECK_STR(vr_http_result_header(&result, "etag"), "\"tag1\"");
        vr_http_result_fini(&result);
    }
    fixture_stop(&f);
}

TEST(file__known_etag__is_304_and_if_range_is_honoured)
{
    struct fixture f;

    CHECK(fixture_start(&f, 0, NULL, NULL));
    CHECK(make_file(&f, "0123456789"));
    CHECK(status_of_call(
              &f, (struct vr_http_call){.headers = HEADERS("If-None-Match: \"x\", W/\"tag1\"")},
              "/file") == 304);
    CHECK(status_of_call(&f, (struct vr_http_call){.headers = HEADERS("If-None-Match: \"tag\"")},
                         "/file") == 200);
    CHECK(status_of_call(
              &f,
              (struct vr_http_call){.headers = HEADERS("Range: bytes=1-2", "If-Range: \"tag1\"")},
              "/file") == 206);
    CHECK(status_of_call(
              &f,
              (struct vr_http_call){.headers = HEADERS("Range: bytes=1-2", "If-Range: \"old\"")},
              "/file") == 200);
    CHECK(status_of_call(&f, (struct vr_http_call){.method = "HEAD"}, "/file") == 200);
    fixture_stop(&f);
}

/* Send bytes and then nothing: the server must hang up and forget. */
static void check_half(const char *bytes, int released)
{
    struct fixture f;
    int before = fixture_fds();
    struct pollfd pfd = {.events = POLLIN};
    char answer[4096];

    CHECK(fixture_start(&f, 1000, NULL, NULL));
    pfd.fd = connect_raw(&f);
    CHECK(pfd.fd >= 0);
    CHECK(send(pfd.fd, bytes, strlen(bytes), 0) == (ssize_t)strlen(bytes));
    do
        CHECK(poll(&pfd, 1, 10000) == 1);
    while (recv(pfd.fd, answer, sizeof(answer), 0) > 0);
    vr_fd_close(pfd.fd);
    fixture_stop(&f);
    CHECK(f.released == released);
    CHECK(fixture_fds() == before);
}

TEST(half_request__nothing_and_part_of_the_headers__times_out)
{
    check_half("", 0);
    check_half("GET /echo HTT", 0);
    check_half("GET /echo HTTP/1.1\r\nHost: x\r\nX-", 0);
}

TEST(half_request__part_of_the_body__times_out_and_is_released)
{
    check_half("POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\n12345", 1);
    check_half("POST /upload HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n12", 1);
}

TEST(client__nobody_listens__names_the_url)
{
    VR_OWNED(vr_http_client_free) struct vr_http_client *client = vr_http_client_new();
    vr_auto_free char *url = NULL;
    struct vr_http_call call = {0};
    struct vr_http_result result;
    struct vr_err err = VR_ERR_NULL;
    uint16_t port;

    CHECK(!vr_tcp_free_port(&port, NULL));
    call.url = url = vr_strf("http://127.0.0.1:%d/x", port);
    CHECK(vr_http_call(client, &call, &result, &err) == -VR_IO);
    CHECK(strstr(err.msg, url));
    call.url = "ftp://127.0.0.1/";
    CHECK(vr_http_call(client, &call, &result, &err) == -VR_INVALID);
}

TEST(client__slow_answer_and_long_answer__timeout_and_limit)
{
    struct fixture f;
    VR_OWNED(vr_http_client_free) struct vr_http_client *client = vr_http_client_new();
    struct vr_http_result result;
    struct vr_err err = VR_ERR_NULL;

    CHECK(fixture_start(&f, 0, NULL, NULL));
    CHECK(call_path(&f, client, (struct vr_http_call){.timeout_ms = 100}, "/wait", &result, &err) ==
          -VR_TIMEOUT);
    CHECK(strstr(err.msg, "/wait"));
    CHECK(call_path(&f, client, (struct vr_http_call){.max_body_bytes = 10}, "/echo", &result,
                    &err) == -VR_LIMIT);
    fixture_stop(&f);
}

static int stop_sink(void *ctx, const void *bytes, size_t n, struct vr_err *err)
{
    *(size_t *)ctx += n;
    return 1;
}

TEST(client__sink__gets_2xx_only_and_may_stop)
{
    struct fixture f;
    VR_OWNED(vr_http_client_free) struct vr_http_client *client = vr_http_client_new();
    size_t seen = 0;
    struct vr_http_call call = {.sink = stop_sink, .sink_ctx = &seen};
    struct vr_http_result result = {0};

    CHECK(fixture_start(&f, 0, NULL, NULL));
    CHECK(!call_path(&f, client, call, "/secret", &result, NULL));
    CHECK(result.status == 401 && !seen && result.body_bytes > 0);
    vr_http_result_fini(&result);
    CHECK(!call_path(&f, client, call, "/echo", &result, NULL));
    CHECK(result.status == 200 && seen > 0 && !result.body_bytes);
    vr_http_result_fini(&result);
    fixture_stop(&f);
}

TEST(client__redirect__is_shown_or_followed_as_asked)
{
    struct fixture f;
    VR_OWNED(vr_http_client_free) struct vr_http_client *client = vr_http_client_new();
    struct vr_http_result result = {0};

    CHECK(fixture_start(&f, 0, NULL, NULL));
    CHECK(!call_path(&f, client, (struct vr_http_call){0}, "/go", &result, NULL));
    CHECK(result.status == 302);
    CHECK_STR(vr_http_result_header(&result, "location"), "/echo/there");
    vr_http_result_fini(&result);
    CHECK(!call_path(&f, client, (struct vr_http_call){.follow = true}, "/go", &result, NULL));
    CHECK(result.status == 200 && strstr(result.body, "\"part\":\"there\""));
    CHECK(!vr_http_result_header(&result, "location"));
    vr_http_result_fini(&result);
    fixture_stop(&f);
}

TEST(client__silent_server__stalls_out)
{
    struct fixture f;
    VR_OWNED(vr_http_client_free) struct vr_http_client *client = vr_http_client_new();
    struct vr_http_call call = {.timeout_ms = -1, .stall_ms = 1000};
    struct vr_http_result result;

    CHECK(fixture_start(&f, 0, NULL, NULL));
    CHECK(call_path(&f, client, call, "/log", &result, NULL) == -VR_TIMEOUT);
    fixture_stop(&f);
}

TEST(url_is_private__loopback_and_https_only)
{
    CHECK(vr_http_url_is_private("http://127.0.0.1:8000/"));
    CHECK(vr_http_url_is_private("http://localhost"));
    CHECK(vr_http_url_is_private("http://[::1]:1/"));
    CHECK(vr_http_url_is_private("https://example.com"));
    CHECK(!vr_http_url_is_private("http://example.com"));
    CHECK(!vr_http_url_is_private("http://127.0.0.1.example.com"));
    CHECK(!vr_http_url_is_private("127.0.0.1"));
}

TEST(server__port_taken__is_busy)
{
    struct fixture f;
    struct vr_http_server_spec spec = {.address = "127.0.0.1", .handle = (vr_http_handle_fn)abort};
    struct vr_http_server *second = NULL;

    CHECK(fixture_start(&f, 0, NULL, NULL));
    spec.port = vr_http_server_port(f.server);
    CHECK(vr_http_server_start(&spec, &second, NULL) == -VR_BUSY);
    spec.address = "example.com";
    CHECK(vr_http_server_start(&spec, &second, NULL) == -VR_INVALID);
    fixture_stop(&f);
}

TEST(tls__own_certificate__is_checked_and_served)
{
    vr_auto_free char *cert_path = vr_strf("%s/cert", vr_tap_dir());
    vr_auto_free char *key_path = vr_strf("%s/key", vr_tap_dir());
    struct vr_spawn_spec openssl = {
        .argv = HEADERS("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
                        "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2", "-subj",
                        "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1", "-out",
                        cert_path, "-keyout", key_path)};
    vr_auto_free char *cert = NULL, *key = NULL;
    struct fixture f;
    size_t len;

    CHECK(!vr_run_ok(&openssl, 20000, NULL));
    CHECK(!vr_fs_read(cert_path, 65536, &cert, &len, NULL));
    CHECK(!vr_fs_read(key_path, 65536, &key, &len, NULL));
    CHECK(fixture_start(&f, 0, cert, key));
    CHECK(status_of_call(&f, (struct vr_http_call){0}, "/echo") == -1);
    CHECK(status_of_call(&f, (struct vr_http_call){.insecure = true}, "/echo") == 200);
    CHECK(status_of_call(&f, (struct vr_http_call){.ca_file = cert_path}, "/echo") == 200);
    fixture_stop(&f);
}
