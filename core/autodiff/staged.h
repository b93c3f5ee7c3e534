/* staged.h -- a tape in two stages: what its fixed inputs determine is computed when they are bound, the rest
 * at each run. */
#ifndef AUTODIFF_STAGED_H
#define AUTODIFF_STAGED_H

#include "autodiff/passes.h"
#include "autodiff/program.h"

struct staged {
    struct tape *body; /* inputs: those that vary, then `fixed` */
    int n_outputs, *outputs;
    struct tape_split split;
    int n_fixed;
    const void **fixed;    /* addresses, after staged_bind */
    struct program *setup; /* NULL: nothing to compute */
    void **computed;
    char *block;
    int *source; /* of fixed[i]: input of the setup, or -1 - j for computed[j] */
};

/* varies[i]: for input i. transpose: as for tape_split. */
enum status staged_new(struct staged **out, const struct tape *tape, const char *varies, const int *outputs,
                       int n_outputs, int transpose);
/* given: the inputs that do not vary, in order; borrowed until bound anew. */
enum status staged_bind(struct staged *s, const void *const *given);
void staged_free(struct staged *s);

#endif
