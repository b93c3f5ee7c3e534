/* backward_times.h -- the part of a direct gradient that goes to times: those of outputs, the ends of the
 * span, the times of events.
 *
 * A step is a function of the time where it begins and of its size through f alone, with weights that are
 * numbers: one of size h of y' = f(t, y) is one of the same size of y' = c f(t0 + c (t - t0) + d, y) at c =
 * 1, d = 0. So a cotangent a of f at (t, Y) gives a . (f + (t - t0) df/dt) / h to the size and a . df/dt to
 * t0, whatever the family. On a grid these go on to the ends of the span that it hangs on: exact, as the
 * direct gradient is.
 *
 * Steps that adapt have sizes that are constants of every derivative; there, and for families whose weights
 * look at the steps before, the solution is taken for the flow that it follows: where it begins later by dt,
 * y has moved by -f dt. That is true to the order of the method. */
#ifndef SOLVER_BACKWARD_TIMES_H
#define SOLVER_BACKWARD_TIMES_H

#include "solver/gradient.h"

#define TIMES_VECTORS 2 /* of memory */

struct backward;
struct event;
struct backward_times {
    const struct gradient_times *given;
    int active;                  /* there is something to do */
    int exact;                   /* by the steps of a grid */
    int cut;                     /* the step at hand was cut by events */
    int moves;                   /* it begins at one, so that its start moves with that */
    double scale, shift, moment; /* sums over the step at hand of a . f, a . df/dt, (t - t0) a . df/dt */
    double t0;                   /* where it begins */
    double start, size;          /* cotangents of where it begins and of its size, by what lies inside */
    double after;                /* of where the step behind begins, after a cut */
    char *slope, *event_bar;
};

/* Returns the memory behind its own. */
char *times_begin(struct backward *b, const struct gradient_times *given, char *memory);
/* For the step at hand; sets what again() has to make of it. */
void times_begin_step(struct backward *b, int64_t step);
/* What outputs first..last, which lie in the step, give to their times, and to that of the event where it
 * begins. Before outputs_back. */
enum status times_outputs(struct backward *b, int64_t first, int64_t last, const char *ybar);
/* Back through the events that cut the step, outputs at its end included: the cotangent of the next carry
 * becomes that of the interpolant at the cut. */
enum status times_event(struct backward *b, int64_t step, int64_t first, int64_t last, const char *ybar);
/* The step is done. */
void times_end_step(struct backward *b);
/* All steps are: y0 and its cotangent, of what comes behind t0, are in the carry. */
enum status times_end(struct backward *b);
/* In place of backward_vjp's own call where times are exact. */
enum status times_vjp(struct backward *b, double t, const void *input, const void *a, void *ybar);

/* Next carry of a step that events cut, again; the step's basis and its own next y are there. */
enum status times_cut_again(struct backward *b, int64_t step);
/* For a gradient that goes back through the flow rather than through steps: carry_bar[0], the cotangent of y
 * behind the events that cut a step, becomes that before them. `event`: the first of n in the log. */
enum status times_jump(struct backward *b, const struct event *event, int n, int ended);
/* The state behind such events, in memory of theirs. */
enum status times_behind(const struct events *e, const struct event *event, int n, const char **y);

/* Did events cut this step? */
int times_is_cut(const struct events *e, int64_t step);

#endif
