/* Determinants, and their gradients: the matrix of cofactors, which every matrix has. */
#include <math.h>
#include <string.h>

#include "autodiff/linalg.h"
#include "base/interrupt.h"
#include "kernels/lapack.h"

enum status infer_det(struct call *c)
{
    TRY(linalg_check(c, 0, 1));
    return linalg_batch_of(c, 0, NULL);
}

enum status infer_slogdet(struct call *c)
{
    TRY(linalg_check(c, 0, 1));
    return linalg_batch_of(c, 1, (int64_t[]){2});
}

/* The sign and the logarithm of its size; the determinant itself. */
static void determinant_of(const struct linalg_plan *p, enum dtype dtype, const void *lu, const int *pivot,
                           double *sign, double *log_size, double *det)
{
    *sign = *det = 1;
    *log_size = 0;
    for (int i = 0; i < p->n; i++) {
        double d = linalg_number(dtype, lu, (size_t)i * (size_t)(p->n + 1));
        if (pivot[i] != i + 1) *sign = -*sign, *det = -*det;
        *sign *= d > 0 ? 1 : d < 0 ? -1 : d;
        *log_size += log(fabs(d));
        *det *= d;
    }
}

static enum status run_det(struct call *c)
{
    const struct linalg_plan *p = c->plan;
    enum dtype dtype = c->out.dtype;
    size_t numbers = linalg_square(p->n);
    int log_too = c->op == &op_table[OP_SLOGDET];
    for (int64_t i = 0; i < p->count && !interrupt_stop(); i++) {
        double sign, log_size, det;
        if (numbers > 0) {
            memcpy(linalg_at(c, p->matrix), linalg_in(c, i, numbers), numbers * dtype_size(dtype));
            lapack_lu(dtype, p->n, linalg_at(c, p->matrix), linalg_at(c, p->integers));
        }
        determinant_of(p, dtype, linalg_at(c, p->matrix), linalg_at(c, p->integers), &sign, &log_size, &det);
        linalg_set(dtype, c->out.data, (size_t)(log_too ? 2 * i : i), log_too ? sign : det);
        if (log_too) linalg_set(dtype, c->out.data, (size_t)(2 * i + 1), log_size);
    }
    return STATUS_OK;
}

enum status prepare_det(struct call *c)
{
    struct linalg_plan *p;
    TRY(linalg_plan(c, &p));
    p->matrix = linalg_room(p, linalg_square(p->n) * dtype_size(c->out.dtype));
    p->integers = linalg_room(p, (size_t)p->n * sizeof(int));
    return linalg_prepared(c, run_det);
}

/* ---- cofactors ---- */

/* det(A) A^-T, where A is far from singular. Returns whether it is, or not finite. */
static int by_inverse(const struct call *c, const char *a, char *out)
{
    const struct linalg_plan *p = c->plan;
    enum dtype dtype = c->out.dtype;
    void *lu = linalg_at(c, p->matrix);
    int *pivot = linalg_at(c, p->integers);
    size_t n = (size_t)p->n;
    double sign, log_size, det, norm = lapack_norm(dtype, p->n, a);
    memcpy(lu, a, n * n * dtype_size(dtype));
    int zero = lapack_lu(dtype, p->n, lu, pivot);
    determinant_of(p, dtype, lu, pivot, &sign, &log_size, &det);
    if (!zero) zero = lapack_inverse(dtype, p->n, lu, pivot, linalg_at(c, p->work), p->n_work);
    if (!isfinite(norm))
        det = NAN;
    else if (zero || !(1 / (norm * lapack_norm(dtype, p->n, lu)) >= sqrt(linalg_least_rcond(dtype))))
        return 0;
    for (size_t i = 0; i < n * n; i++)
        linalg_set(dtype, out, i, det * linalg_number(dtype, lu, i % n * n + i / n));
    return 1;
}

/* Of an orthogonal matrix, in scratch memory: 1 or -1. */
static double sign_of(const struct call *c, const void *x)
{
    const struct linalg_plan *p = c->plan;
    enum dtype dtype = c->out.dtype;
    double sign, log_size, det;
    memcpy(linalg_at(c, p->matrix), x, linalg_square(p->n) * dtype_size(dtype));
    lapack_lu(dtype, p->n, linalg_at(c, p->matrix), linalg_at(c, p->integers));
    determinant_of(p, dtype, linalg_at(c, p->matrix), linalg_at(c, p->integers), &sign, &log_size, &det);
    return sign;
}

/* With A = U diag(s) V^T: det(U) det(V) U diag(the product of all s but the one) V^T. */
static enum status by_svd(const struct call *c, int64_t at, const char *a, char *out)
{
    const struct linalg_plan *p = c->plan;
    enum dtype dtype = c->out.dtype;
    size_t n = (size_t)p->n, size = dtype_size(dtype);
    char *u = linalg_at(c, p->other), *vh = u + n * n * size, *s = vh + n * n * size;
    memcpy(linalg_at(c, p->matrix), a, n * n * size);
    if (lapack_svd(dtype, p->n, p->n, 0, linalg_at(c, p->matrix), u, s, vh, linalg_at(c, p->work), p->n_work,
                   linalg_at(c, p->integers)))
        return status_set(STATUS_NUMERIC, "tide.linalg.det: the gradient of matrix %lld was not found",
                          (long long)at + 1);
    double sign = sign_of(c, u) * sign_of(c, vh);
    for (size_t k = 0; k < n; k++) {
        double others = sign;
        for (size_t j = 0; j < n; j++) others *= j == k ? 1 : linalg_number(dtype, s, j);
        for (size_t i = 0; i < n; i++)
            linalg_set(dtype, u, i * n + k, others * linalg_number(dtype, u, i * n + k));
    }
    for (size_t i = 0; i < n * n; i++) {
        double sum = 0;
        for (size_t k = 0; k < n; k++)
            sum += linalg_number(dtype, u, i / n * n + k) * linalg_number(dtype, vh, k * n + i % n);
        linalg_set(dtype, out, i, sum);
    }
    return STATUS_OK;
}

static enum status run_cofactors(struct call *c)
{
    const struct linalg_plan *p = c->plan;
    size_t numbers = linalg_square(p->n);
    for (int64_t i = 0; i < p->count && numbers > 0 && !interrupt_stop(); i++) {
        const char *a = linalg_in(c, i, numbers);
        if (!by_inverse(c, a, linalg_out(c, i, numbers))) TRY(by_svd(c, i, a, linalg_out(c, i, numbers)));
    }
    return STATUS_OK;
}

enum status prepare_cofactors(struct call *c)
{
    struct linalg_plan *p;
    TRY(linalg_plan(c, &p));
    size_t size = dtype_size(c->out.dtype), n = (size_t)p->n;
    if (n > 0) {
        int inverse = lapack_work_inverse(c->out.dtype, p->n),
            svd = lapack_work_svd(c->out.dtype, p->n, p->n, 0);
        p->n_work = inverse > svd ? inverse : svd;
    }
    p->matrix = linalg_room(p, n * n * size);
    p->other = linalg_room(p, (2 * n * n + n) * size);
    p->work = linalg_room(p, (size_t)p->n_work * size);
    p->integers = linalg_room(p, 8 * n * sizeof(int));
    return linalg_prepared(c, run_cofactors);
}
