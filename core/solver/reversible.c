/* Reversible methods: steps that algebra takes back, whatever f is. The carry is y, the slope that the step
 * begins with, and for reversible_heun a second state; k[0] is that slope, k[1] the new one.
 *
 *   alf               k_1 = f(t + h/2, y + h/2 k_0)       y' = y + h k_1             slope' = 2 k_1 - k_0
 *   reversible_heun   z' = 2 y - z + h k_0,               y' = y + h/2 (k_0 + k_1)   slope' = k_1
 *                     k_1 = f(t + h, z')
 *
 * (alf: the asynchronous leapfrog of Mutze 2013, in MALI by Zhuang et al. 2021, algorithm 2;
 * reversible_heun: Kidger et al. 2021, algorithm 1.) Both are a Runge-Kutta tableau of two stages whose first
 * slope is handed on rather than evaluated: their weights, error (against Euler's step) and interpolant are
 * the tableau's. A first step, and one behind a jump, begins with f(t, y) and z = y.
 *
 * Backwards in time: alf has k_1 = (slope' + k_0) / 2 at y' - h/2 slope', reversible_heun z = 2 y' - z' - h
 * k_1; what is recomputed so differs from the steps by rounding alone. */
#include <string.h>

#include "kernels/loops.h"
#include "solver/backward.h"
#include "solver/family.h"

static const struct tableau tableaus[] = {
    {.name = "alf",
     .order = 2,
     .error_order = 1,
     .stages = 2,
     .interpolation = INTERPOLATE_QUADRATIC,
     .carries = 2,
     .c = {0, 0.5},
     .a = {{0}, {0.5}},
     .b = {0, 1},
     .e = {-1, 1}},
    {.name = "reversible_heun",
     .order = 2,
     .error_order = 1,
     .stages = 2,
     .interpolation = INTERPOLATE_QUADRATIC,
     .carries = 3,
     .c = {0, 1},
     .a = {{0}, {1}},
     .b = {0.5, 0.5},
     .e = {-0.5, 0.5}},
};

const struct tableau_list tableaus_reversible = {tableaus, sizeof tableaus / sizeof *tableaus,
                                                 &family_reversible};

static int begins(const struct step *p) { return p->past == 0; }
static int has_second(const struct method *m) { return m->rk.carries > 2; }

static void reversible_sizes(const struct method *m, int *n_carry, int *n_k)
{
    *n_carry = m->rk.carries;
    *n_k = m->rk.stages;
}

/* k[0] */
static enum status first_slope(struct solver *s, struct field *f, const struct step *p)
{
    if (begins(p)) return s->slope_ready ? STATUS_OK : solver_eval(s, f, p->t, s->carry[0], 0);
    memcpy(s->k[0].v, s->carry[1], solver_bytes(s));
    return STATUS_OK;
}

/* What k[1] is evaluated at, in next[2] where there is a second state. */
static const void *input(struct solver *s, const struct method *m, const struct step *p)
{
    void *out = has_second(m) ? s->next[2] : s->stage_input;
    const void *x[] = {s->carry[0], has_second(m) ? s->carry[2] : NULL, s->k[0].v};
    if (has_second(m) && !begins(p))
        loops->combine[s->dtype](s->n, NULL, 3, (double[]){2, -1, p->h * m->rk.a[1][0]}, x, out);
    else
        solver_combine(s, s->carry[0], p->h, m->rk.a[1], 1, out);
    return out;
}

static enum status reversible_step(struct solver *s, struct field *f, const struct method *m,
                                   const struct step *p)
{
    TRY(first_slope(s, f, p));
    s->slope_ready = begins(p); /* also when the step is rejected */
    TRY(solver_eval(s, f, step_time(p, m->rk.c[1]), input(s, m, p), 1));
    solver_combine(s, s->carry[0], p->h, m->rk.b, 2, s->next[0]);
    if (has_second(m))
        memcpy(s->next[1], s->k[1].v, solver_bytes(s));
    else
        solver_combine(s, NULL, 1, (double[]){-1, 2}, 2, s->next[1]);
    return STATUS_OK;
}

/* k[0] or k[1] is the slope at the end, the other one is evaluated. */
static enum status undo_alf(struct solver *s, struct field *f, const struct method *m, const struct step *p)
{
    memcpy(s->k[0].v, s->next[1], solver_bytes(s));
    solver_combine(s, s->next[0], -p->h, m->rk.a[1], 1, s->stage_input);
    TRY(solver_eval(s, f, step_time(p, m->rk.c[1]), s->stage_input, 1));
    solver_combine(s, s->next[0], -p->h, m->rk.b, 2, s->carry[0]);
    solver_combine(s, NULL, 1, (double[]){-1, 2}, 2, s->carry[1]);
    return STATUS_OK;
}

static enum status undo_heun(struct solver *s, struct field *f, const struct method *m, const struct step *p)
{
    const void *x[] = {s->next[0], s->next[2], s->next[1]};
    memcpy(s->k[1].v, s->next[1], solver_bytes(s));
    loops->combine[s->dtype](s->n, NULL, 3, (double[]){2, -1, -p->h * m->rk.a[1][0]}, x, s->carry[2]);
    TRY(solver_eval(s, f, p->t, s->carry[2], 0));
    solver_combine(s, s->next[0], -p->h, m->rk.b, 2, s->carry[0]);
    memcpy(s->carry[1], s->k[0].v, solver_bytes(s));
    return STATUS_OK;
}

