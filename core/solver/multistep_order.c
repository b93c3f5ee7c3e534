/* Order and step size of the Adams methods that vary both: how large the error would be with the orders
 * around the one at hand, were all steps as long as this one, decides (Shampine, Gordon, Computer Solution of
 * ODEs, 1975, chapters 5 to 7). Orders rise and steps double until that first goes wrong; afterwards steps
 * stay as they are unless they can double. */
#include <float.h>
#include <math.h>
#include <string.h>

#include "base/tuning.h"
#include "solver/march.h"
#include "solver/multistep.h"

/* Nodes of slopes: the end of the step, its start, the ends of the steps before; in steps. */
static void nodes_from_end(const struct step *p, int n, double *x)
{
    x[0] = 1;
    x[1] = 0;
    for (int j = 2; j < n; j++) x[j] = x[j - 1] - p->before[j - 2] / p->h;
}

/* Integral over the step of the product of t - x_i, i < n. */
static double integral_of_product(int n, const double *x)
{
    double c[MULTISTEP_PAST + 2] = {1}, sum = 0;
    for (int i = 0; i < n; i++) {
        for (int d = i + 1; d > 0; d--) c[d] = c[d - 1] - x[i] * c[d];
        c[0] *= -x[i];
    }
    for (int d = n; d >= 0; d--) sum += c[d] / (d + 1);
    return sum;
}

/* The same for n equal steps: |gamma*_n| n! of the Adams-Moulton methods. */
static void integrals_of_equal_steps(double *out)
{
    double gamma[MULTISTEP_PAST + 2] = {1}, factorial = 1;
    for (int m = 0; m < MULTISTEP_PAST + 2; m++) {
        for (int i = 0; i < m; i++) gamma[m] -= gamma[i] / (m + 1 - i);
        if (m > 1) factorial *= m;
        out[m] = fabs(gamma[m]) * factorial;
    }
}

struct adams *adams_at(struct solver *s, const struct multistep *m, const struct step *p)
{
    struct adams *a = &s->adams;
    size_t bytes = (size_t)p->order * sizeof *p->before;
    if (a->order == p->order && a->h == p->h && memcmp(a->before, p->before, bytes) == 0) return a;
    a->order = p->order;
    a->h = p->h;
    memcpy(a->before, p->before, sizeof a->before);
    a->known = 0;
    formula_make(m, p, &a->formula);
    return a;
}

/* Weights of the norm of h times the divided difference of the slopes at n + 1 nodes: for the error of the
 * step, and for what it would be with order n, if all steps were like this one. */
static void weigh(struct adams *a, const struct step *p, enum adams_error which, int n)
{
    double x[MULTISTEP_PAST + 2], c;
    nodes_from_end(p, n + 1, x);
    if (a->equal[0] == 0) integrals_of_equal_steps(a->equal);
    c = which == ADAMS_MADE ? integral_of_product(n, x) : a->equal[n];
    for (int j = 0; j <= n; j++) {
        double below = 1;
        for (int i = 0; i <= n; i++)
            if (i != j) below *= x[j] - x[i];
        a->error[which][j] = ADAMS_CAUTION * c * p->h / below;
    }
    a->known |= 1u << which;
}

/* The slope at the end is k[slot]. */
static enum status error_of_order(const struct march *m, const struct step *p, enum adams_error which, int n,
                                  int slot, double *norm)
{
    const struct multistep *own = &m->o->method.multistep;
    struct adams *a = adams_at(m->s, own, p);
    const char *v[MULTISTEP_PAST + 2];
    if (!(a->known >> which & 1)) weigh(a, p, which, n);
    for (int j = 0; j <= n; j++)
        v[j] = j == 0 ? m->s->k[slot].v : j == 1 ? m->s->k[0].v : m->s->carry[own->n_y + j - 2];
    return march_norm(m, n + 1, a->error[which], v, norm);
}

enum status adams_error(const struct march *m, const struct step *p, double *norm)
{
    return error_of_order(m, p, ADAMS_MADE, p->order, 1, norm);
}

/* What is known of the orders around the one at hand: their errors, and whether a lower one would do. */
struct outlook {
    double here, lower, higher; /* INFINITY: not known */
    int down;
};

