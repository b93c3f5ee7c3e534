#include "kernels/matrix_exp.h"

#include <math.h>
#include <string.h>

#include "kernels/lapack.h"

/* The approximant r_m(a) = p(a) / p(-a) is good to double precision up to norms of `most`; p by powers. */
static const struct approximant {
    int degree;
    double most, p[14];
} approximants[] = {
    {3, 1.495585217958292e-2, {120, 60, 12, 1}},
    {5, 2.539398330063230e-1, {30240, 15120, 3360, 420, 30, 1}},
    {7, 9.504178996162932e-1, {17297280, 8648640, 1995840, 277200, 25200, 1512, 56, 1}},
    {9,
     2.097847961257068,
     {17643225600, 8821612800, 2075673600, 302702400, 30270240, 2162160, 110880, 3960, 90, 1}},
    {13,
     5.371920351148152,
     {64764752532480000, 32382376266240000, 7771770303897600, 1187353796428800, 129060195264000,
      10559470521600, 670442572800, 33522128640, 1323241920, 40840800, 960960, 16380, 182, 1}},
};
#define MOST_SCALING 1100 /* a norm of 2^1024 */

#define MOST_SCALING 1100 /* a norm of 2^1024 */
#define POWERS 4          /* of a^2 */

size_t matrix_exp_work(int n) { return (POWERS + 5) * (size_t)n * (size_t)n; }

static void product(int n, const double *a, const double *b, double *out)
{
    blas_product(FLOAT64, 0, 0, n, n, n, 1, a, n, b, n, 0, out, n);
}

/* to = sum p[2 j] power[j], the j from 1 on that there are coefficients for. */
static void combine(size_t size, int powers, const double *p, double *const *power, double *to)
{
    memset(to, 0, size * sizeof *to);
    for (int j = 1; j <= powers; j++)
        for (size_t i = 0; i < size; i++) to[i] += p[2 * j] * power[j - 1][i];
}

/* half = sum p[2 j] a^2j, j from 0 to powers (degree 13: 6, of which the upper three are taken together). */
static void half_of(int n, int degree, int powers, const double *p, double *const *power, double *half,
                    double *other)
{
    size_t size = (size_t)n * (size_t)n;
    combine(size, powers, p, power, half);
    for (int i = 0; i < n; i++) half[(size_t)i * (size_t)(n + 1)] += p[0];
    if (degree < 13) return;
    double *upper = power[POWERS - 1]; /* is free */
    combine(size, powers, p + 6, power, upper);
    product(n, power[2], upper, other);
    for (size_t i = 0; i < size; i++) half[i] += other[i];
}

/* x = (even + odd) (even - odd)^-1, which commute. By columns x is its transpose: the system is that of the
 * transpose. */
static void quotient(int n, double *even, const double *odd, double *x, int *pivot)
{
    size_t size = (size_t)n * (size_t)n;
    for (size_t i = 0; i < size; i++) {
        x[i] = even[i] + odd[i];
        even[i] -= odd[i];
    }
    lapack_lu(FLOAT64, n, even, pivot);
    lapack_lu_solve(FLOAT64, n, n, even, pivot, 1, x);
}

/* out = r(a), a scaled. work: POWERS + 3 matrices. */
static void approximate(int n, const struct approximant *r, const double *a, double *out, double *work,
                        int *pivot)
{
    size_t size = (size_t)n * (size_t)n;
    double *power[POWERS], *even = work + POWERS * size, *odd = even + size, *other = odd + size;
    int powers = r->degree == 13 ? 3 : (r->degree - 1) / 2;
    for (int i = 0; i < POWERS; i++) power[i] = work + (size_t)i * size;
    for (int i = 0; i < powers; i++) product(n, i == 0 ? a : power[0], i == 0 ? a : power[i - 1], power[i]);
    half_of(n, r->degree, powers, r->p, power, even, other);
    half_of(n, r->degree, powers, r->p + 1, power, other, odd);
    product(n, a, other, odd);
    quotient(n, even, odd, out, pivot);
}

void matrix_exp(int n, const double *a, double *out, double *work, int *pivot)
{
    size_t size = (size_t)n * (size_t)n;
    double norm = lapack_norm(FLOAT64, n, a), *scaled = work, *x = work + size;
    const struct approximant *r = approximants, *last = approximants + 4;
    int squarings = 0;
    if (!isfinite(norm)) {
        for (size_t i = 0; i < size; i++) out[i] = NAN;
        return;
    }
    while (r < last && norm > r->most) r++;
    if (norm > r->most) frexp(norm / r->most, &squarings);
    if (squarings > MOST_SCALING) squarings = MOST_SCALING;
    for (size_t i = 0; i < size; i++) scaled[i] = ldexp(a[i], -squarings);
    approximate(n, r, scaled, out, work + 2 * size, pivot);
    for (int i = 0; i < squarings; i++) {
        memcpy(x, out, size * sizeof *x);
        product(n, x, x, out);
    }
}
