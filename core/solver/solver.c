/* Working memory of a solve, and arithmetic on its states. */
#include "base/interrupt.h"
#include "base/memory.h"
#include "base/threads.h"
#include "kernels/loops.h"
#include "solver/solve.h"

/* ---- memory ---- */

enum status solver_reserve(struct solver *s, int64_t n, enum dtype dtype, int stages)
{
    if (s->block && s->n == n && s->dtype == dtype && s->stages >= stages) return STATUS_OK;
    size_t bytes = ((size_t)n * dtype_size(dtype) + 63) & ~(size_t)63, wanted = bytes * (size_t)(stages + 5);
    char *block = s->block && s->block_bytes >= wanted ? s->block : memory_alloc(wanted);
    if (!block) return memory_status();
    if (block != s->block) {
        memory_free(s->block);
        s->block_bytes = wanted;
    }
    s->n = n;
    s->dtype = dtype;
    s->stages = stages;
    s->block = block;
    char **fields[] = {&s->y, &s->next, &s->stage_input, &s->spare};
    for (int i = 0; i < 4; i++) *fields[i] = block + bytes * (size_t)i;
    for (int i = 0; i <= stages; i++) s->k[i] = block + bytes * (size_t)(4 + i);
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

size_t solver_pitch(const struct solver *s) { return (size_t)(s->whole > 0 ? s->whole : s->n) * dtype_size(s->dtype); }

enum status solver_poll(const struct solver *s)
{
    if (s->cancelled && *s->cancelled) return STATUS_INTERRUPTED;
    return interrupt_poll();
}

void solver_release(struct solver *s)
{
    memory_free(s->block);
    memory_free(s->backward);
    if (s->adjoint) solver_release(s->adjoint);
    memory_free(s->adjoint);
    *s = (struct solver){0};
}

/* ---- arithmetic on states, split over the threads in blocks of fixed size ---- */

#define TASK_ELEMENTS 65536

struct combine_job {
    int64_t n;
    size_t size;
    enum dtype dtype;
    const char *y;
    int count;
    double c[MAX_STAGES + 1];
    const char *k[MAX_STAGES + 1];
    char *out;
};

static void combine_task(void *context, int64_t task)
{
    const struct combine_job *j = context;
    int64_t first = task * TASK_ELEMENTS, n = j->n - first < TASK_ELEMENTS ? j->n - first : TASK_ELEMENTS;
    size_t at = (size_t)first * j->size;
    const void *k[MAX_STAGES + 1];
    for (int i = 0; i < j->count; i++) k[i] = j->k[i] + at;
    loops->combine[j->dtype](n, j->y ? j->y + at : NULL, j->count, j->c, k, j->out + at);
}

void solve_combine(struct solver *s, const void *y, double h, const double *w, int count, void *out)
{
    struct combine_job job = {.n = s->n, .size = dtype_size(s->dtype), .dtype = s->dtype, .y = y, .out = out};
    for (int j = 0; j < count; j++) {
        if (w[j] == 0) continue;
        job.c[job.count] = h * w[j];
        job.k[job.count++] = s->k[j];
    }
    threads_for((s->n + TASK_ELEMENTS - 1) / TASK_ELEMENTS, combine_task, &job);
}

void solve_stage_input(struct solver *s, const struct tableau *m, double h, const void *y, int stage, void *out)
{
    solve_combine(s, y, h, m->a[stage], stage, out);
}

enum status solve_stage(struct solver *s, struct field *f, double t, const void *input, int i)
{
    return field_eval_keep(f, t, input, s->k[i], s->residuals ? residual_take(s->residuals, i) : NULL);
}

enum status solve_stages(struct solver *s, struct field *f, const struct tableau *m, const struct step *p, const void *y,
                         int first, int last)
{
    for (int i = first; i < last; i++) {
        const void *input = y;
        if (i > 0) {
            solve_stage_input(s, m, p->h, y, i, s->stage_input);
            input = s->stage_input;
        }
        TRY(solve_stage(s, f, step_time(p, m->c[i]), input, i));
    }
    return STATUS_OK;
}
