/* SPDX-License-Identifier: MIT */
/* Sockets: long paths, stale files, deadlines. */
#include "core/clock.h"
#include "core/str.h"
#include "core/tap.h"
#include "sys/fs.h"
#include "sys/sock.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>

TEST(unix__path_over_107_bytes__listens_and_connects)
{
    char folder_name[121];
    vr_auto_free char *folder = NULL, *path = NULL;
    vr_auto_close int l = -1, c = -1, s = -1;
    struct stat st;

    memset(folder_name, 'd', 120);
    folder_name[120] = '\0';
    folder = vr_strf("%s/%s", vr_tap_dir(), folder_name);
    path = vr_strf("%s/sock", folder);
    CHECK(!vr_fs_mkdir_p(folder, 0700, NULL));
    CHECK(vr_unix_connect(path, SOCK_STREAM, NULL) == -VR_NOT_FOUND);
    l = vr_unix_listen(path, SOCK_STREAM, NULL);
    CHECK(l >= 0);
    CHECK(!stat(path, &st) && (st.st_mode & 0777) == 0600);
    c = vr_unix_connect(path, SOCK_STREAM, NULL);
    CHECK(c >= 0);
    s = accept4(l, NULL, NULL, SOCK_CLOEXEC);
    CHECK(s >= 0 && send(c, "x", 1, 0) == 1);
}

TEST(unix_listen__stale_live_and_foreign_files)
{
    vr_auto_free char *path = vr_strf("%s/sock", vr_tap_dir());
    vr_auto_free char *file = vr_strf("%s/file", vr_tap_dir());
    int l = vr_unix_listen(path, SOCK_SEQPACKET, NULL);

    CHECK(l >= 0);
    CHECK(vr_unix_listen(path, SOCK_SEQPACKET, NULL) == -VR_BUSY);
    vr_fd_close(l);
    CHECK(vr_unix_connect(path, SOCK_SEQPACKET, NULL) == -VR_BUSY);
    l = vr_unix_listen(path, SOCK_SEQPACKET, NULL);
    CHECK(l >= 0);
    vr_fd_close(l);
    CHECK(!vr_fs_write(file, "x", 1, 0600, NULL));
    CHECK(vr_unix_listen(file, SOCK_STREAM, NULL) == -VR_EXISTS);
    CHECK(vr_fs_exists(file));
}

TEST(tcp_port__taken_and_given_back)
{
    struct sockaddr_in sa = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    vr_auto_close int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    uint16_t port = 0;

    CHECK(!vr_tcp_free_port(&port, NULL));
    CHECK(port > 0 && vr_tcp_port_is_free("127.0.0.1", port));
    sa.sin_port = htons(port);
    CHECK(!bind(fd, (struct sockaddr *)&sa, sizeof(sa)) && !listen(fd, 1));
    CHECK(!vr_tcp_port_is_free("127.0.0.1", port));
    CHECK(!vr_tcp_port_is_free("0.0.0.0", port));
    vr_fd_close(vr_take_fd(fd));
    CHECK(vr_tcp_port_is_free("127.0.0.1", port));
    CHECK(!vr_tcp_port_is_free("not an address", port));
}

TEST(sock_ask__answer_silence_and_flood)
{
    vr_auto_free char *text = NULL;
    int p[2];

    CHECK(!socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, p));
    CHECK(send(p[1], "answer", 6, 0) == 6 && !shutdown(p[1], SHUT_WR));
    CHECK(!vr_sock_ask(p[0], "question", 100, 5000, &text, NULL));
    CHECK_STR(text, "answer");
    vr_fd_close(p[0]);
    vr_fd_close(p[1]);

    CHECK(!socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, p));
    CHECK(vr_sock_ask(p[0], "question", 100, 30, &text, NULL) == -VR_TIMEOUT);
    CHECK(send(p[1], "answer", 6, 0) == 6);
    CHECK(vr_sock_ask(p[0], "question", 5, 5000, &text, NULL) == -VR_LIMIT);
    vr_fd_close(p[1]);
    CHECK(vr_sock_ask(p[0], "question", 5, 5000, &text, NULL) == -VR_IO); /* and no SIGPIPE */
    vr_fd_close(p[0]);
}
