/* SPDX-License-Identifier: MIT */
/* The one table from what went wrong to the exit code of the program. */
#include "cli/exit.h"

#define STATUSES_MAX 4

static const struct {
    enum vr_code code;
    enum vr_exit_code exit;
    int statuses[STATUSES_MAX]; /* HTTP statuses that mean it; 0 ends them */
} table[] = {
    {VR_OK, VR_EXIT_OK, {0}},
    {VR_INVALID, VR_EXIT_USAGE, {400, 415, 422}},
    {VR_NOT_FOUND, VR_EXIT_NOT_FOUND, {404, 410}},
    {VR_EXISTS, VR_EXIT_CONFLICT, {409, 412}},
    {VR_DENIED, VR_EXIT_DENIED, {401, 403}},
    {VR_LIMIT, VR_EXIT_FAILED, {413, 429}},
    {VR_TIMEOUT, VR_EXIT_TIMEOUT, {408}},
    {VR_BUSY, VR_EXIT_UNREACHABLE, {502, 503, 504}}, /* no answer, or the database is away */
    {VR_PARSE, VR_EXIT_FAILED, {0}},
    {VR_IO, VR_EXIT_FAILED, {405, 500}},
    {VR_BUG, VR_EXIT_FAILED, {0}},
};

_Static_assert(VR_COUNT(table) == VR_BUG + 1, "every code has an exit code");

enum vr_code vr_exit_code_of_status(int status)
{
    for (size_t i = 0; i < VR_COUNT(table); i++) {
        for (size_t s = 0; s < STATUSES_MAX && table[i].statuses[s]; s++) {
            if (table[i].statuses[s] == status)
                return table[i].code;
        }
    }
    return VR_IO;
}

enum vr_exit_code vr_exit_of_code(enum vr_code code)
{
    for (size_t i = 0; i < VR_COUNT(table); i++) {
        if (table[i].code == code)
            return table[i].exit;
    }
    return VR_EXIT_FAILED;
}
