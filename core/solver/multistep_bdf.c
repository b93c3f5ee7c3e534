/* BDF methods that choose their order, 1 to 5, and their steps: the formulas with the weights of changing
 * steps, solved by Newton's method from what the past predicts. A correction of order q counts as an error of
 * 1 / (q + 1) of it; how corrections shrink is remembered as long as the matrix, so that one may do.
 *
 * With E = y_(n+1) - the polynomial through y_n .. y_(n-q) there, the residual of order q is h / (t_(n+1) -
 * t_(n-q)) E, with equal steps E / (q + 1) (Hairer, Norsett, Wanner I, III.5; Shampine, Reichelt 1997). A
 * matrix I - g df/dy serves while it converges and g is nearly the same, a Jacobian for several of them;
 * corrections are scaled by what g has changed (Hindmarsh et al., SUNDIALS, 2005).
 *
 * A step is made again with the same bits by as many corrections, with the same matrix. That is taken where
 * an attempt at a step was predicted to end; the last vector of the carry is that state, of a step that was
 * made since. */
#include <math.h>
#include <string.h>

#include "base/tuning.h"
#include "kernels/loops.h"
#include "solver/linear.h"
#include "solver/march.h"
#include "solver/multistep.h"
#include "solver/newton.h"

enum { NEW, SLOPE, WORK, FIRST_SLOPE }; /* k */

/* Weights of y_n, ..., y_(n-q) in the polynomial through them at the end of the step; returns where the last
 * one is, in steps before the end. */
static double extrapolation(const struct step *p, int q, double *w)
{
    double x[MULTISTEP_PAST];
    x[0] = 0;
    for (int j = 1; j <= q; j++) x[j] = x[j - 1] - p->before[j - 1] / p->h;
    for (int j = 0; j <= q; j++) {
        w[j] = 1;
        for (int i = 0; i <= q; i++)
            if (i != j) w[j] *= (1 - x[i]) / (x[j] - x[i]);
    }
    return 1 - x[q];
}

/* In the first step, which has no past, y_n + h f_n. */
static void predict_bdf(struct solver *s, const struct step *p, void *out)
{
    double w[MULTISTEP_PAST];
    const void *x[MULTISTEP_PAST], *slope = s->k[FIRST_SLOPE].v;
    if (p->past == 0) {
        loops->combine[s->dtype](s->n, s->carry[0], 1, &p->h, &slope, out);
        return;
    }
    int q = p->order < p->past ? p->order : p->past;
    extrapolation(p, q, w);
    for (int j = 0; j <= q; j++) x[j] = s->carry[j];
    loops->combine[s->dtype](s->n, NULL, q + 1, w, x, out);
}

/* ---- Newton's method ---- */

enum { CONVERGED, SLOW };

/* k[WORK] times `scale` is the correction that k[NEW] got. known: the slope is. */
static enum status correct(struct solver *s, struct field *f, const struct step *p, double g, double scale,
                           int known)
{
    const void *parts[2] = {s->spare, s->k[SLOPE].v}, *correction = s->k[WORK].v;
    if (!known) TRY(field_eval(f, p->end, s->k[NEW].v, s->k[SLOPE].v));
    loops->combine[s->dtype](s->n, s->k[NEW].v, 2, (double[]){-1, -g}, parts, s->k[WORK].v);
    TRY(linear_solve(s->linear, LINEAR_MAIN, 0, s->k[WORK].v));
    loops->combine[s->dtype](s->n, s->k[NEW].v, 1, &scale, &correction, s->k[NEW].v);
    return STATUS_OK;
}

static double scale_of(const struct solver *s, double g) { return -2 / (1 + g / s->linear_g); }

