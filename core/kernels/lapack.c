#include "kernels/lapack.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum routine { GETRF, GETRS, GETRI, GECON, TRTRS, POTRF, SYEVD, GEEV, GEQRF, ORGQR, GESDD, ROUTINES };
static const char *const names[] = {"getrf", "getrs", "getri", "gecon", "trtrs", "potrf",
                                    "syevd", "geev",  "geqrf", "orgqr", "gesdd"};

typedef void getrf_t(int *, int *, void *, int *, int *, int *);
typedef void getrs_t(char *, int *, int *, const void *, int *, const int *, void *, int *, int *, size_t);
typedef void getri_t(int *, void *, int *, const int *, void *, int *, int *);
typedef void gecon_t(char *, int *, const void *, int *, const void *, void *, void *, int *, int *, size_t);
typedef void trtrs_t(char *, char *, char *, int *, int *, const void *, int *, void *, int *, int *, size_t,
                     size_t, size_t);
typedef void potrf_t(char *, int *, void *, int *, int *, size_t);
typedef void syevd_t(char *, char *, int *, void *, int *, void *, void *, int *, int *, int *, int *, size_t,
                     size_t);
typedef void geev_t(char *, char *, int *, void *, int *, void *, void *, void *, int *, void *, int *,
                    void *, int *, int *, size_t, size_t);
typedef void geqrf_t(int *, int *, void *, int *, void *, void *, int *, int *);
typedef void orgqr_t(int *, int *, int *, void *, int *, const void *, void *, int *, int *);
typedef void gesdd_t(char *, int *, int *, void *, int *, void *, void *, int *, void *, int *, void *, int *,
                     int *, int *, size_t);

static void *routines[ROUTINES][2];
static unsigned found; /* for which opening of the library */

enum status lapack_open(void)
{
    TRY(blas_open());
    if (found == blas_openings()) return STATUS_OK;
    for (int i = 0; i < ROUTINES; i++)
        for (int dtype = 0; dtype < 2; dtype++) {
            char name[16];
            snprintf(name, sizeof name, "%c%s_", dtype == FLOAT32 ? 's' : 'd', names[i]);
            if (!(routines[i][dtype] = blas_symbol(name)))
                return status_set(
                    STATUS_UNSUPPORTED,
                    "this OpenBLAS lacks LAPACK's %s; install one with LAPACK, e.g. apt install "
                    "libopenblas0",
                    name);
        }
    found = blas_openings();
    return STATUS_OK;
}

#define ROUTINE(NAME, name) ((name##_t *)routines[NAME][dtype])

int lapack_lu(enum dtype dtype, int n, void *a, int *pivot)
{
    int info = 0, queue = blas_begin();
    ROUTINE(GETRF, getrf)(&n, &n, a, &n, pivot, &info);
    blas_end(queue);
    return info;
}

#define LANES 8 /* sums side by side, which a vector holds */

#define NORM(type)                                                                                           \
    static double norm_##type(int n, const type *a)                                                          \
    {                                                                                                        \
        double most = 0;                                                                                     \
        for (int i = 0; i < n && !isnan(most); i++, a += n) {                                                \
            double sum = 0, lane[LANES] = {0};                                                               \
            int j = 0;                                                                                       \
            for (; j + LANES <= n; j += LANES)                                                               \
                for (int k = 0; k < LANES; k++) lane[k] += fabs((double)a[j + k]);                           \
            for (; j < n; j++) sum += fabs((double)a[j]);                                                    \
            for (int k = 0; k < LANES; k++) sum += lane[k];                                                  \
            if (!(sum <= most)) most = sum; /* NaN stays */                                                  \
        }                                                                                                    \
        return most;                                                                                         \
    }
NORM(float)
NORM(double)

double lapack_norm(enum dtype dtype, int n, const void *a)
{
    return dtype == FLOAT32 ? norm_float(n, a) : norm_double(n, a);
}

