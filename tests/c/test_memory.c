/* test_memory.c -- the allocator: sizes, alignment, counters, the freed blocks that wait, failures,
 * threads. */
#include "base/memory.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <string.h>

#include "check.h"

#define LARGEST                                                                                              \
    (64 << 10) /* blocks of up to this size, with what the allocator adds, wait for the next use */

static int64_t system_allocations(void) { return memory_get_stats().system_allocations; }

/* A build with a sanitizer keeps no freed blocks. */
static int keeps_blocks(void)
{
    memory_free(memory_alloc(1000));
    int64_t before = system_allocations();
    memory_free(memory_alloc(1000));
    return system_allocations() == before;
}

static uint64_t dice = 1;
static size_t roll(size_t n)
{
    dice = dice * UINT64_C(6364136223846793005) + 1442695040888963407;
    return (size_t)(dice >> 33) % n;
}

static void fill(void *block, size_t n, unsigned char value) { memset(block, value, n); }

static int is_filled(const unsigned char *block, size_t n, unsigned char value)
{
    for (size_t i = 0; i < n; i++)
        if (block[i] != value) return 0;
    return 1;
}

/* Each size twice, freed in between: what comes back is aligned, whole, and has the slack behind it. */
static void sizes(void)
{
    struct memory_stats before = memory_get_stats();
    for (size_t n = 0; n < LARGEST + 5000; n += n < 3000 ? 1 : n < 5000 ? 61 : 509) {
        unsigned char *first = memory_alloc(n), *second = memory_alloc(n);
        CHECK(first && second && first != second, "%zu", n);
        CHECK((uintptr_t)first % 64 == 0 && (uintptr_t)second % 64 == 0, "%zu", n);
        CHECK((first < second ? (size_t)(second - first) : (size_t)(first - second)) >= n + MEMORY_SLACK,
              "%zu", n);
        fill(first, n, 1);
        fill(second, n, 2);
        CHECK(is_filled(first, n, 1) && memory_get_stats().live_bytes == before.live_bytes + 2 * (int64_t)n,
              "%zu", n);
        memory_free(first);
        first = memory_alloc(n);
        fill(first, n, 3);
        CHECK(is_filled(second, n, 2), "%zu", n);
        memory_free(first);
        memory_free(second);
    }
    struct memory_stats after = memory_get_stats();
    CHECK(after.live_blocks == before.live_blocks && after.live_bytes == before.live_bytes);
}

/* Many blocks of random sizes at once; none may touch another. */
static void random_life(void)
{
    enum { BLOCKS = 500 };
    static unsigned char *blocks[BLOCKS];
    static size_t size[BLOCKS];
    struct memory_stats before = memory_get_stats();
    for (int step = 0; step < 60000; step++) {
        size_t i = roll(BLOCKS);
        if (blocks[i]) {
            CHECK(is_filled(blocks[i], size[i], (unsigned char)i), "block %zu", i);
            if (roll(4) == 0) {
                size_t n = roll(3000);
                blocks[i] = memory_realloc(blocks[i], n);
                CHECK(is_filled(blocks[i], n < size[i] ? n : size[i], (unsigned char)i));
                size[i] = n;
                fill(blocks[i], n, (unsigned char)i);
                continue;
            }
            memory_free(blocks[i]);
            blocks[i] = NULL;
        } else {
            size[i] = roll(8) ? roll(1500) : roll(2 * LARGEST);
            blocks[i] = memory_alloc(size[i]);
            fill(blocks[i], size[i], (unsigned char)i);
        }
    }
    for (int i = 0; i < BLOCKS; i++) {
        memory_free(blocks[i]);
        blocks[i] = NULL;
    }
    CHECK(memory_get_stats().live_blocks == before.live_blocks &&
          memory_get_stats().live_bytes == before.live_bytes);
}

static void counters(void)
{
    struct memory_stats before = memory_get_stats();
    memory_reset_peak();
    void *a = memory_alloc(100), *b = memory_alloc(0), *c = memory_zalloc(50, 3);
    CHECK(is_filled(c, 150, 0));
    struct memory_stats now = memory_get_stats();
    CHECK(now.live_bytes == before.live_bytes + 250 && now.live_blocks == before.live_blocks + 3 &&
          now.allocations == before.allocations + 3);
    CHECK(now.peak_bytes == now.live_bytes);
    fill(c, 150, 7);
    memory_free(c);
    memory_free(b);
    c = memory_zalloc(50, 3);
    CHECK(is_filled(c, 150, 0), "a block from before is zeroed too");
    memory_free(c);
    memory_free(a);
    now = memory_get_stats();
    CHECK(now.live_bytes == before.live_bytes && now.live_blocks == before.live_blocks &&
          now.allocations == before.allocations + 4);
    CHECK(now.peak_bytes == before.live_bytes + 250 && now.system_allocations <= now.allocations);
}

