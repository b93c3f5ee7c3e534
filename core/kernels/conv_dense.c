#include "kernels/conv_dense.h"

#include <string.h>

#include "base/threads.h"
#include "base/tuning.h"
#include "kernels/bounded.h"
#include "kernels/loops.h"

static int64_t features_in(const struct conv *s) { return s->c * s->h * s->w; }
static int64_t features_out(const struct conv *s) { return s->o * s->oh * s->ow; }

int conv_dense_fits(const struct conv *s)
{
    return s->groups == 1 && s->oh * s->ow <= CONV_DENSE_MAX_PIXELS &&
           s->h * s->w <= 4 * CONV_DENSE_MAX_PIXELS && features_in(s) <= CONV_DENSE_MAX_FEATURES &&
           features_out(s) <= CONV_DENSE_MAX_FEATURES;
}

size_t conv_dense_scratch(const struct conv *s)
{
    return (size_t)(features_in(s) * features_out(s)) * dtype_size(s->dtype);
}

/* Visit every weight w[o][c][tap] with each entry (row = (c, pixel in), column = (o, pixel out)) of the
 * matrix that it is. */
#define FOR_EACH_ENTRY(BODY)                                                                                 \
    for (int64_t tap = 0; tap < s->kh * s->kw; tap++)                                                        \
        for (int64_t i = 0; i < s->oh; i++) {                                                                \
            int64_t y = i * s->sh - s->ph + tap / s->kw * s->dh;                                             \
            for (int64_t j = 0; j < s->ow && y >= 0 && y < s->h; j++) {                                      \
                int64_t x = j * s->sw - s->pw + tap % s->kw * s->dw;                                         \
                if (x < 0 || x >= s->w) continue;                                                            \
                for (int64_t o = 0; o < s->o; o++)                                                           \
                    for (int64_t c = 0; c < s->c; c++) {                                                     \
                        int64_t weight = (o * s->c + c) * s->kh * s->kw + tap,                               \
                                row = (c * s->h + y) * s->w + x;                                             \
                        int64_t column = (o * s->oh + i) * s->ow + j;                                        \
                        BODY;                                                                                \
                    }                                                                                        \
            }                                                                                                \
        }

void conv_dense_matrix(const struct conv *s, const void *w, int transpose, void *matrix)
{
    int64_t rs = transpose ? 1 : features_out(s), cs = transpose ? features_in(s) : 1;
    if (conv_dense_scratch(s) == 0) return; /* no pixels: there may be no memory */
    memset(matrix, 0, conv_dense_scratch(s));
    if (s->dtype == FLOAT32) {
        FOR_EACH_ENTRY(((float *)matrix)[row * rs + column * cs] = ((const float *)w)[weight])
    } else {
        FOR_EACH_ENTRY(((double *)matrix)[row * rs + column * cs] = ((const double *)w)[weight])
    }
}

void conv_dense_gather(const struct conv *s, const void *matrix, void *dw)
{
    int64_t n = features_out(s);
    memset(dw, 0, (size_t)(s->o * s->c * s->kh * s->kw) * dtype_size(s->dtype));
    if (s->dtype == FLOAT32) {
        FOR_EACH_ENTRY(((float *)dw)[weight] += ((const float *)matrix)[row * n + column])
    } else {
        FOR_EACH_ENTRY(((double *)dw)[weight] += ((const double *)matrix)[row * n + column])
    }
}

struct dense_job {
    const struct conv *s;
    const char *x, *matrix;
    char *out;
    int64_t from, to; /* features of a row of x and of out */
    int back;
};

static void rows_task(void *context, int64_t task)
{
    const struct dense_job *j = context;
    int64_t first = task * CONV_DENSE_TASK_ROWS,
            rows = j->s->n - first < CONV_DENSE_TASK_ROWS ? j->s->n - first : CONV_DENSE_TASK_ROWS;
    size_t size = dtype_size(j->s->dtype);
    loops->product[j->s->dtype](rows, j->to, j->from, j->x + (size_t)(first * j->from) * size, j->from, 1,
                                j->matrix, NULL, j->to, j->out + (size_t)(first * j->to) * size, j->to, 0);
    int64_t channels = j->back ? j->s->c : j->s->o, h = j->back ? j->s->h : j->s->oh,
            w = j->back ? j->s->w : j->s->ow;
    for (int64_t i = first; i < first + rows; i++) conv_finish_rows(j->s, j->out, i, channels, h, w, 0, h);
}

void conv_dense_run(const struct conv *s, enum conv_kind kind, const void *a, const void *b, void *out,
                    void *scratch)
{
    int64_t in = features_in(s), n_out = features_out(s);
    if (kind == CONV_WEIGHT_GRADIENT) {
        bounded_product(s->dtype, in, n_out, s->n, a, 1, in, b, NULL, n_out, scratch, n_out, 0);
        conv_dense_gather(s, scratch, out);
        return;
    }
    int back = kind == CONV_INPUT_GRADIENT;
    conv_dense_matrix(s, b, back, scratch);
    struct dense_job job = {s, a, scratch, out, back ? n_out : in, back ? in : n_out, back};
    threads_for((s->n + CONV_DENSE_TASK_ROWS - 1) / CONV_DENSE_TASK_ROWS, rows_task, &job);
}
