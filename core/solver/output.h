/* output.h -- y at the output times: of the end of a step, or of its interpolant. */
#ifndef SOLVER_OUTPUT_H
#define SOLVER_OUTPUT_H

#include "solver/observer.h"
#include "solver/record.h"

struct output {
    struct observer base;
    const double *times;         /* n of them */
    int64_t n, next;             /* next: the first that is not reached */
    char *out;                   /* a state for each */
    struct solve_record *record; /* told where each comes from, unless NULL */
};

/* The first output is y0, the state of the solver. */
void output_begin(struct output *o, struct solver *s, const double *times, int64_t n, void *out,
                  struct solve_record *record);

/* Those that were not reached are NaN. */
void output_lacks_rest(struct output *o, const struct solver *s);

#endif
