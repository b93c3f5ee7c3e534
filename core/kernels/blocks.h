/* blocks.h -- whole blocks. */
#ifndef KERNELS_BLOCKS_H
#define KERNELS_BLOCKS_H

#include <stddef.h>
#include <stdint.h>

#include "base/memory.h"

/* Blocks of `size` that hold n, and their size. */
static inline int64_t blocks_of(int64_t n, int64_t size) { return (n + size - 1) / size; }
static inline int64_t blocks_up(int64_t n, int64_t size) { return blocks_of(n, size) * size; }

/* Bytes of a part of a scratch memory: whole cache lines, with room for vectors that run over the end. */
static inline size_t blocks_bytes(int64_t n, size_t size)
{
    return ((size_t)n * size + MEMORY_SLACK + 63) & ~(size_t)63;
}

#endif
