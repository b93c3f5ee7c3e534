#include <string.h>

#include "base/memory.h"
#include "kernels/loops.h"
#include "solver/gradient.h"

struct backward {
    struct solver *s;
    struct field *f;
    const struct tableau *m;
    const struct solve_options *o;
    const struct solve_record *r;
    size_t bytes, pitch; /* of a state; from one cotangent of an output to the next */
    char *block;
    char *lambda, *kbar, *theta_part, *segment; /* segment: states of the steps since the last kept one */
    char *stage_bar[MAX_STAGES + 1];            /* Ybar_i */
    char *thetabar;
};

/* out += c x */
static void add(const struct backward *b, int64_t n, double c, const void *x, void *out)
{
    loops->combine[b->s->dtype](n, out, 1, &c, &x, out);
}

/* The vjp of one stage: stage_bar[i] = kbar^T df/dy at (t, input), and thetabar grows. residual: what the field kept there, or NULL. */
static enum status stage_vjp(struct backward *b, double t, const void *input, const void *residual, int i)
{
    TRY(field_vjp_kept(b->f, t, input, b->kbar, residual, b->stage_bar[i], b->theta_part));
    if (b->f->n_theta > 0) add(b, b->f->n_theta, 1, b->theta_part, b->thetabar);
    return STATUS_OK;
}

/* Cotangents that reach the stages of one step directly: weight[q][i] for stage i from cotangent source[q]. Few are the rule. */
#define FEW_SOURCES 4
struct stage_sources {
    int n, capacity;
    double (*weight)[MAX_STAGES + 1];
    const char **source;
    double few_weights[FEW_SOURCES][MAX_STAGES + 1];
    const char *few_sources[FEW_SOURCES];
};

static void begin_sources(struct stage_sources *from)
{
    from->n = 0;
    from->capacity = FEW_SOURCES;
    from->weight = from->few_weights;
    from->source = from->few_sources;
}

static void end_sources(struct stage_sources *from)
{
    if (from->weight != from->few_weights) memory_free(from->weight);
    if (from->source != from->few_sources) memory_free(from->source);
}

/* kbar_i = h (sum_q weight[q][i] source[q] + sum_{j>i} a_ji Ybar_j); returns 0 when it is zero for want of terms. */
static int gather_kbar(struct backward *b, const struct stage_sources *from, double h, int i, int stages, const char *used)
{
    double c[8 + MAX_STAGES];
    const void *k[8 + MAX_STAGES];
    int count = 0, started = 0;
    for (int q = 0; q < from->n; q++) {
        if (from->weight[q][i] == 0) continue;
        c[count] = h * from->weight[q][i];
        k[count++] = from->source[q];
        if (count == 8) { /* many outputs in one step: add up in portions */
            loops->combine[b->s->dtype](b->s->n, started ? b->kbar : NULL, count, c, k, b->kbar);
            started = 1;
            count = 0;
        }
    }
    for (int j = i + 1; j < stages; j++) {
        if (!used[j] || b->m->a[j][i] == 0) continue;
        c[count] = h * b->m->a[j][i];
        k[count++] = b->stage_bar[j];
    }
    if (count > 0 || started) loops->combine[b->s->dtype](b->s->n, started ? b->kbar : NULL, count, c, k, b->kbar);
    return count > 0 || started;
}

/* Back through one step from y, with stages k[0 .. weighted) in the solver: lambda becomes the cotangent of y. residuals: what
 * the field kept at those stages, or NULL. */
static enum status step_back(struct backward *b, const struct stage_sources *from, const struct step *p, const void *y,
                             void *const *residuals)
{
    const struct tableau *m = b->m;
    char used[MAX_STAGES + 1] = {0};
    for (int i = m->stages - 1; i >= 0; i--) {
        if (!gather_kbar(b, from, p->h, i, m->stages, used)) continue;
        const void *input = y;
        if (i > 0) {
            solve_stage_input(b->s, m, p->h, y, i, b->s->stage_input);
            input = b->s->stage_input;
        }
        TRY(stage_vjp(b, step_time(p, m->c[i]), input, residuals && i < m->weighted ? residuals[i] : NULL, i));
        used[i] = 1;
    }
    double ones[MAX_STAGES];
    const void *bars[MAX_STAGES];
    int count = 0;
    for (int i = 0; i < m->stages; i++) {
        if (!used[i]) continue;
        ones[count] = 1;
        bars[count++] = b->stage_bar[i];
    }
    loops->combine[b->s->dtype](b->s->n, b->lambda, count, ones, bars, b->lambda);
    return STATUS_OK;
}

