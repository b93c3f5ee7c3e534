/* norm.h -- how large an error is: norms of a state that consists of parts. */
#ifndef SOLVER_NORM_H
#define SOLVER_NORM_H

#include <stdint.h>

#include "solver/tableau.h"
#include "tensor/tensor.h"

enum norm_kind {
    NORM_PART,   /* largest over the parts of the root mean square over a part */
    NORM_BATCH,  /* root mean square over all controlled elements */
    NORM_SAMPLE, /* largest over the samples (first axis) of the root mean square over a sample */
};

/* The state as parts (leaves of the user's table), one after the other. The augmented state of a continuous
 * adjoint is `copies` such states (y and its cotangent), each judged by itself, and `extra` elements that are
 * a part of their own (the gradient of the parameters). */
#define MAX_PARTS 64
#define PART_NAME 32
struct state_layout {
    int n_parts;
    int64_t size[MAX_PARTS + 1]; /* the user's, and tangents */
    int64_t batch;               /* first axis that all parts share, for NORM_SAMPLE; 0 when they do not */
    int64_t controlled;          /* of a copy, the first so many elements take part in the norm (the rest are
                                    sensitivities) */
    int64_t tangents; /* the last so many of these are a derivative of the others (instability.h) */
    int copies;       /* 0: one */
    int64_t extra;
    char name[MAX_PARTS + 1][PART_NAME]; /* the user's, for messages; may be empty */
    const double *rtols, *atols;         /* of each controlled element, in place of the numbers that norms are
                                            given; NULL: these. Borrowed */
    int64_t toleranced;                  /* so many of them a sample has; 0: as many as it has numbers */
};

/* A norm of somebody else's: of the error of n elements, given how large each may be. */
struct norm_own {
    enum status (*of)(struct norm_own *self, int64_t n, enum dtype dtype, const void *error,
                      const void *scale, double *norm);
};

/* The smallest relative tolerance that states of a dtype resolve: ten roundings. A smaller rtol, such as 0,
 * counts as this one below: else a small atol would ask for less than rounding leaves. */
double norm_smallest_rtol(enum dtype dtype);
double norm_rtol(double rtol, enum dtype dtype);

/* Norm of x / (atol + rtol |y|). */
double norm_scaled(const struct state_layout *l, enum norm_kind kind, enum dtype dtype, const void *x,
                   const void *y, double rtol, double atol);

/* How large the error of each controlled element may be: atol + rtol max(|y0|, |y1|). */
void norm_scale(const struct state_layout *l, enum dtype dtype, const void *y0, const void *y1, double rtol,
                double atol, void *scale);

/* Norm of sum_j c_j k_j / (atol + rtol max(|y0|, |y1|)), j < count. low, unless NULL: weights of another
 * estimate, of lower order; the norms of both are made one, of a part or of a sample each. */
double norm_error(const struct state_layout *l, enum norm_kind kind, enum dtype dtype, int count,
                  const double *c, const double *low, const char *const *k, const void *y0, const void *y1,
                  double rtol, double atol);

/* The same, where the squares of what it is taken of, scaled, are there already. */
double norm_of_squares(const struct state_layout *l, enum norm_kind kind, const double *square,
                       const double *square_low);

/* One norm of two estimates of orders p and q < p, of order 2p - q (Hairer, Norsett, Wanner, Solving ODEs I,
 * II.10): size^2 / sqrt(size^2 + 0.01 low^2). */
double norm_of_two(double size, double low);

#endif
