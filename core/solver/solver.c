/* Working memory of a solve, and arithmetic on its states. */
#include "solver/solver.h"

#include <math.h>

#include "base/interrupt.h"
#include "base/memory.h"
#include "base/threads.h"
#include "base/tuning.h"
#include "kernels/loops.h"
#include "solver/family.h"
#include "solver/linear.h"

/* ---- memory ---- */

/* A block of at least so many bytes: the one that is there, or a new one, and then what was in it is gone. */
static char *solver_room(char **block, size_t *there, size_t bytes)
{
    if (*block && *there >= bytes) return *block;
    memory_free(*block);
    *block = memory_alloc(bytes);
    *there = *block ? bytes : 0;
    return *block;
}

char *solver_backward(struct solver *s, size_t bytes)
{
    return solver_room(&s->backward, &s->backward_bytes, bytes);
}

char *solver_held(struct solver *s, size_t bytes) { return solver_room(&s->held, &s->held_bytes, bytes); }

static size_t vector_room(const struct solver *s) { return (solver_bytes(s) + 63) & ~(size_t)63; }

void solver_take_own(struct solver *s)
{
    size_t bytes = vector_room(s);
    char *block = s->block;
    for (int i = 0; i < s->n_carry; i++, block += 2 * bytes) {
        s->carry[i] = block;
        s->next[i] = block + bytes;
    }
    for (int i = 0; i < s->n_k; i++, block += bytes) s->k[i] = (struct slot){block, NULL};
    s->stage_input = block;
    s->spare = block + bytes;
}

enum status solver_reserve(struct solver *s, int64_t n, enum dtype dtype, const struct method *m)
{
    int n_carry, n_k;
    m->family->sizes(m, &n_carry, &n_k);
    s->history = m->family->history ? m->family->history(m) : 0;
    s->recorded = 0;
    s->slope_ready = s->dense_ready = 0;
    s->vectors = s->kept = NULL;
    s->given.carry = s->given.k = s->given.kept = 0;
    if (!s->block || s->n != n || s->dtype != dtype || s->n_carry != n_carry || s->n_k != n_k) {
        struct solver as = {.n = n, .dtype = dtype};
        char *block =
            solver_room(&s->block, &s->block_bytes, vector_room(&as) * (size_t)(2 * n_carry + n_k + 2));
        if (!block) return memory_status();
        s->n = n;
        s->dtype = dtype;
        s->n_carry = n_carry;
        s->n_k = n_k;
    }
    solver_take_own(s);
    return STATUS_OK;
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
    memory_free(s->held);
    linear_free(s->linear);
    turns_release(&s->turns);
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
    struct combine_job job; /* most of it stays as it is */
    job.count = 0;
    for (int j = 0; j < count; j++) {
        if (w[j] == 0) continue;
        job.c[job.count] = h * w[j];
        job.k[job.count++] = s->k[j].v;
    }
    if (s->n <= COMBINE_TASK_ELEMENTS) {
        loops->combine[s->dtype](s->n, y, job.count, job.c, (const void *const *)job.k, out);
        return;
    }
    job.n = s->n;
    job.size = dtype_size(s->dtype);
    job.dtype = s->dtype;
    job.y = y;
    job.out = out;
    threads_for((s->n + COMBINE_TASK_ELEMENTS - 1) / COMBINE_TASK_ELEMENTS, combine_task, &job);
}

int solver_is_finite(const struct solver *s, const void *y)
{
    if (isfinite(loops->sum[s->dtype](s->n, y, 1))) return 1;
    for (int64_t i = 0; i < s->n; i++) /* the sum of finite numbers may overflow */
        if (!isfinite(s->dtype == FLOAT32 ? (double)((const float *)y)[i] : ((const double *)y)[i])) return 0;
    return 1;
}

/* ---- the basis ---- */

