/* Which kernels OpenBLAS uses: what blas.c makes of the library's choice. */
#include <stdlib.h>

#include "base/threads.h"
#include "check.h"
#include "kernels/blas.h"

static void test_better_core(void)
{
    static const char *const best[] = {NULL, "Sandybridge", "Haswell", "SkylakeX"};
    static const struct {
        const char *core;
        int level;
    } rows[] = {{"Prescott", 0},       {"Core2", 0},   {"Nehalem", 0}, {"prescott", 0}, {"Sandybridge", 1},
                {"Piledriver", 1},     {"Haswell", 2}, {"Zen", 2},     {"SkylakeX", 3}, {"Cooperlake", 3},
                {"SapphireRapids", 3}, {"Zen9", 3},    {"ARMV8", 3},   {"unknown", 3}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        for (int ability = 0; ability < 4; ability++) {
            const char *better = blas_better_core(rows[i].core, ability);
            if (rows[i].level >= ability)
                CHECK(!better);
            else
                CHECK(better && strcmp(better, best[ability]) == 0, "%s", rows[i].core);
        }
}

static double product(enum dtype dtype, int n)
{
    static double a[200 * 200], c[200 * 200];
    for (int i = 0; i < n * n; i++)
        if (dtype == FLOAT32)
            ((float *)a)[i] = (float)(i % 7 - 3);
        else
            a[i] = i % 7 - 3;
    blas_product(dtype, 0, 1, n, n, n, 1, a, n, a, n, 0, c, n);
    double sum = 0;
    for (int i = 0; i < n * n; i++) sum += dtype == FLOAT32 ? (double)((float *)c)[i] : c[i];
    return sum;
}

/* As if the library had chosen so by itself: it is told better where the processor can do more, and stays
 * right. */
static void test_poor_choice(void)
{
    static const char *const poor[] = {"Prescott", "Nehalem", "Sandybridge", "Haswell"};
    if (getenv("OPENBLAS_CORETYPE")) return;
    CHECK_OK(blas_open());
    double right[2] = {product(FLOAT32, 200), product(FLOAT64, 200)};
    for (size_t i = 0; i < sizeof poor / sizeof *poor; i++) {
        if (strcmp(poor[i], "Sandybridge") == 0 && blas_ability() < 1) continue;
        if (strcmp(poor[i], "Haswell") == 0 && blas_ability() < 2) continue;
        CHECK_OK(blas_reopen(poor[i]));
        struct blas_choice choice = blas_choice();
        CHECK(blas_better_core(choice.core, blas_ability()) == NULL);
        CHECK(product(FLOAT32, 200) == right[0]);
        CHECK(product(FLOAT64, 200) == right[1]);
    }
    CHECK_OK(blas_reopen(NULL));
}

#define SIDE 128

static void product_task(void *context, int64_t task)
{
    float a[SIDE * SIDE], c[SIDE * SIDE];
    for (int i = 0; i < SIDE * SIDE; i++) a[i] = (float)(i % 7 - 3);
    blas_product(FLOAT32, 0, 0, SIDE, SIDE, SIDE, 1, a, SIDE, a, SIDE, 0, c, SIDE);
    ((float *)context)[task] = c[task];
}

/* More threads than buffers were made for. */
static void test_threads(void)
{
    float first[64], results[64];
    int before = threads_count();
    for (int n = 1; n <= 8; n += 7) {
        threads_set(n);
        CHECK_OK(blas_open());
        threads_for(64, product_task, n == 1 ? first : results);
    }
    CHECK(memcmp(first, results, sizeof first) == 0);
    threads_set(before);
}

int main(int argc, char **argv)
{
    static const struct check_test tests[] = {
        {"better core", test_better_core}, {"poor choice", test_poor_choice}, {"threads", test_threads}};
    return check_main(tests, sizeof tests / sizeof *tests, argc, argv);
}
