/* newton.h -- simplified Newton iterations to a tolerance, and what is remembered from step to step (Hairer,
 * Wanner, Solving ODEs II, IV.8).
 *
 * A step can be made again with the same bits, because all that it began with is known: the Jacobian is that
 * at a time, which is in struct step, and a state, which is in the carry. */
#ifndef SOLVER_NEWTON_H
#define SOLVER_NEWTON_H

#include "solver/family.h"

enum newton_says { NEWTON_GO_ON, NEWTON_DONE, NEWTON_FAILS };

struct newton {
    int i, most;
    int spare; /* so few iterations do not ask for a new Jacobian, however slowly they converge */
    double tolerance, before; /* size of the last correction */
    double eta, worst;        /* rate / (1 - rate) of the last two, the worst rate */
};

/* Iterations for one more system of the step. */
void newton_begin(struct newton *n, const struct solver *s);
/* Of the correction that was just made, by its size in tolerances. */
enum newton_says newton_judge(struct newton *n, double size);
/* It is over: how it went is remembered. */
void newton_end(const struct newton *n, struct solver *s);

/* The size of a correction to y in tolerances. */
double newton_size(const struct solver *s, const void *correction);

/* A step by `attempt`, with the Jacobian that is there, and where that does not do with a new one; the memory
 * of the carry is moved on. STATUS_RETRY: a smaller step may do. */
typedef enum status (*newton_attempt)(struct solver *s, struct field *f, const struct method *m,
                                      const struct step *p);
enum status newton_step(struct solver *s, struct field *f, const struct method *m, const struct step *p,
                        newton_attempt attempt);
/* That step again, as p says it was made. */
enum status newton_again(struct solver *s, struct field *f, const struct method *m, const struct step *p,
                         newton_attempt attempt);
/* A status of linear.c or of a system without a solution, in an attempt: a smaller step may do. */
static inline enum status newton_retry(enum status status)
{
    return status == STATUS_NUMERIC ? STATUS_RETRY : status;
}

/* The Jacobian of the step at hand again, where another one has taken its place. */
enum status newton_restore(struct solver *s, struct field *f, const struct method *m, const struct step *p);

/* Kinds of work that a method's systems will ask a field for, a mask; transposed: those of gradients as well.
 */
unsigned newton_works(struct field *f, const struct solve_options *o, int transposed);

/* Room for the systems of a method, and the solve that is under way (layout NULL: as it was), of which
 * nothing is remembered yet. */
enum status newton_reserve(struct solver *s, struct field *f, const struct solve_options *o,
                           const struct state_layout *layout);

#endif
