/* odeint.h -- a whole ODE solve as one op of a tape.
 *
 *   odeint(y0, times, theta...) -> states at the times, flat: n_times x n
 *
 * One that ends at an event (ends_at_event) gives float64, and behind the states where it ended, or each
 * sample of it; NAN: the sample failed.
 *
 *   its vjp (states, statesbar, y0, times, theta...) -> flat: y0bar, then the gradient of each float theta
 *
 * Both are custom ops over the same solve, and closed under differentiation: the derivative of the vjp is the
 * vjp of the solve of the tangent equation, with the steps controlled by the original state alone, so the
 * steps are the same. */
#ifndef SOLVER_ODEINT_H
#define SOLVER_ODEINT_H

#include "autodiff/program.h"
#include "autodiff/tape.h"
#include "solver/solve.h"

struct odeint;

/* A solve of a field, which is given away, also in case of failure. */
enum status odeint_new(struct odeint **out, struct field *field, const struct solve_options *o,
                       const struct state_layout *layout);
/* Its events are given away, too, but not in case of failure. NULL: it has none. */
const struct events *odeint_events(const struct odeint *op);

/* Emit the solve: nodes y0 (rank 1), times (rank 1, float64) and the values of the captured parameters, in
 * order. */
int odeint_emit(struct tape *t, struct odeint *op, int y0, int times, const int *theta, int n_theta);

/* Counts of the latest run and of its gradient. */
const struct solve_stats *odeint_stats(const struct odeint *op);

/* Is it per_sample? Then the counts of each of its n samples, NULL: all are 0; and what happened to each,
 * NULL: it has no events, or no steps were made. */
struct event_log;
int odeint_samples(const struct odeint *op, int64_t *n, const struct solve_stats **counts,
                   const struct event_log **logs);

/* Is its method a pair (automatic.h)? */
int odeint_changes_method(const struct odeint *op);

/* The sum over the solves of a program in its latest run. */
struct solve_stats odeint_program_stats(const struct program *p);

/* What a solve is made of (for tide.explain); its field is made ready if need be. */
struct odeint_plan {
    struct field_plan recorded; /* of the field before it was cut into tiles */
    const struct solve_options *options;
    int64_t batch; /* samples, 0: not known */
    struct field *field;
    int64_t n_tiles, rows; /* of whole solves; n_tiles 1: the batch is solved at once */
    int64_t abreast;       /* samples that step together, each with steps of its own; 0: none do */
    int returns;           /* they go back so, too */
    int gradient;          /* somebody wants it */
};
/* The solve behind a node's object, NULL when it is none. *backward: the node is its gradient. */
struct odeint *odeint_of(struct object *o, int *backward);
enum status odeint_explain(struct odeint *op, struct odeint_plan *out);

/* The object that nodes hold; odeint_new returns it with one reference. */
struct object *odeint_object(struct odeint *op);

#endif
