#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/memory.h"
#include "kernels/loops.h"
#include "solver/backward.h"
#include "solver/defect.h"
#include "solver/family.h"
#include "solver/gradient.h"
#include "solver/record.h"
#include "solver/retrace.h"

/* ---- what families use ---- */

void backward_add(const struct backward *b, int64_t n, double c, const void *x, void *out)
{
    loops->combine[b->s->dtype](n, out, 1, &c, &x, out);
}

enum status backward_vjp(struct backward *b, double t, const void *input, const void *residual, const void *a,
                         void *ybar)
{
    if (b->times.exact) return times_vjp(b, t, input, a, ybar);
    TRY(field_vjp_kept(b->f, t, input, a, residual, ybar, b->theta_part));
    if (b->f->n_theta > 0) backward_add(b, b->f->n_theta, 1, b->theta_part, b->thetabar);
    return STATUS_OK;
}

enum status backward_curve(struct backward *b, double t, const void *y, const void *v, double c,
                           const void *a, void *ybar)
{
    int64_t n = b->f->n_theta;
    TRY(field_curve(b->f, t, y, v, c, a, ybar, b->theta_part));
    if (b->times.exact) b->times.shift += backward_number(b, b->theta_part, n - 1);
    if (n > 0) backward_add(b, n, 1, b->theta_part, b->thetabar);
    return STATUS_OK;
}

enum status backward_watch(struct backward *b, const void *before, double h, const void *v, const void *vbar)
{
    enum dtype dtype = b->s->dtype;
    int64_t n = b->s->n;
    if (!b->o->adaptive) return STATUS_OK;
    if (!derivative_suspect(&b->growth, derivative_size(dtype, n, before),
                            derivative_size(dtype, n, b->carry_bar[0])) ||
        !derivative_unstable(&b->growth, derivative_pull(dtype, n, h, v, vbar)))
        return STATUS_OK;
    return gradient_unstable(b->p.t, b->p.h);
}

static void begin_sources(struct backward_sources *from)
{
    from->n = 0;
    from->capacity = FEW_SOURCES;
    from->weight = from->few_weights;
    from->source = from->few_sources;
}

static void end_sources(struct backward_sources *from)
{
    if (from->weight != from->few_weights) memory_free(from->weight);
    if (from->source != from->few_sources) memory_free(from->source);
}

static enum status more_sources(struct backward_sources *from)
{
    int next = 2 * from->capacity;
    double(*weight)[MAX_K] = memory_alloc((size_t)next * sizeof *weight);
    const char **source = memory_alloc((size_t)next * sizeof *source);
    if (!weight || !source) {
        memory_free(weight);
        memory_free(source);
        return memory_status();
    }
    memcpy(weight, from->weight, (size_t)from->n * sizeof *weight);
    memcpy(source, from->source, (size_t)from->n * sizeof *source);
    end_sources(from);
    from->weight = weight;
    from->source = source;
    from->capacity = next;
    return STATUS_OK;
}

enum status backward_from(struct backward *b, const char *source, const double *w, int n)
{
    struct backward_sources *from = &b->from;
    if (from->n == from->capacity) TRY(more_sources(from));
    memset(from->weight[from->n], 0, sizeof *from->weight);
    memcpy(from->weight[from->n], w, (size_t)n * sizeof *w);
    from->source[from->n++] = source;
    return STATUS_OK;
}

static void sum_up(struct backward_sum *sum, struct backward *b)
{
    loops->combine[b->s->dtype](b->s->n, sum->started ? b->kbar : NULL, sum->count, sum->c, sum->x, b->kbar);
    sum->started = 1;
    sum->count = 0;
}

void backward_sum_begin(struct backward_sum *sum, struct backward *b, int i)
{
    const struct backward_sources *from = &b->from;
    sum->count = sum->started = 0;
    for (int q = 0; q < from->n; q++) {
        if (from->weight[q][i] == 0) continue;
        backward_sum_add(sum, b, from->weight[q][i], from->source[q]);
    }
}

void backward_sum_add(struct backward_sum *sum, struct backward *b, double c, const void *x)
{
    if (sum->count == SUM_PORTION) sum_up(sum, b);
    sum->c[sum->count] = c;
    sum->x[sum->count++] = x;
}

