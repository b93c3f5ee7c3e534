#include "solver/pool.h"

#include "base/memory.h"
#include "base/tuning.h"

#define LINE 64

void pool_begin(struct pool *p, size_t bytes, int64_t budget)
{
    size_t stride = POOL_LEAST_BYTES;
    if (bytes != p->bytes) pool_free(p);
    while (stride < bytes && stride < LINE) stride *= 2;
    p->bytes = bytes;
    p->stride = bytes <= stride ? stride : (bytes + LINE - 1) & ~(size_t)(LINE - 1);
    if (p->stride >= POOL_PAGE_BYTES) p->stride += POOL_STAGGER_BYTES;
    p->budget = budget;
    p->taken = p->page = 0;
    p->next = p->end = NULL;
}

/* The next page: one from before, or a new one. */
static int turn(struct pool *p)
{
    size_t page = p->stride < POOL_PAGE_BYTES ? POOL_PAGE_BYTES / p->stride * p->stride : p->stride;
    if (p->page == p->n_pages) {
        if (p->n_pages == p->capacity) {
            int64_t capacity = 2 * p->capacity + 4;
            char **pages = memory_realloc(p->pages, (size_t)capacity * sizeof *pages);
            if (!pages) return 0;
            p->pages = pages;
            p->capacity = capacity;
        }
        if (!(p->pages[p->n_pages] = memory_alloc(page))) return 0;
        p->n_pages++;
    }
    p->next = p->pages[p->page++];
    p->end = p->next + page;
    return 1;
}

void *pool_take(struct pool *p)
{
    if (p->budget >= 0 && (p->taken + 1) * (int64_t)p->bytes > p->budget) return NULL;
    if (p->next == p->end && !turn(p)) return NULL;
    void *block = p->next;
    p->next += p->stride;
    p->taken++;
    return block;
}

void pool_free(struct pool *p)
{
    for (int64_t i = 0; i < p->n_pages; i++) memory_free(p->pages[i]);
    memory_free(p->pages);
    *p = (struct pool){0};
}
