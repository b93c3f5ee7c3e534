/* check.h -- a test program in C is a list of functions that CHECK; its last line is "N passed, N failed". */
#ifndef TESTS_CHECK_H
#define TESTS_CHECK_H

#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/status.h"

static int check_failures; /* of the running test */

#define CHECK(condition, ...)                                                                                \
    do {                                                                                                     \
        if (!(condition) && check_failures++ < 10) {                                                         \
            printf("%s:%d: %s [", __FILE__, __LINE__, #condition);                                           \
            printf(" " __VA_ARGS__);                                                                         \
            printf(" ] (last message: %s)\n", status_message());                                             \
        }                                                                                                    \
    } while (0)

#define CHECK_OK(call) CHECK((call) == STATUS_OK, "%s", #call)

struct check_test {
    const char *name;
    void (*run)(void);
};

/* Run the tests (those whose names contain argv[1], when given); the result is main's. */
static int check_main(const struct check_test *tests, size_t n, int argc, char **argv)
{
    int passed = 0, failed = 0;
    for (size_t i = 0; i < n; i++) {
        if (argc > 1 && !strstr(tests[i].name, argv[1])) continue;
        clock_t start = clock();
        check_failures = 0;
        tests[i].run();
        *(check_failures ? &failed : &passed) += 1;
        printf("%s %s (%.2f s)\n", check_failures ? "FAIL" : "ok  ", tests[i].name,
               (double)(clock() - start) / CLOCKS_PER_SEC);
    }
    printf("%d passed, %d failed\n", passed, failed);
    return failed > 0;
}

#endif
