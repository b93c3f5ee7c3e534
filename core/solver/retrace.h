/* retrace.h -- steps that algebra takes back, from the last to the first: the states of gradient =
 * "reversible", of which none is kept.
 *
 * MALI (Zhuang et al. 2021, algorithm 4) and Kidger et al. 2021, algorithm 2, do so and trust it. But
 * rounding grows on the way back where the flow contracts, or where the method is unstable that way, and a
 * gradient at states that are off is wrong without a word. So the solve leaves a number of each state, a sum
 * with weights that nothing else has; where that of the reconstructed one differs, the rest of the way is
 * that of "checkpoint": steps are made again from the beginning, with a few states in memory. What is
 * returned has always been at states that are right. */
#ifndef SOLVER_RETRACE_H
#define SOLVER_RETRACE_H

#include "solver/backward.h"

struct retrace {
    const struct state_layout *layout;
    double error; /* the largest so far, relative */
    int made_again;
};

double retrace_mark(const struct solver *s, const void *y);
/* |x - y|, y NULL: zeros; and as a share of the larger of two sizes. */
double retrace_distance(int64_t n, enum dtype dtype, const void *x, const void *y);
double retrace_relative(double distance, double size, double other);

void retrace_begin(struct retrace *r, struct backward *b);
/* The carry of a step becomes that of the solver. Where it cannot be trusted b->retrace becomes NULL, and so
 * it is from the beginning on where the end of the solve is not known any more. */
enum status retrace_step(struct backward *b, int64_t step);

#endif
