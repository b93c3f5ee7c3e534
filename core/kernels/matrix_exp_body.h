/* Exponentials of matrices of type T, by the table APPROXIMANTS, for matrix_exp.c; see paste.h. */
/* out = alpha a b + beta out */
static void TYPED(product)(int n, double alpha, const T *a, const T *b, double beta, T *out)
{
    if ((double)n * (double)n * (double)n < PRODUCT_PARALLEL_WORK)
        blas_product(DTYPE, 0, 0, n, n, n, alpha, a, n, b, n, beta, out, n);
    else /* by tiles: on all threads, and it can be stopped */
        gemm_parallel(DTYPE, 0, 0, n, n, n, alpha, a, n, b, n, beta, out, n);
}

/* to = sum p[2 j] a^2j, the j from 1 on that there are coefficients for; a is halved so many times. */
static void TYPED(combine)(int64_t size, int powers, int halvings, const double *p, T *const *power, T *to)
{
    const void *terms[POWERS];
    double c[POWERS];
    for (int j = 0; j < powers; j++) {
        terms[j] = power[j];
        c[j] = ldexp(p[2 * (j + 1)], -2 * (j + 1) * halvings);
    }
    loops->combine[DTYPE](size, NULL, powers, c, terms, to);
}

/* half = sum p[2 j] a^2j, j from 0 to powers (degree 13: 6, of which the upper three are taken together). */
static void TYPED(half_of)(int n, int degree, int powers, int halvings, const double *p, T *const *power,
                           T *half)
{
    int64_t size = (int64_t)n * n;
    TYPED(combine)(size, powers, halvings, p, power, half);
    for (int i = 0; i < n; i++) half[(size_t)i * (size_t)(n + 1)] += (T)p[0];
    if (degree < 13) return;
    T *upper = power[POWERS - 1]; /* is free */
    TYPED(combine)(size, powers, halvings, p + 6, power, upper);
    TYPED(product)(n, ldexp(1, -6 * halvings), power[2], upper, 1, half);
}

/* x = (even + odd) (even - odd)^-1, which commute. By columns x is its transpose: the system is that of the
 * transpose. */
static void TYPED(quotient)(int n, T *even, const T *odd, T *x, int *pivot)
{
    const double plus = 1, minus = -1;
    const void *term = odd;
    loops->combine[DTYPE]((int64_t)n * n, even, 1, &plus, &term, x);
    loops->combine[DTYPE]((int64_t)n * n, even, 1, &minus, &term, even);
    if (interrupt_stop()) return;
    lapack_lu(DTYPE, n, even, pivot);
    for (int i = 0, rows; i < n && !interrupt_stop(); i += rows) {
        rows = n - i < MATRIX_EXP_ROWS ? n - i : MATRIX_EXP_ROWS;
        lapack_lu_solve(DTYPE, n, rows, even, pivot, 1, x + (size_t)i * (size_t)n);
    }
}

/* sums = w |a|, w in double. */
static void TYPED(column_sums)(int n, const T *absolute, const double *w, T *sums)
{
    const void *rows[COLUMN_ROWS];
    for (int i = 0, count; i < n; i += count) {
        count = n - i < COLUMN_ROWS ? n - i : COLUMN_ROWS;
        for (int k = 0; k < count; k++) rows[k] = absolute + (size_t)(i + k) * (size_t)n;
        loops->combine[DTYPE](n, i == 0 ? NULL : sums, count, w + i, rows, sums);
    }
}

/* Digits (base 2) beyond rounding of c x^2m, c the first coefficient of e^x that r misses, x = 2^log_x. */
static double TYPED(digits_missed)(const struct approximant *r, double log_x)
{
    double m = r->degree, log_c = (2 * lgamma(m + 1) - lgamma(2 * m + 1) - lgamma(2 * m + 2)) / log(2);
    return log_c + 2 * m * log_x - log2(EPSILON / 2);
}

/* The largest sum of a column of w |a|; 1 / that many times it becomes w. sums: n numbers */
static double TYPED(largest_sum)(int n, const T *absolute, double *w, T *sums)
{
    double most = 0;
    TYPED(column_sums)(n, absolute, w, sums);
    for (int i = 0; i < n; i++) most = sums[i] > most ? (double)sums[i] : most;
    for (int i = 0; i < n && most > 0; i++) w[i] = (double)(sums[i] / (T)most);
    return most;
}

