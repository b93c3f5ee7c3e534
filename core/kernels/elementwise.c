#include "kernels/elementwise.h"

#include <string.h>

#include "base/interrupt.h"
#include "base/threads.h"
#include "base/tuning.h"
#include "kernels/bounded.h"

enum status broadcast_shapes(const struct array *a, const struct array *b, int *rank, int64_t shape[MAX_RANK])
{
    *rank = a->rank > b->rank ? a->rank : b->rank;
    for (int i = 0; i < *rank; i++) {
        int ia = i - (*rank - a->rank), ib = i - (*rank - b->rank);
        int64_t na = ia < 0 ? 1 : a->shape[ia], nb = ib < 0 ? 1 : b->shape[ib];
        if (na != nb && na != 1 && nb != 1) {
            char ta[SHAPE_TEXT], tb[SHAPE_TEXT];
            return status_set(
                STATUS_SHAPE,
                "shapes %s and %s cannot be broadcast together: axis %d has sizes %lld and %lld",
                array_shape_text(a, ta), array_shape_text(b, tb), i - *rank, (long long)na, (long long)nb);
        }
        shape[i] = na == 1 ? nb : na;
    }
    return STATUS_OK;
}

void broadcast_view(const struct array *a, int rank, const int64_t *shape, struct array *view)
{
    struct array v = {.dtype = a->dtype, .rank = rank, .data = a->data};
    for (int i = 0; i < rank; i++) {
        int ia = i - (rank - a->rank);
        v.shape[i] = shape[i];
        v.stride[i] = ia < 0 || a->shape[ia] == 1 ? 0 : a->stride[ia];
    }
    *view = v;
}

void loop_plan(struct loop_plan *plan, const struct array *out, const struct array *const *in, int n_in)
{
    struct array view[2];
    memset(plan, 0, sizeof *plan);
    plan->out_size = dtype_size(out->dtype);
    plan->numel = array_numel(out);
    for (int p = 0; p < n_in; p++) {
        broadcast_view(in[p], out->rank, out->shape, &view[p]);
        plan->in_size[p] = dtype_size(in[p]->dtype);
    }
    /* Axes from the innermost outwards, stored reversed at first; an axis that continues the previous one is
     * merged into it. */
    int n = 0;
    int64_t size[MAX_RANK + 1], stride[2][MAX_RANK + 1] = {{0}};
    for (int axis = out->rank - 1; axis >= 0; axis--) {
        if (out->shape[axis] == 1) continue;
        int merge = n > 0;
        for (int p = 0; p < n_in && merge; p++)
            merge = view[p].stride[axis] == stride[p][n - 1] * size[n - 1];
        if (merge) {
            size[n - 1] *= out->shape[axis];
            continue;
        }
        size[n] = out->shape[axis];
        for (int p = 0; p < n_in; p++) stride[p][n] = view[p].stride[axis];
        n++;
    }
    if (n == 0) { /* a single element: unit stride lets the vector path take it */
        size[0] = 1;
        stride[0][0] = stride[1][0] = 1;
        n = 1;
    }
    for (; n < 2; n++) {
        size[n] = 1;
        stride[0][n] = stride[1][n] = 0;
    }
    plan->rank = n;
    for (int i = 0; i < n; i++) {
        plan->size[i] = size[n - 1 - i];
        for (int p = 0; p < n_in; p++) plan->stride[p][i] = stride[p][n - 1 - i];
    }
    plan->at_once = n == 2 && plan->numel > 0 && plan->numel <= ELEMENTWISE_AT_ONCE;
}

/* One run of a plan: the operands with their loop. */
struct loop_job {
    const struct loop_plan *plan;
    unary_loop unary;
    binary_loop binary;
    const char *in[2];
    char *out;
    int64_t outer_per_task;
};

/* At once: the rectangle [row, row + rows) x [column, column + columns) of the two innermost axes at outer
 * position `outer`. */
