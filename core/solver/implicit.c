/* Diagonally implicit Runge-Kutta methods: the carry is y, the k are the stages; two more are work space.
 *
 * Stage i is Y = y + h sum_(j <= i) a_ij k_j with k_i = f(t_i, Y), solved for Y; then k_i = (Y - base) / (h
 * a_ii), which a stiff f would only blur. Backwards no iteration is differentiated: by the implicit function
 * theorem the cotangent of k_i becomes (I - h a_ii df/dy)^-T kbar_i, and its vjp is that of the stage
 * (Hairer, Wanner, Solving ODEs II, IV.8; Sanz-Serna 2016).
 *
 * Loose (newton.h): the carry is y, then, where the first stage is f at the beginning and the last f at the
 * end, that slope, which as a k is not blurred, then the state of the Jacobian. One more k is the error,
 * filtered. */
#include "solver/implicit.h"

#include <float.h>
#include <math.h>
#include <string.h>

#include "base/tuning.h"
#include "kernels/loops.h"
#include "solver/linear.h"
#include "solver/newton.h"
#include "solver/options.h"

static double length(const struct solver *s, const void *x)
{
    return sqrt(loops->scaled_sum[s->dtype](s->n, x, x, 0, 1));
}

enum status implicit_solve(struct solver *s, struct field *f, enum linear_set set, double t, double g,
                           const void *base, void *y, void *slope, void *work)
{
    int64_t most = method_solving(&s->options->method)->loose ? NEWTON_TO_ROUNDING : s->options->max_newton;
    double epsilon = s->dtype == FLOAT32 ? FLT_EPSILON : DBL_EPSILON,
           before = 0; /* the first corrections are Newton's own */
    const void *parts[2] = {base, slope}, *correction = work;
    for (int i = 0, fresh = 0; i < most; i++) {
        TRY(field_eval(f, t, y, slope));
        if (!fresh) TRY(linear_set(&s->linear, set, f, t, y, g));
        fresh = 1;
        loops->combine[s->dtype](s->n, y, 2, (double[]){-1, -g}, parts, work);
        TRY(linear_solve(s->linear, set, 0, work));
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

enum status implicit_solve_loosely(struct solver *s, struct field *f, enum linear_set set, struct newton *n,
                                   double t, double g, const void *base, void *y, void *slope, void *work)
{
    enum newton_says says = NEWTON_GO_ON;
    const void *parts[2] = {base, slope}, *correction = work;
    while (says == NEWTON_GO_ON) {
        TRY(field_eval(f, t, y, slope));
        loops->combine[s->dtype](s->n, y, 2, (double[]){-1, -g}, parts, work);
        TRY(newton_retry(linear_solve(s->linear, set, 0, work)));
        loops->combine[s->dtype](s->n, y, 1, (double[]){-1}, &correction, y);
        says = newton_judge(n, newton_size(s, work));
    }
    return says == NEWTON_FAILS ? STATUS_RETRY : STATUS_OK;
}

/* Is the first stage the last one of the step before? */
static int hands_on_slope(const struct method *m)
{
    return m->loose && m->rk.a[0][0] == 0 && m->rk.c[0] == 0 && m->rk.end_slope >= 0;
}

static void implicit_sizes(const struct method *m, int *n_carry, int *n_k)
{
    *n_carry = 1 + hands_on_slope(m) + m->loose;
    *n_k = m->rk.stages + IMPLICIT_WORK + m->loose;
}

static int implicit_memory(const struct method *m) { return m->loose; }

/* An explicit stage; f at the beginning is known, or is that of an attempt before. */
static enum status explicit_stage(struct solver *s, struct field *f, const struct method *m,
                                  const struct step *p, int i)
{
    memcpy(s->stage_input, s->spare, solver_bytes(s));
    if (i == 0 && hands_on_slope(m) && p->past > 0) {
        memcpy(s->k[0].v, s->carry[1], solver_bytes(s));
        return STATUS_OK;
    }
    if (i == 0 && m->loose && s->slope_ready) return STATUS_OK;
    s->slope_ready = i == 0 && m->loose;
    return field_eval(f, step_time(p, m->rk.c[i]), s->spare, s->k[i].v);
}

static enum status stage(struct solver *s, struct field *f, const struct method *method, const struct step *p,
                         int i)
{
    const struct tableau *m = &method->rk;
    double t = step_time(p, m->c[i]), g = p->h * m->a[i][i];
    char *base = s->spare, *y = s->stage_input, *slope = s->k[m->stages].v, *work = s->k[m->stages + 1].v;
    struct newton n;
    solver_combine(s, s->carry[0], p->h, m->a[i], i, base);
    if (g == 0) return explicit_stage(s, f, method, p, i);
    /* from the stage before: base + g k_(i-1) may be on the other side of a root when the problem is stiff */
    if (i == 0) memcpy(y, s->carry[0], solver_bytes(s));
    if (method->loose) {
        TRY(newton_retry(linear_factor(s->linear, LINEAR_MAIN, 1, &g, 0)));
        newton_begin(&n, s);
        TRY(implicit_solve_loosely(s, f, LINEAR_MAIN, &n, t, g, base, y, slope, work));
        newton_end(&n, s);
    } else {
        TRY(implicit_solve(s, f, LINEAR_MAIN, t, g, base, y, slope, work));
    }
    loops->combine[s->dtype](s->n, NULL, 2, (double[]){1 / g, -1 / g}, (const void *[]){y, base}, s->k[i].v);
    return STATUS_OK;
}

/* The next carry, but for what newton.c moves on. */
static enum status hand_on(struct solver *s, const struct method *m, const struct step *p)
{
    solver_combine(s, s->carry[0], p->h, m->rk.b, m->rk.stages, s->next[0]);
    if (hands_on_slope(m)) memcpy(s->next[1], s->k[m->rk.end_slope].v, solver_bytes(s));
    return STATUS_OK;
}

static enum status all_stages(struct solver *s, struct field *f, const struct method *m, const struct step *p)
{
    for (int i = 0; i < m->rk.stages; i++) TRY(stage(s, f, m, p, i));
    return hand_on(s, m, p);
}

static enum status attempt(struct solver *s, struct field *f, const struct method *m, const struct step *p)
{
    const struct tableau *rk = &m->rk;
    char *error = s->k[rk->stages + IMPLICIT_WORK].v;
    double g = p->h * rk->filter;
    TRY(all_stages(s, f, m, p));
    solver_combine(s, NULL, p->h, rk->e, rk->stages, error);
    if (!rk->adaptive || g == 0) return STATUS_OK;
    TRY(newton_retry(linear_factor(s->linear, LINEAR_MAIN, 1, &g, 0)));
    return newton_retry(linear_solve(s->linear, LINEAR_MAIN, 0, error));
}

static enum status implicit_step(struct solver *s, struct field *f, const struct method *m,
                                 const struct step *p)
{
    s->newton.slope = NULL; /* what is handed on is f but for what the iterations leave */
    return m->loose ? newton_step(s, f, m, p, attempt) : all_stages(s, f, m, p);
}

static enum status implicit_again(struct solver *s, struct field *f, const struct method *m,
                                  const struct step *p, enum again what, int have)
{
    if (!have) return m->loose ? newton_again(s, f, m, p, attempt) : all_stages(s, f, m, p);
    return what == AGAIN_BACK ? STATUS_OK : hand_on(s, m, p);
}

static int implicit_kept(const struct method *m) { return m->rk.stages; }

static int error(const struct method *m, const struct step *p, double *w)
{
    int n = m->rk.stages + IMPLICIT_WORK;
    (void)p;
    memset(w, 0, (size_t)n * sizeof *w);
    w[n] = 1;
    return n + 1;
}

int implicit_weights(const struct method *m, const struct step *p, int n_carry, double theta, double *w)
{
    memset(w, 0, (size_t)n_carry * sizeof *w);
    w[0] = 1;
    int n = n_carry + tableau_interpolate(&m->rk, theta, w + n_carry);
    for (int j = n_carry; j < n; j++) w[j] *= p->h;
    return n;
}

/* Of its own carry, which is y alone where it begins a multistep method. */
static enum status implicit_dense(struct solver *s, struct field *f, const struct method *m,
                                  const struct step *p, double theta, int evaluate, double *w, int *n)
{
    (void)s, (void)f, (void)evaluate;
    *n = implicit_weights(m, p, 1 + hands_on_slope(m) + m->loose, theta, w);
    return STATUS_OK;
}

static void implicit_moved(struct solver *s, const struct method *m, const struct step *p)
{
    (void)m, (void)p;
    s->slope_ready = 0;
}

/* Ybar_i from what reaches k_i. */
static enum status stage_back(struct backward *b, const struct tableau *m, const struct step *p, int i)
{
    struct solver *s = b->s;
    double t = step_time(p, m->c[i]), g = p->h * m->a[i][i];
    solver_combine(s, s->carry[0], p->h, m->a[i], i + 1, s->stage_input);
    if (g != 0) {
        TRY(linear_set(&s->linear, LINEAR_MAIN, b->f, t, s->stage_input, g));
        TRY(linear_solve_back(s->linear, b->f, LINEAR_MAIN, (void *[]){b->kbar}));
    }
    return backward_vjp(b, t, s->stage_input, NULL, b->kbar, b->k_bar[i]);
}

/* What reaches k_i from outside the step, from the next carry and from the stages behind; 0: nothing does. */
static int gather(struct backward *b, const struct tableau *m, double h, int i, const char *used)
{
    struct backward_sum sum;
    backward_sum_begin(&sum, b, i);
    for (int j = i + 1; j < m->stages; j++)
        if (used[j] && m->a[j][i] != 0) backward_sum_add(&sum, b, h * m->a[j][i], b->k_bar[j]);
    return backward_sum_end(&sum, b);
}

/* The next carry is y + h sum b_j k_j, and a slope that is a k. */
static enum status next_back(struct backward *b, const struct step *p)
{
    const struct method *m = b->m;
    double w[MAX_K] = {0};
    memcpy(b->s->spare, b->carry_bar[0], b->bytes);
    for (int i = 0; i < m->rk.stages; i++) w[i] = p->h * m->rk.b[i];
    TRY(backward_from(b, b->s->spare, w, m->rk.stages));
    if (!hands_on_slope(m)) return STATUS_OK;
    memset(w, 0, sizeof w);
    w[m->rk.end_slope] = 1;
    return backward_from(b, b->carry_bar[1], w, m->rk.stages);
}

static enum status implicit_back(struct backward *b, const struct step *p)
{
    const struct method *method = b->m;
    const struct tableau *m = &method->rk;
    char used[MAX_STAGES] = {0};
    int handed = hands_on_slope(method);
    TRY(next_back(b, p));
    for (int i = m->stages - 1; i >= 0; i--) {
        int some = gather(b, m, p->h, i, used);
        if (i == 0 && handed) memset(b->carry_bar[1], 0, b->bytes); /* its last reader was the last stage */
        if (!some) continue;
        if (i == 0 && handed && p->past > 0) {
            memcpy(b->carry_bar[1], b->kbar, b->bytes);
            break;
        }
        TRY(stage_back(b, m, p, i));
        used[i] = 1;
        backward_add(b, b->s->n, 1, b->k_bar[i], b->carry_bar[0]);
    }
    return STATUS_OK;
}

const struct family family_implicit = {.name = "implicit",
                                       .stability = "A",
                                       .slope = 1,
                                       .implicit = 1,
                                       .by_times = 2,
                                       .sizes = implicit_sizes,
                                       .memory = implicit_memory,
                                       .begin = newton_reserve,
                                       .step = implicit_step,
                                       .again = implicit_again,
                                       .kept = implicit_kept,
                                       .error = error,
                                       .dense = implicit_dense,
                                       .moved = implicit_moved,
                                       .back = implicit_back};
