#include "base/memory.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

/* The header fills one alignment unit so that the user's block keeps the alignment. */
#define ALIGNMENT 64

static _Atomic int64_t live_bytes, peak_bytes, allocations, live_blocks;
static _Atomic int64_t fail_countdown = -1;
static _Atomic int fail_sticky;

/* ---- blocks that were freed and are ready for the next request of their size ----
 *
 * A training step asks for the same small tensors again and again, and aligned_alloc and free are slow for blocks of a few kilobytes.
 * Classes are four per power of two. Sanitizers see every block come and go. */
#define CACHED_BYTES ((size_t)64 << 10) /* largest block that is kept */
#define CACHE_LIMIT ((size_t)8 << 20)   /* bytes of all that are */
#define CLASSES 48

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define NO_CACHE 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define NO_CACHE 1
#endif
#endif
#ifndef NO_CACHE
#define NO_CACHE 0
#endif

struct spare {
    struct spare *next;
};

static struct {
    atomic_flag busy; /* whoever finds it taken goes to the system instead of waiting */
    size_t bytes;
    struct spare *first[CLASSES];
} cache = {.busy = ATOMIC_FLAG_INIT};

static _Atomic int64_t system_allocations;

/* Rounds `total` up to the size of its class and returns the class, or -1 for blocks that are not kept. */
static int class_of(size_t *total)
{
    size_t size = ALIGNMENT;
    int class = 0;
    if (NO_CACHE || *total > CACHED_BYTES) return -1;
    while (size * 2 <= *total) {
        size *= 2;
        class += 4;
    }
    size_t quarter = size / 4 < ALIGNMENT ? ALIGNMENT : size / 4;
    while (size < *total) {
        size += quarter;
        class++;
    }
    *total = size;
    return class;
}

static void *take(size_t total, int class)
{
    struct spare *block = NULL;
    if (class >= 0 && !atomic_flag_test_and_set_explicit(&cache.busy, memory_order_acquire)) {
        block = cache.first[class];
        if (block) {
            cache.first[class] = block->next;
            cache.bytes -= total;
        }
        atomic_flag_clear_explicit(&cache.busy, memory_order_release);
    }
    if (block) return block;
    atomic_fetch_add_explicit(&system_allocations, 1, memory_order_relaxed);
    return aligned_alloc(ALIGNMENT, total);
}

static void give(void *raw, size_t total, int class)
{
    int kept = 0;
    if (class >= 0 && !atomic_flag_test_and_set_explicit(&cache.busy, memory_order_acquire)) {
        kept = cache.bytes + total <= CACHE_LIMIT;
        if (kept) {
            struct spare *block = raw;
            block->next = cache.first[class];
            cache.first[class] = block;
            cache.bytes += total;
        }
        atomic_flag_clear_explicit(&cache.busy, memory_order_release);
    }
    if (!kept) free(raw);
}

/* What a block of n bytes takes with its header and slack; 0: too much. */
static size_t total_of(size_t n)
{
    size_t total;
    if (__builtin_add_overflow(n, (size_t)(2 * ALIGNMENT - 1 + MEMORY_SLACK), &total)) return 0;
    return total & ~(size_t)(ALIGNMENT - 1);
}

static int injected_failure(void)
{
    int64_t left = atomic_load_explicit(&fail_countdown, memory_order_relaxed);
    if (left < 0) return 0;
    if (left > 0) {
        atomic_fetch_sub(&fail_countdown, 1);
        return 0;
    }
    if (!fail_sticky) fail_countdown = -1;
    return 1;
}

void *memory_alloc(size_t n)
{
    size_t total = total_of(n);
    if (total > 0 && !injected_failure()) {
        int class = class_of(&total);
        char *raw = take(total, class);
        if (raw) {
            *(size_t *)raw = n;
            int64_t live = atomic_fetch_add(&live_bytes, (int64_t)n) + (int64_t)n;
            int64_t peak = atomic_load_explicit(&peak_bytes, memory_order_relaxed);
            while (live > peak && !atomic_compare_exchange_weak(&peak_bytes, &peak, live)) {
            }
            atomic_fetch_add_explicit(&allocations, 1, memory_order_relaxed);
            atomic_fetch_add_explicit(&live_blocks, 1, memory_order_relaxed);
            return raw + ALIGNMENT;
        }
    }
    status_set(STATUS_MEMORY, "out of memory: %zu bytes were asked for, %lld bytes are in use; use smaller tensors or batches, or "
               "release what is no longer needed", n, (long long)live_bytes);
    return NULL;
}

void *memory_zalloc(size_t count, size_t size)
{
    size_t n;
    if (__builtin_mul_overflow(count, size, &n)) {
        status_set(STATUS_MEMORY, "out of memory: %zu x %zu bytes were asked for", count, size);
        return NULL;
    }
    void *block = memory_alloc(n);
    if (block) memset(block, 0, n);
    return block;
}

void memory_free(void *block)
{
    if (!block) return;
    char *raw = (char *)block - ALIGNMENT;
    size_t n = *(size_t *)raw, total = total_of(n);
    int class = class_of(&total);
    atomic_fetch_sub(&live_bytes, (int64_t)n);
    atomic_fetch_sub_explicit(&live_blocks, 1, memory_order_relaxed);
    give(raw, total, class);
}

void *memory_realloc(void *block, size_t n)
{
    void *fresh = memory_alloc(n);
    if (!fresh || !block) return fresh;
    size_t old = *(size_t *)((char *)block - ALIGNMENT);
    memcpy(fresh, block, old < n ? old : n);
    memory_free(block);
    return fresh;
}

char *memory_strdup(const char *text)
{
    size_t n = strlen(text) + 1;
    char *copy = memory_alloc(n);
    if (copy) memcpy(copy, text, n);
    return copy;
}

struct memory_stats memory_get_stats(void)
{
    return (struct memory_stats){live_bytes, peak_bytes, allocations, live_blocks, system_allocations};
}

void memory_reset_peak(void) { atomic_store(&peak_bytes, atomic_load(&live_bytes)); }

void memory_fail_after(int64_t after, int sticky)
{
    fail_sticky = sticky;
    fail_countdown = after;
}

enum status memory_status(void) { return STATUS_MEMORY; }
