/* Means, deviations and what normalising needs on the way back, of one type, for loops.c; see paste.h. Sums
 * are those of LANES numbers side by side, in as many vectors. */

enum { TYPED(WIDTH) = VECTOR_BYTES / sizeof(T), TYPED(VECTORS) = LANES / TYPED(WIDTH) };
typedef T TYPED(lanes) __attribute__((vector_size(VECTOR_BYTES), aligned(sizeof(T)), may_alias));

static double TYPED(lanes_sum)(const TYPED(lanes) * lane)
{
    double sum = 0;
    for (int j = 0; j < LANES; j++) sum += (double)lane[j / TYPED(WIDTH)][j % TYPED(WIDTH)];
    return sum;
}

static double TYPED(deviations)(int64_t n, const void *xv, double mean)
{
    const T *x = xv;
    T m = (T)mean;
    TYPED(lanes) lane[TYPED(VECTORS)] = {0};
    double sum = 0;
    int64_t i = 0;
    for (; i + LANES <= n; i += LANES) UNROLLED for (int j = 0; j < TYPED(VECTORS); j++)
        {
            TYPED(lanes) d = *(const TYPED(lanes) *)(x + i + j * TYPED(WIDTH)) - m;
            lane[j] += d * d;
        }
    for (; i < n; i++) sum += (double)((x[i] - m) * (x[i] - m));
    return sum + TYPED(lanes_sum)(lane);
}

static void TYPED(normalise)(int64_t n, const void *xv, double mean, double scale, double bias, void *outv)
{
    const T *x = xv;
    T *out = outv, m = (T)mean, s = (T)scale, b = (T)bias;
    INDEPENDENT for (int64_t i = 0; i < n; i++) out[i] = (x[i] - m) * s + b;
}

static void TYPED(normalise_sums)(int64_t n, const void *xv, const void *gv, double mean, double sum[2])
{
    const T *x = xv, *g = gv;
    T m = (T)mean;
    TYPED(lanes) plain[TYPED(VECTORS)] = {0}, product[TYPED(VECTORS)] = {0};
    int64_t i = 0;
    for (; i + LANES <= n; i += LANES) UNROLLED for (int j = 0; j < TYPED(VECTORS); j++)
        {
            TYPED(lanes) one = *(const TYPED(lanes) *)(g + i + j * TYPED(WIDTH));
            plain[j] += one;
            product[j] += one * (*(const TYPED(lanes) *)(x + i + j * TYPED(WIDTH)) - m);
        }
    for (; i < n; i++) {
        sum[0] += (double)g[i];
        sum[1] += (double)(g[i] * (x[i] - m));
    }
    sum[0] += TYPED(lanes_sum)(plain);
    sum[1] += TYPED(lanes_sum)(product);
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
