/* run.h -- a solve that is under way: shared by the loop (solve.c) and by what explains its failures
 * (failure.c). */
#ifndef SOLVER_RUN_H
#define SOLVER_RUN_H

#include "solver/solve.h"
#include "solver/stiffness.h"

/* When steps begin and end. */
struct clock {
    double h;     /* of the fixed grid, with its sign; or of the adaptive step that is tried next */
    double first; /* of the fixed grid of n steps */
    int64_t n;
};

/* The step that is tried next. */
struct attempt {
    double h, end; /* with its sign; where it ends */
    int lands;     /* on the end of the span, or on a stop */
};

struct run {
    struct solver *s;
    const struct family *family;
    struct field *f;
    const struct solve_options *o;
    const struct state_layout *layout;
    const void *y0;
    const double *times;
    int64_t n_times, next_output;
    char *out;
    struct solve_record *record;
    struct solve_stats *stats;
    double t, end, direction;
    int64_t next_stop; /* number of the next of the options' stops, counted along the direction */
    int behind_jump;   /* t is a jump: f is evaluated at the nearest time behind it */
    double before;     /* size of the step before, 0: there is none, or a jump lies between */
    struct clock clock;
    struct controller controller;
    struct stiffness stiffness;
};

int run_is_finite(const struct solver *s, const void *y);
/* Steps that are shorter do not resolve t: the times of their stages fall together. */
double run_smallest_step(double t);

/* Each sets the message, with t, h, the steps so far and a remedy for what appears to be the cause. */
enum status failure_max_steps(const struct run *r, double h);
enum status failure_small_step(const struct run *r, double h,
                               const char *what); /* underflow, or too many rejections */
enum status failure_not_finite(const struct run *r, double h, const void *y, const char *what);
enum status failure_unresolved(const struct run *r);
enum status failure_newton(const struct run *r, double h);

#endif
