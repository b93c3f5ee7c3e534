/* solve.h -- the one stepping loop.
 *
 * It knows a field, a tableau and a controller. Times are float64 whatever the dtype of the state. Output times inside a step come from the
 * interpolant and do not change the steps. A record of the accepted steps, kept on request, is what gradients work from. */
#ifndef SOLVER_SOLVE_H
#define SOLVER_SOLVE_H

#include "autodiff/field.h"
#include "solver/controller.h"
#include "solver/norm.h"
#include "solver/record.h"
#include "solver/step.h"
#include "solver/tableau.h"

/* A time that an adaptive solve has to hit. Behind a jump f is another: it is evaluated anew there, and on either side of the jump at
 * the nearest number, so that it does not matter to which side f counts the time itself. */
struct stop {
    double t;
    int jump;
};

enum gradient_kind { GRADIENT_DIRECT, GRADIENT_ADJOINT, GRADIENT_CHECKPOINT, GRADIENT_INTERPOLATED };

struct solve_options {
    struct tableau method;
    int adaptive;
    double step_size; /* fixed grid t0 + k h; 0: use `steps` */
    int64_t steps;    /* fixed grid of so many equal steps over the span */
    double rtol, atol, first_step; /* first_step 0: chosen by solve_initial_step */
    double min_step, max_step;     /* of adaptive steps; max_step 0: none */
    const struct stop *stops;      /* in ascending order; borrowed */
    int64_t n_stops;
    int64_t max_steps;
    struct controller controller;
    enum norm_kind norm;
    int overshoot; /* final = "interpolate": step past the end and interpolate back */
    enum gradient_kind gradient;
    int64_t checkpoint_steps;        /* GRADIENT_CHECKPOINT: keep every so many-th state */
    double adjoint_rtol, adjoint_atol; /* continuous adjoint */
    double reconstruction_limit;       /* it is refused when y, solved backwards, misses the stored y by more tolerances than this */
};

struct solve_stats {
    int64_t nfe, steps, accepted, rejected, nfe_backward;
};

/* Working memory of solves of one size; zero-initialise, reuse, free. */
struct solver {
    int64_t n;
    enum dtype dtype;
    int stages;
    char *block;
    size_t block_bytes;
    char *y, *next, *stage_input, *k[MAX_STAGES + 1], *spare;
    struct residual_pool *residuals; /* borrowed while a solve keeps them, else NULL */
    /* The solve of a tile: its state is elements [first, first + n) of states of `whole` elements, and arrays of states (outputs and their
     * cotangents) have those of the whole. whole 0: the state is the whole. cancelled: another tile has failed, if not NULL. */
    int64_t first, whole;
    const _Atomic int *cancelled;
    char *backward; /* memory of gradients, see solver_backward */
    size_t backward_bytes;
    struct solver *adjoint; /* of the backward solve */
};
/* `bytes` of memory for a gradient, the same from call to call; NULL when there is none left. */
char *solver_backward(struct solver *s, size_t bytes);
/* Bytes from one output state to the next. */
size_t solver_pitch(const struct solver *s);
/* STATUS_INTERRUPTED when someone asked to stop, or another tile has failed. */
enum status solver_poll(const struct solver *s);
enum status solver_reserve(struct solver *s, int64_t n, enum dtype dtype, int stages);
void solver_release(struct solver *s);

/* Solve from times[0] to times[n_times - 1] (strictly monotone; equal times are the caller's to refuse). out: n_times states, the first one
 * y0. record may be NULL. Errors: STATUS_NUMERIC (max_steps, underflow, NaN or Inf: t, h, steps and a remedy), those of the field. */
enum status solve(struct solver *s, struct field *f, const struct solve_options *o, const struct state_layout *layout, const void *y0,
                  const double *times, int64_t n_times, void *out, struct solve_record *record, struct solve_stats *stats);

/* Hairer, Norsett, Wanner I, p. 169: starting step for an error estimate of order p. direction is +1 or -1; f0 = f(t0, y0) is an input,
 * y1 and f1 are work space. One evaluation, at a time within `room` unless it is NULL. */
enum status solve_initial_step(struct field *f, const struct state_layout *layout, const struct solve_options *o, double t0,
                               const void *y0, const void *f0, double direction, const struct step *room, void *y1, void *f1,
                               double *h);

/* Steps of a fixed grid over a span; errors where there are none (too many, or too short to change t). */
enum status solve_grid(const struct solve_options *o, double t0, double end, int64_t *steps);

/* k_i = f(t, input), with what the field keeps for the backward pass where a record wants it. */
enum status solve_stage(struct solver *s, struct field *f, double t, const void *input, int i);
/* The stages k_first .. k_(last-1) of a step, and the input of a stage: y + h sum_j a_ij k_j. */
enum status solve_stages(struct solver *s, struct field *f, const struct tableau *m, const struct step *p, const void *y,
                         int first, int last);
void solve_stage_input(struct solver *s, const struct tableau *m, double h, const void *y, int stage, void *out);
/* out = y + h sum_j w_j k_j, j < count. */
void solve_combine(struct solver *s, const void *y, double h, const double *w, int count, void *out);

#endif
