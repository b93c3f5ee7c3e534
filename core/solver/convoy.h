/* convoy.h -- samples with steps of their own that go abreast: one evaluation of the field serves a row of
 * samples, each with a clock of its own.
 *
 * A sample that has come to its end leaves, and the next one that waits takes its place, so that nobody waits
 * for the stiffest. Explicit Runge-Kutta methods that adapt, fields that can be evaluated so (field_abreast);
 * what it makes has the bits of the solve of each sample alone. Whatever else happens to a sample, a failure
 * above all, is left to that solve, from the beginning.
 *
 * The way back, of a direct gradient, is for groups: samples that have taken about as many steps, each in a
 * place of its own from its last step to its first. */
#ifndef SOLVER_CONVOY_H
#define SOLVER_CONVOY_H

#include <stdatomic.h>

#include "autodiff/field.h"
#include "solver/norm.h"
#include "solver/options.h"
#include "solver/solve.h"

struct convoy;

/* What the convoys of all threads share. */
struct convoy_trip {
    const struct solve_options *o;
    const void *const *parameters; /* of the field; NULL: where they were */
    const char *y0;
    char *out;
    const double *times;
    int64_t n_times, samples;
    struct solve_stats *stats;    /* of each sample */
    struct solve_record *records; /* of each, for its gradient; NULL: none is wanted */
    char *left;                   /* of each: it has to be solved alone */
    const _Atomic int *cancelled;
    _Atomic int64_t next; /* sample that nobody has taken yet */
};

/* A convoy of one thread, of so many samples at most. f: of the whole batch, alone: cut to one sample and
 * prepared, layout: of a sample; back: it shall go back as well, if it can. *out is NULL where the method,
 * the options or the field are not such. It must not outlive f. */
enum status convoy_new(struct convoy **out, const struct field *f, struct field *alone,
                       const struct solve_options *o, const struct state_layout *layout, int64_t most,
                       int back);
void convoy_free(struct convoy *c);
int64_t convoy_places(const struct convoy *c);
/* Can it leave a record? Where it does not go back itself: one of all steps, for a field that keeps nothing
 * of its own. */
int convoy_records(const struct convoy *c, const struct solve_options *o);

/* Solve samples of the trip, until all are taken. Errors: those of the field, STATUS_INTERRUPTED. */
enum status convoy_run(struct convoy *c, struct convoy_trip *trip);

/* ---- the way back ---- */

/* What the convoys of all threads share. */
struct convoy_home {
    const struct solve_options *o;
    const void *const *parameters;
    struct solve_record *records; /* of each sample */
    const char *ybar;
    char *y0bar;
    int64_t n_times, samples;
    struct solve_stats *stats;
    const _Atomic int *cancelled;
    _Atomic int lost; /* something is NaN or Inf, or unstable: the way back has to be made alone, which knows
                         what to say */
};

struct convoy_turn {
    int64_t sample, steps;
};
struct convoy_group {
    const struct convoy_turn *turn; /* those of most steps first */
    int64_t n;
    int width; /* of the convoy's, by number */
};
/* n samples in groups, which follow from their steps alone; turn is put in order, and there is room for n
 * groups of CONVOY_LEAST. Returns how many there are. */
int64_t convoy_groups(const struct convoy *c, struct convoy_turn *turn, int64_t n, struct convoy_group *out);

/* The gradient of a group by the parameters of the field that it has gone through; room for what
 * field_theta_gradient makes of it. */
struct convoy_gradient {
    struct field *f;
    const void *theta;
    void *scratch;
};
int convoy_returns(const struct convoy *c); /* does it go back? */
/* Of each convoy, before its first group: parameters may have moved. */
void convoy_begin_return(struct convoy *c);
/* A group goes back, its y0bar and stats are written. */
enum status convoy_return(struct convoy *c, struct convoy_home *home, const struct convoy_group *g,
                          struct convoy_gradient *out);

#endif