static void run_piece(const struct loop_job *job, int64_t outer, int64_t row, int64_t rows, int64_t column,
                      int64_t columns)
{
    const struct loop_plan *p = job->plan;
    int last = p->rank - 1;
    int64_t offset[2] = {0, 0}, rest = outer;
    for (int axis = last - 2; axis >= 0; axis--) {
        int64_t i = rest % p->size[axis];
        rest /= p->size[axis];
        offset[0] += i * p->stride[0][axis];
        offset[1] += i * p->stride[1][axis];
    }
    const char *in[2];
    int64_t n[2] = {rows, columns}, s[2][2];
    for (int k = 0; k < 2; k++) {
        s[k][0] = p->stride[k][last - 1];
        s[k][1] = p->stride[k][last];
        in[k] = job->in[k]
                    ? job->in[k] + (offset[k] + row * s[k][0] + column * s[k][1]) * (int64_t)p->in_size[k]
                    : NULL;
    }
    char *out =
        job->out + ((outer * p->size[last - 1] + row) * p->size[last] + column) * (int64_t)p->out_size;
    if (job->unary)
        job->unary(n, in[0], s[0], out);
    else
        job->binary(n, in[0], s[0], in[1], s[1], out);
}

/* A rectangle in pieces. */
static void run_rectangle(const struct loop_job *job, int64_t outer, int64_t row, int64_t rows,
                          int64_t column, int64_t columns)
{
    if (rows * columns <= ELEMENTWISE_PIECE_ELEMENTS) {
        run_piece(job, outer, row, rows, column, columns);
        return;
    }
    int64_t wide = columns < ELEMENTWISE_PIECE_ELEMENTS ? columns : ELEMENTWISE_PIECE_ELEMENTS,
            high = ELEMENTWISE_PIECE_ELEMENTS / wide;
    for (int64_t i = 0; i < rows; i += high)
        for (int64_t j = 0; j < columns; j += wide) {
            if (interrupt_stop()) return;
            run_piece(job, outer, row + i, rows - i < high ? rows - i : high, column + j,
                      columns - j < wide ? columns - j : wide);
        }
}

static int64_t outer_count(const struct loop_plan *p)
{
    int64_t n = 1;
    for (int axis = 0; axis < p->rank - 2; axis++) n *= p->size[axis];
    return n;
}

/* A task is a run of whole outer positions, or, when there is just one, a band of rows, or, for a single row,
 * of columns. */
static void loop_task(void *context, int64_t task)
{
    const struct loop_job *job = context;
    const struct loop_plan *p = job->plan;
    int64_t outer = outer_count(p), rows = p->size[p->rank - 2], columns = p->size[p->rank - 1],
            step = job->outer_per_task;
    if (outer > 1) {
        for (int64_t i = task * step; i < outer && i < (task + 1) * step; i++)
            run_rectangle(job, i, 0, rows, 0, columns);
    } else if (rows > 1) {
        int64_t first = task * step;
        run_rectangle(job, 0, first, rows - first < step ? rows - first : step, 0, columns);
    } else {
        int64_t first = task * step;
        run_rectangle(job, 0, 0, 1, first, columns - first < step ? columns - first : step);
    }
}

static void loop_run(struct loop_job *job)
{
    const struct loop_plan *p = job->plan;
    if (p->numel == 0) return;
    int64_t outer = outer_count(p), rows = p->size[p->rank - 2], columns = p->size[p->rank - 1];
    if (p->numel < 2 * ELEMENTWISE_TASK_ELEMENTS) {
        for (int64_t i = 0; i < outer; i++) run_rectangle(job, i, 0, rows, 0, columns);
        return;
    }
    int64_t units = outer > 1 ? outer : rows > 1 ? rows : columns, unit = p->numel / units;
    job->outer_per_task = unit >= ELEMENTWISE_TASK_ELEMENTS ? 1 : ELEMENTWISE_TASK_ELEMENTS / unit;
    threads_for((units + job->outer_per_task - 1) / job->outer_per_task, loop_task, job);
}

void loop_run_unary(const struct loop_plan *plan, unary_loop loop, const void *x, void *out)
{
    if (plan->at_once) {
        loop(plan->size, x, plan->stride[0], out);
        return;
    }
    struct loop_job job = {.plan = plan, .unary = loop, .in = {x, NULL}, .out = out};
    loop_run(&job);
}

