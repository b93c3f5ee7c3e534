/* Sorting of float32 on every instruction set: all values and orders that are bad for a quicksort, and how
 * much it does at most. */
#include "accuracy.h"
#include "kernels/sort.h"
#include "kernels/sort_loops.h"

/* ---- work: keys that were divided ---- */

static struct loops counting;
static struct sort_loops parts;
static const struct sort_loops *counted;
static int64_t work;

static void counted_partition(int64_t n, const uint32_t *a, uint32_t bound, uint32_t **low, uint32_t **high)
{
    work += n;
    counted->partition(n, a, bound, low, high);
}

static void count_work(void)
{
    counting = *loops;
    counted = counting.sort;
    parts = *counted;
    if (parts.partition) parts.partition = counted_partition;
    counting.sort = &parts;
    loops = &counting;
}

/* ---- inputs ---- */

/* Every sample of 64 has the 32 largest numbers that are left: a pivot that takes away no more than these. */
static void adversary(int64_t n, float *x)
{
    int64_t *place = memory_alloc((size_t)n * sizeof *place), left = n;
    float value = (float)n;
    for (int64_t i = 0; i < n; i++) place[i] = i;
    while (left > 2048) {
        for (int64_t i = 0; i < SORT_NETWORK; i += 2) {
            int64_t at = i * left / SORT_NETWORK;
            x[place[at]] = value--;
            place[at] = -1;
        }
        int64_t kept = 0;
        for (int64_t i = 0; i < left; i++)
            if (place[i] >= 0) place[kept++] = place[i];
        left = kept;
    }
    for (int64_t i = 0; i < left; i++) x[place[i]] = (float)pick(0, 1000);
    memory_free(place);
}

enum kind { RANDOM, RISING, FALLING, EQUAL, FEW, ORGAN_PIPE, SAW, NANS, SPECIAL, BITS, ADVERSARY, KINDS };

static float number(enum kind kind, int64_t i, int64_t n)
{
    static const float special[] = {-0.0F, 0, INFINITY, -INFINITY, NAN, FLT_MAX, -FLT_MAX, 1e-45F, -1e-45F};
    switch (kind) {
    case RISING: return (float)i;
    case FALLING: return (float)(n - i);
    case EQUAL: return 7;
    case FEW: return (float)pick(-2, 2);
    case ORGAN_PIPE: return (float)(i < n / 2 ? i : n - i);
    case SAW: return (float)(i % 64);
    case NANS: return pick(0, 9) ? NAN : (float)pick(0, 100);
    case SPECIAL: return special[pick(0, 8)];
    default: break;
    }
    uint32_t bits = (uint32_t)rng_below(&dice, UINT64_C(1) << 32);
    float x = (float)(bits >> 8) / 1e4F - 500;
    if (kind == BITS) memcpy(&x, &bits, sizeof x);
    return x;
}

/* NaN last, -0 before 0. */
static int in_order(const void *a, const void *b)
{
    float x = *(const float *)a, y = *(const float *)b;
    if (isnan(x) || isnan(y)) return isnan(x) - isnan(y);
    return x != y ? (x > y) - (x < y) : !signbit(x) - !signbit(y);
}

/* Bits alone where both are no NaN. */
static int same(float x, float y) { return (isnan(x) && isnan(y)) || memcmp(&x, &y, sizeof x) == 0; }

static void check_line(enum kind kind, int64_t n, int64_t inner, int descending)
{
    int64_t total = n * inner;
    struct sort_plan plan;
    sort_plan(&plan, FLOAT32, 0, descending, 1, n, inner, n);
    float *x = memory_alloc((size_t)total * sizeof *x), *out = memory_alloc((size_t)total * sizeof *out),
          *want = memory_alloc((size_t)n * sizeof *want);
    void *scratch = memory_alloc(sort_scratch(&plan));
    for (int64_t i = 0; i < total; i++) x[i] = number(kind, i / inner, n);
    if (kind == ADVERSARY && inner == 1) adversary(n, x);
    sort_run(&plan, x, out, scratch);
    for (int64_t line = 0; line < inner; line++) {
        for (int64_t i = 0; i < n; i++) want[i] = x[i * inner + line];
        qsort(want, (size_t)n, sizeof *want, in_order);
        int64_t wrong = 0;
        for (int64_t i = 0; i < n; i++)
            wrong += !same(out[i * inner + line], want[descending ? n - 1 - i : i]);
        CHECK(wrong == 0, "%s, kind %d, %lld numbers, %lld apart: %lld are wrong", loops->name, (int)kind,
              (long long)n, (long long)inner, (long long)wrong);
    }
    memory_free(x);
    memory_free(out);
    memory_free(want);
    memory_free(scratch);
}

static void orders_on_one_set(void)
{
    for (int kind = 0; kind < KINDS; kind++) {
        for (int64_t n = 1; n < 200; n += pick(1, 5)) check_line((enum kind)kind, n, pick(1, 2), pick(0, 1));
        check_line((enum kind)kind, pick(1000, 5000), pick(1, 2), pick(0, 1));
        check_line((enum kind)kind, pick(20000, 30000), 1, pick(0, 1));
    }
    check_line(RANDOM, (1 << 20) + 11, 1, 0);
}

static void orders(void) { for_each_set(orders_on_one_set); }

/* Some 2 n log2 n at most, whatever the input; and one that is as bad as that, so that the bound is tried. */
static void work_on_one_set(void)
{
    int64_t n = 50000, depth = 2 * 16, of_random = 0;
    const struct loops *set = loops;
    count_work();
    for (int kind = 0; kind < KINDS; kind++) {
        work = 0;
        check_line((enum kind)kind, n, 1, 0);
        if (kind == RANDOM) of_random = work;
        CHECK(work <= (depth + 1) * n, "%s, kind %d: %lld keys were divided", loops->name, kind,
              (long long)work);
        if (kind == ADVERSARY && parts.partition)
            CHECK(work > 2 * of_random, "the adversary has lost its force: %lld, %lld of random numbers",
                  (long long)work, (long long)of_random);
    }
    loops = set;
}

static void bounded_work(void) { for_each_set(work_on_one_set); }

int main(int argc, char **argv)
{
    static const struct check_test tests[] = {{"orders", orders}, {"work is bounded", bounded_work}};
    return check_main(tests, sizeof tests / sizeof *tests, argc, argv);
}