double lapack_rcond(enum dtype dtype, int n, const void *lu, double norm, void *work, int *integers)
{
    char one = '1'; /* by columns, of the transpose */
    float norm32 = (float)norm, rcond32 = 0;
    double rcond64 = 0;
    int info = 0, single = dtype == FLOAT32, queue = blas_begin();
    ROUTINE(GECON, gecon)
    (&one, &n, lu, &n, single ? (void *)&norm32 : (void *)&norm, single ? (void *)&rcond32 : (void *)&rcond64,
     work, integers, &info, 1);
    blas_end(queue);
    return single ? (double)rcond32 : rcond64;
}

void lapack_lu_solve(enum dtype dtype, int n, int k, const void *lu, const int *pivot, int transpose, void *x)
{
    char op = transpose ? 'N' : 'T';
    int info = 0, queue = blas_begin();
    ROUTINE(GETRS, getrs)(&op, &n, &k, lu, &n, pivot, x, &n, &info, 1);
    blas_end(queue);
}

int lapack_triangle_solve(enum dtype dtype, int n, int k, const void *a, int upper, int transpose, void *x)
{
    char part = upper ? 'L' : 'U', op = transpose ? 'N' : 'T', unit = 'N';
    int info = 0, queue = blas_begin();
    ROUTINE(TRTRS, trtrs)(&part, &op, &unit, &n, &k, a, &n, x, &n, &info, 1, 1, 1);
    blas_end(queue);
    return info;
}

int lapack_inverse(enum dtype dtype, int n, void *lu, const int *pivot, void *work, int n_work)
{
    int info = 0, queue = blas_begin();
    ROUTINE(GETRI, getri)(&n, lu, &n, pivot, work, &n_work, &info);
    blas_end(queue);
    return info;
}

int lapack_cholesky(enum dtype dtype, int n, void *a)
{
    char part = 'U';
    int info = 0, queue = blas_begin();
    ROUTINE(POTRF, potrf)(&part, &n, a, &n, &info, 1);
    blas_end(queue);
    return info;
}

int lapack_eigh(enum dtype dtype, int n, void *a, void *values, void *work, int n_work, int *integers,
                int n_integers)
{
    char vectors = 'V', part = 'U';
    int info = 0, queue = blas_begin();
    ROUTINE(SYEVD, syevd)
    (&vectors, &part, &n, a, &n, values, work, &n_work, integers, &n_integers, &info, 1, 1);
    blas_end(queue);
    return info;
}

/* What the matrix and its transpose have alike. */
int lapack_eigenvalues(enum dtype dtype, int n, void *a, void *re, void *im, void *work, int n_work)
{
    char none = 'N';
    int one = 1, info = 0, queue = blas_begin();
    ROUTINE(GEEV, geev)
    (&none, &none, &n, a, &n, re, im, NULL, &one, NULL, &one, work, &n_work, &info, 1, 1);
    blas_end(queue);
    return info;
}

void lapack_qr(enum dtype dtype, int m, int n, void *a, void *r, void *tau, void *work, int n_work)
{
    int k = m < n ? m : n, info = 0, queue = blas_begin();
    size_t size = dtype_size(dtype);
    ROUTINE(GEQRF, geqrf)(&m, &n, a, &m, tau, work, &n_work, &info);
    memset(r, 0, (size_t)k * (size_t)n * size);
    for (int j = 0; j < n; j++)
        memcpy((char *)r + (size_t)j * (size_t)k * size, (char *)a + (size_t)j * (size_t)m * size,
               (size_t)(j < k ? j + 1 : k) * size);
    ROUTINE(ORGQR, orgqr)(&m, &k, &k, a, &m, tau, work, &n_work, &info);
    blas_end(queue);
}

