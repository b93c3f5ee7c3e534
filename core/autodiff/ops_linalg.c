/* Linear algebra on LAPACK: systems. The last two axes are matrices, those before them a batch.
 * Factorisations are in ops_factors.c, determinants in ops_det.c, all derivatives in linalg_rules.c. */
#include <float.h>
#include <math.h>
#include <string.h>

#include "autodiff/linalg.h"
#include "base/interrupt.h"
#include "base/memory.h"
#include "kernels/bounded.h"
#include "kernels/elementwise.h"
#include "kernels/lapack.h"

/* ---- names ---- */

enum linalg_caller linalg_caller(const struct op *op, const struct attrs *attrs)
{
    int at = op == &op_table[OP_SOLVE] ? 2 : op == &op_table[OP_SVD] ? 1 : 0;
    int64_t caller = attrs && attrs->n > at ? attrs->v[at] : 0;
    return caller > 0 && caller <= LINALG_DET_SECOND ? (enum linalg_caller)caller : LINALG_ITSELF;
}

const char *linalg_name(const struct call *c)
{
    static const char *const names[] = {[LINALG_INV] = "inv",
                                        [LINALG_INVERSE] = "inverse",
                                        [LINALG_LSTSQ] = "lstsq",
                                        [LINALG_TRIANGULAR] = "solve_triangular",
                                        [LINALG_EIGVALSH] = "eigvalsh",
                                        [LINALG_SVDVALS] = "svdvals",
                                        [LINALG_LOGDET] = "logdet",
                                        [LINALG_SLOGDET_GRADIENT] = "slogdet: the gradient",
                                        [LINALG_LOGDET_GRADIENT] = "logdet: the gradient",
                                        [LINALG_QR_GRADIENT] = "qr: the gradient",
                                        [LINALG_LSTSQ_GRADIENT] = "lstsq: the gradient",
                                        [LINALG_DET_SECOND] = "det"};
    const char *name = names[linalg_caller(c->op, c->attrs)];
    return name ? name : c->op->name;
}

/* ---- shapes ---- */

enum status linalg_check(const struct call *c, int which, int square)
{
    const struct array *a = &c->in[which];
    char text[SHAPE_TEXT];
    int rank = a->rank;
    if (rank < 2 || (square && a->shape[rank - 1] != a->shape[rank - 2]))
        return status_set(
            STATUS_SHAPE, "tide.linalg.%s: expected a %smatrix or a batch of them, {..., %s}, got %s",
            linalg_name(c), square ? "square " : "", square ? "n, n" : "m, n", array_shape_text(a, text));
    if (a->shape[rank - 1] > LAPACK_MOST || a->shape[rank - 2] > LAPACK_MOST)
        return status_set(
            STATUS_UNSUPPORTED, "tide.linalg.%s: a matrix of %lld x %lld is too large; %d is the most",
            linalg_name(c), (long long)a->shape[rank - 2], (long long)a->shape[rank - 1], LAPACK_MOST);
    if (!dtype_is_float(a->dtype))
        return status_set(STATUS_DTYPE, "tide.linalg.%s: the matrix must be float32 or float64, got %s",
                          linalg_name(c), dtype_name(a->dtype));
    return STATUS_OK;
}

enum status infer_square(struct call *c)
{
    TRY(linalg_check(c, 0, 1));
    return array_init(&c->out, c->in[0].dtype, c->in[0].rank, c->in[0].shape);
}

/* The batch of the first operand, and axes of these sizes behind it. */
enum status linalg_batch_of(struct call *c, int rank, const int64_t *sizes)
{
    int64_t shape[MAX_RANK];
    int batch = c->in[0].rank - 2;
    memcpy(shape, c->in[0].shape, sizeof shape);
    for (int i = 0; i < rank; i++) shape[batch + i] = sizes[i];
    return array_init(&c->out, c->in[0].dtype, batch + rank, shape);
}

enum status infer_solve(struct call *c)
{
    const struct array *a = &c->in[0], *b = &c->in[1];
    char ta[SHAPE_TEXT], tb[SHAPE_TEXT];
    if (V(0) < 0 || V(0) > 1 || V(1) < 0 || V(1) > 2)
        return status_set(STATUS_ARGUMENT, "solve: transpose is 0 or 1, the structure 0, 1 or 2");
    TRY(linalg_check(c, 0, 1));
    TRY(linalg_check(c, 1, 0));
    if (a->dtype != b->dtype || a->shape[a->rank - 1] != b->shape[b->rank - 2])
        return status_set(STATUS_SHAPE,
                          "tide.linalg.%s: a matrix of shape %s does not fit a right-hand side of %s",
                          linalg_name(c), array_shape_text(a, ta), array_shape_text(b, tb));
    struct array batch_a = *a, batch_b = *b;
    int64_t shape[MAX_RANK];
    int rank;
    batch_a.rank -= 2;
    batch_b.rank -= 2;
    TRY(broadcast_shapes(&batch_a, &batch_b, &rank, shape));
    shape[rank] = b->shape[b->rank - 2];
    shape[rank + 1] = b->shape[b->rank - 1];
    return array_init(&c->out, a->dtype, rank + 2, shape);
}

