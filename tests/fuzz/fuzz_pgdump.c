/* SPDX-License-Identifier: MIT */
/* Any bytes are read as a dump without harm, and each row has all of its columns. */
#include "fmt/pgdump.h"

#include "core/own.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int look(void *user, const struct vr_pgdump_row *row, struct vr_err *err)
{
    for (size_t i = 0; i < row->n; i++)
        if (!*row->columns[i] || (row->values[i] && strlen(row->values[i]) > 1u << 20))
            abort();
    return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct vr_pgdump *dump = vr_pgdump_new(look, NULL);
    const char *at = (const char *)data, *end = at + size;
    struct vr_err err;
    int r = 0;

    while (r == 0 && at < end) {
        const char *stop = memchr(at, '\n', (size_t)(end - at));
        size_t n = stop ? (size_t)(stop - at) : (size_t)(end - at);

        r = vr_pgdump_line(dump, (struct vr_str){at, n}, &err);
        at += n + 1;
    }
    if (r == 0)
        vr_ignore(vr_pgdump_end(dump, &err), "either answer is right");
    vr_pgdump_free(dump);
    return 0;
}
