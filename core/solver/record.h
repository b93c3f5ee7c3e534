/* record.h -- what a solve notes for its gradient: the accepted steps, and what the field kept at their
 * stages. */
#ifndef SOLVER_RECORD_H
#define SOLVER_RECORD_H

#include "autodiff/field.h"
#include "solver/step.h"
#include "solver/method.h"

struct solver;
struct solve_options;

/* What the field keeps of each stage (field.h, eval_keep), in blocks that are reused from solve to solve. */
struct residual_pool {
    size_t bytes;         /* of a block; 0: nothing is kept */
    int64_t budget;       /* bytes of all blocks */
    void *current[MAX_K]; /* of the solver's k[i], NULL: none */
    void **kept;          /* of stage i of step n at n * per_step + i, NULL: none */
    int64_t kept_capacity, kept_steps;
    int per_step;
    void **spare;
    int64_t n_spare, spare_capacity, n_blocks; /* n_blocks: all there are */
};

/* Accepted steps, and where each output came from. */
struct solve_record {
    int64_t n, every; /* steps; states are kept for steps 0, every, 2 every, ... */
    int64_t capacity, state_capacity, stage_steps, stage_capacity, output_capacity;
    struct step *steps;
    char *states;         /* the carry at the start of the kept steps: n_carry vectors each */
    char *stages;         /* k of the first `stage_steps` steps, while they fit the budget */
    int64_t *output_step; /* per output time: step it lies in, -1 for the initial state */
    double *output_theta; /* position in that step, 1 at its end */
    struct residual_pool residuals;
    int64_t share; /* this many records share the budgets (0: one) */
};

/* Empty the record for a solve with n_times outputs (its memory stays) and tell the solver where residuals
 * go. */
enum status record_begin(struct solve_record *r, struct solver *s, struct field *f,
                         const struct solve_options *o, int64_t n_times);
/* Note an accepted step before the state moves on. */
enum status record_step(struct solve_record *r, const struct solver *s, const struct method *m,
                        const struct step *p);
void record_free(struct solve_record *r);

/* A block for stage i, or NULL when the budget is spent (or memory is): what is not kept is computed
 * again. */
void *residual_take(struct residual_pool *p, int i);

#endif
