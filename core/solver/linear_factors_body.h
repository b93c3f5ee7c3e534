/* The matrix of a system, A = P L U with row pivots, and solving with it, of one type, for linear.c; see
 * kernels/paste.h. */
static const T *TYPED(values)(const struct linear *l, int stage, int64_t block)
{
    return (const T *)l->values + (stage * l->blocks + block) * l->width * l->columns;
}

/* I - real J and I - (re + i im) J, see linear_split.h. */
static void TYPED(system_apart)(const struct linear *l, const struct factors *s, const T *jacobian, T *out)
{
    int64_t n = l->width - s->idle;
    T real = (T)s->split.real, re = (T)s->split.re, im = (T)s->split.im, *pairs = out;
    if (s->stages == 3) {
        for (int64_t r = 0; r < n; r++)
            for (int64_t c = 0; c < n; c++)
                out[r * n + c] = (T)(r == c) - real * jacobian[r * l->columns + c];
        pairs += n * n;
    }
    for (int64_t r = 0; r < n; r++)
        for (int64_t c = 0; c < n; c++) {
            T v = jacobian[r * l->columns + c], *pair = pairs + 2 * (r * n + c);
            pair[0] = (T)(r == c) - re * v;
            pair[1] = -im * v;
        }
}

/* The stages of a block in the basis of split, to and from l->gathered. */
static void TYPED(to_basis)(const struct linear *l, const struct factors *s, T *const *x)
{
    int64_t n = l->width - s->idle;
    int first = 3 - s->stages;
    T *real = (T *)l->gathered, *pairs = real + (first ? 0 : n);
    for (int64_t r = 0; r < n; r++) {
        double c[3] = {0};
        for (int i = 0; i < 3; i++)
            for (int j = first; j < 3; j++) c[i] += s->split.inverse[i][j] * (double)x[j - first][r];
        if (!first) real[r] = (T)c[0];
        pairs[2 * r] = (T)c[1];
        pairs[2 * r + 1] = (T)-c[2];
    }
}

static void TYPED(from_basis)(const struct linear *l, const struct factors *s, T *const *x)
{
    int64_t n = l->width - s->idle;
    int first = 3 - s->stages;
    const T *real = (const T *)l->gathered, *pairs = real + (first ? 0 : n);
    for (int64_t r = 0; r < n; r++) {
        double z[3] = {first ? 0 : (double)real[r], (double)pairs[2 * r], -(double)pairs[2 * r + 1]};
        for (int i = first; i < 3; i++) {
            const double *row = s->split.basis[i];
            x[i - first][r] = (T)(row[0] * z[0] + row[1] * z[1] + row[2] * z[2]);
        }
    }
}

/* Of the unknowns that others depend on; behind it the rows of the Jacobian for those that follow from them,
 * transposed. */
static void TYPED(system)(const struct linear *l, const struct factors *s, int64_t block, T *out)
{
    int64_t lead = l->width - s->idle, order = lead * s->stages, columns = l->columns;
    T *below = out + order * order;
    if (s->apart) TYPED(system_apart)(l, s, TYPED(values)(l, 0, block), out);
    for (int i = 0; i < s->stages; i++) {
        const T *jacobian = TYPED(values)(l, s->own ? i : 0, block);
        for (int j = 0; j < s->stages && !s->apart; j++) {
            T a = (T)-s->A[i * s->stages + j];
            T *corner = out + (int64_t)i * lead * order + j * lead;
            for (int64_t r = 0; r < lead; r++)
                for (int64_t c = 0; c < lead; c++) corner[r * order + c] = a * jacobian[r * columns + c];
        }
        for (int64_t c = 0; c < lead && (i == 0 || s->own); c++)
            for (int64_t r = lead; r < l->width; r++) *below++ = jacobian[r * columns + c];
    }
    for (int64_t r = 0; r < order && !s->apart; r++) out[r * order + r] = (T)(1 + (double)out[r * order + r]);
}

/* So many of the last unknowns nothing depends on. */
static int64_t TYPED(idle)(const struct linear *l, const struct factors *s)
{
    int64_t columns = l->columns;
    for (int64_t c = columns - 1; c > 0; c--)
        for (int i = 0; i < (s->own ? s->stages : 1); i++)
            for (int64_t b = 0; b < l->blocks; b++)
                for (int64_t r = 0; r < l->width; r++)
                    if (TYPED(values)(l, i, b)[r * columns + c] != 0) return l->width - 1 - c;
    return l->width - 1;
}

/* sum[r] = J_r x of the unknowns that follow. */
static void TYPED(rows_times)(int64_t idle, int64_t lead, const T *restrict rows, const T *restrict x,
                              T *restrict sum)
{
    for (int64_t r = 0; r < idle; r++) sum[r] = 0;
    for (int64_t c = 0; c < lead; c++)
        for (int64_t r = 0; r < idle; r++) sum[r] += rows[c * idle + r] * x[c];
}

/* Those unknowns of a block, from the others, which are solved for; transposed: their part in the right-hand
 * sides of the others. */
static void TYPED(follow)(const struct linear *l, const struct factors *s, const T *matrix, int transpose,
                          T *const *x)
{
    int64_t idle = s->idle, lead = l->width - idle, order = lead * s->stages;
    const T *rows = matrix + order * order;
    T *sum = (T *)l->sums;
    for (int j = 0; j < s->stages && !transpose; j++)
        for (int i = 0; i < s->stages; i++) {
            T a = (T)s->A[i * s->stages + j], *out = x[i] + lead;
            if (i == 0 || s->own)
                TYPED(rows_times)(idle, lead, rows + (s->own ? i : 0) * idle * lead, x[j], sum);
            for (int64_t r = 0; r < idle; r++) out[r] += a * sum[r];
        }
    for (int i = 0; i < s->stages && transpose; i++)
        for (int j = 0; j < s->stages; j++) {
            T a = (T)s->A[i * s->stages + j], *out = x[j];
            const T *own = rows + (s->own ? i : 0) * idle * lead;
            for (int64_t c = 0; c < lead; c++)
                for (int64_t r = 0; r < idle; r++) out[c] += a * x[i][lead + r] * own[c * idle + r];
        }
}

/* out = J v of stage 0. */
static void TYPED(product)(const struct linear *l, const T *v, T *out)
{
    for (int64_t i = 0; i < l->n; i++) {
        const T *row = (const T *)l->values + i * l->columns, *x = v + i / l->width * l->width;
        double sum = 0;
        for (int64_t c = 0; c < l->columns; c++) sum += (double)row[c] * (double)x[c];
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
