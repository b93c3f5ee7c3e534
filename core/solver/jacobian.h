/* jacobian.h -- df/dy as numbers: of n unknowns, or of each of several samples that do not know of each
 * other.
 *
 * By rows from the field's vjp; where it has none by columns, from its jvp or from differences. Samples that
 * are independent (autodiff/batch.h proves it of recorded fields, C fields promise it) share one pass: the
 * same row of all of their blocks comes from one vjp, so a batch costs as many as one sample. */
#ifndef SOLVER_JACOBIAN_H
#define SOLVER_JACOBIAN_H

#include <stddef.h>

#include "autodiff/field.h"

/* One of somebody else's: n x n numbers, by rows. */
struct jacobian_own {
    enum status (*of)(struct jacobian_own *self, int64_t n, enum dtype dtype, double t, const void *y,
                      void *out);
};

/* The kind of work of the field that its Jacobian comes from; FIELD_EVAL: differences. */
enum field_work jacobian_work(const struct field *f);

/* How many blocks it has: samples that are known to be independent, else 1. Looks once per field. */
int64_t jacobian_blocks(struct field *f);

/* Work space for it; zero-initialise, reserve, free. */
struct jacobian {
    int64_t n, blocks, width, columns; /* of the state; width = n / blocks */
    enum dtype dtype;
    enum field_work work;
    struct jacobian_own *own;
    char *unit, *point, *slope, *theta; /* one block of memory, which begins with unit */
    /* For differences of more digits: f at the next (t, y), and the step that it begins, of which y may move
     * as far. NULL: not known. fine: down to rounding, by four evaluations rather than one. */
    const void *known;
    double h;
    int fine;
    const void
        *base; /* f at the next (t, y), for differences as they are without the step; NULL: not known */
};
/* own: asked instead of the field, unless NULL; then there is one block. */
enum status jacobian_reserve(struct jacobian *j, const struct field *f, int64_t blocks,
                             struct jacobian_own *own);
void jacobian_free(struct jacobian *j);

/* Weights of the rise of f to 1, 2, ... shifts for its derivative times the shift, and the shift as a share
 * of what it moves; returns how many there are. */
int jacobian_formula(enum dtype dtype, int fine, const double **weights, double *share);

/* How many columns of a block are made; those behind them are the zeros of the field's quadratures. */
int64_t jacobian_columns(const struct field *f, int64_t blocks, const struct jacobian_own *own);

/* out: blocks x width x columns numbers, each block by rows. */
enum status jacobian_at(struct jacobian *j, struct field *f, double t, const void *y, void *out);

#endif