int backward_sum_end(struct backward_sum *sum, struct backward *b)
{
    if (sum->count > 0) sum_up(sum, b);
    return sum->started;
}

/* ---- steps ---- */

/* Where every so many-th step is kept: the carry of one between two of them. */
static char *replayed(const struct backward *b, int64_t step)
{
    return b->segment + (size_t)(step % b->r->points.every) * (size_t)b->s->n_carry * b->vector;
}

/* The carry of a step becomes that of the solver. */
static void load_some(struct backward *b, int64_t step)
{
    struct solver *s = b->s;
    const struct checkpoint *at = checkpoints_last(&b->r->points, step);
    solver_take_own(s);
    if (at->step == step) {
        record_vectors(s, at->block, s->carry);
        b->in_next = 0;
    } else if (b->r->points.every > 0) {
        record_vectors(s, replayed(b, step), s->carry);
    } else if (b->in_next) {
        for (int c = 0; c < s->n_carry; c++) {
            char *swap = s->carry[c];
            s->carry[c] = s->next[c];
            s->next[c] = swap;
        }
    }
}

static int load_step(struct backward *b, int64_t step)
{
    b->p = record_step(b->r, step);
    if (!b->r->some) return record_load(b->r, b->s, step);
    if (!b->retrace) load_some(b, step);
    return 0;
}

/* Outputs first..last lie in the step: those at its end reach the next y, others the carry (at_start) and the
 * k. */
static enum status outputs_back(struct backward *b, int64_t first, int64_t last, const char *ybar)
{
    const struct method *m = &b->o->method;
    double w[MAX_CARRY + MAX_K];
    int n, n_carry = b->s->n_carry;
    for (int c = 0; c < n_carry; c++) memset(b->at_start[c], 0, b->bytes);
    for (int64_t i = first; i <= last; i++) {
        const char *source = ybar + (size_t)i * b->pitch;
        double theta = b->r->output_theta[i];
        if (theta == 1) {
            backward_add(b, b->s->n, 1, source, b->carry_bar[0]);
            continue;
        }
        TRY(m->family->dense(b->s, b->f, m, &b->p, theta, 0, w, &n));
        for (int c = 0; c < n_carry; c++)
            if (w[c] != 0) backward_add(b, b->s->n, w[c], source, b->at_start[c]);
        TRY(backward_from(b, source, w + n_carry, n - n_carry));
    }
    return STATUS_OK;
}

/* What the step was made of; whoever asks for slopes needs all of it. */
static enum status basis(struct backward *b, int64_t step, int outputs)
{
    const struct method *m = &b->o->method;
    const struct step *p = &b->p;
    int have = load_step(b, step), all = 0;
    if (b->times.active) {
        times_begin_step(b, step);
        all = outputs || b->times.cut;
    }
    if (!b->defect) return m->family->again(b->s, b->f, m, p, all ? AGAIN_ALL : AGAIN_BACK, have);
    TRY(defect_basis(b, step, have));
    return all ? m->family->again(b->s, b->f, m, p, AGAIN_ALL, 1) : STATUS_OK;
}

enum status backward_not_finite(const char *what, double t, double h)
{
    char place[96] = "";
    if (isfinite(t)) snprintf(place, sizeof place, " in the step from t = %.9g to %.9g", t, t + h);
    status_fail(
        STATUS_NUMERIC, "not_finite",
        "f has no finite derivative there (sqrt, a norm or a power at 0, and so a branch of tide.where "
        "that is not taken), or the gradient grows without bound; change f so that its derivative is "
        "finite, or shorten the span",
        "odeint: %s became NaN or Inf on the way back%s, of a loss whose own derivative is finite", what,
        place);
    status_failure()->t = t;
    status_failure()->h = h;
    return STATUS_NUMERIC;
}

