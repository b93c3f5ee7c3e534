#include "kernels/reduce.h"

#include <string.h>

#include "base/interrupt.h"
#include "base/threads.h"
#include "base/tuning.h"
#include "kernels/bounded.h"

static int add_axis(int n, int64_t *size, int64_t *stride, int64_t axis_size, int64_t axis_stride,
                    int adjacent)
{
    if (adjacent && n > 0 && stride[n - 1] == axis_stride * axis_size) {
        size[n - 1] *= axis_size;
        stride[n - 1] = axis_stride;
        return n;
    }
    size[n] = axis_size;
    stride[n] = axis_stride;
    return n + 1;
}

enum dtype reduce_dtype(enum reduction kind, enum dtype in)
{
    return kind == REDUCE_SUM && in == UINT8 ? INT64 : in;
}

void reduce_plan(struct reduce_plan *plan, enum reduction kind, const struct array *in, unsigned mask)
{
    memset(plan, 0, sizeof *plan);
    plan->kind = kind;
    plan->dtype = in->dtype;
    plan->outputs = plan->count = 1;
    int previous = -1; /* 0 kept, 1 reduced: only neighbours of one sort can merge */
    for (int axis = 0; axis < in->rank; axis++) {
        int reduced = (int)(mask >> axis & 1);
        *(reduced ? &plan->count : &plan->outputs) *= in->shape[axis];
        if (in->shape[axis] == 1) continue;
        if (reduced)
            plan->reduced = add_axis(plan->reduced, plan->reduced_size, plan->reduced_stride, in->shape[axis],
                                     in->stride[axis], previous == 1);
        else
            plan->kept = add_axis(plan->kept, plan->kept_size, plan->kept_stride, in->shape[axis],
                                  in->stride[axis], previous == 0);
        previous = reduced;
    }
    if (plan->reduced == 0) {
        plan->reduced_size[0] = 1;
        plan->reduced = 1;
    }
    int last = plan->kept - 1;
    if (kind == REDUCE_SUM && dtype_is_float(in->dtype) && plan->kept == 1 && plan->reduced == 2 &&
        plan->reduced_stride[1] == 1 && plan->reduced_size[1] <= REDUCE_MAX_FOLD &&
        plan->kept_stride[0] == plan->reduced_size[1] &&
        plan->reduced_stride[0] >= plan->kept_size[0] * plan->reduced_size[1])
        plan->fold = plan->reduced_size[1];
    plan->by_rows = kind == REDUCE_SUM && in->dtype != UINT8 && plan->reduced == 1 && plan->kept > 0 &&
                    plan->kept_stride[last] == 1 && plan->reduced_stride[0] != 1;
    plan->few = kind == REDUCE_SUM && dtype_is_float(in->dtype) && plan->reduced == 1 && plan->kept == 1 &&
                !plan->by_rows && plan->reduced_size[0] < REDUCE_FEW;
}

struct reduce_job {
    const struct reduce_plan *plan;
    const char *in;
    char *out;
    int64_t per_task;
};

static int64_t kept_offset(const struct reduce_plan *p, int axes, int64_t index)
{
    int64_t offset = 0;
    for (int axis = axes - 1; axis >= 0; axis--) {
        offset += index % p->kept_size[axis] * p->kept_stride[axis];
        index /= p->kept_size[axis];
    }
    return offset;
}

/* Offset of run i of the innermost reduced axis. */
static int64_t run_offset(const struct reduce_plan *p, int64_t i)
{
    int64_t offset = 0;
    for (int axis = p->reduced - 2; axis >= 0; axis--) {
        offset += i % p->reduced_size[axis] * p->reduced_stride[axis];
        i /= p->reduced_size[axis];
    }
    return offset;
}

/* Pairwise over the runs too, for the accuracy of one long run. */
static double sum_runs(const struct reduce_plan *p, const char *in, int64_t first, int64_t n)
{
    if (n > 16) return sum_runs(p, in, first, n / 2) + sum_runs(p, in, first + n / 2, n - n / 2);
    double total = 0;
    int last = p->reduced - 1;
    for (int64_t i = first; i < first + n && !interrupt_stop(); i++)
        total +=
            loops->sum[p->dtype](p->reduced_size[last], in + run_offset(p, i) * (int64_t)dtype_size(p->dtype),
                                 p->reduced_stride[last]);
    return total;
}

