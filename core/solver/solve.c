#include "solver/solve.h"

#include <float.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/interrupt.h"
#include "base/memory.h"
#include "base/threads.h"
#include "kernels/loops.h"

#define MAX_REJECTIONS 50 /* in a row */

/* ---- memory ---- */

enum status solver_reserve(struct solver *s, int64_t n, enum dtype dtype, int stages)
{
    if (s->block && s->n == n && s->dtype == dtype && s->stages >= stages) return STATUS_OK;
    size_t bytes = ((size_t)n * dtype_size(dtype) + 63) & ~(size_t)63, wanted = bytes * (size_t)(stages + 5);
    char *block = s->block && s->block_bytes >= wanted ? s->block : memory_alloc(wanted);
    if (!block) return memory_status();
    if (block != s->block) {
        memory_free(s->block);
        s->block_bytes = wanted;
    }
    s->n = n;
    s->dtype = dtype;
    s->stages = stages;
    s->block = block;
    char **fields[] = {&s->y, &s->next, &s->stage_input, &s->spare};
    for (int i = 0; i < 4; i++) *fields[i] = block + bytes * (size_t)i;
    for (int i = 0; i <= stages; i++) s->k[i] = block + bytes * (size_t)(4 + i);
    return STATUS_OK;
}

char *solver_backward(struct solver *s, size_t bytes)
{
    if (s->backward && s->backward_bytes >= bytes) return s->backward;
    memory_free(s->backward);
    s->backward = memory_alloc(bytes);
    s->backward_bytes = s->backward ? bytes : 0;
    return s->backward;
}

size_t solver_pitch(const struct solver *s) { return (size_t)(s->whole > 0 ? s->whole : s->n) * dtype_size(s->dtype); }

enum status solver_poll(const struct solver *s)
{
    if (s->cancelled && *s->cancelled) return STATUS_INTERRUPTED;
    return interrupt_poll();
}

void solver_release(struct solver *s)
{
    memory_free(s->block);
    memory_free(s->backward);
    if (s->adjoint) solver_release(s->adjoint);
    memory_free(s->adjoint);
    *s = (struct solver){0};
}

/* ---- arithmetic on states, split over the threads in blocks of fixed size ---- */

#define TASK_ELEMENTS 65536

struct combine_job {
    int64_t n;
    size_t size;
    enum dtype dtype;
    const char *y;
    int count;
    double c[MAX_STAGES + 1];
    const char *k[MAX_STAGES + 1];
    char *out;
};

static void combine_task(void *context, int64_t task)
{
    const struct combine_job *j = context;
    int64_t first = task * TASK_ELEMENTS, n = j->n - first < TASK_ELEMENTS ? j->n - first : TASK_ELEMENTS;
    size_t at = (size_t)first * j->size;
    const void *k[MAX_STAGES + 1];
    for (int i = 0; i < j->count; i++) k[i] = j->k[i] + at;
    loops->combine[j->dtype](n, j->y ? j->y + at : NULL, j->count, j->c, k, j->out + at);
}

void solve_combine(struct solver *s, const void *y, double h, const double *w, int count, void *out)
{
    struct combine_job job = {.n = s->n, .size = dtype_size(s->dtype), .dtype = s->dtype, .y = y, .out = out};
    for (int j = 0; j < count; j++) {
        if (w[j] == 0) continue;
        job.c[job.count] = h * w[j];
        job.k[job.count++] = s->k[j];
    }
    threads_for((s->n + TASK_ELEMENTS - 1) / TASK_ELEMENTS, combine_task, &job);
}

void solve_stage_input(struct solver *s, const struct tableau *m, double h, const void *y, int stage, void *out)
{
    solve_combine(s, y, h, m->a[stage], stage, out);
}

/* k_i = f(t, input), with what the field keeps for the backward pass where a record wants it. */
static enum status eval_stage(struct solver *s, struct field *f, double t, const void *input, int i)
{
    return field_eval_keep(f, t, input, s->k[i], s->residuals ? residual_take(s->residuals, i) : NULL);
}

