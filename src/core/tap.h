/* SPDX-License-Identifier: MIT */
/* The test harness: TEST() bodies register themselves, tap_main.c runs them and prints TAP. */
#ifndef VR_CORE_TAP_H
#define VR_CORE_TAP_H

#include "core/own.h"

#include <stdbool.h>

struct vr_tap_test {
    const char *name;
    void (*run)(void);
    struct vr_tap_test *next;
};

void vr_tap_register(struct vr_tap_test *test);
void vr_tap_failed(const char *file, int line, const char *what);
/** Count the running test as skipped, with the reason; return from the test afterwards. */
void vr_tap_skip(const char *reason);
/** A fresh empty folder of this test, removed when it ends; borrowed. */
const char *vr_tap_dir(void);

/** `TEST(function__situation__result) { … }` */
#define TEST(test_name)                                                                            \
    static void test_name(void);                                                                   \
    __attribute__((constructor)) static void test_name##_register(void)                            \
    {                                                                                              \
        static struct vr_tap_test t = {.name = #test_name, .run = test_name};                      \
        vr_tap_register(&t);                                                                       \
    }                                                                                              \
    static void test_name(void)

#define CHECK(cond)                                                                                \
    do {                                                                                           \
        if (!(cond)) {                                                                             \
            vr_tap_failed(__FILE__, __LINE__, #cond);                                              \
            return;                                                                                \
        }                                                                                          \
    } while (0)

/** Compare two strings and show both when they differ. */
#define CHECK_STR(got, want)                                                                       \
    do {                                                                                           \
        if (!vr_tap_same(__FILE__, __LINE__, (got), (want)))                                       \
            return;                                                                                \
    } while (0)

bool vr_tap_same(const char *file, int line, const char *got, const char *want);

#endif
