/* tape.h -- a recorded straight-line program over tensors.
 *
 * Nodes are numbered from 0 in the order of recording; a node's inputs have smaller numbers. Emitting never
 * raises: after a failure the tape keeps the first status and message, every further emit returns -1, and
 * whoever records asks tape_status at the end. */
#ifndef AUTODIFF_TAPE_H
#define AUTODIFF_TAPE_H

#include "autodiff/op.h"

struct node {
    enum op_id op;
    int n_in;
    int *in;
    struct attrs *attrs;     /* NULL when the op has none */
    struct array spec;       /* dtype and shape of the value; strides and data mean nothing */
    struct tensor *constant; /* OP_CONSTANT: owned */
    int weak; /* float64 that gives way to the float dtype of whatever it meets: the time of a float32 solve,
                 and what comes of it alone */
};

struct tape {
    int refs;
    int n, capacity;
    struct node *nodes;
    int n_inputs, inputs_capacity;
    int *inputs; /* nodes, in order of declaration */
    /* A tape recorded inside another one (the field of an ODE inside a loss) reads values of the outer one
     * through inputs of its own: captured[i] is the outer node behind input i, or -1 for a declared input. */
    struct tape *parent; /* owned */
    int *captured;
    int64_t flows; /* tangents on it, so many, that are of a flow where the steps taken have another */
    enum status status;
    char *message;
};

enum status tape_new(struct tape **out, struct tape *parent);
struct tape *tape_retain(struct tape *t);
void tape_release(struct tape *t);

/* STATUS_OK, or the first failure (its message is restored as the thread's message). */
enum status tape_status(const struct tape *t);

/* The same, and forget it: the tape can be recorded on (nothing was appended by the emit that failed). */
enum status tape_take_status(struct tape *t);

/* Note a failure, with the thread's message, unless there is one already. A rule that emits nothing means a
 * derivative of zero, so one that cannot do its work says so here. Returns -1. */
int tape_fail(struct tape *t, enum status status);

/* Each returns a node number, or -1. */
int tape_input(struct tape *t, enum dtype dtype, int rank, const int64_t *shape);
int tape_constant(struct tape *t, struct tensor *borrowed);
int tape_literal(struct tape *t, enum dtype dtype, double value); /* a scalar */
int tape_whole(struct tape *t, int64_t value);                    /* one of int64, exactly */
int tape_emit(struct tape *t, enum op_id op, const struct attrs *attrs, const int *in, int n_in);

/* Node of `t` that stands for node `node` of `owner`: the same when owner is t; a captured input, made on
 * demand through all levels, when owner is an ancestor; -1 with STATUS_ARGUMENT when owner is neither (its
 * recording has ended). */
int tape_import(struct tape *t, struct tape *owner, int node);

/* Short forms that rules use. */
int emit1(struct tape *t, enum op_id op, int x);
int emit2(struct tape *t, enum op_id op, int x, int y);
int emit_reshape(struct tape *t, int x, int rank, const int64_t *shape);
int emit_broadcast(struct tape *t, int x, int rank, const int64_t *shape);
int emit_sum_to(struct tape *t, int x, const struct array *shape);         /* undo a broadcast */
int emit_slice_flat(struct tape *t, int x, int64_t start, int64_t length); /* of a rank-1 node */
int emit_like(struct tape *t, int x, double value);     /* a literal of x's dtype (a scalar) */
int emit_cast(struct tape *t, int x, enum dtype dtype); /* x itself when it has the dtype */
int emit_strong(
    struct tape *t, int x,
    enum dtype dtype); /* the same; of a weak view, the view of the cast: fewer numbers are cast */
const struct array *tape_spec(const struct tape *t, int node);

#endif
