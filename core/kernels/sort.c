#include "kernels/sort.h"

#include <string.h>

#include "base/interrupt.h"
#include "base/threads.h"
#include "base/tuning.h"
#include "kernels/blocks.h"
#include "kernels/bounded.h"
#include "kernels/loops.h"
#include "kernels/paste.h"
#include "kernels/sort_loops.h"

/* Keys with or without a position, of 32 or 64 bits. */
struct placed {
    uint64_t key, at;
};

#define T struct placed
#define KEY(item) (item).key
#define KEY_TYPE uint64_t
#define KEY_BITS 64
#define SUFFIX placed_64
#include "kernels/sort_body.h"

#define T uint64_t /* the position below */
#define KEY(item) (uint32_t)((item) >> 32)
#define KEY_TYPE uint32_t
#define KEY_BITS 32
#define SUFFIX placed_32
#include "kernels/sort_body.h"

#define T uint64_t
#define KEY(item) (item)
#define KEY_TYPE uint64_t
#define KEY_BITS 64
#define SUFFIX bare_64
#include "kernels/sort_body.h"

#define T uint32_t
#define KEY(item) (item)
#define KEY_TYPE uint32_t
#define KEY_BITS 32
#define SUFFIX bare_32
#include "kernels/sort_body.h"

/* ---- 32 bits alone: quicksort, where vectors have one ---- */

uint8_t sort_lanes[256][8];

__attribute__((constructor)) static void fill_sort_lanes(void)
{
    for (int mask = 0; mask < 256; mask++) {
        int low = 0, high = 8 - __builtin_popcount((unsigned)mask);
        for (uint8_t lane = 0; lane < 8; lane++) sort_lanes[mask][mask >> lane & 1 ? high++ : low++] = lane;
    }
}

static uint32_t least_of(uint32_t a, uint32_t b) { return a < b ? a : b; }
static uint32_t most_of(uint32_t a, uint32_t b) { return a > b ? a : b; }
static uint32_t median(uint32_t a, uint32_t b, uint32_t c)
{
    return most_of(least_of(a, b), least_of(most_of(a, b), c));
}

/* A key in the middle of some: the median of a sample, of fewer the median of three medians of three. */
static uint32_t pivot(const uint32_t *a, int64_t n)
{
    if (n < SORT_SAMPLED) {
        uint32_t middle[3];
        for (int64_t i = 0; i < 3; i++)
            middle[i] = median(a[3 * i * n / 9], a[(3 * i + 1) * n / 9], a[(3 * i + 2) * n / 9]);
        return median(middle[0], middle[1], middle[2]);
    }
    uint32_t sample[SORT_NETWORK];
    for (int64_t i = 0; i < SORT_NETWORK; i++) sample[i] = a[i * n / SORT_NETWORK];
    loops->sort->network(SORT_NETWORK, sample, sample);
    return sample[SORT_NETWORK / 2];
}

/* Of n keys those below `bound` to the front of b, the others to its end: how many are below. */
static int64_t partitioned(const uint32_t *a, int64_t n, uint32_t bound, uint32_t *b)
{
    uint32_t *low = b, *high = b + n;
    int64_t first = n % SORT_PIECE == 0 ? SORT_PIECE : n % SORT_PIECE;
    for (int64_t at = 0, piece = first; at < n && !interrupt_stop(); at += piece, piece = SORT_PIECE)
        loops->sort->partition(piece, a + at, bound, &low, &high);
    return low - b;
}

/* a to `out`, which is a or b. Where pivots were bad, digits bring it to an end. */
static void quick(uint32_t *a, uint32_t *b, int64_t n, uint32_t *out, int depth) // NOLINT(misc-no-recursion)
{
    for (; n > SORT_NETWORK && depth > 0 && !interrupt_stop(); depth--) {
        uint32_t bound = pivot(a, n), *rest = a;
        int64_t below = partitioned(a, n, bound, b);
        if (below > 0)
            quick(b, a, below, out, depth - 1);
        else if (bound < UINT32_MAX) { /* the least key, and others like it */
            below = partitioned(a, n, bound + 1, b);
            if (out != b) bounded_copy(out, b, (size_t)below * sizeof *out);
        } else
            break; /* all are the same */
        a = b + below;
        b = rest + below;
        out += below;
        n -= below;
    }
    if (n <= SORT_NETWORK) {
        loops->sort->network(n, a, out);
        return;
    }
    a = sorted_bare_32(a, b, n);
    if (a != out) bounded_copy(out, a, (size_t)n * sizeof *out);
}

static uint32_t *sorted_float32(uint32_t *a, uint32_t *b, int64_t n)
{
    if (!loops->sort->partition) return sorted_bare_32(a, b, n);
    quick(a, b, n, a, 2 * (64 - __builtin_clzll((unsigned long long)n)));
    return a;
}

