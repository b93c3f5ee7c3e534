/* clock.h -- when steps begin and end: a fixed grid, or a controller between times that must be hit.
 *
 * It knows numbers, no states: the error of a step comes in, and what it says of the solve goes out. Times
 * are float64 whatever the dtype of the state. One clock serves a batch; samples with steps of their own
 * have one each. */
#ifndef SOLVER_CLOCK_H
#define SOLVER_CLOCK_H

#include "solver/options.h"
#include "solver/step.h"

enum clock_says {
    CLOCK_STEP, /* make it */
    CLOCK_END,
    CLOCK_ACCEPTED,
    CLOCK_REJECTED, /* try a smaller one */
    CLOCK_MAX_STEPS,
    CLOCK_MAX_NFE,
    CLOCK_MAX_SECONDS,
    CLOCK_UNDERFLOW,
    CLOCK_MAX_REJECTIONS,
    CLOCK_FAILED, /* a step of fixed size could not be made */
};

struct clock {
    const struct solve_options *o;
    double t, end, direction;
    int past, order, stiff; /* of the next step, see step.h */
    int climbing;           /* orders and steps grow without a question since the past began */
    int steady;             /* steps since order or size was changed */
    double before[MAX_PAST];
    int behind_jump;   /* t is a jump: f is evaluated at the nearest time behind it */
    int64_t next_stop; /* number of the next of the options' stops, counted along the direction */
    double h;          /* of the fixed grid, with its sign; or of the adaptive step that is tried next */
    double first;      /* of the fixed grid of n steps, of which so many are done */
    int64_t n, done;
    int off_grid; /* the last step was cut */
    struct controller controller;
    double goal;    /* of the step at hand: where it ends */
    int lands;      /* on the end of the span, on a stop, or there: */
    double landing; /* where a step that is made again shall end; NAN: there is none */
    int64_t steps, accepted, rejected;
    int64_t nfe;    /* what the loop has spent, as it says before it asks for a step */
    double seconds; /* counted where there is a limit */
    double error;   /* of the last adaptive step */
};

/* An output so near to the end of the step at hand, or to where it is cut, is there. */
double clock_rounding(const struct clock *c);
/* Steps that are shorter do not resolve t: the times of their stages fall together. */
double clock_smallest_step(double t);
/* Steps of a fixed grid over a span; errors where there are none (too many, or too short to change t). */
enum status clock_grid(const struct solve_options *o, double t0, double end, int64_t *steps);

/* At t0; a fixed grid is to be had from clock_grid (into c->n), the first adaptive step from
 * clock_first. */
void clock_begin(struct clock *c, const struct solve_options *o, double t0, double end);
/* The largest first step that may be tried. */
struct step clock_room(const struct clock *c);
/* Adaptive: begin with a step of size h, or about. */
void clock_first(struct clock *c, double h);

/* The step to make: CLOCK_STEP, CLOCK_END, or why there is none. */
enum clock_says clock_next(struct clock *c, struct step *p);
/* Is it good enough, and how long shall the next one be? error: its norm, not looked at when steps are
 * fixed; made 0: it could not be made, and a smaller one might. */
enum clock_says clock_judge(struct clock *c, const struct step *p, int made, double error);
/* It was accepted, but is made again, to end just behind theta of it. */
void clock_land(struct clock *c, const struct step *p, double theta);
/* The step was accepted as far as theta of it: go there. */
void clock_move(struct clock *c, const struct step *p, double theta);
/* The past does not count any more: y has been changed. */
void clock_forget(struct clock *c);
/* The steps to come are those of the other method of a pair. */
void clock_turn(struct clock *c);
/* The time at theta of the step. */
double clock_time(const struct clock *c, const struct step *p, double theta);

#endif
