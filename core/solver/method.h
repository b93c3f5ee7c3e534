/* method.h -- a method is a family and its coefficients: a row of explicit_tableaus.c, implicit_tableaus.c or
 * method.c.
 *
 * A family (family.h) is how methods of one kind step and how a step is differentiated; the loop, the record
 * and the gradients know families, never methods. */
#ifndef SOLVER_METHOD_H
#define SOLVER_METHOD_H

#include "solver/tableau.h"

struct family;

/* Linear multistep methods: sum_(j <= k) alpha_j y_(n+j) = h sum_(j <= k) beta_j f_(n+j), from y_n ..
 * y_(n+k-1). Coefficients of the named ones follow from the sizes of the steps (multistep_formula.c). */
#define MULTISTEP_STEPS 8 /* k at most */

enum multistep_kind {
    MULTISTEP_NONE,
    MULTISTEP_ADAMS_BASHFORTH,
    MULTISTEP_ADAMS_MOULTON,
    MULTISTEP_ABM, /* PECE: the Moulton formula at a slope where the Bashforth formula of that order ends */
    MULTISTEP_BDF,
    MULTISTEP_ADAMS, /* of variable order, from 1 to `order`: the Moulton formula one order higher, PECE */
    MULTISTEP_VARYING_BDF, /* of variable order, from 1 to `order` */
    MULTISTEP_GIVEN,       /* by alpha and beta; for equal steps alone */
};

struct multistep {
    enum multistep_kind kind;
    int order;
    double alpha[MULTISTEP_STEPS + 1], beta[MULTISTEP_STEPS + 1]; /* GIVEN: so that alpha_k is 1; a_0 first */
    int steps;                                                    /* k */
    /* derived by method_of_multistep */
    int past;     /* steps before a step that its formula looks back over */
    int n_y, n_f; /* it uses y_n, y_(n-1), ... and f_n, f_(n-1), ...: so many */
    int implicit, predicts;
    const struct family *begins; /* of the one-step method that makes the first steps */
    const char *start; /* or states y_1, y_2, ..., y_past that were given, one after the other; borrowed */
};

struct method {
    const struct family *family;
    struct tableau rk; /* its name and orders are the method's; of a multistep method: the one-step method
                          that begins it */
    struct multistep multistep;
    int64_t half; /* of methods for states of two parts: elements of each; a tangent's state has them twice */
    int loose;    /* implicit: Newton's method goes to a tolerance and remembers, see newton.h */
    const struct method *pair[2]; /* of automatic.h: what steps are made by, nonstiff and stiff; else NULL */
};

int method_count(void);
/* Method number i, 0 <= i < method_count(). */
void method_get(int i, struct method *out);
/* By name; STATUS_ARGUMENT when unknown. */
enum status method_find(const char *name, struct method *out);
/* Of a user's Runge-Kutta coefficients: fills what is derived. */
void method_of_tableau(struct method *m);
/* Of m->multistep (kind, order, and of GIVEN its coefficients): fills what is derived and finds a one-step
 * method that begins it; the name stays. */
enum status method_of_multistep(struct method *m);
/* A named multistep method of that order. Errors: STATUS_ARGUMENT. */
enum status method_order(struct method *m, int order);
/* Rows of automatic.c: pairs between which a solve changes. */
extern const char *const automatic_nonstiff[], *const automatic_stiff[]; /* that a pair may have, then NULL */
void automatic_choose(int nonstiff, int stiff, struct method *out); /* a pair, by places in these lists */
int automatic_count(void);
const char *automatic_name(int i);
void automatic_get(int i, struct method *out);
/* The method that solves equations with the Jacobian: this one, or one of its pair. */
const struct method *method_solving(const struct method *m);
/* Does it solve equations with the Jacobian? */
int method_implicit(const struct method *m);
/* The form of a named method that chooses its order and its steps, where it has one beside the one that it
 * is. */
void method_vary(struct method *m);
/* The orders that a named method comes in. */
void method_orders(const struct method *m, int *least, int *highest);

#endif