static enum status look_down(const struct march *m, const struct step *p, struct outlook *o)
{
    double two = 0;
    int k = p->order;
    *o = (struct outlook){.lower = INFINITY, .higher = INFINITY};
    TRY(error_of_order(m, p, ADAMS_HERE, k, 1, &o->here));
    if (k > 1) TRY(error_of_order(m, p, ADAMS_LOWER, k - 1, 1, &o->lower));
    if (k > 2) TRY(error_of_order(m, p, ADAMS_LOWEST, k - 2, 1, &two));
    o->down = k > 1 && fmax(o->lower, two) <= (k == 2 ? 0.5 : 1) * o->here;
    return STATUS_OK;
}

/* What rounding of the slopes makes of the error of the step, in tolerances. Slopes that steps have doubled
 * away from lie close together, seen from here, and weights of the next order are as large as those of this
 * error. */
static enum status rounding_of_error(const struct march *m, const struct step *p, double *noise)
{
    const struct adams *a = adams_at(m->s, &m->o->method.multistep, p);
    const char *slope = m->s->k[0].v;
    double sum = 0, epsilon = m->s->dtype == FLOAT32 ? FLT_EPSILON : DBL_EPSILON;
    for (int j = 0; j <= p->order; j++) sum += fabs(a->error[ADAMS_MADE][j]);
    sum *= epsilon / 2;
    return march_norm(m, 1, &sum, &slope, noise);
}

static int highest_order(const struct march *m)
{
    int most = m->o->method.multistep.order;
    return m->o->max_order > 0 && m->o->max_order < most ? (int)m->o->max_order : most;
}

/* The order of the next step; returns its error, were it as long as this one. */
static double choose_order(struct clock *c, const struct step *p, const struct outlook *o)
{
    int k = p->order;
    if (o->down || (k > 1 && o->lower <= fmin(o->here, o->higher) && o->higher < INFINITY)) {
        c->order = k - 1;
        return o->lower;
    }
    if (o->higher < (k > 1 ? 1 : 0.5) * o->here) {
        c->order = k + 1;
        return o->higher;
    }
    return o->here;
}

static enum status after_success(struct march *m, const struct step *p, double wanted)
{
    struct clock *c = &m->clock;
    struct outlook o;
    int k = p->order, most = highest_order(m);
    double error, factor, noise = 0;
    if (c->climbing) TRY(rounding_of_error(m, p, &noise));
    TRY(look_down(m, p, &o));
    if (c->t + p->h != c->end) {
        TRY(solver_eval(m->s, m->f, p->end, m->s->next[0], 2));
        m->s->end_ready = 1;
    }
    if (o.down || k >= most || noise > ADAMS_NOISE) c->climbing = 0;
    if (!c->climbing && !o.down && k < most && p->past > k && m->s->end_ready && c->steady >= k)
        TRY(error_of_order(m, p, ADAMS_HIGHER, k + 1, 2, &o.higher));
    if (c->climbing) {
        c->order = k + 1;
        factor = 2;
    } else {
        error = choose_order(c, p, &o);
        factor = m->o->controller.safety * pow(fmax(error, 1e-10), -1.0 / (c->order + 1));
        factor = factor >= 2 ? 2 : factor >= 1 ? 1 : fmin(fmax(factor, 0.5), 0.9);
    }
    c->steady = factor == 1 ? c->steady + 1 : 0;
    c->h = fabs(p->h) * factor;
    if (c->lands) c->h = fmin(fmax(c->h, wanted), 8 * fabs(p->h));
    return STATUS_OK;
}

static enum status after_rejection(struct march *m, const struct step *p)
{
    struct clock *c = &m->clock;
    struct outlook o;
    int again = c->controller.rejected >= 3;
    c->climbing = c->steady = 0;
    TRY(look_down(m, p, &o));
    c->order = again ? 1 : o.down ? p->order - 1 : p->order;
    c->h = fmax(fabs(p->h) * (again ? 0.25 : 0.5), m->o->min_step);
    return STATUS_OK;
}

enum status adams_adapt(struct march *m, const struct step *p, int accepted, double wanted)
{
    return accepted ? after_success(m, p, wanted) : after_rejection(m, p);
}