void loop_run_binary(const struct loop_plan *plan, binary_loop loop, const void *x, const void *y, void *out)
{
    if (plan->at_once) {
        loop(plan->size, x, plan->stride[0], y, plan->stride[1], out);
        return;
    }
    struct loop_job job = {.plan = plan, .binary = loop, .in = {x, y}, .out = out};
    loop_run(&job);
}

void array_copy_dense(const struct array *a, void *out)
{
    if (array_is_contiguous(a)) {
        bounded_copy(out, a->data, array_bytes(a));
        return;
    }
    struct loop_plan plan;
    loop_plan(&plan, a, &(const struct array *){a}, 1);
    loop_run_unary(&plan, loops->cast[a->dtype][a->dtype], a->data, out);
}

typedef uint64_t __attribute__((may_alias)) eight_bytes;
typedef uint32_t __attribute__((may_alias)) four_bytes;

#define COPY_LINE(T)                                                                                         \
    for (int64_t i = 0; i < n; i++) ((T *)y)[i * d] = ((const T *)x)[i * s];

/* n elements, s and d elements apart. */
static void copy_line(int64_t n, const char *x, int64_t s, char *y, int64_t d, int64_t size)
{
    if (size == 8) {
        COPY_LINE(eight_bytes)
    } else if (size == 4) {
        COPY_LINE(four_bytes)
    } else
        for (int64_t i = 0; i < n; i++) memcpy(y + i * d * size, x + i * s * size, (size_t)size);
}

static void copy_line_bounded(int64_t n, const char *x, int64_t s, char *y, int64_t d, int64_t size)
{
    if (s == 1 && d == 1) {
        bounded_copy(y, x, (size_t)(n * size));
        return;
    }
    for (int64_t i = 0, part; i < n && (i == 0 || !interrupt_stop()); i += part) {
        part = n - i < ELEMENTWISE_PIECE_ELEMENTS ? n - i : ELEMENTWISE_PIECE_ELEMENTS;
        copy_line(part, x + i * s * size, s, y + i * d * size, d, size);
    }
}

/* The two innermost axes, as rows or, where these are short, as columns. */
static void copy_plane(const int64_t n[2], const char *x, const int64_t s[2], char *y, const int64_t d[2],
                       int64_t size)
{
    int line = n[1] < n[0] && n[1] < COPY_SHORT_ROW ? 0 : 1, other = 1 - line;
    for (int64_t i = 0, done = 0; i < n[other]; i++, done += n[line]) {
        if (done >= ELEMENTWISE_PIECE_ELEMENTS) {
            if (interrupt_stop()) return;
            done = 0;
        }
        copy_line_bounded(n[line], x + i * s[other] * size, s[line], y + i * d[other] * size, d[line], size);
    }
}

void array_copy_strided(const struct array *from, const struct array *to)
{
    int64_t planes = 1, size = (int64_t)dtype_size(from->dtype), n[2] = {1, 1}, s[2] = {1, 1}, d[2] = {1, 1};
    int rank = from->rank;
    for (int i = 0; i < 2 && i < rank; i++) {
        n[1 - i] = from->shape[rank - 1 - i];
        s[1 - i] = from->stride[rank - 1 - i];
        d[1 - i] = to->stride[rank - 1 - i];
    }
    for (int i = 0; i < rank - 2; i++) planes *= from->shape[i];
    if (n[0] * n[1] == 0) return;
    for (int64_t plane = 0, done = 0; plane < planes; plane++, done += n[0] * n[1]) {
        int64_t rest = plane, a = 0, b = 0;
        if (done >= ELEMENTWISE_PIECE_ELEMENTS) {
            if (interrupt_stop()) return;
            done = 0;
        }
        for (int i = rank - 3; i >= 0; i--) {
            a += rest % from->shape[i] * from->stride[i];
            b += rest % from->shape[i] * to->stride[i];
            rest /= from->shape[i];
        }
        copy_plane(n, (const char *)from->data + a * size, s, (char *)to->data + b * size, d, size);
    }
}