enum status gradient_unstable(double t, double h)
{
    status_fail(
        STATUS_NUMERIC, UNSTABLE_GRADIENT,
        "the problem is stiff where t is near that: take gradient = \"interpolated\", or method = "
        "\"auto\" or an implicit one (\"radau5\", \"kvaerno5\")",
        "odeint: the derivative of the steps grows from step to step although f pulls it back, near t "
        "= %.9g: they are at the edge of stability, and say nothing about the solution's derivative",
        t);
    status_failure()->t = t;
    status_failure()->h = h;
    return STATUS_NUMERIC;
}

/* Back through one recorded step and the outputs in it; *output is lowered past them. */
static enum status step_back(struct backward *b, int64_t step, const char *ybar, int64_t *output)
{
    const struct method *m = &b->o->method;
    const struct step *p = &b->p;
    int64_t last = *output, first = last + 1;
    enum status status;
    begin_sources(&b->from);
    while (*output > 0 && b->r->output_step[*output] == step) first = (*output)--;
    TRY_GOTO_DONE(basis(b, step, first <= last));
    if (b->times.active) TRY_GOTO_DONE(times_outputs(b, first, last, ybar));
    TRY_GOTO_DONE(outputs_back(b, first, last, ybar));
    if (b->times.cut) TRY_GOTO_DONE(times_event(b, step, first, last, ybar));
    if (b->defect) defect_add(b);
    TRY_GOTO_DONE(m->family->back(b, p));
    for (int c = 0; c < b->s->n_carry; c++) backward_add(b, b->s->n, 1, b->at_start[c], b->carry_bar[c]);
    times_end_step(b);
    if (!solver_is_finite(b->s, b->carry_bar[0]))
        status = backward_not_finite("the cotangent of y", p->t, p->h);
done:
    end_sources(&b->from);
    return status;
}

/* A step once more, to the next carry: the same operations as in the forward solve. */
static enum status replay(struct backward *b, int64_t step, char *into)
{
    load_step(b, step);
    if (into) record_vectors(b->s, into, b->s->next);
    TRY(b->o->method.family->again(b->s, b->f, &b->o->method, &b->p, AGAIN_NEXT, 0));
    return times_is_cut(b->o->events, step) ? times_cut_again(b, step) : STATUS_OK;
}

/* The carries of the steps behind a kept one up to `last`. */
static enum status reach_segment(struct backward *b, int64_t last)
{
    int64_t every = b->r->points.every;
    if (last != b->r->n - 1 && last % every != every - 1) return STATUS_OK; /* they are there */
    for (int64_t step = last - last % every; step < last; step++) TRY(replay(b, step, replayed(b, step + 1)));
    return STATUS_OK;
}

/* The carry of `last` from the one before it that is kept; others are kept on the way. */
static enum status reach(struct backward *b, int64_t last)
{
    char *block;
    int64_t next, step = checkpoints_back(&b->r->points, last);
    while (step < last) {
        TRY(checkpoints_ahead(&b->r->points, last, &next, &block));
        for (; step < next; step++) {
            TRY(replay(b, step, step + 1 == next ? block : NULL));
            b->in_next = !b->in_next;
        }
    }
    return STATUS_OK;
}

/* Of a record of some carries: that of `step` becomes the solver's. */
static enum status retrieve(struct backward *b, int64_t step)
{
    return b->r->points.every > 0 ? reach_segment(b, step) : reach(b, step);
}

enum status backward_retrieve(struct backward *b, int64_t step)
{
    TRY(retrieve(b, step));
    load_some(b, step);
    return STATUS_OK;
}

static enum status all_steps_back(struct backward *b, const char *ybar)
{
    struct solve_record *r = b->r;
    int64_t output = b->times.given->n - 1;
    for (int64_t step = r->n - 1; step >= 0; step--) {
        TRY(solver_poll(b->s));
        if (b->retrace) TRY(retrace_step(b, step));
        if (r->some && !b->retrace) TRY(retrieve(b, step));
        TRY(step_back(b, step, ybar, &output));
    }
    TRY(times_end(b));
    backward_add(b, b->s->n, 1, ybar, b->carry_bar[0]); /* the first output is y0 itself */
    return STATUS_OK;
}

static size_t padded(size_t bytes) { return (bytes + 63) & ~(size_t)63; }

