/* SPDX-License-Identifier: MIT */
/* Passwords from the keyboard, without showing them, or from standard input. */
#include "cli/secret_input.h"

#include "core/str.h"
#include "sys/fs.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <termios.h>

/* One line of `fd`, byte by byte, so that nothing behind it is taken. */
static int read_line(int fd, char **out, struct vr_err *err)
{
    char line[VR_SECRET_BYTES];
    size_t n = 0;
    ssize_t got;

    while ((got = read(fd, line + n, 1)) == 1 && line[n] != '\n') {
        if (++n == sizeof(line)) {
            explicit_bzero(line, sizeof(line));
            return vr_fail(err, VR_INVALID, "the password has more than %u bytes", VR_SECRET_BYTES);
        }
    }
    if (got < 0)
        return vr_fail_sys(err, "read the password");
    if (n && line[n - 1] == '\r')
        n--;
    *out = vr_strndup(line, n);
    explicit_bzero(line, sizeof(line));
    return 0;
}

int vr_secret_read(char **out, struct vr_err *err)
{
    return read_line(STDIN_FILENO, out, err);
}

int vr_secret_read_all(char **out, struct vr_err *err)
{
    vr_auto_secret char *text = NULL;
    size_t n;
    int r = vr_fd_read_all(STDIN_FILENO, VR_SECRET_ALL_BYTES, &text, &n, err);

    if (r < 0)
        return vr_fail_in(err, r, "read the secret");
    if (strlen(text) != n)
        return vr_fail(err, VR_INVALID, "the secret has a NUL byte");
    if (n && text[n - 1] == '\n')
        text[n - 1] = '\0';
    *out = vr_take(text);
    return 0;
}

int vr_secret_ask(const char *prompt, char **out, struct vr_err *err)
{
    vr_auto_close int fd = open("/dev/tty", O_RDWR | O_CLOEXEC | O_NOCTTY);
    struct termios before, silent;
    int r;

    if (fd < 0 || tcgetattr(fd, &before) < 0)
        return vr_fail(err, VR_INVALID,
                       "no terminal to ask for the password on; give --password-stdin");
    silent = before;
    silent.c_lflag &= ~(tcflag_t)ECHO;
    dprintf(fd, "%s", prompt);
    /* ISIG stays: Ctrl-C ends the program, and the shell restores its own settings. */
    tcsetattr(fd, TCSAFLUSH, &silent);
    r = read_line(fd, out, err);
    tcsetattr(fd, TCSAFLUSH, &before);
    dprintf(fd, "\n");
    return r;
}

void vr_secret_free(char *secret)
{
    if (secret)
        explicit_bzero(secret, strlen(secret));
    free(secret);
}
