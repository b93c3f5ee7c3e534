/* Fully implicit Runge-Kutta methods: the carry is y, the k are the stages, which are solved for together.
 *
 * The unknowns are the k: k_i = f(t_i, Y_i), Y_i = y + h sum_j a_ij k_j, so that any A will do. Newton's
 * correction solves d_i - h J_i sum_j a_ij d_j = k_i - f(t_i, Y_i); what a stiff f blurs there, the matrix
 * takes back. Backwards the same system, transposed, turns cotangents of the k into those of f at the stages
 * (Hairer, Wanner, Solving ODEs II, IV.8; Sanz-Serna 2016).
 *
 * To rounding each stage has its own Jacobian, made anew while iterations converge slowly. Loose (newton.h):
 * one for all, at the beginning; the carry has its state and the k of the step before, whose polynomial says
 * where to begin. Behind the k are those that only its interpolant needs (coupled_rows.h), f at the
 * beginning, the error, filtered, and the corrections. */
#include <float.h>
#include <math.h>
#include <string.h>

#include "base/tuning.h"
#include "kernels/loops.h"
#include "solver/coupled_rows.h"
#include "solver/implicit.h"
#include "solver/linear.h"
#include "solver/newton.h"
#include "solver/options.h"

/* Stages of the step before in the carry, if there is room. */
static int remembered(const struct method *m)
{
    return m->loose && m->rk.stages <= MAX_CARRY - 2 ? m->rk.stages : 0;
}

static void coupled_sizes(const struct method *m, int *n_carry, int *n_k)
{
    *n_carry = 1 + m->loose + remembered(m);
    *n_k = 2 * m->rk.stages + m->rk.extra + CORRECTION;
}

static int coupled_memory(const struct method *m) { return m->loose + remembered(m); }

/* ---- Newton's method ---- */

static double length(const struct solver *s, const void *x)
{
    return sqrt(loops->scaled_sum[s->dtype](s->n, x, x, 0, 1));
}

static void system_matrix(const struct method *m, double h, double *A)
{
    for (int i = 0; i < m->rk.stages; i++)
        for (int j = 0; j < m->rk.stages; j++) A[i * m->rk.stages + j] = h * m->rk.a[i][j];
}

static void stage_state(struct solver *s, const struct method *m, const struct step *p, int i)
{
    solver_combine(s, s->carry[0], p->h, m->rk.a[i], m->rk.stages, s->stage_input);
}

/* k_i - f(t_i, Y_i), into the corrections; anew: with the Jacobian of each stage. whole: the length of y and
 * all Y. */
static enum status residuals(struct solver *s, struct field *f, const struct method *m, const struct step *p,
                             int anew, double *whole)
{
    *whole = m->loose ? 0 : length(s, s->carry[0]); /* stages of stiff problems may be far smaller than y */
    for (int i = 0; i < m->rk.stages; i++) {
        double t = step_time(p, m->rk.c[i]);
        char *out = coupled_work(s, m, CORRECTION + i);
        stage_state(s, m, p, i);
        TRY(field_eval(f, t, s->stage_input, out));
        if (anew) TRY(linear_jacobian(s->linear, f, i, t, s->stage_input));
        const void *slope = out;
        loops->combine[s->dtype](s->n, s->k[i].v, 1, (double[]){-1}, &slope, out);
        if (!m->loose) *whole = hypot(*whole, length(s, s->stage_input));
    }
    return STATUS_OK;
}

/* Solve for the corrections, and apply them. */
static enum status correct(struct solver *s, const struct method *m)
{
    void *x[MAX_STAGES];
    for (int i = 0; i < m->rk.stages; i++) x[i] = coupled_work(s, m, CORRECTION + i);
    TRY(linear_solve_stages(s->linear, LINEAR_MAIN, 0, x));
    for (int i = 0; i < m->rk.stages; i++)
        loops->combine[s->dtype](s->n, s->k[i].v, 1, (double[]){-1}, (const void *const *)&x[i], s->k[i].v);
    return STATUS_OK;
}

static enum status solve_to_rounding(struct solver *s, struct field *f, const struct method *m,
                                     const struct step *p)
{
    double A[MAX_STAGES * MAX_STAGES], epsilon = s->dtype == FLOAT32 ? FLT_EPSILON : DBL_EPSILON, before = 0;
    system_matrix(m, p->h, A);
    for (int i = 0, fresh = 0; i < s->options->max_newton; i++) {
        double whole, size = 0;
        TRY(residuals(s, f, m, p, !fresh, &whole));
        TRY(linear_factor(s->linear, LINEAR_MAIN, m->rk.stages, A, 1));
        TRY(correct(s, m));
        fresh = 1;
        for (int j = 0; j < m->rk.stages; j++)
            size = hypot(size, fabs(p->h) * length(s, coupled_work(s, m, CORRECTION + j)));
        if (!isfinite(size)) return STATUS_RETRY;
        if (size <= 2 * epsilon * whole || (size >= before / 2 && size <= NEWTON_ROUNDING * epsilon * whole))
            return STATUS_OK;
        if (size > NEWTON_SLOW * before) fresh = 0;
        before = size;
    }
    return STATUS_RETRY;
}

