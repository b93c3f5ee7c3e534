/* passes.h -- transformations of a field's tapes before they become programs. Each makes a new tape and
 * leaves the old one alone.
 *
 *   simplify   the same function with less work per call: a time channel becomes part of the bias, a
 *              convolution of a few pixels one matrix
 *   split      what depends on parameters alone moves to a setup tape that runs once per solve
 *   fuse       a product takes the bias, the activation, or the factor of an activation's gradient that
 *              follows it
 *
 * simplify and split come before the derivative is taken, so gradients belong to the setup's results, and are
 * taken back through the setup once per solve as well. Results differ from the original tape's by rounding
 * only. */
#ifndef AUTODIFF_PASSES_H
#define AUTODIFF_PASSES_H

#include "autodiff/tape.h"

/* A copy in the making: nodes of `from` have the counterparts copy[i] in `to`. */
struct rewrite {
    const struct tape *from;
    struct tape *to;
    int *copy;
    int *in; /* room for the inputs of one node */
};
enum status rewrite_begin(struct rewrite *r, const struct tape *from);
int rewrite_copy(struct rewrite *r, int i); /* node i as it is; its inputs have counterparts */
void rewrite_end(struct rewrite *r);        /* `to` is the caller's */

/* Copy the nodes of `src` onto `dst`, with src's inputs replaced by the given nodes of dst; nodes[i] is dst's
 * node for outputs[i]. */
enum status tape_inline_outputs(struct tape *dst, const struct tape *src, const int *inputs,
                                const int *outputs, int n_outputs, int *nodes);

/* live[i] for the nodes that the outputs depend on, and for all inputs. */
void tape_mark_live(const struct tape *t, const int *outputs, int n_outputs, char *live);

/* Floating-point operations of a node. */
int64_t tape_node_work(const struct tape *t, const struct node *node);
/* Multiply-adds of a product per element of the node's result, 0 for other nodes. */
int64_t tape_node_dearness(const struct tape *t, const struct node *node);
/* What a field's tape costs (field.h); batch 0: not known. */
struct field_cost;
void tape_cost(const struct tape *t, int64_t batch, struct field_cost *out);

/* tape: inputs t, y, parameters. */
enum status tape_simplify(struct tape **out, const struct tape *tape, int output, int *new_output);

/* `tape` in two: `setup` has the inputs of `tape` that do not vary, and computes, as its nodes
 * results[0..n_results), what `body` needs of it. The body's inputs are the varying inputs in their order,
 * then these results. A result may be an input of the setup itself. */
struct tape_split {
    struct tape *setup, *body;
    int n_results, *results; /* nodes of setup; owned */
    int *outputs;            /* nodes of body for the outputs asked for; owned */
    int trivial;             /* every result is an input: there is nothing to compute */
};
/* varies[i]: for input i of the tape. transpose: products take the transposes of what does not vary as dense
 * matrices from the setup, and results may be anything; else float results have the dtype of the varying
 * inputs and depend on other float inputs, so that each is worth a gradient, and these are of one dtype. */
enum status tape_split(struct tape_split *out, const struct tape *tape, const char *varies,
                       const int *outputs, int n_outputs, int transpose);
void tape_split_free(struct tape_split *s);

/* new_outputs: the new tape's nodes for the outputs; counterpart, if not NULL: for each node, -1 for those
 * that are gone. */
enum status tape_fuse(struct tape **out, const struct tape *tape, const int *outputs, int n_outputs,
                      int *new_outputs, int *counterpart);

#endif
