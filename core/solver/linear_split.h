/* linear_split.h -- the small matrix A of two or three coupled stages that have one Jacobian, as A = T D
 * T^-1.
 *
 * D has the real eigenvalue (of three stages) and the block {{re, im}, {-im, re}} of a pair re +- i im, so
 * that the system x - (A x J) x = b of `stages` n unknowns falls apart into a real one of n and a complex one
 * of n (Hairer, Wanner, Solving ODEs II, IV.8): with z = T^-1 x and c = T^-1 b
 *
 *   (I - real J) z_0 = c_0,   (I - (re + i im) J) (z_1 - i z_2) = c_1 - i c_2.
 *
 * Two stages are the last two of three. */
#ifndef SOLVER_LINEAR_SPLIT_H
#define SOLVER_LINEAR_SPLIT_H

struct split {
    double real, re, im;
    double basis[3][3], inverse[3][3];
};

/* 0: A has no such pair, or T is not good enough to compute with. */
int split_find(int stages, const double *A, struct split *s);

#endif
