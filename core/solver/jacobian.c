#include "solver/jacobian.h"

#include <float.h>
#include <math.h>
#include <string.h>

#include "base/memory.h"

enum field_work jacobian_work(const struct field *f)
{
    return field_can(f, FIELD_VJP) ? FIELD_VJP : field_can(f, FIELD_JVP) ? FIELD_JVP : FIELD_EVAL;
}

int64_t jacobian_blocks(struct field *f)
{
    if (f->independent == 0 && f->batch > 1 && f->n % f->batch == 0) {
        struct field *one = NULL;
        int apart = field_cut(f, 1, 0, &one) == STATUS_OK && one;
        field_free(one);
        f->independent = apart ? f->batch : 1;
    }
    return f->independent > 1 && f->n % f->independent == 0 ? f->independent : 1;
}

int64_t jacobian_columns(const struct field *f, int64_t blocks, const struct jacobian_own *own)
{
    return own || blocks > 1 || jacobian_work(f) == FIELD_VJP ? f->n / blocks : f->n - f->quadratures;
}

enum status jacobian_reserve(struct jacobian *j, const struct field *f, int64_t blocks,
                             struct jacobian_own *own)
{
    size_t size = dtype_size(f->dtype), vector = ((size_t)f->n * size + 63) & ~(size_t)63;
    memory_free(j->unit);
    *j = (struct jacobian){.n = f->n,
                           .blocks = blocks,
                           .width = f->n / blocks,
                           .columns = jacobian_columns(f, blocks, own),
                           .dtype = f->dtype,
                           .work = jacobian_work(f),
                           .own = own};
    if (!(j->unit = memory_zalloc(1, 3 * vector + (size_t)f->n_theta * size))) return memory_status();
    j->point = j->unit + vector;
    j->slope = j->point + vector;
    j->theta = j->slope + vector;
    return STATUS_OK;
}

void jacobian_free(struct jacobian *j)
{
    memory_free(j->unit);
    *j = (struct jacobian){0};
}

static double get(const struct jacobian *j, const void *x, int64_t i)
{
    return j->dtype == FLOAT32 ? (double)((const float *)x)[i] : ((const double *)x)[i];
}

static void set(const struct jacobian *j, void *x, int64_t i, double v)
{
    if (j->dtype == FLOAT32)
        ((float *)x)[i] = (float)v;
    else
        ((double *)x)[i] = v;
}

/* Element k of each block of the unit vector. */
static void set_unit(const struct jacobian *j, int64_t k, double v)
{
    for (int64_t b = 0; b < j->blocks; b++) set(j, j->unit, b * j->width + k, v);
}

static enum status rows_by_vjp(struct jacobian *j, struct field *f, double t, const void *y, char *out)
{
    size_t row = (size_t)j->width * dtype_size(j->dtype);
    for (int64_t i = 0; i < j->width; i++) {
        char *rows = j->blocks == 1 ? out + (size_t)i * row : j->point;
        set_unit(j, i, 1);
        enum status status = field_vjp(f, t, y, j->unit, NULL, rows, j->theta);
        set_unit(j, i, 0);
        TRY(status);
        for (int64_t b = 0; b < j->blocks && j->blocks > 1; b++)
            memcpy(out + (size_t)(b * j->width + i) * row, rows + (size_t)b * row, row);
    }
    return STATUS_OK;
}

/* Column k of each block, from n numbers. */
static void set_column(const struct jacobian *j, int64_t k, char *out)
{
    for (int64_t i = 0; i < j->n; i++) set(j, out, i * j->columns + k, get(j, j->point, i));
}

static enum status columns_by_jvp(struct jacobian *j, struct field *f, double t, const void *y, char *out)
{
    for (int64_t k = 0; k < j->columns; k++) {
        set_unit(j, k, 1);
        enum status status = field_jvp(f, t, y, j->unit, j->point);
        set_unit(j, k, 0);
        TRY(status);
        set_column(j, k, out);
    }
    return STATUS_OK;
}