/* ---- preparing ---- */

size_t linalg_room(struct linalg_plan *p, size_t bytes)
{
    size_t at = p->bytes;
    p->bytes += (bytes + 63) & ~(size_t)63;
    return at;
}

/* A plan of one operand; with its work space taken, prepared. */
enum status linalg_plan(struct call *c, struct linalg_plan **out)
{
    const struct array *a = &c->in[0];
    struct linalg_plan *p = c->plan = memory_zalloc(1, sizeof *p);
    if (!p) return memory_status();
    p->m = (int)a->shape[a->rank - 2];
    p->n = (int)a->shape[a->rank - 1];
    p->k = p->m < p->n ? p->m : p->n;
    p->count = 1;
    for (int i = 0; i < a->rank - 2; i++) p->count *= a->shape[i];
    *out = p;
    return lapack_open();
}

enum status linalg_prepared(struct call *c, enum status (*run)(struct call *c))
{
    c->scratch_bytes = ((struct linalg_plan *)c->plan)->bytes;
    c->run = run;
    return STATUS_OK;
}

void *linalg_at(const struct call *c, size_t offset) { return (char *)c->scratch + offset; }
const char *linalg_in(const struct call *c, int64_t i, size_t numbers)
{
    return (const char *)c->in[0].data + (size_t)i * numbers * dtype_size(c->in[0].dtype);
}
char *linalg_out(const struct call *c, int64_t i, size_t numbers)
{
    return (char *)c->out.data + (size_t)i * numbers * dtype_size(c->out.dtype);
}
size_t linalg_square(int n) { return (size_t)n * (size_t)n; }

double linalg_number(enum dtype dtype, const void *x, size_t i)
{
    return dtype == FLOAT32 ? (double)((const float *)x)[i] : ((const double *)x)[i];
}
void linalg_set(enum dtype dtype, void *x, size_t i, double value)
{
    if (dtype == FLOAT32)
        ((float *)x)[i] = (float)value;
    else
        ((double *)x)[i] = value;
}

/* ---- what cannot be done ---- */

double linalg_least_rcond(enum dtype dtype) { return dtype == FLOAT32 ? FLT_EPSILON / 2 : DBL_EPSILON / 2; }

static enum status singular(const struct call *c, int64_t i, double rcond)
{
    enum linalg_caller caller = linalg_caller(c->op, c->attrs);
    if (caller == LINALG_DET_SECOND)
        return status_set(STATUS_NUMERIC,
                          "tide.linalg.det: matrix %lld is singular, and there it has first derivatives only",
                          (long long)i + 1);
    return status_set(STATUS_NUMERIC,
                      "tide.linalg.%s: matrix %lld %s%s (1 / condition number: %.2g), so there is no unique "
                      "result; tide.linalg.svd shows which directions it loses",
                      linalg_name(c), (long long)i + 1,
                      caller == LINALG_LSTSQ ? "has not full rank" : "is singular",
                      rcond > 0 ? " to working precision" : "", rcond);
}

/* ---- systems ---- */

static size_t operand_offset(const struct linalg_plan *p, int which, int64_t i)
{
    int64_t offset = 0;
    for (int axis = p->batch_rank - 1; axis >= 0; axis--) {
        offset += i % p->batch_shape[axis] * p->batch_stride[which][axis];
        i /= p->batch_shape[axis];
    }
    return (size_t)offset;
}

static enum status factor(const struct call *c, const struct linalg_plan *p, int64_t i, const void *a)
{
    enum dtype dtype = c->out.dtype;
    void *lu = linalg_at(c, p->matrix);
    int *pivot = linalg_at(c, p->integers);
    double norm = lapack_norm(dtype, p->n, a);
    memcpy(lu, a, linalg_square(p->n) * dtype_size(dtype));
    int zero = lapack_lu(dtype, p->n, lu, pivot);
    if (!isfinite(norm)) return STATUS_OK; /* the result is not finite, either */
    double rcond = zero ? 0 : lapack_rcond(dtype, p->n, lu, norm, linalg_at(c, p->work), pivot + p->n);
    return rcond >= linalg_least_rcond(dtype) ? STATUS_OK : singular(c, i, rcond);
}

