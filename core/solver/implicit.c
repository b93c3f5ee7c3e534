/* Diagonally implicit Runge-Kutta methods: the carry is y, the k are the stages; two more are work space.
 *
 * Stage i is Y = y + h sum_(j <= i) a_ij k_j with k_i = f(t_i, Y), solved for Y; then k_i = (Y - base) / (h
 * a_ii), which a stiff f would only blur. Backwards no iteration is differentiated: by the implicit function
 * theorem the cotangent of k_i becomes (I - h a_ii df/dy)^-T kbar_i, and its vjp is that of the stage
 * (Hairer, Wanner, Solving ODEs II, IV.8; Sanz-Serna 2016). */
#include "solver/implicit.h"

#include <float.h>
#include <math.h>
#include <string.h>

#include "base/tuning.h"
#include "kernels/loops.h"
#include "solver/linear.h"

static double length(const struct solver *s, const void *x)
{
    return sqrt(loops->scaled_sum[s->dtype](s->n, x, x, 0, 1));
}

enum status implicit_solve(struct solver *s, struct field *f, double t, double g, const void *base, void *y,
                           void *slope, void *work)
{
    double epsilon = s->dtype == FLOAT32 ? FLT_EPSILON : DBL_EPSILON,
           before = 0; /* the first corrections are Newton's own */
    const void *parts[2] = {base, slope}, *correction = work;
    for (int i = 0, fresh = 0; i < NEWTON_MOST_ITERATIONS; i++) {
        TRY(field_eval(f, t, y, slope));
        if (!fresh) TRY(linear_set(&s->linear, f, t, y, g));
        fresh = 1;
        loops->combine[s->dtype](s->n, y, 2, (double[]){-1, -g}, parts, work);
        linear_solve(s->linear, 0, work);
        double size = length(s, work), whole = length(s, y);
        if (!isfinite(size)) return STATUS_RETRY;
        loops->combine[s->dtype](s->n, y, 1, (double[]){-1}, &correction, y);
        if (size <= 2 * epsilon * whole || (size >= before / 2 && size <= NEWTON_ROUNDING * epsilon * whole))
            return STATUS_OK;
        if (size > NEWTON_SLOW * before) fresh = 0;
        before = size;
    }
    return STATUS_RETRY;
}

static void implicit_sizes(const struct method *m, int *n_carry, int *n_k)
{
    *n_carry = 1;
    *n_k = m->rk.stages + IMPLICIT_WORK;
}

static enum status stage(struct solver *s, struct field *f, const struct tableau *m, const struct step *p,
                         int i)
{
    double t = step_time(p, m->c[i]), g = p->h * m->a[i][i];
    char *base = s->spare, *y = s->stage_input;
    solver_combine(s, s->carry[0], p->h, m->a[i], i, base);
    if (g == 0) return field_eval(f, t, base, s->k[i].v);
    /* from the stage before: base + g k_(i-1) may be on the other side of a root when the problem is stiff */
    if (i == 0) memcpy(y, s->carry[0], solver_bytes(s));
    TRY(implicit_solve(s, f, t, g, base, y, s->k[m->stages].v, s->k[m->stages + 1].v));
    loops->combine[s->dtype](s->n, NULL, 2, (double[]){1 / g, -1 / g}, (const void *[]){y, base}, s->k[i].v);
    return STATUS_OK;
}

enum status implicit_step(struct solver *s, struct field *f, const struct method *m, const struct step *p)
{
    for (int i = 0; i < m->rk.stages; i++) TRY(stage(s, f, &m->rk, p, i));
    solver_combine(s, s->carry[0], p->h, m->rk.b, m->rk.stages, s->next[0]);
    return STATUS_OK;
}

enum status implicit_again(struct solver *s, struct field *f, const struct method *m, const struct step *p,
                           enum again what, int have)
{
    if (!have) return implicit_step(s, f, m, p);
    if (what != AGAIN_BACK) solver_combine(s, s->carry[0], p->h, m->rk.b, m->rk.stages, s->next[0]);
    return STATUS_OK;
}

static int implicit_kept(const struct method *m) { return m->rk.stages; }

static int error(const struct method *m, const struct step *p, double *w)
{
    for (int j = 0; j < m->rk.stages; j++) w[j] = p->h * m->rk.e[j];
    return m->rk.stages;
}

static enum status implicit_dense(struct solver *s, struct field *f, const struct method *m,
                                  const struct step *p, double theta, int evaluate, double *w, int *n)
{
    (void)s, (void)f, (void)evaluate;
    w[0] = 1;
    *n = tableau_interpolate(&m->rk, theta, w + 1);
    for (int j = 1; j <= *n; j++) w[j] *= p->h;
    ++*n;
    return STATUS_OK;
}

/* Ybar_i from what reaches k_i. */
static enum status implicit_stage_back(struct backward *b, const struct tableau *m, const struct step *p,
                                       int i)
{
    struct solver *s = b->s;
    double t = step_time(p, m->c[i]), g = p->h * m->a[i][i];
    solver_combine(s, s->carry[0], p->h, m->a[i], i + 1, s->stage_input);
    if (g != 0) {
        TRY(linear_set(&s->linear, b->f, t, s->stage_input, g));
        linear_solve(s->linear, 1, b->kbar);
    }
    return backward_vjp(b, t, s->stage_input, NULL, b->kbar, b->k_bar[i]);
}

enum status implicit_back(struct backward *b, const struct step *p)
{
    const struct tableau *m = &b->o->method.rk;
    struct solver *s = b->s;
    char used[MAX_STAGES] = {0};
    double w[MAX_K];
    memcpy(s->spare, b->carry_bar[0], b->bytes);
    for (int i = 0; i < m->stages; i++) w[i] = p->h * m->b[i];
    TRY(backward_from(b, s->spare, w, m->stages));
    for (int i = m->stages - 1; i >= 0; i--) {
        struct backward_sum sum;
        backward_sum_begin(&sum, b, i);
        for (int j = i + 1; j < m->stages; j++)
            if (used[j] && m->a[j][i] != 0) backward_sum_add(&sum, b, p->h * m->a[j][i], b->k_bar[j]);
        if (!backward_sum_end(&sum, b)) continue;
        TRY(implicit_stage_back(b, m, p, i));
        used[i] = 1;
        backward_add(b, s->n, 1, b->k_bar[i], b->carry_bar[0]);
    }
    return STATUS_OK;
}

const struct family family_implicit = {.name = "implicit",
                                       .stability = "A",
                                       .implicit = 1,
                                       .by_times = 2,
                                       .sizes = implicit_sizes,
                                       .step = implicit_step,
                                       .again = implicit_again,
                                       .kept = implicit_kept,
                                       .error = error,
                                       .dense = implicit_dense,
                                       .back = implicit_back};
