#include "solver/solve.h"

#include <float.h>
#include <math.h>
#include <string.h>

#include "base/tuning.h"
#include "kernels/loops.h"
#include "solver/family.h"
#include "solver/run.h"

double run_smallest_step(double t) { return fmax(16 * DBL_EPSILON * fabs(t), 16 * DBL_MIN); }

int run_is_finite(const struct solver *s, const void *y)
{
    if (isfinite(loops->sum[s->dtype](s->n, y, 1))) return 1;
    for (int64_t i = 0; i < s->n; i++) /* the sum of finite numbers may overflow */
        if (!isfinite(s->dtype == FLOAT32 ? (double)((const float *)y)[i] : ((const double *)y)[i])) return 0;
    return 1;
}

/* ---- times that must be hit ---- */

/* Stop number i along the direction, i < n_stops. */
static const struct stop *stop_number(const struct run *r, int64_t i)
{
    return &r->o->stops[r->direction > 0 ? i : r->o->n_stops - 1 - i];
}

static int is_jump(const struct run *r, double t)
{
    for (int64_t low = 0, high = r->o->n_stops; low < high;) {
        int64_t middle = low + (high - low) / 2;
        if (r->o->stops[middle].t == t) return r->o->stops[middle].jump;
        if (r->o->stops[middle].t < t)
            low = middle + 1;
        else
            high = middle;
    }
    return 0;
}

static void begin_at(struct run *r, double t)
{
    r->t = t;
    r->behind_jump = is_jump(r, t);
    while (r->next_stop < r->o->n_stops && (stop_number(r, r->next_stop)->t - t) * r->direction <= 0)
        r->next_stop++;
}

/* Where the next step has to end at the latest. */
static double target(const struct run *r)
{
    double end = r->end;
    if (r->next_stop < r->o->n_stops) {
        double stop = stop_number(r, r->next_stop)->t;
        if ((end - stop) * r->direction > 0) end = stop;
    }
    return end;
}

/* The step of size h from t to `end`, with the times of its stages on the near sides of jumps. */
static struct step step_to(const struct run *r, double h, double end)
{
    struct step p = {r->behind_jump ? nextafter(r->t, end) : r->t, h,
                     is_jump(r, end) ? nextafter(end, r->t) : end, r->before};
    return (p.end - p.t) * h < 0 ? (struct step){r->t, h, end, r->before}
                                 : p; /* neighbours: there is nothing between */
}

/* ---- steps ---- */

/* y at an output time inside the step, at theta < 1 of it. */
static enum status interpolate(struct run *r, const struct step *p, double theta, char *out)
{
    double w[MAX_CARRY + MAX_K], c[MAX_CARRY];
    const void *carry[MAX_CARRY];
    struct solver *s = r->s;
    int n, others = 0;
    TRY(r->family->dense(s, r->f, &r->o->method, p, theta, 1, w, &n));
    for (int i = 0; i < s->n_carry; i++) {
        if (i == 0 && w[0] == 1) continue;
        c[others] = w[i];
        carry[others++] = s->carry[i];
    }
    if (others > 0)
        loops->combine[s->dtype](s->n, w[0] == 1 ? s->carry[0] : NULL, others, c, carry, s->spare);
    solver_combine(s, others > 0 ? s->spare : s->carry[0], 1, w + s->n_carry, n - s->n_carry, out);
    return STATUS_OK;
}

/* Write the outputs that lie in the step from t to end, whose stages are in k and whose last state is in
 * next. An output time within rounding of the end is the end, so that grids written as 0.1 + 0.2 hit their
 * points. */
static enum status write_outputs(struct run *r, const struct step *p, double end, int64_t step)
{
    struct solver *s = r->s;
    double rounding = 4 * DBL_EPSILON * fmax(fabs(end), fabs(r->t));
    for (; r->next_output < r->n_times && (r->times[r->next_output] - end) * r->direction <= rounding;
         r->next_output++) {
        double at = r->times[r->next_output], theta = fabs(at - end) <= rounding ? 1 : (at - r->t) / p->h;
        char *out = r->out + (size_t)r->next_output * solver_pitch(s);
        if (theta == 1)
            memcpy(out, s->next[0], solver_bytes(s));
        else
            TRY(interpolate(r, p, theta, out));
        if (r->record) {
            r->record->output_step[r->next_output] = step;
            r->record->output_theta[r->next_output] = theta;
        }
    }
    return STATUS_OK;
}

