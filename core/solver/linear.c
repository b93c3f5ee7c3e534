#include "solver/linear.h"

#include <math.h>
#include <string.h>

#include "base/memory.h"
#include "base/tuning.h"
#include "kernels/blas.h"
#include "kernels/loops.h"
#include "kernels/paste.h"

struct linear {
    int64_t n, n_theta;
    enum dtype dtype;
    char *matrix; /* n x n by rows, then its factors */
    char *unit, *point, *slope, *theta;
    int *pivot;
    enum field_work work;
};

void linear_free(struct linear *l)
{
    if (!l) return;
    void *blocks[] = {l->matrix, l->unit, l->pivot, l};
    for (size_t i = 0; i < sizeof blocks / sizeof *blocks; i++) memory_free(blocks[i]);
}

enum field_work linear_work(const struct field *f)
{
    return field_can(f, FIELD_VJP) ? FIELD_VJP : field_can(f, FIELD_JVP) ? FIELD_JVP : FIELD_EVAL;
}

static enum status reserve(struct linear **out, const struct field *f)
{
    struct linear *l = *out;
    if (l && l->n == f->n && l->dtype == f->dtype && l->n_theta == f->n_theta) return STATUS_OK;
    if (f->n > LINEAR_MOST_UNKNOWNS)
        return status_set(STATUS_UNSUPPORTED,
                          "odeint: an implicit method solves for the whole state at once, here %lld numbers, "
                          "at most %d are "
                          "possible; take an explicit method, or solve fewer samples at a time",
                          (long long)f->n, LINEAR_MOST_UNKNOWNS);
    linear_free(l);
    *out = NULL;
    if (!(l = memory_zalloc(1, sizeof *l))) return memory_status();
    *l = (struct linear){.n = f->n, .dtype = f->dtype, .n_theta = f->n_theta, .work = linear_work(f)};
    size_t size = dtype_size(f->dtype), vector = ((size_t)f->n * size + 63) & ~(size_t)63;
    l->matrix = memory_alloc((size_t)f->n * (size_t)f->n * size);
    l->unit = memory_zalloc(1, 3 * vector + (size_t)f->n_theta * size);
    l->pivot = memory_alloc((size_t)f->n * sizeof *l->pivot);
    if (!l->matrix || !l->unit || !l->pivot) {
        linear_free(l);
        return memory_status();
    }
    l->point = l->unit + vector;
    l->slope = l->point + vector;
    l->theta = l->slope + vector;
    *out = l;
    return f->n > LINEAR_OWN_UNKNOWNS ? blas_open() : STATUS_OK;
}

static double get(const struct linear *l, const void *x, int64_t i)
{
    return l->dtype == FLOAT32 ? (double)((const float *)x)[i] : ((const double *)x)[i];
}

static void set(const struct linear *l, void *x, int64_t i, double v)
{
    if (l->dtype == FLOAT32)
        ((float *)x)[i] = (float)v;
    else
        ((double *)x)[i] = v;
}

static enum status rows_by_vjp(struct linear *l, struct field *f, double t, const void *y)
{
    size_t row = (size_t)l->n * dtype_size(l->dtype);
    for (int64_t i = 0; i < l->n; i++) {
        set(l, l->unit, i, 1);
        enum status status = field_vjp(f, t, y, l->unit, NULL, l->matrix + (size_t)i * row, l->theta);
        set(l, l->unit, i, 0);
        TRY(status);
    }
    return STATUS_OK;
}

static enum status columns_by_jvp(struct linear *l, struct field *f, double t, const void *y)
{
    for (int64_t j = 0; j < l->n; j++) {
        set(l, l->unit, j, 1);
        enum status status = field_jvp(f, t, y, l->unit, l->point);
        set(l, l->unit, j, 0);
        TRY(status);
        for (int64_t i = 0; i < l->n; i++) set(l, l->matrix, i * l->n + j, get(l, l->point, i));
    }
    return STATUS_OK;
}

/* One-sided, with a shift of sqrt(eps) of an element's size. */
static enum status columns_by_differences(struct linear *l, struct field *f, double t, const void *y)
{
    double root = l->dtype == FLOAT32 ? 3.4526698e-4 : 1.4901161193847656e-8;
    TRY(field_eval(f, t, y, l->slope));
    memcpy(l->unit, y, (size_t)l->n * dtype_size(l->dtype));
    for (int64_t j = 0; j < l->n; j++) {
        double old = get(l, y, j), shift = root * fmax(fabs(old), 1e-5);
        set(l, l->unit, j, old + shift);
        shift = get(l, l->unit, j) - old;
        TRY(field_eval(f, t, l->unit, l->point));
        set(l, l->unit, j, old);
        for (int64_t i = 0; i < l->n; i++)
            set(l, l->matrix, i * l->n + j, (get(l, l->point, i) - get(l, l->slope, i)) / shift);
    }
    return STATUS_OK;
}

#define T float
#define SUFFIX f32
#include "solver/linear_factors_body.h"
#define T double
#define SUFFIX f64
#include "solver/linear_factors_body.h"

static int factor(struct linear *l)
{
    if (l->n > LINEAR_OWN_UNKNOWNS) return blas_factor(l->dtype, l->n, l->matrix, l->pivot);
    return l->dtype == FLOAT32 ? factor_f32(l->n, (float *)l->matrix, l->pivot)
                               : factor_f64(l->n, (double *)l->matrix, l->pivot);
}

enum status linear_set(struct linear **out, struct field *f, double t, const void *y, double g)
{
    TRY(reserve(out, f));
    struct linear *l = *out;
    TRY((l->work == FIELD_VJP   ? rows_by_vjp
         : l->work == FIELD_JVP ? columns_by_jvp
                                : columns_by_differences)(l, f, t, y));
    const void *jacobian = l->matrix;
    loops->combine[l->dtype](l->n * l->n, NULL, 1, (double[]){-g}, &jacobian, l->matrix);
    for (int64_t i = 0; i < l->n; i++) set(l, l->matrix, i * l->n + i, 1 + get(l, l->matrix, i * l->n + i));
    if (factor(l)) return STATUS_OK;
    status_fail(STATUS_NUMERIC, "newton", "use other steps",
                "odeint: the matrix I - %.3g df/dy of an implicit step is singular or not finite at t = %.9g",
                g, t);
    status_failure()->t = t;
    return STATUS_NUMERIC;
}

void linear_solve(const struct linear *l, int transpose, void *x)
{
    if (l->n > LINEAR_OWN_UNKNOWNS)
        blas_factor_solve(l->dtype, l->n, l->matrix, l->pivot, transpose, x);
    else if (l->dtype == FLOAT32)
        solve_f32(l->n, (const float *)l->matrix, l->pivot, transpose, x);
    else
        solve_f64(l->n, (const double *)l->matrix, l->pivot, transpose, x);
}
