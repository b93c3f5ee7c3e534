/* checkpoint.h -- which steps of a solve are kept, and the way back from one to the one before.
 *
 * Going back through l steps needs what each of them began with, last first. With room for few of them the
 * others are made again, from the last that is kept. Where the number of steps is known, the places are those
 * of binomial checkpointing (Griewank, Walther, Algorithm 799: revolve, 2000): with s in memory, one of them
 * the first, and r the least number for which C(s + r, s) >= l, no step is made more than r times, all in all
 *
 *   t(l, s) = r l - C(s + r, r - 1)
 *
 * steps, and no other places need fewer. A solve that keeps places as it goes has made the first N steps in
 * any case and ends behind the last one, so that it makes t(N + 1, s) - N again.
 *
 * A solve that chooses its steps does not know how many they are. It keeps each step it comes to and makes
 * room by levels (Wang, Moin, Iaccarino, SISC 2009): one that lies before another of a higher level goes;
 * where there is none, the last one moves on and rises by a level. Then, and where it is to go back through
 * such a solve, the binomial places are those between two that are kept; that takes never more than t(N, s)
 * steps again.
 *
 * Here are numbers and blocks of memory; what is in a block is the record's (record.h). */
#ifndef SOLVER_CHECKPOINT_H
#define SOLVER_CHECKPOINT_H

#include <stddef.h>
#include <stdint.h>

#include "base/status.h"

struct checkpoint {
    int64_t step;
    int level;
    char *block;
};

/* Zero-initialise, begin, use, free. */
struct checkpoints {
    size_t bytes;          /* of a block */
    int64_t every;         /* > 0: every so many-th step is kept, however many these are */
    int64_t slots;         /* else so many */
    int64_t steps;         /* known beforehand; 0: not known */
    int64_t next;          /* where they are: the next place */
    struct checkpoint *at; /* n of them, by step; behind them blocks that wait, made in all */
    int64_t n, made, capacity;
};

/* The binomial formula, and where from the first of l steps the next place is, s being free with that of the
 * first: 0 < place < l; l: there is no use for one. */
int64_t checkpoint_cost(int64_t l, int64_t s);
int64_t checkpoint_place(int64_t l, int64_t s);

/* For a solve; blocks stay. */
void checkpoints_begin(struct checkpoints *c, size_t bytes, int64_t every, int64_t slots, int64_t steps);
/* From here on there is room for so many, at least 1; what is too much is freed. */
void checkpoints_limit(struct checkpoints *c, int64_t slots);
/* The solve is at a step, one after the other: the block to put it into, NULL: it is not kept. */
enum status checkpoints_forward(struct checkpoints *c, int64_t step, char **block);
/* A place behind the others, for somebody else's reasons. */
enum status checkpoints_keep(struct checkpoints *c, int64_t step, char **block);
/* The last one up to a step. */
const struct checkpoint *checkpoints_last(const struct checkpoints *c, int64_t step);
/* Without `every`, on the way back to `step`: those behind it are done with. Returns the step of the last. */
int64_t checkpoints_back(struct checkpoints *c, int64_t step);
/* On the way from there to `step`: where to stop next, and the block to put it into, NULL:
 * it is `step`, and not kept. */
enum status checkpoints_ahead(struct checkpoints *c, int64_t step, int64_t *next, char **block);
void checkpoints_free(struct checkpoints *c);

#endif