/* Accept the step: outputs, record, and the carry moves on. */
static enum status advance(struct run *r, const struct step *p, double end)
{
    struct solver *s = r->s;
    if (r->record) TRY(record_step(r->record, s, &r->o->method, p));
    TRY(write_outputs(r, p, end, r->stats->accepted));
    if (r->o->adaptive && r->family == &family_explicit)
        stiffness_look(&r->stiffness, s, r->o, p->h, r->stats->accepted);
    for (int i = 0; i < s->n_carry; i++) {
        char *swap = s->carry[i];
        s->carry[i] = s->next[i];
        s->next[i] = swap;
    }
    begin_at(r, end);
    if (r->family->moved) r->family->moved(s, &r->o->method);
    if (r->behind_jump) s->slope_ready = 0;
    r->before = r->behind_jump ? 0 : p->h;
    r->stats->accepted++;
    return STATUS_OK;
}

/* f at the current state, for families that begin a step with it and to choose the first one. */
static enum status ensure_slope(struct run *r)
{
    if (r->s->slope_ready) return STATUS_OK;
    TRY(solver_eval(r->s, r->f, r->behind_jump ? nextafter(r->t, r->end) : r->t, r->s->carry[0], 0));
    r->s->slope_ready = r->family->slope;
    return STATUS_OK;
}

static enum status begin_attempt(struct run *r, double h)
{
    TRY(solver_poll(r->s));
    if (r->stats->steps >= r->o->max_steps) return failure_max_steps(r, h);
    r->stats->steps++;
    return STATUS_OK;
}

/* ---- fixed steps ---- */

enum status solve_grid(const struct solve_options *o, double t0, double end, int64_t *steps)
{
    double size = o->steps ? fabs(end - t0) / (double)o->steps : o->step_size;
    double exact = o->steps ? (double)o->steps : fabs(end - t0) / size,
           resolution = run_smallest_step(fmax(fabs(t0), fabs(end)));
    double sliver = fmax(1e-9 * fmax(1, exact), resolution / size); /* it is not a step of its own */
    double count = isfinite(exact) ? fmax(1, ceil(exact - sliver)) : INFINITY;
    if (!(count <= (double)o->max_steps))
        return status_set(STATUS_NUMERIC,
                          "odeint: the fixed grid needs more than max_steps = %lld steps (%.4g of size %.3g "
                          "over a span of %.3g); use "
                          "larger steps, or raise max_steps",
                          (long long)o->max_steps, count, size, fabs(end - t0));
    if (count > 1 && size < resolution)
        return status_set(STATUS_NUMERIC,
                          "odeint: step size underflow: steps of %.3g do not resolve t near %.9g, where "
                          "float64 numbers are %.2g apart; "
                          "use larger steps, or shift t towards 0",
                          size, end, nextafter(fabs(end), INFINITY) - fabs(end));
    *steps = (int64_t)count;
    return STATUS_OK;
}

static enum status fixed_begin(struct run *r)
{
    double span = r->end - r->t;
    r->clock.first = r->t;
    r->clock.h = r->o->steps ? span / (double)r->o->steps : r->o->step_size * r->direction;
    return solve_grid(r->o, r->t, r->end, &r->clock.n);
}

/* The grid is t0 + k h, not a running sum. */
static struct attempt fixed_next(const struct run *r)
{
    const struct clock *c = &r->clock;
    int64_t i = r->stats->accepted;
    double resolution = 4 * DBL_EPSILON * fmax(fabs(c->first), fabs(r->end));
    double end = i == c->n - 1 ? r->end : c->first + (double)(i + 1) * c->h;
    double size = r->o->steps || i < c->n - 1 ? c->h : r->end - r->t;
    if (fabs(size - c->h) <= resolution)
        size = c->h; /* a step that is short by rounding only is a whole one */
    return (struct attempt){size, end, 0};
}

/* ---- adaptive steps ---- */