/* Root mean square over the stages of h d, in tolerances. */
static double correction_size(const struct solver *s, const struct method *m, double h)
{
    double sum = 0;
    for (int i = 0; i < m->rk.stages; i++) {
        double size = h * newton_size(s, coupled_work(s, m, CORRECTION + i));
        sum += size * size;
    }
    return sqrt(sum / m->rk.stages);
}

static enum status solve_loosely(struct solver *s, struct field *f, const struct method *m,
                                 const struct step *p)
{
    struct newton n;
    enum newton_says says = NEWTON_GO_ON;
    double whole, A[MAX_STAGES * MAX_STAGES];
    system_matrix(m, p->h, A);
    TRY(newton_retry(linear_factor(s->linear, LINEAR_MAIN, m->rk.stages, A, 0)));
    newton_begin(&n, s);
    n.spare = NEWTON_ROUNDS;
    while (says == NEWTON_GO_ON) {
        TRY(residuals(s, f, m, p, 0, &whole));
        TRY(newton_retry(correct(s, m)));
        says = newton_judge(&n, correction_size(s, m, p->h));
    }
    if (says == NEWTON_FAILS) return STATUS_RETRY;
    newton_end(&n, s);
    s->newton.eta = n.eta;
    return STATUS_OK;
}

/* ---- steps ---- */

/* Slopes of the polynomial of the step before, continued to the stages of this one. */
static void continue_slopes(struct solver *s, const struct method *m, const struct step *p)
{
    const struct tableau *rk = &m->rk;
    const void *before[MAX_STAGES];
    for (int j = 0; j < rk->stages; j++) before[j] = s->carry[2 + j];
    for (int i = 0; i < rk->stages; i++) {
        double w[MAX_STAGES], at = 1 + rk->c[i] * p->h / p->before[0];
        for (int j = 0; j < rk->stages; j++) {
            w[j] = 0;
            for (int d = MAX_DEGREE - 1; d >= 0; d--) w[j] = w[j] * at + (d + 1) * rk->plain[d][j];
        }
        loops->combine[s->dtype](s->n, NULL, rk->stages, w, before, s->k[i].v);
    }
}

static void begin_iterations(struct solver *s, const struct method *m, const struct step *p)
{
    if (remembered(m) > 0 && p->past > 0) {
        continue_slopes(s, m, p);
        return;
    }
    for (int i = 0; i < m->rk.stages; i++) memset(s->k[i].v, 0, solver_bytes(s));
}

static enum status to_rounding(struct solver *s, struct field *f, const struct method *m,
                               const struct step *p)
{
    begin_iterations(s, m, p);
    TRY(solve_to_rounding(s, f, m, p));
    solver_combine(s, s->carry[0], p->h, m->rk.b, m->rk.stages, s->next[0]);
    return STATUS_OK;
}

/* Slope in the place of f at the beginning; the error, filtered, follows from it. */
static enum status make_error(struct solver *s, const struct method *m, const struct step *p,
                              const char *slope)
{
    const struct tableau *rk = &m->rk;
    double start = p->h * rk->e_start, g = p->h * rk->filter;
    char *error = coupled_work(s, m, ERROR);
    const void *at_start = slope;
    solver_combine(s, NULL, p->h, rk->e, rk->stages, error);
    if (start != 0) loops->combine[s->dtype](s->n, error, 1, &start, &at_start, error);
    if (g == 0) return STATUS_OK;
    TRY(newton_retry(linear_factor(s->linear, LINEAR_FILTER, 1, &g, 0)));
    return newton_retry(linear_solve_stages(s->linear, LINEAR_FILTER, 0, (void *[]){error}));
}

/* f at the beginning, where the error takes it. */
static enum status make_start(struct solver *s, struct field *f, const struct method *m, const struct step *p)
{
    if (m->rk.e_start != 0 && !s->slope_ready)
        TRY(field_eval(f, p->t, s->carry[0], coupled_work(s, m, START)));
    s->slope_ready = 1;
    return STATUS_OK;
}

/* In a first step, and after a rejection, a large error is estimated once more with f at y - error, which
 * damps what the filter leaves of a stiff transient (HW IV.8). */
static enum status estimate(struct solver *s, struct field *f, const struct method *m, const struct step *p)
{
    int again = p->past == 0 || s->newton.rejected == p->t;
    char *error = coupled_work(s, m, ERROR), *slope = coupled_work(s, m, CORRECTION);
    const void *correction = error;
    TRY(make_start(s, f, m, p));
    TRY(make_error(s, m, p, coupled_work(s, m, START)));
    if (m->rk.e_start == 0 || newton_size(s, error) < 1) return STATUS_OK;
    s->newton.rejected = p->t;
    if (!again) return STATUS_OK;
    loops->combine[s->dtype](s->n, s->carry[0], 1, (double[]){-1}, &correction, s->stage_input);
    TRY(field_eval(f, p->t, s->stage_input, slope));
    return make_error(s, m, p, slope);
}

