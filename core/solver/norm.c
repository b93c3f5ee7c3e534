#include "solver/norm.h"

#include <float.h>
#include <math.h>

#include "kernels/loops.h"

/* What is summed: squares of scaled elements first .. first + n - 1. */
struct terms {
    enum dtype dtype;
    int count;             /* 0: x scaled by y0, else a combination of k scaled by both ends */
    const double *c, *low; /* low: of a second estimate, or NULL */
    const char *const *k;
    const char *x, *y0, *y1;
    double rtol, atol;
    const double *rtols, *atols;       /* of each, or NULL */
    const double *square, *square_low; /* of what is scaled, or NULL */
};

static double element(enum dtype dtype, const void *x, int64_t i)
{
    return dtype == FLOAT32 ? (double)((const float *)x)[i] : ((const double *)x)[i];
}

double norm_smallest_rtol(enum dtype dtype) { return 10 * (dtype == FLOAT32 ? FLT_EPSILON : DBL_EPSILON); }

double norm_rtol(double rtol, enum dtype dtype) { return fmax(rtol, norm_smallest_rtol(dtype)); }

/* Where elements have tolerances of their own. */
static double sum_of_each(const struct terms *c, const double *weight, int64_t first, int64_t n)
{
    double sum = 0;
    for (int64_t i = first; i < first + n; i++) {
        double e = c->x ? element(c->dtype, c->x, i) : 0, size = fabs(element(c->dtype, c->y0, i));
        for (int j = 0; j < c->count; j++) e += weight[j] * element(c->dtype, c->k[j], i);
        if (!c->x) size = fmax(size, fabs(element(c->dtype, c->y1, i)));
        double rtol = c->rtols ? norm_rtol(c->rtols[i], c->dtype) : c->rtol;
        e /= (c->atols ? c->atols[i] : c->atol) + rtol * size;
        sum += e * e;
    }
    return sum;
}

static double sum_squares(const struct terms *c, const double *weight, const double *square, int64_t first,
                          int64_t n)
{
    size_t at = (size_t)first * dtype_size(c->dtype);
    const void *k[MAX_STAGES];
    if (square) return loops->sum[FLOAT64](n, square + first, 1);
    if (c->rtols || c->atols) return sum_of_each(c, weight, first, n);
    if (c->x) return loops->scaled_sum[c->dtype](n, c->x + at, c->y0 + at, c->rtol, c->atol);
    for (int i = 0; i < c->count; i++) k[i] = c->k[i] + at;
    return loops->error_sum[c->dtype](n, c->count, weight, k, c->y0 + at, c->y1 + at, c->rtol, c->atol);
}

static inline double sum_of(const struct terms *c, int64_t first, int64_t n)
{
    return sum_squares(c, c->c, c->square, first, n);
}

/* The same of the second estimate; 0 where there is none. */
static inline double sum_of_low(const struct terms *c, int64_t first, int64_t n)
{
    return c->low || c->square_low ? sum_squares(c, c->low, c->square_low, first, n) : 0;
}

/* Where `low` is beyond all numbers, it hides nothing: so is the error. */
double norm_of_two(double size, double low)
{
    if (!isfinite(low)) return low;
    return size > 0 ? size * (size / hypot(size, 0.1 * low)) : size;
}

static double root_mean(const struct terms *c, double total, double low, int64_t count)
{
    if (count == 0) return 0;
    double size = sqrt(total / (double)count);
    return c->low || c->square_low ? norm_of_two(size, sqrt(low / (double)count)) : size;
}

static double root_mean_of(const struct terms *c, int64_t first, int64_t n)
{
    return n > 0 ? root_mean(c, sum_of(c, first, n), sum_of_low(c, first, n), n) : 0;
}

static double worse(double a, double b) { return b <= a || a != a ? a : b; } /* a NaN stays */

static double norm_of_part(const struct state_layout *l, const struct terms *c, int64_t base)
{
    double largest = 0;
    int64_t offset = 0;
    for (int p = 0; p < l->n_parts && offset < l->controlled && largest == largest; offset += l->size[p++])
        largest = worse(largest, root_mean_of(c, base + offset, l->size[p]));
    return largest;
}

