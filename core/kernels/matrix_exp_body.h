/* Exponentials of matrices of type T, by the table APPROXIMANTS, for matrix_exp.c; see paste.h. */
static void TYPED(product)(int n, const T *a, const T *b, T *out)
{
    if ((double)n * (double)n * (double)n < PRODUCT_PARALLEL_WORK)
        blas_product(DTYPE, 0, 0, n, n, n, 1, a, n, b, n, 0, out, n);
    else /* by tiles: on all threads, and it can be stopped */
        gemm_parallel(DTYPE, 0, 0, n, n, n, 1, a, n, b, n, 0, out, n);
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
    if (interrupt_stop()) return;
    lapack_lu(DTYPE, n, even, pivot);
    for (int i = 0, rows; i < n && !interrupt_stop(); i += rows) {
        rows = n - i < MATRIX_EXP_ROWS ? n - i : MATRIX_EXP_ROWS;
        lapack_lu_solve(DTYPE, n, rows, even, pivot, 1, x + (size_t)i * (size_t)n);
    }
}

/* sums = w |a| */
static void TYPED(column_sums)(int n, const T *restrict a, const T *restrict w, T *restrict sums)
{
    for (int j = 0; j < n; j++) sums[j] = 0;
    for (int i = 0; i < n; i++)
        for (int j = 0; j < n; j++) sums[j] += ABSOLUTE(a[(size_t)i * (size_t)n + (size_t)j]) * w[i];
}

/* Squarings beyond those that the norms of powers ask for: the rounding of r(a) grows with the powers of |a|,
 * which may be larger than |powers of a|. a is yet to be multiplied by scale. work: 2 n numbers. */
static int TYPED(more_squarings)(int n, const struct approximant *r, const T *a, double scale, T *work)
{
    T *w = work, *next = work + n;
    double norm = 0, log_power = 0;
    for (int i = 0; i < n; i++) w[i] = 1;
    for (int k = 0; k < 2 * r->degree + 1; k++) { /* sums of columns of |a|^k, their largest taken out */
        double most = 0;
        TYPED(column_sums)(n, a, w, next);
        for (int i = 0; i < n; i++) most = next[i] > most ? (double)next[i] : most;
        if (most == 0) return 0;
        for (int i = 0; i < n; i++) w[i] = next[i] / (T)most;
        if (k == 0) norm = most * scale;
        log_power += log2(most * scale);
    }
    double m = r->degree, log_c = (2 * lgamma(m + 1) - lgamma(2 * m + 1) - lgamma(2 * m + 2)) / log(2);
    double digits = log_c + log_power - log2(norm) - log2(EPSILON / 2);
    return digits > 0 ? (int)ceil(digits / (2 * m)) : 0;
}

/* Halvings of a after which r is good, by norms of its powers (a^2, a^4, a^6); -1: they are too large. */
static int TYPED(squarings_of)(int n, const struct approximant *r, const T *a, T *const *power, T *work)
{
    double fourth = pow(lapack_norm(DTYPE, n, power[1]), 1.0 / 4),
           sixth = pow(lapack_norm(DTYPE, n, power[2]), 1.0 / 6), most = fourth > sixth ? fourth : sixth;
    int squarings = 0;
    if (!isfinite(fourth) || !isfinite(sixth)) return -1;
    if (most > r->most) frexp(most / r->most, &squarings);
    return squarings + TYPED(more_squarings)(n, r, a, ldexp(1, -squarings), work);
}

static void TYPED(powers_of)(int n, int powers, const T *a, T *const *power)
{
    for (int i = 0; i < powers; i++)
        TYPED(product)(n, i == 0 ? a : power[0], i == 0 ? a : power[i - 1], power[i]);
}

/* a *= 2^-s, and its powers with it. */
static void TYPED(scale_all)(size_t size, int s, T *a, int powers, T *const *power)
{
    for (int j = -1; j < powers; j++) {
        T *x = j < 0 ? a : power[j], by = (T)ldexp(1, -s * (j < 0 ? 1 : 2 * (j + 1)));
        for (size_t i = 0; i < size; i++) x[i] *= by;
    }
}

/* a and its powers, after so many halvings; returns their number. */
static int TYPED(prepare)(int n, const struct approximant *r, int powers, double norm, T *a, T *const *power,
                          T *work)
{
    size_t size = (size_t)n * (size_t)n;
    TYPED(powers_of)(n, powers, a, power);
    int squarings = r->last ? TYPED(squarings_of)(n, r, a, power, work) : 0;
    if (squarings > 0) TYPED(scale_all)(size, squarings, a, powers, power);
    if (squarings >= 0) return squarings;
    frexp(norm / r->most, &squarings);
    TYPED(scale_all)(size, squarings, a, 0, power);
    TYPED(powers_of)(n, powers, a, power);
    return squarings;
}

static void TYPED(matrix_exp)(int n, const T *a, T *out, T *work, int *pivot)
{
    size_t size = (size_t)n * (size_t)n;
    double norm = lapack_norm(DTYPE, n, a);
    T *scaled = work, *power[POWERS], *even = work + (POWERS + 1) * size, *odd = even + size,
      *other = odd + size;
    const struct approximant *r = APPROXIMANTS;
    if (!isfinite(norm)) {
        for (size_t i = 0; i < size; i++) out[i] = (T)NAN;
        return;
    }
    while (!r->last && norm > r->most) r++;
    int powers = r->degree == 13 ? 3 : (r->degree - 1) / 2;
    for (int i = 0; i < POWERS; i++) power[i] = work + (size_t)(i + 1) * size;
    memcpy(scaled, a, size * sizeof *a);
    int squarings = TYPED(prepare)(n, r, powers, norm, scaled, power, even);
    TYPED(half_of)(n, r->degree, powers, r->p, power, even, other);
    TYPED(half_of)(n, r->degree, powers, r->p + 1, power, other, odd);
    TYPED(product)(n, scaled, other, odd);
    TYPED(quotient)(n, even, odd, out, pivot);
    for (int i = 0; i < squarings; i++) {
        memcpy(other, out, size * sizeof *other);
        TYPED(product)(n, other, other, out);
    }
}

#undef T
#undef SUFFIX
#undef DTYPE
#undef APPROXIMANTS
#undef EPSILON
#undef ABSOLUTE
