/* Factorisations of matrices, one flat result each where there are several: Lua slices it. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "autodiff/linalg.h"
#include "base/interrupt.h"
#include "kernels/lapack.h"
#include "kernels/matrix_exp.h"

enum status infer_eigh(struct call *c)
{
    TRY(linalg_check(c, 0, 1));
    int64_t n = c->in[0].shape[c->in[0].rank - 1];
    return linalg_batch_of(c, 2, (int64_t[]){n + 1, n});
}

enum status infer_eigvals(struct call *c)
{
    TRY(linalg_check(c, 0, 1));
    return linalg_batch_of(c, 2, (int64_t[]){c->in[0].shape[c->in[0].rank - 1], 2});
}

enum status infer_qr(struct call *c)
{
    TRY(linalg_check(c, 0, 0));
    int64_t m = c->in[0].shape[c->in[0].rank - 2], n = c->in[0].shape[c->in[0].rank - 1], k = m < n ? m : n;
    return linalg_batch_of(c, 1, (int64_t[]){(m + n) * k});
}

enum status infer_svd(struct call *c)
{
    TRY(linalg_check(c, 0, 0));
    int64_t m = c->in[0].shape[c->in[0].rank - 2], n = c->in[0].shape[c->in[0].rank - 1], k = m < n ? m : n;
    return linalg_batch_of(c, 1, (int64_t[]){V(0) ? m * m + k + n * n : m * k + k + k * n});
}

static enum status check_finite(const struct call *c, int64_t i, const void *a, size_t n)
{
    for (size_t j = 0; j < n; j++)
        if (!isfinite(linalg_number(c->in[0].dtype, a, j)))
            return status_set(STATUS_NUMERIC, "tide.linalg.%s: matrix %lld has an entry that is not finite",
                              linalg_name(c), (long long)i + 1);
    return STATUS_OK;
}

static enum status no_convergence(const struct call *c, int64_t i)
{
    return status_set(STATUS_NUMERIC, "tide.linalg.%s: no convergence for matrix %lld", linalg_name(c),
                      (long long)i + 1);
}

static enum status run_cholesky(struct call *c)
{
    const struct linalg_plan *p = c->plan;
    enum dtype dtype = c->out.dtype;
    size_t numbers = linalg_square(p->n), size = dtype_size(dtype);
    for (int64_t i = 0; i < p->count && numbers > 0 && !interrupt_stop(); i++) {
        char *out = linalg_out(c, i, numbers);
        memcpy(out, linalg_in(c, i, numbers), numbers * size);
        int minor = lapack_cholesky(dtype, p->n, out);
        if (minor)
            return status_set(
                STATUS_NUMERIC,
                "tide.linalg.cholesky: matrix %lld is not positive definite (its leading minor of order "
                "%d is not positive); it must be symmetric, and what is on its diagonal may be "
                "too small",
                (long long)i + 1, minor);
        for (int row = 0; row + 1 < p->n; row++)
            memset(out + ((size_t)row * (size_t)(p->n + 1) + 1) * size, 0, (size_t)(p->n - 1 - row) * size);
    }
    return STATUS_OK;
}

enum status prepare_cholesky(struct call *c)
{
    struct linalg_plan *p;
    TRY(linalg_plan(c, &p));
    return linalg_prepared(c, run_cholesky);
}

static enum status run_eigh(struct call *c)
{
    const struct linalg_plan *p = c->plan;
    enum dtype dtype = c->out.dtype;
    size_t numbers = linalg_square(p->n), size = dtype_size(dtype);
    for (int64_t i = 0; i < p->count && numbers > 0 && !interrupt_stop(); i++) {
        const char *a = linalg_in(c, i, numbers);
        char *values = linalg_out(c, i, numbers + (size_t)p->n), *vectors = values + (size_t)p->n * size;
        TRY(check_finite(c, i, a, numbers));
        memcpy(vectors, a, numbers * size);
        if (lapack_eigh(dtype, p->n, vectors, values, linalg_at(c, p->work), p->n_work,
                        linalg_at(c, p->integers), p->n_integers))
            return no_convergence(c, i);
    }
    return STATUS_OK;
}

enum status prepare_eigh(struct call *c)
{
    struct linalg_plan *p;
    TRY(linalg_plan(c, &p));
    if (p->n > 0) p->n_work = lapack_work_eigh(c->out.dtype, p->n, &p->n_integers);
    p->work = linalg_room(p, (size_t)p->n_work * dtype_size(c->out.dtype));
    p->integers = linalg_room(p, (size_t)p->n_integers * sizeof(int));
    return linalg_prepared(c, run_eigh);
}

static enum status run_qr(struct call *c)
{
    const struct linalg_plan *p = c->plan;
    enum dtype dtype = c->out.dtype;
    size_t numbers = (size_t)p->m * (size_t)p->n, q_numbers = (size_t)p->m * (size_t)p->k;
    for (int64_t i = 0; i < p->count && numbers > 0 && !interrupt_stop(); i++) {
        char *out = linalg_out(c, i, q_numbers + (size_t)p->n * (size_t)p->k),
             *columns = p->n > p->m ? linalg_at(c, p->matrix) : out;
        lapack_transpose(dtype, p->m, p->n, linalg_in(c, i, numbers), columns);
        lapack_qr(dtype, p->m, p->n, columns, out + q_numbers * dtype_size(dtype), linalg_at(c, p->other),
                  linalg_at(c, p->work), p->n_work);
        if (columns != out) memcpy(out, columns, q_numbers * dtype_size(dtype));
    }
    return STATUS_OK;
}

enum status prepare_qr(struct call *c)
{
    struct linalg_plan *p;
    TRY(linalg_plan(c, &p));
    size_t size = dtype_size(c->out.dtype);
    if (p->k > 0) p->n_work = lapack_work_qr(c->out.dtype, p->m, p->n);
    if (p->n > p->m) p->matrix = linalg_room(p, (size_t)p->m * (size_t)p->n * size);
    p->other = linalg_room(p, (size_t)p->k * size);
    p->work = linalg_room(p, (size_t)p->n_work * size);
    return linalg_prepared(c, run_qr);
}

static void identity(enum dtype dtype, int n, void *out)
{
    memset(out, 0, linalg_square(n) * dtype_size(dtype));
    for (int i = 0; i < n; i++) linalg_set(dtype, out, (size_t)i * (size_t)(n + 1), 1);
}

static enum status run_svd(struct call *c)
{
    const struct linalg_plan *p = c->plan;
    enum dtype dtype = c->out.dtype;
    size_t numbers = (size_t)p->m * (size_t)p->n, size = dtype_size(dtype);
    size_t u_numbers = (size_t)p->m * (size_t)(V(0) ? p->m : p->k),
           vh_numbers = (size_t)p->n * (size_t)(V(0) ? p->n : p->k);
    for (int64_t i = 0; i < p->count && !interrupt_stop(); i++) {
        char *u = linalg_out(c, i, u_numbers + (size_t)p->k + vh_numbers), *s = u + u_numbers * size,
             *vh = s + (size_t)p->k * size;
        if (numbers == 0) { /* every basis is one */
            if (u_numbers > 0) identity(dtype, p->m, u);
            if (vh_numbers > 0) identity(dtype, p->n, vh);
            continue;
        }
        TRY(check_finite(c, i, linalg_in(c, i, numbers), numbers));
        memcpy(linalg_at(c, p->matrix), linalg_in(c, i, numbers), numbers * size);
        if (lapack_svd(dtype, p->m, p->n, V(0) != 0, linalg_at(c, p->matrix), u, s, vh, linalg_at(c, p->work),
                       p->n_work, linalg_at(c, p->integers)))
            return no_convergence(c, i);
    }
    return STATUS_OK;
}

