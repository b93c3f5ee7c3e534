/* A = P L U with row pivots, and solving with it, of one type, for linear.c; see kernels/paste.h. */
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
