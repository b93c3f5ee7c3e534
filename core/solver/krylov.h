/* krylov.h -- the systems of linear.h by GMRES (Saad, Schultz 1986), from products with the Jacobian alone:
 * the field's jvp, for the transpose its vjp, and where it has no jvp differences of f. No preconditioner. */
#ifndef SOLVER_KRYLOV_H
#define SOLVER_KRYLOV_H

#include "autodiff/field.h"
#include "solver/tableau.h"

/* x_i - J_i sum_j A_ij x_j = b_i, or its transpose; J_i is the Jacobian at (t[i], at[i]), of stage 0 for all
 * unless own. */
struct krylov_system {
    struct field *f;
    int stages, own, transpose;
    const double *A, *t;
    const void *at[MAX_STAGES];
};

/* Zero-initialise, reserve, free. */
struct krylov {
    int64_t n, vector; /* of a stage: length, bytes of its room */
    int most;          /* stages */
    enum dtype dtype;
    char *block, *basis, *product, *right, *x, *from, *theta; /* one block of memory */
};
enum status krylov_reserve(struct krylov *k, struct field *f, int stages);
void krylov_free(struct krylov *k);

/* x[i]: the right-hand side, then the solution, of which a residual of so large a share of the right-hand
 * side is left. STATUS_NUMERIC when that takes too many products. */
enum status krylov_solve(struct krylov *k, const struct krylov_system *s, double share, void *const *x);

/* out = df/dy v at (t, y). */
enum status krylov_product(struct krylov *k, struct field *f, double t, const void *y, const void *v,
                           void *out);

#endif
