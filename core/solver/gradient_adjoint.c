#include <math.h>
#include <string.h>

#include "base/memory.h"
#include "base/tuning.h"
#include "kernels/loops.h"
#include "solver/family.h"
#include "solver/gradient.h"

/* The augmented field z = (y, a, thetabar): dz/dt = (f, -a^T df/dy, -a^T df/dtheta). With a record of the
 * forward solve, z = (a, thetabar) and y(t) comes from the interpolant of the step that t lies in. */
struct augmented {
    struct field base;
    struct field *inner;
    const struct solve_record *record; /* NULL: y is part of z */
    const struct method *m;
    struct solver *s; /* holds the stages of `step`, when there is a record */
    int64_t step;
    size_t pitch; /* from one output to the next */
};

/* y(t) in the solver's spare vector. */
static enum status forward_state(struct augmented *g, double t)
{
    const struct solve_record *r = g->record;
    double direction = r->steps[0].h > 0 ? 1 : -1;
    int64_t step = g->step < 0 ? r->n - 1 : g->step;
    while (step > 0 && (t - r->steps[step].t) * direction < 0) step--;
    while (step + 1 < r->n && (t - r->steps[step + 1].t) * direction > 0) step++;
    if (step != g->step) {
        g->step = step;
        enum status status =
            g->m->family->again(g->s, g->inner, g->m, &r->steps[step], AGAIN_ALL, record_load(r, g->s, step));
        if (status != STATUS_OK) {
            g->step = -1;
            return status;
        }
    }
    const struct step *p = &r->steps[step];
    double theta = fmin(fmax((t - p->t) / p->h, 0), 1);
    return solver_interpolate(g->s, g->inner, g->m, p, theta, g->s->spare);
}

static enum status augmented_eval(struct field *self, double t, const void *z, void *dz)
{
    struct augmented *g = (struct augmented *)self;
    struct field *f = g->inner;
    size_t bytes = (size_t)f->n * dtype_size(f->dtype), a = g->record ? 0 : bytes;
    char *ybar = (char *)dz + a;
    if (g->record) TRY(forward_state(g, t));
    TRY(field_vjp(f, t, g->record ? g->s->spare : z, (const char *)z + a, g->record ? NULL : dz, ybar,
                  ybar + bytes));
    const void *negative = ybar;
    loops->combine[f->dtype](f->n + f->n_theta, NULL, 1, (double[]){-1}, &negative, ybar);
    return STATUS_OK;
}

/* How far y is from the stored state, in tolerances, by the norm of the solve. */
static double reconstruction_error(const struct field *f, const struct solve_options *o,
                                   const struct state_layout *layout, const void *y, const void *stored,
                                   void *difference)
{
    struct state_layout one = *layout;
    one.copies = 1;
    one.extra = 0;
    one.rtols = one.atols = NULL;
    loops->combine[f->dtype](f->n, y, 1, (double[]){-1}, &stored, difference);
    return norm_scaled(&one, o->norm, f->dtype, difference, stored, o->adjoint_rtol, o->adjoint_atol);
}

static enum status one_interval(struct solver *s, struct augmented *g, const struct solve_options *o,
                                const struct state_layout *layout, double from, double to, const void *stored,
                                char *z, char *out)
{
    struct solve_stats part;
    const struct field *f = g->inner;
    size_t z_bytes = (size_t)g->base.n * dtype_size(f->dtype);
    enum status status = solve(s, &g->base, o, layout, z, (double[]){from, to}, 2, out, NULL, &part);
    if (status != STATUS_OK && g->record)
        return status_prefix(status, "continuous adjoint, from t = %.6g to %.6g", from, to);
    if (status != STATUS_OK)
        return status_prefix(
            status,
            "continuous adjoint: backward reconstruction of y from t = %.6g to %.6g failed (gradient = "
            "\"direct\" needs none)",
            from, to);
    memcpy(z, out + z_bytes, z_bytes);
    if (g->record) return STATUS_OK;
    double error = reconstruction_error(f, o, layout, z, stored, out);
    if (!(error <= (o->adaptive ? 1 : ADJOINT_FIXED_STEP_ALLOWANCE) * o->reconstruction_limit))
        return status_fail(
            STATUS_NUMERIC, "reconstruction",
            "use gradient = \"direct\" or \"interpolated\", or tighter tolerances",
            "continuous adjoint: backward reconstruction of y off by %.3g tolerances at t = %.6g; the "
            "flow cannot be run backwards accurately, so this gradient would be wrong",
            error, to);
    return STATUS_OK;
}

static struct solve_options backward_options(const struct solve_options *o, const double *times,
                                             int64_t n_times)
{
    struct solve_options back = *o;
    back.rtol = o->adjoint_rtol;
    back.atol = o->adjoint_atol;
    back.overshoot = 0;
    back.observers = NULL;
    back.own_norm = NULL;
    back.on_step = back.path = NULL;
    back.return_failures = 0;
    back.events = NULL;
    if (o->steps > 0) { /* the grid of the forward solve, whatever the output times are */
        back.step_size = fabs(times[n_times - 1] - times[0]) / (double)o->steps;
        back.steps = 0;
    }
    return back;
}

