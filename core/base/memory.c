#include "base/memory.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#ifdef __GLIBC__
#include <malloc.h>
#endif

#include "base/tuning.h"

/* The header fills one alignment unit so that the user's block keeps the alignment. */
#define ALIGNMENT 64

struct header {
    size_t bytes;        /* as asked for */
    struct header *next; /* while the block waits in the cache */
};

static _Atomic int64_t live_bytes, peak_bytes, allocations, live_blocks, system_allocations;
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

/* ---- freed blocks, kept by size ----
 *
 * A training step makes and frees the same few small blocks again and again, and the system's aligned
 * allocation splits and merges its chunks each time. Up to 1 KiB the classes are 64 bytes apart, above that
 * four to each doubling. */
#define CLASSES 40

/* A sanitizer must see each block go back, so that it can tell when one is used after that. */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define CACHE_OFF 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer) || __has_feature(memory_sanitizer)
#define CACHE_OFF 1
#endif
#endif
#ifndef CACHE_OFF
#define CACHE_OFF 0
#endif

static struct {
    atomic_flag busy;
    size_t bytes;
    struct header *first[CLASSES];
} cache = {.busy = ATOMIC_FLAG_INIT};

/* Nobody waits for the cache: whoever finds it in use goes to the system. */
static int cache_enter(void) { return !atomic_flag_test_and_set_explicit(&cache.busy, memory_order_acquire); }
static void cache_leave(void) { atomic_flag_clear_explicit(&cache.busy, memory_order_release); }

/* Class of a block of `total` bytes, header included, a multiple of 64 up to MEMORY_CACHE_BLOCK; *size
 * becomes the class's. */
static int size_class(size_t total, size_t *size)
{
    if (total <= 1024) {
        *size = total;
        return (int)(total / 64) - 1;
    }
    int log = 63 - __builtin_clzll((unsigned long long)(total - 1)); /* 2^log < total <= 2^(log + 1) */
    size_t quarter = (size_t)1 << (log - 2), parts = (total - 1) / quarter + 1; /* 5..8 */
    *size = parts * quarter;
    return 16 + 4 * (log - 10) + (int)parts - 5;
}

/* Bytes that a block of n takes from the system; *class is -1 when it is too large to be kept. 0 when that
 * overflows. */
static size_t whole_size(size_t n, int *class)
{
    size_t total;
    *class = -1;
    if (__builtin_add_overflow(n, (size_t)(2 * ALIGNMENT - 1 + MEMORY_SLACK), &total)) return 0;
    total &= ~(size_t)(ALIGNMENT - 1);
    if (!CACHE_OFF && total <= MEMORY_CACHE_BLOCK) *class = size_class(total, &total);
    return total;
}

static void free_list(struct header *list)
{
    while (list) {
        struct header *next = list->next;
        free(list);
        list = next;
    }
}

/* Everything back to the system. */
static void cache_empty(void)
{
    struct header *lists[CLASSES];
    if (!cache_enter()) return;
    memcpy(lists, cache.first, sizeof lists);
    memset(cache.first, 0, sizeof cache.first);
    cache.bytes = 0;
    cache_leave();
    for (int i = 0; i < CLASSES; i++) free_list(lists[i]);
}

static struct header *cache_take(int class, size_t size)
{
    if (class < 0 || !cache_enter()) return NULL;
    struct header *h = cache.first[class];
    if (h) {
        cache.first[class] = h->next;
        cache.bytes -= size;
    }
    cache_leave();
    return h;
}

/* Returns 0 when the block must go to the system. A full cache holds sizes that are no longer asked for: it
 * starts anew. */
static int cache_put(struct header *h, int class, size_t size)
{
    if (class < 0 || !cache_enter()) return 0;
    int full = cache.bytes + size > MEMORY_CACHE_BYTES;
    if (!full) {
        h->next = cache.first[class];
        cache.first[class] = h;
        cache.bytes += size;
    }
    cache_leave();
    if (full) cache_empty();
    return !full;
}

static struct header *system_take(size_t size)
{
    struct header *h = aligned_alloc(ALIGNMENT, size);
    if (!h && !CACHE_OFF) {
        cache_empty();
        h = aligned_alloc(ALIGNMENT, size);
    }
    if (h) atomic_fetch_add_explicit(&system_allocations, 1, memory_order_relaxed);
    return h;
}

/* ---- blocks ---- */

static void count_block(size_t n)
{
    int64_t live = atomic_fetch_add_explicit(&live_bytes, (int64_t)n, memory_order_relaxed) + (int64_t)n;
    int64_t peak = atomic_load_explicit(&peak_bytes, memory_order_relaxed);
    while (live > peak && !atomic_compare_exchange_weak(&peak_bytes, &peak, live)) {
    }
    atomic_fetch_add_explicit(&allocations, 1, memory_order_relaxed);
    atomic_fetch_add_explicit(&live_blocks, 1, memory_order_relaxed);
}

void *memory_alloc(size_t n)
{
    int class;
    size_t size = whole_size(n, &class);
    struct header *h = NULL;
    if (size > 0 && !injected_failure()) {
        h = cache_take(class, size);
        if (!h) h = system_take(size);
    }
    if (!h) {
        status_set(STATUS_MEMORY,
                   "out of memory: %zu bytes were asked for, %lld bytes are in use; use smaller tensors or "
                   "batches, or "
                   "release what is no longer needed",
                   n, (long long)live_bytes);
        return NULL;
    }
    h->bytes = n;
    count_block(n);
    return (char *)h + ALIGNMENT;
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

static struct header *header_of(void *block) { return (struct header *)((char *)block - ALIGNMENT); }

void memory_free(void *block)
{
    if (!block) return;
    struct header *h = header_of(block);
    int class;
    size_t size = whole_size(h->bytes, &class);
    atomic_fetch_sub_explicit(&live_bytes, (int64_t)h->bytes, memory_order_relaxed);
    atomic_fetch_sub_explicit(&live_blocks, 1, memory_order_relaxed);
    if (!cache_put(h, class, size)) free(h);
}

void *memory_realloc(void *block, size_t n)
{
    void *fresh = memory_alloc(n);
    if (!fresh || !block) return fresh;
    size_t old = header_of(block)->bytes;
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

void memory_keep_pages(void)
{
#ifdef __GLIBC__
    mallopt(M_MMAP_THRESHOLD, MEMORY_MAPPED_BLOCK);
    mallopt(M_TRIM_THRESHOLD, MEMORY_KEPT_PAGES);
#endif
}

void memory_reset_peak(void) { atomic_store(&peak_bytes, atomic_load(&live_bytes)); }

void memory_fail_after(int64_t after, int sticky)
{
    fail_sticky = sticky;
    fail_countdown = after;
}

enum status memory_status(void) { return STATUS_MEMORY; }
