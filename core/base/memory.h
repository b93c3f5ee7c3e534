/* memory.h -- the one allocator of the engine: checked, counted, and able to fail on request.
 *
 * Every block is aligned to 64 bytes (a cache line and an AVX-512 register) and its size is accounted, so
 * that tide.memory() can tell live and peak bytes and tests can assert "no allocation in steady state" and
 * "each allocation may fail".
 *
 * Freed blocks of up to 64 KiB wait for the next one of their size, 8 MiB of them at most; a build with a
 * sanitizer keeps none. All of this may be called from any thread. */
#ifndef BASE_MEMORY_H
#define BASE_MEMORY_H

#include <stddef.h>
#include <stdint.h>

#include "base/status.h"

/* Readable bytes behind every block: vector loads may run over the end of the last row of an operand
 * (kernels/loops.h, product). Whoever cuts a block into pieces that different threads write leaves as much
 * between them. */
#define MEMORY_SLACK 128

struct memory_stats {
    int64_t live_bytes;  /* allocated and not yet freed */
    int64_t peak_bytes;  /* largest live_bytes so far */
    int64_t allocations; /* successful allocations since the start */
    int64_t live_blocks;
    int64_t system_allocations; /* those of `allocations` that no freed block could serve */
};

/* Allocate n bytes (0 is allowed and gives a valid pointer). On failure: NULL, and the thread's status
 * message is set. */
void *memory_alloc(size_t n);

/* Same, for count elements of `size` bytes, zero-filled; the product is checked for overflow. */
void *memory_zalloc(size_t count, size_t size);

/* Grow or shrink; contents are kept. On failure returns NULL and leaves the old block as it was. */
void *memory_realloc(void *block, size_t n);

/* Free; NULL is harmless. */
void memory_free(void *block);

/* Copy of a C string, or NULL when out of memory. */
char *memory_strdup(const char *text);

/* Once for a process: freed blocks stay with it, up to MEMORY_KEPT_PAGES, instead of going back to the system
 * page by page. */
void memory_keep_pages(void);

struct memory_stats memory_get_stats(void);
void memory_reset_peak(void);

/* Failure injection for tests: let the next `after` allocations succeed, then fail one (sticky = 0) or all
 * that follow (sticky = 1). after < 0 switches the injection off. */
void memory_fail_after(int64_t after, int sticky);

/* Status to return after a NULL from above. */
enum status memory_status(void);

#endif