/* y and its cotangent alike; theta by itself, so that it does not drown them. */
static struct state_layout backward_layout(const struct state_layout *layout, const struct augmented *g)
{
    struct state_layout parts = *layout;
    parts.controlled = g->inner->n;
    parts.copies = g->record ? 1 : 2;
    parts.extra = g->inner->n_theta;
    parts.rtols = parts.atols = NULL; /* adjoint_rtol and adjoint_atol are numbers */
    return parts;
}

/* bar = a . f(t, y): an output that comes later by dt moves by f dt. */
static enum status by_time(struct augmented *g, double t, const void *y, const void *a, void *slope,
                           double *bar)
{
    struct field *f = g->inner;
    TRY(field_eval(f, t, y, slope));
    *bar = 0;
    for (int64_t i = 0; i < f->n; i++)
        *bar += f->dtype == FLOAT32 ? (double)((const float *)a)[i] * (double)((const float *)slope)[i]
                                    : ((const double *)a)[i] * ((const double *)slope)[i];
    return STATUS_OK;
}

/* The solves of all intervals, the last first. z begins as zeros and ends as what it is at times[0], without
 * the cotangent that arrives there. `out` is room for two z. */
static enum status all_intervals(struct solver *s, struct augmented *g, const struct solve_options *o,
                                 const struct state_layout *layout, const struct gradient_times *given,
                                 const char *y, const char *ybar, char *z, char *out)
{
    const double *times = given->t;
    int64_t n_times = given->n;
    const struct field *f = g->inner;
    size_t bytes = (size_t)f->n * dtype_size(f->dtype), own = g->record ? 0 : bytes, pitch = g->pitch;
    struct solve_options back = backward_options(o, times, n_times);
    struct state_layout parts = backward_layout(layout, g);
    for (int64_t i = n_times - 1; i > 0; i--) {
        const void *cotangent = ybar + (size_t)i * pitch;
        if (given->bar) TRY(by_time(g, times[i], y + (size_t)i * pitch, cotangent, out, &given->bar[i]));
        memcpy(z, y + (size_t)i * pitch, own);
        loops->combine[f->dtype](f->n, z + own, 1, (double[]){1}, &cotangent, z + own);
        TRY(one_interval(s, g, &back, &parts, times[i], times[i - 1], y + (size_t)(i - 1) * pitch, z, out));
    }
    if (!given->bar) return STATUS_OK;
    TRY(by_time(g, times[0], y, z + own, out, &given->bar[0]));
    given->bar[0] = -given->bar[0];
    return STATUS_OK;
}

enum status gradient_adjoint(struct solver *forward, struct field *f, const struct solve_options *o,
                             const struct state_layout *layout, const struct solve_record *record,
                             const struct gradient_times *times, const void *y, const void *ybar, void *y0bar,
                             void *thetabar, struct solve_stats *stats)
{
    if (o->adaptive && o->adjoint_atol == 0)
        return status_set(
            STATUS_ARGUMENT,
            "odeint: the cotangents of a continuous adjoint begin as zeros, which a relative tolerance alone "
            "cannot judge; give adjoint_atol > 0 (or atol > 0)");
    int64_t n = (record ? 1 : 2) * f->n + f->n_theta, before = f->nfe + f->nfe_vjp;
    static const struct field_type type = {.name = "the augmented field of a continuous adjoint",
                                           .eval = augmented_eval};
    struct augmented g = {.base = {.type = &type, .n = n, .dtype = f->dtype},
                          .inner = f,
                          .record = record,
                          .m = &o->method,
                          .s = forward,
                          .step = -1,
                          .pitch = solver_pitch(forward)};
    size_t size = dtype_size(f->dtype), bytes = (size_t)f->n * size, theta_bytes = (size_t)f->n_theta * size,
           z_bytes = (size_t)n * size;
    memset(thetabar, 0, theta_bytes);
    if (f->n == 0) return STATUS_OK;
    if (record) TRY(solver_reserve(forward, f->n, f->dtype, &o->method));
    if (!forward->adjoint && !(forward->adjoint = memory_zalloc(1, sizeof *forward->adjoint)))
        return memory_status();
    char *z = solver_backward(forward, 3 * z_bytes);
    if (!z) return memory_status();
    memset(z, 0, 3 * z_bytes);
    enum status status = all_intervals(forward->adjoint, &g, o, layout, times, y, ybar, z, z + z_bytes);
    stats->nfe_backward = f->nfe + f->nfe_vjp - before;
    TRY(status);
    const char *a = z + (record ? 0 : bytes);
    loops->combine[f->dtype](f->n, a, 1, (double[]){1}, &ybar, y0bar);
    memcpy(thetabar, a + bytes, theta_bytes);
    return STATUS_OK;
}
