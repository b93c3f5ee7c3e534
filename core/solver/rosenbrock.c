/* Rosenbrock methods: the carry is y, the k are the stages; work space is behind them.
 *
 *   k_i = f(t + c_i h, Y_i) + h J sum_(j <= i) gamma_ij k_j + h gamma_i df/dt,   Y_i = y + h sum_(j < i) a_ij
 * k_j
 *
 * with J = df/dy and df/dt at the beginning of the step, gamma_i the sum of row i (Hairer, Wanner, Solving
 * ODEs II, IV.7). Nothing is iterated: with w = sum_(j < i) gamma_ij k_j and v = w + gamma k_i, gamma the
 * diagonal, a stage is
 *
 *   (I - h gamma J) v = w + gamma (f_i + h gamma_i df/dt)
 *
 * which takes no product with J (as the transformed stages of IV.7 do not).
 *
 * Backwards rbar = (I - h gamma J)^-T kbar_i / gamma goes to f_i as gamma rbar and to w as rbar - kbar_i /
 * gamma; and J and df/dt are functions of y, t and theta: h gamma rbar^T (J v + gamma_i df/dt) is what
 * reaches them, by one second-order product of the field a stage (field_curve). */
#include <float.h>
#include <math.h>
#include <string.h>

#include "kernels/loops.h"
#include "solver/backward.h"
#include "solver/family.h"
#include "solver/implicit.h"
#include "solver/linear.h"
#include "solver/newton.h"
#include "solver/options.h"

#define ALL_READY 2 /* slope_ready: f at the beginning is known, and df/dt */

/* Behind the stages: f and df/dt at the beginning, f at a stage, w. */
enum { START, RATE, SLOPE, RIGHT, BEHIND };

static char *behind(const struct solver *s, const struct method *m, int i)
{
    return s->k[m->rk.stages + i].v;
}

/* Backwards each stage needs room for two cotangents. */
static void rosenbrock_sizes(const struct method *m, int *n_carry, int *n_k)
{
    *n_carry = 1;
    *n_k = m->rk.stages + (m->rk.stages > BEHIND ? m->rk.stages : BEHIND);
}

static unsigned rosenbrock_works(const struct field *f, const struct solve_options *o, int backwards)
{
    int direct = o->gradient == GRADIENT_DIRECT || o->gradient == GRADIENT_CHECKPOINT;
    return (field_can(f, FIELD_RATE) ? FIELD_MASK(FIELD_RATE) : 0) |
           (backwards && direct ? FIELD_MASK(FIELD_CURVE) : 0);
}

/* Nothing takes back what a linear system leaves. */
static enum status rosenbrock_begin(struct solver *s, struct field *f, const struct solve_options *o,
                                    const struct state_layout *layout)
{
    TRY(newton_reserve(s, f, o, layout));
    linear_tolerance(s->linear, 0);
    s->exact_rate = field_can(f, FIELD_RATE);
    return STATUS_OK;
}

static double row_sum(const struct method *m, int i)
{
    double sum = 0;
    for (int j = 0; j <= i; j++) sum += m->rk.gamma[i][j];
    return sum;
}

/* ---- a step ---- */

/* df/dt at the beginning; by a difference, where the field has none, that looks into the step. */
static enum status make_rate(struct solver *s, struct field *f, const struct method *m, const struct step *p)
{
    if (s->exact_rate) return field_rate(f, p->t, s->carry[0], behind(s, m, RATE));
    const double *weights;
    double share, size = fabs(p->h);
    int n = jacobian_formula(s->dtype, !s->options->adaptive, &weights, &share);
    double shift = step_time(p, fmin(1.0 / n, share * fmax(fabs(p->t), size) / size)) - p->t;
    const void *start = behind(s, m, START), *slope = behind(s, m, SLOPE);
    char *rate = behind(s, m, RATE);
    memset(rate, 0, solver_bytes(s));
    for (int i = 1; i <= n; i++) {
        double weight = weights[i - 1] / shift;
        TRY(field_eval(f, step_time(p, fmin(i * shift / p->h, 1)), s->carry[0], behind(s, m, SLOPE)));
        loops->combine[s->dtype](s->n, slope, 1, (double[]){-1}, &start, behind(s, m, SLOPE));
        loops->combine[s->dtype](s->n, rate, 1, &weight, &slope, rate);
    }
    return STATUS_OK;
}

static enum status no_rate(const struct method *m, const struct step *p)
{
    status_fail(STATUS_NUMERIC, "not_finite",
                "take a method that needs none, \"kvaerno5\" or \"radau5\", or begin where f is smooth",
                "odeint: %s takes df/dt, which is not finite at t = %.9g", m->rk.name, p->t);
    status_failure()->t = p->t;
    return STATUS_NUMERIC;
}

