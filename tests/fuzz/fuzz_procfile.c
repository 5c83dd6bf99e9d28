/* SPDX-License-Identifier: MIT */
/* Whatever Procfile is accepted has names and commands, each found by its name. */
#include "fmt/procfile.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    VR_OWNED(vr_procfile_free) struct vr_procfile *pf = NULL;
    struct vr_err err = VR_ERR_NULL;

    if (vr_procfile_parse((struct vr_str){(const char *)data, size}, &pf, &err) < 0) {
        if (!err.msg[0])
            abort();
        return 0;
    }
    for (size_t i = 0; i < vr_procfile_count(pf); i++) {
        const char *command = NULL;

        if (vr_procfile_get(pf, vr_procfile_name(pf, i), &command, &err) < 0 ||
            command != vr_procfile_command(pf, i) || !*command)
            abort();
    }
    return 0;
}