static enum status run_solve(struct call *c)
{
    const struct linalg_plan *p = c->plan;
    enum dtype dtype = c->out.dtype;
    size_t size = dtype_size(dtype), numbers = (size_t)p->n * (size_t)p->k;
    const char *factored = NULL;
    if (numbers == 0) return STATUS_OK;
    for (int64_t i = 0; i < p->count && !interrupt_stop(); i++) {
        const char *a = (const char *)c->in[0].data + operand_offset(p, 0, i) * size,
                   *b = (const char *)c->in[1].data + operand_offset(p, 1, i) * size;
        char *out = linalg_out(c, i, numbers), *x = p->k == 1 ? out : linalg_at(c, p->other);
        int zero = 0;
        lapack_transpose(dtype, p->n, p->k, b, x);
        if (V(1) != 0) {
            zero = lapack_triangle_solve(dtype, p->n, p->k, a, V(1) == 2, V(0) != 0, x);
        } else {
            if (a != factored) TRY(factor(c, p, i, a));
            factored = a;
            lapack_lu_solve(dtype, p->n, p->k, linalg_at(c, p->matrix), linalg_at(c, p->integers), V(0) != 0,
                            x);
        }
        if (zero) return singular(c, i, 0);
        if (x != out) lapack_transpose(dtype, p->k, p->n, x, out);
    }
    return STATUS_OK;
}

enum status prepare_solve(struct call *c)
{
    struct linalg_plan *p;
    TRY(linalg_plan(c, &p));
    size_t size = dtype_size(c->out.dtype);
    p->k = (int)c->out.shape[c->out.rank - 1];
    p->batch_rank = c->out.rank - 2;
    p->count = 1;
    for (int i = 0; i < p->batch_rank; i++) p->count *= p->batch_shape[i] = c->out.shape[i];
    for (int which = 0; which < 2; which++) {
        struct array batch = c->in[which], view;
        batch.rank -= 2;
        broadcast_view(&batch, p->batch_rank, p->batch_shape, &view);
        memcpy(p->batch_stride[which], view.stride, sizeof view.stride);
    }
    if (p->k > 1) p->other = linalg_room(p, (size_t)p->n * (size_t)p->k * size);
    if (V(1) == 0) {
        p->matrix = linalg_room(p, linalg_square(p->n) * size);
        p->work = linalg_room(p, 4 * (size_t)p->n * size);
        p->integers = linalg_room(p, 2 * (size_t)p->n * sizeof(int));
    }
    return linalg_prepared(c, run_solve);
}

static enum status run_inverse(struct call *c)
{
    const struct linalg_plan *p = c->plan;
    enum dtype dtype = c->out.dtype;
    size_t numbers = linalg_square(p->n);
    for (int64_t i = 0; i < p->count && numbers > 0 && !interrupt_stop(); i++) {
        const char *a = linalg_in(c, i, numbers);
        char *out = linalg_out(c, i, numbers);
        double norm = lapack_norm(dtype, p->n, a);
        memcpy(out, a, numbers * dtype_size(dtype));
        int zero = lapack_lu(dtype, p->n, out, linalg_at(c, p->integers));
        if (!zero)
            zero =
                lapack_inverse(dtype, p->n, out, linalg_at(c, p->integers), linalg_at(c, p->work), p->n_work);
        double rcond = zero ? 0 : 1 / (norm * lapack_norm(dtype, p->n, out));
        if (isfinite(norm) && !(rcond >= linalg_least_rcond(dtype)))
            return singular(c, i, isnan(rcond) ? 0 : rcond);
    }
    return STATUS_OK;
}

enum status prepare_inverse(struct call *c)
{
    struct linalg_plan *p;
    TRY(linalg_plan(c, &p));
    if (p->n > 0) p->n_work = lapack_work_inverse(c->out.dtype, p->n);
    p->work = linalg_room(p, (size_t)p->n_work * dtype_size(c->out.dtype));
    p->integers = linalg_room(p, (size_t)p->n * sizeof(int));
    return linalg_prepared(c, run_inverse);
}

/* ---- bands ---- */

enum status infer_band(struct call *c)
{
    TRY(infer_same(c));
    if (c->in[0].rank < 2)
        return status_set(STATUS_SHAPE, "band: expected a matrix or a batch of them, got %d axes",
                          c->in[0].rank);
    return STATUS_OK;
}

static enum status run_band(struct call *c)
{
    const struct array *a = &c->in[0];
    int64_t m = a->shape[a->rank - 2], n = a->shape[a->rank - 1], rows = n > 0 ? array_numel(a) / n : 0;
    size_t size = dtype_size(a->dtype);
    bounded_zero(c->out.data, array_bytes(&c->out));
    for (int64_t row = 0; row < rows && !interrupt_stop(); row++) {
        int64_t i = row % m, first = i + V(0), last = i + V(1) + 1;
        if (first < 0) first = 0;
        if (last > n) last = n;
        if (first < last)
            memcpy((char *)c->out.data + (size_t)(row * n + first) * size,
                   (const char *)a->data + (size_t)(row * n + first) * size, (size_t)(last - first) * size);
    }
    return STATUS_OK;
}

enum status prepare_band(struct call *c)
{
    c->run = run_band;
    return STATUS_OK;
}

/* ---- batches and work ---- */

int cut_matrices(const struct cut *c) { return c->in[0]->rank > 2; }
int cut_systems(const struct cut *c) { return c->out->rank > 2; }

/* Of its order: two thirds to a dozen cubes, by the factorisation. */
int64_t work_matrices(const struct call *c)
{
    return 2 * array_numel(&c->in[0]) * c->in[0].shape[c->in[0].rank - 1];
}
