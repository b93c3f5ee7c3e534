/* pool.h -- blocks of one size that are taken one by one and given back all at once.
 *
 * What a solve leaves for its gradient lies in such blocks; the next solve takes them again, so that a steady
 * state allocates nothing. */
#ifndef SOLVER_POOL_H
#define SOLVER_POOL_H

#include <stddef.h>
#include <stdint.h>

/* Zero-initialise, begin, take, free. */
struct pool {
    size_t bytes, stride; /* of a block; from one to the next */
    int64_t budget;       /* bytes of all that are taken, < 0: any number */
    int64_t taken;
    char *next, *end; /* of the page at hand */
    char **pages;
    int64_t page, n_pages, capacity; /* page: number of the next one */
};

/* Blocks of so many bytes from here on; those that were taken are given back. */
void pool_begin(struct pool *p, size_t bytes, int64_t budget);
/* NULL when the budget is spent, or memory is. */
void *pool_take(struct pool *p);
void pool_free(struct pool *p);

#endif
