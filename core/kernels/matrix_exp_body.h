/* Exponentials of matrices of type T, by the table APPROXIMANTS, for matrix_exp.c; see paste.h. */
static void TYPED(product)(int n, const T *a, const T *b, T *out)
{
    blas_product(DTYPE, 0, 0, n, n, n, 1, a, n, b, n, 0, out, n);
}

/* to = sum p[2 j] power[j], the j from 1 on that there are coefficients for. */
static void TYPED(combine)(size_t size, int powers, const double *p, T *const *power, T *to)
{
    memset(to, 0, size * sizeof *to);
    for (int j = 1; j <= powers; j++)
        for (size_t i = 0; i < size; i++) to[i] += (T)p[2 * j] * power[j - 1][i];
}

/* half = sum p[2 j] a^2j, j from 0 to powers (degree 13: 6, of which the upper three are taken together). */
static void TYPED(half_of)(int n, int degree, int powers, const double *p, T *const *power, T *half, T *other)
{
    size_t size = (size_t)n * (size_t)n;
    TYPED(combine)(size, powers, p, power, half);
    for (int i = 0; i < n; i++) half[(size_t)i * (size_t)(n + 1)] += (T)p[0];
    if (degree < 13) return;
    T *upper = power[POWERS - 1]; /* is free */
    TYPED(combine)(size, powers, p + 6, power, upper);
    TYPED(product)(n, power[2], upper, other);
    for (size_t i = 0; i < size; i++) half[i] += other[i];
}

/* x = (even + odd) (even - odd)^-1, which commute. By columns x is its transpose: the system is that of the
 * transpose. */
static void TYPED(quotient)(int n, T *even, const T *odd, T *x, int *pivot)
{
    size_t size = (size_t)n * (size_t)n;
    for (size_t i = 0; i < size; i++) {
        x[i] = even[i] + odd[i];
        even[i] -= odd[i];
    }
    lapack_lu(DTYPE, n, even, pivot);
    lapack_lu_solve(DTYPE, n, n, even, pivot, 1, x);
}

/* out = r(a), a scaled. work: POWERS + 3 matrices. */
static void TYPED(approximate)(int n, const struct approximant *r, const T *a, T *out, T *work, int *pivot)
{
    size_t size = (size_t)n * (size_t)n;
    T *power[POWERS], *even = work + POWERS * size, *odd = even + size, *other = odd + size;
    int powers = r->degree == 13 ? 3 : (r->degree - 1) / 2;
    for (int i = 0; i < POWERS; i++) power[i] = work + (size_t)i * size;
    for (int i = 0; i < powers; i++)
        TYPED(product)(n, i == 0 ? a : power[0], i == 0 ? a : power[i - 1], power[i]);
    TYPED(half_of)(n, r->degree, powers, r->p, power, even, other);
    TYPED(half_of)(n, r->degree, powers, r->p + 1, power, other, odd);
    TYPED(product)(n, a, other, odd);
    TYPED(quotient)(n, even, odd, out, pivot);
}

static void TYPED(matrix_exp)(int n, const T *a, T *out, T *work, int *pivot)
{
    size_t size = (size_t)n * (size_t)n;
    double norm = lapack_norm(DTYPE, n, a);
    T *scaled = work, *x = work + size;
    const struct approximant *r = APPROXIMANTS;
    int squarings = 0;
    if (!isfinite(norm)) {
        for (size_t i = 0; i < size; i++) out[i] = (T)NAN;
        return;
    }
    while (!r->last && norm > r->most) r++;
    if (norm > r->most) frexp(norm / r->most, &squarings);
    if (squarings > MOST_SCALING) squarings = MOST_SCALING;
    T scale = (T)ldexp(1, -squarings);
    for (size_t i = 0; i < size; i++) scaled[i] = scale * a[i];
    TYPED(approximate)(n, r, scaled, out, work + 2 * size, pivot);
    for (int i = 0; i < squarings; i++) {
        memcpy(x, out, size * sizeof *x);
        TYPED(product)(n, x, x, out);
    }
}

#undef T
#undef SUFFIX
#undef DTYPE
#undef APPROXIMANTS