static enum status reversible_undo(struct solver *s, struct field *f, const struct method *m,
                                   const struct step *p)
{
    s->slope_ready = 0;
    return has_second(m) ? undo_heun(s, f, m, p) : undo_alf(s, f, m, p);
}

static enum status reversible_again(struct solver *s, struct field *f, const struct method *m,
                                    const struct step *p, enum again what, int have)
{
    (void)have;
    s->slope_ready = 0;
    return what == AGAIN_BACK ? first_slope(s, f, p) : reversible_step(s, f, m, p);
}

/* The carry says what k[0] is, and nothing reads k[1]. */
static int reversible_kept(const struct method *m)
{
    (void)m;
    return 0;
}

static int reversible_error(const struct method *m, const struct step *p, double *w)
{
    for (int j = 0; j < 2; j++) w[j] = p->h * m->rk.e[j];
    return 2;
}

static enum status reversible_dense(struct solver *s, struct field *f, const struct method *m,
                                    const struct step *p, double theta, int evaluate, double *w, int *n)
{
    (void)s, (void)f, (void)evaluate;
    w[0] = 1;
    for (int c = 1; c < m->rk.carries; c++) w[c] = 0;
    *n = tableau_interpolate(&m->rk, theta, w + m->rk.carries);
    for (int j = 0; j < *n; j++) w[m->rk.carries + j] *= p->h;
    *n += m->rk.carries;
    return STATUS_OK;
}

static void reversible_moved(struct solver *s, const struct method *m, const struct step *p)
{
    (void)m, (void)p;
    s->slope_ready = 0;
}

/* ---- backwards ---- */

/* b->kbar = cotangent of k[i], from outside and `a` of the cotangent of the input of k[1]. */
static void slope_bar(struct backward *b, int i, double a)
{
    struct backward_sum sum;
    backward_sum_begin(&sum, b, i);
    if (a != 0) backward_sum_add(&sum, b, a, b->k_bar[1]);
    if (!backward_sum_end(&sum, b)) memset(b->kbar, 0, b->bytes);
}

/* The first slope was f(t, y), the second state y. */
static enum status begin_back(struct backward *b, const struct step *p)
{
    struct solver *s = b->s;
    TRY(backward_vjp(b, p->t, s->carry[0], s->k[0].kept, b->kbar, b->k_bar[0]));
    backward_add(b, s->n, 1, b->k_bar[0], b->carry_bar[0]);
    for (int c = 1; c < s->n_carry; c++) memset(b->carry_bar[c], 0, b->bytes);
    return STATUS_OK;
}

/* Where the size of a step is differentiated, its field is scaled (backward_times.h), and so is the slope
 * that it is handed, and the one that it hands on. */
static void slopes_by_size(struct backward *b, double c, const void *bar, int n, const double *w,
                           const void *const *slope)
{
    for (int i = 0; i < n && b->times.exact; i++) b->times.scale += c * w[i] * backward_dot(b, bar, slope[i]);
}

static enum status reversible_back(struct backward *b, const struct step *p)
{
    const struct method *m = &b->o->method;
    struct solver *s = b->s;
    int second = has_second(m);
    TRY(backward_from(b, b->carry_bar[0], (double[]){p->h * m->rk.b[0], p->h * m->rk.b[1]}, 2));
    const double next[] = {second ? 0 : -1, second ? 1 : 2};
    TRY(backward_from(b, b->carry_bar[1], next, 2));
    slope_bar(b, 1, 0);
    TRY(backward_vjp(b, step_time(p, m->rk.c[1]), input(s, m, p), s->k[1].kept, b->kbar, b->k_bar[1]));
    slopes_by_size(b, -1, b->carry_bar[1], 2, next, (const void *[]){s->k[0].v, b->times.slope});
    if (second) backward_add(b, s->n, 1, b->carry_bar[2], b->k_bar[1]);
    slope_bar(b, 0, p->h * m->rk.a[1][0]);
    backward_add(b, s->n, second && !begins(p) ? 2 : 1, b->k_bar[1], b->carry_bar[0]);
    if (begins(p)) return begin_back(b, p);
    memcpy(b->carry_bar[1], b->kbar, b->bytes);
    slopes_by_size(b, 1, b->kbar, 1, (double[]){1}, (const void *[]){s->carry[1]});
    if (second)
        loops->combine[s->dtype](s->n, NULL, 1, (double[]){-1}, (const void *[]){b->k_bar[1]},
                                 b->carry_bar[2]);
    return STATUS_OK;
}

const struct family family_reversible = {.name = "reversible",
                                         .stability = "imaginary",
                                         .slope = 1,
                                         .by_times = 2,
                                         .sizes = reversible_sizes,
                                         .step = reversible_step,
                                         .again = reversible_again,
                                         .undo = reversible_undo,
                                         .kept = reversible_kept,
                                         .error = reversible_error,
                                         .dense = reversible_dense,
                                         .moved = reversible_moved,
                                         .back = reversible_back};
