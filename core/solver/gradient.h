/* gradient.h -- derivatives of a solve.
 *
 * direct: the exact derivative of the steps that were taken (discretise, then optimise). With y_next = y + h
 * sum b_i k_i and k_i = f(t_i, Y_i), Y_i = y + h sum_j a_ij k_j, the cotangent lambda of y_next goes back
 * through the stages, last first (HNW II.1; Sanz-Serna 2016, section 3):
 *
 *   kbar_i = h b_i lambda + h sum_{j>i} a_ji Ybar_j,   Ybar_i = kbar_i^T df/dy (t_i, Y_i)
 *   lambda_before = lambda + sum_i Ybar_i
 *
 * Step sizes chosen by the controller are constants of the derivative. Memory: the states of the record.
 * Where explicit steps are at the edge of stability, their derivative may be nonsense while y is right
 * (instability.h): then the gradient is made as "interpolated" from the same record; of "checkpoint", which
 * has none, it is an error.
 *
 * adjoint: the continuous one (optimise, then discretise): one solve of (y, a, thetabar) backwards from each
 * output time to the one before (Chen et al. 2018, algorithm 1). y is reconstructed by integrating backwards;
 * where that fails (contracting flows) it is an error here: the gradient would be off by about as many
 * tolerances as y is. odeint.c then solves forwards again and goes on as below.
 *
 * interpolated: the adjoint with y taken from the dense output of the recorded forward solve instead: it does
 * not depend on running the flow backwards, and needs the record's memory.
 *
 * NaN or Inf among the cotangents that come in makes all of the gradient NaN, of every kind, before anything
 * is done (odeint_gradient.c). What becomes NaN or Inf on the way is an error: STATUS_NUMERIC.
 *
 * All: ybar is cotangents, one per output; y0bar (n) and thetabar (n_theta) are overwritten. Arrays
 * of states are as those of the solver's outputs are (solver_pitch). */
#ifndef SOLVER_GRADIENT_H
#define SOLVER_GRADIENT_H

#include "solver/solve.h"

/* The times of the solve, and their cotangents. */
struct gradient_times {
    const double *t;
    int64_t n;
    double *bar;           /* overwritten; NULL: nobody asks */
    const double *end_bar; /* of where an event has ended the solve, or each sample, from outside; or NULL */
};

/* A solve, of the whole batch or of a tile of it, and the cotangents of its outputs. */
struct gradient {
    struct solver *s;
    struct field *f;
    const struct solve_options *o;
    const struct state_layout *layout;
    struct solve_record *record; /* of "adjoint": room for one */
    const struct gradient_times *times;
    const char *y0, *y, *ybar; /* y: the outputs; of adjoints, like the next */
    char **again;              /* room for outputs, of "adjoint", which makes it where there is none: */
    size_t again_bytes;
    void *y0bar, *thetabar;
};
/* By the kind that the options name. Where y cannot be reconstructed for "adjoint", it goes on with a record.
 */
enum status gradient_of_solve(const struct gradient *g, struct solve_stats *stats);

enum status gradient_direct(struct solver *s, struct field *f, const struct solve_options *o,
                            const struct state_layout *layout, struct solve_record *r, const void *ybar,
                            const struct gradient_times *times, void *y0bar, void *thetabar,
                            struct solve_stats *stats);

/* The memory that gradient_direct will need; it asks itself, but a thread may want to find it ready. steps:
 * of the solve, or fewer. */
enum status gradient_direct_reserve(struct solver *s, const struct field *f, const struct solve_options *o,
                                    int64_t steps);

/* The failure of a gradient that became NaN or Inf, of finite cotangents, in the step at t; NAN: not known.
 */
enum status backward_not_finite(const char *what, double t, double h);

/* The failure of a derivative of steps at the edge of stability (instability.h), and its name. */
#define UNSTABLE_GRADIENT "unstable_gradient"
enum status gradient_unstable(double t, double h);

/* record NULL: y is reconstructed, and `forward` is not used; else `forward` is overwritten. The error norm
 * is that of the solve, taken of y and of its cotangent each by itself; the gradient of the parameters is a
 * part of its own. */
enum status gradient_adjoint(struct solver *forward, struct field *f, const struct solve_options *o,
                             const struct state_layout *layout, const struct solve_record *record,
                             const struct gradient_times *times, const void *y, const void *ybar, void *y0bar,
                             void *thetabar, struct solve_stats *stats);

#endif
