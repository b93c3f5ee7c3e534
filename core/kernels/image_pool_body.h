/* Windows over images of one type, for image_pool.c; see paste.h. Each task has some planes of its own. */

#define PLANES                                                                                               \
    const struct image_pool_job *job = context;                                                              \
    const struct image_pool *p = job->p;                                                                     \
    int64_t pixels = p->rows.n * p->columns.n, first = task * job->per_task,                                 \
            last = first + job->per_task < p->planes ? first + job->per_task : p->planes;                    \
    for (int64_t plane = first; plane < last && !interrupt_stop(); plane++)

/* The place of the largest number among the taps of a window, from 1. */
static int64_t TYPED(largest)(const struct image_pool *p, const T *x, int64_t row, int64_t column)
{
    const struct image_pool_axis *r = &p->rows, *c = &p->columns;
    int64_t best = 0;
    T value = -(T)INFINITY;
    for (int64_t a = 0; a < r->kernel; a++) {
        int64_t i = row * r->stride - r->pad + a * r->dilation;
        if (i < 0 || i >= r->n) continue;
        for (int64_t b = 0; b < c->kernel; b++) {
            int64_t j = column * c->stride - c->pad + b * c->dilation;
            if (j < 0 || j >= c->n) continue;
            T v = x[i * c->n + j];
            if (best && !(v > value) && v == v) continue;
            best = i * c->n + j + 1;
            value = v;
            if (v != v) return best;
        }
    }
    return best;
}

static void TYPED(positions)(void *context, int64_t task)
{
    PLANES
    {
        const T *x = (const T *)job->in + plane * pixels;
        int64_t *out = (int64_t *)job->out + plane * job->windows;
        for (int64_t i = 0; i < p->rows.out && !interrupt_stop(); i++)
            for (int64_t j = 0; j < p->columns.out; j++) *out++ = TYPED(largest)(p, x, i, j);
    }
}

static void TYPED(pick)(void *context, int64_t task)
{
    PLANES
    {
        const T *x = (const T *)job->in + plane * pixels;
        const int64_t *at = job->position + plane * job->windows;
        T *y = (T *)job->out + plane * job->windows;
        for (int64_t i = 0; i < job->windows; i++) y[i] = at[i] ? x[at[i] - 1] : -(T)INFINITY;
    }
}

static void TYPED(put)(void *context, int64_t task)
{
    PLANES
    {
        const T *y = (const T *)job->in + plane * job->windows;
        const int64_t *at = job->position + plane * job->windows;
        T *x = (T *)job->out + plane * pixels;
        for (int64_t i = 0; i < pixels; i++) x[i] = 0;
        for (int64_t i = 0; i < job->windows; i++)
            if (at[i]) x[at[i] - 1] += y[i];
    }
}

static void TYPED(average)(void *context, int64_t task)
{
    PLANES
    {
        const T *x = (const T *)job->in + plane * pixels;
        T *y = (T *)job->out + plane * job->windows;
        for (int64_t i = 0; i < p->rows.out && !interrupt_stop(); i++) {
            int64_t top, bottom, height = window(&p->rows, i, &top, &bottom);
            for (int64_t j = 0; j < p->columns.out; j++) {
                int64_t left, right, width = window(&p->columns, j, &left, &right);
                double sum = 0;
                for (int64_t a = top; a < bottom; a++)
                    for (int64_t b = left; b < right; b++) sum += (double)x[a * p->columns.n + b];
                int none = top >= bottom || left >= right;
                int64_t divisor = divisor_of(p, height * width, (bottom - top) * (right - left));
                *y++ = none ? 0 : (T)(sum / (double)divisor);
            }
        }
    }
}

static void TYPED(spread)(void *context, int64_t task)
{
    PLANES
    {
        const T *y = (const T *)job->in + plane * job->windows;
        T *x = (T *)job->out + plane * pixels;
        for (int64_t i = 0; i < pixels; i++) x[i] = 0;
        for (int64_t i = 0; i < p->rows.out && !interrupt_stop(); i++) {
            int64_t top, bottom, height = window(&p->rows, i, &top, &bottom);
            for (int64_t j = 0; j < p->columns.out; j++) {
                int64_t left, right, width = window(&p->columns, j, &left, &right);
                int64_t divisor = divisor_of(p, height * width, (bottom - top) * (right - left));
                T part = (T)((double)*y++ / (double)(divisor ? divisor : 1));
                for (int64_t a = top; a < bottom; a++)
                    for (int64_t b = left; b < right; b++) x[a * p->columns.n + b] += part;
            }
        }
    }
}

#undef PLANES
#undef T
#undef SUFFIX
