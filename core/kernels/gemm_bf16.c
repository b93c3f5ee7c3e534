#include "kernels/gemm_bf16.h"

#include <string.h>

#include "base/memory.h"
#include "base/threads.h"
#include "base/tuning.h"
#include "kernels/bf16.h"
#include "kernels/loops.h"

struct job {
    int parts, ta, tb;
    int64_t m, n, k, lda, ldb, ldc, steps, pitch, part, column_tasks;
    const float *a, *b;
    float *c;
    int64_t *offset;
    uint16_t *split, *packed;
};

static int64_t up(int64_t n, int64_t to) { return (n + to - 1) / to * to; }
static size_t room(size_t bytes) { return (bytes + MEMORY_SLACK + 63) & ~(size_t)63; }

int gemm_bf16_fits(int64_t m, int64_t n, int64_t k)
{
    return m >= GEMM_BF16_LEAST_SIDE && n >= GEMM_BF16_LEAST_SIDE && k >= GEMM_BF16_LEAST_SIDE &&
           (double)m * (double)n * (double)k >= GEMM_BF16_LEAST_WORK;
}

static size_t offset_bytes(int64_t k)
{
    return room((size_t)(up(k, BF16_DEPTH) / BF16_DEPTH) * sizeof(int64_t));
}
static size_t split_bytes(int parts, int64_t m, int64_t k)
{
    return room((size_t)(parts * up(m, BF16_ROWS) * up(k, BF16_DEPTH)) * sizeof(uint16_t));
}

size_t gemm_bf16_scratch(int parts, int64_t m, int64_t n, int64_t k)
{
    return offset_bytes(k) + split_bytes(parts, m, k) +
           room((size_t)bf16_packed_size(parts, k, n) * sizeof(uint16_t));
}

/* Rows of op(A), split; the last ones of the last task are zero. */
static void split_task(void *context, int64_t task)
{
    struct job *j = context;
    for (int64_t i = task * GEMM_BF16_TASK_ROWS;
         i < (task + 1) * GEMM_BF16_TASK_ROWS && i < up(j->m, BF16_ROWS); i++) {
        uint16_t *row = j->split + i * j->pitch;
        int64_t used = i < j->m ? j->k : 0;
        if (used > 0)
            bf16_split(j->parts, j->k, j->a + i * (j->ta ? 1 : j->lda), j->ta ? j->lda : 1, row, j->part);
        for (int p = 0; p < j->parts; p++)
            memset(row + p * j->part + used, 0, (size_t)(j->pitch - used) * sizeof *row);
    }
}

static void pack_task(void *context, int64_t task)
{
    struct job *j = context;
    int64_t first = task * GEMM_BF16_TASK_COLUMNS,
            columns = j->n - first < GEMM_BF16_TASK_COLUMNS ? j->n - first : GEMM_BF16_TASK_COLUMNS;
    bf16_pack(j->parts, j->k, columns, j->b + first * (j->tb ? j->ldb : 1), j->tb ? 1 : j->ldb,
              j->tb ? j->ldb : 1,
              j->packed + first / BF16_ROWS * bf16_packed_size(j->parts, j->k, BF16_ROWS));
}

static void product_task(void *context, int64_t task)
{
    struct job *j = context;
    int64_t i = task / j->column_tasks * GEMM_BF16_TASK_ROWS,
            q = task % j->column_tasks * GEMM_BF16_TASK_COLUMNS;
    int64_t rows = j->m - i < GEMM_BF16_TASK_ROWS ? j->m - i : GEMM_BF16_TASK_ROWS,
            columns = j->n - q < GEMM_BF16_TASK_COLUMNS ? j->n - q : GEMM_BF16_TASK_COLUMNS;
    bf16_product(loops->bf16 ? loops->bf16 : bf16_block_plain, j->parts, rows, columns, j->steps,
                 j->split + i * j->pitch, j->pitch, j->part, j->offset,
                 j->packed + q / BF16_ROWS * bf16_packed_size(j->parts, j->k, BF16_ROWS),
                 j->c + i * j->ldc + q, j->ldc, 0);
}

void gemm_bf16(int parts, int ta, int tb, int64_t m, int64_t n, int64_t k, const float *a, int64_t lda,
               const float *b, int64_t ldb, float *c, int64_t ldc, void *scratch)
{
    struct job j = {.parts = parts,
                    .ta = ta,
                    .tb = tb,
                    .m = m,
                    .n = n,
                    .k = k,
                    .lda = lda,
                    .ldb = ldb,
                    .ldc = ldc,
                    .steps = up(k, BF16_DEPTH) / BF16_DEPTH,
                    .pitch = up(k, BF16_DEPTH),
                    .part = up(m, BF16_ROWS) * up(k, BF16_DEPTH),
                    .column_tasks = (n + GEMM_BF16_TASK_COLUMNS - 1) / GEMM_BF16_TASK_COLUMNS,
                    .a = a,
                    .b = b,
                    .c = c,
                    .offset = scratch};
    j.split = (uint16_t *)((char *)scratch + offset_bytes(k));
    j.packed = (uint16_t *)((char *)j.split + split_bytes(parts, m, k));
    for (int64_t s = 0; s < j.steps; s++) j.offset[s] = s * BF16_DEPTH;
    int64_t row_tasks = (m + GEMM_BF16_TASK_ROWS - 1) / GEMM_BF16_TASK_ROWS;
    threads_for(row_tasks, split_task, &j);
    threads_for(j.column_tasks, pack_task, &j);
    threads_for(row_tasks * j.column_tasks, product_task, &j);
}
