/* solve.h -- the one stepping loop.
 *
 * It knows a field, a family of methods, a clock (fixed steps or a controller) and who looks at each accepted
 * step. Times are float64 whatever the dtype of the state. Output times inside a step come from the
 * interpolant and do not change the steps. A record of the accepted steps, kept on request, is what gradients
 * work from. */
#ifndef SOLVER_SOLVE_H
#define SOLVER_SOLVE_H

#include "autodiff/field.h"
#include "solver/norm.h"
#include "solver/options.h"
#include "solver/record.h"
#include "solver/solver.h"
#include "solver/step.h"

struct solve_stats {
    int64_t nfe, steps, accepted, rejected, nfe_backward;
    int implicit;                      /* equations were solved: */
    int64_t jacobians, factorizations; /* see struct linear_counts */
    int64_t unrefined;            /* steps whose interpolant is that of their stages, see coupled_rows.h */
    const struct report *failure; /* that was returned, in memory of the solver; NULL: there was none */
    int has_defect;               /* a gradient was asked for it and has run, see defect.h */
    double defect;
    int has_reconstruction; /* a gradient that reconstructs y has run: the largest error, relative, of it */
    double reconstruction;  /* that went into the gradient, or for which y was made in another way instead: */
    int made_again;
    double t_begin, t_end; /* where it began and ended */
    int stopped;           /* by on_step: states at later times are NaN */
    int64_t reached;       /* of the times, so many */
    int64_t n_switches;    /* of a pair of methods, and which: in memory of the solver, NULL: not known */
    const struct turns *switches;
};

/* Solve from times[0] to times[n_times - 1] (strictly monotone; equal times are the caller's to refuse). out:
 * n_times states, the first one y0. record may be NULL. Errors: STATUS_NUMERIC (max_steps, underflow, NaN or
 * Inf: t, h, steps and a remedy), those of the field. Where the options return failures, those of this solve
 * are no errors: states at times that it has not reached are NaN, and the statistics say why. */
enum status solve(struct solver *s, struct field *f, const struct solve_options *o,
                  const struct state_layout *layout, const void *y0, const double *times, int64_t n_times,
                  void *out, struct solve_record *record, struct solve_stats *stats);

/* Hairer, Norsett, Wanner I, p. 169: starting step for an error estimate of order p. direction is +1 or -1;
 * f0 = f(t0, y0) is an input, y1 and f1 are work space. One evaluation, at a time within `room` unless it is
 * NULL. */
enum status solve_initial_step(struct field *f, const struct state_layout *layout,
                               const struct solve_options *o, double t0, const void *y0, const void *f0,
                               double direction, const struct step *room, void *y1, void *f1, double *h);
/* What it is made of: the probe, y1 at *t1, a size *h0 away; its slope f1 comes in (and is written over), the
 * starting step goes out. */
struct probe {
    double h0, t1, slope;
};
struct probe solve_probe(const struct state_layout *layout, const struct solve_options *o, enum dtype dtype,
                         int64_t n, double t0, const void *y0, const void *f0, double direction,
                         const struct step *room, void *y1);
double solve_probed(const struct probe *p, const struct state_layout *layout, const struct solve_options *o,
                    enum dtype dtype, int64_t n, const void *y0, const void *f0, void *f1);

#endif
