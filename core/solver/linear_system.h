/* linear_system.h -- what the files of linear.h share. */
#ifndef SOLVER_LINEAR_SYSTEM_H
#define SOLVER_LINEAR_SYSTEM_H

#include "solver/krylov.h"
#include "solver/linear.h"
#include "solver/linear_split.h"
#include "solver/tableau.h"

/* A factored system; generation: of the Jacobians it was made of, 0: there is none. */
struct factors {
    int stages, own, apart; /* apart: factored are the parts into which the stages fall (linear_split.h) */
    struct split split;
    double A[MAX_STAGES * MAX_STAGES];
    int64_t generation;
    int64_t idle; /* the last unknowns of a block that nothing depends on, such as a quadrature: they are not
                     in the matrix, and follow from the others */
    char *matrix; /* of each block by rows, then its factors; apart: the real part, then the complex one */
    int *pivot;
};

struct linear {
    struct field *f;
    enum linear_kind kind;
    struct jacobian_own *own;
    int dense, most; /* stages */
    int64_t n, blocks, width, n_theta;
    int64_t columns; /* of the Jacobian of a block, see jacobian_columns */
    enum dtype dtype;
    struct jacobian jacobian;
    double t[MAX_STAGES];
    int known[MAX_STAGES]; /* the Jacobian of a stage is that at t, and its vector of `at` */
    int64_t generation;
    size_t vector; /* room of one */
    char *at, *values, *gathered, *sums;
    char *refined; /* vectors of linear_solve_back */
    struct factors set[LINEAR_SETS];
    struct krylov krylov;
    double share;
    struct linear_counts counts;
    const void *base; /* of the next Jacobian, see linear_base */
};

#endif
