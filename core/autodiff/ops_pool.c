/* Rules of windows over images (kernels/image_pool.h). x: N,C,H,W. The largest number of each window is two
 * ops, where it is and what is there, so that both derivatives are moves of numbers. */
#include "autodiff/op_rules.h"
#include "base/memory.h"
#include "kernels/image_pool.h"

/* Attributes of a window. */
enum { KERNEL, STRIDE = 2, PAD = 4, DILATION = 6, CEIL = 8, ADAPTIVE, COUNTS_PADDING, DIVISOR, POOL_ATTRS };

/* What users call the op. */
static const char *called(const struct call *c)
{
    return c->op == &op_table[OP_POOL_POSITIONS] ? "max_pool" : c->op->name;
}

static enum status check_images(const struct call *c, int which, const char *what)
{
    char text[SHAPE_TEXT];
    const struct array *x = &c->in[which];
    if (x->rank == 4 && dtype_is_float(x->dtype)) return STATUS_OK;
    return status_set(STATUS_SHAPE, "%s: %s must be a float32 or float64 tensor of shape N,C,H,W, got %s %s",
                      called(c), what, dtype_name(x->dtype), array_shape_text(x, text));
}

static enum status check_numbers(const struct call *c)
{
    static const char *const names[] = {"the kernel", "stride", "padding", "dilation"};
    for (int i = 0; i < DIVISOR + 1; i++) {
        int64_t least = i < PAD || i == DILATION || i == DILATION + 1 ? 1 : 0;
        if (V(i) >= least && V(i) <= MAX_DIM) continue;
        if (i < CEIL)
            return status_set(STATUS_ARGUMENT, "%s: %s must be >= %lld and at most 2^31 - 1, got %lld",
                              called(c), names[i / 2], (long long)least, (long long)V(i));
        return status_set(STATUS_ARGUMENT, "%s: the divisor must be >= 1, got %lld", called(c),
                          (long long)V(i));
    }
    return STATUS_OK;
}

/* PyTorch's sizes: a window that would begin in the padding behind the image is left out. */
static enum status axis_of(const struct call *c, int which, int64_t n, struct image_pool_axis *a)
{
    *a = (struct image_pool_axis){.n = n,
                                  .kernel = V(KERNEL + which),
                                  .stride = V(STRIDE + which),
                                  .pad = V(PAD + which),
                                  .dilation = V(DILATION + which),
                                  .adaptive = (int)V(ADAPTIVE)};
    if (n == 0) return status_set(STATUS_SHAPE, "%s: the image is empty (axis %d)", called(c), which + 3);
    if (a->adaptive) {
        a->out = a->kernel;
        return STATUS_OK;
    }
    int64_t reach = a->dilation * (a->kernel - 1) + 1, rest = n + 2 * a->pad - reach;
    if (2 * a->pad > reach)
        return status_set(STATUS_ARGUMENT,
                          "%s: padding %lld is more than half of the kernel of %lld, so that a window could "
                          "lie beside the image",
                          called(c), (long long)a->pad, (long long)reach);
    int64_t more = V(CEIL) ? a->stride - 1 : 0; /* of a last window that lies only partly in the image */
    if (rest + more < 0)
        return status_set(STATUS_SHAPE, "%s: the kernel of %lld is larger than the padded image of %lld",
                          called(c), (long long)reach, (long long)(n + 2 * a->pad));
    a->out = (rest + more) / a->stride + 1;
    if (V(CEIL) && (a->out - 1) * a->stride >= n + a->pad) a->out--;
    return STATUS_OK;
}

/* Of images of h x w pixels. */
static enum status pool_of(const struct call *c, int64_t h, int64_t w, struct image_pool *p)
{
    const struct array *x = &c->in[0];
    TRY(check_images(c, 0, "x"));
    TRY(check_numbers(c));
    *p = (struct image_pool){.dtype = x->dtype,
                             .planes = x->shape[0] * x->shape[1],
                             .counts_padding = (int)V(COUNTS_PADDING),
                             .divisor = V(DIVISOR)};
    TRY(axis_of(c, 0, h, &p->rows));
    return axis_of(c, 1, w, &p->columns);
}

static enum status images(struct call *c, enum dtype dtype, int64_t h, int64_t w)
{
    return array_init(&c->out, dtype, 4, (int64_t[]){c->in[0].shape[0], c->in[0].shape[1], h, w});
}

static enum status infer_windows(struct call *c, int is_position)
{
    struct image_pool p;
    TRY(check_images(c, 0, "x"));
    TRY(pool_of(c, c->in[0].shape[2], c->in[0].shape[3], &p));
    return images(c, is_position ? INT64 : p.dtype, p.rows.out, p.columns.out);
}

enum status infer_pool_positions(struct call *c) { return infer_windows(c, 1); }
enum status infer_avg_pool(struct call *c) { return infer_windows(c, 0); }

enum status infer_avg_pool_grad(struct call *c)
{
    struct image_pool p;
    int64_t h = V(POOL_ATTRS), w = V(POOL_ATTRS + 1);
    if (h < 0 || w < 0 || h > MAX_DIM || w > MAX_DIM)
        return status_set(STATUS_SHAPE, "avg_pool_grad: %lld x %lld is no size", (long long)h, (long long)w);
    TRY(pool_of(c, h, w, &p));
    if (p.rows.out != c->in[0].shape[2] || p.columns.out != c->in[0].shape[3])
        return status_set(STATUS_SHAPE, "avg_pool_grad: the cotangent must have %lld x %lld numbers",
                          (long long)p.rows.out, (long long)p.columns.out);
    return images(c, p.dtype, h, w);
}

