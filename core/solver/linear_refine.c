/* A transposed system whose factors are of a matrix that is perhaps not quite df/dy. Newton's method
 * converged with that matrix, and so does this, at the same rate: the iterations are each other's transposes.
 */
#include <float.h>
#include <math.h>
#include <string.h>

#include "base/memory.h"
#include "base/tuning.h"
#include "kernels/loops.h"
#include "solver/linear_system.h"

/* Vectors of all stages: the right-hand sides, J_i^T x_i, and what is left. */
enum { RIGHT, PRODUCT, LEFT, KINDS };

static char *vector(const struct linear *l, int kind, int stage)
{
    return l->refined + (size_t)(kind * l->most + stage) * l->vector;
}

static double square(const struct linear *l, int64_t n, const void *x)
{
    return loops->scaled_sum[l->dtype](n, x, x, 0, 1);
}

static double length(const struct linear *l, int stages, void *const *x)
{
    double sum = 0;
    for (int i = 0; i < stages; i++) sum += square(l, l->n, x[i]);
    return sqrt(sum);
}

/* So much rounding leaves of the right-hand sides, of that length, where LU solves for x. */
static double rounding(const struct linear *l, const struct factors *s, double right, void *const *x)
{
    double matrix = 0, A = 0;
    for (int i = 0; i < (s->own ? s->stages : 1); i++)
        matrix +=
            square(l, l->n * l->columns, l->values + (size_t)(i * l->n * l->columns) * dtype_size(l->dtype));
    for (int i = 0; i < s->stages * s->stages; i++) A += s->A[i] * s->A[i];
    return (l->dtype == FLOAT32 ? FLT_EPSILON : DBL_EPSILON) *
           (right + (1 + sqrt(A * matrix)) * length(l, s->stages, x));
}

/* b_j - x_j + sum_i A_ij J_i^T x_i, and its length. */
static enum status what_is_left(struct linear *l, struct field *f, const struct factors *s, void *const *x,
                                double *size)
{
    void *left[MAX_STAGES];
    for (int i = 0; i < s->stages; i++) {
        int at = s->own ? i : 0;
        TRY(field_vjp(f, l->t[at], l->at + (size_t)at * l->vector, x[i], NULL, vector(l, PRODUCT, i),
                      l->jacobian.theta));
    }
    for (int j = 0; j < s->stages; j++) {
        double w[MAX_STAGES + 1] = {-1};
        const void *parts[MAX_STAGES + 1] = {x[j]};
        for (int i = 0; i < s->stages; i++) {
            w[1 + i] = s->A[i * s->stages + j];
            parts[1 + i] = vector(l, PRODUCT, i);
        }
        loops->combine[l->dtype](l->n, vector(l, RIGHT, j), 1 + s->stages, w, parts, vector(l, LEFT, j));
        left[j] = vector(l, LEFT, j);
    }
    *size = length(l, s->stages, left);
    return STATUS_OK;
}

static enum status correct(struct linear *l, enum linear_set which, int stages, void *const *x)
{
    void *left[MAX_STAGES];
    for (int j = 0; j < stages; j++) left[j] = vector(l, LEFT, j);
    TRY(linear_solve_stages(l, which, 1, left));
    for (int j = 0; j < stages; j++)
        loops->combine[l->dtype](l->n, x[j], 1, (double[]){1}, (const void *const *)&left[j], x[j]);
    return STATUS_OK;
}

static enum status not_found(const struct linear *l, double share, int corrections)
{
    status_fail(
        STATUS_NUMERIC, "newton",
        "give one that is nearer to df/dy, or leave jacobian out: then it comes from f",
        "odeint: the gradient cannot be solved for with this jacobian: of the transposed system of the "
        "step at t = %.9g a share of %.2g is left after %d corrections",
        l->t[0], share, corrections);
    status_failure()->t = l->t[0];
    return STATUS_NUMERIC;
}

enum status linear_solve_back(struct linear *l, struct field *f, enum linear_set which, void *const *x)
{
    const struct factors *s = &l->set[which];
    double before = INFINITY, size, right, noise;
    if (!l->own) return linear_solve_stages(l, which, 1, x);
    if (!l->refined && !(l->refined = memory_alloc((size_t)(KINDS * l->most) * l->vector)))
        return memory_status();
    for (int i = 0; i < s->stages; i++)
        memcpy(vector(l, RIGHT, i), x[i], (size_t)l->n * dtype_size(l->dtype));
    right = length(l, s->stages, x);
    TRY(linear_solve_stages(l, which, 1, x));
    for (int i = 0;; i++, before = size) {
        TRY(what_is_left(l, f, s, x, &size));
        noise = rounding(l, s, right, x);
        if (size <= REFINE_ROUNDING * noise || (size > before / 2 && size <= NEWTON_ROUNDING * noise))
            return STATUS_OK;
        if (!isfinite(size) || i == REFINE_CORRECTIONS) return not_found(l, size / right, i);
        TRY(correct(l, which, s->stages, x));
    }
}
