/* linalg.h -- what the ops of linear algebra share (ops_linalg.c, ops_det.c, ops_factors.c); internal to
 * autodiff/. */
#ifndef AUTODIFF_LINALG_H
#define AUTODIFF_LINALG_H

#include "autodiff/op_rules.h"

/* What a prepared call knows; offsets of its work space in the scratch memory. */
struct linalg_plan {
    int m, n, k; /* rows, columns; the smaller one, or right-hand sides */
    int64_t count, batch_shape[MAX_RANK], batch_stride[2][MAX_RANK];
    int batch_rank, n_work, n_integers;
    size_t matrix, other, work, integers, bytes;
};

/* Several functions are made of one op: which of them messages name, its last attribute. */
enum linalg_caller {
    LINALG_ITSELF,
    LINALG_INV,
    LINALG_INVERSE,
    LINALG_LSTSQ,
    LINALG_TRIANGULAR,
    LINALG_EIGVALSH,
    LINALG_SVDVALS,
    LINALG_LOGDET,
    LINALG_SLOGDET_GRADIENT,
    LINALG_LOGDET_GRADIENT,
    LINALG_QR_GRADIENT,
    LINALG_LSTSQ_GRADIENT,
    LINALG_DET_SECOND /* a second derivative */
};
enum linalg_caller linalg_caller(const struct op *op, const struct attrs *attrs);
const char *linalg_name(const struct call *c);

/* Is operand `which` a float matrix or a batch of them, not too large? */
enum status linalg_check(const struct call *c, int which, int square);
/* The shape of the result: the batch of the first operand, then axes of these sizes. */
enum status linalg_batch_of(struct call *c, int rank, const int64_t *sizes);

/* A plan of the first operand; LAPACK is open. Room is taken from the scratch memory, and then all is
 * prepared. */
enum status linalg_plan(struct call *c, struct linalg_plan **out);
size_t linalg_room(struct linalg_plan *p, size_t bytes);
enum status linalg_prepared(struct call *c, enum status (*run)(struct call *c));

/* Scratch memory at an offset; matrix i of so many numbers of the first operand, and of the result. */
void *linalg_at(const struct call *c, size_t offset);
const char *linalg_in(const struct call *c, int64_t i, size_t numbers);
char *linalg_out(const struct call *c, int64_t i, size_t numbers);
size_t linalg_square(int n);
/* A solution with a condition number beyond 1 / epsilon has no digit that is known. */
double linalg_least_rcond(enum dtype dtype);
double linalg_number(enum dtype dtype, const void *x, size_t i);
void linalg_set(enum dtype dtype, void *x, size_t i, double value);

#endif