static enum status iterate(struct solver *s, struct field *f, const struct step *p, double g, int known,
                           int *how)
{
    const char *moved = s->k[WORK].v;
    double before = 0, scale = scale_of(s, g), *rate = &s->newton.rate;
    struct newton n;
    newton_begin(&n, s);
    *how = SLOW;
    for (int i = 0; i < n.most && i < BDF_ITERATIONS; i++) {
        double size;
        TRY(correct(s, f, p, g, scale, known && i == 0));
        s->newton.made.iterations = i + 1;
        TRY(march_norm(s->march, 1, &scale, &moved, &size));
        if (!(size < INFINITY) || (i > 0 && size >= before)) return STATUS_OK;
        if (i > 0) *rate = fmax(BDF_RATE * *rate, size / before);
        double left = *rate < 0.5 ? *rate / (1 - *rate) * size : size;
        if (left <= n.tolerance * (p->order + 1)) {
            *how = CONVERGED;
            return STATUS_OK;
        }
        before = size;
    }
    return STATUS_OK;
}

static char *point_of_matrix(char *const *carry, const struct solver *s) { return carry[s->n_carry - 1]; }

/* I - g df/dy with the Jacobian that is there. */
static enum status factor(struct solver *s, double g)
{
    enum status status = linear_factor(s->linear, LINEAR_MAIN, 1, &g, 0);
    s->newton.rate = 1;
    s->newton.made.g = g;
    s->linear_g = status == STATUS_OK ? g : 0;
    s->linear_age = 0;
    return newton_retry(status);
}

/* The same with the Jacobian where the step is predicted to end, in k[NEW]; k[SLOPE] is f there. */
static enum status renew(struct solver *s, struct field *f, const struct step *p, double g)
{
    memcpy(point_of_matrix(s->next, s), s->k[NEW].v, solver_bytes(s));
    s->newton.made = (struct step_newton){.t = p->end, .number = p->number, .h = p->h, .order = p->order};
    s->linear_g = 0;
    TRY(field_eval(f, p->end, s->k[NEW].v, s->k[SLOPE].v));
    TRY(linear_begin(&s->linear, f, s->options->jacobian, s->options->own_jacobian, 1));
    linear_base(s->linear, s->k[SLOPE].v);
    TRY(newton_retry(linear_jacobian(s->linear, f, 0, p->end, s->k[NEW].v)));
    return factor(s, g);
}

/* The sum of the formula without its slope, and where the step is predicted to end, also in next[0]. */
static enum status begin(struct solver *s, struct field *f, const struct step *p, const struct formula *c)
{
    const void *x[MULTISTEP_PAST];
    if (p->past == 0 && !s->slope_ready) {
        TRY(solver_eval(s, f, p->t, s->carry[0], FIRST_SLOPE));
        s->slope_ready = 1;
    }
    for (int j = 0; j < p->order; j++) x[j] = s->carry[j];
    loops->combine[s->dtype](s->n, NULL, p->order, c->y, x, s->spare);
    predict_bdf(s, p, s->next[0]);
    memcpy(s->k[NEW].v, s->next[0], solver_bytes(s));
    return STATUS_OK;
}

enum status bdf_step(struct solver *s, struct field *f, const struct multistep *m, const struct step *p)
{
    struct formula c;
    int how;
    formula_make(m, p, &c);
    TRY(begin(s, f, p, &c));
    int fresh = s->linear_g == 0 || p->number - s->newton.made.number >= BDF_JACOBIAN_AGE;
    if (fresh)
        TRY(renew(s, f, p, c.slope));
    else if (!(fabs(c.slope / s->linear_g - 1) < BDF_SAME && s->linear_age < BDF_AGE))
        TRY(factor(s, c.slope));
    TRY(iterate(s, f, p, c.slope, fresh, &how));
    if (how == SLOW && !fresh) {
        memcpy(s->k[NEW].v, s->next[0], solver_bytes(s));
        TRY(renew(s, f, p, c.slope));
        TRY(iterate(s, f, p, c.slope, 1, &how));
    }
    if (how == SLOW) return STATUS_RETRY;
    s->linear_age++;
    memcpy(s->next[0], s->k[NEW].v, solver_bytes(s));
    if (s->newton.made.number != p->number)
        memcpy(point_of_matrix(s->next, s), point_of_matrix(s->carry, s), solver_bytes(s));
    return STATUS_OK;
}

