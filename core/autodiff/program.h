/* program.h -- a tape made ready to run: dead code and repeated subexpressions gone, views resolved, memory
 * planned.
 *
 * All intermediate values live in one arena whose offsets are fixed when the program is made; running
 * allocates nothing. */
#ifndef AUTODIFF_PROGRAM_H
#define AUTODIFF_PROGRAM_H

#include "autodiff/tape.h"

struct program;

/* Program for the given output nodes of a tape; its inputs are the tape's inputs in order. The tape may be
 * released afterwards; constants are kept by reference, so their current contents count at each run. */
enum status program_new(struct program **out, const struct tape *tape, const int *outputs, int n_outputs);
void program_free(struct program *p);

/* inputs[i], outputs[j]: dense memory of the tape's specs; outputs must not overlap inputs, constants or each
 * other. Errors: those of the ops (a solve inside may fail), STATUS_INTERRUPTED, STATUS_UNSUPPORTED when the
 * program is running already. */
enum status program_run(struct program *p, const void *const *inputs, void *const *outputs);

int program_n_inputs(const struct program *p);
int program_n_outputs(const struct program *p);
const struct array *program_input(const struct program *p, int i); /* dtype and shape */
const struct array *program_output(const struct program *p, int i);
int program_n_calls(const struct program *p);
size_t program_arena_bytes(const struct program *p);

/* ---- for those who want to read a program (tide.explain) ---- */

/* What became of a tape's nodes. */
struct program_notes {
    int *value_of; /* room for one per node: its value, or -1 for dead code */
    /* Nodes that another one computes as well; that no output needs; that are a way to look at another's
     * memory; that became part of a layer. */
    int common, dead, views, fused;
};
/* program_new that takes notes. */
enum status program_new_noted(struct program **out, const struct tape *tape, const int *outputs,
                              int n_outputs, struct program_notes *notes);

/* A value: what a call reads or writes. root: the value whose memory it is in, itself unless it is a view. */
struct program_value {
    int root;
    enum {
        VALUE_COMPUTED,
        VALUE_CONSTANT,
        VALUE_INPUT,
        VALUE_OUTPUT
    } kind;                     /* of the root; an output is computed, too */
    int slot;                   /* of an input or output */
    const struct array *layout; /* dtype, shape, strides */
    const void *constant;       /* VALUE_CONSTANT: its memory */
};
struct program_value program_value(const struct program *p, int value);
/* Call i; *in: the values it reads; *out: the value it writes; *over: that of *in whose memory it writes
 * over, or -1. */
const struct call *program_call(const struct program *p, int i, const int **in, int *out, int *over);

#endif