enum status solve_stages(struct solver *s, struct field *f, const struct tableau *m, double t, double h, const void *y, int first, int last)
{
    for (int i = first; i < last; i++) {
        const void *input = y;
        if (i > 0) {
            solve_stage_input(s, m, h, y, i, s->stage_input);
            input = s->stage_input;
        }
        TRY(eval_stage(s, f, t + m->c[i] * h, input, i));
    }
    return STATUS_OK;
}

/* ---- norms ---- */

typedef double (*sum_function)(const void *context, int64_t first, int64_t n);

/* Root mean square by parts, where sum(first, n) is the sum of squares of n scaled elements. */
static double norm_over(const struct state_layout *l, enum norm_kind kind, sum_function sum, const void *context)
{
    double largest = 0;
    if (kind == NORM_BATCH || (kind == NORM_SAMPLE && l->batch < 1))
        return l->controlled > 0 ? sqrt(sum(context, 0, l->controlled) / (double)l->controlled) : 0;
    int64_t groups = kind == NORM_SAMPLE ? l->batch : l->n_parts;
    for (int64_t g = 0; g < groups; g++) {
        double total = 0;
        int64_t count = 0, offset = 0;
        for (int p = 0; p < l->n_parts && offset < l->controlled; offset += l->size[p++]) {
            int64_t n = kind == NORM_SAMPLE ? l->size[p] / l->batch : l->size[p];
            if (kind == NORM_PART && p != g) continue;
            total += sum(context, kind == NORM_SAMPLE ? offset + g * n : offset, n);
            count += n;
        }
        double norm = count > 0 ? sqrt(total / (double)count) : 0;
        if (!(norm <= largest)) largest = norm; /* a NaN stays */
        if (largest != largest) break;
    }
    return largest;
}

struct norm_context {
    enum dtype dtype;
    int count;
    double c[MAX_STAGES];
    const char *k[MAX_STAGES];
    const char *y0, *y1;
    double rtol, atol;
};

static double error_sum(const void *context, int64_t first, int64_t n)
{
    const struct norm_context *c = context;
    size_t at = (size_t)first * dtype_size(c->dtype);
    const void *k[MAX_STAGES];
    for (int i = 0; i < c->count; i++) k[i] = c->k[i] + at;
    return loops->error_sum[c->dtype](n, c->count, c->c, k, c->y0 + at, c->y1 + at, c->rtol, c->atol);
}

static double scaled_sum(const void *context, int64_t first, int64_t n)
{
    const struct norm_context *c = context;
    size_t at = (size_t)first * dtype_size(c->dtype);
    return loops->scaled_sum[c->dtype](n, c->k[0] + at, c->y0 + at, c->rtol, c->atol);
}

enum status solve_initial_step(struct field *f, const struct state_layout *layout, const struct solve_options *o, double t0, const void *y0,
                               const void *f0, double direction, void *y1, void *f1, double *h)
{
    struct norm_context c = {.dtype = f->dtype, .k = {y0}, .y0 = y0, .rtol = o->rtol, .atol = o->atol};
    double d0 = norm_over(layout, o->norm, scaled_sum, &c);
    c.k[0] = f0;
    double d1 = norm_over(layout, o->norm, scaled_sum, &c), h0 = d0 < 1e-5 || d1 < 1e-5 ? 1e-6 : 0.01 * d0 / d1;
    loops->combine[f->dtype](f->n, y0, 1, (double[]){direction * h0}, (const void *[]){f0}, y1);
    TRY(field_eval(f, t0 + direction * h0, y1, f1));
    loops->combine[f->dtype](f->n, f1, 1, (double[]){-1}, (const void *[]){f0}, f1);
    c.k[0] = f1;
    double d2 = norm_over(layout, o->norm, scaled_sum, &c) / h0, slope = fmax(d1, d2);
    double h1 = slope <= 1e-15 ? fmax(1e-6, h0 * 1e-3) : pow(0.01 / slope, o->controller.exponent);
    *h = fmin(100 * h0, h1);
    return STATUS_OK;
}

/* ---- the loop ---- */

