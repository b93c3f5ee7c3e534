#include "solver/stiffness.h"

#include <math.h>
#include <string.h>

#include "base/memory.h"
#include "base/tuning.h"
#include "kernels/loops.h"
#include "solver/family.h"
#include "solver/march.h"

/* |R(-x)| of the method, R its stability function. */
static double growth(const struct tableau *m, double x)
{
    double k[MAX_STAGES], y = 1;
    for (int i = 0; i < m->stages; i++) {
        double input = 1;
        for (int j = 0; j < i; j++) input -= x * m->a[i][j] * k[j];
        k[i] = input;
        y -= x * m->b[i] * k[i];
    }
    return fabs(y);
}

static double stability_boundary(const struct tableau *m)
{
    double low = 0, step = 0.25;
    while (low < 100 && growth(m, low + step) <= 1) low += step;
    for (int i = 0; i < 8; i++) {
        step /= 2;
        if (growth(m, low + step) <= 1) low += step;
    }
    return low;
}

static int find_pair(struct stiffness *d, const struct tableau *m)
{
    for (int i = m->stages - 1; i > 0; i--)
        for (int j = i - 1; j > 0; j--)
            if (m->c[i] == m->c[j] && memcmp(m->a[i], m->a[j], sizeof m->a[i]) != 0) {
                d->f[i] = 1;
                d->f[j] = -1;
                for (int k = 0; k < i; k++) d->y[k] = m->a[i][k] - m->a[j][k];
                return 1;
            }
    return 0;
}

static int find_next(struct stiffness *d, const struct tableau *m)
{
    int last = m->stages - 1;
    if (m->fsal || m->c[last] != 1) return 0;
    d->last = last;
    for (int k = 0; k <= last; k++) d->y[k] = m->b[k] - (k < last ? m->a[last][k] : 0);
    return 1;
}

/* Divided difference of the highest order, at most 3, over distinct times, the last ones first. That of the
 * states must not cancel as well, or the quotient would be one of small numbers. */
static int find_difference(struct stiffness *d, const struct tableau *m)
{
    int at[4], n = 0;
    double curvature = 0;
    for (int i = m->stages - 1; i >= 0 && n < 4; i--) {
        int fresh = 1;
        for (int q = 0; q < n; q++) fresh &= fabs(m->c[at[q]] - m->c[i]) > 0.05;
        if (fresh) at[n++] = i;
    }
    if (n < 3) return 0;
    for (int q = 0; q < n; q++) {
        double w = 1, moment = 0;
        for (int p = 0; p < n; p++)
            if (p != q) w /= m->c[at[q]] - m->c[at[p]];
        d->f[at[q]] = w;
        for (int k = 0; k < at[q]; k++) {
            d->y[k] += w * m->a[at[q]][k];
            moment += m->a[at[q]][k] * m->c[k];
        }
        curvature += w * moment;
    }
    return fabs(curvature) > 0.05;
}

static void begin(struct stiffness *d, const struct tableau *m)
{
    d->boundary = stability_boundary(m);
    d->kind = find_pair(d, m) ? STIFFNESS_PAIR : find_next(d, m) ? STIFFNESS_NEXT : STIFFNESS_NONE;
    if (d->kind == STIFFNESS_NONE && find_difference(d, m)) d->kind = STIFFNESS_DIFFERENCE;
    if (!(d->boundary > 0)) d->kind = STIFFNESS_NONE;
}

/* Judge by the differences of states and of f times h; the latter is written over. */
static void judge(struct stiffness *d, const struct march *m, const void *states, void *slopes)
{
    struct solver *s = m->s;
    const struct solve_options *o = m->o;
    int64_t accepted = m->clock.accepted, n = stiffness_elements(m);
    double a = sqrt(loops->scaled_sum[s->dtype](n, slopes, s->carry[0], o->rtol, o->atol) / (double)n);
    double b = sqrt(loops->scaled_sum[s->dtype](n, states, s->carry[0], o->rtol, o->atol) / (double)n);
    loops->combine[s->dtype](n, slopes, 1, (double[]){1}, &states, slopes);
    double sum = loops->scaled_sum[s->dtype](n, slopes, s->carry[0], o->rtol, o->atol) / (double)n;
    double h_rho = a / b, cosine = (sum - a * a - b * b) / (2 * a * b);
    double near = d->kind == STIFFNESS_PAIR ? STIFFNESS_NEAR_PAIR : STIFFNESS_NEAR;
    if (b > STIFFNESS_NOISE && h_rho > near * d->boundary && h_rho < STIFFNESS_FAR * d->boundary &&
        cosine < -STIFFNESS_PULL) {
        d->below = 0;
        d->h_rho = h_rho;
        if (d->above < d->say_so) d->above++;
        if (d->above == d->say_so && !d->stiff) {
            d->stiff = 1;
            d->stiff_since = accepted - d->say_so;
        }
        return;
    }
    if (d->above > 0) d->above--;
    if (++d->below < STIFFNESS_TAKE_BACK && d->above > 0 && d->looks < STIFFNESS_GIVE_UP) return;
    if (d->stiff) d->stiff_steps += accepted - d->stiff_since;
    d->above = d->stiff = d->looks = 0;
}

