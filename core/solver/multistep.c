/* The backward differentiation formula of order 2: the carry is y_n and y_(n-1), k[0] the new y.
 *
 *   y_(n+1) = ((1 + w)^2 y_n - w^2 y_(n-1)) / (1 + 2 w) + h (1 + w) / (1 + 2 w) f(t_(n+1), y_(n+1))
 *   w = h / h before
 *
 * (Hairer, Norsett, Wanner, Solving ODEs I, III.5; with equal steps 4/3, -1/3, 2/3). The ratio is 1 but for a
 * last step that is shortened. A first step, and one behind a jump, has no past: it is the one-step
 * method's. */
#include <string.h>

#include "kernels/loops.h"
#include "solver/implicit.h"
#include "solver/linear.h"

static int begins(const struct step *p) { return p->before == 0; }

struct formula {
    double now, past, slope;
};

static struct formula formula(const struct step *p)
{
    double w = p->h / p->before;
    return (struct formula){(1 + w) * (1 + w) / (1 + 2 * w), -w * w / (1 + 2 * w),
                            p->h * (1 + w) / (1 + 2 * w)};
}

static void multistep_sizes(const struct method *m, int *n_carry, int *n_k)
{
    *n_carry = 2;
    *n_k = m->rk.stages + IMPLICIT_WORK;
}

static void multistep_start(struct solver *s) { memcpy(s->carry[1], s->carry[0], solver_bytes(s)); }

static enum status multistep_step(struct solver *s, struct field *f, const struct method *m,
                                  const struct step *p)
{
    memcpy(s->next[1], s->carry[0], solver_bytes(s));
    if (begins(p)) return implicit_step(s, f, m, p);
    struct formula c = formula(p);
    const void *past[2] = {s->carry[0], s->carry[1]};
    loops->combine[s->dtype](s->n, NULL, 2, (double[]){c.now, c.past}, past, s->spare);
    memcpy(s->k[0].v, s->carry[0], solver_bytes(s));
    TRY(implicit_solve(s, f, p->end, c.slope, s->spare, s->k[0].v, s->k[m->rk.stages].v,
                       s->k[m->rk.stages + 1].v));
    memcpy(s->next[0], s->k[0].v, solver_bytes(s));
    return STATUS_OK;
}

static enum status again(struct solver *s, struct field *f, const struct method *m, const struct step *p,
                         enum again what, int have)
{
    if (begins(p)) {
        memcpy(s->next[1], s->carry[0], solver_bytes(s));
        return implicit_again(s, f, m, p, what, have);
    }
    if (!have) return multistep_step(s, f, m, p);
    memcpy(s->next[1], s->carry[0], solver_bytes(s));
    memcpy(s->next[0], s->k[0].v, solver_bytes(s));
    return STATUS_OK;
}

static int multistep_kept(const struct method *m) { return m->rk.stages; }

/* Lagrange's polynomial through the new y, y_n and y_(n-1). */
static enum status multistep_dense(struct solver *s, struct field *f, const struct method *m,
                                   const struct step *p, double theta, int evaluate, double *w, int *n)
{
    (void)s, (void)f, (void)evaluate;
    if (begins(p)) {
        w[0] = 1;
        w[1] = 0;
        *n = 2 + tableau_interpolate(&m->rk, theta, w + 2);
        for (int j = 2; j < *n; j++) w[j] *= p->h;
        return STATUS_OK;
    }
    double x = -p->before / p->h;
    w[0] = (theta - 1) * (theta - x) / x;
    w[1] = theta * (theta - 1) / (x * (x - 1));
    w[2] = theta * (theta - x) / (1 - x);
    *n = 3;
    return STATUS_OK;
}

static enum status back(struct backward *b, const struct step *p)
{
    struct solver *s = b->s;
    if (begins(p)) {
        TRY(implicit_back(b, p));
        backward_add(b, s->n, 1, b->carry_bar[1], b->carry_bar[0]); /* y is the past of the next step */
        memset(b->carry_bar[1], 0, b->bytes);
        return STATUS_OK;
    }
    struct formula c = formula(p);
    struct backward_sum sum;
    backward_sum_begin(&sum, b, 0);
    backward_sum_add(&sum, b, 1, b->carry_bar[0]);
    backward_sum_end(&sum, b);
    TRY(linear_set(&s->linear, b->f, p->end, s->k[0].v, c.slope));
    linear_solve(s->linear, 1, b->kbar);
    const void *bar = b->kbar;
    loops->combine[s->dtype](s->n, b->carry_bar[1], 1, (double[]){c.now}, &bar, b->carry_bar[0]);
    loops->combine[s->dtype](s->n, NULL, 1, (double[]){c.past}, &bar, b->carry_bar[1]);
    loops->combine[s->dtype](s->n, NULL, 1, (double[]){c.slope}, &bar, b->kbar);
    return backward_vjp(b, p->end, s->k[0].v, NULL, b->kbar, b->k_bar[0]);
}

const struct family family_multistep = {.name = "multistep",
                                        .stability = "A",
                                        .implicit = 1,
                                        .sizes = multistep_sizes,
                                        .start = multistep_start,
                                        .step = multistep_step,
                                        .again = again,
                                        .kept = multistep_kept,
                                        .dense = multistep_dense,
                                        .back = back};