struct run {
    struct solver *s;
    struct field *f;
    const struct solve_options *o;
    const struct state_layout *layout;
    const double *times;
    int64_t n_times, next_output;
    char *out;
    struct solve_record *record;
    struct solve_stats *stats;
    double t, end, direction;
    int first_ready; /* k[0] is f(t, y) */
    int end_ready;   /* k[stages] is f at the end of the step just made */
};

static enum status give_up(const struct run *r, double h, const char *what, const char *remedy)
{
    return status_set(STATUS_NUMERIC, "odeint: %s at t = %.9g, h = %.3g after %lld steps (%lld accepted); %s", what, r->t, h,
                      (long long)r->stats->steps, (long long)r->stats->accepted, remedy);
}

static int is_finite(const struct solver *s, const void *y)
{
    if (isfinite(loops->sum[s->dtype](s->n, y, 1))) return 1;
    for (int64_t i = 0; i < s->n; i++) /* the sum of finite numbers may overflow */
        if (!isfinite(s->dtype == FLOAT32 ? (double)((const float *)y)[i] : ((const double *)y)[i])) return 0;
    return 1;
}

static enum status not_finite(const struct run *r, double h, const void *y, const char *what)
{
    char text[128];
    int64_t i = 0;
    while (i < r->s->n && isfinite(r->s->dtype == FLOAT32 ? (double)((const float *)y)[i] : ((const double *)y)[i])) i++;
    snprintf(text, sizeof text, "NaN or Inf in %s (element %lld of %lld)", what, (long long)(r->s->first + i) + 1,
             (long long)(r->s->whole > 0 ? r->s->whole : r->s->n));
    return give_up(r, h, text, "check the field and the parameters, or use smaller steps or tolerances");
}

static enum status ensure_first_stage(struct run *r)
{
    if (r->first_ready) return STATUS_OK;
    TRY(eval_stage(r->s, r->f, r->t, r->s->y, 0));
    r->first_ready = 1;
    return STATUS_OK;
}

/* All stages of a step from (t, y) to t + h = end, and y_next in s->next. The last stage of an FSAL method is f at the end, which is also the
 * first of the next step: its time is `end` to the last bit, so that recomputing it there gives the same numbers. */
static enum status make_step(struct run *r, double h, double end)
{
    struct solver *s = r->s;
    const struct tableau *m = &r->o->method;
    int last = m->fsal ? m->stages - 1 : m->stages;
    TRY(ensure_first_stage(r));
    TRY(solve_stages(s, r->f, m, r->t, h, s->y, 1, last));
    solve_combine(s, s->y, h, m->b, m->stages, s->next);
    return m->fsal ? eval_stage(s, r->f, end, s->next, last) : STATUS_OK;
}

static void swap_stages(struct solver *s, int i, int j)
{
    char *swap = s->k[i];
    s->k[i] = s->k[j];
    s->k[j] = swap;
    if (!s->residuals) return;
    void *residual = s->residuals->current[i];
    s->residuals->current[i] = s->residuals->current[j];
    s->residuals->current[j] = residual;
}

/* The stages are about to be overwritten: move f at the end, the last of them, out of the way. */
static void keep_end_slope(struct run *r)
{
    swap_stages(r->s, r->o->method.stages - 1, r->o->method.stages);
    r->end_ready = 1;
}

/* Write the outputs that lie in the step of size h from t to end, whose stages are in k and whose last state is in next. An output time
 * within rounding of the end is the end, so that grids written as 0.1 + 0.2 hit their points. */
