/* SPDX-License-Identifier: MIT */
/* Runs a fuzz target over the files of a folder, without libFuzzer: the corpus as a normal test. */
#include "core/own.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/stat.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define MAX_INPUT_BYTES (4u << 20)

/* Feed one file; false if it cannot be read. A violated property aborts. */
static bool replay(int folder_fd, const char *name)
{
    vr_auto_close int fd = openat(folder_fd, name, O_RDONLY | O_CLOEXEC);
    vr_auto_free uint8_t *data = NULL;
    size_t size = 0;
    struct stat st;

    if (fd < 0 || fstat(fd, &st) < 0 || st.st_size > MAX_INPUT_BYTES)
        return false;
    data = vr_alloc((size_t)st.st_size + 1);
    while (size < (size_t)st.st_size) {
        ssize_t n = read(fd, data + size, (size_t)st.st_size - size);

        if (n <= 0)
            return false;
        size += (size_t)n;
    }
    LLVMFuzzerTestOneInput(data, size);
    return true;
}

int main(int argc, char **argv)
{
    DIR *folder = argc == 2 ? opendir(argv[1]) : NULL;
    struct dirent *entry;
    int count = 0, failed = 0;

    if (!folder) {
        fprintf(stderr, "usage: replay FOLDER\n");
        return 2;
    }
    while ((entry = readdir(folder))) {
        bool ok;

        if (entry->d_name[0] == '.')
            continue;
        ok = replay(dirfd(folder), entry->d_name);
        failed += !ok;
        printf("%sok %d - %s\n", ok ? "" : "not ", ++count, entry->d_name);
        fflush(stdout);
    }
    closedir(folder);
    printf("1..%d\n", count);
    return failed || !count;
}