/* ---- numbers to keys and back: -0 comes before 0, of which x + 0 makes one ---- */

#define TOP_64 ((uint64_t)1 << 63)

static uint64_t key_float64(double x)
{
    uint64_t u;
    memcpy(&u, &x, sizeof u);
    return x != x ? UINT64_MAX
                  : u ^ (TOP_64 | (0 - (u >> 63))); /* of a negative one all bits, else the sign */
}
static uint64_t key_int64(int64_t x) { return (uint64_t)x ^ TOP_64; }
static uint32_t key_uint8(uint8_t x) { return x; }

static double of_key_float64(uint64_t key)
{
    uint64_t u = key ^ (TOP_64 | ((key >> 63) - 1));
    double x;
    memcpy(&x, &u, sizeof x);
    return x;
}
static int64_t of_key_int64(uint64_t key) { return (int64_t)(key ^ TOP_64); }
static uint8_t of_key_uint8(uint32_t key) { return (uint8_t)key; }

/* ---- one line ---- */

static int is_wide(enum dtype dtype) { return dtype == FLOAT64 || dtype == INT64; }

/* FRONT: few are wanted. Those that are no larger than a key of a sample, in their order, are enough of them
 * but for bad luck, and hardly more: how many, or 0 where they are too few. */
#define LINE(DTYPE, TYPE, KEY_TYPE, BITS)                                                                    \
    static int64_t front_##DTYPE(const struct sort_plan *p, const TYPE *x, KEY_TYPE flip,                    \
                                 item_##BITS *items)                                                         \
    {                                                                                                        \
        KEY_TYPE *sample = (KEY_TYPE *)items;                                                                \
        if (p->n < SORT_SAMPLE * 4 || p->wanted > p->n / 8) return 0;                                        \
        for (int64_t i = 0; i < SORT_SAMPLE; i++)                                                            \
            sample[i] = key_##DTYPE((TYPE)(x[i * (p->n / SORT_SAMPLE) * p->inner] + 0)) ^ flip;              \
        int64_t place = 2 * p->wanted * SORT_SAMPLE / p->n + SORT_SAMPLE_MORE, count = 0;                    \
        KEY_TYPE most = sorted_bare_##BITS(sample, sample + SORT_SAMPLE, SORT_SAMPLE)[place];                \
        for (int64_t i = 0; i < p->n; i++) {                                                                 \
            KEY_TYPE key = key_##DTYPE((TYPE)(x[i * p->inner] + 0)) ^ flip;                                  \
            if (key <= most) items[count++] = make_##BITS(key, (uint64_t)i);                                 \
        }                                                                                                    \
        return count < p->wanted ? 0 : count;                                                                \
    }                                                                                                        \
    static void positions_##DTYPE(const struct sort_plan *p, const TYPE *x, int64_t *out, void *scratch)     \
    {                                                                                                        \
        KEY_TYPE flip = p->descending ? (KEY_TYPE) ~(KEY_TYPE)0 : 0;                                         \
        item_##BITS *items = scratch;                                                                        \
        int64_t n = front_##DTYPE(p, x, flip, items);                                                        \
        if (n == 0) {                                                                                        \
            n = p->n;                                                                                        \
            for (int64_t i = 0; i < n; i++)                                                                  \
                items[i] = make_##BITS(key_##DTYPE((TYPE)(x[i * p->inner] + 0)) ^ flip, (uint64_t)i);        \
        }                                                                                                    \
        if (p->wanted < n) n = filtered_placed_##BITS(items, n, p->wanted);                                  \
        items = sorted_placed_##BITS(items, items + n, n);                                                   \
        for (int64_t i = 0; i < p->wanted; i++) out[i * p->inner] = place_##BITS(items[i]);                  \
    }

#define NUMBERS(DTYPE, TYPE, KEY_TYPE, BITS)                                                                 \
    static void numbers_##DTYPE(const struct sort_plan *p, const TYPE *x, TYPE *out, void *scratch)          \
    {                                                                                                        \
        KEY_TYPE flip = p->descending ? (KEY_TYPE) ~(KEY_TYPE)0 : 0, *keys = scratch;                        \
        for (int64_t i = 0; i < p->n; i++) keys[i] = key_##DTYPE(x[i * p->inner]) ^ flip;                    \
        int64_t n = p->wanted < p->n ? filtered_bare_##BITS(keys, p->n, p->wanted) : p->n;                   \
        keys = sorted_bare_##BITS(keys, keys + n, n);                                                        \
        for (int64_t i = 0; i < p->wanted; i++) out[i * p->inner] = of_key_##DTYPE(keys[i] ^ flip);          \
    }