static double error_norm(const struct run *r, const struct step *p)
{
    double w[MAX_K], c[MAX_K];
    const char *k[MAX_K];
    int count = 0, n = r->family->error(&r->o->method, p, w);
    for (int j = 0; j < n; j++) {
        if (w[j] == 0) continue;
        c[count] = w[j];
        k[count++] = r->s->k[j];
    }
    return norm_error(r->layout, r->o->norm, r->s->dtype, count, c, k, r->s->carry[0], r->s->next[0],
                      r->o->rtol, r->o->atol);
}

enum status solve_initial_step(struct field *f, const struct state_layout *layout,
                               const struct solve_options *o, double t0, const void *y0, const void *f0,
                               double direction, const struct step *room, void *y1, void *f1, double *h)
{
    double d0 = norm_scaled(layout, o->norm, f->dtype, y0, y0, o->rtol, o->atol);
    double d1 = norm_scaled(layout, o->norm, f->dtype, f0, y0, o->rtol, o->atol);
    double h0 = d0 < 1e-5 || d1 < 1e-5 ? 1e-6 : 0.01 * d0 / d1, t1 = t0 + direction * h0;
    if (room && !(h0 < fabs(room->h))) {
        h0 = fabs(room->h);
        t1 = room->end;
    }
    loops->combine[f->dtype](f->n, y0, 1, (double[]){direction * h0}, (const void *[]){f0}, y1);
    TRY(field_eval(f, t1, y1, f1));
    loops->combine[f->dtype](f->n, f1, 1, (double[]){-1}, (const void *[]){f0}, f1);
    double d2 = norm_scaled(layout, o->norm, f->dtype, f1, y0, o->rtol, o->atol) / h0, slope = fmax(d1, d2);
    double h1 = slope <= 1e-15 ? fmax(1e-6, h0 * 1e-3) : pow(0.01 / slope, o->controller.exponent);
    *h = fmin(100 * h0, h1);
    return STATUS_OK;
}

static enum status first_step(struct run *r, double *h)
{
    TRY(ensure_slope(r));
    if (!run_is_finite(r->s, r->s->k[0])) return failure_not_finite(r, 0, r->s->k[0], "f(t0, y0)");
    *h = r->o->first_step;
    if (*h > 0) return STATUS_OK;
    double most = fabs(target(r) - r->t);
    if (r->o->max_step > 0) most = fmin(most, r->o->max_step);
    struct step room = step_to(r, most * r->direction,
                               most < fabs(target(r) - r->t) ? r->t + most * r->direction : target(r));
    TRY(solve_initial_step(r->f, r->layout, r->o, r->t, r->s->carry[0], r->s->k[0], r->direction,
                           r->o->overshoot ? NULL : &room, r->s->stage_input, r->s->k[1], h));
    *h = fmin(fmax(*h, fmax(run_smallest_step(r->t), r->o->min_step)), fabs(r->end - r->t));
    if (!(*h > 0)) *h = 1e-6 * fabs(r->end - r->t); /* f is NaN or huge at the probe; the loop finds out */
    return STATUS_OK;
}

/* A step of about the size h: landing on what must be hit exactly, and leaving no sliver for a last step. */
static struct attempt plan(const struct run *r, double h)
{
    double goal = target(r), rest = fabs(goal - r->t), most = r->o->max_step > 0 ? r->o->max_step : INFINITY;
    int open = r->o->overshoot && goal == r->end;
    if (h > most) h = most;
    int lands = !open && h >= rest * (1 - STEP_SLIVER) && rest <= most;
    if (lands) return (struct attempt){r->direction * rest, goal, 1};
    if (!open && h >= rest * (1 - STEP_SLIVER)) h = rest / 2; /* max_step forbids to go all the way */
    double end = r->t + r->direction * h, resolved = (end - r->t) * r->direction;
    if (fabs(resolved - h) > STEP_COARSE * h)
        h = resolved; /* t is so large that h is a different one by rounding */
    return (struct attempt){r->direction * h, end, 0};
}

static enum status rejected(struct run *r, const struct attempt *a)
{
    r->stats->rejected++;
    if (r->controller.rejected >= STEP_MOST_REJECTIONS)
        return failure_small_step(r, a->h, "50 rejected steps in a row");
    if (fabs(a->h) <= r->o->min_step) return failure_small_step(r, a->h, "step size underflow");
    return STATUS_OK;
}