int lapack_svd(enum dtype dtype, int m, int n, int full, void *a, void *u, void *s, void *vh, void *work,
               int n_work, int *integers)
{
    char job =
        full ? 'A' : 'S'; /* by columns A is n x m, its left vectors are Vh's rows, its right ones U's */
    int ld_u = full || m < n ? m : n, info = 0, queue = blas_begin();
    ROUTINE(GESDD, gesdd)(&job, &n, &m, a, &n, s, vh, &n, u, &ld_u, work, &n_work, integers, &info, 1);
    blas_end(queue);
    return info;
}

/* ---- how much work space: LAPACK is asked, with -1 ---- */

static int answered(enum dtype dtype, const double *answer)
{
    double n = dtype == FLOAT32 ? (double)*(const float *)answer : *answer;
    return n < 1 ? 1 : (int)ceil(n * (1 + 1e-6)); /* float32 may have rounded it down */
}

int lapack_work_inverse(enum dtype dtype, int n)
{
    double answer = 0;
    int ask = -1, info = 0;
    ROUTINE(GETRI, getri)(&n, NULL, &n, NULL, &answer, &ask, &info);
    return answered(dtype, &answer);
}

int lapack_work_eigh(enum dtype dtype, int n, int *n_integers)
{
    char vectors = 'V', part = 'U';
    double answer = 0;
    int ask = -1, info = 0;
    ROUTINE(SYEVD, syevd)
    (&vectors, &part, &n, NULL, &n, NULL, &answer, &ask, n_integers, &ask, &info, 1, 1);
    return answered(dtype, &answer);
}

int lapack_work_eigenvalues(enum dtype dtype, int n)
{
    char none = 'N';
    double answer = 0;
    int ask = -1, one = 1, info = 0;
    ROUTINE(GEEV, geev)
    (&none, &none, &n, NULL, &n, NULL, NULL, NULL, &one, NULL, &one, &answer, &ask, &info, 1, 1);
    return answered(dtype, &answer);
}

int lapack_work_qr(enum dtype dtype, int m, int n)
{
    double first = 0, second = 0;
    int ask = -1, info = 0, k = m < n ? m : n;
    ROUTINE(GEQRF, geqrf)(&m, &n, NULL, &m, NULL, &first, &ask, &info);
    ROUTINE(ORGQR, orgqr)(&m, &k, &k, NULL, &m, NULL, &second, &ask, &info);
    int a = answered(dtype, &first), b = answered(dtype, &second);
    return a > b ? a : b;
}

int lapack_work_svd(enum dtype dtype, int m, int n, int full)
{
    char job = full ? 'A' : 'S';
    double answer = 0;
    int ask = -1, info = 0, ld_u = full || m < n ? m : n;
    ROUTINE(GESDD, gesdd)
    (&job, &n, &m, NULL, &n, NULL, NULL, &n, NULL, &ld_u, &answer, &ask, NULL, &info, 1);
    return answered(dtype, &answer);
}

/* ---- transposes ---- */

#define TILE 16 /* rows and columns: both tiles stay in the first-level cache */

#define TRANSPOSE(type)                                                                                      \
    static void transpose_##type(int64_t rows, int64_t columns, const type *restrict from,                   \
                                 type *restrict to)                                                          \
    {                                                                                                        \
        for (int64_t i = 0; i < rows; i += TILE)                                                             \
            for (int64_t j = 0; j < columns; j += TILE)                                                      \
                for (int64_t r = i; r < rows && r < i + TILE; r++)                                           \
                    for (int64_t c = j; c < columns && c < j + TILE; c++)                                    \
                        to[c * rows + r] = from[r * columns + c];                                            \
    }
TRANSPOSE(float)
TRANSPOSE(double)

void lapack_transpose(enum dtype dtype, int64_t rows, int64_t columns, const void *from, void *to)
{
    if (rows == 1 || columns == 1)
        memcpy(to, from, (size_t)(rows * columns) * dtype_size(dtype));
    else if (dtype == FLOAT32)
        transpose_float(rows, columns, from, to);
    else
        transpose_double(rows, columns, from, to);
}