typedef struct placed item_64;
typedef uint64_t item_32;
static item_64 make_64(uint64_t key, uint64_t at) { return (item_64){key, at}; }
static item_32 make_32(uint32_t key, uint64_t at) { return (item_32)key << 32 | at; }
static int64_t place_64(item_64 item) { return (int64_t)item.at + 1; }
static int64_t place_32(item_32 item) { return (int64_t)(uint32_t)item + 1; }

LINE(float64, double, uint64_t, 64)
LINE(int64, int64_t, uint64_t, 64)
LINE(float32, float, uint32_t, 32)
LINE(uint8, uint8_t, uint32_t, 32)
NUMBERS(float64, double, uint64_t, 64)
NUMBERS(int64, int64_t, uint64_t, 64)
NUMBERS(uint8, uint8_t, uint32_t, 32)

static void numbers_float32(const struct sort_plan *p, const float *x, float *out, void *scratch)
{
    uint32_t flip = p->descending ? UINT32_MAX : 0, *keys = scratch;
    loops->sort->keys(p->n, x, p->inner, flip, keys);
    int64_t n = p->wanted < p->n ? filtered_bare_32(keys, p->n, p->wanted) : p->n;
    keys = sorted_float32(keys, keys + n, n);
    loops->sort->numbers(p->wanted, keys, flip, out, p->inner);
}

/* ---- all lines ---- */

void sort_plan(struct sort_plan *p, enum dtype dtype, int positions, int descending, int64_t outer, int64_t n,
               int64_t inner, int64_t wanted)
{
    *p = (struct sort_plan){dtype, positions, descending, outer, n, inner, wanted, 1, 0};
    size_t item = (is_wide(dtype) ? 8 : 4) * (positions ? 2 : 1);
    p->line_bytes = blocks_bytes(2 * n, item);
    while (p->chunks < SORT_CHUNKS && p->chunks < outer * inner && outer * inner * n > SORT_TASK_NUMBERS &&
           (size_t)p->chunks * p->line_bytes < SORT_SCRATCH_BYTES)
        p->chunks *= 2;
}

size_t sort_scratch(const struct sort_plan *p) { return (size_t)p->chunks * p->line_bytes; }

struct sort_job {
    const struct sort_plan *plan;
    const char *x;
    char *out, *scratch;
};

#define SORT_LINE(DTYPE, TYPE)                                                                               \
    (p->positions ? positions_##DTYPE(p, (const TYPE *)j->x + at, (int64_t *)(void *)j->out + to, scratch)   \
                  : numbers_##DTYPE(p, (const TYPE *)j->x + at, (TYPE *)j->out + to, scratch))

static void sort_task(void *context, int64_t task)
{
    const struct sort_job *j = context;
    const struct sort_plan *p = j->plan;
    int64_t lines = p->outer * p->inner, end = (task + 1) * lines / p->chunks;
    void *scratch = j->scratch + (size_t)task * p->line_bytes;
    for (int64_t line = task * lines / p->chunks; line < end && !interrupt_stop(); line++) {
        int64_t at = line / p->inner * p->n * p->inner + line % p->inner;
        int64_t to = line / p->inner * p->wanted * p->inner + line % p->inner;
        switch (p->dtype) {
        case FLOAT64: SORT_LINE(float64, double); break;
        case INT64: SORT_LINE(int64, int64_t); break;
        case FLOAT32: SORT_LINE(float32, float); break;
        default: SORT_LINE(uint8, uint8_t); break;
        }
    }
}

void sort_run(const struct sort_plan *p, const void *x, void *out, void *scratch)
{
    struct sort_job job = {p, x, out, scratch};
    if (p->n > 0 && p->outer * p->inner > 0) threads_for(p->chunks, sort_task, &job);
}

/* ---- places in order ---- */

#define PLACE(DTYPE, TYPE, KEY_TYPE)                                                                         \
    {                                                                                                        \
        const TYPE *x = sorted;                                                                              \
        KEY_TYPE key = key_##DTYPE((TYPE)(*(const TYPE *)v + 0));                                            \
        for (int64_t size = n; size > 0;) {                                                                  \
            int64_t half = size / 2;                                                                         \
            KEY_TYPE other = key_##DTYPE((TYPE)(x[first + half] + 0));                                       \
            int before = right ? other <= key : other < key;                                                 \
            first += before ? half + 1 : 0;                                                                  \
            size = before ? size - half - 1 : half;                                                          \
        }                                                                                                    \
        break;                                                                                               \
    }

int64_t sort_place(enum dtype dtype, int64_t n, const void *sorted, const void *v, int right)
{
    int64_t first = 0;
    switch (dtype) {
    case FLOAT64: PLACE(float64, double, uint64_t)
    case INT64: PLACE(int64, int64_t, uint64_t)
    case FLOAT32: PLACE(float32, float, uint32_t)
    default: PLACE(uint8, uint8_t, uint32_t)
    }
    return first;
}