static enum status matrix_again(struct solver *s, struct field *f, const struct step *p)
{
    const struct step_newton *n = &p->newton, *there = &s->newton.made;
    struct step attempt = *p;
    char *at = point_of_matrix(s->next, s);
    attempt.h = n->h;
    attempt.end = n->t;
    attempt.order = n->order;
    if (n->number == p->number)
        predict_bdf(s, &attempt, at);
    else
        memcpy(at, point_of_matrix(s->carry, s), solver_bytes(s));
    if (s->linear_g == n->g && there->t == n->t && there->number == n->number) return STATUS_OK;
    s->linear_g = 0;
    TRY(linear_set(&s->linear, LINEAR_MAIN, f, n->t, at, n->g));
    s->linear_g = n->g;
    s->newton.made = *n;
    return STATUS_OK;
}

enum status bdf_again(struct solver *s, struct field *f, const struct multistep *m, const struct step *p)
{
    struct formula c;
    formula_make(m, p, &c);
    TRY(begin(s, f, p, &c));
    TRY(matrix_again(s, f, p));
    for (int i = 0; i < p->newton.iterations; i++) TRY(correct(s, f, p, c.slope, scale_of(s, c.slope), 0));
    memcpy(s->next[0], s->k[NEW].v, solver_bytes(s));
    return STATUS_OK;
}

/* ---- errors, order and size ---- */

static enum status error_of_order(const struct march *m, const struct step *p, int q, double *norm)
{
    const struct solver *s = m->s;
    double w[MULTISTEP_PAST + 1], c;
    const char *v[MULTISTEP_PAST + 1];
    if (p->past == 0) {
        double first[3] = {0.5, -0.5, -0.5 * p->h};
        return march_norm(m, 3, first, (const char *[]){s->next[0], s->carry[0], s->k[FIRST_SLOPE].v}, norm);
    }
    if (q > p->past) q = p->past; /* behind a cut of the past */
    c = 1 / extrapolation(p, q, w + 1);
    w[0] = c;
    v[0] = s->next[0];
    for (int j = 0; j <= q; j++) {
        w[1 + j] *= -c;
        v[1 + j] = s->carry[j];
    }
    return march_norm(m, q + 2, w, v, norm);
}

enum status bdf_error(const struct march *m, const struct step *p, double *norm)
{
    return error_of_order(m, p, p->order, norm);
}

static double factor_of(double error, int q) { return pow(fmax(error, 1e-10), -1.0 / (q + 1)); }

/* Is order q better than what was found before? Its error counts `caution` times. */
static enum status consider(const struct march *m, const struct step *p, int q, double caution, double *best,
                            int *order)
{
    double error;
    TRY(error_of_order(m, p, q, &error));
    double factor = factor_of(caution * error, q);
    if (factor <= *best) return STATUS_OK;
    *best = factor;
    *order = q;
    return STATUS_OK;
}

static enum status choose(struct march *m, const struct step *p, double *factor)
{
    struct clock *c = &m->clock;
    int q = p->order, most = made_by(&m->o->method, p)->multistep.order;
    double best = 0;
    if (m->o->max_order > 0 && m->o->max_order < most) most = (int)m->o->max_order;
    TRY(consider(m, p, q, BDF_CAUTION, &best, &c->order));
    if (q > 1) TRY(consider(m, p, q - 1, BDF_CAUTION, &best, &c->order));
    if (q < most && p->past > q) TRY(consider(m, p, q + 1, BDF_CAUTION_UP, &best, &c->order));
    *factor = fmin(m->o->controller.safety * best, BDF_MOST_GROWTH);
    return STATUS_OK;
}

enum status bdf_adapt(struct march *m, const struct step *p, int accepted, double wanted)
{
    struct clock *c = &m->clock;
    double factor = 1;
    if (!accepted) {
        c->steady = 0;
        if (c->controller.rejected > 2 && c->order > 1) c->order--;
        return STATUS_OK; /* the controller has shortened it */
    }
    if (++c->steady > p->order) {
        TRY(choose(m, p, &factor));
        if (factor >= 1 && factor < BDF_LEAST_GROWTH && c->order == p->order) factor = 1;
        if (factor != 1 || c->order != p->order) c->steady = 0;
    }
    c->h = fabs(p->h) * factor;
    if (c->lands) c->h = fmin(fmax(c->h, wanted), BDF_MOST_GROWTH * fabs(p->h));
    return STATUS_OK;
}
