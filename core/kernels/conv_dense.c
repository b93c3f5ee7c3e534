#include "kernels/conv_dense.h"

#include <string.h>

#include "base/threads.h"
#include "base/tuning.h"
#include "kernels/blocks.h"
#include "kernels/bounded.h"
#include "kernels/conv_finish.h"
#include "kernels/loops.h"
#include "kernels/paste.h"

static int64_t features_in(const struct conv *s) { return s->c * s->h * s->w; }
static int64_t features_out(const struct conv *s) { return s->o * s->oh * s->ow; }

int conv_dense_fits(const struct conv *s)
{
    return s->groups == 1 && s->oh * s->ow <= CONV_DENSE_MAX_PIXELS &&
           s->h * s->w <= 4 * CONV_DENSE_MAX_PIXELS && features_in(s) <= CONV_DENSE_MAX_FEATURES &&
           features_out(s) <= CONV_DENSE_MAX_FEATURES;
}

/* The pixel of x that a tap connects with a pixel of the result; -1: none. */
static inline int64_t pixel_under(const struct conv *s, int64_t tap, int64_t pixel)
{
    int64_t y = pixel / s->ow * s->sh - s->ph + tap / s->kw * s->dh,
            x = pixel % s->ow * s->sw - s->pw + tap % s->kw * s->dw;
    return y >= 0 && y < s->h && x >= 0 && x < s->w ? y * s->w + x : -1;
}

#define T float
#define SUFFIX f32
#include "kernels/conv_dense_body.h"
#define T double
#define SUFFIX f64
#include "kernels/conv_dense_body.h"

static size_t matrix_bytes(const struct conv *s)
{
    return (size_t)(features_in(s) * features_out(s)) * dtype_size(s->dtype);
}

size_t conv_dense_scratch(const struct conv *s, enum conv_kind kind)
{
    (void)kind;
    return matrix_bytes(s);
}

void conv_dense_matrix(const struct conv *s, const void *w, int transpose, void *matrix)
{
    int64_t rows = transpose ? 1 : features_out(s), columns = transpose ? features_in(s) : 1;
    if (matrix_bytes(s) == 0) return; /* no pixels: there may be no memory */
    memset(matrix, 0, matrix_bytes(s));
    if (s->dtype == FLOAT32)
        spread_f32(s, w, rows, columns, matrix);
    else
        spread_f64(s, w, rows, columns, matrix);
}

void conv_dense_gather(const struct conv *s, const void *matrix, void *dw)
{
    memset(dw, 0, (size_t)(s->o * s->c * s->kh * s->kw) * dtype_size(s->dtype));
    if (s->dtype == FLOAT32)
        gather_f32(s, matrix, dw);
    else
        gather_f64(s, matrix, dw);
}

struct dense_job {
    const struct conv *s;
    const char *x, *matrix;
    char *out;
    int64_t from, to; /* features of a row of x and of out */
    struct conv_pass pass;
};

static void dense_task(void *context, int64_t task)
{
    const struct dense_job *j = context;
    int64_t first = task * CONV_DENSE_TASK_ROWS, left = j->s->n - first,
            rows = left < CONV_DENSE_TASK_ROWS ? left : CONV_DENSE_TASK_ROWS;
    size_t size = dtype_size(j->s->dtype);
    loops->product[j->s->dtype](rows, j->to, j->from, j->x + (size_t)(first * j->from) * size, j->from, 1,
                                j->matrix, NULL, j->to, j->out + (size_t)(first * j->to) * size, j->to, 0);
    for (int64_t i = first; i < first + rows; i++) conv_finish_rows(j->s, &j->pass, j->out, i, 0, j->pass.oh);
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
    struct dense_job job = {.s = s,
                            .x = a,
                            .matrix = scratch,
                            .out = out,
                            .from = back ? n_out : in,
                            .to = back ? in : n_out,
                            .pass = conv_pass_of(s, kind)};
    threads_for(blocks_of(s->n, CONV_DENSE_TASK_ROWS), dense_task, &job);
}
