/* family.h -- how methods of one kind step, and how a step is differentiated.
 *
 * A step turns the carry (what a step hands to the next one: vectors, the first of them y) into a basis: the
 * carry and the vectors k[0], k[1], ... All else is a linear combination of the basis with weights that are
 * numbers: the next carry, the error, y at any point of the step. Weights are constants of every derivative,
 * so whoever goes backwards needs one function of a family: from cotangents of what was combined to
 * cotangents of the carry.
 *
 *   family         carry              k                                      backwards
 *   explicit RK    y                  stages, then rows of the interpolant   vjp at the stages
 *   implicit RK    y                  stages                                 vjp, a transposed solve at each
 *   coupled RK     y                  stages, then rows of the interpolant   one transposed solve, vjp at all
 *   rosenbrock     y                  stages                                 vjp, a transposed solve and a
 *                                                                            second-order product at each
 *   multistep      y_n, y_(n-1), ..., f_n, the slope or the state at the     the same, once
 *                  f_(n-1), ...       end; or a first step's stages
 *   reversible     y, slope[, second state]
 *                                     the slope, the new slope               vjp at the new slope's input
 *   symplectic     y                  stages that move a part of y each      as explicit RK
 *   automatic      of its stiff method
 *                                     of the method that made the step       as that method
 *
 * A new method of a known family is a row (see method.h), a new family a file with such a table. */
#ifndef SOLVER_FAMILY_H
#define SOLVER_FAMILY_H

#include "solver/solver.h"
#include "solver/method.h"
#include "solver/step.h"

struct backward;
struct march;
struct solve_options;
struct state_layout;

enum again {
    AGAIN_BACK, /* the k that back() reads */
    AGAIN_NEXT, /* and the next carry */
    AGAIN_ALL,  /* and those that dense() reads */
};

struct family {
    const char *name;
    int slope;             /* k[0] is f(t, y), which step() makes unless it is known (slope_ready) */
    const char *stability; /* what is true of all of its methods, see ode.methods; their rows may say more */
    int implicit;          /* it solves equations with the Jacobian, see linear.h and method_implicit */
    int parts;             /* its states have two parts, each of method.half elements */
    int by_times;          /* 1: all of back() is backward_vjp; 2: and weights do not look at steps before */
    /* How many vectors: of the carry, k. */
    void (*sizes)(const struct method *m, int *n_carry, int *n_k);
    /* Bit c: vector c of the next carry is vector c - 1 of this one. They are not copied: solver_move hands
     * them on, and step() makes the others alone. NULL: none. */
    unsigned (*history)(const struct method *m);
    /* The last so many vectors of the carry are what the method remembers: a step needs them to be made
     * again, nothing is differentiated by them. NULL: none. */
    int (*memory)(const struct method *m);
    /* Kinds of work that the field will be asked for, beside evaluations, those of linear systems (implicit)
     * and, backwards, its vjp; backwards: of the gradient that the options name. NULL: none. */
    unsigned (*works)(const struct field *f, const struct solve_options *o, int backwards);
    /* What a solve has to have before its first step. NULL: nothing. */
    enum status (*begin)(struct solver *s, struct field *f, const struct solve_options *o,
                         const struct state_layout *layout);
    /* The basis of step p, and the next carry in s->next; the carry is not touched. STATUS_RETRY: a smaller
     * step may do. */
    enum status (*step)(struct solver *s, struct field *f, const struct method *m, const struct step *p);
    /* What a step made, again and with the same bits, for those who go backwards. have: the kept k are
     * there. */
    enum status (*again)(struct solver *s, struct field *f, const struct method *m, const struct step *p,
                         enum again what, int have);
    /* The carry that step p began with, into s->carry, from that behind it, in s->next: what algebra takes
     * back, up to rounding. NULL: it does not. */
    enum status (*undo)(struct solver *s, struct field *f, const struct method *m, const struct step *p);
    /* How many of the k are kept in a record, to save again(); 0: none is worth it. */
    int (*kept)(const struct method *m);
    /* Weights of the k for the error of the step (times h included); returns how many. */
    int (*error)(const struct method *m, const struct step *p, double *w);
    /* The same for a second estimate, see norm_of_two; 0: there is none. NULL: no method has one. */
    int (*error_low)(const struct method *m, const struct step *p, double *w);
    /* Of methods that vary their order, instead: the norm of the error of the step; and when it has been
     * judged, the order and the size of the next one, into the clock. wanted: the size that this one should
     * have had. */
    enum status (*norm)(const struct march *m, const struct step *p, double *norm);
    enum status (*adapt)(struct march *m, const struct step *p, int accepted, double wanted);
    /* y(t + theta h) = sum_c w[c] carry[c] + sum_j w[n_carry + j] k[j], 0 < theta < 1; returns how many
     * weights. evaluate: make those k that this needs and the step did not. */
    enum status (*dense)(struct solver *s, struct field *f, const struct method *m, const struct step *p,
                         double theta, int evaluate, double *w, int *n);
    /* The step was accepted and the carry has moved on: what of the basis is good for the next one. NULL:
     * nothing. */
    void (*moved)(struct solver *s, const struct method *m, const struct step *p);
    /* Cotangents of the next carry (b->carry_bar, in place) and of outputs inside the step (b->from, weights
     * of the k) to those of the carry; thetabar grows. The basis is in s, with what the field kept there. */
    enum status (*back)(struct backward *b, const struct step *p);
};

/* The method that makes step p: this one, or one of its pair. */
static inline const struct method *made_by(const struct method *m, const struct step *p)
{
    return m->pair[0] ? m->pair[p->stiff] : m;
}

extern const struct family family_explicit, family_implicit, family_coupled, family_rosenbrock,
    family_multistep, family_reversible, family_symplectic, family_automatic;

#endif