enum status prepare_svd(struct call *c)
{
    struct linalg_plan *p;
    TRY(linalg_plan(c, &p));
    size_t size = dtype_size(c->out.dtype);
    if (p->k > 0) p->n_work = lapack_work_svd(c->out.dtype, p->m, p->n, V(0) != 0);
    p->matrix = linalg_room(p, (size_t)p->m * (size_t)p->n * size);
    p->work = linalg_room(p, (size_t)p->n_work * size);
    p->integers = linalg_room(p, 8 * (size_t)p->k * sizeof(int));
    return linalg_prepared(c, run_svd);
}

/* ---- of any square matrix ---- */

static int by_parts(const void *a, const void *b)
{
    const double *x = a, *y = b;
    if (x[0] != y[0]) return x[0] < y[0] ? -1 : 1;
    return x[1] < y[1] ? -1 : x[1] > y[1];
}

static enum status run_eigvals(struct call *c)
{
    const struct linalg_plan *p = c->plan;
    enum dtype dtype = c->out.dtype;
    size_t n = (size_t)p->n, numbers = linalg_square(p->n);
    char *re = linalg_at(c, p->other), *im = re + n * dtype_size(dtype);
    double *sorted = linalg_at(c, p->integers);
    for (int64_t i = 0; i < p->count && numbers > 0 && !interrupt_stop(); i++) {
        TRY(check_finite(c, i, linalg_in(c, i, numbers), numbers));
        memcpy(linalg_at(c, p->matrix), linalg_in(c, i, numbers), numbers * dtype_size(dtype));
        if (lapack_eigenvalues(dtype, p->n, linalg_at(c, p->matrix), re, im, linalg_at(c, p->work),
                               p->n_work))
            return no_convergence(c, i);
        for (size_t j = 0; j < n; j++) {
            sorted[2 * j] = linalg_number(dtype, re, j);
            sorted[2 * j + 1] = linalg_number(dtype, im, j);
        }
        qsort(sorted, n, 2 * sizeof *sorted, by_parts);
        for (size_t j = 0; j < 2 * n; j++) linalg_set(dtype, linalg_out(c, i, 2 * n), j, sorted[j]);
    }
    return STATUS_OK;
}

enum status prepare_eigvals(struct call *c)
{
    struct linalg_plan *p;
    TRY(linalg_plan(c, &p));
    size_t n = (size_t)p->n, size = dtype_size(c->out.dtype);
    if (p->n > 0) p->n_work = lapack_work_eigenvalues(c->out.dtype, p->n);
    p->matrix = linalg_room(p, linalg_square(p->n) * size);
    p->other = linalg_room(p, 2 * n * size);
    p->integers = linalg_room(p, 2 * n * sizeof(double));
    p->work = linalg_room(p, (size_t)p->n_work * size);
    return linalg_prepared(c, run_eigvals);
}

static enum status run_matrix_exp(struct call *c)
{
    const struct linalg_plan *p = c->plan;
    size_t numbers = linalg_square(p->n);
    for (int64_t i = 0; i < p->count && numbers > 0 && !interrupt_stop(); i++)
        matrix_exp(c->out.dtype, p->n, linalg_in(c, i, numbers), linalg_out(c, i, numbers),
                   linalg_at(c, p->work), linalg_at(c, p->integers));
    return STATUS_OK;
}

enum status prepare_matrix_exp(struct call *c)
{
    struct linalg_plan *p;
    TRY(linalg_plan(c, &p));
    p->work = linalg_room(p, matrix_exp_work(p->n) * dtype_size(c->out.dtype));
    p->integers = linalg_room(p, (size_t)p->n * sizeof(int));
    return linalg_prepared(c, run_matrix_exp);
}
