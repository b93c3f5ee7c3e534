/* test_tiles.c -- tiles: where the cuts lie, sums that no number of threads changes, which failure
 * counts. */
#include <stdatomic.h>
#include <stdint.h>

#include "autodiff/field.h"
#include "autodiff/tiles.h"
#include "base/memory.h"
#include "base/threads.h"
#include "check.h"

#define BATCH 103
#define THETA 5

struct record {
    _Atomic int entered, seen[BATCH];
    int fail_numeric, fail_hard; /* tiles of this index and later ones; 0: none */
};

static enum status enter(void *context, int64_t lane)
{
    (void)lane;
    atomic_fetch_add(&((struct record *)context)->entered, 1);
    return STATUS_OK;
}

static enum status run(void *context, struct tile *tile)
{
    struct record *r = context;
    float *g = tile->thetabar;
    for (int64_t i = 0; i < tile->rows; i++) atomic_fetch_add(&r->seen[tile->first + i], 1);
    for (int i = 0; g && i < THETA; i++) g[i] = 1.0f / (float)(tile->index + i + 1);
    tile->steps =
        1000 - 10 * (tile->index / 4); /* later tiles fail after fewer steps, four at a time alike */
    if (r->fail_hard && tile->index >= r->fail_hard) return status_set(STATUS_ARGUMENT, "hard");
    if (r->fail_numeric && tile->index >= r->fail_numeric)
        return status_set(STATUS_NUMERIC, "tile %d", (int)tile->index);
    return STATUS_OK;
}

static void begin(struct tiles *t, int64_t rows)
{
    struct tiling cut = {BATCH, rows, BATCH % rows, (BATCH + rows - 1) / rows};
    *t = (struct tiles){0};
    tiles_begin(t, cut);
    CHECK_OK(tiles_reserve(t, THETA, FLOAT32));
}

static void cuts(void)
{
    struct field_cost small = {.work = 10, .bytes = 100, .least_rows = 1},
                      large = {.work = 1e9, .bytes = INT64_C(1) << 20, .least_rows = 24},
                      wide = {.work = 1e9, .bytes = INT64_C(1) << 40, .least_rows = 1};
    CHECK(tiling_of_solve(1000, &small).n == 1 && tiling_of_evaluation(1000, &small).n == 1);
    CHECK(tiling_of_solve(20, &large).rows == 20); /* fewer samples than a tile needs */
    CHECK(tiling_of_evaluation(20, &large).n == 1);
    CHECK(tiling_of_solve(5, &wide).rows == 1 && tiling_of_evaluation(5, &wide).rows == 1);
    for (int64_t batch = 1; batch < 3000; batch += 7) {
        struct tiling t[] = {tiling_of_solve(batch, &large), tiling_of_evaluation(batch, &large)};
        for (int i = 0; i < 2; i++)
            CHECK((t[i].n - (t[i].rest > 0)) * t[i].rows + t[i].rest == batch && t[i].rest < t[i].rows,
                  "%d samples", (int)batch);
    }
}

static void sums(void)
{
    float first[THETA], sum[THETA];
    for (int64_t rows = 1; rows <= BATCH; rows += 3) {
        for (int threads = 1; threads <= 4; threads++) {
            struct record r = {0};
            struct tiles t;
            threads_set(threads);
            begin(&t, rows);
            int64_t blocks = memory_get_stats().allocations;
            CHECK_OK(tiles_run(&t, &(struct tiles_job){.run = run, .enter = enter, .context = &r}, sum));
            CHECK(memory_get_stats().allocations == blocks && r.entered == t.n_lanes);
            for (int i = 0; i < BATCH; i++) CHECK(r.seen[i] == 1, "sample %d", i);
            if (threads == 1) memcpy(first, sum, sizeof sum);
            CHECK(memcmp(first, sum, sizeof sum) == 0, "%d threads, %d rows", threads, (int)rows);
            tiles_release(&t);
        }
    }
}

static void failures(void)
{
    float sum[THETA];
    for (int threads = 1; threads <= 4; threads++) {
        struct tiles t;
        struct record numeric = {.fail_numeric = 9}, hard = {.fail_numeric = 1, .fail_hard = 30}, fine = {0};
        threads_set(threads);
        begin(&t, 2);
        for (int again = 0; again < 20; again++) {
            float *wanted = again % 2 ? sum : NULL;
            CHECK(tiles_run(&t, &(struct tiles_job){.run = run, .context = &numeric}, wanted) ==
                  STATUS_NUMERIC);
            CHECK(t.failed == 48 && strcmp(status_message(), "tile 48") == 0);
            CHECK(tiles_run(&t, &(struct tiles_job){.run = run, .context = &hard}, wanted) ==
                  STATUS_ARGUMENT);
            CHECK(strcmp(status_message(), "hard") == 0);
            CHECK_OK(tiles_run(&t, &(struct tiles_job){.run = run, .context = &fine}, wanted));
            CHECK(t.failed == 0);
        }
        tiles_release(&t);
    }
}

int main(int argc, char **argv)
{
    static const struct check_test tests[] = {
        {"where the cuts lie", cuts}, {"sums and lanes", sums}, {"which failure counts", failures}};
    int failed = check_main(tests, sizeof tests / sizeof *tests, argc, argv);
    if (memory_get_stats().live_blocks != 0)
        printf("%lld blocks were not released\n", (long long)memory_get_stats().live_blocks);
    return failed;
}