static void steady_state(void)
{
    static const size_t n[] = {0, 1, 64, 65, 700, 833, 834, 1000, 5000, 20000, 40000, LARGEST - 4 * 64};
    void *blocks[sizeof n / sizeof *n];
    int count = (int)(sizeof n / sizeof *n);
    if (!keeps_blocks()) return;
    int64_t before = 0;
    for (int round = 0; round < 100; round++) {
        if (round == 1) before = system_allocations();
        for (int i = 0; i < count; i++) blocks[i] = memory_alloc(n[i]);
        for (int i = 0; i < count; i++) memory_free(blocks[(i * 5 + round) % count]);
    }
    CHECK(system_allocations() == before, "%lld blocks", (long long)(system_allocations() - before));
    int64_t all = memory_get_stats().allocations;
    memory_free(memory_alloc(2 * LARGEST));
    CHECK(system_allocations() == before + 1 && memory_get_stats().allocations == all + 1,
          "large blocks do not wait");
}

/* More freed bytes than may wait, of one size; then another size must still find its place. */
static void bounded(void)
{
    enum { BLOCKS = 1000 };
    static void *blocks[BLOCKS];
    if (!keeps_blocks()) return;
    for (int i = 0; i < BLOCKS; i++) blocks[i] = memory_alloc(30000);
    for (int i = 0; i < BLOCKS; i++) memory_free(blocks[i]);
    int64_t before = system_allocations();
    for (int i = 0; i < BLOCKS; i++) blocks[i] = memory_alloc(30000);
    int64_t taken = system_allocations() - before;
    CHECK(taken > BLOCKS - (8 << 20) / 30000 && taken < BLOCKS, "%lld of %d", (long long)taken, BLOCKS);
    for (int i = 0; i < BLOCKS; i++) memory_free(blocks[i]);
    memory_free(memory_alloc(50));
    before = system_allocations();
    for (int i = 0; i < 100; i++) memory_free(memory_alloc(50));
    CHECK(system_allocations() == before);
}

static void failures(void)
{
    struct memory_stats before = memory_get_stats();
    memory_free(memory_alloc(500)); /* so that one waits */
    memory_fail_after(0, 0);
    CHECK(!memory_alloc(500) && strstr(status_message(), "memory"), "a block that waits counts as well");
    void *block = memory_alloc(500);
    CHECK(block);
    memory_fail_after(1, 1);
    void *second = memory_alloc(500);
    CHECK(second && !memory_realloc(second, 600) && !memory_alloc(1));
    memory_fail_after(-1, 0);
    CHECK(!memory_alloc(SIZE_MAX) && !memory_alloc(SIZE_MAX - 254) && !memory_zalloc(SIZE_MAX / 4, 8));
    memory_free(block);
    memory_free(second);
    memory_free(NULL);
    CHECK(memory_get_stats().live_blocks == before.live_blocks &&
          memory_get_stats().live_bytes == before.live_bytes);
}

/* When the system has no more, the blocks that wait go back to it first. */
static void exhausted(void)
{
    if (!keeps_blocks()) return; /* a sanitizer may end the program at such a size */
    memory_free(memory_alloc(700));
    CHECK(!memory_alloc(SIZE_MAX / 2) && strstr(status_message(), "out of memory"));
    int64_t before = system_allocations();
    memory_free(memory_alloc(700));
    CHECK(system_allocations() == before + 1);
}

/* ---- threads: each makes blocks that another one frees ---- */

enum { THREADS = 4, SHARED = 64 };
static _Atomic(unsigned char *) shared[SHARED];
static atomic_int broken;

static void *exchange(void *arg)
{
    uint64_t own = (uint64_t)(uintptr_t)arg;
    for (int step = 0; step < 40000; step++) {
        own = own * UINT64_C(6364136223846793005) + 1442695040888963407;
        size_t n = 16 + (size_t)(own >> 40) % 2000;
        unsigned char *block = memory_alloc(n);
        memcpy(block, &n, sizeof n);
        memset(block + sizeof n, (int)(n & 255), n - sizeof n);
        unsigned char *old = atomic_exchange(&shared[(own >> 33) % SHARED], block);
        if (!old) continue;
        memcpy(&n, old, sizeof n);
        if (!is_filled(old + sizeof n, n - sizeof n, (unsigned char)n)) atomic_fetch_add(&broken, 1);
        memory_free(old);
    }
    return NULL;
}

static void threads(void)
{
    pthread_t id[THREADS];
    struct memory_stats before = memory_get_stats();
    for (uintptr_t i = 0; i < THREADS; i++)
        CHECK(pthread_create(&id[i], NULL, exchange, (void *)(i + 1)) == 0);
    for (int i = 0; i < THREADS; i++) pthread_join(id[i], NULL);
    for (int i = 0; i < SHARED; i++) memory_free(shared[i]);
    struct memory_stats after = memory_get_stats();
    CHECK(broken == 0 && after.live_blocks == before.live_blocks && after.live_bytes == before.live_bytes);
    CHECK(after.allocations == before.allocations + THREADS * 40000);
}

int main(int argc, char **argv)
{
    static const struct check_test tests[] = {
        {"sizes", sizes},         {"random life", random_life},
        {"counters", counters},   {"steady state", steady_state},
        {"bounded", bounded},     {"failures", failures},
        {"exhausted", exhausted}, {"threads", threads},
    };
    return check_main(tests, sizeof tests / sizeof *tests, argc, argv);
}