static double reduce_one(const struct reduce_plan *p, const char *in)
{
    double (*inner)(int64_t, const void *, int64_t) =
        p->kind == REDUCE_MAX ? loops->max[p->dtype] : loops->min[p->dtype];
    int last = p->reduced - 1;
    int64_t outer = 1, size = (int64_t)dtype_size(p->dtype);
    for (int axis = 0; axis < last; axis++) outer *= p->reduced_size[axis];
    if (p->kind == REDUCE_SUM) return sum_runs(p, in, 0, outer);
    double best = 0;
    int64_t length = p->reduced_size[last], stride = p->reduced_stride[last],
            pieces = (length + REDUCE_PIECE_ELEMENTS - 1) / REDUCE_PIECE_ELEMENTS;
    for (int64_t i = 0; i < outer * pieces && best == best && !interrupt_stop(); i++) {
        int64_t at = i % pieces * REDUCE_PIECE_ELEMENTS,
                n = length - at < REDUCE_PIECE_ELEMENTS ? length - at : REDUCE_PIECE_ELEMENTS;
        double part = inner(n, in + (run_offset(p, i / pieces) + at * stride) * size, stride);
        if (i == 0 || part != part || (p->kind == REDUCE_MAX ? part > best : part < best)) best = part;
    }
    return best;
}

/* A double holds integers up to 2^53 only; sums wrap around as in Lua. */
static int64_t reduce_one_i64(const struct reduce_plan *p, const int64_t *in)
{
    int64_t (*inner)(int64_t, const int64_t *, int64_t) = p->kind == REDUCE_SUM   ? loops->sum_whole
                                                          : p->kind == REDUCE_MAX ? loops->max_whole
                                                                                  : loops->min_whole;
    int last = p->reduced - 1;
    int64_t total = 0, outer = 1, length = p->reduced_size[last], stride = p->reduced_stride[last],
            pieces = (length + REDUCE_PIECE_ELEMENTS - 1) / REDUCE_PIECE_ELEMENTS;
    for (int axis = 0; axis < last; axis++) outer *= p->reduced_size[axis];
    for (int64_t i = 0; i < outer * pieces && !interrupt_stop(); i++) {
        int64_t at = i % pieces * REDUCE_PIECE_ELEMENTS,
                n = length - at < REDUCE_PIECE_ELEMENTS ? length - at : REDUCE_PIECE_ELEMENTS,
                part = inner(n, in + run_offset(p, i / pieces) + at * stride, stride);
        if (p->kind == REDUCE_SUM)
            total = (int64_t)((uint64_t)total + (uint64_t)part);
        else if (i == 0 || (p->kind == REDUCE_MAX ? part > total : part < total))
            total = part;
    }
    return total;
}

static void reduce_output(const struct reduce_plan *p, const char *in, char *out, int64_t i)
{
    switch (p->dtype) {
    case FLOAT32: ((float *)out)[i] = (float)reduce_one(p, in); break;
    case FLOAT64: ((double *)out)[i] = reduce_one(p, in); break;
    case INT64: ((int64_t *)out)[i] = reduce_one_i64(p, (const int64_t *)(const void *)in); break;
    default:
        if (p->kind == REDUCE_SUM)
            ((int64_t *)out)[i] = (int64_t)reduce_one(p, in);
        else
            ((uint8_t *)out)[i] = (uint8_t)(int64_t)reduce_one(p, in);
    }
}

/* Sums of a few neighbours each, in the order of sum_runs. */
#define SUM_FEW(T)                                                                                           \
    for (int64_t i = first; i < end; i++) {                                                                  \
        const T *x = (const T *)(const void *)in + i * p->kept_stride[0];                                    \
        double total = 0;                                                                                    \
        for (int64_t j = 0; j < n; j++) total += (double)x[j * stride];                                      \
        ((T *)(void *)out)[i] = (T)total;                                                                    \
    }

static void sum_few(const struct reduce_plan *p, const char *in, char *out, int64_t first, int64_t end)
{
    int64_t n = p->reduced_size[0], stride = p->reduced_stride[0];
    if (p->dtype == FLOAT32)
        SUM_FEW(float)
    else
        SUM_FEW(double)
}