static enum status load_stages(struct backward *b, int64_t step, const void *y)
{
    const struct solve_record *r = b->r;
    if (step < r->stage_steps) {
        for (int i = 0; i < b->m->weighted; i++)
            memcpy(b->s->k[i], r->stages + (size_t)(step * b->m->weighted + i) * b->bytes, b->bytes);
        return STATUS_OK;
    }
    return solve_stages(b->s, b->f, b->m, &r->steps[step], y, 0, b->m->weighted > 1 ? b->m->weighted : 0);
}

static enum status more_sources(struct stage_sources *from)
{
    int next = 2 * from->capacity + 8;
    double(*weight)[MAX_STAGES + 1] = memory_alloc((size_t)next * sizeof *weight);
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

static enum status add_source(struct stage_sources *from, const char *source)
{
    if (from->n == from->capacity) TRY(more_sources(from));
    memset(from->weight[from->n], 0, sizeof *from->weight);
    from->source[from->n++] = source;
    return STATUS_OK;
}

/* Outputs first..last lie inside step: their cotangents reach the state before the step, its stages, and, through f at the end of the
 * step, the state after it. Outputs made by a step of their own go back through that step. */
static enum status outputs_back(struct backward *b, struct stage_sources *from, int64_t step, int64_t first, int64_t last, const char *ybar,
                                const void *y, char *at_start)
{
    const struct solve_record *r = b->r;
    const struct step *p = &r->steps[step];
    int end_used = 0;
    memset(at_start, 0, b->bytes);
    for (int64_t i = first; i <= last; i++) {
        const char *source = ybar + (size_t)i * b->pitch;
        double theta = r->output_theta[i];
        if (theta == 1) {
            add(b, b->s->n, 1, source, b->lambda);
            continue;
        }
        add(b, b->s->n, 1, source, at_start);
        if (b->m->interpolation == INTERPOLATE_STEP) continue; /* below, with stages of its own */
        TRY(add_source(from, source));
        end_used |= tableau_interpolate(b->m, theta, from->weight[from->n - 1]);
    }
    if (end_used) { /* f at the end: kbar = h sum_q w_q[stages] source_q, evaluated at y_next */
        char none[MAX_STAGES + 1] = {0};
        if (gather_kbar(b, from, p->h, b->m->stages, b->m->stages, none)) {
            solve_combine(b->s, y, p->h, b->m->b, b->m->stages, b->s->next);
            TRY(stage_vjp(b, p->end, b->s->next, NULL, b->m->stages));
            add(b, b->s->n, 1, b->stage_bar[b->m->stages], b->lambda);
        }
    }
    return STATUS_OK;
}

/* Outputs that were made by a step of their own from y: back through each of those steps. lambda collects the cotangent of y. */
static enum status own_steps_back(struct backward *b, int64_t step, int64_t first, int64_t last, const char *ybar, const void *y)
{
    double weight[1][MAX_STAGES + 1] = {{0}};
    const char *source;
    struct stage_sources from = {.n = 1, .weight = weight, .source = &source};
    memcpy(weight[0], b->m->b, sizeof b->m->b);
    for (int64_t i = first; i <= last; i++) {
        double theta = b->r->output_theta[i];
        struct step part = step_part(&b->r->steps[step], theta);
        if (theta == 1) continue;
        source = ybar + (size_t)i * b->pitch;
        TRY(solve_stages(b->s, b->f, b->m, &part, y, 0, b->m->weighted));
        TRY(step_back(b, &from, &part, y, NULL));
    }
    return STATUS_OK;
}

/* Back through one recorded step and the outputs in it; `first_output` is lowered past them. */
static enum status recorded_step_back(struct backward *b, int64_t step, const void *y, const char *ybar, int64_t *output, char *at_start)
{
    struct stage_sources from;
    const struct residual_pool *pool = &b->r->residuals;
    void *const *residuals = pool->bytes > 0 ? pool->kept + step * pool->per_step : NULL;
    int64_t last = *output, first = last + 1;
    enum status status;
    begin_sources(&from);
    while (*output > 0 && b->r->output_step[*output] == step) first = (*output)--;
    TRY_GOTO_DONE(load_stages(b, step, y));
    TRY_GOTO_DONE(outputs_back(b, &from, step, first, last, ybar, y, at_start));
    memcpy(b->s->spare, b->lambda, b->bytes); /* lambda changes while the stages still need it */
    TRY_GOTO_DONE(add_source(&from, b->s->spare));
    memcpy(from.weight[from.n - 1], b->m->b, sizeof b->m->b);
    TRY_GOTO_DONE(step_back(b, &from, &b->r->steps[step], y, residuals));
    add(b, b->s->n, 1, at_start, b->lambda);
    if (b->m->interpolation == INTERPOLATE_STEP) status = own_steps_back(b, step, first, last, ybar, y);
done:
    end_sources(&from);
    return status;
}

/* The states of steps first .. first + count - 1 from the kept one: the same operations as in the forward solve. */
static enum status replay_segment(struct backward *b, int64_t first, int64_t count)
{
    memcpy(b->segment, b->r->states + (size_t)(first / b->r->every) * b->bytes, b->bytes);
    for (int64_t i = 0; i + 1 < count; i++) {
        char *y = b->segment + (size_t)i * b->bytes;
        TRY(solve_stages(b->s, b->f, b->m, &b->r->steps[first + i], y, 0, b->m->weighted));
        solve_combine(b->s, y, b->r->steps[first + i].h, b->m->b, b->m->stages, y + b->bytes);
    }
    return STATUS_OK;
}

static enum status all_steps_back(struct backward *b, const char *ybar, int64_t n_times, char *at_start)
{
    const struct solve_record *r = b->r;
    int64_t output = n_times - 1, segment_first = -1;
    for (int64_t step = r->n - 1; step >= 0; step--) {
        int64_t first = step - step % r->every;
        const char *y = r->states + (size_t)step * b->bytes;
        TRY(solver_poll(b->s));
        if (r->every > 1) {
            if (first != segment_first) TRY(replay_segment(b, first, step - first + 1));
            segment_first = first;
            y = b->segment + (size_t)(step - first) * b->bytes;
        }
        TRY(recorded_step_back(b, step, y, ybar, &output, at_start));
    }
    add(b, b->s->n, 1, ybar, b->lambda); /* the first output is y0 itself */
    return STATUS_OK;
}

static size_t padded(size_t bytes) { return (bytes + 63) & ~(size_t)63; }

enum status gradient_direct_reserve(struct solver *s, const struct field *f, const struct solve_options *o, int64_t steps)
{
    size_t state = padded((size_t)f->n * dtype_size(f->dtype)), theta = padded((size_t)f->n_theta * dtype_size(f->dtype));
    TRY(solver_reserve(s, f->n, f->dtype, o->method.stages));
    size_t fixed = state * (size_t)(o->method.stages + 4) + theta, states = 0; /* of a segment that is replayed */
    if (o->gradient == GRADIENT_CHECKPOINT && o->checkpoint_steps > 1) states = (size_t)(o->checkpoint_steps < steps ? o->checkpoint_steps : steps);
    if (state > 0 && states > (SIZE_MAX - fixed) / state) return status_set(STATUS_MEMORY, "out of memory: %zu states of %zu bytes", states, state);
    return solver_backward(s, fixed + states * state) ? STATUS_OK : memory_status();
}

enum status gradient_direct(struct solver *s, struct field *f, const struct solve_options *o, const struct solve_record *r, const void *ybar,
                            int64_t n_times, void *y0bar, void *thetabar, struct solve_stats *stats)
{
    struct backward b = {.s = s, .f = f, .m = &o->method, .o = o, .r = r, .bytes = (size_t)f->n * dtype_size(f->dtype), .thetabar = thetabar};
    size_t state = padded(b.bytes), theta = padded((size_t)f->n_theta * dtype_size(f->dtype));
    int stages = o->method.stages;
    int64_t before = f->nfe + f->nfe_vjp;
    memset(thetabar, 0, (size_t)f->n_theta * dtype_size(f->dtype));
    TRY(gradient_direct_reserve(s, f, o, r->n));
    b.pitch = solver_pitch(s);
    b.block = s->backward;
    b.lambda = b.block;
    b.kbar = b.block + state;
    char *at_start = b.block + 2 * state;
    for (int i = 0; i <= stages; i++) b.stage_bar[i] = b.block + state * (size_t)(3 + i);
    b.theta_part = b.block + state * (size_t)(4 + stages);
    b.segment = b.theta_part + theta;
    memset(b.lambda, 0, b.bytes);
    enum status status = all_steps_back(&b, ybar, n_times, at_start);
    if (status == STATUS_OK) memcpy(y0bar, b.lambda, b.bytes);
    stats->nfe_backward = f->nfe + f->nfe_vjp - before;
    return status;
}
