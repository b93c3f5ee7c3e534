/* convoy.h -- samples with steps of their own that go abreast: one evaluation of the field serves a row of
 * samples, each with a clock of its own.
 *
 * A sample that has come to its end leaves, and the next one that waits takes its place, so that nobody waits
 * for the stiffest. Explicit Runge-Kutta methods that adapt, fields that can be evaluated so (field_abreast),
 * forwards; what it makes has the bits of the solve of each sample alone. Whatever else
 * happens to a sample, a failure above all, is left to that solve, from the beginning. */
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
 * prepared, layout: of a sample. *out is NULL where the method, the options or the field are not such. It
 * must not outlive f. */
enum status convoy_new(struct convoy **out, const struct field *f, const struct field *alone,
                       const struct solve_options *o, const struct state_layout *layout, int64_t most);
void convoy_free(struct convoy *c);
int64_t convoy_places(const struct convoy *c);
/* Can it leave a record? One of all steps, for a field that keeps nothing of its own. */
int convoy_records(const struct field *alone, const struct solve_options *o);

/* Solve samples of the trip, until all are taken. Errors: those of the field, STATUS_INTERRUPTED. */
enum status convoy_run(struct convoy *c, struct convoy_trip *trip);

#endif
