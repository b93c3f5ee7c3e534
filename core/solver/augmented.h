/* augmented.h -- the field of a continuous adjoint, z = (y, a, thetabar): dz/dt = (f, -a^T df/dy, -a^T
 * df/dtheta).
 *
 * With a record of the forward solve z = (a, thetabar), and y(t) comes from the interpolant of the step that
 * t lies in. The gradient of the parameters is a quadrature: no system of an implicit method has it among its
 * unknowns. */
#ifndef SOLVER_AUGMENTED_H
#define SOLVER_AUGMENTED_H

#include "autodiff/field.h"
#include "solver/record.h"
#include "solver/solver.h"

/* Rows of the interpolant (tableau.h) of steps that were looked at. One step back spans many on the way
 * forwards, and its stages come to each of them again and again. */
#define SEEN_STEPS 8
struct seen_rows {
    int64_t step[SEEN_STEPS]; /* -1: none */
    unsigned plain[SEEN_STEPS];
    int next; /* the place that is taken next */
    char *rows;
    size_t bytes; /* of a place */
};

struct augmented {
    struct field base;
    struct field *inner;
    const struct solve_record *record; /* NULL: y is part of z */
    const struct method *m;
    struct solver *s; /* holds the stages of `step`, when there is a record */
    int64_t step;
    struct step p;
    size_t pitch;            /* from one output to the next */
    int64_t lowest, highest; /* between events: steps that may be looked at */
    struct seen_rows seen;
    double reconstruction; /* the largest relative error of y so far */
    double largest;        /* y may be so long on its way back */
};

/* Of f, whose solve by m left s, and its record unless NULL. */
void augmented_begin(struct augmented *g, struct solver *s, struct field *f, const struct method *m,
                     const struct solve_record *record);
void augmented_end(struct augmented *g);
/* bar = a . f(t, y): an output that comes later by dt moves by f dt. */
enum status augmented_by_time(struct augmented *g, double t, const void *y, const void *a, void *slope,
                              double *bar);
/* Length of y, of n outputs; INFINITY where it is nothing. */
double augmented_largest(const struct augmented *g, int64_t n, const char *y);

#endif
