/* Loop-invariant code motion, the loop being the solver's. */
#include <string.h>

#include "autodiff/passes.h"
#include "base/memory.h"

/* FREE: an input that does not vary, a number, or a view of one: not worth moving, it is repeated where it is needed. */
enum class { VARYING, FREE, WORK };

static char class_of(const struct node *node, const char *class)
{
    if (node->op == OP_LITERAL || node->op == OP_CONSTANT) return FREE;
    if (node->op == OP_CUSTOM) return VARYING; /* a solve has state of its own: it runs where it was recorded */
    for (int j = 0; j < node->n_in; j++)
        if (class[node->in[j]] == VARYING) return VARYING;
    return op_table[node->op].view && class[node->in[0]] == FREE ? FREE : WORK;
}

struct splitter {
    struct rewrite body, setup;
    char *class, *live;
    struct tape_split *out;
    int *transposed; /* node of the body for the transpose of node i, -1: none yet */
};

/* Node i, which does not vary, in the setup. */
static int in_setup(struct splitter *s, int i)
{
    struct rewrite *r = &s->setup;
    if (r->copy[i] >= 0) return r->copy[i];
    const struct node *node = &r->from->nodes[i];
    for (int j = 0; j < node->n_in; j++)
        if (in_setup(s, node->in[j]) < 0) return -1;
    return rewrite_copy(r, i);
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

/* Node i in the body. Varying ones are there already. */
static int in_body(struct splitter *s, int i)
{
    struct rewrite *r = &s->body;
    if (r->copy[i] >= 0) return r->copy[i];
    const struct node *node = &r->from->nodes[i];
    if (s->class[i] == WORK || node->op == OP_INPUT) return r->copy[i] = result(s, in_setup(s, i));
    for (int j = 0; j < node->n_in; j++)
        if (in_body(s, node->in[j]) < 0) return -1;
    return rewrite_copy(r, i);
}

static int is_transpose(const struct node *node)
{
    return node->op == OP_PERMUTE && node->spec.rank == 2 && node->attrs->v[0] == 1;
}

/* The right factor of a product as a dense matrix from the setup, where it would be read by columns: -1 where this does not apply. */
static int dense_factor(struct splitter *s, const struct node *product)
{
    int b = product->in[1];
    const struct node *node = &s->body.from->nodes[b];
    if (s->class[b] == VARYING || node->spec.rank != 2 || (product->attrs->v[1] != 0) == is_transpose(node)) return -1;
    if (s->transposed[b] >= 0) return s->transposed[b];
    int base = in_setup(s, b), view = base;
    if (base < 0) return -1;
    if (product->attrs->v[1]) view = tape_emit(s->setup.to, OP_PERMUTE, &(struct attrs){.n = 2, .v = {1, 0}}, &base, 1);
    return s->transposed[b] = result(s, emit1(s->setup.to, OP_COPY, view));
}

static int varying_node(struct splitter *s, int i, int transpose)
{
    struct rewrite *r = &s->body;
    const struct node *node = &r->from->nodes[i];
    int dense = transpose && node->op == OP_MATMUL ? dense_factor(s, node) : -1;
    for (int j = 0; j < node->n_in; j++)
        if ((j != 1 || dense < 0) && in_body(s, node->in[j]) < 0) return -1;
    if (dense < 0) return rewrite_copy(r, i);
    return r->copy[i] = tape_emit(r->to, OP_MATMUL, &(struct attrs){.n = 2, .v = {node->attrs->v[0], 0}}, (int[]){r->copy[node->in[0]], dense}, 2);
}

static enum status run(struct splitter *s, const struct tape *tape, const char *varies, const int *outputs, int n_outputs, int transpose)
{
    tape_mark_live(tape, outputs, n_outputs, s->live);
    for (int i = 0; i < tape->n_inputs; i++) {
        s->class[tape->inputs[i]] = varies[i] ? VARYING : FREE;
        rewrite_copy(varies[i] ? &s->body : &s->setup, tape->inputs[i]);
    }
    for (int i = 0; i < tape->n; i++) {
        const struct node *node = &tape->nodes[i];
        if (node->op == OP_INPUT) continue;
        s->class[i] = class_of(node, s->class);
        if (s->live[i] && s->class[i] == VARYING && varying_node(s, i, transpose) < 0) break;
    }
    for (int i = 0; i < n_outputs; i++) s->out->outputs[i] = in_body(s, outputs[i]);
    TRY(tape_status(s->setup.to));
    return tape_status(s->body.to);
}

enum status tape_split(struct tape_split *out, const struct tape *tape, const char *varies, const int *outputs, int n_outputs, int transpose)
{
    struct splitter s = {.out = out};
    *out = (struct tape_split){.trivial = 1};
    enum status status = rewrite_begin(&s.body, tape);
    if (status == STATUS_OK) status = rewrite_begin(&s.setup, tape);
    char *block = memory_zalloc((size_t)tape->n, sizeof(int) + 2);
    out->results = memory_alloc((size_t)(2 * tape->n) * sizeof *out->results);
    out->outputs = memory_alloc((size_t)n_outputs * sizeof *out->outputs);
    if (status == STATUS_OK && !(block && out->results && out->outputs)) status = memory_status();
    if (status == STATUS_OK) {
        s.transposed = (int *)block;
        s.class = (char *)(s.transposed + tape->n);
        s.live = s.class + tape->n;
        memset(s.transposed, 0xff, (size_t)tape->n * sizeof *s.transposed);
        status = run(&s, tape, varies, outputs, n_outputs, transpose);
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
