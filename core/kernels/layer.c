#include "kernels/layer.h"

#include <string.h>

#include "base/interrupt.h"
#include "base/threads.h"
#include "base/tuning.h"
#include "kernels/gemm.h"

struct layer_job {
    const struct layer *l;
    const char *a, *b, *c, *e;
    char *out;
    int64_t rows; /* of a chunk */
    int own_product;
};

static void finish_rows(const struct layer_job *j, int64_t first, int64_t rows)
{
    const struct layer *l = j->l;
    size_t at = (size_t)(first * l->n) * dtype_size(l->dtype);
    const int64_t n[2] = {1, rows * l->n}, dense[2] = {0, 1};
    char *z = j->out + at;
    if (l->unary) l->unary(n, z, dense, z);
    if (l->binary && l->second)
        l->binary(n, j->e + at, dense, z, dense, z);
    else if (l->binary)
        l->binary(n, z, dense, j->e + at, dense, z);
}

/* Start each row with the bias. */
static void fill_rows(const struct layer_job *j, int64_t first, int64_t rows)
{
    size_t bytes = (size_t)j->l->n * dtype_size(j->l->dtype);
    for (int64_t i = first; i < first + rows && (i % 64 != 0 || !interrupt_stop()); i++)
        memcpy(j->out + (size_t)i * bytes, j->c, bytes);
}

static void chunk_task(void *context, int64_t task)
{
    const struct layer_job *j = context;
    const struct layer *l = j->l;
    int64_t first = task * j->rows, rows = l->m - first < j->rows ? l->m - first : j->rows;
    size_t size = dtype_size(l->dtype);
    if (j->own_product) {
        product_row_loop *product = l->alike ? loops->product_alike[l->dtype] : loops->product_row[l->dtype];
        product(rows, l->n, l->k, j->a + (size_t)(first * (l->ta ? 1 : l->k)) * size, l->ta ? 1 : l->k,
                l->ta ? l->m : 1, j->b, l->n, j->out + (size_t)(first * l->n) * size, l->n, j->c);
    }
    finish_rows(j, first, rows);
}

void layer_run(const struct layer *l, const void *a, const void *b, const void *c, const void *e, void *out)
{
    if (l->m == 0 || l->n == 0) return;
    struct layer_job j = {l,
                          a,
                          b,
                          c,
                          e,
                          out,
                          LAYER_CHUNK_ELEMENTS / l->n / LAYER_BLOCK_ROWS * LAYER_BLOCK_ROWS,
                          l->alike || (!l->tb && l->n * l->k <= LAYER_MOST_WEIGHTS)};
    int parallel = (double)l->m * (double)l->n * (double)(l->k + l->finish) >= PRODUCT_PARALLEL_WORK;
    if (j.rows < LAYER_BLOCK_ROWS) j.rows = LAYER_BLOCK_ROWS;
    if (parallel) j.rows = gemm_task_rows(l->m, j.rows);
    if (!j.own_product) {
        if (c) fill_rows(&j, 0, l->m);
        gemm_parallel(l->dtype, l->ta, l->tb, l->m, l->n, l->k, 1, a, l->ta ? l->m : l->k, b,
                      l->tb ? l->k : l->n, c != NULL, out, l->n);
    }
    int64_t tasks = (l->m + j.rows - 1) / j.rows;
    if (parallel)
        threads_for(tasks, chunk_task, &j);
    else
        for (int64_t task = 0; task < tasks; task++) chunk_task(&j, task);
}