static double norm_of_sample(const struct state_layout *l, const struct terms *c, int64_t base)
{
    double largest = 0;
    for (int64_t g = 0; g < l->batch && largest == largest; g++) {
        double total = 0, low = 0;
        int64_t count = 0, offset = 0;
        for (int p = 0; p < l->n_parts && offset < l->controlled; offset += l->size[p++]) {
            int64_t n = l->size[p] / l->batch;
            total += sum_of(c, base + offset + g * n, n);
            low += sum_of_low(c, base + offset + g * n, n);
            count += n;
        }
        largest = worse(largest, root_mean(c, total, low, count));
    }
    return largest;
}

static double norm_of_copy(const struct state_layout *l, enum norm_kind kind, const struct terms *c,
                           int64_t base)
{
    if (kind == NORM_PART) return norm_of_part(l, c, base);
    if (kind == NORM_SAMPLE && l->batch >= 1) return norm_of_sample(l, c, base);
    return root_mean_of(c, base, l->controlled);
}

static double norm_over(const struct state_layout *l, enum norm_kind kind, const struct terms *c)
{
    int64_t whole = 0, copies = l->copies > 0 ? l->copies : 1;
    for (int p = 0; p < l->n_parts; p++) whole += l->size[p];
    double largest = norm_of_copy(l, kind, c, 0);
    for (int64_t i = 1; i < copies; i++) largest = worse(largest, norm_of_copy(l, kind, c, i * whole));
    return l->extra > 0 ? worse(largest, root_mean_of(c, copies * whole, l->extra)) : largest;
}

double norm_scaled(const struct state_layout *l, enum norm_kind kind, enum dtype dtype, const void *x,
                   const void *y, double rtol, double atol)
{
    struct terms terms = {.dtype = dtype,
                          .x = x,
                          .y0 = y,
                          .rtol = norm_rtol(rtol, dtype),
                          .atol = atol,
                          .rtols = l->rtols,
                          .atols = l->atols};
    return norm_over(l, kind, &terms);
}

double norm_error(const struct state_layout *l, enum norm_kind kind, enum dtype dtype, int count,
                  const double *c, const double *low, const char *const *k, const void *y0, const void *y1,
                  double rtol, double atol)
{
    struct terms terms = {.dtype = dtype,
                          .count = count,
                          .c = c,
                          .low = low,
                          .k = k,
                          .y0 = y0,
                          .y1 = y1,
                          .rtol = norm_rtol(rtol, dtype),
                          .atol = atol,
                          .rtols = l->rtols,
                          .atols = l->atols};
    return norm_over(l, kind, &terms);
}

double norm_of_squares(const struct state_layout *l, enum norm_kind kind, const double *square,
                       const double *square_low)
{
    int64_t n = l->size[0];
    int plain = l->n_parts == 1 && l->controlled == n && n > 0 && l->copies <= 1 && l->extra == 0 &&
                (kind != NORM_SAMPLE || l->batch <= 1) && !square_low; /* of each sample of many (convoy.h) */
    if (plain) return sqrt(loops->sum[FLOAT64](n, square, 1) / (double)n);
    return norm_over(l, kind, &(struct terms){.dtype = FLOAT64, .square = square, .square_low = square_low});
}

void norm_scale(const struct state_layout *l, enum dtype dtype, const void *y0, const void *y1, double rtol,
                double atol, void *scale)
{
    for (int64_t i = 0; i < l->controlled; i++) {
        double size = fmax(fabs(element(dtype, y0, i)), fabs(element(dtype, y1, i)));
        double s = (l->atols ? l->atols[i] : atol) + norm_rtol(l->rtols ? l->rtols[i] : rtol, dtype) * size;
        if (dtype == FLOAT32)
            ((float *)scale)[i] = (float)s;
        else
            ((double *)scale)[i] = s;
    }
}