static enum status check_positions(const struct call *c)
{
    char a[SHAPE_TEXT], b[SHAPE_TEXT];
    const struct array *x = &c->in[0], *at = &c->in[1];
    TRY(check_images(c, 0, "x"));
    if (at->dtype == INT64 && at->rank == 4 && at->shape[0] == x->shape[0] && at->shape[1] == x->shape[1])
        return STATUS_OK;
    return status_set(STATUS_SHAPE, "%s: positions of shape %s (%s) do not belong to images of shape %s",
                      c->op->name, array_shape_text(at, a), dtype_name(at->dtype), array_shape_text(x, b));
}

enum status infer_pool_pick(struct call *c)
{
    TRY(check_positions(c));
    return images(c, c->in[0].dtype, c->in[1].shape[2], c->in[1].shape[3]);
}

enum status infer_pool_put(struct call *c)
{
    TRY(check_positions(c));
    if (V(0) < 0 || V(1) < 0 || V(0) > MAX_DIM || V(1) > MAX_DIM || c->in[0].shape[2] != c->in[1].shape[2] ||
        c->in[0].shape[3] != c->in[1].shape[3])
        return status_set(STATUS_SHAPE, "pool_put: there must be one number for each position");
    return images(c, c->in[0].dtype, V(0), V(1));
}

/* ---- running ---- */

static enum status run_positions(struct call *c)
{
    image_pool_positions(c->plan, c->in[0].data, c->out.data);
    return STATUS_OK;
}

static enum status run_average(struct call *c)
{
    image_pool_average(c->plan, c->in[0].data, c->out.data);
    return STATUS_OK;
}

static enum status run_spread(struct call *c)
{
    image_pool_spread(c->plan, c->in[0].data, c->out.data);
    return STATUS_OK;
}

static enum status prepare_windows(struct call *c, enum status (*run)(struct call *), int64_t h, int64_t w)
{
    if (!(c->plan = memory_alloc(sizeof(struct image_pool)))) return memory_status();
    c->run = run;
    return pool_of(c, h, w, c->plan);
}

enum status prepare_pool_positions(struct call *c)
{
    return prepare_windows(c, run_positions, c->in[0].shape[2], c->in[0].shape[3]);
}

enum status prepare_avg_pool(struct call *c)
{
    return prepare_windows(c, run_average, c->in[0].shape[2], c->in[0].shape[3]);
}

enum status prepare_avg_pool_grad(struct call *c)
{
    return prepare_windows(c, run_spread, V(POOL_ATTRS), V(POOL_ATTRS + 1));
}

/* Positions come from pool_positions, or from whoever calls the op by name. */
static enum status check_range(const struct call *c, int64_t pixels)
{
    const int64_t *at = c->in[1].data;
    int64_t n = array_numel(&c->in[1]);
    for (int64_t i = 0; i < n; i++)
        if (at[i] < 0 || at[i] > pixels)
            return status_set(STATUS_ARGUMENT, "%s: position %lld (entry %lld) lies outside 1..%lld",
                              c->op->name, (long long)at[i], (long long)i + 1, (long long)pixels);
    return STATUS_OK;
}

static struct image_pool planes_of(const struct call *c, int64_t h, int64_t w)
{
    return (struct image_pool){
        .dtype = c->out.dtype, .planes = c->out.shape[0] * c->out.shape[1], .rows.n = h, .columns.n = w};
}

static enum status run_pick(struct call *c)
{
    struct image_pool p = planes_of(c, c->in[0].shape[2], c->in[0].shape[3]);
    TRY(check_range(c, p.rows.n * p.columns.n));
    image_pool_pick(&p, c->out.shape[2] * c->out.shape[3], c->in[0].data, c->in[1].data, c->out.data);
    return STATUS_OK;
}

static enum status run_put(struct call *c)
{
    struct image_pool p = planes_of(c, V(0), V(1));
    TRY(check_range(c, p.rows.n * p.columns.n));
    image_pool_put(&p, c->in[0].shape[2] * c->in[0].shape[3], c->in[0].data, c->in[1].data, c->out.data);
    return STATUS_OK;
}

enum status prepare_pool_pick(struct call *c)
{
    c->run = run_pick;
    return STATUS_OK;
}

enum status prepare_pool_put(struct call *c)
{
    c->run = run_put;
    return STATUS_OK;
}

/* ---- derivatives ---- */

void vjp_pool_pick(struct vjp *v)
{
    const int64_t *x = tape_spec(v->tape, v->in[0])->shape;
    v->xbar[0] = tape_emit(v->tape, OP_POOL_PUT, &(struct attrs){.n = 2, .v = {x[2], x[3]}},
                           (int[]){v->ybar, v->in[1]}, 2);
}

void vjp_pool_put(struct vjp *v)
{
    v->xbar[0] = tape_emit(v->tape, OP_POOL_PICK, &(struct attrs){.n = 0}, (int[]){v->ybar, v->in[1]}, 2);
}

void vjp_avg_pool(struct vjp *v)
{
    struct attrs attrs = *v->attrs;
    const int64_t *x = tape_spec(v->tape, v->in[0])->shape;
    attrs.n = POOL_ATTRS + 2;
    attrs.v[POOL_ATTRS] = x[2];
    attrs.v[POOL_ATTRS + 1] = x[3];
    v->xbar[0] = tape_emit(v->tape, OP_AVG_POOL_GRAD, &attrs, &v->ybar, 1);
}

void vjp_avg_pool_grad(struct vjp *v)
{
    struct attrs attrs = *v->attrs;
    attrs.n = POOL_ATTRS;
    v->xbar[0] = tape_emit(v->tape, OP_AVG_POOL, &attrs, &v->ybar, 1);
}