/* Squarings beyond those that the norms of powers ask for: the rounding of r(a) grows with the powers of |a|,
 * which may be larger than |powers of a|. That is so at worst: rounding errors add up as random numbers do,
 * by the 2-norms of columns, and where these ask for none, half as many are enough. a is yet to be halved so
 * many times. absolute: n^2 numbers, work: n numbers and then n in double. */
static int TYPED(more_squarings)(int n, const struct approximant *r, const T *a, int halvings, T *absolute,
                                 void *work)
{
    const int64_t all[] = {1, (int64_t)n * n}, dense[] = {0, 1};
    double *w = work, log_first = 0, log_power = 0, steps = 2 * r->degree;
    T *sums = (T *)(w + n);
    loops->unary[UNARY_ABS][DTYPE](all, a, dense, absolute);
    for (int i = 0; i < n; i++) w[i] = 1;
    for (int k = 0; k <= steps; k++) { /* sums of columns of |a|^k, their largest taken out */
        double most = TYPED(largest_sum)(n, absolute, w, sums);
        if (most == 0) return 0;
        log_power += log2(most) - halvings;
        if (k == 0) log_first = log_power;
    }
    double more = TYPED(digits_missed)(r, (log_power - log_first) / steps) / steps;
    if (more > 1 && n >= MATRIX_EXP_RANDOM) {
        loops->unary[UNARY_SQUARE][DTYPE](all, a, dense, absolute);
        for (int i = 0; i < n; i++) w[i] = 1;
        double longest = log2(TYPED(largest_sum)(n, absolute, w, sums)) / 2 - halvings;
        if (TYPED(digits_missed)(r, longest) <= 0) more /= 2;
    }
    return more > 0 ? (int)ceil(more) : 0;
}

/* Halvings of a after which r is good, by norms of its powers (a^2, a^4, a^6); -1: they are too large. */
static int TYPED(halvings_of)(int n, const struct approximant *r, const T *a, T *const *power, T *work)
{
    double fourth = pow(lapack_norm(DTYPE, n, power[1]), 1.0 / 4),
           sixth = pow(lapack_norm(DTYPE, n, power[2]), 1.0 / 6), most = fourth > sixth ? fourth : sixth;
    int halvings = 0;
    if (!isfinite(fourth) || !isfinite(sixth)) return -1;
    if (most > r->most) frexp(most / r->most, &halvings);
    return halvings + TYPED(more_squarings)(n, r, a, halvings, power[POWERS - 1], work);
}

static void TYPED(powers_of)(int n, int powers, const T *a, T *const *power)
{
    for (int i = 0; i < powers; i++)
        TYPED(product)(n, 1, i == 0 ? a : power[0], i == 0 ? a : power[i - 1], 0, power[i]);
}

static void TYPED(matrix_exp)(int n, const T *a, T *out, T *work, int *pivot)
{
    size_t size = (size_t)n * (size_t)n;
    double norm = lapack_norm(DTYPE, n, a);
    T *power[POWERS], *even = work + POWERS * size, *odd = even + size, *other = odd + size;
    const struct approximant *r = APPROXIMANTS;
    if (!isfinite(norm)) {
        for (size_t i = 0; i < size; i++) out[i] = (T)NAN;
        return;
    }
    while (!r->last && norm > r->most) r++;
    int powers = r->degree == 13 ? 3 : (r->degree - 1) / 2, halvings = 0, squarings = 0;
    for (int i = 0; i < POWERS; i++) power[i] = work + (size_t)i * size;
    TYPED(powers_of)(n, powers, a, power);
    if (r->last) squarings = halvings = TYPED(halvings_of)(n, r, a, power, even);
    if (squarings < 0) { /* of a that is halved before its powers are made */
        frexp(norm / r->most, &squarings);
        for (size_t i = 0; i < size; i++) out[i] = (T)ldexp((double)a[i], -squarings);
        TYPED(powers_of)(n, powers, out, power);
        a = out;
        halvings = 0;
    }
    TYPED(half_of)(n, r->degree, powers, halvings, r->p, power, even);
    TYPED(half_of)(n, r->degree, powers, halvings, r->p + 1, power, other);
    TYPED(product)(n, ldexp(1, -halvings), a, other, 0, odd);
    T *x = squarings % 2 ? other : out;
    TYPED(quotient)(n, even, odd, x, pivot);
    for (int i = 0; i < squarings; i++) {
        T *next = x == out ? other : out;
        TYPED(product)(n, 1, x, x, 0, next);
        x = next;
    }
}

#undef T
#undef SUFFIX
#undef DTYPE
#undef APPROXIMANTS
#undef EPSILON
