/* Arithmetic of solver and optimiser of one type, for loops.c; see paste.h. FABS is its fabs. */

/* The same operations as below, one element after the other. */
static void TYPED(weighted_few)(int64_t n, const T *y, int count, const double *c, const void *const *k,
                                int64_t first, T *sum)
{
    for (int64_t i = 0; i < n; i++) {
        T total = y ? y[i] : 0;
        for (int j = 0; j < count; j++)
            if (c[j] != 0) total += (T)c[j] * ((const T *)k[j])[first + i];
        sum[i] = total;
    }
}

/* In blocks for the first-level cache, so that each operand is read once from memory. */
static void TYPED(weighted_sum)(int64_t n, const T *y, int count, const double *c, const void *const *k,
                                int64_t first, T *sum)
{
    if (n <= SOLVER_FEW_ELEMENTS) {
        TYPED(weighted_few)(n, y, count, c, k, first, sum);
        return;
    }
    if (y)
        for (int64_t i = 0; i < n; i++) sum[i] = y[i];
    else
        for (int64_t i = 0; i < n; i++) sum[i] = 0;
    for (int j = 0; j < count; j++) {
        const T *kj = (const T *)k[j] + first;
        T cj = (T)c[j];
        if (c[j] != 0)
            for (int64_t i = 0; i < n; i++) sum[i] += cj * kj[i];
    }
}

static void TYPED(combine)(int64_t n, const void *y, int count, const double *c, const void *const *k,
                           void *out)
{
    if (n <= SOLVER_FEW_ELEMENTS) {
        TYPED(weighted_few)(n, y, count, c, k, 0, out);
        return;
    }
    T sum[SOLVER_BLOCK_ELEMENTS];
    for (int64_t first = 0; first < n; first += SOLVER_BLOCK_ELEMENTS) {
        int64_t m = n - first < SOLVER_BLOCK_ELEMENTS ? n - first : SOLVER_BLOCK_ELEMENTS;
        TYPED(weighted_sum)(m, y ? (const T *)y + first : NULL, count, c, k, first, sum);
        for (int64_t i = 0; i < m; i++) ((T *)out)[first + i] = sum[i];
    }
}

/* n <= SOLVER_BLOCK_ELEMENTS. */
static void TYPED(weighted_each)(int64_t n, const double *h, int count, const double *c, const void *const *k,
                                 int64_t first, T *sum)
{
    for (int j = 0; j < count; j++) {
        const T *kj = (const T *)k[j] + first;
        double cj = c[j];
        if (cj != 0)
            for (int64_t i = 0; i < n; i++) sum[i] += (T)(h[first + i] * cj) * kj[i];
    }
}

static void TYPED(combine_each)(int64_t n, const void *y, const double *h, int count, const double *c,
                                const void *const *k, void *out)
{
    T sum[SOLVER_BLOCK_ELEMENTS];
    for (int64_t first = 0; first < n; first += SOLVER_BLOCK_ELEMENTS) {
        int64_t m = n - first < SOLVER_BLOCK_ELEMENTS ? n - first : SOLVER_BLOCK_ELEMENTS;
        for (int64_t i = 0; i < m; i++) sum[i] = ((const T *)y)[first + i];
        TYPED(weighted_each)(m, h, count, c, k, first, sum);
        for (int64_t i = 0; i < m; i++) ((T *)out)[first + i] = sum[i];
    }
}

static void TYPED(error_squares)(int64_t n, const double *h, int count, const double *c, const void *const *k,
                                 const void *y0v, const void *y1v, double rtol, double atol, double *square)
{
    T sum[SOLVER_BLOCK_ELEMENTS];
    for (int64_t first = 0; first < n; first += SOLVER_BLOCK_ELEMENTS) {
        int64_t m = n - first < SOLVER_BLOCK_ELEMENTS ? n - first : SOLVER_BLOCK_ELEMENTS;
        const T *y0 = (const T *)y0v + first, *y1 = (const T *)y1v + first;
        for (int64_t i = 0; i < m; i++) sum[i] = 0;
        TYPED(weighted_each)(m, h, count, c, k, first, sum);
        for (int64_t i = 0; i < m; i++) {
            T a = FABS(y0[i]), b = FABS(y1[i]);
            double e = (double)sum[i] / (atol + rtol * (double)(a > b ? a : b));
            square[first + i] = e * e;
        }
    }
}

static double TYPED(error_sum)(int64_t n, int count, const double *c, const void *const *k, const void *y0v,
                               const void *y1v, double rtol, double atol)
{
    T sum[SOLVER_BLOCK_ELEMENTS];
    double square[SOLVER_BLOCK_ELEMENTS], total = 0;
    for (int64_t first = 0; first < n; first += SOLVER_BLOCK_ELEMENTS) {
        int64_t m = n - first < SOLVER_BLOCK_ELEMENTS ? n - first : SOLVER_BLOCK_ELEMENTS;
        const T *y0 = (const T *)y0v + first, *y1 = (const T *)y1v + first;
        TYPED(weighted_sum)(m, NULL, count, c, k, first, sum);
        for (int64_t i = 0; i < m; i++) {
            T a = FABS(y0[i]), b = FABS(y1[i]);
            double e = (double)sum[i] / (atol + rtol * (double)(a > b ? a : b));
            square[i] = e * e;
        }
        total += sum_block_f64(m, square, 1);
    }
    return total;
}

static double TYPED(scaled_sum)(int64_t n, const void *xv, const void *yv, double rtol, double atol)
{
    const T *x = xv, *y = yv;
    double square[SOLVER_BLOCK_ELEMENTS], total = 0;
    for (int64_t first = 0; first < n; first += SOLVER_BLOCK_ELEMENTS) {
        int64_t m = n - first < SOLVER_BLOCK_ELEMENTS ? n - first : SOLVER_BLOCK_ELEMENTS;
        for (int64_t i = 0; i < m; i++) {
            double e = (double)x[first + i] / (atol + rtol * (double)FABS(y[first + i]));
            square[i] = e * e;
        }
        total += sum_block_f64(m, square, 1);
    }
    return total;
}

static void TYPED(adam)(int64_t n, void *pv, const void *gv, void *mv, void *vv, const struct adam_step *s)
{
    T *restrict p = pv, *restrict m = mv, *restrict v = vv;
    const T *restrict g = gv;
    T b1 = (T)s->beta1, b2 = (T)s->beta2, eps = (T)s->eps, decay = (T)s->weight_decay;
    T d1 = (T)(1 - s->beta1), d2 = (T)(1 - s->beta2); /* 1 - 0.999 loses four digits in float */
    T keep = (T)(1 - s->lr * s->decoupled_decay), rate = (T)(s->lr / s->correction1);
    T root = (T)(1 / sqrt(s->correction2));
    for (int64_t i = 0; i < n; i++) {
        T gi = g[i] + decay * p[i];
        m[i] = b1 * m[i] + d1 * gi;
        v[i] = b2 * v[i] + d2 * gi * gi;
        p[i] = keep * p[i] - rate * m[i] / ((T)sqrt((double)v[i]) * root + eps);
    }
}

#undef T
#undef SUFFIX
#undef FABS
