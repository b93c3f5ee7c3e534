#include "kernels/conv.h"

#include "kernels/bounded.h"
#include "kernels/conv_bf16.h"
#include "kernels/conv_columns.h"
#include "kernels/conv_dense.h"
#include "kernels/conv_planes.h"
#include "kernels/conv_winograd.h"

/* A way to make a convolution and its gradients. */
struct conv_way {
    const char *name;
    int (*fits)(const struct conv *s); /* depends on shape, precision and processor only */
    size_t (*scratch)(const struct conv *s, enum conv_kind kind);
    void (*run)(const struct conv *s, enum conv_kind kind, const void *a, const void *b, void *out,
                void *scratch);
    enum status (*open)(const struct conv *s, enum conv_kind kind); /* NULL: it needs nothing */
};

/* The first that fits is taken; the last one always does. */
static const struct conv_way ways[] = {
    {"dense", conv_dense_fits, conv_dense_scratch, conv_dense_run, NULL},
    {"bf16", conv_bf16_fits, conv_bf16_scratch, conv_bf16_run, NULL},
    {"winograd", conv_winograd_fits, conv_winograd_scratch, conv_winograd_run, NULL},
    {"planes", conv_planes_fits, conv_planes_scratch, conv_planes_run, NULL},
    {"columns", conv_columns_fits, conv_columns_scratch, conv_columns_run, conv_columns_open},
};

static const struct conv_way *way_of(const struct conv *s)
{
    const struct conv_way *way = ways;
    while (!way->fits(s)) way++;
    return way;
}

static int is_empty(const struct conv *s) { return s->n == 0 || s->c == 0 || s->o == 0; }

static size_t result_bytes(const struct conv *s, enum conv_kind kind)
{
    int64_t numel = kind == CONV_FORWARD          ? s->n * s->o * s->oh * s->ow
                    : kind == CONV_INPUT_GRADIENT ? s->n * s->c * s->h * s->w
                                                  : s->o * (s->c / s->groups) * s->kh * s->kw;
    return (size_t)numel * dtype_size(s->dtype);
}

const char *conv_way(const struct conv *s) { return way_of(s)->name; }

enum status conv_open(const struct conv *s, enum conv_kind kind)
{
    const struct conv_way *way = way_of(s);
    return is_empty(s) || !way->open ? STATUS_OK : way->open(s, kind);
}

size_t conv_scratch(const struct conv *s, enum conv_kind kind)
{
    return is_empty(s) ? 0 : way_of(s)->scratch(s, kind);
}

void conv_run(const struct conv *s, enum conv_kind kind, const void *a, const void *b, void *out,
              void *scratch)
{
    if (is_empty(s))
        bounded_zero(out, result_bytes(s, kind));
    else
        way_of(s)->run(s, kind, a, b, out, scratch);
}
