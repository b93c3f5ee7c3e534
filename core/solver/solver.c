/* Working memory of a solve, and arithmetic on its states. */
#include "base/interrupt.h"
#include "base/memory.h"
#include "base/threads.h"
#include "base/tuning.h"
#include "kernels/loops.h"
#include "solver/family.h"
#include "solver/linear.h"
#include "solver/solver.h"

/* ---- memory ---- */

enum status solver_reserve(struct solver *s, int64_t n, enum dtype dtype, const struct method *m)
{
    int n_carry, n_k;
    m->family->sizes(m, &n_carry, &n_k);
    s->slope_ready = s->dense_ready = 0;
    if (s->block && s->n == n && s->dtype == dtype && s->n_carry == n_carry && s->n_k == n_k)
        return STATUS_OK;
    size_t bytes = ((size_t)n * dtype_size(dtype) + 63) & ~(size_t)63,
           wanted = bytes * (size_t)(2 * n_carry + n_k + 2);
    char *block = s->block && s->block_bytes >= wanted ? s->block : memory_alloc(wanted);
    if (!block) return memory_status();
    if (block != s->block) {
        memory_free(s->block);
        s->block_bytes = wanted;
    }
    s->n = n;
    s->dtype = dtype;
    s->n_carry = n_carry;
    s->n_k = n_k;
    s->block = block;
    for (int i = 0; i < n_carry; i++, block += 2 * bytes) {
        s->carry[i] = block;
        s->next[i] = block + bytes;
    }
    for (int i = 0; i < n_k; i++, block += bytes) s->k[i] = block;
    s->stage_input = block;
    s->spare = block + bytes;
    return STATUS_OK;
}

char *solver_backward(struct solver *s, size_t bytes)
{
    if (s->backward && s->backward_bytes >= bytes) return s->backward;
    memory_free(s->backward);
    s->backward = memory_alloc(bytes);
    s->backward_bytes = s->backward ? bytes : 0;
    return s->backward;
}

size_t solver_pitch(const struct solver *s)
{
    return (size_t)(s->whole > 0 ? s->whole : s->n) * dtype_size(s->dtype);
}

enum status solver_poll(const struct solver *s)
{
    if (s->cancelled && *s->cancelled) return STATUS_INTERRUPTED;
    return interrupt_poll();
}

void solver_release(struct solver *s)
{
    memory_free(s->block);
    memory_free(s->backward);
    linear_free(s->linear);
    if (s->adjoint) solver_release(s->adjoint);
    memory_free(s->adjoint);
    *s = (struct solver){0};
}

/* ---- arithmetic on states, split over the threads in blocks of fixed size ---- */

struct combine_job {
    int64_t n;
    size_t size;
    enum dtype dtype;
    const char *y;
    int count;
    double c[MAX_K];
    const char *k[MAX_K];
    char *out;
};

static void combine_task(void *context, int64_t task)
{
    const struct combine_job *j = context;
    int64_t first = task * COMBINE_TASK_ELEMENTS,
            n = j->n - first < COMBINE_TASK_ELEMENTS ? j->n - first : COMBINE_TASK_ELEMENTS;
    size_t at = (size_t)first * j->size;
    const void *k[MAX_K];
    for (int i = 0; i < j->count; i++) k[i] = j->k[i] + at;
    loops->combine[j->dtype](n, j->y ? j->y + at : NULL, j->count, j->c, k, j->out + at);
}

void solver_combine(struct solver *s, const void *y, double h, const double *w, int count, void *out)
{
    struct combine_job job = {.n = s->n, .size = dtype_size(s->dtype), .dtype = s->dtype, .y = y, .out = out};
    for (int j = 0; j < count; j++) {
        if (w[j] == 0) continue;
        job.c[job.count] = h * w[j];
        job.k[job.count++] = s->k[j];
    }
    threads_for((s->n + COMBINE_TASK_ELEMENTS - 1) / COMBINE_TASK_ELEMENTS, combine_task, &job);
}

enum status solver_eval(struct solver *s, struct field *f, double t, const void *input, int i)
{
    return field_eval_keep(f, t, input, s->k[i], s->residuals ? residual_take(s->residuals, i) : NULL);
}

void solver_swap(struct solver *s, int i, int j)
{
    char *swap = s->k[i];
    s->k[i] = s->k[j];
    s->k[j] = swap;
    if (!s->residuals) return;
    void *residual = s->residuals->current[i];
    s->residuals->current[i] = s->residuals->current[j];
    s->residuals->current[j] = residual;
}
