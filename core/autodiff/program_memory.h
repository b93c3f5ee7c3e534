/* program_memory.h -- what a program is made of, and where its values lie: one arena, whose places are used
 * again when a value has died. */
#ifndef AUTODIFF_PROGRAM_MEMORY_H
#define AUTODIFF_PROGRAM_MEMORY_H

#include "autodiff/op.h"

/* Where a value's bytes are: `base` names the memory, `offset` the place in it. */
enum place { NOWHERE, ARENA, FIXED, INPUT, OUTPUT };

struct value_plan {
    struct array layout; /* dtype, shape, real strides; no data */
    int root;            /* value whose memory this one shares (itself unless a view) */
    int64_t offset;      /* bytes from the start of the root's memory */
    /* Of roots only: */
    enum place place;
    int slot;         /* INPUT, OUTPUT: which one */
    char *fixed;      /* FIXED: address */
    int64_t position; /* ARENA: offset */
    size_t bytes;
    int last_use; /* index of the last call that reads it */
    int call;     /* call that writes it, or -1 */
};

/* An address to be set before each run, because the caller's memory differs from run to run. */
struct patch {
    void **field;
    enum place place;
    int slot;
    int64_t offset;
};

struct program {
    int n_calls, n_inputs, n_outputs, n_patches, n_constants, n_values;
    struct call *calls;
    int *call_in; /* values read by each call, in order; the value written is call_out */
    int *call_out;
    struct array *arrays; /* backing of all calls' in[] */
    struct attrs *attrs;  /* backing of all calls' attrs */
    int64_t *scratch_position;
    struct array *inputs, *outputs;
    struct patch *patches;
    struct tensor **constants;
    struct value_plan *values;
    char *arena;
    size_t arena_bytes;
    double *literals;
    struct small_step *small; /* program_small.h; NULL: the calls are made */
    int64_t n_small;
    int running;
};

/* Plan the arena and allocate it: every value of place ARENA and every call's scratch memory gets a position;
 * a result may take the place of an input that dies there. Errors: STATUS_MEMORY. */
enum status program_plan_memory(struct program *p);

/* Put addresses into the calls; what lies in the caller's memory becomes a patch for each run. */
void program_set_addresses(struct program *p);

#endif
