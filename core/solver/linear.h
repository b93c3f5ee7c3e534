/* linear.h -- linear systems of implicit methods and their transposes.
 *
 * The system of `stages` coupled stages, with a small matrix A that includes h, is
 *
 *   x_i - J_i sum_j A_ij x_j = b_i          (one stage: (I - g J) x = b)
 *
 * with the Jacobian of each stage, or one for all of them. Dense: LU factors, of one matrix, or of a small
 * one per sample where samples do not know of each other (jacobian.h). Krylov: GMRES by the field's jvp, its
 * transpose by the vjp (krylov.h); nothing is factored. What was evaluated or factored last is kept, and is
 * not made again when it is asked for again. */
#ifndef SOLVER_LINEAR_H
#define SOLVER_LINEAR_H

#include "solver/jacobian.h"

struct linear;

enum linear_kind { LINEAR_AUTO, LINEAR_DENSE, LINEAR_KRYLOV };

/* Two factorisations of the same Jacobian can be had at a time. */
enum linear_set { LINEAR_MAIN, LINEAR_FILTER, LINEAR_SETS };

/* Kinds of work that the field will be asked for, a mask; own: see struct jacobian_own; transposed: also by
 * gradients. */
unsigned linear_works(struct field *f, enum linear_kind kind, struct jacobian_own *own, int stages,
                      int transposed);

/* Room for systems of up to so many stages; *l is made if it is NULL. STATUS_UNSUPPORTED when a dense matrix
 * would be too large. */
enum status linear_begin(struct linear **l, struct field *f, enum linear_kind kind, struct jacobian_own *own,
                         int stages);
/* Krylov: how small a share of the right-hand side may be left; transposed systems, which are those of
 * gradients, leave as little as rounding allows. */
void linear_tolerance(struct linear *l, double share);

/* Matrices df/dy that were evaluated, and matrices I - g df/dy (or of coupled stages) that were factored, of
 * all blocks at once, since linear_count_anew. */
struct linear_counts {
    int64_t jacobians, factorizations;
};
struct linear_counts linear_counted(const struct linear *l); /* l may be NULL */
void linear_count_anew(struct linear *l);

/* The Jacobian of stage i is that at (t, y). */
enum status linear_jacobian(struct linear *l, struct field *f, int i, double t, const void *y);
/* Does that take differences of f? */
int linear_by_differences(const struct linear *l);
/* f where the next Jacobian will be asked for, and nowhere else. */
void linear_base(struct linear *l, const void *slope);
/* If that takes differences: f there, as long as it is kept, and the step; see struct jacobian. */
void linear_in_step(struct linear *l, const void *slope, double h, int fine);
/* Make the system ready: A is stages x stages, by rows; own: each stage has its own Jacobian, else all have
 * that of stage 0. STATUS_NUMERIC when the matrix is singular. */
enum status linear_factor(struct linear *l, enum linear_set set, int stages, const double *A, int own);
/* x[i], i < stages: the right-hand side, then the solution. STATUS_RETRY: it was not found (Krylov).
 * transpose: of coupled stages that have a Jacobian each. */
enum status linear_solve_stages(struct linear *l, enum linear_set set, int transpose, void *const *x);

/* The transposed system of a gradient, which is exact: where the factors are those of a user's matrix, the
 * solution is corrected until what is left of the right-hand side, by the field's vjp, is rounding. */
enum status linear_solve_back(struct linear *l, struct field *f, enum linear_set set, void *const *x);

/* out = J v, J the Jacobian of stage 0. */
enum status linear_product(struct linear *l, struct field *f, const void *v, void *out);

/* Factors of I - g df/dy at (t, y), and x = (I - g df/dy)^-1 x, or with the transpose. */
enum status linear_set(struct linear **l, enum linear_set set, struct field *f, double t, const void *y,
                       double g);
enum status linear_solve(struct linear *l, enum linear_set set, int transpose, void *x);
void linear_free(struct linear *l);

#endif