static enum status attempt(struct solver *s, struct field *f, const struct method *m, const struct step *p)
{
    begin_iterations(s, m, p);
    TRY(solve_loosely(s, f, m, p));
    solver_combine(s, s->carry[0], p->h, m->rk.b, m->rk.stages, s->next[0]);
    for (int i = 0; i < remembered(m); i++) memcpy(s->next[2 + i], s->k[i].v, solver_bytes(s));
    return m->rk.adaptive ? estimate(s, f, m, p) : STATUS_OK;
}

static enum status coupled_step(struct solver *s, struct field *f, const struct method *m,
                                const struct step *p)
{
    s->dense_ready = 0;
    s->newton.at_hand = m->loose;
    if (!m->loose) return to_rounding(s, f, m, p);
    s->newton.slope = NULL;
    if (m->rk.adaptive && m->rk.e_start != 0 && linear_by_differences(s->linear)) {
        TRY(make_start(s, f, m, p));
        s->newton.slope = coupled_work(s, m, START);
    }
    return newton_step(s, f, m, p, attempt);
}

static enum status coupled_again(struct solver *s, struct field *f, const struct method *m,
                                 const struct step *p, enum again what, int have)
{
    s->dense_ready = s->newton.at_hand = 0;
    if (!have) return m->loose ? newton_again(s, f, m, p, attempt) : to_rounding(s, f, m, p);
    if (what != AGAIN_BACK) solver_combine(s, s->carry[0], p->h, m->rk.b, m->rk.stages, s->next[0]);
    return STATUS_OK;
}

static int coupled_kept(const struct method *m) { return m->rk.stages; }

static int error_weights(const struct method *m, const struct step *p, double *w)
{
    int n = m->rk.stages + m->rk.extra + ERROR;
    (void)p;
    memset(w, 0, (size_t)n * sizeof *w);
    w[n] = 1;
    return n + 1;
}

static enum status coupled_dense(struct solver *s, struct field *f, const struct method *m,
                                 const struct step *p, double theta, int evaluate, double *w, int *n)
{
    if (evaluate && !s->dense_ready) TRY(coupled_rows(s, f, m, p));
    *n = implicit_weights(m, p, 1 + coupled_memory(m), theta, w);
    return STATUS_OK;
}

static void coupled_moved(struct solver *s, const struct method *m, const struct step *p)
{
    (void)m, (void)p;
    s->slope_ready = 0;
}

/* ---- backwards ---- */

/* Cotangents of all stages, from their k to f there. */
static enum status stages_back(struct backward *b, const struct method *m, const struct step *p)
{
    struct solver *s = b->s;
    double A[MAX_STAGES * MAX_STAGES];
    void *bars[MAX_STAGES];
    system_matrix(m, p->h, A);
    for (int i = 0; i < m->rk.stages; i++) {
        bars[i] = b->k_bar[i];
        stage_state(s, m, p, i);
        TRY(linear_jacobian(s->linear, b->f, i, step_time(p, m->rk.c[i]), s->stage_input));
    }
    TRY(linear_factor(s->linear, LINEAR_MAIN, m->rk.stages, A, 1));
    return linear_solve_back(s->linear, b->f, LINEAR_MAIN, bars);
}

static enum status coupled_back(struct backward *b, const struct step *p)
{
    const struct method *m = b->m;
    struct solver *s = b->s;
    double w[MAX_K];
    struct coupled_bars bars;
    TRY(coupled_rows_back(b, p, &bars));
    memcpy(s->spare, b->carry_bar[0], b->bytes);
    coupled_bars_carry(&bars, b);
    for (int i = 0; i < m->rk.stages; i++) w[i] = p->h * m->rk.b[i];
    TRY(backward_from(b, s->spare, w, m->rk.stages));
    for (int i = 0; i < m->rk.stages; i++) {
        struct backward_sum sum;
        backward_sum_begin(&sum, b, i);
        coupled_bars_add(&bars, b, p, i, &sum);
        if (!backward_sum_end(&sum, b)) memset(b->kbar, 0, b->bytes);
        memcpy(b->k_bar[i], b->kbar, b->bytes);
    }
    TRY(stages_back(b, m, p));
    for (int i = 0; i < m->rk.stages; i++) {
        stage_state(s, m, p, i);
        TRY(backward_vjp(b, step_time(p, m->rk.c[i]), s->stage_input, NULL, b->k_bar[i], b->kbar));
        backward_add(b, s->n, 1, b->kbar, b->carry_bar[0]);
    }
    return STATUS_OK;
}

const struct family family_coupled = {.name = "implicit",
                                      .stability = "A",
                                      .implicit = 1,
                                      .by_times = 2,
                                      .sizes = coupled_sizes,
                                      .memory = coupled_memory,
                                      .begin = newton_reserve,
                                      .step = coupled_step,
                                      .again = coupled_again,
                                      .kept = coupled_kept,
                                      .error = error_weights,
                                      .dense = coupled_dense,
                                      .moved = coupled_moved,
                                      .back = coupled_back};
