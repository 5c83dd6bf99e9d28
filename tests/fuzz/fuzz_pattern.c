/* SPDX-License-Identifier: MIT */
/* Any pattern against any line: the first line of the input is the pattern, the rest the text. */
#include "fmt/pattern.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char *newline = size ? memchr(data, '\n', size) : NULL;
    vr_auto_free char *text = NULL;

    if (!newline)
        return 0;
    text = vr_strndup((const char *)data, (size_t)(newline - (const char *)data));
    for (int i = 0; i < 4; i++) {
        VR_OWNED(vr_pattern_free) struct vr_pattern *p = NULL;
        struct vr_str line = {newline + 1, size - (size_t)(newline + 1 - (const char *)data)};

        if (vr_pattern_new(i & 1 ? VR_PATTERN_REGEX : VR_PATTERN_LITERAL, text, i & 2, &p, NULL) ==
            0)
            vr_pattern_is_in(p, line);
    }
    return 0;
}