/* per_task counts outputs, or, by rows, pieces of at most SUM_ROWS_WIDTH outputs of one row. */
static void reduce_task(void *context, int64_t task)
{
    const struct reduce_job *job = context;
    const struct reduce_plan *p = job->plan;
    int64_t size = (int64_t)dtype_size(p->dtype), first = task * job->per_task, end = first + job->per_task;
    if (p->few) {
        sum_few(p, job->in, job->out, first, end < p->outputs ? end : p->outputs);
        return;
    }
    if (!p->by_rows) {
        for (int64_t i = first; i < end && i < p->outputs && !interrupt_stop(); i++)
            reduce_output(p, job->in + kept_offset(p, p->kept, i) * size, job->out, i);
        return;
    }
    int64_t width = p->kept_size[p->kept - 1], pieces = (width + SUM_ROWS_WIDTH - 1) / SUM_ROWS_WIDTH,
            rows = p->outputs / width;
    for (int64_t i = first; i < end && i < rows * pieces; i++) {
        int64_t row = i / pieces, column = i % pieces * SUM_ROWS_WIDTH,
                n = width - column < SUM_ROWS_WIDTH ? width - column : SUM_ROWS_WIDTH;
        int64_t offset = kept_offset(p, p->kept - 1, row) + column;
        loops->sum_rows[p->dtype](p->reduced_size[0], n, job->in + offset * size, p->reduced_stride[0],
                                  job->out + (row * width + column) * size);
    }
}

/* Add the rows first, which is contiguous work, then the neighbours. */
static void fold_task(void *context, int64_t task)
{
    const struct reduce_job *job = context;
    const struct reduce_plan *p = job->plan;
    int64_t first = task * job->per_task, size = (int64_t)dtype_size(p->dtype);
    int64_t outputs = p->outputs - first < job->per_task ? p->outputs - first : job->per_task;
    union {
        float f32[SUM_ROWS_WIDTH];
        double f64[SUM_ROWS_WIDTH];
    } sum;
    loops->sum_rows[p->dtype](p->reduced_size[0], outputs * p->fold, job->in + first * p->fold * size,
                              p->reduced_stride[0], &sum);
    for (int64_t i = 0; i < outputs; i++) {
        double total = 0;
        for (int64_t j = i * p->fold; j < (i + 1) * p->fold; j++)
            total += p->dtype == FLOAT32 ? (double)sum.f32[j] : sum.f64[j];
        if (p->dtype == FLOAT32)
            ((float *)job->out)[first + i] = (float)total;
        else
            ((double *)job->out)[first + i] = total;
    }
}

void reduce_run(const struct reduce_plan *plan, const void *in, void *out)
{
    if (plan->outputs == 0) return;
    if (plan->count == 0) { /* the empty sum */
        bounded_zero(out, (size_t)plan->outputs * dtype_size(reduce_dtype(plan->kind, plan->dtype)));
        return;
    }
    if (plan->fold > 0) {
        struct reduce_job job = {plan, in, out, SUM_ROWS_WIDTH / plan->fold};
        threads_for((plan->outputs + job.per_task - 1) / job.per_task, fold_task, &job);
        return;
    }
    int64_t units = plan->outputs, unit = plan->count;
    if (plan->by_rows) {
        int64_t width = plan->kept_size[plan->kept - 1];
        units = plan->outputs / width * ((width + SUM_ROWS_WIDTH - 1) / SUM_ROWS_WIDTH);
        unit = plan->count * (width < SUM_ROWS_WIDTH ? width : SUM_ROWS_WIDTH);
    }
    struct reduce_job job = {plan, in, out, unit >= REDUCE_TASK_ELEMENTS ? 1 : REDUCE_TASK_ELEMENTS / unit};
    threads_for((units + job.per_task - 1) / job.per_task, reduce_task, &job);
}

#define ARG_EXTREME(T)                                                                                       \
    for (int64_t i = 0; i < outputs; i++) {                                                                  \
        const T *x = array_at(&rest, i);                                                                     \
        if (i % 1024 == 0 && interrupt_stop()) return;                                                       \
        int64_t best = 0;                                                                                    \
        for (int64_t j = 1; j < n && x[best * stride] == x[best * stride]; j++) {                            \
            T v = x[j * stride], b = x[best * stride];                                                       \
            if (j % REDUCE_PIECE_ELEMENTS == 0 && interrupt_stop()) return;                                  \
            if (v != v || (largest ? v > b : v < b)) best = j;                                               \
        }                                                                                                    \
        out[i] = best + 1;                                                                                   \
    }

void arg_extreme(const struct array *in, int axis, int largest, int64_t *out)
{
    struct array rest = *in;
    rest.shape[axis] = 1;
    int64_t outputs = array_numel(&rest), n = in->shape[axis], stride = in->stride[axis];
    switch (in->dtype) {
    case FLOAT32: ARG_EXTREME(float) break;
    case FLOAT64: ARG_EXTREME(double) break;
    case INT64: ARG_EXTREME(int64_t) break;
    default: ARG_EXTREME(uint8_t) break;
    }
}
