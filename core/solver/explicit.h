/* explicit.h -- the explicit family, for those that step by its tableaus. */
#ifndef SOLVER_EXPLICIT_H
#define SOLVER_EXPLICIT_H

#include "solver/backward.h"
#include "solver/family.h"

/* Zeros in v but for one part of the state (tableau.h). */
void explicit_mask(const struct solver *s, const struct method *m, enum part part, void *v);

/* See family.h. */
int explicit_kept(const struct method *m);
enum status explicit_step(struct solver *s, struct field *f, const struct method *method,
                          const struct step *p);
enum status explicit_again(struct solver *s, struct field *f, const struct method *method,
                           const struct step *p, enum again what, int have);
enum status explicit_dense(struct solver *s, struct field *f, const struct method *method,
                           const struct step *p, double theta, int evaluate, double *w, int *n);
enum status explicit_back(struct backward *b, const struct step *p);

#endif
