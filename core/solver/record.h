/* record.h -- what a solve leaves for its gradient: the accepted steps, their carries and bases, and what the
 * field kept there. It is an observer that keeps the solver's vectors as they are (solver.h). */
#ifndef SOLVER_RECORD_H
#define SOLVER_RECORD_H

#include "solver/observer.h"
#include "solver/solver.h"

struct solve_options;

/* Accepted steps, and where each output came from. */
struct solve_record {
    struct observer base;
    int64_t n, every;            /* steps; carries are kept for steps 0, every, 2 every, ... */
    int n_carry, kept, per_step; /* of a step: vectors, those of the k that are kept, slots */
    int all;                     /* no step is ever made again: its k are kept whatever they take */
    int64_t k_steps;             /* the first so many have their k, while they fit the budget */
    int64_t capacity, carry_capacity, slot_capacity, output_capacity;
    struct step *steps;
    char **carry;         /* n_carry vectors of each such step */
    struct slot *slots;   /* per_step of each step; what is NULL has to be computed again */
    int64_t *output_step; /* per output time: step it lies in, -1 for the initial state */
    double *output_theta; /* position in that step, 1 at its end */
    struct pool vectors, residuals;
    int64_t share; /* this many records share the budgets (0: one) */
};

/* Empty the record for a solve with n_times outputs (its memory stays); the solver works on its vectors. */
enum status record_begin(struct solve_record *r, struct solver *s, struct field *f,
                         const struct solve_options *o, int64_t n_times);
void record_output(struct solve_record *r, int64_t output, int64_t step, double theta);
/* The carry of a kept step, and what there is of its basis, become those of the solver, to be read; returns
 * whether the kept k are there. */
int record_load(const struct solve_record *r, struct solver *s, int64_t step);
void record_free(struct solve_record *r);

#endif
