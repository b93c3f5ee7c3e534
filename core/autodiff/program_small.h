/* program_small.h -- programs on few numbers: what is done to each of them is a step by itself, because
 * finding a kernel and its loop takes longer than the arithmetic. */
#ifndef AUTODIFF_PROGRAM_SMALL_H
#define AUTODIFF_PROGRAM_SMALL_H

#include "autodiff/program_memory.h"

struct small_step;

/* Steps for a program whose calls have their addresses, in p->small; none where no call is on so few numbers
 * of float64 that it is worth it. Calls that are more than arithmetic remain calls. */
enum status program_make_small(struct program *p);
/* In place of its calls, one after the other; results are those of the kernels, to the last bit. */
enum status program_run_small(struct program *p);

#endif