enum status solver_eval(struct solver *s, struct field *f, double t, const void *input, int i)
{
    struct slot *k = &s->k[i];
    if (s->kept && !k->kept) k->kept = pool_take(s->kept); /* what is not kept is computed again */
    return field_eval_keep(f, t, input, k->v, s->kept ? k->kept : NULL);
}

void solver_swap(struct solver *s, int i, int j)
{
    struct slot swap = s->k[i];
    s->k[i] = s->k[j];
    s->k[j] = swap;
}

enum status solver_interpolate(struct solver *s, struct field *f, const struct method *m,
                               const struct step *p, double theta, void *out)
{
    double w[MAX_CARRY + MAX_K], c[MAX_CARRY];
    const void *carry[MAX_CARRY];
    int n, others = 0;
    TRY(m->family->dense(s, f, m, p, theta, 1, w, &n));
    for (int i = w[0] == 1; i < s->n_carry; i++) {
        if (w[i] == 0) continue; /* and it may be memory that holds nothing yet */
        c[others] = w[i];
        carry[others++] = s->carry[i];
    }
    if (others > 0)
        loops->combine[s->dtype](s->n, w[0] == 1 ? s->carry[0] : NULL, others, c, carry, s->spare);
    const char *base = others > 0 ? s->spare : w[0] == 1 ? s->carry[0] : NULL;
    solver_combine(s, base, 1, w + s->n_carry, n - s->n_carry, out);
    return STATUS_OK;
}

/* Vectors first .. last of the carry, of which each becomes the one behind it: the last one is free, unless a
 * record holds it. */
static enum status move_history(struct solver *s, int first, int last)
{
    char *old = s->carry[last];
    int held = s->recorded >> last & 1;
    for (int i = last; i > first; i--) {
        s->carry[i] = s->carry[i - 1];
        s->recorded = (s->recorded & ~(1u << i)) | ((s->recorded >> (i - 1) & 1) << i);
    }
    s->carry[first] = s->next[first];
    s->recorded &= ~(1u << first);
    s->next[first] = held ? pool_take(s->vectors) : old;
    return s->next[first] ? STATUS_OK : memory_status();
}

/* Weights are polynomials in theta, of a degree of 12 at most: central differences of that order are exact,
 * but for rounding. */
enum status solver_slope(struct solver *s, struct field *f, const struct method *m, const struct step *p,
                         double theta, void *out)
{
    static const double c[] = {6.0 / 7, -15.0 / 56, 5.0 / 63, -1.0 / 56, 1.0 / 385, -1.0 / 5544};
    const double apart = 1.0 / 16;
    double slope[MAX_CARRY + MAX_K] = {0}, w[MAX_CARRY + MAX_K];
    const void *carry[MAX_CARRY];
    int n = 0;
    for (int i = -6; i <= 6; i++) {
        if (i == 0) continue;
        TRY(m->family->dense(s, f, m, p, theta + i * apart, 1, w, &n));
        for (int j = 0; j < n; j++) slope[j] += (i > 0 ? c[i - 1] : -c[-i - 1]) / apart * w[j];
    }
    for (int i = 0; i < s->n_carry; i++) carry[i] = s->carry[i];
    loops->combine[s->dtype](s->n, NULL, s->n_carry, slope, carry, s->spare);
    solver_combine(s, s->spare, 1, slope + s->n_carry, n - s->n_carry, out);
    return STATUS_OK;
}

enum status solver_move(struct solver *s)
{
    s->recorded |= (1u << s->given.carry) - 1;
    for (int last = s->n_carry - 1, first; last >= 0; last = first - 1) {
        for (first = last; s->history >> first & 1;) first--;
        TRY(move_history(s, first, last));
    }
    for (int i = 0; i < s->given.k; i++)
        if (!(s->k[i].v = pool_take(s->vectors))) return memory_status();
    for (int i = 0; i < s->given.kept; i++) s->k[i].kept = NULL;
    return STATUS_OK;
}