void stiffness_forget(struct stiffness *d) { d->above = d->below = d->stiff = d->looks = 0; }

/* Neither the integrals beside a solution nor its derivatives say how long its steps may be. */
int64_t stiffness_elements(const struct march *m)
{
    return m->layout->copies > 1 ? m->s->n : m->layout->controlled;
}

int stiffness_seen(const struct stiffness *d, int64_t accepted)
{
    return d->stiff || 2 * d->stiff_steps > accepted;
}
int stiffness_ever(const struct stiffness *d) { return d->stiff || d->stiff_steps > 0; }

/* NEXT: k[0] is f at the end of the step before, whose difference of states and last stage were held. */
static void look_back(struct stiffness *d, const struct march *m)
{
    struct solver *s = m->s;
    const void *k[] = {s->k[0].v, s->held + solver_bytes(s)};
    loops->combine[s->dtype](s->n, NULL, 2, (double[]){d->waiting, -d->waiting}, k, s->stage_input);
    judge(d, m, s->held, s->stage_input);
}

static enum status hold(struct stiffness *d, struct solver *s, const struct tableau *m, double h)
{
    size_t bytes = solver_bytes(s);
    if (!solver_held(s, 2 * bytes)) return memory_status();
    solver_combine(s, NULL, h, d->y, m->stages, s->held);
    memcpy(s->held + bytes, s->k[d->last].v, bytes);
    d->waiting = h;
    return STATUS_OK;
}

static enum status stiffness_accepted(struct observer *self, struct march *m, const struct step *p,
                                      double *theta)
{
    struct stiffness *d = (struct stiffness *)self;
    struct solver *s = m->s;
    const struct tableau *rk = &m->o->method.rk;
    int64_t n = m->clock.accepted;
    (void)theta;
    if (p->stiff) return STATUS_OK; /* by an implicit method */
    if (d->waiting != 0 && p->past > 0) look_back(d, m);
    d->waiting = 0;
    int suspected =
        d->above > 0 && d->above < d->say_so; /* what is settled either way is looked at now and then */
    if (!suspected && n % d->every != d->every - 1) return STATUS_OK;
    d->looks = suspected ? d->looks + 1 : 0;
    if (d->kind == STIFFNESS_NOT_LOOKED) begin(d, rk);
    if (d->kind == STIFFNESS_NONE) return STATUS_OK;
    if (d->kind == STIFFNESS_NEXT) return hold(d, s, rk, p->h);
    solver_combine(s, NULL, p->h, d->y, rk->stages, s->spare);
    solver_combine(s, NULL, p->h, d->f, rk->stages, s->stage_input);
    judge(d, m, s->spare, s->stage_input);
    return STATUS_OK;
}

int stiffness_begin(struct stiffness *d, const struct solve_options *o)
{
    int acts = o->method.family == &family_automatic;
    int quick = acts && method_solving(&o->method)->family->adapt;
    *d = (struct stiffness){.base = {.accepted = stiffness_accepted},
                            .every = quick  ? AUTOMATIC_EVERY_QUICK
                                     : acts ? AUTOMATIC_EVERY
                                            : STIFFNESS_EVERY,
                            .say_so = quick  ? AUTOMATIC_SAY_SO_QUICK
                                      : acts ? AUTOMATIC_SAY_SO
                                             : STIFFNESS_SAY_SO};
    return o->adaptive && (o->method.family == &family_explicit || o->method.family == &family_automatic);
}
