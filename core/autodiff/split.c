/* Loop-invariant code motion, the loop being the solver's. */
#include <string.h>

#include "autodiff/passes.h"
#include "base/memory.h"
#include "base/tuning.h"

/* FREE: an input that does not vary, a number, or a view of one: not worth moving, it is repeated where it is
 * needed. */
enum class { VARYING, FREE, WORK };

struct splitter {
    struct rewrite body, setup;
    char *class, *live, *read, *graded; /* read: by the body; graded: a float input that does not vary is
                                           behind it, which has a gradient */
    struct tape_split *out;
    int *transposed; /* node of the body for the transpose of node i, -1: none yet */
    int transpose;
    enum dtype dtype; /* of the varying inputs */
};

/* Rows of numbers that are known, times a weight: its gradient takes less than adding up that of the result
 * would, at each evaluation. */
static int is_wide(const struct splitter *s, const struct node *node)
{
    const struct tape *t = s->body.from;
    return node->op == OP_MATMUL && tape_node_dearness(t, node) < FIELD_DEAR &&
           array_numel(&node->spec) >
               array_numel(tape_spec(t, node->in[0])) + array_numel(tape_spec(t, node->in[1]));
}

static char class_of(const struct splitter *s, const struct node *node)
{
    if (node->op == OP_LITERAL || node->op == OP_CONSTANT) return FREE;
    if (op_table[node->op].flags & OP_STATEFUL) return VARYING;
    for (int j = 0; j < node->n_in; j++)
        if (s->class[node->in[j]] == VARYING) return VARYING;
    /* While gradients are still to come (not transpose), a float result is something to take them by: it must
     * have the state's dtype, and depend on a parameter. The rest moves later, when the derivative is
     * split. */
    if (!s->transpose && dtype_is_float(node->spec.dtype) &&
        (node->spec.dtype != s->dtype || !s->graded[node - s->body.from->nodes] || is_wide(s, node)))
        return FREE;
    return op_table[node->op].view && s->class[node->in[0]] == FREE ? FREE : WORK;
}

/* A new input of the body, whose value is `node` of the setup. */
static int result(struct splitter *s, int node)
{
    if (node < 0) return -1;
    struct array spec = *tape_spec(s->setup.to, node);
    s->out->results[s->out->n_results++] = node;
    if (s->setup.to->nodes[node].op != OP_INPUT) s->out->trivial = 0;
    return tape_input(s->body.to, spec.dtype, spec.rank, spec.shape);
}

static int is_transpose(const struct node *node)
{
    return node->op == OP_PERMUTE && node->spec.rank == 2 && node->attrs->v[0] == 1;
}

/* Does the product take its right factor as a dense matrix from the setup, because it would read it by
 * columns? */
static int takes_dense(const struct splitter *s, const struct node *product)
{
    if (!s->transpose || product->op != OP_MATMUL) return 0;
    const struct node *factor = &s->body.from->nodes[product->in[1]];
    return s->class[product->in[1]] != VARYING && factor->spec.rank == 2 &&
           (product->attrs->v[1] != 0) != is_transpose(factor);
}

static int dense_factor(struct splitter *s, const struct node *product)
{
    int b = product->in[1], base = s->setup.copy[b], view = base;
    if (s->transposed[b] >= 0 || base < 0) return s->transposed[b];
    if (product->attrs->v[1])
        view = tape_emit(s->setup.to, OP_PERMUTE, &(struct attrs){.n = 2, .v = {1, 0}}, &base, 1);
    return s->transposed[b] = result(s, emit1(s->setup.to, OP_COPY, view));
}

static void find_read(struct splitter *s, const struct tape *tape, const int *outputs, int n_outputs)
{
    for (int i = 0; i < n_outputs; i++) s->read[outputs[i]] = 1;
    for (int i = tape->n - 1; i >= 0; i--) {
        const struct node *node = &tape->nodes[i];
        if (!s->live[i] || !(s->class[i] == VARYING || (s->class[i] == FREE && s->read[i]))) continue;
        for (int j = 0; j < node->n_in; j++)
            if (j != 1 || !takes_dense(s, node)) s->read[node->in[j]] = 1;
    }
}

