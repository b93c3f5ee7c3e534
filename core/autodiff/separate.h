/* separate.h -- do the samples of a batch know of each other on the way from one node to another?
 *
 * Like batch.h, but it asks about derivatives alone and makes nothing: what does not depend on x may be any
 * tensor, one with entries for the samples too, integers carry no derivative, and the batch may be part of
 * any axis (W y^T). */
#ifndef AUTODIFF_SEPARATE_H
#define AUTODIFF_SEPARATE_H

#include "autodiff/tape.h"

/* x: a node whose first axis are `batch` samples (2 or more); y: one that is made of it. *where: -1 when y
 * has an axis of as many samples, each of which depends on that sample of x alone; else the first node at
 * which that cannot be seen. */
enum status tape_separate(const struct tape *t, int x, int64_t batch, int y, int *where);

#endif
