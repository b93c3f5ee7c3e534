/* record.h -- what a solve leaves for its gradient: the accepted steps, their carries and bases, and what the
 * field kept there. It is an observer that keeps the solver's vectors as they are (solver.h); or, of
 * "checkpoint" and "reversible", the carries of some steps alone, which it copies (checkpoint.h). */
#ifndef SOLVER_RECORD_H
#define SOLVER_RECORD_H

#include "solver/checkpoint.h"
#include "solver/observer.h"
#include "solver/solver.h"

struct solve_options;

/* Accepted steps, and where each output came from. */
struct solve_record {
    struct observer base;
    int64_t n;    /* steps */
    int some;     /* carries are kept of some steps alone: of those in `points` */
    int retraced; /* of these: where the solve begins anew, what events cut, and the last one,
                     as step n; of all others a number, of y where they begin (retrace.h) */
    double *marks;
    int64_t mark_capacity;
    int n_carry, kept, per_step; /* of a step: vectors, those of the k that are kept, slots */
    int all;                     /* no step is ever made again: its k are kept whatever they take */
    int64_t k_steps;             /* the first so many have their k, while they fit the budget */
    int64_t carry_capacity, slot_capacity, output_capacity;
    char **pages; /* of steps, without what follows from others */
    int64_t n_pages, page_capacity;
    size_t step_bytes;
    struct checkpoints points;
    char **carry;         /* else n_carry vectors of each step */
    struct slot *slots;   /* per_step of each step; what is NULL has to be computed again */
    int64_t *output_step; /* per output time: step it lies in, -1 for the initial state */
    double *output_theta; /* position in that step, 1 at its end */
    struct pool vectors, residuals;
    struct pool rows; /* of copies: y and the k of a step, one after the other, in place of slots */
    int copies;
    int64_t share;  /* this many records share the budgets (0: one) */
    int64_t budget; /* of `some`: bytes of steps and carries, 0: any number */
    int lacks_room; /* steps are only counted, because that is too little */
};

/* Empty the record for a solve with n_times outputs (its memory stays); the solver works on its vectors. */
enum status record_begin(struct solve_record *r, struct solver *s, struct field *f,
                         const struct solve_options *o, int64_t n_times);
/* The same for a solve whose vectors are not the solver's, one of samples abreast: what is to be kept of a
 * step is copied, y where it begins and its first k, and nothing of the field's. For families whose carry is
 * y, and adaptive steps. s has the size of the state. Where the record lacks room, its solve has to be made
 * once more, by a solver. */
enum status record_begin_copies(struct solve_record *r, struct solver *s, struct field *f,
                                const struct solve_options *o, int64_t n_times);
enum status record_copy(struct solve_record *r, const struct solve_options *o, const struct solver *s,
                        const struct step *p, char *y, char *const *k);
/* The solve is over: STATUS_ARGUMENT where the record had not room enough. */
enum status record_end(struct solve_record *r, struct solver *s, const struct solve_options *o);
void record_output(struct solve_record *r, int64_t output, int64_t step, double theta);
/* Step number i, 0 <= i < n; the same into a step that is zeros or another of the record's; the time where it
 * begins. */
struct step record_step(const struct solve_record *r, int64_t i);
void record_read_step(const struct solve_record *r, int64_t i, struct step *p);
double record_time(const struct solve_record *r, int64_t i);
/* Of a record of all steps: the carry of one, and what there is of its basis, become those of the solver, to
 * be read; returns whether the kept k are there. */
int record_load(const struct solve_record *r, struct solver *s, int64_t step);
/* Of a record of some: the vectors in a block. */
void record_vectors(const struct solver *s, char *block, char **carry);
/* A step of copies that will be loaded soon, from the other side of many others. */
void record_soon(const struct solve_record *r, int64_t step);
void record_free(struct solve_record *r);

#endif
