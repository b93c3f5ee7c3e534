/* event_scan.h -- where the g of events change their signs within a step. */
#ifndef SOLVER_EVENT_SCAN_H
#define SOLVER_EVENT_SCAN_H

#include "solver/event.h"
#include "solver/march.h"

/* The share of the step that t resolves at theta. */
double event_resolution(const struct march *m, const struct step *p, double theta);
/* y at theta of the step, 0 <= theta <= 1. */
enum status event_state(struct events *e, struct march *m, double theta, void *y);
/* The g at point i of the step. */
static inline double *event_row(const struct events *e, int i)
{
    return e->values + (size_t)e->row[i] * (size_t)e->n;
}

/* The first points of a step. */
enum status event_points(struct events *e, struct march *m, const struct step *p);
/* More of them, until no g is likely to have two zeros between two of them. */
enum status event_refine(struct events *e, struct march *m, const struct step *p);
/* The changes of sign that count between point i and the next one, in order, into e->hits; the signs of all g
 * are then those behind it. */
enum status event_hits(struct events *e, struct march *m, const struct step *p, int i, int *n);

#endif
