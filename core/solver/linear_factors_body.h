/* The matrix of a system, A = P L U with row pivots, and solving with it, of one type, for linear.c; see
 * kernels/paste.h. */
static void TYPED(system)(const struct linear *l, const struct factors *s, int64_t block, T *out)
{
    int64_t width = l->width, order = width * s->stages;
    for (int i = 0; i < s->stages; i++)
        for (int j = 0; j < s->stages; j++) {
            const T *jacobian = (const T *)l->values + ((s->own ? i : 0) * l->blocks + block) * width * width;
            T a = (T)-s->A[i * s->stages + j];
            T *corner = out + (int64_t)i * width * order + j * width;
            for (int64_t r = 0; r < width; r++)
                for (int64_t c = 0; c < width; c++) corner[r * order + c] = a * jacobian[r * width + c];
        }
    for (int64_t r = 0; r < order; r++) out[r * order + r] = (T)(1 + (double)out[r * order + r]);
}

/* out = J v of stage 0. */
static void TYPED(product)(const struct linear *l, const T *v, T *out)
{
    for (int64_t i = 0; i < l->n; i++) {
        const T *row = (const T *)l->values + i * l->width, *x = v + i / l->width * l->width;
        double sum = 0;
        for (int64_t c = 0; c < l->width; c++) sum += (double)row[c] * (double)x[c];
        out[i] = (T)sum;
    }
}

static int TYPED(factor)(int64_t n, T *a, int *pivot)
{
    for (int64_t p = 0; p < n; p++) {
        int64_t best = p;
        for (int64_t i = p + 1; i < n; i++)
            if (fabs((double)a[i * n + p]) > fabs((double)a[best * n + p])) best = i;
        pivot[p] = (int)best;
        if (a[best * n + p] == 0 || a[best * n + p] != a[best * n + p]) return 0;
        for (int64_t j = 0; j < n && best != p; j++) {
            T swap = a[p * n + j];
            a[p * n + j] = a[best * n + j];
            a[best * n + j] = swap;
        }
        for (int64_t i = p + 1; i < n; i++) {
            T factor = a[i * n + p] /= a[p * n + p];
            for (int64_t j = p + 1; j < n; j++) a[i * n + j] -= factor * a[p * n + j];
        }
    }
    return 1;
}

static void TYPED(swap)(T *x, int64_t i, int64_t j)
{
    T swap = x[i];
    x[i] = x[j];
    x[j] = swap;
}

static void TYPED(solve)(int64_t n, const T *a, const int *pivot, int transpose, T *x)
{
    for (int64_t p = 0; p < n && !transpose; p++) {
        TYPED(swap)(x, p, pivot[p]);
        for (int64_t j = 0; j < p; j++) x[p] -= a[p * n + j] * x[j];
    }
    for (int64_t p = n - 1; p >= 0 && !transpose; p--) {
        for (int64_t j = p + 1; j < n; j++) x[p] -= a[p * n + j] * x[j];
        x[p] /= a[p * n + p];
    }
    for (int64_t p = 0; p < n && transpose; p++) {
        for (int64_t j = 0; j < p; j++) x[p] -= a[j * n + p] * x[j];
        x[p] /= a[p * n + p];
    }
    for (int64_t p = n - 1; p >= 0 && transpose; p--)
        for (int64_t j = p + 1; j < n; j++) x[p] -= a[j * n + p] * x[j];
    for (int64_t p = n - 1; p >= 0 && transpose; p--) TYPED(swap)(x, p, pivot[p]);
}

#undef T
#undef SUFFIX