/* f and df/dt at the beginning, which a rejected step leaves as they are; the matrix. */
static enum status make_system(struct solver *s, struct field *f, const struct method *m,
                               const struct step *p)
{
    double g = p->h * m->rk.gamma[0][0];
    if (!s->slope_ready) TRY(field_eval(f, p->t, s->carry[0], behind(s, m, START)));
    if (!f->autonomous && (s->slope_ready < ALL_READY || !s->exact_rate)) TRY(make_rate(s, f, m, p));
    s->slope_ready = ALL_READY;
    if (!f->autonomous && !solver_is_finite(s, behind(s, m, RATE))) return no_rate(m, p);
    linear_in_step(s->linear, behind(s, m, START), p->h, !s->options->adaptive);
    TRY(newton_retry(linear_jacobian(s->linear, f, 0, p->t, s->carry[0])));
    return newton_retry(linear_factor(s->linear, LINEAR_MAIN, 1, &g, 0));
}

/* Is f of stage i that of the stage before? */
static int same_point(const struct tableau *m, int i)
{
    return i > 1 && m->c[i] == m->c[i - 1] && memcmp(m->a[i], m->a[i - 1], sizeof m->a[i]) == 0;
}

static enum status stage(struct solver *s, struct field *f, const struct method *m, const struct step *p,
                         int i)
{
    const struct tableau *rk = &m->rk;
    double gamma = rk->gamma[0][0], weights[3] = {1, gamma, p->h * gamma * row_sum(m, i)};
    char *slope = behind(s, m, i > 0 ? SLOPE : START), *right = behind(s, m, RIGHT), *k = s->k[i].v;
    const void *parts[] = {right, slope, behind(s, m, RATE)};
    const void *input = i < rk->weighted ? s->stage_input : s->next[0];
    if (i > 0 && i < rk->weighted && !same_point(rk, i))
        solver_combine(s, s->carry[0], p->h, rk->a[i], i, s->stage_input);
    if (i > 0 && !same_point(rk, i)) TRY(field_eval(f, step_time(p, rk->c[i]), input, slope));
    solver_combine(s, NULL, 1, rk->gamma[i], i, right);
    loops->combine[s->dtype](s->n, NULL, f->autonomous ? 2 : 3, weights, parts, k);
    TRY(newton_retry(linear_solve(s->linear, LINEAR_MAIN, 0, k)));
    loops->combine[s->dtype](s->n, NULL, 2, (double[]){1 / gamma, -1 / gamma}, (const void *[]){k, right}, k);
    return STATUS_OK;
}

static enum status make_next(struct solver *s, struct field *f, const struct method *m, const struct step *p)
{
    TRY(make_system(s, f, m, p));
    for (int i = 0; i < m->rk.weighted; i++) TRY(stage(s, f, m, p, i));
    solver_combine(s, s->carry[0], p->h, m->rk.b, m->rk.weighted, s->next[0]);
    return STATUS_OK;
}

/* A stage behind is at the next y, for the error alone. */
static enum status rosenbrock_step(struct solver *s, struct field *f, const struct method *m,
                                   const struct step *p)
{
    TRY(make_next(s, f, m, p));
    for (int i = m->rk.weighted; i < m->rk.stages; i++) TRY(stage(s, f, m, p, i));
    return STATUS_OK;
}

static enum status rosenbrock_again(struct solver *s, struct field *f, const struct method *m,
                                    const struct step *p, enum again what, int have)
{
    s->slope_ready = 0;
    if (!have) return make_next(s, f, m, p);
    if (what != AGAIN_BACK) solver_combine(s, s->carry[0], p->h, m->rk.b, m->rk.weighted, s->next[0]);
    return STATUS_OK;
}

static int rosenbrock_kept(const struct method *m) { return m->rk.weighted; }

static int rosenbrock_error(const struct method *m, const struct step *p, double *w)
{
    for (int j = 0; j < m->rk.stages; j++) w[j] = p->h * m->rk.e[j];
    return m->rk.stages;
}

static enum status rosenbrock_dense(struct solver *s, struct field *f, const struct method *m,
                                    const struct step *p, double theta, int evaluate, double *w, int *n)
{
    (void)s, (void)f, (void)evaluate;
    *n = implicit_weights(m, p, 1, theta, w);
    return STATUS_OK;
}

static void rosenbrock_moved(struct solver *s, const struct method *m, const struct step *p)
{
    (void)p;
    if (m->rk.fsal) solver_swap(s, m->rk.stages + START, m->rk.stages + SLOPE);
    s->slope_ready = m->rk.fsal;
}

/* ---- backwards ---- */

