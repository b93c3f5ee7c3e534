/* multistep.h -- one step of a linear multistep method as weights, for constant and for changing steps.
 *
 *   y_(n+1) = sum_j y[j] y_(n-j) + sum_j f[j] f_(n-j) + slope f_(n+1)
 *
 * Step sizes are in the weights. Nodes of the named methods are where the steps ended that the clock
 * remembers; with equal steps each weight is the exact rational, rounded once, times h. */
#ifndef SOLVER_MULTISTEP_H
#define SOLVER_MULTISTEP_H

#include "solver/method.h"
#include "solver/step.h"

struct march;
struct solver;
struct field;

/* The named methods, for method.c: number i < multistep_count(), of the order that it has unless told. */
int multistep_count(void);
const char *multistep_name(int i);
void multistep_get(int i, struct method *out);

#define MULTISTEP_PAST (MAX_PAST + 1) /* f_n and those before it, y_n and those before it */

struct formula {
    double y[MULTISTEP_PAST], f[MULTISTEP_PAST], slope;
    double predict[MULTISTEP_PAST]; /* PECE: the f[j] of the formula whose end is where f_(n+1) is taken */
};

/* Weights of a step of the Adams methods that vary their order, and of the norms that choose the next one:
 * functions of its order and of the sizes of steps, which stay the same for many steps, and so do these. */
enum adams_error { ADAMS_MADE, ADAMS_HERE, ADAMS_LOWER, ADAMS_LOWEST, ADAMS_HIGHER, ADAMS_ERRORS };
struct adams {
    int order;
    double h, before[MAX_PAST]; /* of the step that they are for */
    struct formula formula;
    unsigned known; /* bits of those errors that have weights */
    double error[ADAMS_ERRORS][MULTISTEP_PAST + 2];
    double equal[MULTISTEP_PAST + 2]; /* of equal steps, see multistep_order.c; all 0: not made yet */
};

/* The weights of step p. It has the past that they look back over. */
void formula_make(const struct multistep *m, const struct step *p, struct formula *out);
/* Does the formula make the step, or is it for a one-step method? There must be enough of the past, of equal
 * steps where coefficients were given; steps must not have become much longer, which may be unstable. */
int formula_continues(const struct multistep *m, const struct step *p);
/* y at theta of the step by the method's own polynomial: weights of y_n, y_(n-1), ... ; of f_n, ...; and of
 * y_(n+1), and of f_(n+1). */
void formula_interpolate(const struct multistep *m, const struct step *p, double theta, struct formula *out,
                         double *end);

/* States that were given: does step p end at one; number i of them; and the weights of the basis for y at
 * theta of the step, through all that are still to come and what there was before. Returns how many. */
int start_gives(const struct multistep *m, const struct step *p);
const char *start_state(const struct solver *s, const struct multistep *m, int i);
int start_dense(struct solver *s, const struct multistep *m, const struct step *p, double theta, int evaluate,
                double *w);

/* Of methods that vary their order, see family.h. */
enum status bdf_step(struct solver *s, struct field *f, const struct multistep *m, const struct step *p);
enum status bdf_again(struct solver *s, struct field *f, const struct multistep *m, const struct step *p);
enum status bdf_error(const struct march *m, const struct step *p, double *norm);
enum status bdf_adapt(struct march *m, const struct step *p, int accepted, double wanted);
struct adams *adams_at(struct solver *s, const struct multistep *m, const struct step *p);
enum status adams_error(const struct march *m, const struct step *p, double *norm);
enum status adams_adapt(struct march *m, const struct step *p, int accepted, double wanted);

/* w[j] = integral from 0 to `end` of the polynomial that is 1 at node x[j] and 0 at the others, j < n. */
void formula_integrals(int n, const double *x, double end, double *w);

/* Values and slopes of a polynomial of degree n - 1 at nodes x[i], in any order; slope[i]: that one is a
 * slope. w[i]: their weights in its value at theta. Returns 0 where they do not determine it. */
int formula_through(int n, const double *x, const char *slope, double theta, double *w);

#endif