static int varying_node(struct splitter *s, int i)
{
    struct rewrite *r = &s->body;
    const struct node *node = &r->from->nodes[i];
    if (!takes_dense(s, node)) return rewrite_copy(r, i);
    struct attrs attrs = *node->attrs;
    attrs.v[1] = 0;
    return r->copy[i] =
               tape_emit(r->to, OP_MATMUL, &attrs, (int[]){r->copy[node->in[0]], dense_factor(s, node)}, 2);
}

/* In the setup, and where the body reads it, there as well. Inputs are in the setup already. */
static int fixed_node(struct splitter *s, int i)
{
    int input = s->body.from->nodes[i].op == OP_INPUT,
        node = input ? s->setup.copy[i] : rewrite_copy(&s->setup, i);
    if (node < 0 || !s->read[i]) return node;
    return s->class[i] == WORK || input ? (s->body.copy[i] = result(s, node)) : rewrite_copy(&s->body, i);
}

static enum status split_nodes(struct splitter *s, const struct tape *tape, const char *varies,
                               const int *outputs, int n_outputs)
{
    tape_mark_live(tape, outputs, n_outputs, s->live);
    for (int i = 0; i < tape->n_inputs; i++) /* the last one: time may have another dtype than the state */
        if (varies[i] && dtype_is_float(tape_spec(tape, tape->inputs[i])->dtype))
            s->dtype = tape_spec(tape, tape->inputs[i])->dtype;
    for (int i = 0; i < tape->n_inputs; i++) {
        s->class[tape->inputs[i]] = varies[i] ? VARYING : FREE;
        rewrite_copy(varies[i] ? &s->body : &s->setup, tape->inputs[i]);
    }
    for (int i = 0; i < tape->n; i++) {
        const struct node *node = &tape->nodes[i];
        s->graded[i] = node->op == OP_INPUT && s->class[i] != VARYING && dtype_is_float(node->spec.dtype);
        for (int j = 0; j < node->n_in; j++) s->graded[i] |= s->graded[node->in[j]];
        if (node->op != OP_INPUT) s->class[i] = class_of(s, node);
    }
    find_read(s, tape, outputs, n_outputs);
    for (int i = 0; i < tape->n; i++) {
        if (!s->live[i] || (s->class[i] == VARYING && tape->nodes[i].op == OP_INPUT)) continue;
        if ((s->class[i] == VARYING ? varying_node(s, i) : fixed_node(s, i)) < 0) break;
    }
    for (int i = 0; i < n_outputs; i++) s->out->outputs[i] = s->body.copy[outputs[i]];
    TRY(tape_status(s->setup.to));
    return tape_status(s->body.to);
}

enum status tape_split(struct tape_split *out, const struct tape *tape, const char *varies,
                       const int *outputs, int n_outputs, int transpose)
{
    struct splitter s = {.out = out, .transpose = transpose};
    *out = (struct tape_split){.trivial = 1};
    enum status status = rewrite_begin(&s.body, tape);
    if (status == STATUS_OK) status = rewrite_begin(&s.setup, tape);
    char *block = memory_zalloc((size_t)tape->n, sizeof(int) + 4);
    out->results = memory_alloc((size_t)(2 * tape->n) * sizeof *out->results);
    out->outputs = memory_alloc((size_t)n_outputs * sizeof *out->outputs);
    if (status == STATUS_OK && !(block && out->results && out->outputs)) status = memory_status();
    if (status == STATUS_OK) {
        s.transposed = (int *)block;
        s.class = (char *)(s.transposed + tape->n);
        s.live = s.class + tape->n;
        s.read = s.live + tape->n;
        s.graded = s.read + tape->n;
        memset(s.transposed, 0xff, (size_t)tape->n * sizeof *s.transposed);
        status = split_nodes(&s, tape, varies, outputs, n_outputs);
    }
    out->body = s.body.to;
    out->setup = s.setup.to;
    rewrite_end(&s.body);
    rewrite_end(&s.setup);
    memory_free(block);
    if (status != STATUS_OK) tape_split_free(out);
    return status;
}

void tape_split_free(struct tape_split *s)
{
    tape_release(s->setup);
    tape_release(s->body);
    memory_free(s->results);
    memory_free(s->outputs);
    *s = (struct tape_split){0};
}