static enum status write_outputs(struct run *r, double h, double end, int64_t step)
{
    struct solver *s = r->s;
    const struct tableau *m = &r->o->method;
    size_t bytes = (size_t)s->n * dtype_size(s->dtype);
    double w[MAX_STAGES + 1], rounding = 4 * DBL_EPSILON * fmax(fabs(end), fabs(r->t));
    r->end_ready = 0;
    for (; r->next_output < r->n_times && (r->times[r->next_output] - end) * r->direction <= rounding; r->next_output++) {
        double at = r->times[r->next_output], theta = fabs(at - end) <= rounding ? 1 : (at - r->t) / h;
        char *out = r->out + (size_t)r->next_output * solver_pitch(s);
        if (theta == 1) {
            memcpy(out, s->next, bytes);
        } else if (m->interpolation == INTERPOLATE_STEP) {
            if (m->fsal && !r->end_ready) keep_end_slope(r);
            TRY(solve_stages(s, r->f, m, r->t, theta * h, s->y, 1, m->weighted));
            solve_combine(s, s->y, theta * h, m->b, m->stages, out);
        } else {
            int need_end = tableau_interpolate(m, theta, w);
            if (need_end && !r->end_ready) {
                TRY(eval_stage(s, r->f, end, s->next, m->stages));
                r->end_ready = 1;
            }
            solve_combine(s, s->y, h, w, m->stages + need_end, out);
        }
        if (r->record) {
            r->record->output_step[r->next_output] = step;
            r->record->output_theta[r->next_output] = theta;
        }
    }
    return STATUS_OK;
}

/* Accept the step: outputs, record, and the state at its end becomes the current one. */
static enum status advance(struct run *r, double h, double end)
{
    struct solver *s = r->s;
    const struct tableau *m = &r->o->method;
    if (r->record) TRY(record_step(r->record, s, m, r->t, h));
    TRY(write_outputs(r, h, end, r->stats->accepted));
    char *swap = s->y;
    s->y = s->next;
    s->next = swap;
    int ready = r->end_ready ? m->stages : m->fsal ? m->stages - 1 : -1; /* stage that holds f at the end, if any */
    if (ready >= 0) swap_stages(s, 0, ready);
    r->first_ready = ready >= 0;
    r->stats->accepted++;
    r->t = end;
    return STATUS_OK;
}

static enum status begin_attempt(struct run *r, double h)
{
    TRY(solver_poll(r->s));
    if (r->stats->steps >= r->o->max_steps)
        return give_up(r, h, "the solve needs more than max_steps", "raise max_steps, loosen rtol and atol, or check that the problem is not stiff");
    r->stats->steps++;
    return STATUS_OK;
}

static enum status run_fixed(struct run *r)
{
    double t0 = r->t, span = r->end - t0, resolution = 4 * DBL_EPSILON * fmax(fabs(t0), fabs(r->end));
    double h = r->o->steps ? span / (double)r->o->steps : r->o->step_size * r->direction, exact = r->o->steps ? (double)r->o->steps : span / h;
    double count = fmax(1, ceil(exact - 1e-9 * fmax(1, exact)));
    if (!(count <= (double)r->o->max_steps))
        return give_up(r, h, "the fixed grid needs more than max_steps", "use larger steps, or raise max_steps");
    if (count > 1 && fabs(h) < resolution)
        return give_up(r, h, "step size underflow", "such steps do not change t; use larger ones, or shift t towards 0");
    int64_t n = (int64_t)count;
    for (int64_t i = 0; i < n; i++) {
        double end = i == n - 1 ? r->end : t0 + (double)(i + 1) * h, step = r->o->steps || i < n - 1 ? h : r->end - r->t;
        if (fabs(step - h) <= resolution) step = h; /* a step that is short by rounding only is a whole one */
        TRY(begin_attempt(r, step));
        TRY(make_step(r, step, end));
        if (!is_finite(r->s, r->s->next)) return not_finite(r, step, r->s->next, "y");
        TRY(advance(r, step, end));
    }
    return STATUS_OK;
}

static double error_norm(const struct run *r, double h)
{
    const struct tableau *m = &r->o->method;
    struct norm_context c = {.dtype = r->s->dtype, .y0 = r->s->y, .y1 = r->s->next, .rtol = r->o->rtol, .atol = r->o->atol};
    for (int j = 0; j < m->stages; j++) {
        if (m->e[j] == 0) continue;
        c.c[c.count] = h * m->e[j];
        c.k[c.count++] = r->s->k[j];
    }
    return norm_over(r->layout, r->o->norm, error_sum, &c);
}

