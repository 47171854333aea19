/* Counting checks for the C test programs. */
#ifndef FM_TESTS_CHECK_H
#define FM_TESTS_CHECK_H

#include <stdio.h>

static long checks_passed, checks_failed;

#define CHECK(condition, ...)                                               \
    do {                                                                    \
        if (condition) {                                                    \
            checks_passed++;                                                \
        } else if (checks_failed++ < 20) {                                  \
            fprintf(stderr, "%s:%d: %s: ", __FILE__, __LINE__, #condition); \
            fprintf(stderr, __VA_ARGS__);                                   \
            fputc('\n', stderr);                                            \
        }                                                                   \
    } while (0)

static inline int report(void) {
    printf("%ld passed, %ld failed\n", checks_passed, checks_failed);
    return checks_failed != 0;
}

#endif