static enum status adaptive_begin(struct run *r)
{
    r->controller = r->o->controller;
    controller_reset(&r->controller);
    return first_step(r, &r->clock.h);
}

static enum status adaptive_next(struct run *r, struct attempt *a)
{
    *a = plan(r, r->clock.h);
    return !a->lands && fabs(a->h) < run_smallest_step(r->t)
               ? failure_small_step(r, a->h, "step size underflow")
               : STATUS_OK;
}

/* Is the step good enough, and how long shall the next one be? A step that could not be made counts as one
 * with an infinite error. */
static enum status adaptive_judge(struct run *r, const struct attempt *a, const struct step *p,
                                  enum status made, int *accepted)
{
    double factor, error = made == STATUS_OK ? error_norm(r, p) : INFINITY;
    *accepted = controller_judge(&r->controller, error, &factor);
    double next = fabs(a->h) * factor;
    r->clock.h = fmax(*accepted && a->lands ? fmax(next, r->clock.h) : next,
                      r->o->min_step); /* a stop has made it short, not the error */
    return *accepted ? STATUS_OK : rejected(r, a);
}

/* ---- the loop ---- */

static enum status run(struct run *r)
{
    int adaptive = r->o->adaptive;
    TRY(adaptive ? adaptive_begin(r) : fixed_begin(r));
    while ((r->end - r->t) * r->direction > 0) {
        struct attempt a;
        int accepted = 1;
        if (adaptive)
            TRY(adaptive_next(r, &a));
        else
            a = fixed_next(r);
        struct step step = step_to(r, a.h, a.end);
        TRY(begin_attempt(r, a.h));
        if (r->family->slope) TRY(ensure_slope(r));
        if (adaptive) stiffness_look_again(&r->stiffness, r->s, r->o, r->stats->accepted);
        enum status made = r->family->step(r->s, r->f, &r->o->method, &step);
        if (made != STATUS_OK && made != STATUS_RETRY) return made;
        if (adaptive)
            TRY(adaptive_judge(r, &a, &step, made, &accepted));
        else if (made == STATUS_RETRY)
            return failure_newton(r, a.h);
        if (!accepted) continue;
        if (!run_is_finite(r->s, r->s->next[0])) return failure_not_finite(r, a.h, r->s->next[0], "y");
        TRY(advance(r, &step, a.end));
    }
    return STATUS_OK;
}

enum status solve(struct solver *s, struct field *f, const struct solve_options *o,
                  const struct state_layout *layout, const void *y0, const double *times, int64_t n_times,
                  void *out, struct solve_record *record, struct solve_stats *stats)
{
    int64_t nfe = f->nfe;
    *stats = (struct solve_stats){0};
    TRY(solver_reserve(s, f->n, f->dtype, &o->method));
    s->residuals = NULL;
    if (record) TRY(record_begin(record, s, f, o, n_times));
    struct run r = {.s = s,
                    .f = f,
                    .o = o,
                    .family = o->method.family,
                    .layout = layout,
                    .y0 = y0,
                    .times = times,
                    .n_times = n_times,
                    .next_output = 1,
                    .out = out,
                    .record = record,
                    .stats = stats,
                    .end = times[n_times - 1]};
    r.direction = r.end > times[0] ? 1 : -1;
    begin_at(&r, times[0]);
    memcpy(s->carry[0], y0, solver_bytes(s));
    memcpy(out, y0, solver_bytes(s));
    if (r.family->start) r.family->start(s);
    enum status status = STATUS_OK;
    if (f->n > 0 && !run_is_finite(s, y0)) status = failure_not_finite(&r, 0, y0, "y0");
    if (status == STATUS_OK && f->n == 0) { /* nothing to integrate */
        stats->nfe = 0;
        return STATUS_OK;
    }
    if (status == STATUS_OK && n_times > 1) {
        if (fabs(r.end - r.t) < run_smallest_step(fmax(fabs(r.t), fabs(r.end))))
            status = failure_unresolved(&r);
        else
            status = run(&r);
    }
    s->residuals = NULL;
    stats->nfe = f->nfe - nfe;
    return status;
}
