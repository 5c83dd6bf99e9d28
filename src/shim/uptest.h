/* SPDX-License-Identifier: MIT */
/* The uptest runner: every test of a folder, one after the other, with a time limit each. */
#ifndef VR_SHIM_UPTEST_H
#define VR_SHIM_UPTEST_H

#include <stdint.h>

#define UPTEST_COUNT_MAX    256   /* tests of a folder; more are a failure */
#define UPTEST_OUTPUT_BYTES 65536 /* kept of one test's output */

/**
 * Run each non-hidden regular file of `dir` in byte order as `<file> <host> <port>` and write
 * `[{"Name":…,"Output":…,"Passed":…}]` to `result_file`, which must exist. A missing folder gives
 * `[]`. Returns the exit code: 0 if the result was written, whatever the tests said, else 1.
 */
int uptest_run(const char *dir, const char *host, const char *port, int64_t per_test_ms,
               const char *result_file);

#endif