/* The cotangents of Y_i and of w of a stage, for those before it. */
static char *state_bar(const struct backward *b, int i) { return b->k_bar[i]; }
static char *right_bar(const struct backward *b, int i) { return b->k_bar[b->m->rk.stages + i]; }

static int gather(struct backward *b, double h, int i, const char *used)
{
    const struct tableau *m = &b->m->rk;
    struct backward_sum sum;
    backward_sum_begin(&sum, b, i);
    for (int j = i + 1; j < m->weighted; j++) {
        if (!used[j]) continue;
        if (m->a[j][i] != 0) backward_sum_add(&sum, b, h * m->a[j][i], state_bar(b, j));
        if (m->gamma[j][i] != 0) backward_sum_add(&sum, b, m->gamma[j][i], right_bar(b, j));
    }
    return backward_sum_end(&sum, b);
}

/* What rbar gives to J and df/dt; a step of c f has c J and c^2 df/dt (backward_times.h). */
static enum status system_back(struct backward *b, const struct step *p, int i, const char *rbar)
{
    struct solver *s = b->s;
    const struct method *m = b->m;
    double gamma = m->rk.gamma[0][0], g = p->h * gamma, share = g * row_sum(m, i);
    char *v = behind(s, m, SLOPE), *ybar = behind(s, m, RIGHT);
    solver_combine(s, NULL, g, m->rk.gamma[i], i + 1, v);
    if (b->times.exact) { /* h gamma J^T rbar = rbar - kbar / gamma */
        double along = backward_dot(b, v, rbar) - backward_dot(b, v, b->kbar) / gamma;
        b->times.scale += along / g;
        if (!b->f->autonomous) b->times.scale += 2 * share * backward_dot(b, rbar, behind(s, m, RATE));
    }
    TRY(backward_curve(b, p->t, s->carry[0], v, share, rbar, ybar));
    backward_add(b, s->n, 1, ybar, b->carry_bar[0]);
    return STATUS_OK;
}

/* From what reaches k_i, in kbar. */
static enum status stage_back(struct backward *b, const struct step *p, int i)
{
    struct solver *s = b->s;
    const struct method *m = b->m;
    double gamma = m->rk.gamma[0][0];
    char *rbar = right_bar(b, i);
    const void *parts[] = {rbar, b->kbar};
    loops->combine[s->dtype](s->n, NULL, 1, (double[]){1 / gamma}, parts + 1, rbar);
    TRY(linear_solve(s->linear, LINEAR_MAIN, 1, rbar));
    TRY(system_back(b, p, i, rbar));
    loops->combine[s->dtype](s->n, NULL, 1, &gamma, parts, behind(s, m, SLOPE));
    loops->combine[s->dtype](s->n, NULL, 2, (double[]){1, -1 / gamma}, parts, rbar);
    solver_combine(s, s->carry[0], p->h, m->rk.a[i], i, s->stage_input);
    TRY(backward_vjp(b, step_time(p, m->rk.c[i]), s->stage_input, NULL, behind(s, m, SLOPE),
                     state_bar(b, i)));
    backward_add(b, s->n, 1, state_bar(b, i), b->carry_bar[0]);
    return STATUS_OK;
}

static enum status rosenbrock_back(struct backward *b, const struct step *p)
{
    struct solver *s = b->s;
    const struct method *m = b->m;
    double w[MAX_K] = {0}, g = p->h * m->rk.gamma[0][0];
    char used[MAX_STAGES] = {0};
    memcpy(s->spare, b->carry_bar[0], b->bytes);
    for (int i = 0; i < m->rk.weighted; i++) w[i] = p->h * m->rk.b[i];
    TRY(backward_from(b, s->spare, w, m->rk.weighted));
    TRY(linear_jacobian(s->linear, b->f, 0, p->t, s->carry[0]));
    TRY(linear_factor(s->linear, LINEAR_MAIN, 1, &g, 0));
    if (b->times.exact && !b->f->autonomous) TRY(field_rate(b->f, p->t, s->carry[0], behind(s, m, RATE)));
    for (int i = m->rk.weighted - 1; i >= 0; i--) {
        if (!(used[i] = (char)gather(b, p->h, i, used))) continue;
        TRY(stage_back(b, p, i));
    }
    return STATUS_OK;
}

const struct family family_rosenbrock = {.name = "rosenbrock",
                                         .stability = "A",
                                         .implicit = 1,
                                         .by_times = 2,
                                         .sizes = rosenbrock_sizes,
                                         .works = rosenbrock_works,
                                         .begin = rosenbrock_begin,
                                         .step = rosenbrock_step,
                                         .again = rosenbrock_again,
                                         .kept = rosenbrock_kept,
                                         .error = rosenbrock_error,
                                         .dense = rosenbrock_dense,
                                         .moved = rosenbrock_moved,
                                         .back = rosenbrock_back};
