/* Means, deviations and what normalising needs on the way back, of one type, for loops.c; see paste.h. */

static double TYPED(deviations)(int64_t n, const void *xv, double mean)
{
    const T *x = xv;
    T m = (T)mean, lane[LANES] = {0};
    double sum = 0;
    int64_t i = 0;
    for (; i + LANES <= n; i += LANES)
        for (int j = 0; j < LANES; j++) lane[j] += (x[i + j] - m) * (x[i + j] - m);
    for (; i < n; i++) sum += (double)((x[i] - m) * (x[i] - m));
    for (int j = 0; j < LANES; j++) sum += (double)lane[j];
    return sum;
}

static void TYPED(normalise)(int64_t n, const void *xv, double mean, double scale, void *outv)
{
    const T *x = xv;
    T *out = outv, m = (T)mean, s = (T)scale;
    INDEPENDENT for (int64_t i = 0; i < n; i++) out[i] = (x[i] - m) * s;
}

static void TYPED(normalise_sums)(int64_t n, const void *xv, const void *gv, double mean, double sum[2])
{
    const T *x = xv, *g = gv;
    T m = (T)mean, plain[LANES] = {0}, product[LANES] = {0};
    int64_t i = 0;
    for (; i + LANES <= n; i += LANES)
        for (int j = 0; j < LANES; j++) {
            plain[j] += g[i + j];
            product[j] += g[i + j] * (x[i + j] - m);
        }
    for (; i < n; i++) {
        sum[0] += (double)g[i];
        sum[1] += (double)(g[i] * (x[i] - m));
    }
    for (int j = 0; j < LANES; j++) {
        sum[0] += (double)plain[j];
        sum[1] += (double)product[j];
    }
}

/* out = scale (g - a - (x - mean) b) */
static void TYPED(normalise_back)(int64_t n, const void *xv, const void *gv, double mean, double scale,
                                  const double ab[2], void *outv)
{
    const T *x = xv, *g = gv;
    T *out = outv, m = (T)mean, s = (T)scale, a = (T)ab[0], b = (T)ab[1];
    INDEPENDENT for (int64_t i = 0; i < n; i++) out[i] = s * (g[i] - a - (x[i] - m) * b);
}

#undef T
#undef SUFFIX