/* One-sided, with a shift of sqrt(eps) of an element's size. */
static enum status columns_by_differences(struct jacobian *j, struct field *f, double t, const void *y,
                                          char *out)
{
    double root = j->dtype == FLOAT32 ? 3.4526698e-4 : 1.4901161193847656e-8;
    const void *base = j->base ? j->base : j->slope;
    if (!j->base) TRY(field_eval(f, t, y, j->slope));
    memcpy(j->unit, y, (size_t)j->n * dtype_size(j->dtype));
    for (int64_t k = 0; k < j->columns; k++) {
        for (int64_t i = k; i < j->n; i += j->width) {
            double old = get(j, y, i);
            set(j, j->unit, i, old + root * fmax(fabs(old), 1e-5));
        }
        TRY(field_eval(f, t, j->unit, j->point));
        for (int64_t i = 0; i < j->n; i++) {
            int64_t moved = i - i % j->width + k;
            double shift = get(j, j->unit, moved) - get(j, y, moved);
            set(j, j->point, i, (get(j, j->point, i) - get(j, base, i)) / shift);
        }
        set_column(j, k, out);
        for (int64_t i = k; i < j->n; i += j->width) set(j, j->unit, i, get(j, y, i));
    }
    memset(j->unit, 0, (size_t)j->n * dtype_size(j->dtype));
    return STATUS_OK;
}

int jacobian_formula(enum dtype dtype, int fine, const double **weights, double *share)
{
    static const double one[] = {1}, four[] = {4, -3, 4.0 / 3, -0.25};
    double epsilon = dtype == FLOAT32 ? FLT_EPSILON : DBL_EPSILON;
    *weights = fine ? four : one;
    *share = pow(epsilon, fine ? 0.2 : 0.5);
    return fine ? 4 : 1;
}

/* How far element i moves at a time: a share of itself or of what the step moves it by, a number that adding
 * it to y does not round. */
static double shift_of(const struct jacobian *j, const void *y, int64_t i, double share)
{
    double at = get(j, y, i), size = fmax(fabs(at), fabs(j->h * get(j, j->known, i)));
    double moved = at + share * (size > 0 ? size : 1e-5);
    return (j->dtype == FLOAT32 ? (double)(float)moved : moved) - at;
}

/* Upwards, as above; sums are made in `slope`, because f is known. */
static enum status columns_in_step(struct jacobian *j, struct field *f, double t, const void *y, char *out)
{
    const double *weights;
    double share;
    int n_weights = jacobian_formula(j->dtype, j->fine, &weights, &share);
    memcpy(j->unit, y, (size_t)j->n * dtype_size(j->dtype));
    for (int64_t k = 0; k < j->columns; k++) {
        memset(j->slope, 0, (size_t)j->n * dtype_size(j->dtype));
        for (int p = 1; p <= n_weights; p++) {
            for (int64_t i = k; i < j->n; i += j->width)
                set(j, j->unit, i, get(j, y, i) + p * shift_of(j, y, i, share));
            TRY(field_eval(f, t, j->unit, j->point));
            for (int64_t i = 0; i < j->n; i++)
                set(j, j->slope, i,
                    get(j, j->slope, i) + weights[p - 1] * (get(j, j->point, i) - get(j, j->known, i)));
        }
        for (int64_t i = 0; i < j->n; i++)
            set(j, j->point, i, get(j, j->slope, i) / shift_of(j, y, i - i % j->width + k, share));
        set_column(j, k, out);
        for (int64_t i = k; i < j->n; i += j->width) set(j, j->unit, i, get(j, y, i));
    }
    memset(j->unit, 0, (size_t)j->n * dtype_size(j->dtype));
    return STATUS_OK;
}

enum status jacobian_at(struct jacobian *j, struct field *f, double t, const void *y, void *out)
{
    if (j->own) return j->own->of(j->own, j->n, j->dtype, t, y, out);
    return (j->work == FIELD_VJP   ? rows_by_vjp
            : j->work == FIELD_JVP ? columns_by_jvp
            : j->known             ? columns_in_step
                                   : columns_by_differences)(j, f, t, y, out);
}