/* Carries of a segment. */
static size_t in_segment(const struct solve_options *o, int64_t steps)
{
    int every = o->gradient == GRADIENT_CHECKPOINT && o->checkpoints == 0 && o->memory == 0;
    if (!every || o->checkpoint_steps < 2) return 0;
    return (size_t)(o->checkpoint_steps < steps ? o->checkpoint_steps : steps);
}

enum status backward_retriever(struct backward *b, struct solver *s, struct field *f,
                               const struct solve_options *o, struct solve_record *r)
{
    *b = (struct backward){.s = s, .f = f, .o = o, .m = &o->method, .r = r, .bytes = solver_bytes(s)};
    b->vector = padded(b->bytes);
    size_t bytes = in_segment(o, r->n) * b->vector * (size_t)s->n_carry;
    b->segment = solver_backward(s, bytes);
    return b->segment || bytes == 0 ? STATUS_OK : memory_status();
}

enum status gradient_direct_reserve(struct solver *s, const struct field *f, const struct solve_options *o,
                                    int64_t steps)
{
    size_t state = padded((size_t)f->n * dtype_size(f->dtype)),
           theta = padded((size_t)f->n_theta * dtype_size(f->dtype));
    TRY(solver_reserve(s, f->n, f->dtype, &o->method));
    size_t carry = state * (size_t)s->n_carry,
           fixed = 2 * carry +
                   state * (size_t)(s->n_k + 1 + (o->defect ? DEFECT_VECTORS : 0) + TIMES_VECTORS) + theta,
           carries = in_segment(o, steps);
    if (carry > 0 && carries > (SIZE_MAX - fixed) / carry)
        return status_set(STATUS_MEMORY, "out of memory: %zu states of %zu bytes", carries, carry);
    return solver_backward(s, fixed + carries * carry) ? STATUS_OK : memory_status();
}

enum status gradient_direct(struct solver *s, struct field *f, const struct solve_options *o,
                            const struct state_layout *layout, struct solve_record *r, const void *ybar,
                            const struct gradient_times *times, void *y0bar, void *thetabar,
                            struct solve_stats *stats)
{
    struct backward b = {.s = s,
                         .f = f,
                         .o = o,
                         .m = &o->method,
                         .r = r,
                         .bytes = (size_t)f->n * dtype_size(f->dtype),
                         .thetabar = thetabar};
    size_t state = padded(b.bytes), theta = padded((size_t)f->n_theta * dtype_size(f->dtype));
    int64_t before = f->nfe + f->nfe_vjp;
    memset(thetabar, 0, (size_t)f->n_theta * dtype_size(f->dtype));
    TRY(gradient_direct_reserve(s, f, o, r->n));
    if (o->method.family->begin) TRY(o->method.family->begin(s, f, o, layout));
    b.vector = state;
    b.pitch = solver_pitch(s);
    char *at = s->backward;
    for (int c = 0; c < s->n_carry; c++, at += 2 * state) {
        b.carry_bar[c] = at;
        b.at_start[c] = at + state;
        memset(at, 0, b.bytes);
    }
    b.kbar = at;
    for (int i = 0; i < s->n_k; i++) b.k_bar[i] = at += state;
    struct defect defect = {0};
    at += state;
    if (o->defect) at = defect_begin(b.defect = &defect, at, state);
    b.theta_part = times_begin(&b, times, at);
    b.segment = b.theta_part + theta;
    struct retrace retrace = {.layout = layout};
    if (r->retraced) retrace_begin(&retrace, &b);
    enum status status = all_steps_back(&b, ybar);
    for (int c = 1; c < s->n_carry && status == STATUS_OK; c++)
        backward_add(&b, s->n, 1, b.carry_bar[c], b.carry_bar[0]); /* copies of y0 */
    if (status == STATUS_OK) memcpy(y0bar, b.carry_bar[0], b.bytes);
    stats->nfe_backward = f->nfe + f->nfe_vjp - before;
    stats->has_reconstruction = r->retraced;
    stats->reconstruction = retrace.error;
    stats->made_again = retrace.made_again;
    stats->has_defect = o->defect;
    stats->defect = defect.sum;
    return status;
}
