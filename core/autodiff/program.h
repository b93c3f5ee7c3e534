/* program.h -- a tape made ready to run: dead code and repeated subexpressions gone, views resolved, memory planned.
 *
 * All intermediate values live in one arena whose offsets are fixed when the program is made; running allocates nothing. */
#ifndef AUTODIFF_PROGRAM_H
#define AUTODIFF_PROGRAM_H

#include "autodiff/tape.h"

struct program;

/* Program for the given output nodes of a tape; its inputs are the tape's inputs in order. The tape may be released afterwards; constants
 * are kept by reference, so their current contents count at each run. */
enum status program_new(struct program **out, const struct tape *tape, const int *outputs, int n_outputs);
void program_free(struct program *p);

/* inputs[i], outputs[j]: dense memory of the tape's specs; outputs must not overlap inputs, constants or each other.
 * Errors: those of the ops (a solve inside may fail), STATUS_INTERRUPTED, STATUS_UNSUPPORTED when the program is running already. */
enum status program_run(struct program *p, const void *const *inputs, void *const *outputs);

int program_n_inputs(const struct program *p);
int program_n_outputs(const struct program *p);
const struct array *program_input(const struct program *p, int i); /* dtype and shape */
const struct array *program_output(const struct program *p, int i);
int program_n_calls(const struct program *p);
size_t program_arena_bytes(const struct program *p);

#endif
