#include "base/memory.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

/* The header fills one alignment unit so that the user's block keeps the alignment. */
#define ALIGNMENT 64

static _Atomic int64_t live_bytes, peak_bytes, allocations, live_blocks;
static _Atomic int64_t fail_countdown = -1;
static _Atomic int fail_sticky;

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
    size_t total;
    if (!__builtin_add_overflow(n, (size_t)(2 * ALIGNMENT - 1 + MEMORY_SLACK), &total) && !injected_failure()) {
        total &= ~(size_t)(ALIGNMENT - 1);
        char *raw = aligned_alloc(ALIGNMENT, total);
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
    atomic_fetch_sub(&live_bytes, (int64_t) * (size_t *)raw);
    atomic_fetch_sub_explicit(&live_blocks, 1, memory_order_relaxed);
    free(raw);
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
    return (struct memory_stats){live_bytes, peak_bytes, allocations, live_blocks};
}

void memory_reset_peak(void) { atomic_store(&peak_bytes, atomic_load(&live_bytes)); }

void memory_fail_after(int64_t after, int sticky)
{
    fail_sticky = sticky;
    fail_countdown = after;
}

enum status memory_status(void) { return STATUS_MEMORY; }