/* Stage times of smaller steps are no longer apart. It goes with t, not with the span: solutions over long times may start with tiny steps. */
static double smallest_step(const struct run *r) { return fmax(16 * DBL_EPSILON * fabs(r->t), 16 * DBL_MIN); }

static enum status first_step(struct run *r, double *h)
{
    TRY(ensure_first_stage(r));
    if (!is_finite(r->s, r->s->k[0])) return not_finite(r, 0, r->s->k[0], "f(t0, y0)");
    *h = r->o->first_step;
    if (*h > 0) return STATUS_OK;
    TRY(solve_initial_step(r->f, r->layout, r->o, r->t, r->s->y, r->s->k[0], r->direction, r->s->stage_input, r->s->k[1], h));
    *h = fmin(fmax(*h, smallest_step(r)), fabs(r->end - r->t));
    if (!(*h > 0)) *h = 1e-6 * fabs(r->end - r->t); /* f is NaN or huge at the probe; the loop finds out */
    return STATUS_OK;
}

static enum status run_adaptive(struct run *r)
{
    double h, factor;
    struct controller controller = r->o->controller;
    controller_reset(&controller);
    TRY(first_step(r, &h));
    while ((r->end - r->t) * r->direction > 0) {
        double rest = fabs(r->end - r->t), smallest = smallest_step(r);
        /* Land on the end exactly, and leave no sliver for a last step. */
        int last = !r->o->overshoot && h >= rest * (1 - 1e-3);
        double step = r->direction * (last ? rest : h);
        if (fabs(step) < smallest && !last && r->stats->steps > 0 && !is_finite(r->s, r->s->next))
            return not_finite(r, step, r->s->next, "f or y");
        if (fabs(step) < smallest && !last)
            return give_up(r, step, "step size underflow", "the problem may be stiff or singular: loosen rtol and atol, or check the field");
        TRY(begin_attempt(r, step));
        double end = last ? r->end : r->t + step;
        TRY(make_step(r, step, end));
        int accepted = controller_judge(&controller, error_norm(r, step), &factor);
        if (accepted && !is_finite(r->s, r->s->next)) return not_finite(r, step, r->s->next, "y");
        if (!accepted) {
            r->stats->rejected++;
            if (controller.rejected >= MAX_REJECTIONS) {
                if (!is_finite(r->s, r->s->next)) return not_finite(r, step, r->s->next, "f or y");
                return give_up(r, step, "50 rejected steps in a row", "the field may be discontinuous: loosen rtol and atol, or split the span there");
            }
        } else {
            TRY(advance(r, step, end));
        }
        h = fabs(step) * factor;
    }
    return STATUS_OK;
}

enum status solve(struct solver *s, struct field *f, const struct solve_options *o, const struct state_layout *layout, const void *y0,
                  const double *times, int64_t n_times, void *out, struct solve_record *record, struct solve_stats *stats)
{
    size_t bytes = (size_t)f->n * dtype_size(f->dtype);
    int64_t nfe = f->nfe;
    *stats = (struct solve_stats){0};
    TRY(solver_reserve(s, f->n, f->dtype, o->method.stages));
    s->residuals = NULL;
    if (record) TRY(record_begin(record, s, f, o, n_times));
    struct run r = {.s = s, .f = f, .o = o, .layout = layout, .times = times, .n_times = n_times, .next_output = 1, .out = out,
                    .record = record, .stats = stats, .t = times[0], .end = times[n_times - 1]};
    r.direction = r.end > r.t ? 1 : -1;
    memcpy(s->y, y0, bytes);
    memcpy(out, y0, bytes);
    enum status status = STATUS_OK;
    if (f->n > 0 && !is_finite(s, y0)) status = not_finite(&r, 0, y0, "y0");
    if (status == STATUS_OK && f->n == 0) { /* nothing to integrate */
        stats->nfe = 0;
        return STATUS_OK;
    }
    if (status == STATUS_OK && n_times > 1) status = o->adaptive ? run_adaptive(&r) : run_fixed(&r);
    s->residuals = NULL;
    stats->nfe = f->nfe - nfe;
    return status;
}
