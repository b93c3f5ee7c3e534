#include "kernels/eigen.h"

#include <limits.h>
#include <math.h>
#include <stdlib.h>

#include "base/interrupt.h"
#include "base/memory.h"
#include "kernels/blas.h"

static int by_parts(const void *a, const void *b)
{
    const double *x = a, *y = b;
    if (x[0] != y[0]) return x[0] < y[0] ? -1 : 1;
    return x[1] < y[1] ? -1 : x[1] > y[1];
}

/* work: BLAS_EIGEN_WORK n numbers and 2 n more */
static enum status of_one(int64_t k, int64_t n, double *a, double *work, double *out)
{
    double *re = work + BLAS_EIGEN_WORK * n, *im = re + n;
    for (int64_t i = 0; i < n * n; i++)
        if (!isfinite(a[i]))
            return status_set(STATUS_NUMERIC, "eigenvalues: matrix %lld has an entry that is not finite",
                              (long long)k + 1);
    if (!blas_eigenvalues(n, a, re, im, work))
        return status_set(STATUS_NUMERIC, "eigenvalues: no convergence for matrix %lld", (long long)k + 1);
    for (int64_t i = 0; i < n; i++) out[2 * i] = re[i], out[2 * i + 1] = im[i];
    qsort(out, (size_t)n, 2 * sizeof *out, by_parts);
    return STATUS_OK;
}

enum status eigenvalues(int64_t count, int64_t n, double *matrices, double *out)
{
    if (count == 0 || n == 0) return STATUS_OK;
    if (n > INT_MAX / BLAS_EIGEN_WORK)
        return status_set(STATUS_UNSUPPORTED, "eigenvalues: a matrix of order %lld is too large",
                          (long long)n);
    TRY(blas_open());
    double *work = memory_zalloc((size_t)(BLAS_EIGEN_WORK + 2) * (size_t)n, sizeof *work);
    if (!work) return memory_status();
    enum status status = STATUS_OK;
    for (int64_t k = 0; k < count && status == STATUS_OK && !interrupt_stop(); k++)
        status = of_one(k, n, matrices + k * n * n, work, out + 2 * k * n);
    memory_free(work);
    return status;
}
